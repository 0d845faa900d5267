//! Connectors, nodes and workflows.
//!
//! Handlers work on JSON and on [`apiflow_core::catalog`]'s types: a stored document is what was sent. These
//! types describe that JSON to generators of clients.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// How much a finding matters: an error refuses a run.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document cannot run.
    Error,
    /// The document runs, but probably not as meant.
    Warning,
    /// A remark.
    Hint,
}

/// One finding about a document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Diagnostic {
    /// Stable name of the kind of finding, in kebab case.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// JSON Pointer of the place: in a connector or node itself, in a workflow's OpenFlow document.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// How to fix it, if known.
    pub help: Option<String>,
    /// A fix that is certain to be right.
    pub fix: Option<Fix>,
    /// The place inside the string at `pointer`.
    pub span: Option<Span>,
}

/// A fix that is certain to be right: replace the value at `pointer` with `value`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Fix {
    /// What the fix does, as the label of a button.
    pub label: String,
    /// JSON Pointer of the value to replace.
    pub pointer: String,
    /// The new value.
    pub value: Value,
}

/// A place inside a string, counted from 1.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Span {
    /// Line of the first character.
    pub line: u32,
    /// Column of the first character, in Unicode scalar values.
    pub column: u32,
}

/// What is wrong with a document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Diagnostics {
    /// The findings, in order of their place.
    #[schema(value_type = Vec<Diagnostic>)]
    pub diagnostics: Vec<apiflow_core::diagnostic::Diagnostic>,
}

/// A document to check.
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
    /// Identifier.
    pub id: String,
    /// Title for people; need not be unique.
    pub name: String,
    /// Absolute http or https URL that node paths are appended to.
    pub base_url: String,
    /// Default method of its nodes: GET, POST, PUT, PATCH, DELETE or HEAD.
    pub method: String,
    /// Templates of headers; `$NAME` is a secret.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub header: Value,
    /// Template of the body.
    pub body: Option<Value>,
    /// Defaults of its nodes' `data`, and `auth`, `hosts`, `media_hosts`, `limits`, `errors`.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub data: Option<Value>,
    /// When it was first saved.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last saved.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// A connector to save; `created_at`, `updated_at` and `diagnostics` are ignored, so what was read can be written.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NewConnector {
    /// Identifier; generated where absent, ignored where the path gives it. `node`, `workflow` and `connector`
    /// are reserved.
    pub id: Option<String>,
    /// Title for people; need not be unique.
    pub name: String,
    /// Absolute http or https URL that node paths are appended to.
    pub base_url: String,
    /// Default method of its nodes, in any case (default POST).
    pub method: Option<String>,
    /// Templates of headers; a literal credential is moved into a generated secret.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub header: Option<Value>,
    /// Template of the body.
    pub body: Option<Value>,
    /// Defaults of its nodes' `data`, and `auth`, `hosts`, `media_hosts`, `limits`, `errors`.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub data: Option<Value>,
}

/// Fields of a connector to replace, each whole.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectorChange {
    /// Title.
    pub name: Option<String>,
    /// Absolute http or https URL.
    pub base_url: Option<String>,
    /// Default method of its nodes.
    pub method: Option<String>,
    /// Templates of headers.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub header: Option<Value>,
    /// Template of the body.
    pub body: Option<Value>,
    /// Defaults of its nodes' `data`.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub data: Option<Value>,
}

/// The type of a declared input or output.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// Text.
    String,
    /// Any number.
    Number,
    /// A number without fraction.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// An object.
    Object,
    /// An array.
    Array,
    /// A picture.
    Image,
    /// A video.
    Video,
    /// A sound.
    Audio,
    /// Any other file.
    File,
}

