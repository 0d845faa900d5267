//! Connectors, nodes and workflows.
//!
//! Handlers work on JSON and on [`apiflow_core::catalog`]'s types, since a stored document is returned as it was sent.
//! These types describe that JSON to client generators.

use apiflow_core::catalog::{NodeInput, NodeOutput};
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::ports::WebhookEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The findings about a document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Diagnostics {
    /// The findings, ordered by position.
    pub diagnostics: Vec<Diagnostic>,
}

/// A document to validate.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidateRequest {
    /// The OpenFlow document, a workflow's `nodes`.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub document: Value,
}

/// A provider and how to authenticate with it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Connector {
    /// Unique identifier of the connector.
    pub id: String,
    /// Display name; need not be unique.
    pub name: String,
    /// Absolute http or https URL that node paths are appended to.
    pub base_url: String,
    /// Default HTTP method of its nodes: GET, POST, PUT, PATCH, DELETE or HEAD.
    pub method: String,
    /// Templates of headers; `$NAME` refers to a secret.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub header: Value,
    /// Template of the request body.
    pub body: Option<Value>,
    /// Defaults of its nodes' `data`, plus `auth`, `hosts`, `media_hosts`, `limits` and `errors`.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub data: Option<Value>,
    /// When the connector was created.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When the connector was last saved.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// The findings about the connector.
    pub diagnostics: Vec<Diagnostic>,
}

/// A connector to save; `created_at`, `updated_at` and `diagnostics` are ignored, so that a document that was read can
/// be sent back.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NewConnector {
    /// Unique identifier; generated if absent, ignored if the path contains it. `node`, `workflow` and `connector` are
    /// reserved.
    pub id: Option<String>,
    /// Display name; need not be unique.
    pub name: String,
    /// Absolute http or https URL that node paths are appended to.
    pub base_url: String,
    /// Default HTTP method of its nodes, in any case (default: POST).
    pub method: Option<String>,
    /// Templates of headers; a literal credential is moved into a generated secret.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub header: Option<Value>,
    /// Template of the request body.
    pub body: Option<Value>,
    /// Defaults of its nodes' `data`, plus `auth`, `hosts`, `media_hosts`, `limits` and `errors`.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub data: Option<Value>,
}

/// Fields of a connector to replace; each replaces the whole field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectorChange {
    /// Display name of the connector.
    pub name: Option<String>,
    /// Absolute http or https URL that node paths are appended to.
    pub base_url: Option<String>,
    /// Default HTTP method of its nodes.
    pub method: Option<String>,
    /// Templates of headers; `$NAME` refers to a secret.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub header: Option<Value>,
    /// Template of the request body.
    pub body: Option<Value>,
    /// Defaults of its nodes' `data`, plus `auth`, `hosts`, `media_hosts`, `limits` and `errors`.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub data: Option<Value>,
}

/// One typed call to a provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Node {
    /// Unique identifier of the node.
    pub id: String,
    /// Display name; need not be unique.
    pub name: String,
    /// Description of the call.
    pub description: String,
    /// Id of the connector that the call uses.
    pub connector_id: String,
    /// Declared inputs; if there are none, all inputs are passed on.
    pub input: Vec<NodeInput>,
    /// Declared outputs; if there are none, the result is the reply's JSON.
    pub output: Vec<NodeOutput>,
    /// How the request is built and the reply is read.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub data: Option<Value>,
    /// When the node was created.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When the node was last saved.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// The findings about the node.
    pub diagnostics: Vec<Diagnostic>,
}

/// A node to save; `created_at`, `updated_at` and `diagnostics` are ignored, so that a document that was read can be
/// sent back.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NewNode {
    /// Unique identifier; generated if absent, ignored if the path contains it.
    pub id: Option<String>,
    /// Display name; need not be unique.
    pub name: String,
    /// Description of the call.
    pub description: Option<String>,
    /// Id of the connector that the call uses; it must exist.
    pub connector_id: String,
    /// Declared inputs; if there are none, all inputs are passed on.
    pub input: Option<Vec<NodeInput>>,
    /// Declared outputs; if there are none, the result is the reply's JSON.
    pub output: Option<Vec<NodeOutput>>,
    /// How the request is built and the reply is read.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub data: Option<Value>,
}

