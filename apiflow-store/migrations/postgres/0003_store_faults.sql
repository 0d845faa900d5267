-- What a probe writes, to find out whether the database takes writes and has room.
CREATE TABLE store_probes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    filler BYTEA NOT NULL
);

-- Not compressed: the room that it takes is the point.
ALTER TABLE store_probes ALTER COLUMN filler SET STORAGE EXTERNAL;
