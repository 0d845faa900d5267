//! The commit of one turn.

use std::time::Instant;

use apiflow_core::ports::{Commit, StoreError};
use rusqlite::params;
use rusqlite::types::Value;

use super::connection::Connection;
use super::errors::QueryError;
use super::insert::insert_rows;
use super::webhook_deliveries::{AnnouncementValues, announce, announcement_values};
use super::{now, slots, spending};
use crate::commit_rows::{Batch, Call, Step, Turn};
use crate::job_rows::{to_int, to_json_text};
use crate::pause_check::PauseCheck;
use crate::sql;

/// The columns of a job's row that every commit changes; none is indexed.
macro_rules! changed_columns {
    () => {
        "version = version + 1, tries = 0, alone_tries = 0, updated_at = $3, retry_count = $6, started_at = $7, \
         finished_at = $8, output = $9, error = $10, erase_at = $11, last_seq = max(last_seq, $13), \
         value_bytes = value_bytes + $14, inbox_open = inbox_open - $15, cost = $18"
    };
}

/// Updates the job's row if its version is still the commit's.
const UPDATE_JOB: &str = concat!(
    "UPDATE jobs SET ",
    changed_columns!(),
    ", status = $4, priority = $5, erase_ready_at = CASE WHEN $12 THEN $11 END, \
         flight_change = (CASE WHEN $12 THEN 0 ELSE value_bytes + $14 END) - (CASE WHEN status IN ",
    sql::ended!(),
    " THEN 0 ELSE value_bytes END), owner = CASE WHEN $12 OR $16 THEN NULL ELSE owner END, \
         due_at = CASE WHEN $12 THEN NULL WHEN NOT $16 THEN due_at WHEN inbox_open > $15 THEN ",
    now!(),
    " ELSE $17 END WHERE id = $1 AND version = $2 RETURNING number, created_by, flight_change, \
         $12 AND EXISTS (SELECT 1 FROM job_polls WHERE job_id = $1), \
         $12 AND EXISTS (SELECT 1 FROM job_slots WHERE job_id = $1 AND state <> 'over'), \
         $12 AND (EXISTS (SELECT 1 FROM budget_reservations WHERE job_id = $1) \
             OR EXISTS (SELECT 1 FROM submit_slots WHERE job_id = $1 AND state <> 'over')), \
         EXISTS (SELECT 1 FROM job_webhooks WHERE job_id = $1), ",
    sql::is_restrained!(now!())
);
/// The same for a turn in the middle of a job, which changes no indexed column: SQLite rewrites the index entries of all
/// columns that a statement names. Finds no row if the status or the priority changes.
const UPDATE_JOB_IN_PLACE: &str = concat!(
    "UPDATE jobs SET ",
    changed_columns!(),
    ", flight_change = $14 WHERE id = $1 AND version = $2 AND status = $4 AND priority = $5 \
         RETURNING number, created_by, flight_change, 0, 0, 0, 1, ",
    sql::is_restrained!(now!())
);
const TAKE_MESSAGES: &str = "UPDATE job_inbox SET taken = 1, payload = 'null' \
     WHERE job_id = $1 AND taken = 0 AND id IN (SELECT value FROM json_each($2))";
const ADD_BYTES: &str = "INSERT INTO user_bytes (user_id, bytes) VALUES ($1, $2) \
     ON CONFLICT (user_id) DO UPDATE SET bytes = user_bytes.bytes + excluded.bytes";
const CLEAR_POLLS: &str = "DELETE FROM job_polls WHERE job_id = $1 AND effect IN (SELECT value FROM json_each($2))";
const DELETE_POLLS: &str = "DELETE FROM job_polls WHERE job_id = $1";
const PUT_CACHED: &str =
    concat!("INSERT OR REPLACE INTO cached_results (key, value, expires_at) VALUES ($1, $2, ", now!(), " + $3)");
/// At least as many rows as a commit adds, so that they do not pile up.
const REMOVE_EXPIRED: &str = concat!(
    "DELETE FROM cached_results WHERE key IN (SELECT key FROM cached_results WHERE expires_at <= ",
    now!(),
    " ORDER BY expires_at LIMIT $1)"
);

const INSERT_EVENTS: &str = concat!("INSERT INTO job_events (job, ", sql::event_columns!(), ") VALUES");
const PUT_STEPS: &str = concat!("INSERT OR REPLACE INTO job_steps (job, ", sql::step_columns!(), ") VALUES");
const INSERT_CALLS: &str = concat!("INSERT INTO job_calls (job, ", sql::call_columns!(), ") VALUES");
/// Records the reply to the first submit of an attempt that has none.
const ADD_REPLY: &str = "UPDATE job_calls SET at = $5, duration_ms = $6, reply = $8 \
     WHERE id = (SELECT MIN(id) FROM job_calls WHERE job = $1 AND step = $2 AND attempt = $3 AND purpose = $4 \
         AND reply IS NULL)";
const PUT_POLL: &str =
    "INSERT OR REPLACE INTO job_polls (job_id, effect, due_at, ready_at, ticket) VALUES ($1, $2, $3, $3, $4)";
