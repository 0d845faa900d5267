//! Records of artifacts on SQLite.

use std::collections::BTreeSet;
use std::time::Duration;

use apiflow_core::ports::{
    ArtifactError, ArtifactFilter, ArtifactRecords, ArtifactRow, ArtifactUsage, BlobRow, StepRow, Timestamp,
};
use async_trait::async_trait;
use rusqlite::params;

use super::connection::Connection;
use super::errors::QueryError;
use super::filter_query::FilterQuery;
use super::{SqliteStore, now};
use crate::artifact_rows::{self as rows, ArtifactColumns, DeletedColumns, push_artifact_filter};
use crate::job_rows::{duration_ms, to_int, to_json_text};

const NOW: &str = concat!("SELECT ", now!());
const KNOWN_BLOBS: &str = "SELECT key FROM artifact_blobs WHERE key IN (SELECT value FROM json_each($1))";
const OUTPUTS_OF_STEPS: &str = "SELECT id FROM artifacts JOIN artifact_references ON artifact = id \
     WHERE artifact_references.job = $1 AND provenance ->> 'job' = $1 \
     AND provenance ->> 'step' IN (SELECT value FROM json_each($2))";
const TAKE_TURN: &str = concat!(
    "INSERT INTO periodic_tasks (name, due_at) VALUES ($1, ",
    now!(),
    " + $2) ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at WHERE periodic_tasks.due_at <= ",
    now!()
);

#[async_trait]
impl ArtifactRecords for SqliteStore {
    async fn add_artifact(&self, new: ArtifactRow, quota_bytes: Option<u64>) -> Result<ArtifactRow, ArtifactError> {
        self.write(move |connection| add_artifact(connection, new.clone(), quota_bytes)).await
    }

    async fn find_artifact(&self, id: &str) -> Result<Option<ArtifactRow>, ArtifactError> {
        let id = id.to_owned();
        self.read(move |connection| find_artifact(connection, &id)).await
    }

    async fn find_artifact_for_job(
        &self,
        job: &str,
        user: Option<&str>,
        id: &str,
    ) -> Result<Option<ArtifactRow>, ArtifactError> {
        let (job, user, id) = (job.to_owned(), user.map(str::to_owned), id.to_owned());
        self.read(move |connection| {
            let row: Option<ArtifactColumns> = connection.fetch_optional(rows::FIND_FOR_JOB, params![id, job, user])?;
            Ok(row.map(rows::artifact_row).transpose()?)
        })
        .await
    }

    async fn list_artifacts(
        &self,
        filter: &ArtifactFilter,
        before: Option<(Timestamp, String)>,
        limit: u32,
    ) -> Result<Vec<ArtifactRow>, ArtifactError> {
        let mut query = FilterQuery::new(rows::LIST);
        push_artifact_filter!(query, filter, before, limit);
        self.read(move |connection| {
            let page: Vec<ArtifactColumns> = query.fetch_all(connection)?;
            Ok(page.into_iter().map(rows::artifact_row).collect::<Result<_, ArtifactError>>()?)
        })
        .await
    }

    async fn delete_artifact(&self, id: &str) -> Result<bool, ArtifactError> {
        let id = id.to_owned();
        self.write(move |connection| {
            let found = connection.fetch_optional(rows::TO_DELETE, params![id])?;
            Ok(delete_artifacts(connection, found)? > 0)
        })
        .await
    }

    async fn delete_unused_artifacts(
        &self,
        unused_since: Timestamp,
        free_bytes: Option<u64>,
        limit: u32,
    ) -> Result<u64, ArtifactError> {
        self.write(move |connection| {
            let mut unused = connection.fetch_all(rows::UNUSED, params![unused_since.0, limit])?;
            rows::cut_to_bytes(&mut unused, free_bytes);
            Ok(delete_artifacts(connection, unused)?)
        })
        .await
    }

