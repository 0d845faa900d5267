//! What tokens may be limited to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One thing that a token may do. A token with scopes may do nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenScope {
    /// Requests through the raw proxy.
    Proxy(ProxyScope),
    /// Runs of saved workflows and nodes, and everything that concerns the jobs that the token started.
    Run(RunScope),
}

/// The requests through the raw proxy that a token may send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyScope {
    /// Id of the connector.
    pub connector: String,
    /// HTTP methods in upper case, such as `POST`; `GET` includes `HEAD`.
    pub methods: Vec<String>,
    /// Paths below the connector's `base_url`, without a leading slash and without escapes. `*` stands for any characters
    /// of one segment, and `**` as the last segment for any further segments, or none.
    pub paths: Vec<String>,
}

/// The workflows and nodes that a token may run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunScope {
    /// Ids of workflows, or `*` for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workflows: Vec<String>,
    /// Ids of nodes, or `*` for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
}
