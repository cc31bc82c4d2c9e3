-- What identifies this ledger and how far it has come; one row.
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    site TEXT NOT NULL,
    gateway TEXT NOT NULL,
    epoch TEXT NOT NULL,
    boot INTEGER NOT NULL CHECK (boot >= 0),
    seq INTEGER NOT NULL CHECK (seq >= 0),
    acknowledged INTEGER NOT NULL CHECK (acknowledged BETWEEN 0 AND seq),
    trimmed INTEGER NOT NULL CHECK (trimmed >= 0)
) STRICT;

-- Every tagged item that counts or did lately. `bits` is the EPC's own length.
CREATE TABLE items (
    epc BLOB NOT NULL,
    bits INTEGER NOT NULL,
    gtin TEXT NOT NULL,
    serial TEXT NOT NULL,
    presence TEXT NOT NULL,
    zone TEXT,
    changed_utc_us INTEGER NOT NULL,
    seen_utc_us INTEGER NOT NULL,
    read_chance REAL NOT NULL,
    learnt_s REAL NOT NULL,
    silence_s REAL NOT NULL,
    PRIMARY KEY (epc, bits)
) STRICT, WITHOUT ROWID;

-- The sum of all deltas.
CREATE TABLE stock (
    gtin TEXT NOT NULL,
    zone TEXT NOT NULL,
    disposition TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    confirmed INTEGER NOT NULL CHECK (confirmed >= 0),
    PRIMARY KEY (gtin, zone)
) STRICT, WITHOUT ROWID;

-- Deltas of the present epoch, as they are published. Those up to `ledger.acknowledged` are kept for replays.
CREATE TABLE deltas (
    seq INTEGER PRIMARY KEY,
    at_utc_us INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;

-- Zones whose first count has settled.
CREATE TABLE learnt_zones (
    zone TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
