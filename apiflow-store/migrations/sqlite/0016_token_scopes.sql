-- What a token is limited to, as JSON; nothing: it may do everything that its user may.
ALTER TABLE tokens ADD COLUMN scopes TEXT;

-- The jobs that tokens with scopes started: the only ones that they may read.
CREATE TABLE token_jobs (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    token TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    PRIMARY KEY (job, token)
) STRICT, WITHOUT ROWID;
CREATE INDEX token_jobs_token ON token_jobs (token);
