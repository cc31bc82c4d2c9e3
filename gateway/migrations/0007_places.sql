-- The door or till that an item left by.
ALTER TABLE items ADD COLUMN exited TEXT;

-- What speaks for the place of an item (a JSON array: its zone, since when in UTC microseconds, the zone that it followed
-- others out of, how much of it takes it back, what each zone hears of it, and whether its own reads brought it there).
-- Written more rarely than the items.
CREATE TABLE places (
    epc BLOB NOT NULL,
    bits INTEGER NOT NULL,
    place TEXT NOT NULL CHECK (json_valid(place)),
    PRIMARY KEY (epc, bits)
) STRICT, WITHOUT ROWID;

-- What all items of a zone have taught: how alike looks are by how far they lie apart (JSON arrays of dB squared), and
-- how many were moved to another zone in so many seconds of looking.
CREATE TABLE zones (
    zone TEXT PRIMARY KEY,
    products TEXT NOT NULL CHECK (json_valid(products)),
    squares TEXT NOT NULL CHECK (json_valid(squares)),
    moved REAL NOT NULL CHECK (moved >= 0),
    looked_s REAL NOT NULL CHECK (looked_s >= 0)
) STRICT, WITHOUT ROWID;
