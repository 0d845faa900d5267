-- What a probe writes, to find out whether the database takes writes and has room.
CREATE TABLE store_probes (
    id INTEGER NOT NULL PRIMARY KEY,
    filler BLOB NOT NULL
) STRICT;
