//! The queue of jobs on SQLite: creating, claiming and waking.

use std::collections::BTreeMap;
use std::time::Duration;

use apiflow_core::ports::{Claim, Created, JobQueue, JobStart, NewJob, RenewedLease, StoreError, Timestamp};
use async_trait::async_trait;
use rusqlite::params;

use super::connection::Connection;
use super::creations::{FIND_KEY, JobRows, perform_creation};
use super::errors::QueryError;
use super::{SqliteStore, now, slots};
use crate::job_rows::{self, duration_ms, from_int, to_int, to_json_text};
use crate::sql;

const LEVELS: &str =
    concat!("WITH RECURSIVE ", sql::levels!(), " SELECT priority FROM level WHERE priority IS NOT NULL");
const DUE: &str =
    concat!("SELECT id FROM jobs WHERE priority = $1 AND due_at <= ", now!(), " ORDER BY due_at, id LIMIT $2");
const CLAIM: &str = concat!(
    "UPDATE jobs SET owner = $1, version = version + 1, tries = tries + 1, due_at = ",
    now!(),
    " + $2 WHERE id IN (SELECT value FROM json_each($3)) AND due_at <= ",
    now!(),
    " RETURNING id, version, tries, \
         EXISTS (SELECT 1 FROM job_slots WHERE job_id = jobs.id AND state = 'held' AND started_at IS NULL)"
);
const CLAIM_ENDED: &str = concat!(
    "UPDATE jobs SET owner = $1, version = version + 1, due_at = ",
    now!(),
    " + $2 WHERE id = $3 AND owner IS NULL AND status IN ",
    sql::ended!(),
    " RETURNING version"
);
const RENEW: &str = concat!(
    "UPDATE jobs SET due_at = ",
    now!(),
    " + $2 WHERE owner = $1 AND id IN (SELECT value FROM json_each($3)) RETURNING id, inbox_open > 0"
);

type Outcome<T> = Result<T, QueryError<StoreError>>;

#[async_trait]
impl JobQueue for SqliteStore {
    async fn create_job(&self, job: NewJob, start: Option<JobStart>) -> Result<Created, StoreError> {
        let (rows, pauses) = (JobRows::new(job, start), self.pauses.clone());
        self.write(move |connection| perform_creation(connection, &rows, &pauses)).await
    }

    async fn find_job_by_key(&self, key: &str) -> Result<Option<(String, String)>, StoreError> {
        let key = key.to_owned();
        self.read(move |connection| Ok(connection.fetch_optional(FIND_KEY, params![key])?)).await
    }

    async fn claim_due_jobs(&self, worker: &str, limit: u32, lease: Duration) -> Result<Vec<Claim>, StoreError> {
        // Read first: an idle worker does not write.
        let (is_look_due, due) = self
            .read(move |connection| -> Outcome<_> {
                let (is_look_due,): (bool,) = connection.fetch_one(slots::IS_LOOK_DUE, &[])?;
                Ok((is_look_due, find_due(connection, limit as usize)?))
            })
            .await?;
        if !is_look_due && due.is_empty() {
            return Ok(Vec::new());
        }
        let worker = worker.to_owned();
        self.write(move |connection| -> Outcome<_> {
            if is_look_due {
                slots::give_slots(connection)?;
                return Ok(claim_jobs(connection, &worker, lease, &find_due(connection, limit as usize)?)?);
            }
            Ok(claim_jobs(connection, &worker, lease, &due)?)
        })
        .await
    }

    async fn claim_ended_job(&self, worker: &str, job: &str, lease: Duration) -> Result<Option<u64>, StoreError> {
        let (worker, job) = (worker.to_owned(), job.to_owned());
        self.write(move |connection| {
            let claimed: Option<(i64,)> =
                connection.fetch_optional(CLAIM_ENDED, params![worker, duration_ms(lease), job])?;
            if claimed.is_some() {
                connection.execute(sql::HOLD_AGAIN, params![job])?;
            }
            Ok(claimed.map(|(version,)| from_int(version)))
        })
        .await
    }

    async fn renew_leases(
        &self,
        worker: &str,
        jobs: &[String],
        lease: Duration,
    ) -> Result<Vec<RenewedLease>, StoreError> {
        let (worker, jobs) = (worker.to_owned(), to_json_text(&jobs));
        self.write(move |connection| {
            let held: Vec<(String, bool)> = connection.fetch_all(RENEW, params![worker, duration_ms(lease), jobs])?;
            Ok(held.into_iter().map(|(job, has_messages)| RenewedLease { job, has_messages }).collect())
        })
        .await
    }

