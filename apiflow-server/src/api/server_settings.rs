//! The settings of the server, as `GET /settings` shows them.

use serde::Serialize;
use utoipa::ToSchema;

/// The settings of the server that concern the caller.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ServerSettings {
    /// Version of the server.
    pub version: &'static str,
    /// The URL under which users reach the server; null if none is set, and links have the host of the request that
    /// asks for them.
    #[schema(required)]
    pub public_url: Option<String>,
    /// What the caller may send and run.
    pub limits: ServerLimits,
    /// How long jobs and files are kept.
    pub retention: RetentionPeriods,
    /// How the server runs; null unless the caller is an admin.
    #[schema(required)]
    pub operation: Option<ServerOperation>,
}

/// Limits that apply to each user.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ServerLimits {
    /// Maximum size of a request's body, in bytes; files may be larger.
    pub request_bytes: u64,
    /// Maximum size of a connector, node or workflow, in bytes of JSON.
    pub document_bytes: u64,
    /// Maximum number of steps of a workflow, including those inside loops and branches.
    pub workflow_steps: u64,
    /// Maximum size of a file, in bytes.
    pub artifact_bytes: u64,
    /// Maximum total size of a user's files, in bytes; null for no limit.
    #[schema(required)]
    pub artifacts_of_user_bytes: Option<u64>,
    /// Maximum size of a step's result, in bytes of JSON.
    pub result_bytes: u64,
    /// Maximum size of a provider's reply, in bytes.
    pub reply_bytes: u64,
    /// Maximum size of a job's values, in bytes of JSON.
    pub job_bytes: u64,
    /// Maximum total size of the values of a user's jobs that have not ended, in bytes of JSON.
    pub active_jobs_of_user_bytes: u64,
    /// How long signed links to files are valid unless their creator says otherwise, in seconds.
    pub link_seconds: u64,
}

/// How long jobs and files are kept.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RetentionPeriods {
    /// Days after which jobs that have ended are deleted; null if they are kept.
    #[schema(required)]
    pub job_days: Option<u64>,
    /// Days after which files that are not in use are deleted; null if they are kept.
    #[schema(required)]
    pub artifact_days: Option<u64>,
    /// Days after which the records of requests through the proxy are deleted.
    pub call_days: u64,
}

/// How the server runs, for admins. If several processes share the database, it is that of the one that answers.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ServerOperation {
    /// When the process was started.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// Whether the process runs jobs; if not, others do.
    pub runs_jobs: bool,
    /// Maximum number of jobs that the process runs at the same time.
    pub concurrency: u32,
    /// The kind of the database.
    pub database: DatabaseKind,
    /// Where files are stored.
    pub storage: StorageKind,
    /// Private addresses that outgoing calls may reach, as they were set.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may call the API with a token.
    pub cors_origins: Vec<String>,
    /// Whether providers are told an address that they call when work has ended; else their work is polled.
    pub accepts_webhooks: bool,
    /// Maximum total size of all stored files, in bytes; null for no limit.
    #[schema(required)]
    pub max_stored_bytes: Option<u64>,
    /// Maximum number of jobs that have ended; null for no limit.
    #[schema(required)]
    pub max_ended_jobs: Option<u64>,
}

/// The kind of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    /// A SQLite file.
    Sqlite,
    /// A Postgres server.
    Postgres,
}

/// The kind of the place where artifacts are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    /// A folder of the file system.
    Folder,
    /// A bucket of Amazon S3, or of a service that is compatible with it.
    S3,
    /// A bucket of Google Cloud Storage.
    Gcs,
    /// A container of Azure Blob Storage.
    Azure,
}
