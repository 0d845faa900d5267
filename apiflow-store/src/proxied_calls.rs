//! Statements about calls through the proxy that both databases accept, and conversions of their rows.

use apiflow_core::money::{Amount, AttemptCost, Cost};
use apiflow_core::ports::{AttemptCharge, ProxiedCall, StoreError, Timestamp};

use crate::job_rows::{from_int, parse_json, to_int, to_json_text};

/// The columns of a call.
macro_rules! columns {
    () => {
        "id, connector_id, node_id, user_id, method, path, started_at, finished_at, status, bytes_sent, \
         bytes_received, cost, error"
    };
}

/// Records the beginning of a call: the columns, its lease (`$14`, in milliseconds), what is at risk (`$15`, `$16`).
macro_rules! begin_call {
    ($now:expr) => {
        concat!(
            "INSERT INTO proxied_calls (",
            crate::proxied_calls::columns!(),
            ", lease_until, risk_currency, risk_amount) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, ",
            $now,
            " + $14, $15, $16)"
        )
    };
}
pub(crate) use begin_call;

/// Extends the lease of a call by `$2` milliseconds from now.
macro_rules! renew_call {
    ($now:expr) => {
        concat!("UPDATE proxied_calls SET lease_until = ", $now, " + $2 WHERE id = $1 AND lease_until IS NOT NULL")
    };
}
pub(crate) use renew_call;

/// Records the end of a call that has not ended.
pub(crate) const END_CALL: &str = concat!(
    "INSERT INTO proxied_calls (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO UPDATE SET \
     finished_at = excluded.finished_at, status = excluded.status, bytes_sent = excluded.bytes_sent, \
     bytes_received = excluded.bytes_received, cost = excluded.cost, error = excluded.error, lease_until = NULL, \
     risk_currency = NULL, risk_amount = NULL WHERE proxied_calls.lease_until IS NOT NULL"
);

/// Calls whose lease has ended, with what is at risk.
macro_rules! lost_calls {
    ($now:expr) => {
        concat!(
            "SELECT ",
            crate::proxied_calls::columns!(),
            ", risk_currency, risk_amount FROM proxied_calls WHERE lease_until <= ",
            $now,
            " ORDER BY id LIMIT 100"
        )
    };
}
pub(crate) use {columns, lost_calls};

pub(crate) const CALLS: &str = concat!("SELECT ", columns!(), " FROM proxied_calls WHERE 1 = 1");
pub(crate) const COUNT_CALLS: &str = "SELECT COUNT(*) FROM proxied_calls";
/// Deletes up to `$2` of the oldest calls, those that began before `$1`.
pub(crate) const DELETE_EXPIRED: &str = "DELETE FROM proxied_calls WHERE lease_until IS NULL AND started_at < $1 \
     AND id IN (SELECT id FROM proxied_calls ORDER BY id LIMIT $2)";
/// Deletes the `$1` oldest calls.
pub(crate) const DELETE_OLDEST: &str = "DELETE FROM proxied_calls WHERE lease_until IS NULL \
     AND id IN (SELECT id FROM proxied_calls ORDER BY id LIMIT $1)";

/// Adds a filter's conditions to a query of calls; the databases' builders have no type in common.
macro_rules! push_call_filter {
    ($query:ident, $filter:ident, $before:ident, $limit:ident) => {
        if let Some(connector) = &$filter.connector_id {
            $query.push(" AND connector_id = ").push_bind(connector);
        }
        if let Some(user) = &$filter.user {
            $query.push(" AND user_id = ").push_bind(user);
        }
        if let Some(status) = $filter.min_status {
            $query.push(" AND status >= ").push_bind(i64::from(status));
        }
        if let Some(status) = $filter.max_status {
            $query.push(" AND status <= ").push_bind(i64::from(status));
        }
        if let Some(moment) = $filter.started_after {
            $query.push(" AND started_at >= ").push_bind(moment.0);
        }
        if let Some(moment) = $filter.started_before {
            $query.push(" AND started_at < ").push_bind(moment.0);
        }
        if let Some(before) = $before {
            $query.push(" AND id < ").push_bind(before);
        }
        $query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from($limit));
    };
}
pub(crate) use push_call_filter;

/// A row of a call; SQLite and Postgres read it by the names of its columns, or by their order.
pub(crate) type CallColumns = (
    String,
    String,
    Option<String>,
    String,
    String,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    i64,
    i64,
    Option<String>,
    Option<String>,
);

/// A row of a lost call: its columns, and the currency and amount at risk.
pub(crate) type LostColumns = (
    String,
    String,
    Option<String>,
    String,
    String,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    i64,
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
);

/// Returns the columns of a call.
pub(crate) fn to_columns(call: ProxiedCall) -> CallColumns {
    (
        call.id,
        call.connector_id,
        call.node_id,
        call.user,
        call.method,
        call.path,
        call.started_at.0,
        call.finished_at.map(|moment| moment.0),
        call.status.map(i64::from),
        to_int(call.bytes_sent),
        to_int(call.bytes_received),
        call.cost.as_ref().map(to_json_text),
        call.error,
    )
}

/// Converts a row of a call.
pub(crate) fn from_columns(columns: CallColumns) -> Result<ProxiedCall, StoreError> {
    let (id, connector_id, node_id, user, method, path, started, finished, status, sent, received, cost, error) =
        columns;
    Ok(ProxiedCall {
        id,
        connector_id,
        node_id,
        user,
        method,
        path,
        started_at: Timestamp(started),
        finished_at: finished.map(Timestamp),
        status: status.and_then(|status| u16::try_from(status).ok()),
        bytes_sent: from_int(sent),
        bytes_received: from_int(received),
        cost: cost.map(|cost| parse_json(&cost)).transpose()?,
        error,
    })
}

/// Converts a lost call to one that ended at `now`, with what is charged.
pub(crate) fn end_lost(row: LostColumns, now: Timestamp) -> Result<(ProxiedCall, Option<AttemptCharge>), StoreError> {
    let (
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
        currency,
        amount,
    ) = row;
    let columns = (id, connector, node, user, method, path, started, finished, status, sent, received, cost, error);
    let call = from_columns(columns)?;
    let charge = currency.zip(amount).map(|(currency, amount)| AttemptCharge {
        node_id: call.usage_key(),
        cost: AttemptCost { currency, amount: None },
        held: Amount::from_units(amount),
    });
    let cost = charge.as_ref().map(|charge| Cost::of_attempt(&charge.cost));
    let error = Some(ProxiedCall::LOST.to_owned());
    Ok((ProxiedCall { finished_at: Some(now), cost, error, ..call }, charge))
}

/// Returns the currency and amount of what is at risk, in units.
pub(crate) fn risk_columns(at_risk: Option<&AttemptCharge>) -> (Option<String>, Option<i64>) {
    (at_risk.map(|charge| charge.cost.currency.clone()), at_risk.map(|charge| charge.held.to_units()))
}
