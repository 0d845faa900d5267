-- What is wrong with each workflow, as it was found last.
CREATE TABLE document_checks (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Raised when the document, or one that it leads to, changes.
    generation INTEGER NOT NULL,
    -- The generation that the findings are of: less than `generation` where they are out of date.
    checked_generation INTEGER NOT NULL,
    -- Stands for the secrets that there were.
    secrets TEXT NOT NULL,
    findings TEXT NOT NULL,
    PRIMARY KEY (kind, id),
    FOREIGN KEY (kind, id) REFERENCES documents (kind, id) ON DELETE CASCADE
) STRICT;

INSERT INTO document_checks (kind, id, generation, checked_generation, secrets, findings)
SELECT kind, id, 1, 0, '', '[]' FROM documents WHERE kind = 'workflow';
