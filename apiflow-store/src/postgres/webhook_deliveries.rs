//! Webhooks of jobs, and their deliveries, on Postgres: any process takes what is due.

use apiflow_core::ports::{
    AfterTry, DeliveryTry, DueDeliveries, JobWebhook, StoreError, WebhookDeliveries, WebhookDelivery,
};
use async_trait::async_trait;

use super::{PostgresStore, now};
use crate::fault::store_error;
use crate::job_rows::{self, duration_ms, from_int};
use crate::webhook_deliveries::{self, DeliveryColumns, delivery, job_webhook, try_values};

/// Of two processes that choose the same deliveries, the one that locks them first gets them.
const TAKE: &str = concat!(
    "WITH RECURSIVE ",
    webhook_deliveries::lanes!(),
    ", found AS (SELECT due.*, row_number() OVER (PARTITION BY lane.name ORDER BY due.ready_at, due.id) AS in_lane \
         FROM lane CROSS JOIN LATERAL (SELECT id, host, signer, ready_at FROM webhook_deliveries AS first \
             WHERE first.lane = lane.name AND first.ready_at <= ",
    now!(),
    " ORDER BY first.ready_at, first.id LIMIT greatest($2, $3)) AS due \
         WHERE due.host <> ALL($4) AND due.signer <> ALL($5)), ",
    webhook_deliveries::chosen!(),
    ", locked AS (SELECT id FROM webhook_deliveries WHERE id IN (SELECT id FROM chosen) AND ready_at <= ",
    now!(),
    " ORDER BY id FOR UPDATE SKIP LOCKED) \
     UPDATE webhook_deliveries SET tries = tries + 1, ready_at = ",
    now!(),
    " + $6 WHERE id IN (SELECT id FROM locked) RETURNING ",
    webhook_deliveries::delivery_columns!()
);
const RECORD_TRY: &str = webhook_deliveries::record_try!(now!());
const RESEND: &str = webhook_deliveries::resend!(now!());

#[async_trait]
impl WebhookDeliveries for PostgresStore {
    async fn read_job_webhook(&self, job: &str) -> Result<Option<JobWebhook>, StoreError> {
        let found = sqlx::query_as(webhook_deliveries::JOB_WEBHOOK).bind(job);
        let found = found.fetch_optional(self.pool.count_statement()).await.map_err(store_error)?;
        found.map(job_webhook).transpose()
    }

    async fn list_deliveries(&self, job: &str, limit: u32) -> Result<Vec<WebhookDelivery>, StoreError> {
        let rows = sqlx::query_as(webhook_deliveries::DELIVERIES).bind(job).bind(i64::from(limit));
        let rows: Vec<DeliveryColumns> = rows.fetch_all(self.pool.count_statement()).await.map_err(store_error)?;
        job_rows::convert_all(rows, delivery)
    }

    async fn take_due_deliveries(&self, wanted: DueDeliveries) -> Result<Vec<WebhookDelivery>, StoreError> {
        let taken: Vec<DeliveryColumns> = sqlx::query_as(TAKE)
            .bind(i64::from(wanted.limit))
            .bind(i64::from(wanted.per_host))
            .bind(i64::from(wanted.per_user))
            .bind(wanted.busy_hosts)
            .bind(wanted.busy_users)
            .bind(duration_ms(wanted.lease))
            .fetch_all(self.pool.count_statement())
            .await
            .map_err(store_error)?;
        job_rows::convert_all(taken, delivery)
    }

    async fn record_delivery_try(
        &self,
        id: &str,
        tries: u32,
        outcome: DeliveryTry,
        next: AfterTry,
    ) -> Result<bool, StoreError> {
        let (outcome, state, delay) = try_values(&outcome, next);
        let recorded = sqlx::query(RECORD_TRY).bind(id).bind(i64::from(tries)).bind(outcome).bind(state).bind(delay);
        let recorded = recorded.execute(self.pool.count_statement()).await.map_err(store_error)?;
        Ok(recorded.rows_affected() > 0)
    }

    async fn resend_delivery(&self, job: &str, id: &str) -> Result<bool, StoreError> {
        let queued = sqlx::query(RESEND).bind(job).bind(id).execute(self.pool.count_statement()).await;
        Ok(queued.map_err(store_error)?.rows_affected() > 0)
    }

    async fn count_pending_deliveries(&self) -> Result<u64, StoreError> {
        let count = sqlx::query_as(webhook_deliveries::COUNT_PENDING).fetch_one(self.pool.count_statement()).await;
        let (count,): (i64,) = count.map_err(store_error)?;
        Ok(from_int(count))
    }
}
