-- What providers report about running steps beside their state. A table of its own: commits replace the rows of steps.
CREATE TABLE step_reports (
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    -- Number of the attempt that the report belongs to.
    for_attempt INTEGER NOT NULL,
    queue_position INTEGER,
    preview TEXT,
    -- End of the provider's log.
    log TEXT,
    -- Size of the whole log.
    log_bytes INTEGER NOT NULL,
    PRIMARY KEY (job, step)
) STRICT;
