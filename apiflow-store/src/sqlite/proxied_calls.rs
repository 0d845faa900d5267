//! Calls through the proxy on SQLite.

use std::time::Duration;

use apiflow_core::ports::{AttemptCharge, ProxiedCall, ProxiedCallFilter, ProxiedCalls, StoreError, Timestamp, day_of};
use async_trait::async_trait;
use rusqlite::params;

use super::connection::Connection;
use super::filter_query::FilterQuery;
use super::spending::{charge_subjects, charge_values};
use super::{SqliteStore, now};
use crate::commit_rows::Charge;
use crate::housekeeping::excess_jobs;
use crate::job_rows::{self, duration_ms};
use crate::proxied_calls::{self, CallColumns, LostColumns, end_lost, risk_columns, to_columns};
use crate::spending::END_ALL_RESERVATIONS;
use crate::submit_slots::{self, owner_of_call};

const BEGIN_CALL: &str = proxied_calls::begin_call!(now!());
const RENEW_CALL: &str = proxied_calls::renew_call!(now!());
const LOST_CALLS: &str = proxied_calls::lost_calls!(now!());
const RENEW_SLOT: &str = submit_slots::renew_lease!(now!());
const END_SLOT: &str = submit_slots::end_call_slot!(now!());

#[async_trait]
impl ProxiedCalls for SqliteStore {
    async fn begin_proxied_call(
        &self,
        call: ProxiedCall,
        at_risk: Option<AttemptCharge>,
        lease: Duration,
    ) -> Result<(), StoreError> {
        let (currency, amount) = risk_columns(at_risk.as_ref());
        let row = to_columns(call);
        self.write(move |connection| {
            let (id, connector, node, user, method, path, started, finished, status, sent, received, cost, error) =
                &row;
            connection.execute(
                BEGIN_CALL,
                params![
                    id,
                    connector,
                    node,
                    user,
                    method,
                    path,
                    started,
                    finished,
                    status,
                    sent,
                    received,
                    cost,
                    error,
                    duration_ms(lease),
                    currency,
                    amount
                ],
            )?;
            Ok(())
        })
        .await
    }

    async fn renew_proxied_call(&self, id: &str, lease: Duration) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |connection| {
            connection.execute(RENEW_CALL, params![id, duration_ms(lease)])?;
            connection.execute(RENEW_SLOT, params![owner_of_call(&id), duration_ms(lease)])?;
            Ok(())
        })
        .await
    }

    async fn end_proxied_call(&self, call: ProxiedCall, charge: Option<AttemptCharge>) -> Result<(), StoreError> {
        self.write(move |connection| Ok(end_call(connection, &call, charge.as_ref())?)).await
    }

    async fn end_lost_proxied_calls(&self, now: Timestamp) -> Result<u64, StoreError> {
        let lost: Vec<LostColumns> = self.read(|connection| Ok(connection.fetch_all(LOST_CALLS, &[])?)).await?;
        if lost.is_empty() {
            return Ok(0);
        }
        self.write(move |connection| {
            let lost: Vec<LostColumns> = connection.fetch_all(LOST_CALLS, &[])?;
            let count = lost.len() as u64;
            for row in lost {
                let (call, charge) = end_lost(row, now)?;
                end_call(connection, &call, charge.as_ref())?;
            }
            Ok(count)
        })
        .await
    }

    async fn list_proxied_calls(
        &self,
        filter: &ProxiedCallFilter,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ProxiedCall>, StoreError> {
        let mut query = FilterQuery::new(proxied_calls::CALLS);
        proxied_calls::push_call_filter!(query, filter, before, limit);
        self.read(move |connection| {
            let rows: Vec<CallColumns> = query.fetch_all(connection)?;
            Ok(job_rows::convert_all(rows, proxied_calls::from_columns)?)
        })
        .await
    }

    async fn delete_old_proxied_calls(
        &self,
        started_before: Option<Timestamp>,
        max_calls: Option<u64>,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.write(move |connection| {
            let mut deleted = 0;
            if let Some(moment) = started_before {
                deleted += connection.execute(proxied_calls::DELETE_EXPIRED, params![moment.0, limit])?;
            }
            if let Some(max) = max_calls {
                let (count,): (i64,) = connection.fetch_one(proxied_calls::COUNT_CALLS, &[])?;
                let left = limit.saturating_sub(u32::try_from(deleted).unwrap_or(u32::MAX));
                let excess = excess_jobs(count, max, left);
                if excess > 0 {
                    deleted += connection.execute(proxied_calls::DELETE_OLDEST, params![excess])?;
                }
            }
            Ok(deleted as u64)
        })
        .await
    }
}

/// Records the end of a call, unless it has ended.
fn end_call(connection: &Connection, call: &ProxiedCall, charge: Option<&AttemptCharge>) -> rusqlite::Result<()> {
    let (id, connector, node, user, method, path, started, finished, status, sent, received, cost, error) =
        to_columns(call.clone());
    let ended = connection.execute(
        proxied_calls::END_CALL,
        params![id, connector, node, user, method, path, started, finished, status, sent, received, cost, error],
    )?;
    if ended == 0 {
        return Ok(());
    }
    let owner = owner_of_call(&call.id);
    connection.execute(END_SLOT, params![owner])?;
    connection.execute(END_ALL_RESERVATIONS, params![owner])?;
    let day = day_of(call.finished_at.unwrap_or(call.started_at));
    let charges: Vec<_> = charge.into_iter().map(|charge| charge_values(Charge::of_attempt(0, day, charge))).collect();
    charge_subjects(connection, &call.user, "", &charges)
}
