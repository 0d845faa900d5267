//! New jobs, and messages for jobs.

use std::time::Duration;

use apiflow_core::ports::{Claim, Created, JobStart, NewJob, StoreError};
use rusqlite::params;

use super::commits::{
    CommitRows, EventValues, add_bytes, event_values, explain_refusal, insert_events, perform_commit,
};
use super::connection::Connection;
use super::errors::QueryError;
use super::job_records::read_bytes_in_flight;
use super::webhook_deliveries::add_webhook;
use super::{now, slots};
use crate::commit_rows::Event;
use crate::job_rows::{duration_ms, from_int, to_int};
use crate::pause_check::PauseCheck;
use crate::sql;

/// The job of an unexpired idempotency key, and the fingerprint of its request.
pub(super) const FIND_KEY: &str = sql::job_by_key!(now!());
const ADD_JOB: &str = concat!(
    "INSERT INTO jobs (id, name, workflow_id, node_id, created_by, created_at, updated_at, status, priority, last_seq, \
     value_bytes, workflow_version, rerun_of, number, due_at) VALUES ($1, $2, $3, $4, $5, $6, $6, 'pending', $7, $8, $9, $11, $12, \
     (SELECT coalesce(MAX(number), 0) + 1 FROM jobs), \
     CASE WHEN $10 THEN NULL ELSE ",
    now!(),
    " END) RETURNING number"
);
const ADD_BUNDLE: &str = "INSERT INTO job_bundles (job, body) VALUES ($1, $2)";
const CLAIM_NEW: &str = concat!(
    "UPDATE jobs SET owner = $1, version = version + 1, tries = tries + 1, due_at = ",
    now!(),
    " + $2 WHERE id = $3 AND due_at IS NOT NULL RETURNING version, tries"
);
const PUT_KEY: &str =
    "INSERT OR REPLACE INTO idempotency_keys (key, fingerprint, job_id, expires_at) VALUES ($1, $2, $3, $4)";

/// A new job in the form that the writing thread needs: its JSON is serialized by the calling thread.
pub(super) struct JobRows {
    job: NewJob,
    events: Vec<EventValues>,
    last_seq: i64,
    value_bytes: i64,
    start: Option<StartRows>,
}

/// How the job starts in the same transaction.
struct StartRows {
    worker: String,
    lease: Duration,
    turn: Option<CommitRows>,
}

impl JobRows {
    pub(super) fn new(job: NewJob, start: Option<JobStart>) -> Self {
        Self {
            events: job.events.iter().map(|event| event_values(Event::of_row(1, event))).collect(),
            last_seq: to_int(job.events.iter().map(|event| event.seq).max().unwrap_or(0)),
            value_bytes: to_int(job.value_bytes()),
            job,
            start: start.map(|JobStart { worker, lease, turn }| StartRows {
                worker,
                lease,
                turn: turn.map(|turn| CommitRows::new(&turn)),
            }),
        }
    }
}

/// Adds a job, unless its idempotency key was used and has not expired.
pub(super) fn perform_creation(
    connection: &Connection,
    rows: &JobRows,
    pauses: &PauseCheck,
) -> Result<Created, QueryError<StoreError>> {
    let job = &rows.job;
    if let Some(idempotency) = &job.idempotency {
        let used: Option<(String, String)> = connection.fetch_optional(FIND_KEY, params![idempotency.key])?;
        if let Some((job, fingerprint)) = used {
            return Ok(Created::Existing { job, fingerprint });
        }
    }
    if let (Some(user), Some(max)) = (&job.created_by, job.max_bytes_in_flight) {
        let used = read_bytes_in_flight(connection, user)?;
        if used >= max {
            return Ok(Created::OverLimit { used });
        }
    }
    let (number,): (i64,) = connection.fetch_one(
        ADD_JOB,
        params![
            job.id,
            job.name,
            job.workflow_id,
            job.node_id,
            job.created_by,
            job.created_at.0,
            job.priority,
            rows.last_seq,
            rows.value_bytes,
            job.concurrency.is_some(),
            job.workflow_version.map(to_int),
            job.rerun_of
        ],
    )?;
    add_bytes(connection, job.created_by.as_deref(), rows.value_bytes)?;
    slots::request_slot(connection, job)?;
    add_webhook(connection, &job.id, job.webhook.as_ref())?;
    connection.execute(ADD_BUNDLE, params![number, job.bundle.json()])?;
    insert_events(connection, number, &rows.events)?;
    if let Some(idempotency) = &job.idempotency {
        connection
            .execute(PUT_KEY, params![idempotency.key, idempotency.fingerprint, job.id, idempotency.expires_at.0])?;
    }
    let Some(start) = &rows.start else { return Ok(Created::New { claim: None }) };
    let mut claim = claim_new_job(connection, job, start)?;
    if let (Some(claim), Some(turn)) = (&mut claim, &start.turn) {
        claim.version = perform_commit(connection, turn, claim.version, pauses)?;
    }
    Ok(Created::New { claim })
}

/// Claims a job that was just added, unless it waits for its slot.
fn claim_new_job(connection: &Connection, job: &NewJob, start: &StartRows) -> rusqlite::Result<Option<Claim>> {
    if let Some(concurrency) = &job.concurrency {
        slots::give_slots_of_key(connection, &concurrency.key)?;
    }
    let claimed: Option<(i64, i64)> =
        connection.fetch_optional(CLAIM_NEW, params![start.worker, duration_ms(start.lease), job.id])?;
    if claimed.is_some() && job.concurrency.is_some() {
        slots::start_slots(connection, &[&job.id])?;
    }
    Ok(claimed.map(|(version, tries)| Claim {
        job: job.id.clone(),
        version: from_int(version),
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
    }))
}

const ADD_MESSAGE: &str = concat!(
    "INSERT INTO job_inbox (job_id, key, payload) SELECT id, $2, $3 FROM jobs WHERE id = $1 AND status NOT IN ",
    sql::ended!(),
    " ON CONFLICT DO NOTHING"
);
const WAKE: &str = concat!(
    "UPDATE jobs SET inbox_open = inbox_open + 1, \
     due_at = CASE WHEN owner IS NULL \
         AND NOT EXISTS (SELECT 1 FROM job_slots WHERE job_id = $1 AND state = 'waiting') THEN min(coalesce(due_at, ",
    now!(),
    "), ",
    now!(),
    ") ELSE due_at END WHERE id = $1"
);

/// A message for a job.
pub(super) struct Delivery {
    pub(super) job: String,
    pub(super) key: String,
    /// The payload as JSON text.
    pub(super) payload: String,
    /// The attempt whose poll ends with this message.
    pub(super) finished_poll: Option<i64>,
}

/// Puts a message into a job's inbox; returns whether it is new.
pub(super) fn perform_delivery(connection: &Connection, delivery: &Delivery) -> Result<bool, QueryError<StoreError>> {
    let Delivery { job, key, payload, finished_poll } = delivery;
    let is_new = connection.execute(ADD_MESSAGE, params![job, key, payload])? > 0;
    if is_new {
        connection.execute(WAKE, params![job])?;
    } else if let error @ StoreError::NotFound { .. } = explain_refusal(connection, job)? {
        return Err(error.into());
    }
    if let Some(effect) = finished_poll {
        connection.execute(sql::POLL_OVER, params![job, effect])?;
    }
    Ok(is_new)
}