    async fn record_solo_start(&self, job: &str, version: u64) -> Result<u32, StoreError> {
        let job = job.to_owned();
        self.write(move |connection| {
            let noted = connection.fetch_optional(sql::RECORD_SOLO_START, params![job, to_int(version)])?;
            Ok(job_rows::solo_starts(&job, noted)?)
        })
        .await
    }

    async fn undo_solo_start(&self, job: &str, version: u64) -> Result<(), StoreError> {
        let job = job.to_owned();
        self.write(move |connection| {
            connection.execute(sql::UNDO_SOLO_START, params![job, to_int(version)])?;
            Ok(())
        })
        .await
    }

    async fn waive_slot(&self, job: &str) -> Result<(), StoreError> {
        let job = job.to_owned();
        self.write(move |connection| Ok(slots::pass_slot(connection, &job)?)).await
    }

    async fn read_next_due_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|connection| {
            let (moment,): (Option<i64>,) = connection.fetch_one(sql::NEXT_DUE, &[])?;
            Ok(moment.map(Timestamp))
        })
        .await
    }
}

/// Returns up to `limit` due jobs, in the order in which they are claimed.
fn find_due(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<String>> {
    let mut due = Vec::new();
    let levels: Vec<(i32,)> = connection.fetch_all(LEVELS, &[])?;
    for (priority,) in levels {
        let room = i64::try_from(limit - due.len()).unwrap_or(i64::MAX);
        let found: Vec<(String,)> = connection.fetch_all(DUE, params![priority, room])?;
        due.extend(found.into_iter().map(|(id,)| id));
        if due.len() == limit {
            break;
        }
    }
    Ok(due)
}

/// Claims the jobs that are still due; the claims are in the order of `due`.
fn claim_jobs(connection: &Connection, worker: &str, lease: Duration, due: &[String]) -> rusqlite::Result<Vec<Claim>> {
    let claimed: Vec<(String, i64, i64, bool)> =
        connection.fetch_all(CLAIM, params![worker, duration_ms(lease), to_json_text(&due)])?;
    let with_slot: Vec<&str> =
        claimed.iter().filter(|(.., begins_slot)| *begins_slot).map(|(job, ..)| job.as_str()).collect();
    if !with_slot.is_empty() {
        slots::start_slots(connection, &with_slot)?;
    }
    let mut claimed: BTreeMap<String, (i64, i64)> =
        claimed.into_iter().map(|(job, version, tries, _)| (job, (version, tries))).collect();
    let claims = due.iter().filter_map(|due| {
        let (job, (version, tries)) = claimed.remove_entry(due)?;
        Some(Claim { job, version: from_int(version), tries: u32::try_from(tries).unwrap_or(u32::MAX) })
    });
    Ok(claims.collect())
}

#[cfg(test)]
mod tests {
    use rusqlite::ToSql;

    use super::*;

    /// Checks that a statement only searches covering indexes of `jobs`, and sorts nothing.
    async fn check_precondition(store: &SqliteStore, statement: &'static str, parameters: usize) {
        let explained = format!("EXPLAIN QUERY PLAN {statement}");
        let plan = store.read(move |connection| -> Outcome<_> {
            let parameters: Vec<&dyn ToSql> = vec![&0; parameters];
            Ok(connection.fetch_all::<(i64, i64, i64, String)>(&explained, &parameters)?)
        });
        let plan = plan.await.expect("a plan");
        let lines: Vec<&str> = plan.iter().map(|(.., line)| line.as_str()).collect();
        let of_jobs: Vec<&&str> =
            lines.iter().filter(|line| line.ends_with("jobs") || line.contains(" jobs ")).collect();
        assert!(!of_jobs.is_empty() && of_jobs.iter().all(|line| line.contains("COVERING INDEX jobs_")), "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains("B-TREE")), "nothing is sorted: {lines:?}");
    }

    #[tokio::test]
    async fn what_is_due_is_found_without_looking_at_what_waits() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteStore::open(folder.path().join("jobs.db")).await.expect("a file is opened");
        for (statement, parameters) in [(LEVELS, 0), (DUE, 2), (sql::NEXT_DUE, 0)] {
            check_precondition(&store, statement, parameters).await;
        }
    }
}
