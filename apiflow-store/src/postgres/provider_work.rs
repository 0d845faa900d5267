//! Work at providers on Postgres.

use std::time::Duration;

use apiflow_core::ports::{DuePoll, ProviderWork, ProviderWorkClaim, StepReport, StoreError, StoredUpload, Timestamp};
use async_trait::async_trait;
use serde_json::Value;

use super::{PostgresStore, now};
use crate::fault::store_error;
use crate::job_rows::{self, PollColumns, duration_ms, from_int, to_int, to_small_int};
use crate::sql;

/// The longer of two pauses remains, and expired ones are removed.
const PAUSE_SUBMITS: &str = concat!(
    "WITH over AS (DELETE FROM submit_pauses WHERE until <= ",
    now!(),
    " AND rate_limit <> $1) \
     INSERT INTO submit_pauses (rate_limit, until) VALUES ($1, ",
    now!(),
    " + $2) ON CONFLICT (rate_limit) DO UPDATE SET until = excluded.until \
     WHERE submit_pauses.until < excluded.until"
);

const SUBMITS_PAUSED: &str = sql::submit_pause!(now!());

const FIND_UPLOAD: &str = sql::find_upload!(now!());

/// Expired uploads are removed.
const RECORD_UPLOAD: &str = concat!(
    "WITH over AS (DELETE FROM provider_uploads WHERE expires_at <= ",
    now!(),
    " AND upload_key <> $1) \
     INSERT INTO provider_uploads (upload_key, value, expires_at) VALUES ($1, $2, $3) \
     ON CONFLICT (upload_key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at"
);

const TAKE_POLLS: &str = concat!(
    "WITH due AS (SELECT job_id, effect FROM job_polls WHERE ready_at <= ",
    now!(),
    " ORDER BY ready_at, job_id, effect LIMIT $1 FOR UPDATE SKIP LOCKED) \
     UPDATE job_polls AS poll SET ready_at = ",
    now!(),
    " + $2 FROM due WHERE poll.job_id = due.job_id AND poll.effect = due.effect \
     RETURNING poll.job_id, poll.effect, poll.due_at, poll.tries, poll.ticket"
);

#[async_trait]
impl ProviderWork for PostgresStore {
    async fn claim_provider_work(&self, following: ProviderWorkClaim) -> Result<bool, StoreError> {
        let noted = sqlx::query(sql::FOLLOW)
            .bind(&following.provider)
            .bind(&following.provider_id)
            .bind(&following.job)
            .bind(to_int(following.effect));
        Ok(noted.fetch_optional(self.pool.count_statement()).await.map_err(store_error)?.is_some())
    }

    async fn pause_submits(&self, limit: &str, pause: Duration) -> Result<(), StoreError> {
        let noted =
            sqlx::query(PAUSE_SUBMITS).bind(limit).bind(duration_ms(pause)).execute(self.pool.count_statement()).await;
        self.pauses.note_pause();
        noted.map(drop).map_err(store_error)
    }

    async fn read_submit_pause(&self, limit: &str) -> Result<Option<Duration>, StoreError> {
        if self.pauses.is_none_paused() {
            return Ok(None);
        }
        let left: Option<(i64,)> = sqlx::query_as(SUBMITS_PAUSED)
            .bind(limit)
            .fetch_optional(self.pool.count_statement())
            .await
            .map_err(store_error)?;
        Ok(left.map(|(left,)| Duration::from_millis(from_int(left))))
    }

    async fn find_upload(&self, key: &str) -> Result<Option<StoredUpload>, StoreError> {
        let found: Option<(String, i64)> = sqlx::query_as(FIND_UPLOAD)
            .bind(key)
            .fetch_optional(self.pool.count_statement())
            .await
            .map_err(store_error)?;
        let key = key.to_owned();
        Ok(found.map(|(value, expires_at)| StoredUpload { key, value, expires_at: Timestamp(expires_at) }))
    }

    async fn record_upload(&self, upload: StoredUpload) -> Result<(), StoreError> {
        let noted = sqlx::query(RECORD_UPLOAD).bind(&upload.key).bind(&upload.value).bind(upload.expires_at.0);
        noted.execute(self.pool.count_statement()).await.map(drop).map_err(store_error)
    }

    async fn take_due_polls(&self, limit: u32, lease: Duration) -> Result<Vec<DuePoll>, StoreError> {
        let taken: Vec<PollColumns> = sqlx::query_as(TAKE_POLLS)
            .bind(i64::from(limit))
            .bind(duration_ms(lease))
            .fetch_all(self.pool.count_statement())
            .await
            .map_err(store_error)?;
        job_rows::due_polls(taken)
    }

    async fn reschedule_poll(
        &self,
        job: &str,
        effect: u64,
        due_at: Timestamp,
        progress: Option<(u64, f64)>,
    ) -> Result<(), StoreError> {
        // Two transactions: a commit may hold the step's row and wait for the poll's.
        let back = sqlx::query(sql::PUT_BACK).bind(job).bind(to_int(effect)).bind(due_at.0);
        back.execute(self.pool.count_statement()).await.map_err(store_error)?;
        if let Some((ordinal, progress)) = progress {
            let told = sqlx::query(sql::PROGRESS).bind(job).bind(to_int(ordinal)).bind(progress).bind(to_int(effect));
            told.execute(self.pool.count_statement()).await.map_err(store_error)?;
        }
        Ok(())
    }

    async fn record_step_report(&self, job: &str, report: StepReport) -> Result<(), StoreError> {
        let StepReport { step, attempt, queue_position, preview, log } = &report;
        let recorded = sqlx::query(sql::RECORD_REPORT)
            .bind(job)
            .bind(to_int(*step))
            .bind(to_small_int(*attempt))
            .bind(queue_position.map(to_int))
            .bind(preview)
            .bind(log.as_ref().map(|log| &log.text))
            .bind(log.as_ref().map_or(0, |log| to_int(log.total_bytes)));
        recorded.execute(self.pool.count_statement()).await.map(drop).map_err(store_error)
    }

    async fn replace_poll_ticket(&self, job: &str, effect: u64, ticket: Value) -> Result<(), StoreError> {
        let replaced = sqlx::query(sql::REPLACE_TICKET).bind(job).bind(to_int(effect)).bind(ticket.to_string());
        replaced.execute(self.pool.count_statement()).await.map_err(store_error)?;
        Ok(())
    }
}
