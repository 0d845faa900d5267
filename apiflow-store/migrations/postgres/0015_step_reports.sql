-- What providers report about running steps beside their state.
CREATE TABLE step_reports (
    job BIGINT NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    step BIGINT NOT NULL,
    -- Number of the attempt that the report belongs to.
    for_attempt INTEGER NOT NULL,
    queue_position BIGINT,
    preview TEXT,
    -- End of the provider's log.
    log TEXT,
    -- Size of the whole log.
    log_bytes BIGINT NOT NULL,
    PRIMARY KEY (job, step)
);
