-- How long a workflow's jobs and outputs are kept, if the workflow says so: in the workflow's transaction.
CREATE TABLE workflow_retention (
    workflow TEXT NOT NULL PRIMARY KEY,
    artifacts_days INTEGER,
    jobs_days INTEGER
) STRICT, WITHOUT ROWID;

-- The workflow of the job that made an output.
ALTER TABLE artifacts ADD COLUMN workflow TEXT;
UPDATE artifacts SET workflow = (SELECT workflow_id FROM jobs WHERE jobs.id = provenance ->> 'job')
    WHERE provenance IS NOT NULL;
CREATE INDEX artifacts_workflow ON artifacts (workflow, last_used_at, id) WHERE workflow IS NOT NULL;
