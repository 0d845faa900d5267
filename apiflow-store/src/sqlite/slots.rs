//! Slots of jobs that share a concurrency key, on SQLite.

use apiflow_core::ports::NewJob;
use rusqlite::params;

use super::connection::Connection;
use super::now;
use crate::job_rows::{to_int, to_json_text};
use crate::slots::{self, Counts, WAITING_PAGE_SIZE, WaitingColumns, window_ms};

/// Whether a key is due for examination.
pub(super) const IS_LOOK_DUE: &str = concat!("SELECT EXISTS (SELECT 1 FROM job_slots WHERE look_at <= ", now!(), ")");
const KEYS_TO_LOOK_AT: &str = slots::look_keys!(now!());
const NOTE_LOOK: &str =
    concat!("UPDATE job_slots SET look_at = ", slots::next_look!(now!()), " WHERE key = $1 AND look_at <= ", now!());
const REMOVE_OVER: &str = "DELETE FROM job_slots WHERE key = $1 AND state = 'over' AND look_at IS NULL";
const COUNT: &str = slots::count!(now!());
const HOLD: &str = "UPDATE job_slots SET state = 'held' WHERE job_id IN (SELECT value FROM json_each($1))";
const WAKE: &str =
    concat!("UPDATE jobs SET due_at = ", now!(), " WHERE owner IS NULL AND id IN (SELECT value FROM json_each($1))");

const REQUEST: &str = concat!(
    "INSERT OR REPLACE INTO job_slots (job_id, key, size, window_ms, priority, created_at, state, look_at) \
     VALUES ($1, $2, $3, $4, $5, $6, 'waiting', ",
    now!(),
    ")"
);
const START: &str = concat!(
    "UPDATE job_slots SET started_at = ",
    now!(),
    ", look_at = ",
    now!(),
    " + window_ms WHERE state = 'held' AND started_at IS NULL AND job_id IN (SELECT value FROM json_each($1))"
);
const END: &str =
    concat!("UPDATE job_slots SET state = 'over', look_at = ", now!(), " WHERE job_id = $1 AND state <> 'over'");
const PASS: &str =
    concat!("UPDATE job_slots SET state = 'passed', look_at = ", now!(), " WHERE job_id = $1 AND state = 'waiting'");

/// Makes a new job wait for its slot.
pub(super) fn request_slot(connection: &Connection, job: &NewJob) -> rusqlite::Result<()> {
    let Some(concurrency) = &job.concurrency else { return Ok(()) };
    let (size, window) = (to_int(concurrency.limit), window_ms(concurrency));
    let parameters = params![job.id, concurrency.key, size, window, job.priority, job.created_at.0];
    connection.execute(REQUEST, parameters).map(drop)
}

/// Records that jobs were claimed.
pub(super) fn start_slots(connection: &Connection, jobs: &[&str]) -> rusqlite::Result<()> {
    connection.execute(START, params![to_json_text(&jobs)]).map(drop)
}

/// Records that a job has ended.
pub(super) fn end_slot(connection: &Connection, job: &str) -> rusqlite::Result<()> {
    connection.execute(END, params![job]).map(drop)
}

/// Lets a job continue without a slot.
pub(super) fn pass_slot(connection: &Connection, job: &str) -> rusqlite::Result<()> {
    if connection.execute(PASS, params![job])? > 0 {
        connection.execute(WAKE, params![to_json_text(&[job])])?;
    }
    Ok(())
}

/// Assigns the free slots.
pub(super) fn give_slots(connection: &Connection) -> rusqlite::Result<()> {
    let keys: Vec<(String,)> = connection.fetch_all(KEYS_TO_LOOK_AT, &[])?;
    for (key,) in keys {
        give_slots_of_key(connection, &key)?;
    }
    Ok(())
}

/// Assigns the free slots of a key.
pub(super) fn give_slots_of_key(connection: &Connection, key: &str) -> rusqlite::Result<()> {
    connection.execute(NOTE_LOOK, params![key])?;
    connection.execute(REMOVE_OVER, params![key])?;
    let mut counts = Counts::from_row(connection.fetch_one(COUNT, params![key])?);
    loop {
        let waiting: Vec<WaitingColumns> =
            connection.fetch_all(slots::MAX_WAITING, params![key, WAITING_PAGE_SIZE as i64])?;
        let admitted = counts.admit_waiting(key, waiting);
        if !admitted.is_empty() {
            let jobs = to_json_text(&admitted);
            connection.execute(HOLD, params![jobs])?;
            connection.execute(WAKE, params![jobs])?;
        }
        if admitted.len() < WAITING_PAGE_SIZE {
            return Ok(());
        }
    }
}