const PUT_SNAPSHOT: &str = "INSERT OR REPLACE INTO job_snapshots (job, seq, state) VALUES";

/// Number of expired results that are removed in addition to as many as are added.
const EXTRA_REMOVAL_COUNT: usize = 64;

/// A row of `job_events` without its job.
pub(super) type EventValues = [Value; 6];
/// A row of `job_steps` without its job.
pub(super) type StepValues = [Value; 7];
/// A row of `job_calls` without its job.
type CallValues = [Value; 7];

/// A commit in the form that the writing thread needs: its JSON is serialized by the calling thread.
pub(super) struct CommitRows {
    job: String,
    is_final: bool,
    is_released: bool,
    /// The parameters 3 to 14 of [`UPDATE_JOB`].
    state: [Value; 12],
    wake_at: Option<i64>,
    events: Vec<EventValues>,
    steps: Vec<StepValues>,
    calls: Vec<CallValues>,
    replies: Vec<CallValues>,
    polls: Vec<[Value; 3]>,
    /// A JSON list of the attempts whose polls end.
    cleared: Option<String>,
    /// A JSON list of the messages that are processed.
    taken: Option<String>,
    cached: Vec<[Value; 3]>,
    snapshot: Option<[Value; 2]>,
    cost: Option<String>,
    charges: Vec<[Value; 6]>,
    /// A JSON list of the steps whose attempts end.
    ended_attempts: Option<String>,
    announced: Vec<AnnouncementValues>,
}

impl CommitRows {
    pub(super) fn new(commit: &Commit) -> Self {
        let (turn, batch) = (Turn::of_commit(commit), Batch::of_commits([commit]));
        let (replies, calls): (Vec<_>, Vec<_>) = batch.calls.into_iter().partition(|call| call.is_reply);
        let list = |numbers: Vec<i64>| (!numbers.is_empty()).then(|| to_json_text(&numbers));
        Self {
            job: commit.job.clone(),
            is_final: turn.ended,
            is_released: turn.released,
            state: [
                turn.at.into(),
                Value::Text(turn.status.to_owned()),
                turn.priority.into(),
                turn.retry_count.into(),
                turn.started_at.into(),
                turn.finished_at.into(),
                turn.output.into(),
                turn.error.into(),
                turn.erase_at.into(),
                turn.ended.into(),
                turn.last_seq.into(),
                turn.value_bytes.into(),
            ],
            wake_at: turn.wake_at,
            events: batch.events.into_iter().map(event_values).collect(),
            steps: batch.steps.into_iter().map(step_values).collect(),
            calls: calls.into_iter().map(call_values).collect(),
            replies: replies.into_iter().map(call_values).collect(),
            polls: batch
                .polls
                .into_iter()
                .map(|poll| [poll.effect.into(), poll.due_at.into(), poll.ticket.into()])
                .collect(),
            cleared: list(batch.cleared.into_iter().map(|(_, effect)| effect).collect()),
            taken: list(batch.taken.into_iter().map(|(_, id)| id).collect()),
            cached: batch
                .cached
                .into_iter()
                .map(|row| [Value::Text(row.key.to_owned()), row.value.into(), row.ttl.into()])
                .collect(),
            snapshot: batch.snapshots.into_iter().next().map(|row| [row.seq.into(), row.state.into()]),
            cost: turn.cost,
            charges: batch.charges.into_iter().map(spending::charge_values).collect(),
            ended_attempts: list(batch.ended_attempts.into_iter().map(|(_, step)| step).collect()),
            announced: batch.announced.into_iter().map(announcement_values).collect(),
        }
    }
}

/// The columns of an event, in the order of the insert.
pub(super) fn event_values(event: crate::commit_rows::Event) -> EventValues {
    [event.seq.into(), event.at.into(), event.list.into(), event.index.into(), event.body.into(), event.value.into()]
}

/// The columns of a step, in the order of the insert.
pub(super) fn step_values(step: Step) -> StepValues {
    [
        step.ordinal.into(),
        Value::Text(step.status.to_owned()),
        step.attempt.into(),
        step.started_at.into(),
        step.finished_at.into(),
        step.progress.into(),
        step.body.into(),
    ]
}

/// The columns of a call, in the order of the insert.
fn call_values(call: Call<'_>) -> CallValues {
    [
        call.step.into(),
        call.attempt.into(),
        Value::Text(call.purpose.to_owned()),
        call.at.into(),
        call.duration_ms.into(),
        call.request.into(),
        call.reply.into(),
    ]
}

/// What the update of a job's row returns: its number, its user, the change of the user's bytes in flight, whether polls,
/// a slot, and reservations and slots of attempts end with it, whether it may have a webhook, and whether submits are
/// restrained.
type UpdatedJob = (i64, Option<String>, i64, bool, bool, bool, bool, bool);

