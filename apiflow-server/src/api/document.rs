//! Connectors, nodes and workflows.
//!
//! Handlers work on JSON and on [`apiflow_core::catalog`]'s types, since a stored document is returned as it was sent.
//! These types describe that JSON to client generators.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Severity of a finding: an error prevents a run.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document cannot run.
    Error,
    /// The document can run, but probably not as intended.
    Warning,
    /// A suggestion that does not affect a run.
    Hint,
}

/// One finding about a document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Diagnostic {
    /// Stable code of the kind of finding, in kebab case.
    pub code: String,
    /// Severity of the finding.
    pub severity: Severity,
    /// JSON Pointer of the value: within a connector or node itself, within a workflow's OpenFlow document.
    pub pointer: String,
    /// What is wrong with the value.
    pub message: String,
    /// How to fix it, if known.
    pub help: Option<String>,
    /// A replacement that is certain to be correct.
    pub fix: Option<Fix>,
    /// The position inside the string at `pointer`.
    pub span: Option<Span>,
}

/// A fix that is certain to be correct: replace the value at `pointer` with `value`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Fix {
    /// Label of the fix, suitable for a button.
    pub label: String,
    /// JSON Pointer of the value to replace.
    pub pointer: String,
    /// The new value.
    pub value: Value,
}

/// A position inside a string, counted from 1.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Span {
    /// Line of the first character.
    pub line: u32,
    /// Column of the first character, in Unicode scalar values.
    pub column: u32,
}

/// The findings about a document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Diagnostics {
    /// The findings, ordered by position.
    #[schema(value_type = Vec<Diagnostic>)]
    pub diagnostics: Vec<apiflow_core::diagnostic::Diagnostic>,
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

/// The type of a declared input or output.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// A Unicode string.
    String,
    /// Any JSON number.
    Number,
    /// A number without a fraction.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A JSON object.
    Object,
    /// A JSON array.
    Array,
    /// An image file.
    Image,
    /// A video file.
    Video,
    /// An audio file.
    Audio,
    /// Any other file.
    File,
}

/// A declared input of a node.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NodeInput {
    /// Name of the input.
    pub name: String,
    /// Type of the input; values are never coerced.
    pub r#type: ValueType,
    /// Whether a call without this input fails before anything is sent.
    pub required: Option<bool>,
    /// Used if the caller passes no value and `value` is absent.
    pub default: Option<Value>,
    /// Used if the caller passes no value.
    pub value: Option<Value>,
    /// What the input means.
    pub description: Option<String>,
    /// The values that are allowed.
    pub r#enum: Option<Vec<Value>>,
    /// Smallest allowed number.
    pub minimum: Option<f64>,
    /// Largest allowed number.
    pub maximum: Option<f64>,
    /// Type of an array's elements, as an object with `type`.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub items: Option<Value>,
    /// How a media input is sent: url, data_uri, base64, multipart or upload.
    pub r#as: Option<String>,
    /// MIME types that the provider accepts.
    pub accept: Option<Vec<String>>,
}

/// A declared output of a node.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NodeOutput {
    /// Name of the output, a key of the step's result.
    pub name: String,
    /// Type of the output; values are never coerced.
    pub r#type: ValueType,
    /// Used if the call succeeded and the key is absent.
    pub default: Option<Value>,
    /// Path into the reply, or `@body`, `@status`, `@header.NAME`; empty means the output's own name.
    pub mapping: Option<String>,
    /// What the output means.
    pub description: Option<String>,
    /// Which of several values to use: first, last, join or all.
    pub pick: Option<String>,
    /// How the value is encoded: url, data_uri, base64 or text.
    pub decode: Option<String>,
    /// MIME type to use if the provider does not report one.
    pub mime: Option<String>,
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
}
