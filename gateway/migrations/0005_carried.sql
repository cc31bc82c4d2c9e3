-- Whether an item was being carried when it was read last, and whether it counts by one read only.
ALTER TABLE items ADD COLUMN carried INTEGER NOT NULL DEFAULT 0 CHECK (carried IN (0, 1));
ALTER TABLE items ADD COLUMN unproven INTEGER NOT NULL DEFAULT 0 CHECK (unproven IN (0, 1));

-- What silence means for items that were being carried is learnt apart, however often they are read. A primary key
-- cannot be changed, so both tables are made anew.
CREATE TABLE new_pools (
    zone TEXT NOT NULL,
    carried INTEGER NOT NULL CHECK (carried IN (0, 1)),
    pace_s REAL NOT NULL CHECK (pace_s >= 0),
    item_s REAL NOT NULL CHECK (item_s >= 0),
    lost REAL NOT NULL CHECK (lost >= 0),
    leave_rate REAL NOT NULL CHECK (leave_rate > 0),
    PRIMARY KEY (zone, carried, pace_s)
) STRICT, WITHOUT ROWID;
INSERT INTO new_pools SELECT zone, 0, pace_s, item_s, lost, leave_rate FROM pools;
DROP TABLE pools;
ALTER TABLE new_pools RENAME TO pools;

CREATE TABLE new_pool_tails (
    zone TEXT NOT NULL,
    carried INTEGER NOT NULL,
    pace_s REAL NOT NULL,
    threshold_s REAL NOT NULL,
    silences REAL NOT NULL CHECK (silences > 0),
    excess_s REAL NOT NULL CHECK (excess_s >= 0),
    PRIMARY KEY (zone, carried, pace_s, threshold_s)
) STRICT, WITHOUT ROWID;
INSERT INTO new_pool_tails SELECT zone, 0, pace_s, threshold_s, silences, excess_s FROM pool_tails;
DROP TABLE pool_tails;
ALTER TABLE new_pool_tails RENAME TO pool_tails;
