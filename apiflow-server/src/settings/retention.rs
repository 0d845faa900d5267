//! Settings of artifacts and of how long they and jobs are kept.

use apiflow_core::artifacts::DEFAULT_MAX_ARTIFACT_BYTES;
use clap::Args;

use crate::documents::limits::MAX_RETENTION_DAYS;

/// Settings of artifacts and of how long they and jobs are kept.
#[derive(Args, Debug, Clone)]
pub struct RetentionSettings {
    /// Maximum size of an artifact, in bytes; if exceeded, an upload returns 413 and a step fails.
    #[arg(long, env = "APIFLOW_MAX_ARTIFACT_BYTES", default_value_t = DEFAULT_MAX_ARTIFACT_BYTES, value_parser = clap::value_parser!(u64).range(1..), value_name = "BYTES")]
    pub max_artifact_bytes: u64,

    /// Maximum total size of a user's artifacts, in bytes. Unset: no limit.
    #[arg(long, env = "APIFLOW_ARTIFACT_QUOTA_BYTES", value_name = "BYTES")]
    pub artifact_quota_bytes: Option<u64>,

    /// Days after which artifacts are deleted that no job was started with meanwhile and no active job uses. Unset: they
    /// are kept.
    #[arg(long, env = "APIFLOW_ARTIFACT_DAYS", value_parser = clap::value_parser!(u64).range(1..=MAX_RETENTION_DAYS), value_name = "DAYS")]
    pub artifact_days: Option<u64>,

    /// Maximum total size of all stored files, in bytes; beyond it, the artifacts that were not used for longest are
    /// deleted. Unset: no limit.
    #[arg(long, env = "APIFLOW_MAX_STORED_BYTES", value_parser = clap::value_parser!(u64).range(1..), value_name = "BYTES")]
    pub max_stored_bytes: Option<u64>,

    /// How long signed links to artifacts are valid unless their creator says otherwise, in seconds.
    #[arg(long, env = "APIFLOW_LINK_SECONDS", default_value_t = 3_600, value_parser = clap::value_parser!(u64).range(1..=604_800), value_name = "SECONDS")]
    pub link_seconds: u64,

    /// Days after which jobs that have ended are deleted with their values and outputs. Unset: they are kept.
    #[arg(long, env = "APIFLOW_JOB_DAYS", value_parser = clap::value_parser!(u64).range(1..=MAX_RETENTION_DAYS), value_name = "DAYS")]
    pub job_days: Option<u64>,

    /// Maximum number of jobs that have ended; beyond it, the oldest are deleted with their values and outputs. Unset:
    /// no limit.
    #[arg(long, env = "APIFLOW_MAX_ENDED_JOBS", value_name = "NUMBER")]
    pub max_ended_jobs: Option<u64>,

    /// Days after which the records of requests through the proxy are deleted.
    #[arg(long, env = "APIFLOW_CALL_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=36_500), value_name = "DAYS")]
    pub call_days: u64,

    /// Maximum number of records of requests through the proxy; beyond it, the oldest are deleted.
    #[arg(long, env = "APIFLOW_MAX_CALLS", default_value_t = 1_000_000, value_name = "NUMBER")]
    pub max_calls: u64,
}
