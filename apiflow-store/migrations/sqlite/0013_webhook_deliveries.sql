-- Where jobs are announced.
CREATE TABLE job_webhooks (
    job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    -- Host and port of the URL.
    host TEXT NOT NULL,
    -- The events that are announced, between spaces: ' completed approval '.
    events TEXT NOT NULL,
    -- The user whose secret signs the messages.
    signer TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Messages about jobs, and what became of them.
CREATE TABLE webhook_deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    -- The step that waits for approval.
    step INTEGER,
    at INTEGER NOT NULL,
    url TEXT NOT NULL,
    host TEXT NOT NULL,
    signer TEXT NOT NULL,
    -- Signer and host: messages of one lane are delivered in order of age.
    lane TEXT NOT NULL,
    -- pending, delivered, failed
    state TEXT NOT NULL,
    queued_at INTEGER NOT NULL,
    -- Number of tries before it was queued again.
    earlier_tries INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER,
    -- When it may be taken: `due_at`, or the end of the lease of whoever took it.
    ready_at INTEGER,
    -- Outcome of the last try, as JSON.
    last_try TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_job ON webhook_deliveries (job_id);
CREATE INDEX webhook_deliveries_ready ON webhook_deliveries (lane, ready_at) WHERE ready_at IS NOT NULL;

-- Which secret signs the messages of a user, if it is not the first one; the secrets themselves are derived from the
-- server's key.
CREATE TABLE webhook_secrets (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    rotated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
