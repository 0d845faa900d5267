-- Who saved a document last.
ALTER TABLE documents ADD COLUMN saved_by TEXT;
UPDATE documents SET saved_by = author;

-- What workflows were at each save: in the workflow's transaction, the newest of each workflow.
CREATE TABLE workflow_versions (
    workflow TEXT NOT NULL,
    number INTEGER NOT NULL,
    body TEXT NOT NULL,
    saved_by TEXT,
    saved_at INTEGER NOT NULL,
    PRIMARY KEY (workflow, number)
) STRICT;
INSERT INTO workflow_versions (workflow, number, body, saved_by, saved_at)
    SELECT id, version, body, saved_by, updated_at FROM documents WHERE kind = 'workflow';

-- The version of the workflow that a job runs; nothing if it runs no saved one, or was created earlier.
ALTER TABLE jobs ADD COLUMN workflow_version INTEGER;
