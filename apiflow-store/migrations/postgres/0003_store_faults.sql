-- Bytes of JSON of the values of the job's events, and what the last commit changed of its user's bytes in flight.
ALTER TABLE jobs ADD COLUMN value_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN flight_change BIGINT NOT NULL DEFAULT 0;

UPDATE jobs SET value_bytes =
    (SELECT coalesce(SUM(octet_length(value)), 0) FROM job_events WHERE job_events.job_id = jobs.id);

-- Bytes of the values of a user's jobs that have not ended: their sum over all parts. Each connection adds to a part of
-- its own, so that commits of one user do not wait for each other.
CREATE TABLE user_bytes (
    user_id TEXT NOT NULL,
    part INTEGER NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (user_id, part)
);

INSERT INTO user_bytes (user_id, part, bytes) SELECT created_by, 0, SUM(value_bytes) FROM jobs
    WHERE created_by IS NOT NULL AND status NOT IN ('completed', 'failed', 'cancelled') GROUP BY created_by;

-- What a probe writes, to find out whether the database takes writes and has room.
CREATE TABLE store_probes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    filler BYTEA NOT NULL
);

-- Not compressed: the room that it takes is the point.
ALTER TABLE store_probes ALTER COLUMN filler SET STORAGE EXTERNAL;
