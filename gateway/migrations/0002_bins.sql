-- Shelf bins that count by a scale or by inputs. `zero_g` is what an empty bin shows now, `configured_zero_g` what it
-- began with; `level_g` is the last settled weight, `pending_g` what of it is unexplained.
CREATE TABLE bins (
    reader TEXT NOT NULL,
    channel INTEGER NOT NULL,
    zone TEXT NOT NULL,
    zero_g REAL NOT NULL,
    configured_zero_g REAL NOT NULL,
    level_g REAL NOT NULL,
    pending_g REAL NOT NULL,
    doubtful INTEGER NOT NULL,
    PRIMARY KEY (reader, channel)
) STRICT, WITHOUT ROWID;

-- What lies in them; `unit_g` was learnt from so many pieces, beginning with `configured_g`.
CREATE TABLE bin_products (
    reader TEXT NOT NULL,
    channel INTEGER NOT NULL,
    gtin TEXT NOT NULL,
    pieces INTEGER NOT NULL CHECK (pieces >= 0),
    unit_g REAL NOT NULL,
    learnt REAL NOT NULL,
    configured_g REAL NOT NULL,
    PRIMARY KEY (reader, channel, gtin)
) STRICT, WITHOUT ROWID;
