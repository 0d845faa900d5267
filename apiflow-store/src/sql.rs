//! Statements that both databases accept.

/// The list of final statuses.
macro_rules! ended {
    () => {
        "('completed', 'failed', 'cancelled')"
    };
}
pub(crate) use ended;

/// The change that a commit makes to its user's bytes in flight, in terms of the old columns of `jobs` and those of
/// `asked`; an ended job has no bytes in flight.
macro_rules! flight_change {
    () => {
        concat!(
            "(CASE WHEN asked.ended THEN 0 ELSE jobs.value_bytes + asked.value_bytes END) \
             - (CASE WHEN jobs.status IN ",
            crate::sql::ended!(),
            " THEN 0 ELSE jobs.value_bytes END)"
        )
    };
}
pub(crate) use flight_change;

/// The priorities of waiting or due jobs, highest first, then a null. Takes one index lookup per priority, regardless of
/// the number of jobs.
macro_rules! levels {
    () => {
        "level (priority) AS (SELECT (SELECT priority FROM jobs WHERE due_at IS NOT NULL \
             ORDER BY priority DESC LIMIT 1) \
         UNION ALL SELECT (SELECT jobs.priority FROM jobs WHERE due_at IS NOT NULL \
             AND jobs.priority < level.priority ORDER BY jobs.priority DESC LIMIT 1) \
             FROM level WHERE level.priority IS NOT NULL)"
    };
}
pub(crate) use levels;

/// The number of the job `$1`, by which its events, steps and calls name it.
macro_rules! job_number {
    () => {
        "(SELECT number FROM jobs WHERE id = $1)"
    };
}
pub(crate) use job_number;

/// The columns of an event, except its job.
macro_rules! event_columns {
    () => {
        "seq, at, list_id, list_index, body, value"
    };
}
pub(crate) use event_columns;

/// The columns of [`crate::job_rows::StepColumns`].
macro_rules! step_columns {
    () => {
        "ordinal, status, attempt, started_at, finished_at, progress, body"
    };
}
pub(crate) use step_columns;

/// The columns of [`crate::job_rows::StepColumns`]: those of a step, and what its provider reported.
macro_rules! reported_step_columns {
    () => {
        concat!(
            crate::sql::step_columns!(),
            ", CASE WHEN status = 'running' AND for_attempt = attempt THEN queue_position END, \
               CASE WHEN status = 'running' AND for_attempt = attempt THEN preview END, log_bytes \
             FROM job_steps LEFT JOIN step_reports \
                 ON step_reports.job = job_steps.job AND step_reports.step = job_steps.ordinal \
             WHERE job_steps.job = ",
            crate::sql::job_number!()
        )
    };
}

/// The columns of [`crate::job_rows::CallColumns`].
macro_rules! call_columns {
    () => {
        "step, attempt, purpose, at, duration_ms, request, reply"
    };
}
pub(crate) use call_columns;

/// Replaces a step that exists.
macro_rules! replace_step {
    () => {
        "ON CONFLICT (job, ordinal) DO UPDATE SET status = excluded.status, attempt = excluded.attempt, \
         started_at = excluded.started_at, finished_at = excluded.finished_at, progress = excluded.progress, \
         body = excluded.body"
    };
}
pub(crate) use replace_step;

/// The columns of [`crate::job_rows::JobColumns`]. The workflow's version, the job that it reruns and the cost
/// follow the status, each after a space, because a row of more columns could not be read as a tuple.
macro_rules! job_columns {
    () => {
        "id, name, workflow_id, node_id, created_by, created_at, updated_at, \
         status || ' ' || coalesce(CAST(workflow_version AS TEXT), '') || ' ' || coalesce(rerun_of, '') || ' ' || coalesce(cost, '') AS status_and_more, priority, retry_count, \
         started_at, finished_at, output, error, last_seq, erase_at"
    };
}
pub(crate) use job_columns;

/// Reads a cached result, by the database's clock.
macro_rules! cached_result {
    ($now:expr) => {
        concat!("SELECT value FROM cached_results WHERE key = $1 AND expires_at > ", $now)
    };
}
pub(crate) use cached_result;

/// Reads for how many milliseconds submits are still paused, by the database's clock.
macro_rules! submit_pause {
    ($now:expr) => {
        concat!("SELECT until - ", $now, " FROM submit_pauses WHERE rate_limit = $1 AND until > ", $now)
    };
}
pub(crate) use submit_pause;