/// A declared input of a node.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NodeInput {
    /// Name.
    pub name: String,
    /// Type; never coerced.
    pub r#type: ValueType,
    /// Whether a call without it fails before anything is sent.
    pub required: Option<bool>,
    /// Used after `value` where nothing was given.
    pub default: Option<Value>,
    /// Used where nothing was given.
    pub value: Option<Value>,
    /// What it means.
    pub description: Option<String>,
    /// Allowed values.
    pub r#enum: Option<Vec<Value>>,
    /// Least allowed number.
    pub minimum: Option<f64>,
    /// Greatest allowed number.
    pub maximum: Option<f64>,
    /// Type of an array's elements, as an object with `type`.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub items: Option<Value>,
    /// How a media input is sent: url, data_uri, base64, multipart or upload.
    pub r#as: Option<String>,
    /// MIME types that the provider takes.
    pub accept: Option<Vec<String>>,
}

/// A declared output of a node.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NodeOutput {
    /// Name, a key of the step's result.
    pub name: String,
    /// Type; never coerced.
    pub r#type: ValueType,
    /// Used where the call succeeded and the key is absent.
    pub default: Option<Value>,
    /// Path into the reply, or `@body`, `@status`, `@header.NAME`; empty means the output's own name.
    pub mapping: Option<String>,
    /// What it means.
    pub description: Option<String>,
    /// Which of several values: first, last, join or all.
    pub pick: Option<String>,
    /// How the value is encoded: url, data_uri, base64 or text.
    pub decode: Option<String>,
    /// MIME type where the provider does not say.
    pub mime: Option<String>,
}

/// One typed call to a provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Node {
    /// Identifier.
    pub id: String,
    /// Title for people; need not be unique.
    pub name: String,
    /// What the call does.
    pub description: String,
    /// The connector that the call goes through.
    pub connector_id: String,
    /// Declared inputs; none means that whatever is given is passed on.
    pub input: Vec<NodeInput>,
    /// Declared outputs; none means that the result is the reply's JSON.
    pub output: Vec<NodeOutput>,
    /// How the request is made and the reply is read.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub data: Option<Value>,
    /// When it was first saved.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last saved.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// A node to save; `created_at`, `updated_at` and `diagnostics` are ignored, so what was read can be written.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NewNode {
    /// Identifier; generated where absent, ignored where the path gives it.
    pub id: Option<String>,
    /// Title for people; need not be unique.
    pub name: String,
    /// What the call does.
    pub description: Option<String>,
    /// The connector that the call goes through; it must exist.
    pub connector_id: String,
    /// Declared inputs.
    pub input: Option<Vec<NodeInput>>,
    /// Declared outputs.
    pub output: Option<Vec<NodeOutput>>,
    /// How the request is made and the reply is read.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub data: Option<Value>,
}

/// Fields of a node to replace, each whole.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NodeChange {
    /// Title.
    pub name: Option<String>,
    /// What the call does.
    pub description: Option<String>,
    /// The connector that the call goes through.
    pub connector_id: Option<String>,
    /// Declared inputs.
    pub input: Option<Vec<NodeInput>>,
    /// Declared outputs.
    pub output: Option<Vec<NodeOutput>>,
    /// How the request is made and the reply is read.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub data: Option<Value>,
}

/// A named OpenFlow document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Workflow {
    /// Identifier.
    pub id: String,
    /// Title for people; need not be unique.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The OpenFlow document, as it was sent.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub nodes: Value,
    /// When it was first saved.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last saved.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// What is wrong with the OpenFlow document; pointers begin at `nodes`. In lists what was found last, which may be from
    /// before a change of what the workflow leads to.
    pub diagnostics: Vec<Diagnostic>,
}

/// A workflow to save; `created_at`, `updated_at` and `diagnostics` are ignored, so what was read can be written.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NewWorkflow {
    /// Identifier; generated where absent, ignored where the path gives it.
    pub id: Option<String>,
    /// Title for people; need not be unique.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The OpenFlow document; kept as it is sent, also where it has errors.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub nodes: Value,
}

/// Fields of a workflow to replace, each whole.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkflowChange {
    /// Title.
    pub name: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// The OpenFlow document.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub nodes: Option<Value>,
}
