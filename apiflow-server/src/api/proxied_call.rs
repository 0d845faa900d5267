//! Requests through the proxy.

use apiflow_core::money::Cost;
use apiflow_core::ports::{ProxiedCall as CallRow, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// A request that was passed on to a provider, or refused. Bodies and credentials are not recorded.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProxiedCall {
    /// Identifier.
    pub id: String,
    /// Id of the connector.
    pub connector_id: String,
    /// Id of the connector's node with the method and path of the request; null if there is none.
    #[schema(required)]
    pub node_id: Option<String>,
    /// Method, in upper case.
    pub method: String,
    /// Path below the connector's `base_url`, with the names of the query; its values are masked.
    pub path: String,
    /// Id of the user who made it.
    pub user_id: String,
    /// Status that the caller got: the provider's, or that of the problem in `error`; 499 if the caller went away before
    /// it. Null while the request is at work.
    #[schema(required)]
    pub status: Option<u16>,
    /// When the request arrived.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// When its reply ended; null while it is at work.
    #[schema(required, format = DateTime)]
    pub finished_at: Option<String>,
    /// Milliseconds between the two.
    #[schema(required)]
    pub duration_ms: Option<u64>,
    /// Number of bytes of the request's body that were passed on.
    pub bytes_sent: u64,
    /// Number of bytes of the reply's body that were passed on.
    pub bytes_received: u64,
    /// What it cost; null if no price applies to it.
    #[schema(required)]
    pub cost: Option<Cost>,
    /// Why it failed or was refused.
    #[schema(required)]
    pub error: Option<String>,
}

impl From<CallRow> for ProxiedCall {
    fn from(row: CallRow) -> Self {
        Self {
            id: row.id,
            connector_id: row.connector_id,
            node_id: row.node_id,
            method: row.method,
            path: row.path,
            user_id: row.user,
            status: row.status,
            started_at: row.started_at.to_rfc3339(),
            finished_at: row.finished_at.map(Timestamp::to_rfc3339),
            duration_ms: row.finished_at.map(|moment| moment.since_ms(row.started_at)),
            bytes_sent: row.bytes_sent,
            bytes_received: row.bytes_received,
            cost: row.cost,
            error: row.error,
        }
    }
}
