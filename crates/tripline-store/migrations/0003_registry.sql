-- Versions of models. Bytes lie under their digest, once for whoever has the same.
CREATE TABLE model_blobs (
    digest BLOB PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;

CREATE TABLE models (
    id                BLOB PRIMARY KEY,
    digest            BLOB NOT NULL,
    bytes             INTEGER NOT NULL,
    name              TEXT NOT NULL,
    version           TEXT NOT NULL,
    role              TEXT NOT NULL,
    schema_name       TEXT NOT NULL,
    slot              TEXT NOT NULL,
    stage             TEXT NOT NULL,
    origin            TEXT NOT NULL,
    parent            BLOB,
    description       TEXT NOT NULL,
    notes             TEXT NOT NULL,
    tags              TEXT NOT NULL,
    original_filename TEXT NOT NULL,
    file_format       TEXT NOT NULL,
    source_digest     TEXT,
    uploaded_by       TEXT,
    manifest          TEXT NOT NULL,
    checks            TEXT NOT NULL,
    signature_key     TEXT,
    signature_trusted INTEGER,
    signature_comment TEXT,
    created_at        INTEGER NOT NULL,
    stage_changed_at  INTEGER NOT NULL,
    deleted_at        INTEGER
) STRICT;

CREATE INDEX models_by_digest ON models (digest);
-- Whatever a program does: two versions never judge in one place.
CREATE UNIQUE INDEX models_active_slot ON models (slot) WHERE stage = 'active';
CREATE UNIQUE INDEX models_active_name ON models (name) WHERE stage = 'active';

CREATE TABLE model_reports (
    model  BLOB PRIMARY KEY,
    report TEXT NOT NULL
) STRICT;

CREATE TABLE model_events (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    model      BLOB NOT NULL,
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    from_stage TEXT,
    to_stage   TEXT,
    reason     TEXT NOT NULL,
    details    TEXT NOT NULL
) STRICT;

CREATE INDEX model_events_by_model ON model_events (model, number);

-- What people say about flows. A label outlives the verdict it is about.
CREATE TABLE labels (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    verdict       BLOB NOT NULL,
    is_attack     INTEGER NOT NULL,
    attack_type   TEXT,
    author        TEXT NOT NULL,
    note          TEXT NOT NULL,
    state         TEXT NOT NULL,
    state_reason  TEXT NOT NULL,
    schema_name   TEXT NOT NULL,
    features      BLOB NOT NULL,
    detector      BLOB,
    classifier    BLOB,
    probability   REAL,
    called_threat INTEGER,
    called_class  TEXT,
    created_at    INTEGER NOT NULL,
    reviewed_at   INTEGER,
    reviewed_by   TEXT
) STRICT;

CREATE UNIQUE INDEX labels_by_author ON labels (verdict, author);
CREATE INDEX labels_by_state ON labels (state, id);

-- Where background work stands. A row stays when its value is forgotten, so that no revision
-- comes twice.
CREATE TABLE tasks (
    key        TEXT PRIMARY KEY,
    value      TEXT,
    revision   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was measured, when, and of what.
CREATE TABLE records (
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    at      INTEGER NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (kind, subject, at)
) STRICT, WITHOUT ROWID;

CREATE INDEX records_by_time ON records (kind, at);
CREATE INDEX records_at ON records (at);

-- What others are to be told.
CREATE TABLE messages (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    target     TEXT NOT NULL,
    event      TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    state      TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    last_error TEXT
) STRICT;

CREATE INDEX messages_due ON messages (next_at, number) WHERE state = 'waiting';

CREATE TABLE leases (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Raised by whatever touches a model's existence or stage.
CREATE TABLE registry_epoch (epoch INTEGER NOT NULL) STRICT;
INSERT INTO registry_epoch VALUES (0);
