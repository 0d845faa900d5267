//! Jobs on SQLite.

use std::collections::BTreeMap;
use std::time::Duration;

use apiflow_core::ports::{
    CallRecord, Claim, ClaimRequest, Commit, Created, DueErasure, DuePoll, Erasure, EventRow, InboxMessage, JobFilter,
    JobJournal, JobQueue, JobRecords, JobRow, JobStatus, LoadedJob, NewJob, ProviderWork, ProviderWorkClaim,
    RenewedLease, StepRow, StoreError, Timestamp,
};
use async_trait::async_trait;
use serde_json::Value;
use sqlx::QueryBuilder;

use super::rounds::{Creation, Delivery, LIVE_KEY, Write};
use super::{SqliteStore, now, slots};
use crate::fault::store_error;
use crate::rows::{self, JobColumns, PROBE_BYTES, PollColumns, int, milliseconds, number, text};
use crate::sql;

const INBOX: &str = "SELECT id, key, payload FROM job_inbox WHERE job_id = $1 AND taken = 0 ORDER BY id";
const VALUES: &str = "SELECT seq, value FROM job_events \
     WHERE job_id = $1 AND seq IN (SELECT value FROM json_each($2)) AND job_events.value IS NOT NULL";
const LEVELS: &str =
    concat!("WITH RECURSIVE ", sql::levels!(), " SELECT priority FROM level WHERE priority IS NOT NULL");
const DUE: &str =
    concat!("SELECT id FROM jobs WHERE priority = $1 AND due_at <= ", now!(), " ORDER BY due_at, id LIMIT $2");
