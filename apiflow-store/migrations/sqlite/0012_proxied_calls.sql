-- When the lease of a call without a job ends, and with it its slot; nothing for steps of jobs.
ALTER TABLE submit_slots ADD COLUMN expires_at INTEGER;
CREATE INDEX submit_slots_expiry ON submit_slots (expires_at) WHERE expires_at IS NOT NULL;

-- Requests that were passed on to providers, or refused.
CREATE TABLE proxied_calls (
    id TEXT NOT NULL PRIMARY KEY,
    connector_id TEXT NOT NULL,
    -- The node whose price applies, if there is one.
    node_id TEXT,
    user_id TEXT NOT NULL,
    method TEXT NOT NULL,
    -- With masked values in the query.
    path TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    status INTEGER,
    bytes_sent INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL,
    -- As JSON; nothing if it has no price.
    cost TEXT,
    error TEXT,
    -- While it is at work: when it counts as lost, and what is charged then, in units of 1e-9.
    lease_until INTEGER,
    risk_currency TEXT,
    risk_amount INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX proxied_calls_user ON proxied_calls (user_id, id);
CREATE INDEX proxied_calls_connector ON proxied_calls (connector_id, id);
CREATE INDEX proxied_calls_lease ON proxied_calls (lease_until) WHERE lease_until IS NOT NULL;

-- The node whose price was reserved; empty for reservations of earlier versions.
ALTER TABLE budget_reservations ADD COLUMN node_id TEXT NOT NULL DEFAULT '';
