//! Calls through the proxy on Postgres.

use std::time::Duration;

use apiflow_core::ports::{AttemptCharge, ProxiedCall, ProxiedCallFilter, ProxiedCalls, StoreError, Timestamp, day_of};
use async_trait::async_trait;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Postgres, QueryBuilder};

use super::statements::{CountedPool, run_to_end};
use super::{PostgresStore, now};
use crate::commit_rows::Charge;
use crate::fault::store_error;
use crate::housekeeping::excess_jobs;
use crate::job_rows::{self, duration_ms};
use crate::proxied_calls::{self, CallColumns, LostColumns, end_lost, risk_columns, to_columns};
use crate::spending::{ADD_CHARGE, END_ALL_RESERVATIONS};
use crate::submit_slots::{self, owner_of_call};

const BEGIN_CALL: &str = proxied_calls::begin_call!(now!());
const RENEW_CALL: &str = proxied_calls::renew_call!(now!());
const LOST_CALLS: &str = proxied_calls::lost_calls!(now!());
const RENEW_SLOT: &str = submit_slots::renew_lease!(now!());
const END_SLOT: &str = submit_slots::end_call_slot!(now!());

#[async_trait]
impl ProxiedCalls for PostgresStore {
    async fn begin_proxied_call(
        &self,
        call: ProxiedCall,
        at_risk: Option<AttemptCharge>,
        lease: Duration,
    ) -> Result<(), StoreError> {
        let (currency, amount) = risk_columns(at_risk.as_ref());
        let begun = bind_call(BEGIN_CALL, call).bind(duration_ms(lease)).bind(currency).bind(amount);
        begun.execute(self.pool.count_statement()).await.map(drop).map_err(store_error)
    }

    async fn renew_proxied_call(&self, id: &str, lease: Duration) -> Result<(), StoreError> {
        let lease_ms = duration_ms(lease);
        // Two transactions: the end of the call locks these rows in the same order.
        let renewed = sqlx::query(RENEW_CALL).bind(id).bind(lease_ms).execute(self.pool.count_statement()).await;
        renewed.map_err(store_error)?;
        let renewed = sqlx::query(RENEW_SLOT).bind(owner_of_call(id)).bind(lease_ms);
        renewed.execute(self.pool.count_statement()).await.map(drop).map_err(store_error)
    }

    async fn end_proxied_call(&self, call: ProxiedCall, charge: Option<AttemptCharge>) -> Result<(), StoreError> {
        let pool = self.pool.clone();
        run_to_end(async move { end_call(&pool, call, charge).await.map_err(store_error) }).await
    }

    async fn end_lost_proxied_calls(&self, now: Timestamp) -> Result<u64, StoreError> {
        let lost: Vec<LostColumns> =
            sqlx::query_as(LOST_CALLS).fetch_all(self.pool.count_statement()).await.map_err(store_error)?;
        let count = lost.len() as u64;
        // One transaction each: charges are locked in no order.
        for row in lost {
            let (call, charge) = end_lost(row, now)?;
            self.end_proxied_call(call, charge).await?;
        }
        Ok(count)
    }

    async fn list_proxied_calls(
        &self,
        filter: &ProxiedCallFilter,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ProxiedCall>, StoreError> {
        let mut query = QueryBuilder::new(proxied_calls::CALLS);
        proxied_calls::push_call_filter!(query, filter, before, limit);
        let rows: Vec<CallColumns> =
            query.build_query_as().fetch_all(self.pool.count_statement()).await.map_err(store_error)?;
        job_rows::convert_all(rows, proxied_calls::from_columns)
    }

    async fn delete_old_proxied_calls(
        &self,
        started_before: Option<Timestamp>,
        max_calls: Option<u64>,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let mut deleted = 0;
        if let Some(moment) = started_before {
            let gone = sqlx::query(proxied_calls::DELETE_EXPIRED).bind(moment.0).bind(i64::from(limit));
            deleted += gone.execute(self.pool.count_statement()).await.map_err(store_error)?.rows_affected();
        }
        if let Some(max) = max_calls {
            let (count,): (i64,) = sqlx::query_as(proxied_calls::COUNT_CALLS)
                .fetch_one(self.pool.count_statement())
                .await
                .map_err(store_error)?;
            let left = limit.saturating_sub(u32::try_from(deleted).unwrap_or(u32::MAX));
            let excess = excess_jobs(count, max, left);
            if excess > 0 {
                let gone = sqlx::query(proxied_calls::DELETE_OLDEST).bind(excess);
                deleted += gone.execute(self.pool.count_statement()).await.map_err(store_error)?.rows_affected();
            }
        }
        Ok(deleted)
    }
}

/// Binds the columns of a call.
fn bind_call(statement: &'static str, call: ProxiedCall) -> Query<'static, Postgres, PgArguments> {
    let (id, connector, node, user, method, path, started, finished, status, sent, received, cost, error) =
        to_columns(call);
    sqlx::query(statement)
        .bind(id)
        .bind(connector)
        .bind(node)
        .bind(user)
        .bind(method)
        .bind(path)
        .bind(started)
        .bind(finished)
        .bind(status)
        .bind(sent)
        .bind(received)
        .bind(cost)
        .bind(error)
}

/// Records the end of a call, unless it has ended.
async fn end_call(pool: &CountedPool, call: ProxiedCall, charge: Option<AttemptCharge>) -> Result<(), sqlx::Error> {
    let (owner, user) = (owner_of_call(&call.id), call.user.clone());
    let day = day_of(call.finished_at.unwrap_or(call.started_at));
    let mut transaction = pool.begin().await?;
    let ended = bind_call(proxied_calls::END_CALL, call).execute(transaction.count_statement()).await?;
    if ended.rows_affected() > 0 {
        sqlx::query(END_SLOT).bind(&owner).execute(transaction.count_statement()).await?;
        sqlx::query(END_ALL_RESERVATIONS).bind(&owner).execute(transaction.count_statement()).await?;
        if let Some(charge) = &charge {
            let Charge { node_id, currency, amount, held, unknown, .. } = Charge::of_attempt(0, day, charge);
            let charged = sqlx::query(ADD_CHARGE).bind(user).bind("").bind(day).bind(node_id).bind(currency);
            let charged = charged.bind(amount).bind(held).bind(unknown);
            charged.execute(transaction.count_statement()).await?;
        }
    }
    transaction.commit().await
}
