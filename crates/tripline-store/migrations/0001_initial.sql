-- Names that models give to classes and attacks: few, and the same for millions of rows.
CREATE TABLE names (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Which schema and which models made a verdict. `canonical` spells out the other columns, because
-- UNIQUE over nullable columns would let equal rows in twice.
CREATE TABLE provenances (
    id                   INTEGER PRIMARY KEY,
    canonical            TEXT NOT NULL UNIQUE,
    schema_name          TEXT NOT NULL,
    schema_version       INTEGER NOT NULL,
    schema_fingerprint   TEXT NOT NULL,
    detector_name        TEXT,
    detector_version     TEXT,
    detector_threshold   REAL,
    classifier_name      TEXT,
    classifier_version   TEXT,
    classifier_threshold REAL,
    namer_name           TEXT,
    namer_version        TEXT,
    namer_threshold      REAL
) STRICT;

-- One row for every stream of verdicts: an upload, the single scores of one process, a partition
-- of a topic. AUTOINCREMENT, so that a number is never given twice and an old identifier never
-- points at a new row.
CREATE TABLE streams (
    stream           INTEGER PRIMARY KEY AUTOINCREMENT,
    key              BLOB NOT NULL UNIQUE,
    source           INTEGER NOT NULL,
    is_batch         INTEGER NOT NULL,
    status           INTEGER NOT NULL,
    file_name        TEXT,
    schema_name      TEXT,
    created_at       INTEGER NOT NULL,
    finished_at      INTEGER,
    bytes_total      INTEGER,
    bytes_read       INTEGER NOT NULL DEFAULT 0,
    rows_read        INTEGER NOT NULL DEFAULT 0,
    rows_scored      INTEGER NOT NULL DEFAULT 0,
    rows_rejected    INTEGER NOT NULL DEFAULT 0,
    error            TEXT,
    -- Verdicts ever stored, those gone since included.
    rows_appended    INTEGER NOT NULL DEFAULT 0,
    -- The span of the stored rows' times; it may be too wide after retention, never too narrow.
    first_created_at INTEGER,
    last_created_at  INTEGER,
    -- The highest sequence number stored, so that a stream can be continued.
    last_sequence    INTEGER
) STRICT;

-- Apart, because it is long and a list of batches does not need it.
CREATE TABLE reports (
    stream INTEGER PRIMARY KEY,
    report TEXT NOT NULL
) STRICT;

CREATE INDEX streams_running ON streams (status) WHERE status = 0;
CREATE INDEX streams_batches ON streams (created_at, stream) WHERE is_batch = 1;

-- id = stream << 35 | sequence: rows are appended at the right edge of one B-tree, the rows of a
-- stream lie together, and writing a position twice finds the row that is there.
CREATE TABLE verdicts (
    id               INTEGER PRIMARY KEY,
    created_at       INTEGER NOT NULL,
    source           INTEGER NOT NULL,
    provenance       INTEGER NOT NULL,
    row_number       INTEGER,
    score            REAL,
    is_threat        INTEGER,
    class            INTEGER,
    class_id         INTEGER,
    is_attack        INTEGER,
    confidence       REAL,
    named            INTEGER,
    named_confidence REAL,
    -- Comes with the uploaded row, so anybody can invent new ones: inline, it goes when its row goes.
    label            TEXT,
    features         BLOB NOT NULL,
    reasons          BLOB NOT NULL
) STRICT;

CREATE INDEX verdicts_by_time ON verdicts (created_at);
CREATE INDEX verdicts_threats ON verdicts (created_at) WHERE is_threat = 1;
CREATE INDEX verdicts_by_class ON verdicts (class, created_at) WHERE class IS NOT NULL;

-- Counters describe the stored rows: every transaction that adds or removes rows changes them
-- too. Class 0 stands for rows without a class.
CREATE TABLE class_counts (
    class   INTEGER NOT NULL,
    total   INTEGER NOT NULL,
    scored  INTEGER NOT NULL,
    threats INTEGER NOT NULL,
    attacks INTEGER NOT NULL,
    PRIMARY KEY (class)
) STRICT, WITHOUT ROWID;

CREATE TABLE stream_counts (
    stream  INTEGER NOT NULL,
    class   INTEGER NOT NULL,
    total   INTEGER NOT NULL,
    scored  INTEGER NOT NULL,
    threats INTEGER NOT NULL,
    attacks INTEGER NOT NULL,
    PRIMARY KEY (stream, class)
) STRICT, WITHOUT ROWID;

-- The same per period: by minute for short time lines, by hour so that a year stays cheap.
CREATE TABLE period_counts (
    period_seconds INTEGER NOT NULL,
    start          INTEGER NOT NULL,
    class          INTEGER NOT NULL,
    total          INTEGER NOT NULL,
    scored         INTEGER NOT NULL,
    threats        INTEGER NOT NULL,
    attacks        INTEGER NOT NULL,
    PRIMARY KEY (period_seconds, start, class)
) STRICT, WITHOUT ROWID;