/// Records a turn if the job still has the version; returns its new version.
pub(super) fn perform_commit(
    connection: &Connection,
    rows: &CommitRows,
    version: u64,
    pauses: &PauseCheck,
) -> Result<u64, QueryError<StoreError>> {
    let begun = Instant::now();
    let job = rows.job.as_str();
    let taken = match &rows.taken {
        Some(taken) => connection.execute(TAKE_MESSAGES, params![job, taken])?,
        None => 0,
    };
    let [at, status, priority, retries, started, finished, output, error, erase_at, ended, last_seq, bytes] =
        &rows.state;
    let (version_now, taken) = (to_int(version), i64::try_from(taken).unwrap_or(i64::MAX));
    let parameters = params![
        job,
        version_now,
        at,
        status,
        priority,
        retries,
        started,
        finished,
        output,
        error,
        erase_at,
        ended,
        last_seq,
        bytes,
        taken,
        rows.is_released,
        rows.wake_at,
        rows.cost
    ];
    let mut updated: Option<UpdatedJob> = None;
    if !rows.is_final && !rows.is_released {
        updated = connection.fetch_optional(UPDATE_JOB_IN_PLACE, parameters)?;
    }
    if updated.is_none() {
        updated = connection.fetch_optional(UPDATE_JOB, parameters)?;
    }
    let Some((number, user, flight_change, has_polls, has_slot, has_attempts, has_webhook, is_restrained)) = updated
    else {
        return Err(explain_refusal(connection, job)?.into());
    };
    if !is_restrained {
        pauses.note_none(begun);
    }
    add_bytes(connection, user.as_deref(), flight_change)?;
    insert_events(connection, number, &rows.events)?;
    put_steps(connection, number, &rows.steps)?;
    add_replies(connection, number, &rows.replies)?;
    insert_rows(connection, INSERT_CALLS, number, &rows.calls)?;
    if let Some(cleared) = &rows.cleared {
        connection.execute(CLEAR_POLLS, params![job, cleared])?;
    }
    for [effect, due_at, ticket] in &rows.polls {
        connection.execute(PUT_POLL, params![job, effect, due_at, ticket])?;
    }
    put_cached(connection, &rows.cached)?;
    insert_rows(connection, PUT_SNAPSHOT, number, rows.snapshot.as_slice())?;
    if has_polls {
        connection.execute(DELETE_POLLS, params![job])?;
    }
    if has_slot {
        slots::end_slot(connection, job)?;
    }
    if has_webhook {
        announce(connection, job, at, &rows.announced)?;
    }
    spending::add_charges(connection, job, &rows.charges)?;
    if has_attempts {
        spending::end_all_attempts(connection, job)?;
    } else if let Some(steps) = rows.ended_attempts.as_ref().filter(|_| !rows.is_final) {
        spending::end_attempts(connection, job, steps)?;
    }
    debug_assert!(
        rows.is_final || !(has_polls || has_slot || has_attempts),
        "only the end of a job ends its polls and slots"
    );
    Ok(version + 1)
}

pub(super) fn insert_events(connection: &Connection, job: i64, events: &[EventValues]) -> rusqlite::Result<()> {
    insert_rows(connection, INSERT_EVENTS, job, events)
}

pub(super) fn put_steps(connection: &Connection, job: i64, steps: &[StepValues]) -> rusqlite::Result<()> {
    insert_rows(connection, PUT_STEPS, job, steps)
}

/// Adds replies to the rows of their submits; one whose submit was erased gets a row of its own.
fn add_replies(connection: &Connection, job: i64, replies: &[CallValues]) -> rusqlite::Result<()> {
    for reply in replies {
        let [step, attempt, purpose, at, duration_ms, request, body] = reply;
        let parameters = params![job, step, attempt, purpose, at, duration_ms, request, body];
        if connection.execute(ADD_REPLY, parameters)? == 0 {
            insert_rows(connection, INSERT_CALLS, job, std::slice::from_ref(reply))?;
        }
    }
    Ok(())
}

/// Stores results for other runs, and removes some expired ones.
fn put_cached(connection: &Connection, cached: &[[Value; 3]]) -> rusqlite::Result<()> {
    for [key, value, ttl] in cached {
        connection.execute(PUT_CACHED, params![key, value, ttl])?;
    }
    if !cached.is_empty() {
        let limit = i64::try_from(cached.len() + EXTRA_REMOVAL_COUNT).unwrap_or(i64::MAX);
        connection.execute(REMOVE_EXPIRED, params![limit])?;
    }
    Ok(())
}

/// Adds to the bytes in flight of a user; those of a job without a user are not counted.
pub(super) fn add_bytes(connection: &Connection, user: Option<&str>, change: i64) -> rusqlite::Result<()> {
    match user {
        Some(user) if change != 0 => connection.execute(ADD_BYTES, params![user, change]).map(drop),
        Some(_) | None => Ok(()),
    }
}

/// Returns why an update did not find the job with the expected version.
pub(super) fn explain_refusal(connection: &Connection, job: &str) -> rusqlite::Result<StoreError> {
    let found: Option<(String,)> = connection.fetch_optional(sql::JOB_STATUS, params![job])?;
    let job = job.to_owned();
    Ok(if found.is_some() { StoreError::Fenced { job } } else { StoreError::NotFound { job } })
}
