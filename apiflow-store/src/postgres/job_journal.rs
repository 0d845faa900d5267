//! The journal of a job on Postgres.

use apiflow_core::ports::{Commit, EventRow, InboxMessage, JobJournal, JobRow, LoadedJob, StoreError};
use async_trait::async_trait;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};

use super::{PostgresStore, now};
use crate::fault::store_error;
use crate::job_rows::{self, EventColumns, JobColumns, from_int, to_int, to_json_text};
use crate::sql;

const INBOX: &str = "SELECT id, key, payload FROM job_inbox WHERE job_id = $1 AND NOT taken ORDER BY id";

/// Everything that is needed to continue a job, in one snapshot: a row, whose first columns are [`JobColumns`].
const LOAD_JOB: &str = concat!(
    "SELECT ",
    sql::job_columns!(),
    ", body, value_bytes, snapshot.seq AS snapshot_seq, snapshot.state AS snapshot_state, \
         seqs, moments, lists, indices, bodies, message_ids, message_keys, payloads \
     FROM jobs JOIN job_bundles ON job_bundles.job = jobs.number \
     LEFT JOIN job_snapshots AS snapshot ON snapshot.job = jobs.number \
     CROSS JOIN LATERAL (SELECT array_agg(seq) AS seqs, array_agg(at) AS moments, array_agg(list_id) AS lists, \
             array_agg(list_index) AS indices, array_agg(body) AS bodies \
         FROM (SELECT seq, at, list_id, list_index, body FROM job_events \
             WHERE job = jobs.number AND seq > coalesce(snapshot.seq, 0) ORDER BY seq) AS event) AS events \
     CROSS JOIN LATERAL (SELECT array_agg(id) AS message_ids, array_agg(key) AS message_keys, \
             array_agg(payload) AS payloads \
         FROM (SELECT id, key, payload FROM job_inbox WHERE job_id = jobs.id AND NOT taken ORDER BY id) AS message) \
         AS messages \
     WHERE jobs.id = $1"
);

const VALUES: &str = concat!(
    "SELECT seq, value FROM job_events WHERE job = ",
    sql::job_number!(),
    " AND seq = ANY($2) AND value IS NOT NULL"
);

const CACHED: &str = sql::cached_result!(now!());

/// Stores the message, wakes its job and ends the poll; returns whether the message is new, and whether the job exists.
/// The poll's row comes after the job's in the lock order.
pub(super) const DELIVER: &str = concat!(
    "WITH added AS (INSERT INTO job_inbox (job_id, key, payload) SELECT id, $2, $3 FROM jobs \
         WHERE id = $1 AND status NOT IN ",
    sql::ended!(),
    " ON CONFLICT (job_id, key) DO NOTHING RETURNING job_id), \
     woken AS (UPDATE jobs SET inbox_open = inbox_open + 1, \
         due_at = CASE WHEN owner IS NULL AND status NOT IN ",
    sql::ended!(),
    " AND NOT EXISTS (SELECT FROM job_slots WHERE job_slots.job_id = jobs.id AND state = 'waiting') \
         THEN least(due_at, ",
    now!(),
    ") ELSE due_at END FROM added WHERE jobs.id = added.job_id RETURNING jobs.id), \
     poll AS (DELETE FROM job_polls USING (SELECT COUNT(*) FROM woken) AS after WHERE job_id = $1 AND effect = $4) \
     SELECT EXISTS (SELECT FROM woken), EXISTS (SELECT FROM jobs WHERE id = $1)"
);

fn writer_stopped() -> StoreError {
    job_rows::backend_error("the writer of commits has stopped")
}

#[async_trait]
impl JobJournal for PostgresStore {
    async fn load_job(&self, job: &str) -> Result<LoadedJob, StoreError> {
        let row =
            sqlx::query(LOAD_JOB).bind(job).fetch_optional(self.pool.count_statement()).await.map_err(store_error)?;
        loaded_job(&row.ok_or_else(|| StoreError::NotFound { job: job.to_owned() })?)
    }

    async fn commit_turn(&self, commit: Commit) -> Result<u64, StoreError> {
        self.commit_queue.submit(commit, |write| write).await.ok_or_else(writer_stopped)?
    }

    async fn deliver_message(
        &self,
        job: &str,
        key: &str,
        payload: Value,
        finished_poll: Option<u64>,
    ) -> Result<bool, StoreError> {
        let (is_new, exists): (bool, bool) = sqlx::query_as(DELIVER)
            .bind(job)
            .bind(key)
            .bind(to_json_text(&payload))
            .bind(finished_poll.map(to_int))
            .fetch_one(self.pool.count_statement())
            .await
            .map_err(store_error)?;
        if exists { Ok(is_new) } else { Err(StoreError::NotFound { job: job.to_owned() }) }
    }

