//! How a server runs jobs and keeps files: what `GET /settings` shows beside the settings of the routes.

use apiflow_core::artifacts::DEFAULT_MAX_ARTIFACT_BYTES;
use apiflow_core::http::HttpLimits;

use super::{ProcessRole, RetentionSettings, Settings};
use crate::api::{DatabaseKind, StorageKind};

/// How a server runs jobs and keeps files. It contains no address or path of the database and of the files, which may
/// have credentials.
#[derive(Debug, Clone)]
pub struct OperationSettings {
    /// What this process runs.
    pub role: ProcessRole,
    /// Maximum number of jobs that this process runs at the same time.
    pub concurrency: u32,
    /// The kind of the database.
    pub database: DatabaseKind,
    /// Where artifacts are stored.
    pub storage: StorageKind,
    /// Private addresses that outgoing calls may reach.
    pub allowed_hosts: Vec<String>,
    /// Whether providers are told an address that they call when work has ended.
    pub accepts_webhooks: bool,
    /// Maximum size of a step's result, in bytes of JSON.
    pub max_result_bytes: usize,
    /// Maximum size of a provider's reply, in bytes.
    pub max_reply_bytes: usize,
    /// Maximum size of a job's values, in bytes of JSON.
    pub max_job_bytes: u64,
    /// How long artifacts and jobs are kept, and how large artifacts may be.
    pub retention: RetentionSettings,
}

impl OperationSettings {
    /// Reads it from the settings of a server.
    pub(super) fn from_settings(settings: &Settings) -> Self {
        let hosts = settings.allow_hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
        Self {
            role: settings.role,
            concurrency: settings.concurrency,
            database: database_kind(&settings.database_url()),
            storage: storage_kind(settings.artifacts.as_deref().unwrap_or_default()),
            allowed_hosts: hosts.map(str::to_owned).collect(),
            accepts_webhooks: settings.accepts_webhooks(),
            max_result_bytes: settings.max_result,
            max_reply_bytes: settings.max_reply,
            max_job_bytes: settings.max_job_bytes,
            retention: settings.retention.clone(),
        }
    }
}

impl Default for OperationSettings {
    fn default() -> Self {
        Self {
            role: ProcessRole::All,
            concurrency: 64,
            database: DatabaseKind::Sqlite,
            storage: StorageKind::Folder,
            allowed_hosts: Vec::new(),
            accepts_webhooks: false,
            max_result_bytes: 1024 * 1024,
            max_reply_bytes: HttpLimits::default().max_reply_bytes,
            max_job_bytes: 256 * 1024 * 1024,
            retention: RetentionSettings {
                max_artifact_bytes: DEFAULT_MAX_ARTIFACT_BYTES,
                artifact_quota_bytes: None,
                artifact_days: None,
                max_stored_bytes: None,
                link_seconds: 3_600,
                job_days: None,
                max_ended_jobs: None,
                call_days: 30,
                max_calls: 1_000_000,
            },
        }
    }
}

fn database_kind(url: &str) -> DatabaseKind {
    if url.starts_with("sqlite:") { DatabaseKind::Sqlite } else { DatabaseKind::Postgres }
}

fn storage_kind(place: &str) -> StorageKind {
    match place.split_once("://").map(|(scheme, _)| scheme) {
        Some("s3") => StorageKind::S3,
        Some("gs") => StorageKind::Gcs,
        Some("az") => StorageKind::Azure,
        Some(_) | None => StorageKind::Folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_recognized_by_the_scheme() {
        for (url, kind) in [
            ("sqlite:/data/apiflow.db", DatabaseKind::Sqlite),
            ("postgres://user:password@db/apiflow", DatabaseKind::Postgres),
            ("postgresql://db/apiflow", DatabaseKind::Postgres),
        ] {
            assert_eq!(database_kind(url), kind, "{url}");
        }
        for (place, kind) in [
            ("", StorageKind::Folder),
            ("/data/files", StorageKind::Folder),
            ("file:///data/files", StorageKind::Folder),
            ("s3://bucket/prefix", StorageKind::S3),
            ("gs://bucket", StorageKind::Gcs),
            ("az://container", StorageKind::Azure),
        ] {
            assert_eq!(storage_kind(place), kind, "{place}");
        }
    }
}