/// Whether submits are restrained: paused at any provider, or limited by a budget.
macro_rules! is_restrained {
    ($now:expr) => {
        concat!("(EXISTS (SELECT 1 FROM submit_pauses WHERE until > ", $now, ") OR EXISTS (SELECT 1 FROM budgets))")
    };
}
pub(crate) use is_restrained;

/// Finds an upload that has not expired, by the database's clock.
macro_rules! find_upload {
    ($now:expr) => {
        concat!("SELECT value, expires_at FROM provider_uploads WHERE upload_key = $1 AND expires_at > ", $now)
    };
}
pub(crate) use find_upload;

/// Finds the job of an idempotency key, by the database's clock.
macro_rules! job_by_key {
    ($now:expr) => {
        concat!("SELECT job_id, fingerprint FROM idempotency_keys WHERE key = $1 AND expires_at > ", $now)
    };
}
pub(crate) use job_by_key;

pub(crate) const JOB: &str = concat!("SELECT ", job_columns!(), " FROM jobs WHERE id = $1");
pub(crate) const JOBS: &str = concat!("SELECT ", job_columns!(), " FROM jobs WHERE TRUE");
pub(crate) const COUNT_ACTIVE_JOBS: &str =
    "SELECT status, COUNT(*) FROM jobs WHERE status IN ('pending', 'running', 'suspended') GROUP BY status";
pub(crate) const JOB_STATUS: &str = "SELECT status FROM jobs WHERE id = $1";
pub(crate) const DELETE_JOB: &str = concat!("DELETE FROM jobs WHERE id = $1 AND status IN ", ended!());
pub(crate) const EVENTS: &str = concat!(
    "SELECT seq, at, list_id, list_index, body FROM job_events WHERE job = ",
    job_number!(),
    " AND seq > $2 ORDER BY seq LIMIT $3"
);
/// If several entries have the same index, the last one counts: a reopened job ends a branch or iteration again.
pub(crate) const LIST: &str = concat!(
    "SELECT body FROM job_events AS item WHERE job = ",
    job_number!(),
    " AND list_id = $2 AND NOT EXISTS (SELECT 1 FROM job_events AS later WHERE later.job = item.job \
         AND later.list_id = $2 AND later.list_index = item.list_index AND later.seq > item.seq) ORDER BY list_index"
);
pub(crate) const RECORD_SOLO_START: &str =
    "UPDATE jobs SET alone_tries = alone_tries + 1 WHERE id = $1 AND version = $2 RETURNING alone_tries";
pub(crate) const UNDO_SOLO_START: &str = "UPDATE jobs SET alone_tries = 0 WHERE id = $1 AND version = $2";
/// Returns the slot to a job that had ended.
pub(crate) const HOLD_AGAIN: &str = "UPDATE job_slots SET state = 'held' WHERE job_id = $1 AND state = 'over'";
pub(crate) const STEPS: &str =
    concat!("SELECT ", reported_step_columns!(), " AND ordinal > $2 ORDER BY ordinal LIMIT $3");
pub(crate) const STEPS_IN_PROGRESS: &str = concat!(
    "SELECT ",
    reported_step_columns!(),
    " AND status = 'running' AND (progress IS NOT NULL OR for_attempt IS NOT NULL) ORDER BY ordinal LIMIT $2"
);
pub(crate) const STEP_LOG: &str =
    concat!("SELECT for_attempt, log, log_bytes FROM step_reports WHERE job = ", job_number!(), " AND step = $2");
/// Replaces the report of the same or an earlier attempt; the log of an attempt never becomes shorter.
pub(crate) const RECORD_REPORT: &str = "INSERT INTO step_reports (job, step, for_attempt, queue_position, preview, log, log_bytes) \
     SELECT number, $2, $3, $4, $5, $6, $7 FROM jobs WHERE id = $1 \
     ON CONFLICT (job, step) DO UPDATE SET for_attempt = excluded.for_attempt, \
         queue_position = excluded.queue_position, preview = excluded.preview, \
         log = CASE WHEN step_reports.for_attempt = excluded.for_attempt \
             AND excluded.log_bytes < step_reports.log_bytes THEN step_reports.log ELSE excluded.log END, \
         log_bytes = CASE WHEN step_reports.for_attempt = excluded.for_attempt \
             AND excluded.log_bytes < step_reports.log_bytes THEN step_reports.log_bytes ELSE excluded.log_bytes END \
     WHERE excluded.for_attempt >= step_reports.for_attempt";
