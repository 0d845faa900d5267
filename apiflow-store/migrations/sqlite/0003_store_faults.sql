-- Bytes of JSON of the values of the job's events, and what the last commit changed of its user's bytes in flight.
ALTER TABLE jobs ADD COLUMN value_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN flight_change INTEGER NOT NULL DEFAULT 0;

UPDATE jobs SET value_bytes =
    (SELECT coalesce(SUM(length(CAST(value AS BLOB))), 0) FROM job_events WHERE job_events.job_id = jobs.id);

-- Bytes of the values of a user's jobs that have not ended.
CREATE TABLE user_bytes (
    user_id TEXT NOT NULL PRIMARY KEY,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO user_bytes (user_id, bytes) SELECT created_by, SUM(value_bytes) FROM jobs
    WHERE created_by IS NOT NULL AND status NOT IN ('completed', 'failed', 'cancelled') GROUP BY created_by;

-- What a probe writes, to find out whether the database takes writes and has room.
CREATE TABLE store_probes (
    id INTEGER NOT NULL PRIMARY KEY,
    filler BLOB NOT NULL
) STRICT;
