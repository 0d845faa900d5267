//! Calls that belong to no job: callers' requests that were passed on to a provider.

use std::time::Duration;

use async_trait::async_trait;

use super::{AttemptCharge, StoreError};
use crate::money::Cost;
use crate::ports::Timestamp;

/// Records the calls through the proxy. Every method is one transaction.
///
/// A call that has begun has a lease. If the process that makes it dies, the lease ends, and with it the call: what it
/// may have cost is held.
#[async_trait]
pub trait ProxiedCalls: Send + Sync {
    /// Records that a call begins. `at_risk` is charged if its end is never recorded.
    async fn begin_proxied_call(
        &self,
        call: ProxiedCall,
        at_risk: Option<AttemptCharge>,
        lease: Duration,
    ) -> Result<(), StoreError>;

    /// Extends the lease of a call, from now on, and that of its slot.
    async fn renew_proxied_call(&self, id: &str, lease: Duration) -> Result<(), StoreError>;

    /// Records the end of a call, whether or not its beginning was recorded; charges its user, and ends its reservation
    /// and its slot. Does nothing if the call has ended already.
    async fn end_proxied_call(&self, call: ProxiedCall, charge: Option<AttemptCharge>) -> Result<(), StoreError>;

    /// Ends calls whose lease has ended, and charges what was at risk, at the time `now`; returns their number.
    async fn end_lost_proxied_calls(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Lists calls, newest first (by id), before the call `before` if given.
    async fn list_proxied_calls(
        &self,
        filter: &ProxiedCallFilter,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ProxiedCall>, StoreError>;

    /// Deletes up to `limit` of the oldest calls that have ended: those that began before `started_before`, and those
    /// beyond the newest `max_calls`; returns their number.
    async fn delete_old_proxied_calls(
        &self,
        started_before: Option<Timestamp>,
        max_calls: Option<u64>,
        limit: u32,
    ) -> Result<u64, StoreError>;
}

/// A caller's request that was passed on, or refused. It contains no bodies and no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxiedCall {
    /// Id, a UUIDv7 or another id that sorts by time.
    pub id: String,
    /// Id of the connector.
    pub connector_id: String,
    /// Id of the connector's node with the method and path of the request, if there is one.
    pub node_id: Option<String>,
    /// Id of the user who made it.
    pub user: String,
    /// Method, in upper case.
    pub method: String,
    /// Path below the connector's base URL, and the query with masked values.
    pub path: String,
    /// When the request arrived.
    pub started_at: Timestamp,
    /// When its reply, or its refusal, ended; `None` while it is at work.
    pub finished_at: Option<Timestamp>,
    /// Status of the reply to the caller: the provider's, or that of the problem in `error`.
    pub status: Option<u16>,
    /// Number of bytes of the request's body that were passed on.
    pub bytes_sent: u64,
    /// Number of bytes of the reply's body that were passed on.
    pub bytes_received: u64,
    /// What it cost, if it has a price.
    pub cost: Option<Cost>,
    /// Why it failed, or was refused.
    pub error: Option<String>,
}

impl ProxiedCall {
    /// The error of a call whose process died.
    pub const LOST: &str = "the process that passed it on was interrupted";

    /// Returns the key under which usage by node counts the call: its node, or `proxy/CONNECTOR`.
    pub fn usage_key(&self) -> String {
        self.node_id.clone().unwrap_or_else(|| format!("proxy/{}", self.connector_id))
    }
}

/// Which calls are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxiedCallFilter {
    /// Only those with this connector.
    pub connector_id: Option<String>,
    /// Only those of this user.
    pub user: Option<String>,
    /// Only those with a status of at least this.
    pub min_status: Option<u16>,
    /// Only those with a status of at most this.
    pub max_status: Option<u16>,
    /// Only those that began then or later.
    pub started_after: Option<Timestamp>,
    /// Only those that began earlier.
    pub started_before: Option<Timestamp>,
}

impl ProxiedCallFilter {
    /// Returns whether a call is listed.
    pub fn includes(&self, call: &ProxiedCall) -> bool {
        let has_status = |is_within: fn(u16, u16) -> bool, limit: Option<u16>| {
            limit.is_none_or(|limit| call.status.is_some_and(|status| is_within(status, limit)))
        };
        self.connector_id.as_ref().is_none_or(|id| *id == call.connector_id)
            && self.user.as_ref().is_none_or(|user| *user == call.user)
            && has_status(|status, limit| status >= limit, self.min_status)
            && has_status(|status, limit| status <= limit, self.max_status)
            && self.started_after.is_none_or(|moment| call.started_at >= moment)
            && self.started_before.is_none_or(|moment| call.started_at < moment)
    }
}
