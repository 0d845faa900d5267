//! Webhooks of jobs, and their deliveries, on SQLite.

use apiflow_core::ports::{
    AfterTry, DeliveryTry, DueDeliveries, JobWebhook, StoreError, WebhookDeliveries, WebhookDelivery,
};
use async_trait::async_trait;
use rusqlite::params;
use rusqlite::types::Value;

use super::connection::Connection;
use super::{SqliteStore, now};
use crate::commit_rows::Announced;
use crate::job_rows::{self, duration_ms, from_int, to_json_text};
use crate::webhook_deliveries::{self, DeliveryColumns, delivery, events_text, job_webhook, try_values};

const ADD_WEBHOOK: &str = "INSERT INTO job_webhooks (job_id, url, host, events, signer) VALUES ($1, $2, $3, $4, $5)";
const ANNOUNCE: &str = concat!(
    "INSERT INTO webhook_deliveries (id, job_id, event, step, at, url, host, signer, lane, state, queued_at, due_at, \
     ready_at) SELECT $2, $1, $3, $4, $5, url, host, signer, signer || ' ' || host, 'pending', ",
    now!(),
    ", ",
    now!(),
    ", ",
    now!(),
    " FROM job_webhooks WHERE job_id = $1 AND instr(events, ' ' || $3 || ' ') > 0 ON CONFLICT DO NOTHING"
);
const IS_DUE: &str = concat!(
    "WITH RECURSIVE ",
    webhook_deliveries::lanes!(),
    " SELECT EXISTS (SELECT 1 FROM lane WHERE (SELECT MIN(ready_at) FROM webhook_deliveries \
         WHERE lane = lane.name AND ready_at IS NOT NULL) <= ",
    now!(),
    ")"
);
const TAKE: &str = concat!(
    "WITH RECURSIVE ",
    webhook_deliveries::lanes!(),
    ", found AS (SELECT due.id, due.host, due.signer, due.ready_at, \
         row_number() OVER (PARTITION BY due.lane ORDER BY due.ready_at, due.id) AS in_lane \
         FROM lane JOIN webhook_deliveries AS due ON due.id IN (SELECT id FROM webhook_deliveries AS first \
             WHERE first.lane = lane.name AND first.ready_at <= ",
    now!(),
    " ORDER BY first.ready_at, first.id LIMIT max($2, $3)) \
         WHERE due.host NOT IN (SELECT value FROM json_each($4)) AND due.signer NOT IN (SELECT value FROM json_each($5))), ",
    webhook_deliveries::chosen!(),
    " UPDATE webhook_deliveries SET tries = tries + 1, ready_at = ",
    now!(),
    " + $6 WHERE id IN (SELECT id FROM chosen) RETURNING ",
    webhook_deliveries::delivery_columns!()
);
const RECORD_TRY: &str = webhook_deliveries::record_try!(now!());
const RESEND: &str = webhook_deliveries::resend!(now!());

/// The id, event and step of an announcement.
pub(super) type AnnouncementValues = [Value; 3];

/// The columns of an announcement, in the order of the insert.
pub(super) fn announcement_values(announced: Announced) -> AnnouncementValues {
    [announced.id.into(), Value::Text(announced.event.to_owned()), announced.step.into()]
}

/// Records where a new job is announced.
pub(super) fn add_webhook(connection: &Connection, job: &str, webhook: Option<&JobWebhook>) -> rusqlite::Result<()> {
    let Some(JobWebhook { url, host, events, signer }) = webhook else { return Ok(()) };
    connection.execute(ADD_WEBHOOK, params![job, url, host, events_text(events), signer]).map(drop)
}

/// Queues what a job announces, if it has a webhook for it.
pub(super) fn announce(
    connection: &Connection,
    job: &str,
    at: &Value,
    announced: &[AnnouncementValues],
) -> rusqlite::Result<()> {
    for [id, event, step] in announced {
        connection.execute(ANNOUNCE, params![job, id, event, step, at])?;
    }
    Ok(())
}

#[async_trait]
impl WebhookDeliveries for SqliteStore {
    async fn read_job_webhook(&self, job: &str) -> Result<Option<JobWebhook>, StoreError> {
        let job = job.to_owned();
        self.read(move |connection| {
            let found = connection.fetch_optional(webhook_deliveries::JOB_WEBHOOK, params![job])?;
            Ok(found.map(job_webhook).transpose()?)
        })
        .await
    }

    async fn list_deliveries(&self, job: &str, limit: u32) -> Result<Vec<WebhookDelivery>, StoreError> {
        let job = job.to_owned();
        self.read(move |connection| {
            let rows: Vec<DeliveryColumns> =
                connection.fetch_all(webhook_deliveries::DELIVERIES, params![job, limit])?;
            Ok(job_rows::convert_all(rows, delivery)?)
        })
        .await
    }

    async fn take_due_deliveries(&self, wanted: DueDeliveries) -> Result<Vec<WebhookDelivery>, StoreError> {
        // Read first: an idle sender does not write.
        let (is_due,): (bool,) = self.read(|connection| Ok(connection.fetch_one(IS_DUE, &[])?)).await?;
        if !is_due {
            return Ok(Vec::new());
        }
        let DueDeliveries { limit, per_host, per_user, busy_hosts, busy_users, lease } = wanted;
        let (hosts, users) = (to_json_text(&busy_hosts), to_json_text(&busy_users));
        let taken: Vec<DeliveryColumns> = self
            .write(move |connection| {
                let parameters = params![limit, per_host, per_user, hosts, users, duration_ms(lease)];
                Ok(connection.fetch_all(TAKE, parameters)?)
            })
            .await?;
        job_rows::convert_all(taken, delivery)
    }

    async fn record_delivery_try(
        &self,
        id: &str,
        tries: u32,
        outcome: DeliveryTry,
        next: AfterTry,
    ) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |connection| {
            let (outcome, state, delay) = try_values(&outcome, next);
            Ok(connection.execute(RECORD_TRY, params![id, tries, outcome, state, delay])? > 0)
        })
        .await
    }

    async fn resend_delivery(&self, job: &str, id: &str) -> Result<bool, StoreError> {
        let (job, id) = (job.to_owned(), id.to_owned());
        self.write(move |connection| Ok(connection.execute(RESEND, params![job, id])? > 0)).await
    }

    async fn count_pending_deliveries(&self) -> Result<u64, StoreError> {
        let (count,): (i64,) =
            self.read(|connection| Ok(connection.fetch_one(webhook_deliveries::COUNT_PENDING, &[])?)).await?;
        Ok(from_int(count))
    }
}