pub(crate) const CALLS: &str =
    concat!("SELECT ", call_columns!(), " FROM job_calls WHERE job = ", job_number!(), " AND step = $2 ORDER BY id");
pub(crate) const NEXT_DUE: &str = concat!(
    "WITH RECURSIVE ",
    levels!(),
    " SELECT MIN(at) FROM (SELECT (SELECT MIN(due_at) FROM jobs \
         WHERE jobs.priority = level.priority AND due_at IS NOT NULL) AS at FROM level \
     UNION ALL SELECT MIN(erase_ready_at) AS at FROM jobs WHERE erase_ready_at IS NOT NULL \
     UNION ALL SELECT MIN(look_at) AS at FROM job_slots WHERE look_at IS NOT NULL \
     UNION ALL SELECT MIN(look_at) AS at FROM submit_slots WHERE look_at IS NOT NULL \
     UNION ALL SELECT MIN(ready_at) AS at FROM job_polls) AS moments"
);
pub(crate) const PUT_BACK: &str = "UPDATE job_polls SET due_at = $3, ready_at = $3, tries = tries + 1 \
     WHERE job_id = $1 AND effect = $2";
pub(crate) const REPLACE_TICKET: &str = "UPDATE job_polls SET ticket = $3 WHERE job_id = $1 AND effect = $2";
pub(crate) const PROGRESS: &str = concat!(
    "UPDATE job_steps SET progress = $3 WHERE job = ",
    job_number!(),
    " AND ordinal = $2 AND (progress IS NULL OR progress < $3) AND EXISTS (SELECT 1 FROM job_polls WHERE job_id = $1 AND effect = $4)"
);
/// The row of an ended job, before a part of it is erased; returns its number.
pub(crate) const ERASE: &str =
    concat!("UPDATE jobs SET inbox_open = 0 WHERE id = $1 AND status IN ", ended!(), " RETURNING number");
pub(crate) const ERASE_SNAPSHOT: &str = "DELETE FROM job_snapshots WHERE job = $1";
pub(crate) const ERASE_REST: &str =
    "UPDATE jobs SET output = $2, error = $3, erase_at = $4, erase_ready_at = $4 WHERE id = $1";
pub(crate) const ERASE_BUNDLE: &str = "UPDATE job_bundles SET body = $2 WHERE job = $1";
/// Returns a row if the work belongs to this attempt, even if it was recorded before.
pub(crate) const FOLLOW: &str = "INSERT INTO provider_operations (provider, provider_id, job_id, effect) \
     VALUES ($1, $2, $3, $4) ON CONFLICT (provider, provider_id) DO UPDATE SET effect = excluded.effect \
     WHERE provider_operations.job_id = excluded.job_id AND provider_operations.effect = excluded.effect RETURNING effect";
pub(crate) const POLL_OVER: &str = "DELETE FROM job_polls WHERE job_id = $1 AND effect = $2";
pub(crate) const USED_KEY: &str = "SELECT job_id, fingerprint FROM idempotency_keys WHERE key = $1";

pub(crate) const DOCUMENT_VERSION: &str = "SELECT version, created_at FROM documents WHERE kind = $1 AND id = $2";
pub(crate) const DOCUMENT: &str = "SELECT id, body, author, by_admin, saved_by, created_at, updated_at, version FROM documents \
     WHERE kind = $1 AND id = $2";
pub(crate) const DOCUMENTS_FIRST: &str = "SELECT id, body, author, by_admin, saved_by, created_at, updated_at, version FROM documents \
     WHERE kind = $1 ORDER BY created_at DESC, id DESC LIMIT $2";
pub(crate) const DOCUMENTS_AFTER: &str = "SELECT id, body, author, by_admin, saved_by, created_at, updated_at, version FROM documents \
     WHERE kind = $1 AND (created_at, id) < ($3, $4) ORDER BY created_at DESC, id DESC LIMIT $2";