    async fn read_inbox(&self, job: &str) -> Result<Vec<InboxMessage>, StoreError> {
        let inbox =
            sqlx::query_as(INBOX).bind(job).fetch_all(self.pool.count_statement()).await.map_err(store_error)?;
        job_rows::convert_all(inbox, job_rows::inbox_message)
    }

    async fn read_values(&self, job: &str, seqs: &[u64]) -> Result<Vec<Option<Value>>, StoreError> {
        let found = sqlx::query_as(VALUES)
            .bind(job)
            .bind(seqs.iter().copied().map(to_int).collect::<Vec<i64>>())
            .fetch_all(self.pool.count_statement())
            .await;
        job_rows::values_in_order(found.map_err(store_error)?, seqs)
    }

    async fn read_list(&self, job: &str, list: u64) -> Result<Vec<Value>, StoreError> {
        let bodies: Vec<(String,)> = sqlx::query_as(sql::LIST)
            .bind(job)
            .bind(to_int(list))
            .fetch_all(self.pool.count_statement())
            .await
            .map_err(store_error)?;
        bodies.into_iter().map(|(body,)| job_rows::parse_json(&body)).collect()
    }

    async fn read_cached_result(&self, key: &str) -> Result<Option<Value>, StoreError> {
        let found: Option<(String,)> =
            sqlx::query_as(CACHED).bind(key).fetch_optional(self.pool.count_statement()).await.map_err(store_error)?;
        found.map(|(value,)| job_rows::parse_json(&value)).transpose()
    }

    async fn read_events(&self, job: &str, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let page = sqlx::query_as(sql::EVENTS).bind(job).bind(to_int(after)).bind(i64::from(limit));
        job_rows::convert_all(
            page.fetch_all(self.pool.count_statement()).await.map_err(store_error)?,
            job_rows::event_row,
        )
    }

    async fn read_job(&self, job: &str) -> Result<Option<JobRow>, StoreError> {
        let row = sqlx::query_as(sql::JOB)
            .bind(job)
            .fetch_optional(self.pool.count_statement())
            .await
            .map_err(store_error)?;
        row.map(job_rows::job_row).transpose()
    }
}

/// Reads the row of [`LOAD_JOB`].
fn loaded_job(row: &PgRow) -> Result<LoadedJob, StoreError> {
    let job = job_rows::job_row(JobColumns::from_row(row).map_err(store_error)?)?;
    let bundle: String = row.try_get("body").map_err(store_error)?;
    let snapshot = match row.try_get("snapshot_seq").map_err(store_error)? {
        Some(seq) => Some(job_rows::snapshot_row((seq, row.try_get("snapshot_state").map_err(store_error)?))?),
        None => None,
    };
    Ok(LoadedJob {
        job,
        bundle: job_rows::shared_bundle(bundle)?,
        snapshot,
        events: job_rows::convert_all(loaded_events(row).map_err(store_error)?, job_rows::event_row)?,
        inbox: job_rows::convert_all(loaded_messages(row).map_err(store_error)?, job_rows::inbox_message)?,
        value_bytes: from_int(row.try_get("value_bytes").map_err(store_error)?),
    })
}

fn loaded_events(row: &PgRow) -> Result<Vec<EventColumns>, sqlx::Error> {
    let Some(seqs) = row.try_get::<Option<Vec<i64>>, _>("seqs")? else { return Ok(Vec::new()) };
    let moments: Vec<i64> = row.try_get("moments")?;
    let lists: Vec<Option<i64>> = row.try_get("lists")?;
    let indices: Vec<Option<i64>> = row.try_get("indices")?;
    let bodies: Vec<String> = row.try_get("bodies")?;
    let columns = seqs.into_iter().zip(moments).zip(lists).zip(indices).zip(bodies);
    Ok(columns.map(|((((seq, at), list), index), body)| (seq, at, list, index, body)).collect())
}

fn loaded_messages(row: &PgRow) -> Result<Vec<(i64, String, String)>, sqlx::Error> {
    let Some(ids) = row.try_get::<Option<Vec<i64>>, _>("message_ids")? else { return Ok(Vec::new()) };
    let keys: Vec<String> = row.try_get("message_keys")?;
    let payloads: Vec<String> = row.try_get("payloads")?;
    Ok(ids.into_iter().zip(keys).zip(payloads).map(|((id, key), payload)| (id, key, payload)).collect())
}