const CLAIM: &str = concat!(
    "UPDATE jobs SET owner = $1, version = version + 1, tries = tries + 1, due_at = ",
    now!(),
    " + $2 WHERE id IN (SELECT value FROM json_each($3)) AND due_at <= ",
    now!(),
    " RETURNING id, version, tries"
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
const CACHED: &str = concat!("SELECT value FROM cached_results WHERE key = $1 AND expires_at > ", now!());
/// The longer of two pauses stays.
const PAUSE_SUBMITS: &str = concat!(
    "INSERT INTO submit_pauses (rate_limit, until) VALUES ($1, ",
    now!(),
    " + $2) ON CONFLICT (rate_limit) DO UPDATE SET until = excluded.until \
     WHERE submit_pauses.until < excluded.until"
);
const FORGET_PAUSES: &str = concat!("DELETE FROM submit_pauses WHERE until <= ", now!());
const SUBMITS_PAUSED: &str =
    concat!("SELECT until - ", now!(), " FROM submit_pauses WHERE rate_limit = $1 AND until > ", now!());
const POLL_DUE: &str = concat!("SELECT EXISTS (SELECT 1 FROM job_polls WHERE ready_at <= ", now!(), ")");
const TAKE_POLLS: &str = concat!(
    "UPDATE job_polls SET ready_at = ",
    now!(),
    " + $2 WHERE (job_id, effect) IN (SELECT job_id, effect FROM job_polls WHERE ready_at <= ",
    now!(),
    " ORDER BY ready_at, job_id, effect LIMIT $1) RETURNING job_id, effect, due_at, tries, ticket"
);

const BYTES_IN_FLIGHT: &str = "SELECT bytes FROM user_bytes WHERE user_id = $1";
const ADD_PROBE: &str = "INSERT INTO store_probes (filler) VALUES (zeroblob($1))";
const REMOVE_PROBES: &str = "DELETE FROM store_probes WHERE id < last_insert_rowid()";

fn stopped() -> StoreError {
    rows::backend("the writer has stopped")
}

#[async_trait]
impl JobQueue for SqliteStore {
    async fn create_job(&self, job: NewJob, claim: Option<ClaimRequest>) -> Result<Created, StoreError> {
        self.gatherer.ask(Creation { job, claim }, Write::Create).await.ok_or_else(stopped)?
    }

    async fn find_job_by_key(&self, key: &str) -> Result<Option<(String, String)>, StoreError> {
        sqlx::query_as(LIVE_KEY).bind(key).fetch_optional(&self.reader).await.map_err(store_error)
    }

    async fn claim_due_jobs(&self, worker: &str, limit: u32, lease: Duration) -> Result<Vec<Claim>, StoreError> {
        self.give_slots().await.map_err(store_error)?;
        // Read first: an idle worker does not write.
        let order = self.due(limit as usize).await.map_err(store_error)?;
        if order.is_empty() {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin().await.map_err(store_error)?;
        let claimed: Vec<(String, i64, i64)> = sqlx::query_as(CLAIM)
            .bind(worker)
            .bind(milliseconds(lease))
            .bind(text(&order))
            .fetch_all(&mut *transaction)
            .await
            .map_err(store_error)?;
        let jobs: Vec<&str> = claimed.iter().map(|(job, ..)| job.as_str()).collect();
        slots::start(&mut transaction, &jobs).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        let mut claimed: BTreeMap<String, (i64, i64)> =
            claimed.into_iter().map(|(job, version, tries)| (job, (version, tries))).collect();
        let claims = order.into_iter().filter_map(|job| {
            let (version, tries) = claimed.remove(&job)?;
            Some(Claim { job, version: number(version), tries: u32::try_from(tries).unwrap_or(u32::MAX) })
        });
        Ok(claims.collect())
    }

    async fn claim_ended_job(&self, worker: &str, job: &str, lease: Duration) -> Result<Option<u64>, StoreError> {
        let mut transaction = self.begin().await.map_err(store_error)?;
        let claimed = sqlx::query_as(CLAIM_ENDED).bind(worker).bind(milliseconds(lease)).bind(job);
        let claimed: Option<(i64,)> = claimed.fetch_optional(&mut *transaction).await.map_err(store_error)?;
        if claimed.is_some() {
            sqlx::query(sql::HOLD_AGAIN).bind(job).execute(&mut *transaction).await.map_err(store_error)?;
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(claimed.map(|(version,)| number(version)))
    }

    async fn renew_leases(
        &self,
        worker: &str,
        jobs: &[String],
        lease: Duration,
    ) -> Result<Vec<RenewedLease>, StoreError> {
        let held: Vec<(String, bool)> = sqlx::query_as(RENEW)
            .bind(worker)
            .bind(milliseconds(lease))
            .bind(text(&jobs))
            .fetch_all(&self.writer)
            .await
            .map_err(store_error)?;
        Ok(held.into_iter().map(|(job, has_messages)| RenewedLease { job, has_messages }).collect())
    }

    async fn record_solo_start(&self, job: &str, version: u64) -> Result<u32, StoreError> {
        let noted = sqlx::query_as(sql::RECORD_SOLO_START).bind(job).bind(int(version));
        rows::solo_starts(job, noted.fetch_optional(&self.writer).await.map_err(store_error)?)
    }

    async fn undo_solo_start(&self, job: &str, version: u64) -> Result<(), StoreError> {
        let noted = sqlx::query(sql::UNDO_SOLO_START).bind(job).bind(int(version));
        noted.execute(&self.writer).await.map(|_| ()).map_err(store_error)
    }

    async fn waive_slot(&self, job: &str) -> Result<(), StoreError> {
        self.pass(job).await.map_err(store_error)
    }

    async fn read_next_due_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let (moment,): (Option<i64>,) =
            sqlx::query_as(sql::NEXT_DUE).fetch_one(&self.reader).await.map_err(store_error)?;
        Ok(moment.map(Timestamp))
    }
}

#[async_trait]
impl JobJournal for SqliteStore {
    async fn load_job(&self, job: &str) -> Result<LoadedJob, StoreError> {
        let mut snapshot_of_all = self.reader.begin().await.map_err(store_error)?;
        let connection = &mut *snapshot_of_all;
        let row: Option<JobColumns> =
            sqlx::query_as(sql::JOB).bind(job).fetch_optional(&mut *connection).await.map_err(store_error)?;
        let row = row.ok_or_else(|| StoreError::NotFound { job: job.to_owned() })?;
        let (bundle, value_bytes): (String, i64) =
            sqlx::query_as(sql::BUNDLE).bind(job).fetch_one(&mut *connection).await.map_err(store_error)?;
        let snapshot = sqlx::query_as(sql::SNAPSHOT).bind(job).fetch_optional(&mut *connection).await;
        let snapshot = snapshot.map_err(store_error)?.map(rows::snapshot_row).transpose()?;
        let after = snapshot.as_ref().map_or(0, |snapshot| int(snapshot.seq));
        let events = sqlx::query_as(sql::EVENTS).bind(job).bind(after).bind(i64::MAX);
        let events = events.fetch_all(&mut *connection).await.map_err(store_error)?;
        let inbox = sqlx::query_as(INBOX).bind(job).fetch_all(&mut *connection).await.map_err(store_error)?;
        Ok(LoadedJob {
            job: rows::job_row(row)?,
            bundle: rows::json(&bundle)?,
            snapshot,
            events: rows::all(events, rows::event_row)?,
            inbox: rows::all(inbox, rows::message)?,
            value_bytes: number(value_bytes),
        })
    }

    async fn commit_turn(&self, commit: Commit) -> Result<u64, StoreError> {
        self.gatherer.ask(commit, Write::Commit).await.ok_or_else(stopped)?
    }

    async fn deliver_message(
        &self,
        job: &str,
        key: &str,
        payload: Value,
        finished_poll: Option<u64>,
    ) -> Result<bool, StoreError> {
        let delivery = Delivery { job: job.to_owned(), key: key.to_owned(), payload: text(&payload), finished_poll };
        self.gatherer.ask(delivery, Write::Deliver).await.ok_or_else(stopped)?
    }

    async fn read_inbox(&self, job: &str) -> Result<Vec<InboxMessage>, StoreError> {
        let inbox = sqlx::query_as(INBOX).bind(job).fetch_all(&self.reader).await.map_err(store_error)?;
        rows::all(inbox, rows::message)
    }

    async fn read_values(&self, job: &str, seqs: &[u64]) -> Result<Vec<Option<Value>>, StoreError> {
        let found = sqlx::query_as(VALUES).bind(job).bind(text(&seqs)).fetch_all(&self.reader).await;
        rows::values(found.map_err(store_error)?, seqs)
    }

    async fn read_list(&self, job: &str, list: u64) -> Result<Vec<Value>, StoreError> {
        let bodies: Vec<(String,)> =
            sqlx::query_as(sql::LIST).bind(job).bind(int(list)).fetch_all(&self.reader).await.map_err(store_error)?;
        bodies.into_iter().map(|(body,)| rows::json(&body)).collect()
    }

    async fn read_cached_result(&self, key: &str) -> Result<Option<Value>, StoreError> {
        let found: Option<(String,)> =
            sqlx::query_as(CACHED).bind(key).fetch_optional(&self.reader).await.map_err(store_error)?;
        found.map(|(value,)| rows::json(&value)).transpose()
    }

    async fn read_events(&self, job: &str, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let page = sqlx::query_as(sql::EVENTS).bind(job).bind(int(after)).bind(i64::from(limit));
        rows::all(page.fetch_all(&self.reader).await.map_err(store_error)?, rows::event_row)
    }

    async fn read_job(&self, job: &str) -> Result<Option<JobRow>, StoreError> {
        let row = sqlx::query_as(sql::JOB).bind(job).fetch_optional(&self.reader).await.map_err(store_error)?;
        row.map(rows::job_row).transpose()
    }
}

#[async_trait]
impl ProviderWork for SqliteStore {
    async fn claim_provider_work(&self, following: ProviderWorkClaim) -> Result<bool, StoreError> {
        let noted = sqlx::query(sql::FOLLOW)
            .bind(&following.provider)
            .bind(&following.provider_id)
            .bind(&following.job)
            .bind(int(following.effect));
        Ok(noted.fetch_optional(&self.writer).await.map_err(store_error)?.is_some())
    }

    async fn pause_submits(&self, limit: &str, pause: Duration) -> Result<(), StoreError> {
        let mut transaction = self.begin().await.map_err(store_error)?;
        sqlx::query(FORGET_PAUSES).execute(&mut *transaction).await.map_err(store_error)?;
        let noted = sqlx::query(PAUSE_SUBMITS).bind(limit).bind(milliseconds(pause));
        noted.execute(&mut *transaction).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }

    async fn read_submit_pause(&self, limit: &str) -> Result<Option<Duration>, StoreError> {
        let left: Option<(i64,)> =
            sqlx::query_as(SUBMITS_PAUSED).bind(limit).fetch_optional(&self.reader).await.map_err(store_error)?;
        Ok(left.map(|(left,)| Duration::from_millis(number(left))))
    }

    async fn take_due_polls(&self, limit: u32, lease: Duration) -> Result<Vec<DuePoll>, StoreError> {
        // Read first: an idle poller does not write.
        let (due,): (bool,) = sqlx::query_as(POLL_DUE).fetch_one(&self.reader).await.map_err(store_error)?;
        if !due {
            return Ok(Vec::new());
        }
        let taken: Vec<PollColumns> = sqlx::query_as(TAKE_POLLS)
            .bind(i64::from(limit))
            .bind(milliseconds(lease))
            .fetch_all(&self.writer)
            .await
            .map_err(store_error)?;
        rows::due_polls(taken)
    }

    async fn reschedule_poll(
        &self,
        job: &str,
        effect: u64,
        due_at: Timestamp,
        progress: Option<(u64, f64)>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await.map_err(store_error)?;
        let back = sqlx::query(sql::PUT_BACK).bind(job).bind(int(effect)).bind(due_at.0);
        back.execute(&mut *transaction).await.map_err(store_error)?;
        if let Some((ordinal, progress)) = progress {
            let told = sqlx::query(sql::PROGRESS).bind(job).bind(int(ordinal)).bind(progress).bind(int(effect));
            told.execute(&mut *transaction).await.map_err(store_error)?;
        }
        transaction.commit().await.map_err(store_error)
    }
}

#[async_trait]
impl JobRecords for SqliteStore {
    async fn list_jobs(&self, filter: &JobFilter, before: Option<&str>, limit: u32) -> Result<Vec<JobRow>, StoreError> {
        let mut query = QueryBuilder::new(sql::JOBS);
        rows::filter!(query, filter, before, limit);
        let found = query.build_query_as().fetch_all(&self.reader).await.map_err(store_error)?;
        rows::all(found, rows::job_row)
    }

    async fn count_active_jobs(&self) -> Result<BTreeMap<JobStatus, u64>, StoreError> {
        let counts = sqlx::query_as(sql::COUNT_ACTIVE_JOBS).fetch_all(&self.reader).await.map_err(store_error)?;
        rows::status_counts(counts)
    }

    async fn list_steps(&self, job: &str, after: u64, limit: u32) -> Result<Vec<StepRow>, StoreError> {
        let page = sqlx::query_as(sql::STEPS).bind(job).bind(int(after)).bind(i64::from(limit));
        rows::all(page.fetch_all(&self.reader).await.map_err(store_error)?, rows::step_row)
    }

    async fn list_calls(&self, job: &str, step: u64) -> Result<Vec<CallRecord>, StoreError> {
        let calls = sqlx::query_as(sql::CALLS).bind(job).bind(int(step)).fetch_all(&self.reader).await;
        rows::all(calls.map_err(store_error)?, rows::call_record).map(CallRecord::joined)
    }

    async fn delete_job(&self, job: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await.map_err(store_error)?;
        let found: Option<(String,)> =
            sqlx::query_as(sql::JOB_STATUS).bind(job).fetch_optional(&mut *transaction).await.map_err(store_error)?;
        let (status,) = found.ok_or_else(|| StoreError::NotFound { job: job.to_owned() })?;
        if !JobStatus::parse(&status).is_some_and(JobStatus::is_final) {
            return Err(StoreError::Active { job: job.to_owned() });
        }
        sqlx::query(sql::DELETE_JOB).bind(job).execute(&mut *transaction).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }

    async fn take_due_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, StoreError> {
        self.take_erasures(limit, lease).await.map_err(store_error)
    }

    async fn erase_job_data(&self, erasure: Erasure) -> Result<(), StoreError> {
        self.erase_part(&erasure).await
    }

    async fn read_bytes_in_flight(&self, user: &str) -> Result<u64, StoreError> {
        let sum: Option<(i64,)> =
            sqlx::query_as(BYTES_IN_FLIGHT).bind(user).fetch_optional(&self.reader).await.map_err(store_error)?;
        Ok(sum.map_or(0, |(bytes,)| number(bytes)))
    }

    async fn verify_writable(&self) -> Result<(), StoreError> {
        let mut transaction = self.begin().await.map_err(store_error)?;
        sqlx::query(ADD_PROBE).bind(PROBE_BYTES).execute(&mut *transaction).await.map_err(store_error)?;
        // Afterwards: the new row takes room before the old one gives any back.
        sqlx::query(REMOVE_PROBES).execute(&mut *transaction).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }
}

impl SqliteStore {
    /// Up to `limit` jobs that are due, in the order in which they are claimed.
    async fn due(&self, limit: usize) -> Result<Vec<String>, sqlx::Error> {
        let mut due = Vec::new();
        let levels: Vec<(i32,)> = sqlx::query_as(LEVELS).fetch_all(&self.reader).await?;
        for (priority,) in levels {
            let room = i64::try_from(limit - due.len()).unwrap_or(i64::MAX);
            let found: Vec<(String,)> = sqlx::query_as(DUE).bind(priority).bind(room).fetch_all(&self.reader).await?;
            due.extend(found.into_iter().map(|(id,)| id));
            if due.len() == limit {
                break;
            }
        }
        Ok(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes through indices of due jobs alone, from a place that is searched for.
    async fn check(statement: &'static str) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteStore::open(folder.path().join("jobs.db")).await.expect("a file is opened");
        let explained = format!("EXPLAIN QUERY PLAN {statement}");
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(explained)).fetch_all(&store.reader).await.expect("a plan");
        let lines: Vec<&str> = plan.iter().map(|(.., line)| line.as_str()).collect();
        let of_jobs: Vec<&&str> =
            lines.iter().filter(|line| line.ends_with("jobs") || line.contains(" jobs ")).collect();
        assert!(!of_jobs.is_empty() && of_jobs.iter().all(|line| line.contains("COVERING INDEX jobs_")), "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains("B-TREE")), "nothing is sorted: {lines:?}");
    }

    #[tokio::test]
    async fn what_is_due_is_found_without_looking_at_what_waits() {
        for statement in [LEVELS, DUE, sql::NEXT_DUE] {
            check(statement).await;
        }
    }
}