pub(crate) const ADD_DOCUMENT: &str = "INSERT INTO documents \
     (kind, id, body, created_at, updated_at, version, author, by_admin, saved_by) \
     VALUES ($1, $2, $3, $4, $4, 1, $5, $6, $7) ON CONFLICT DO NOTHING";
pub(crate) const CHANGE_DOCUMENT: &str = "UPDATE documents \
     SET body = $3, updated_at = $4, version = version + 1, author = $5, by_admin = $6, saved_by = $7 WHERE kind = $1 AND id = $2";
/// Inserts the row of a workflow's findings.
pub(crate) const ADD_CHECK: &str = "INSERT INTO document_checks \
     (kind, id, generation, checked_generation, secrets, findings) VALUES ($1, $2, 0, 0, '', '[]') \
     ON CONFLICT (kind, id) DO NOTHING";

/// A document and all documents that refer to it, directly or indirectly.
macro_rules! reached {
    () => {
        "WITH RECURSIVE reached (kind, id) AS ( \
             SELECT kind, id FROM documents WHERE kind = $1 AND id = $2 \
             UNION SELECT further.kind, further.id FROM document_references further \
             JOIN reached ON further.to_kind = reached.kind AND further.to_id = reached.id \
         ) SELECT kind, id FROM reached"
    };
}
pub(crate) use reached;

pub(crate) const RECORD_CHECK: &str = "UPDATE document_checks \
     SET checked_generation = $3, secrets = $4, findings = $5 WHERE kind = $1 AND id = $2 AND generation = $3";
pub(crate) const DELETE_DOCUMENT: &str = "DELETE FROM documents WHERE kind = $1 AND id = $2";
pub(crate) const REFERENCES: &str = "SELECT to_kind, to_id FROM document_references \
     WHERE kind = $1 AND id = $2 ORDER BY position";
pub(crate) const ADD_REFERENCE: &str = "INSERT INTO document_references (kind, id, position, to_kind, to_id) \
     VALUES ($1, $2, $3, $4, $5)";
pub(crate) const DELETE_REFERENCES: &str = "DELETE FROM document_references WHERE kind = $1 AND id = $2";
/// Up to 20 documents that refer to another one, not counting itself.
pub(crate) const REFERRERS: &str = "SELECT DISTINCT kind, id FROM document_references \
     WHERE to_kind = $1 AND to_id = $2 AND NOT (kind = $1 AND id = $2) ORDER BY kind, id LIMIT 20";

/// The columns of [`crate::document_rows::UserColumns`].
macro_rules! user_columns {
    () => {
        "users.id, users.username, users.email, users.is_admin, users.password_hash, users.created_at"
    };
}
pub(crate) use user_columns;

/// The columns of [`crate::document_rows::TokenColumns`].
macro_rules! token_columns {
    () => {
        "tokens.id, tokens.user_id, tokens.name, tokens.is_session, tokens.created_at, tokens.expires_at, \
         tokens.scopes"
    };
}

pub(crate) const ADD_USER: &str = "INSERT INTO users \
     (id, username, username_key, email, is_admin, password_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
pub(crate) const USER: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id = $1");
pub(crate) const USER_NAMED: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE username_key = $1");
pub(crate) const USERS_FIRST: &str =
    concat!("SELECT ", user_columns!(), " FROM users ORDER BY created_at DESC, id DESC LIMIT $1");
pub(crate) const USERS_AFTER: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users WHERE (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $1"
);
pub(crate) const CHANGE_USER: &str = "UPDATE users \
     SET username = $2, username_key = $3, email = $4, is_admin = $5, password_hash = $6 WHERE id = $1";
pub(crate) const DELETE_USER: &str = "DELETE FROM users WHERE id = $1";
pub(crate) const ADD_TOKEN: &str = "INSERT INTO tokens \
     (id, user_id, name, is_session, hash, created_at, expires_at, scopes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
