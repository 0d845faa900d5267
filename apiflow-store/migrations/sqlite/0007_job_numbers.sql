-- A short number for each job: what a job leaves behind for each step names it instead of the job's id.
ALTER TABLE jobs ADD COLUMN number INTEGER;
UPDATE jobs SET number = numbered.place
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM jobs) AS numbered WHERE jobs.id = numbered.id;
CREATE UNIQUE INDEX jobs_number ON jobs (number);

CREATE TABLE numbered_bundles (
    job INTEGER PRIMARY KEY REFERENCES jobs (number) ON DELETE CASCADE,
    body TEXT NOT NULL
) STRICT;
INSERT INTO numbered_bundles (job, body)
    SELECT jobs.number, body FROM jobs JOIN job_bundles ON job_bundles.job_id = jobs.id;
DROP TABLE job_bundles;
ALTER TABLE numbered_bundles RENAME TO job_bundles;

CREATE TABLE numbered_snapshots (
    job INTEGER PRIMARY KEY REFERENCES jobs (number) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    state TEXT NOT NULL
) STRICT;
INSERT INTO numbered_snapshots (job, seq, state)
    SELECT jobs.number, seq, state FROM jobs JOIN job_snapshots ON job_snapshots.job_id = jobs.id;
DROP TABLE job_snapshots;
ALTER TABLE numbered_snapshots RENAME TO job_snapshots;

CREATE TABLE numbered_events (
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    list_id INTEGER,
    list_index INTEGER,
    body TEXT NOT NULL,
    value TEXT,
    PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO numbered_events (job, seq, at, list_id, list_index, body, value)
    SELECT jobs.number, seq, at, list_id, list_index, body, value
    FROM jobs JOIN job_events ON job_events.job_id = jobs.id ORDER BY jobs.number, seq;
DROP TABLE job_events;
ALTER TABLE numbered_events RENAME TO job_events;
CREATE INDEX job_events_list ON job_events (job, list_id, list_index) WHERE list_id IS NOT NULL;

CREATE TABLE numbered_steps (
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    -- Polls change it without a commit.
    progress REAL,
    -- Everything else, as JSON.
    body TEXT NOT NULL,
    PRIMARY KEY (job, ordinal)
) STRICT, WITHOUT ROWID;
INSERT INTO numbered_steps (job, ordinal, status, attempt, started_at, finished_at, progress, body)
    SELECT jobs.number, ordinal, body ->> '$.status', body ->> '$.attempt', body ->> '$.started_at',
        body ->> '$.finished_at', progress,
        json_remove(body, '$.ordinal', '$.status', '$.attempt', '$.started_at', '$.finished_at', '$.progress')
    FROM jobs JOIN job_steps ON job_steps.job_id = jobs.id ORDER BY jobs.number, ordinal;
DROP TABLE job_steps;
ALTER TABLE numbered_steps RENAME TO job_steps;

CREATE TABLE numbered_calls (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    -- Nothing if it was not recorded.
    request TEXT,
    -- Nothing until it has come: a submit is recorded before it is sent.
    reply TEXT
) STRICT;
-- A submit and its reply were two rows: the n-th reply of an attempt goes to its n-th submit.
INSERT INTO numbered_calls (job, step, attempt, purpose, at, duration_ms, request, reply)
    WITH part AS (SELECT job_calls.id, jobs.number AS job, step, body ->> '$.attempt' AS attempt,
            body ->> '$.purpose' AS purpose, body ->> '$.at' AS at, body ->> '$.duration_ms' AS duration_ms,
            nullif(body -> '$.request', 'null') AS request, nullif(body -> '$.reply', '{}') AS reply
        FROM jobs JOIN job_calls ON job_calls.job_id = jobs.id),
    placed AS (SELECT *, CASE WHEN purpose = 'submit' AND (request IS NULL) <> (reply IS NULL)
            THEN -row_number() OVER (PARTITION BY job, step, attempt, purpose, request IS NULL, reply IS NULL ORDER BY id)
            ELSE id END AS place FROM part)
    -- The reply was recorded later than the submit, with the moment and the duration of the exchange.
    SELECT job, step, attempt, purpose, max(at), max(duration_ms), max(request), max(reply)
    FROM placed GROUP BY job, step, attempt, purpose, place ORDER BY min(id);
DROP TABLE job_calls;
ALTER TABLE numbered_calls RENAME TO job_calls;
CREATE INDEX job_calls_step ON job_calls (job, step);
