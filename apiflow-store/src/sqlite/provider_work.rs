//! Operations that are polled at providers, on SQLite.

use std::time::Duration;

use apiflow_core::ports::{DuePoll, ProviderWork, ProviderWorkClaim, StepReport, StoreError, StoredUpload, Timestamp};
use async_trait::async_trait;
use rusqlite::params;
use serde_json::Value;

use super::{SqliteStore, now};
use crate::job_rows::{self, PollColumns, duration_ms, from_int, to_int, to_small_int};
use crate::sql;

/// The longer of two pauses remains.
const PAUSE_SUBMITS: &str = concat!(
    "INSERT INTO submit_pauses (rate_limit, until) VALUES ($1, ",
    now!(),
    " + $2) ON CONFLICT (rate_limit) DO UPDATE SET until = excluded.until \
     WHERE submit_pauses.until < excluded.until"
);
const FORGET_PAUSES: &str = concat!("DELETE FROM submit_pauses WHERE until <= ", now!());
const SUBMITS_PAUSED: &str = sql::submit_pause!(now!());
const FIND_UPLOAD: &str = sql::find_upload!(now!());
const RECORD_UPLOAD: &str = "INSERT INTO provider_uploads (upload_key, value, expires_at) VALUES ($1, $2, $3) \
     ON CONFLICT (upload_key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at";
const FORGET_UPLOADS: &str = concat!("DELETE FROM provider_uploads WHERE expires_at <= ", now!());
const IS_POLL_DUE: &str = concat!("SELECT EXISTS (SELECT 1 FROM job_polls WHERE ready_at <= ", now!(), ")");
const TAKE_POLLS: &str = concat!(
    "UPDATE job_polls SET ready_at = ",
    now!(),
    " + $2 WHERE (job_id, effect) IN (SELECT job_id, effect FROM job_polls WHERE ready_at <= ",
    now!(),
    " ORDER BY ready_at, job_id, effect LIMIT $1) RETURNING job_id, effect, due_at, tries, ticket"
);

#[async_trait]
impl ProviderWork for SqliteStore {
    async fn claim_provider_work(&self, following: ProviderWorkClaim) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let ProviderWorkClaim { provider, provider_id, job, effect } = &following;
            let noted: Option<(i64,)> =
                connection.fetch_optional(sql::FOLLOW, params![provider, provider_id, job, to_int(*effect)])?;
            Ok(noted.is_some())
        })
        .await
    }

    async fn pause_submits(&self, limit: &str, pause: Duration) -> Result<(), StoreError> {
        let limit = limit.to_owned();
        let paused = self.write(move |connection| {
            connection.execute(FORGET_PAUSES, &[])?;
            connection.execute(PAUSE_SUBMITS, params![limit, duration_ms(pause)])?;
            Ok(())
        });
        let paused = paused.await;
        self.pauses.note_pause();
        paused
    }

    async fn read_submit_pause(&self, limit: &str) -> Result<Option<Duration>, StoreError> {
        if self.pauses.is_none_paused() {
            return Ok(None);
        }
        let limit = limit.to_owned();
        self.read(move |connection| {
            let left: Option<(i64,)> = connection.fetch_optional(SUBMITS_PAUSED, params![limit])?;
            Ok(left.map(|(left,)| Duration::from_millis(from_int(left))))
        })
        .await
    }

    async fn find_upload(&self, key: &str) -> Result<Option<StoredUpload>, StoreError> {
        let key = key.to_owned();
        self.read(move |connection| {
            let found: Option<(String, i64)> = connection.fetch_optional(FIND_UPLOAD, params![key])?;
            Ok(found.map(|(value, expires_at)| StoredUpload { key, value, expires_at: Timestamp(expires_at) }))
        })
        .await
    }

    async fn record_upload(&self, upload: StoredUpload) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection.execute(FORGET_UPLOADS, &[])?;
            connection.execute(RECORD_UPLOAD, params![upload.key, upload.value, upload.expires_at.0])?;
            Ok(())
        })
        .await
    }

    async fn take_due_polls(&self, limit: u32, lease: Duration) -> Result<Vec<DuePoll>, StoreError> {
        // Read first: an idle poller does not write.
        let (is_due,): (bool,) = self.read(|connection| Ok(connection.fetch_one(IS_POLL_DUE, &[])?)).await?;
        if !is_due {
            return Ok(Vec::new());
        }
        let taken: Vec<PollColumns> = self
            .write(move |connection| Ok(connection.fetch_all(TAKE_POLLS, params![limit, duration_ms(lease)])?))
            .await?;
        job_rows::due_polls(taken)
    }

    async fn reschedule_poll(
        &self,
        job: &str,
        effect: u64,
        due_at: Timestamp,
        progress: Option<(u64, f64)>,
    ) -> Result<(), StoreError> {
        let job = job.to_owned();
        self.write(move |connection| {
            connection.execute(sql::PUT_BACK, params![job, to_int(effect), due_at.0])?;
            if let Some((ordinal, progress)) = progress {
                connection.execute(sql::PROGRESS, params![job, to_int(ordinal), progress, to_int(effect)])?;
            }
            Ok(())
        })
        .await
    }

    async fn record_step_report(&self, job: &str, report: StepReport) -> Result<(), StoreError> {
        let job = job.to_owned();
        self.write(move |connection| {
            let StepReport { step, attempt, queue_position, preview, log } = &report;
            connection.execute(
                sql::RECORD_REPORT,
                params![
                    job,
                    to_int(*step),
                    to_small_int(*attempt),
                    queue_position.map(to_int),
                    preview,
                    log.as_ref().map(|log| &log.text),
                    log.as_ref().map_or(0, |log| to_int(log.total_bytes)),
                ],
            )?;
            Ok(())
        })
        .await
    }

    async fn replace_poll_ticket(&self, job: &str, effect: u64, ticket: Value) -> Result<(), StoreError> {
        let (job, ticket) = (job.to_owned(), ticket.to_string());
        self.write(move |connection| {
            connection.execute(sql::REPLACE_TICKET, params![job, to_int(effect), ticket])?;
            Ok(())
        })
        .await
    }
}