pub(crate) const TOKEN_USER: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ",
    token_columns!(),
    " FROM tokens JOIN users ON users.id = tokens.user_id \
     WHERE tokens.hash = $1 AND (tokens.expires_at IS NULL OR tokens.expires_at > $2)"
);
pub(crate) const TOKENS: &str = concat!(
    "SELECT ",
    token_columns!(),
    " FROM tokens WHERE user_id = $1 AND NOT is_session ORDER BY created_at DESC, id DESC"
);
pub(crate) const DELETE_TOKEN: &str = "DELETE FROM tokens WHERE user_id = $1 AND id = $2";
pub(crate) const DELETE_TOKENS: &str = "DELETE FROM tokens WHERE user_id = $1 AND (is_session OR NOT $2)";
pub(crate) const LINK_TOKEN_JOB: &str = "INSERT INTO token_jobs (token, job) \
     SELECT tokens.id, jobs.id FROM tokens CROSS JOIN jobs WHERE tokens.id = $1 AND jobs.id = $2 \
     ON CONFLICT DO NOTHING";
pub(crate) const IS_TOKEN_JOB: &str = "SELECT EXISTS (SELECT 1 FROM token_jobs WHERE token = $1 AND job = $2)";
pub(crate) const IS_TOKEN_ARTIFACT: &str = "SELECT EXISTS (SELECT 1 FROM token_jobs \
     JOIN artifact_references ON artifact_references.job = token_jobs.job \
     WHERE token_jobs.token = $1 AND artifact_references.artifact = $2)";

pub(crate) const PUT_SECRET: &str = "INSERT INTO secrets (name, origins, sealed, updated_at) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (name) DO UPDATE \
     SET origins = excluded.origins, sealed = excluded.sealed, updated_at = excluded.updated_at";
pub(crate) const PUT_USER_SECRET: &str = "INSERT INTO user_secrets (name, origins, sealed, updated_at, owner) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (owner, name) DO UPDATE \
     SET origins = excluded.origins, sealed = excluded.sealed, updated_at = excluded.updated_at";
/// The columns of [`crate::document_rows::SecretColumns`], of shared and generated secrets and of users' own.
macro_rules! all_secrets {
    () => {
        "SELECT CAST(NULL AS TEXT) AS owner, secrets.name AS name, origins, sealed, updated_at, kind, declaration, author \
         FROM secrets LEFT JOIN generated_secrets ON generated_secrets.name = secrets.name \
         UNION ALL SELECT owner, name, origins, sealed, updated_at, NULL, NULL, NULL FROM user_secrets"
    };
}
pub(crate) const SECRETS: &str =
    concat!("SELECT * FROM (", all_secrets!(), ") AS every ORDER BY name, owner IS NOT NULL, owner");
pub(crate) const SECRET: &str = concat!(
    "SELECT * FROM (",
    all_secrets!(),
    ") AS every WHERE name = $1 AND owner IS NOT DISTINCT FROM CAST($2 AS TEXT)"
);
pub(crate) const DELETE_SECRET: &str = "DELETE FROM secrets WHERE name = $1";
pub(crate) const DELETE_USER_SECRET: &str = "DELETE FROM user_secrets WHERE name = $1 AND owner = $2";
pub(crate) const SECRET_GRANTS: &str = "SELECT DISTINCT owner, name, origin FROM secret_grants \
     ORDER BY name, owner, origin";
pub(crate) const GRANTS_OF_SECRET: &str = "SELECT DISTINCT owner, name, origin FROM secret_grants \
     WHERE name = $1 AND owner IS NOT DISTINCT FROM CAST($2 AS TEXT) ORDER BY origin";
pub(crate) const ADD_GENERATED: &str = "INSERT INTO generated_secrets (name, kind, declaration, author) \
     VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO UPDATE \
     SET kind = excluded.kind, declaration = excluded.declaration, author = excluded.author";
pub(crate) const GENERATED_NAMES: &str = "SELECT name FROM generated_secrets WHERE kind = $1 AND declaration = $2";
pub(crate) const GRANTED_NAMES: &str = "SELECT DISTINCT name FROM secret_grants WHERE kind = $1 AND declaration = $2";
pub(crate) const ADD_GRANT: &str = "INSERT INTO secret_grants (kind, declaration, name, owner, origin) \
     VALUES ($1, $2, $3, $4, $5)";
pub(crate) const DELETE_GRANT: &str = "DELETE FROM secret_grants WHERE kind = $1 AND declaration = $2 AND name = $3 \
     AND owner IS NOT DISTINCT FROM CAST($4 AS TEXT)";
pub(crate) const DELETE_GRANTS: &str = "DELETE FROM secret_grants WHERE kind = $1 AND declaration = $2 AND name = $3";