    async fn add_references(&self, job: &str, artifacts: &[String], now: Timestamp) -> Result<(), ArtifactError> {
        let (job, artifacts) = (job.to_owned(), artifacts.to_vec());
        self.write(move |connection| {
            let found: Option<(Option<String>,)> = connection.fetch_optional(rows::JOB_OWNER, params![job])?;
            if found.is_none() {
                return Err(ArtifactError::NoJob { job: job.clone() }.into());
            }
            for artifact in &artifacts {
                if connection.execute(rows::USE_ARTIFACT, params![artifact, now.0])? > 0 {
                    connection.execute(rows::ADD_REFERENCE, params![job, artifact])?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn list_released_blobs(&self, limit: u32) -> Result<Vec<BlobRow>, ArtifactError> {
        self.read(move |connection| {
            Ok(connection.fetch_all(rows::RELEASED, params![limit])?.into_iter().map(rows::blob_row).collect())
        })
        .await
    }

    async fn forget_blobs(&self, keys: &[String]) -> Result<(), ArtifactError> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys = keys.to_vec();
        self.write(move |connection| {
            for key in &keys {
                connection.execute(rows::FORGET_BLOB, params![key])?;
            }
            Ok(())
        })
        .await
    }

    async fn find_blobs(&self, keys: &[String]) -> Result<BTreeSet<String>, ArtifactError> {
        let keys = to_json_text(&keys);
        self.read(move |connection| {
            let known: Vec<(String,)> = connection.fetch_all(KNOWN_BLOBS, params![keys])?;
            Ok(known.into_iter().map(|(key,)| key).collect())
        })
        .await
    }

    async fn read_usage(&self, owner: Option<&str>) -> Result<ArtifactUsage, ArtifactError> {
        let owner = owner.map(str::to_owned);
        self.read(move |connection| {
            let sums = connection.fetch_one(rows::USAGE, params![owner])?;
            let blobs = if owner.is_none() { Some(connection.fetch_one(rows::BLOB_USAGE, &[])?) } else { None };
            Ok(rows::usage_of(sums, blobs))
        })
        .await
    }

    async fn take_turn(&self, task: &str, period: Duration) -> Result<bool, ArtifactError> {
        let task = task.to_owned();
        self.write(move |connection| Ok(connection.execute(TAKE_TURN, params![task, duration_ms(period)])? > 0)).await
    }
}

fn find_artifact(connection: &Connection, id: &str) -> Result<Option<ArtifactRow>, QueryError<ArtifactError>> {
    let row: Option<ArtifactColumns> = connection.fetch_optional(rows::FIND, params![id])?;
    Ok(row.map(rows::artifact_row).transpose()?)
}

fn add_artifact(
    connection: &Connection,
    mut new: ArtifactRow,
    quota_bytes: Option<u64>,
) -> Result<ArtifactRow, QueryError<ArtifactError>> {
    if let Some(row) = find_artifact(connection, &new.id)? {
        return Ok(row);
    }
    if let Some(provenance) = &new.provenance {
        let job: Option<(Option<String>,)> = connection.fetch_optional(rows::JOB_OWNER, params![provenance.job])?;
        let (owner,) = job.ok_or_else(|| ArtifactError::NoJob { job: provenance.job.clone() })?;
        new.owner = new.owner.or(owner);
    }
    rows::check_quota(&new, quota_bytes)?;
    let size_bytes = to_int(new.blob.size_bytes);
    let quota = quota_bytes.map(to_int);
    let counted =
        connection.execute(rows::ADD_USAGE, params![rows::usage_key(new.owner.as_deref()), size_bytes, quota])?;
    if counted == 0 {
        return Err(rows::over_quota(&new, quota_bytes.unwrap_or_default()).into());
    }
    (new.blob.key,) = connection.fetch_one(rows::ADD_BLOB, params![new.blob.key, new.blob.sha256, size_bytes])?;
    let parameters = params![
        new.id,
        new.blob.key,
        new.mime,
        new.kind(),
        new.name,
        new.width,
        new.height,
        new.duration_s,
        new.owner,
        rows::provenance_text(&new),
        new.created_at.0,
        new.last_used_at.0,
        new.provenance.as_ref().map(|provenance| &provenance.job)
    ];
    connection.execute(rows::ADD_ARTIFACT, parameters)?;
    if let Some(provenance) = &new.provenance {
        connection.execute(rows::ADD_REFERENCE, params![provenance.job, new.id])?;
    }
    Ok(new)
}

/// Deletes artifacts; returns their number.
pub(super) fn delete_artifacts(
    connection: &Connection,
    artifacts: impl IntoIterator<Item = DeletedColumns>,
) -> rusqlite::Result<u64> {
    let (now,): (i64,) = connection.fetch_one(NOW, &[])?;
    let mut count = 0;
    for (id, blob, owner, size_bytes) in artifacts {
        connection.execute(rows::TAKE_USAGE, params![rows::usage_key(owner.as_deref()), size_bytes])?;
        connection.execute(rows::DELETE_ARTIFACT, params![id])?;
        connection.execute(rows::RELEASE_BLOB, params![blob, now])?;
        count += 1;
    }
    Ok(count)
}

/// Returns the ids of the outputs that a job made or uses.
pub(super) fn read_outputs(connection: &Connection, job: &str) -> rusqlite::Result<Vec<String>> {
    let found: Vec<(String,)> = connection.fetch_all(rows::OUTPUTS_OF_JOB, params![job])?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Returns the ids of the outputs that steps of a job made.
pub(super) fn read_outputs_of_steps(
    connection: &Connection,
    job: &str,
    steps: &[StepRow],
) -> rusqlite::Result<Vec<String>> {
    let ordinals: Vec<u64> = steps.iter().map(|step| step.ordinal).collect();
    let found: Vec<(String,)> = connection.fetch_all(OUTPUTS_OF_STEPS, params![job, to_json_text(&ordinals)])?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Ends a job's use of outputs; those that no other job uses are deleted.
pub(super) fn drop_outputs(connection: &Connection, job: &str, outputs: &[String]) -> rusqlite::Result<()> {
    let mut unused = Vec::new();
    for id in outputs {
        connection.execute(rows::DELETE_REFERENCE, params![job, id])?;
        let (is_referenced,): (bool,) = connection.fetch_one(rows::IS_REFERENCED, params![id])?;
        if !is_referenced {
            unused.extend(connection.fetch_optional::<DeletedColumns>(rows::TO_DELETE, params![id])?);
        }
    }
    delete_artifacts(connection, unused).map(drop)
}
