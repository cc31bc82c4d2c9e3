-- What may lie in a bin of several products, where that is not certain: a JSON array of [pieces by GTIN, foreign grams,
-- natural logarithm of how likely it is], the likeliest first. `fills` counts how often a bin was filled since its
-- scale may have been zeroed with goods on it; null: it was not.
ALTER TABLE bins ADD COLUMN stories TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(stories));
ALTER TABLE bins ADD COLUMN fills INTEGER CHECK (fills >= 0);