/// Fields of a node to replace; each replaces the whole field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NodeChange {
    /// Display name of the node.
    pub name: Option<String>,
    /// Description of the call.
    pub description: Option<String>,
    /// Id of the connector that the call uses.
    pub connector_id: Option<String>,
    /// Declared inputs; replaces all of them.
    pub input: Option<Vec<NodeInput>>,
    /// Declared outputs; replaces all of them.
    pub output: Option<Vec<NodeOutput>>,
    /// How the request is built and the reply is read.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub data: Option<Value>,
}

/// A named OpenFlow document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Workflow {
    /// Unique identifier of the workflow.
    pub id: String,
    /// Display name; need not be unique.
    pub name: String,
    /// Description of the workflow.
    pub description: String,
    /// The OpenFlow document, as it was sent.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub nodes: Value,
    /// URL that each run is announced to when it ends or needs approval: https, or http to a host in
    /// `APIFLOW_ALLOW_HOSTS`. A run may name another.
    pub webhook: Option<String>,
    /// The events that are announced (default: all).
    pub webhook_events_filter: Option<Vec<WebhookEvent>>,
    /// How long its jobs and outputs are kept; absent: as the server's settings say.
    pub retention: Option<WorkflowRetention>,
    /// When the workflow was created.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When the workflow was last saved.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// The findings about the OpenFlow document; pointers start at `nodes`. Lists show the findings of the last check,
    /// which may be older than the last change of a document that the workflow refers to.
    pub diagnostics: Vec<Diagnostic>,
}

/// A workflow to save; `created_at`, `updated_at` and `diagnostics` are ignored, so that a document that was read can
/// be sent back.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NewWorkflow {
    /// Unique identifier; generated if absent, ignored if the path contains it.
    pub id: Option<String>,
    /// Display name; need not be unique.
    pub name: String,
    /// Description of the workflow.
    pub description: Option<String>,
    /// The OpenFlow document; saved as it is sent, even if it has errors.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub nodes: Value,
    /// URL that each run is announced to when it ends or needs approval: https, or http to a host in
    /// `APIFLOW_ALLOW_HOSTS`. A run may name another.
    pub webhook: Option<String>,
    /// The events that are announced (default: all).
    pub webhook_events_filter: Option<Vec<WebhookEvent>>,
    /// How long its jobs and outputs are kept; absent: as the server's settings say.
    pub retention: Option<WorkflowRetention>,
}

/// Fields of a workflow to replace; each replaces the whole field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkflowChange {
    /// Display name of the workflow.
    pub name: Option<String>,
    /// Description of the workflow.
    pub description: Option<String>,
    /// The OpenFlow document; replaces all of it.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub nodes: Option<Value>,
    /// URL that each run is announced to when it ends or needs approval: https, or http to a host in
    /// `APIFLOW_ALLOW_HOSTS`. A run may name another.
    pub webhook: Option<String>,
    /// The events that are announced (default: all).
    pub webhook_events_filter: Option<Vec<WebhookEvent>>,
    /// How long its jobs and outputs are kept; `null`: as the server's settings say.
    pub retention: Option<WorkflowRetention>,
}

/// How long the jobs and outputs of a workflow are kept, instead of what the server's settings say. Absent or `null`: as
/// they say.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkflowRetention {
    /// Days after which outputs that no job was started with meanwhile are deleted; instead of `APIFLOW_ARTIFACT_DAYS`.
    #[schema(minimum = 1, maximum = 36500)]
    pub artifacts_days: Option<u64>,
    /// Days after which ended jobs are deleted with their values and outputs; instead of `APIFLOW_JOB_DAYS`.
    #[schema(minimum = 1, maximum = 36500)]
    pub jobs_days: Option<u64>,
}
