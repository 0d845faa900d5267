-- What the attempts of a job have cost so far, as JSON; nothing as long as nothing was counted.
ALTER TABLE jobs ADD COLUMN cost TEXT;

-- What attempts cost, summed up: stays when the jobs are deleted. Amounts in units of 1e-9.
CREATE TABLE usage_sums (
    -- Days since 1970-01-01, UTC.
    day INTEGER NOT NULL,
    -- Empty where there is none.
    user_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL,
    -- Counts against budgets instead of costs that are not known.
    held INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    unknown INTEGER NOT NULL,
    PRIMARY KEY (day, user_id, workflow_id, node_id, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE budgets (
    id TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The most that attempts which have not ended can cost.
CREATE TABLE budget_reservations (
    job_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (job_id, step)
) STRICT, WITHOUT ROWID;

-- The limits of providers, as JSON, as of the last request for a slot.
CREATE TABLE submit_limits (
    key TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Steps that have, had or need a slot of a provider's limits.
CREATE TABLE submit_slots (
    id INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    key TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- waiting, held, over
    state TEXT NOT NULL,
    granted_at INTEGER,
    -- Delivered when the step gets its slot after waiting.
    message TEXT NOT NULL,
    -- When free slots of the key are to be given.
    look_at INTEGER
) STRICT;
CREATE UNIQUE INDEX submit_slots_step ON submit_slots (job_id, step) WHERE state <> 'over';
CREATE INDEX submit_slots_key ON submit_slots (key, state);
CREATE INDEX submit_slots_look ON submit_slots (look_at) WHERE look_at IS NOT NULL;

-- When users got their last slot of a key.
CREATE TABLE submit_turns (
    key TEXT NOT NULL,
    user_id TEXT NOT NULL,
    served_at INTEGER NOT NULL,
    PRIMARY KEY (key, user_id)
) STRICT, WITHOUT ROWID;
