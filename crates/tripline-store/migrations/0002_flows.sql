-- A verdict on a flow that goes on is superseded by a later one: 0 early, 1 when its connection is
-- over, 2 final. All verdicts before this version are final.
ALTER TABLE verdicts ADD COLUMN stage INTEGER NOT NULL DEFAULT 2;

-- The flow itself, as the caller encodes it; NULL for rows that are none.
ALTER TABLE verdicts ADD COLUMN flow BLOB;

-- Where rows come from by themselves: interfaces and topics.
CREATE TABLE sources (
    name       TEXT PRIMARY KEY,
    key        BLOB NOT NULL,
    is_enabled INTEGER NOT NULL,
    config     TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
