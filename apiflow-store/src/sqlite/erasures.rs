//! Erasure of values that a document says must not be stored, on SQLite.

use std::time::Duration;

use apiflow_core::ports::{DueErasure, ErasedJob, Erasure, StoreError};
use rusqlite::params;

use super::artifacts::{drop_outputs, read_outputs_of_steps};
use super::commits::{put_steps, step_values};
use super::connection::Connection;
use super::errors::QueryError;
use super::{SqliteStore, now};
use crate::commit_rows::Step;
use crate::job_rows::{self, duration_ms, to_json_text};
use crate::sql;

const IS_DUE: &str = concat!("SELECT EXISTS (SELECT 1 FROM jobs WHERE erase_ready_at <= ", now!(), ")");
const TAKE: &str = concat!(
    "UPDATE jobs SET erase_ready_at = ",
    now!(),
    " + $2 WHERE id IN (SELECT id FROM jobs WHERE erase_ready_at <= ",
    now!(),
    " ORDER BY erase_ready_at, id LIMIT $1) RETURNING id, erase_at"
);
const ERASE_MESSAGES: &str = "UPDATE job_inbox SET payload = 'null', taken = 1 WHERE job_id = $1";
const ERASE_VALUES: &str = "UPDATE job_events SET value = '{}' WHERE job = $1 AND value IS NOT NULL \
     AND seq IN (SELECT value FROM json_each($2))";
const ERASE_EVENTS: &str = "UPDATE job_events SET body = asked.value ->> 1 FROM json_each($2) AS asked \
     WHERE job_events.job = $1 AND job_events.seq = asked.value ->> 0";
const ERASE_CALLS: &str = "DELETE FROM job_calls WHERE job = $1 AND step IN (SELECT value FROM json_each($2))";
const ERASE_REPORTS: &str = "DELETE FROM step_reports WHERE job = $1 AND step IN (SELECT value FROM json_each($2))";

impl SqliteStore {
    pub(super) async fn take_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, StoreError> {
        // Read first: an idle worker does not write.
        let (is_due,): (bool,) = self.read(|connection| Ok(connection.fetch_one(IS_DUE, &[])?)).await?;
        if !is_due {
            return Ok(Vec::new());
        }
        let taken =
            self.write(move |connection| Ok(connection.fetch_all(TAKE, params![limit, duration_ms(lease)])?)).await?;
        Ok(job_rows::due_erasures(taken))
    }

    pub(super) async fn erase_part(&self, erasure: Erasure) -> Result<(), StoreError> {
        self.write(move |connection| {
            let job = &erasure.job;
            let ended: Option<(i64,)> = connection.fetch_optional(sql::ERASE, params![job])?;
            let Some((number,)) = ended else {
                let status: Option<(String,)> = connection.fetch_optional(sql::JOB_STATUS, params![job])?;
                let job = job.clone();
                let refusal = if status.is_some() { StoreError::Active { job } } else { StoreError::NotFound { job } };
                return Err(QueryError::Refused(refusal));
            };
            Ok(erase_rows(connection, number, &erasure)?)
        })
        .await
    }
}

fn erase_rows(connection: &Connection, number: i64, erasure: &Erasure) -> rusqlite::Result<()> {
    let Erasure { job, values, events, steps, calls, rest } = erasure;
    let outputs = read_outputs_of_steps(connection, job, steps)?;
    drop_outputs(connection, job, &outputs)?;
    connection.execute(sql::ERASE_SNAPSHOT, params![number])?;
    connection.execute(ERASE_MESSAGES, params![job])?;
    connection.execute(ERASE_VALUES, params![number, to_json_text(values)])?;
    let events: Vec<(u64, String)> = events.iter().map(|(seq, body)| (*seq, to_json_text(body))).collect();
    connection.execute(ERASE_EVENTS, params![number, to_json_text(&events)])?;
    let steps: Vec<_> = steps.iter().map(|step| step_values(Step::of_row(1, step))).collect();
    put_steps(connection, number, &steps)?;
    connection.execute(ERASE_CALLS, params![number, to_json_text(calls)])?;
    connection.execute(ERASE_REPORTS, params![number, to_json_text(calls)])?;
    let Some(ErasedJob { output, error, erase_at, bundle }) = rest else { return Ok(()) };
    let (output, error) = (output.as_ref().map(to_json_text), error.as_ref().map(to_json_text));
    connection.execute(sql::ERASE_REST, params![job, output, error, erase_at.map(|moment| moment.0)])?;
    if let Some(bundle) = bundle {
        connection.execute(sql::ERASE_BUNDLE, params![number, to_json_text(bundle)])?;
    }
    Ok(())
}
