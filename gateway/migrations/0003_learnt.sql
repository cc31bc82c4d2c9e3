-- The longest silence beyond its pace that an item has come back from.
ALTER TABLE items ADD COLUMN longest_s REAL NOT NULL DEFAULT 0;

-- What silence has come to mean in a zone, for tags read every `pace_s` seconds and rarer: how long items were looked
-- at, how many were given up, and how often one leaves unseen (1/s).
CREATE TABLE pools (
    zone TEXT NOT NULL,
    pace_s REAL NOT NULL CHECK (pace_s >= 0),
    item_s REAL NOT NULL CHECK (item_s >= 0),
    lost REAL NOT NULL CHECK (lost >= 0),
    leave_rate REAL NOT NULL CHECK (leave_rate > 0),
    PRIMARY KEY (zone, pace_s)
) STRICT, WITHOUT ROWID;

-- The silences that ended there beyond each threshold, and by how much in all; old ones count less, so no whole number.
CREATE TABLE pool_tails (
    zone TEXT NOT NULL,
    pace_s REAL NOT NULL,
    threshold_s REAL NOT NULL,
    silences REAL NOT NULL CHECK (silences > 0),
    excess_s REAL NOT NULL CHECK (excess_s >= 0),
    PRIMARY KEY (zone, pace_s, threshold_s)
) STRICT, WITHOUT ROWID;
