-- What the whole shop has taught: by how much tags usually jump from look to look, and what became of tags that had been
-- read once (JSON arrays, one number for each wait), at what age of the shop in seconds, with how much hope of a first
-- day left.
CREATE TABLE shop (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    usual_db REAL NOT NULL CHECK (usual_db >= 0),
    age_s REAL NOT NULL CHECK (age_s >= 0),
    hope REAL NOT NULL CHECK (hope >= 0),
    came TEXT NOT NULL CHECK (json_valid(came)),
    passed TEXT NOT NULL CHECK (json_valid(passed))
) STRICT;
