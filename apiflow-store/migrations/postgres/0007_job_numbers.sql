-- A short number for each job: what a job leaves behind for each step names it instead of the job's id.
ALTER TABLE jobs ADD COLUMN number BIGINT GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX jobs_number ON jobs (number);

CREATE TABLE numbered_bundles (
    job BIGINT NOT NULL,
    body TEXT NOT NULL
);
INSERT INTO numbered_bundles (job, body)
    SELECT jobs.number, body FROM jobs JOIN job_bundles ON job_bundles.job_id = jobs.id;
DROP TABLE job_bundles;
ALTER TABLE numbered_bundles RENAME TO job_bundles;
ALTER TABLE job_bundles ADD PRIMARY KEY (job),
    ADD FOREIGN KEY (job) REFERENCES jobs (number) ON DELETE CASCADE;

CREATE TABLE numbered_snapshots (
    job BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    state TEXT NOT NULL
);
INSERT INTO numbered_snapshots (job, seq, state)
    SELECT jobs.number, seq, state FROM jobs JOIN job_snapshots ON job_snapshots.job_id = jobs.id;
DROP TABLE job_snapshots;
ALTER TABLE numbered_snapshots RENAME TO job_snapshots;
ALTER TABLE job_snapshots ADD PRIMARY KEY (job),
    ADD FOREIGN KEY (job) REFERENCES jobs (number) ON DELETE CASCADE;

CREATE TABLE numbered_events (
    job BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    list_id BIGINT,
    list_index BIGINT,
    body TEXT NOT NULL,
    value TEXT
);
INSERT INTO numbered_events (job, seq, at, list_id, list_index, body, value)
    SELECT jobs.number, seq, at, list_id, list_index, body, value
    FROM jobs JOIN job_events ON job_events.job_id = jobs.id ORDER BY jobs.number, seq;
DROP TABLE job_events;
ALTER TABLE numbered_events RENAME TO job_events;
ALTER TABLE job_events ADD PRIMARY KEY (job, seq),
    ADD FOREIGN KEY (job) REFERENCES jobs (number) ON DELETE CASCADE;
CREATE INDEX job_events_list ON job_events (job, list_id, list_index) WHERE list_id IS NOT NULL;

CREATE TABLE numbered_steps (
    job BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    -- Polls change it without a commit.
    progress DOUBLE PRECISION,
    attempt INTEGER NOT NULL,
    status TEXT NOT NULL,
    -- Everything else, as JSON.
    body TEXT NOT NULL
);
INSERT INTO numbered_steps (job, ordinal, started_at, finished_at, progress, attempt, status, body)
    SELECT jobs.number, ordinal, (old.body ->> 'started_at')::bigint, (old.body ->> 'finished_at')::bigint,
        progress, (old.body ->> 'attempt')::integer, old.body ->> 'status',
        (SELECT '{' || string_agg(to_json(part.key) || ':' || part.value, ',' ORDER BY part.place) || '}'
         FROM json_each(old.body) WITH ORDINALITY AS part (key, value, place)
         WHERE part.key NOT IN ('ordinal', 'status', 'attempt', 'started_at', 'finished_at', 'progress'))
    FROM jobs JOIN job_steps ON job_steps.job_id = jobs.id
    CROSS JOIN LATERAL (SELECT job_steps.body::json AS body) AS old ORDER BY jobs.number, ordinal;
DROP TABLE job_steps;
ALTER TABLE numbered_steps RENAME TO job_steps;
ALTER TABLE job_steps ADD PRIMARY KEY (job, ordinal),
    ADD FOREIGN KEY (job) REFERENCES jobs (number) ON DELETE CASCADE;

CREATE TABLE numbered_calls (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    job BIGINT NOT NULL,
    step BIGINT NOT NULL,
    at BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    -- Nothing if it was not recorded.
    request TEXT,
    -- Nothing until it has come: a submit is recorded before it is sent.
    reply TEXT
);
-- A submit and its reply were two rows: the n-th reply of an attempt goes to its n-th submit.
INSERT INTO numbered_calls (job, step, attempt, purpose, at, duration_ms, request, reply)
    WITH part AS (SELECT job_calls.id, jobs.number AS job, step, (old.body ->> 'attempt')::integer AS attempt,
            old.body ->> 'purpose' AS purpose, (old.body ->> 'at')::bigint AS at,
            (old.body ->> 'duration_ms')::bigint AS duration_ms,
            nullif((old.body -> 'request')::text, 'null') AS request,
            nullif((old.body -> 'reply')::text, '{}') AS reply
        FROM jobs JOIN job_calls ON job_calls.job_id = jobs.id
        CROSS JOIN LATERAL (SELECT job_calls.body::json AS body) AS old),
    placed AS (SELECT *, CASE WHEN purpose = 'submit' AND (request IS NULL) <> (reply IS NULL)
            THEN -row_number() OVER (PARTITION BY job, step, attempt, purpose, request IS NULL, reply IS NULL ORDER BY id)
            ELSE id END AS place FROM part)
    -- The reply was recorded later than the submit, with the moment and the duration of the exchange.
    SELECT job, step, attempt, purpose, max(at), max(duration_ms), max(request), max(reply)
    FROM placed GROUP BY job, step, attempt, purpose, place ORDER BY min(id);
DROP TABLE job_calls;
ALTER TABLE numbered_calls RENAME TO job_calls;
ALTER TABLE job_calls ADD PRIMARY KEY (job, step, id),
    ADD FOREIGN KEY (job) REFERENCES jobs (number) ON DELETE CASCADE;
