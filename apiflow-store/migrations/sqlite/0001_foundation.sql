-- Jobs and what belongs to them. JSON is TEXT (key order is kept), moments are milliseconds since 1970 (UTC).
CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    workflow_id TEXT,
    node_id TEXT,
    created_by TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    -- Higher ones are claimed first.
    priority INTEGER NOT NULL DEFAULT 0,
    retry_count INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER,
    finished_at INTEGER,
    output TEXT,
    error TEXT,
    -- When something of a job that has ended is to be erased.
    erase_at INTEGER,
    -- When that may be taken: `erase_at`, or the end of the lease of whoever took it.
    erase_ready_at INTEGER,
    last_seq INTEGER NOT NULL,
    -- Raised by each claim and commit.
    version INTEGER NOT NULL DEFAULT 0,
    -- Claims since the last commit: many where workers die of it.
    tries INTEGER NOT NULL DEFAULT 0,
    -- When it may be claimed: its wake-up, or the end of its lease; nothing while it waits for its slot.
    due_at INTEGER,
    -- The worker that holds the lease.
    owner TEXT,
    -- Messages not yet taken in.
    inbox_open INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX jobs_due ON jobs (priority, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_erase ON jobs (erase_ready_at, id) WHERE erase_ready_at IS NOT NULL;
CREATE INDEX jobs_status ON jobs (status, id);
CREATE INDEX jobs_workflow ON jobs (workflow_id, id) WHERE workflow_id IS NOT NULL;
CREATE INDEX jobs_node ON jobs (node_id, id) WHERE node_id IS NOT NULL;

-- Slots of jobs that share a concurrency key. Without a reference to the job: its start counts in its window also when
-- the job was removed.
CREATE TABLE job_slots (
    job_id TEXT NOT NULL PRIMARY KEY,
    key TEXT NOT NULL,
    -- Jobs of the key that may have a slot at a time.
    size INTEGER NOT NULL,
    window_ms INTEGER,
    priority INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- waiting, held, passed (let through without a slot) or over.
    state TEXT NOT NULL,
    -- When the job was claimed for the first time.
    started_at INTEGER,
    -- When the key is to be looked at: something is free then, or somebody new waits.
    look_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX job_slots_order ON job_slots (key, state, priority DESC, created_at, job_id);
CREATE INDEX job_slots_look ON job_slots (look_at, key) WHERE look_at IS NOT NULL;

-- Apart from the job's row, which every commit writes again.
CREATE TABLE job_bundles (
    job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE job_events (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    list_id INTEGER,
    list_index INTEGER,
    body TEXT NOT NULL,
    value TEXT,
    PRIMARY KEY (job_id, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_events_list ON job_events (job_id, list_id, list_index) WHERE list_id IS NOT NULL;

CREATE TABLE job_steps (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    -- Apart from the body, because polls change it without a commit.
    progress REAL,
    body TEXT NOT NULL,
    PRIMARY KEY (job_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_calls (
    id INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE INDEX job_calls_step ON job_calls (job_id, step, id);

-- Whose a provider's work is: no two attempts follow the same.
CREATE TABLE provider_operations (
    provider TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    effect INTEGER NOT NULL,
    PRIMARY KEY (provider, provider_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX provider_operations_job ON provider_operations (job_id);

CREATE TABLE job_polls (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    effect INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    -- When it may be taken: `due_at`, or the end of the lease of whoever took it.
    ready_at INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    ticket TEXT NOT NULL,
    PRIMARY KEY (job_id, effect)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_polls_ready ON job_polls (ready_at, job_id, effect);

-- Keys stay after their message was taken in, so that a repetition is known.
CREATE TABLE job_inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    payload TEXT NOT NULL,
    taken INTEGER NOT NULL DEFAULT 0,
    UNIQUE (job_id, key)
) STRICT;

CREATE INDEX job_inbox_open ON job_inbox (job_id, id) WHERE taken = 0;

-- The last snapshot of each job.
CREATE TABLE job_snapshots (
    job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    state TEXT NOT NULL
) STRICT;

CREATE TABLE idempotency_keys (
    key TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_job ON idempotency_keys (job_id);

-- Results that are kept for other runs, of whatever job.
CREATE TABLE cached_results (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX cached_results_expiry ON cached_results (expires_at);

-- Documents and who refers to whom.
CREATE TABLE documents (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT;

CREATE INDEX documents_created ON documents (kind, created_at, id);

-- What is referred to need not exist.
CREATE TABLE document_references (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    position INTEGER NOT NULL,
    to_kind TEXT NOT NULL,
    to_id TEXT NOT NULL,
    PRIMARY KEY (kind, id, position),
    FOREIGN KEY (kind, id) REFERENCES documents (kind, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX document_references_to ON document_references (to_kind, to_id);

-- People, tokens and provider keys.
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    username TEXT NOT NULL,
    -- The name in lower case, by which it is unique.
    username_key TEXT NOT NULL UNIQUE,
    email TEXT,
    is_admin INTEGER NOT NULL,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX users_created ON users (created_at, id);

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    is_session INTEGER NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;

CREATE INDEX tokens_user ON tokens (user_id);

CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    hosts TEXT NOT NULL,
    sealed BLOB NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
