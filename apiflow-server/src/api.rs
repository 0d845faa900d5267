//! Request and response bodies, as the OpenAPI document describes them.
//!
//! Times are RFC 3339 in UTC with milliseconds; ids are `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`.

mod artifact;
mod catalog;
mod document;
mod dry_run;
mod job;
mod library;
mod proxied_call;
mod server_settings;
mod spending;
mod token_scope;
mod user;
mod webhook;
mod workflow_version;

pub use artifact::{ArtifactInfo, ArtifactLink, ArtifactProvenance, FetchRequest, NewArtifactLink, UploadedArtifacts};
pub use catalog::{CatalogConnector, CatalogNode, DocumentCatalog};
pub use document::{
    Connector, ConnectorChange, Diagnostics, NewConnector, NewNode, NewWorkflow, Node, NodeChange, ValidateRequest,
    Workflow, WorkflowChange,
};
pub use dry_run::DryRunRequest;
pub use job::{
    Approval, Call, CallPurpose, Job, JobDocument, JobSummary, RerunRequest, RerunVersion, ResumeAction, ResumeRequest,
    RunDocumentRequest, RunRequest, RunWorkflowRequest, Step, StepLog, TruncatedField,
};
pub use library::{
    ImportModelRequest, LibraryAddition, LibraryChange, LibraryEntry, LibraryItem, LibraryProvider, LibrarySample,
    LibrarySecret, LibrarySource,
};
pub use proxied_call::ProxiedCall;
pub use server_settings::{DatabaseKind, RetentionPeriods, ServerLimits, ServerOperation, ServerSettings, StorageKind};
pub use spending::{Budget, NewBudget, Scope, Usage, UsageItem};
pub use token_scope::{ProxyScope, RunScope, TokenScope};
pub use user::{
    Login, LoginReply, NewSecret, NewTokenRequest, NewUser, Role, SecretInfo, SecretSource, TokenInfo, TokenReply,
    User, UserPatch,
};
pub use webhook::{EarlierWebhookSecret, WebhookDeliveryInfo, WebhookSecret, WebhookTry};
pub use workflow_version::{WorkflowVersion, WorkflowVersionSummary};

/// The path under which the REST API is served.
pub(crate) const BASE_PATH: &str = "/api/v1";

use apiflow_core::diagnostic::Diagnostic;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// One page of a list, newest first unless the operation says otherwise.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Pass it as `cursor` to get the next page; null on the last page.
    #[schema(required)]
    pub next: Option<String>,
}

/// The reply of a health check.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`; otherwise the reply is a problem.
    pub status: &'static str,
    /// Version of the server, such as `0.1.0`.
    pub version: &'static str,
}

/// An error as RFC 9457 (Problem Details for HTTP APIs) defines it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Always `about:blank`; `code` identifies the kind of problem.
    pub r#type: &'static str,
    /// The reason phrase of the HTTP status.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What went wrong and how to fix it, for humans.
    pub detail: String,
    /// Stable code of the kind of problem, in snake case.
    pub code: String,
    /// The invalid places in the request's body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<Fault>,
    /// The findings about the document.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub diagnostics: Vec<Diagnostic>,
}

/// One invalid place in the body of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) of the invalid value; empty for the whole body.
    pub pointer: String,
    /// What is wrong with the value.
    pub message: String,
    /// Stable code of the kind of fault, in kebab case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How to fix it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Distinguishes a key that is present with `null` from one that is absent.
#[expect(clippy::option_option, reason = "absent, null and given are three things")]
fn present_or_null<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Reads `null` as if the key were absent: clients in many languages write optional fields as `null`.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
