//! Records of artifacts on Postgres.
//!
//! Locks are taken in this order: the id of a new artifact, a job's row, artifacts by id, the usage by owner, contents by key.

use std::collections::BTreeSet;
use std::time::Duration;

use apiflow_core::ports::{
    ArtifactError, ArtifactFilter, ArtifactRecords, ArtifactRow, ArtifactUsage, BlobRow, StepRow, Timestamp,
};
use async_trait::async_trait;
use sqlx::QueryBuilder;

use super::statements::CountedTransaction;
use super::{PostgresStore, now};
use crate::artifact_rows::{self as rows, ArtifactColumns, DeletedColumns, push_artifact_filter};
use crate::fault::artifact_error;
use crate::job_rows::{duration_ms, to_int};

const NOW: &str = concat!("SELECT ", now!());
/// Of several additions with the same id one comes after the other, so that none is counted twice.
const HOLD_ID: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
/// The job is not deleted until its output is added.
const HOLD_JOB: &str = "SELECT created_by FROM jobs WHERE id = $1 FOR KEY SHARE";
const HOLD_TO_DELETE: &str = concat!(
    "SELECT ",
    rows::deleted_columns!(),
    " WHERE artifacts.id = ANY($1) ORDER BY artifacts.id FOR UPDATE OF artifacts"
);
const HOLD_UNUSED: &str = concat!(rows::unused!(""), " FOR UPDATE OF artifacts SKIP LOCKED");
const HOLD_USED: &str = "SELECT id FROM artifacts WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";
const ADD_REFERENCES: &str = "INSERT INTO artifact_references (job, artifact) SELECT $1, unnest($2::text[]) \
     ON CONFLICT (job, artifact) DO NOTHING";
const USE_ARTIFACTS: &str = "UPDATE artifacts SET last_used_at = $2 WHERE id = ANY($1)";
const DELETE_REFERENCES: &str = "DELETE FROM artifact_references WHERE job = $1 AND artifact = ANY($2)";
const REFERENCED: &str = "SELECT DISTINCT artifact FROM artifact_references WHERE artifact = ANY($1)";
const FORGET_BLOBS: &str = "DELETE FROM artifact_blobs WHERE key = ANY($1) AND released_at IS NOT NULL";
const KNOWN_BLOBS: &str = "SELECT key FROM artifact_blobs WHERE key = ANY($1)";
const OUTPUTS_OF_STEPS: &str = "SELECT id FROM artifacts JOIN artifact_references ON artifact = id \
     WHERE artifact_references.job = $1 AND provenance::json ->> 'job' = $1 \
     AND provenance::json ->> 'step' = ANY($2)";
const TAKE_TURN: &str = concat!(
    "INSERT INTO periodic_tasks (name, due_at) VALUES ($1, ",
    now!(),
    " + $2) ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at WHERE periodic_tasks.due_at <= ",
    now!()
);

#[async_trait]
impl ArtifactRecords for PostgresStore {
    async fn add_artifact(&self, new: ArtifactRow, quota_bytes: Option<u64>) -> Result<ArtifactRow, ArtifactError> {
        if let Some(row) = self.find_artifact(&new.id).await? {
            return Ok(row);
        }
        self.add_if_missing(new, quota_bytes).await
    }

    async fn find_artifact(&self, id: &str) -> Result<Option<ArtifactRow>, ArtifactError> {
        let row = sqlx::query_as(rows::FIND).bind(id).fetch_optional(self.pool.count_statement()).await;
        let row: Option<ArtifactColumns> = row.map_err(artifact_error)?;
        row.map(rows::artifact_row).transpose()
    }

    async fn find_artifact_for_job(
        &self,
        job: &str,
        user: Option<&str>,
        id: &str,
    ) -> Result<Option<ArtifactRow>, ArtifactError> {
        let row = sqlx::query_as(rows::FIND_FOR_JOB).bind(id).bind(job).bind(user);
        let row: Option<ArtifactColumns> =
            row.fetch_optional(self.pool.count_statement()).await.map_err(artifact_error)?;
        row.map(rows::artifact_row).transpose()
    }

    async fn list_artifacts(
        &self,
        filter: &ArtifactFilter,
        before: Option<(Timestamp, String)>,
        limit: u32,
    ) -> Result<Vec<ArtifactRow>, ArtifactError> {
        let mut query = QueryBuilder::new(rows::LIST);
        push_artifact_filter!(query, filter, before, limit);
        let page = query.build_query_as().fetch_all(self.pool.count_statement()).await;
        let page: Vec<ArtifactColumns> = page.map_err(artifact_error)?;
        page.into_iter().map(rows::artifact_row).collect()
    }

    async fn delete_artifact(&self, id: &str) -> Result<bool, ArtifactError> {
        let mut transaction = self.pool.begin().await.map_err(artifact_error)?;
        let deleted = delete_listed(&mut transaction, &[id.to_owned()]).await.map_err(artifact_error)?;
        transaction.commit().await.map_err(artifact_error)?;
        Ok(deleted > 0)
    }

    async fn delete_unused_artifacts(
        &self,
        unused_since: Timestamp,
        free_bytes: Option<u64>,
        limit: u32,
    ) -> Result<u64, ArtifactError> {
        let mut transaction = self.pool.begin().await.map_err(artifact_error)?;
        let held = sqlx::query_as(HOLD_UNUSED).bind(unused_since.0).bind(i64::from(limit));
        let mut unused = held.fetch_all(transaction.count_statement()).await.map_err(artifact_error)?;
        rows::cut_to_bytes(&mut unused, free_bytes);
        let deleted = delete_held(&mut transaction, unused).await.map_err(artifact_error)?;
        transaction.commit().await.map_err(artifact_error)?;
        Ok(deleted)
    }

    async fn add_references(&self, job: &str, artifacts: &[String], now: Timestamp) -> Result<(), ArtifactError> {
        let mut transaction = self.pool.begin().await.map_err(artifact_error)?;
        let found: Option<(Option<String>,)> = sqlx::query_as(HOLD_JOB)
            .bind(job)
            .fetch_optional(transaction.count_statement())
            .await
            .map_err(artifact_error)?;
        if found.is_none() {
            return Err(ArtifactError::NoJob { job: job.to_owned() });
        }
        let held = sqlx::query_as(HOLD_USED).bind(artifacts).fetch_all(transaction.count_statement()).await;
        let held: Vec<(String,)> = held.map_err(artifact_error)?;
        let held: Vec<String> = held.into_iter().map(|(id,)| id).collect();
        let used = sqlx::query(USE_ARTIFACTS).bind(&held).bind(now.0);
        used.execute(transaction.count_statement()).await.map_err(artifact_error)?;
        let added = sqlx::query(ADD_REFERENCES).bind(job).bind(&held);
        added.execute(transaction.count_statement()).await.map_err(artifact_error)?;
        transaction.commit().await.map_err(artifact_error)
    }

    async fn list_released_blobs(&self, limit: u32) -> Result<Vec<BlobRow>, ArtifactError> {
        let found = sqlx::query_as(rows::RELEASED).bind(i64::from(limit)).fetch_all(self.pool.count_statement()).await;
        Ok(found.map_err(artifact_error)?.into_iter().map(rows::blob_row).collect())
    }

    async fn forget_blobs(&self, keys: &[String]) -> Result<(), ArtifactError> {
        if keys.is_empty() {
            return Ok(());
        }
        let gone = sqlx::query(FORGET_BLOBS).bind(keys).execute(self.pool.count_statement()).await;
        gone.map(drop).map_err(artifact_error)
    }

    async fn find_blobs(&self, keys: &[String]) -> Result<BTreeSet<String>, ArtifactError> {
        let known = sqlx::query_as(KNOWN_BLOBS).bind(keys).fetch_all(self.pool.count_statement()).await;
        let known: Vec<(String,)> = known.map_err(artifact_error)?;
        Ok(known.into_iter().map(|(key,)| key).collect())
    }

    async fn read_usage(&self, owner: Option<&str>) -> Result<ArtifactUsage, ArtifactError> {
        let sums = sqlx::query_as(rows::USAGE).bind(owner).fetch_one(self.pool.count_statement()).await;
        let sums = sums.map_err(artifact_error)?;
        if owner.is_some() {
            return Ok(rows::usage_of(sums, None));
        }
        let blobs = sqlx::query_as(rows::BLOB_USAGE).fetch_one(self.pool.count_statement()).await;
        Ok(rows::usage_of(sums, Some(blobs.map_err(artifact_error)?)))
    }

    async fn take_turn(&self, task: &str, period: Duration) -> Result<bool, ArtifactError> {
        let taken = sqlx::query(TAKE_TURN).bind(task).bind(duration_ms(period));
        let taken = taken.execute(self.pool.count_statement()).await.map_err(artifact_error)?;
        Ok(taken.rows_affected() > 0)
    }
}

impl PostgresStore {
    /// Adds an artifact, or returns that which another process added meanwhile.
    async fn add_if_missing(
        &self,
        mut new: ArtifactRow,
        quota_bytes: Option<u64>,
    ) -> Result<ArtifactRow, ArtifactError> {
        let mut transaction = self.pool.begin().await.map_err(artifact_error)?;
        let held = sqlx::query(HOLD_ID).bind(&new.id).execute(transaction.count_statement()).await;
        held.map_err(artifact_error)?;
        let found = sqlx::query_as(rows::FIND).bind(&new.id).fetch_optional(transaction.count_statement()).await;
        if let Some(found) = found.map_err(artifact_error)? {
            return rows::artifact_row(found);
        }
        if let Some(provenance) = &new.provenance {
            let held = sqlx::query_as(HOLD_JOB).bind(&provenance.job);
            let held: Option<(Option<String>,)> =
                held.fetch_optional(transaction.count_statement()).await.map_err(artifact_error)?;
            let (owner,) = held.ok_or_else(|| ArtifactError::NoJob { job: provenance.job.clone() })?;
            new.owner = new.owner.or(owner);
        }
        rows::check_quota(&new, quota_bytes)?;
        let size_bytes = to_int(new.blob.size_bytes);
        let counted = sqlx::query(rows::ADD_USAGE).bind(rows::usage_key(new.owner.as_deref())).bind(size_bytes);
        let counted = counted.bind(quota_bytes.map(to_int)).execute(transaction.count_statement()).await;
        if counted.map_err(artifact_error)?.rows_affected() == 0 {
            return Err(rows::over_quota(&new, quota_bytes.unwrap_or_default()));
        }
        let blob = sqlx::query_as(rows::ADD_BLOB).bind(&new.blob.key).bind(&new.blob.sha256).bind(size_bytes);
        (new.blob.key,) = blob.fetch_one(transaction.count_statement()).await.map_err(artifact_error)?;
        insert_artifact(&mut transaction, &new).await.map_err(artifact_error)?;
        transaction.commit().await.map_err(artifact_error)?;
        Ok(new)
    }
}

/// Inserts the row of an artifact and its job's reference.
async fn insert_artifact(transaction: &mut CountedTransaction, new: &ArtifactRow) -> Result<(), sqlx::Error> {
    sqlx::query(rows::ADD_ARTIFACT)
        .bind(&new.id)
        .bind(&new.blob.key)
        .bind(&new.mime)
        .bind(new.kind())
        .bind(&new.name)
        .bind(new.width.map(i64::from))
        .bind(new.height.map(i64::from))
        .bind(new.duration_s)
        .bind(&new.owner)
        .bind(rows::provenance_text(new))
        .bind(new.created_at.0)
        .bind(new.last_used_at.0)
        .bind(new.provenance.as_ref().map(|provenance| &provenance.job))
        .execute(transaction.count_statement())
        .await?;
    if let Some(provenance) = &new.provenance {
        let used = sqlx::query(rows::ADD_REFERENCE).bind(&provenance.job).bind(&new.id);
        used.execute(transaction.count_statement()).await?;
    }
    Ok(())
}

/// Deletes artifacts by id; returns how many existed.
async fn delete_listed(transaction: &mut CountedTransaction, ids: &[String]) -> Result<u64, sqlx::Error> {
    let held = sqlx::query_as(HOLD_TO_DELETE).bind(ids).fetch_all(transaction.count_statement()).await?;
    delete_held(transaction, held).await
}

/// Deletes artifacts whose rows are locked.
pub(super) async fn delete_held(
    transaction: &mut CountedTransaction,
    mut held: Vec<DeletedColumns>,
) -> Result<u64, sqlx::Error> {
    if held.is_empty() {
        return Ok(0);
    }
    let (now,): (i64,) = sqlx::query_as(NOW).fetch_one(transaction.count_statement()).await?;
    held.sort_by(|one, other| one.2.cmp(&other.2));
    for (_, _, owner, size_bytes) in &held {
        let taken = sqlx::query(rows::TAKE_USAGE).bind(rows::usage_key(owner.as_deref())).bind(size_bytes);
        taken.execute(transaction.count_statement()).await?;
    }
    held.sort_by(|one, other| one.1.cmp(&other.1));
    for (id, blob, ..) in &held {
        sqlx::query(rows::DELETE_ARTIFACT).bind(id).execute(transaction.count_statement()).await?;
        sqlx::query(rows::RELEASE_BLOB).bind(blob).bind(now).execute(transaction.count_statement()).await?;
    }
    Ok(held.len() as u64)
}

/// Returns the ids of the outputs that a job made or uses.
pub(super) async fn read_outputs(transaction: &mut CountedTransaction, job: &str) -> Result<Vec<String>, sqlx::Error> {
    let found = sqlx::query_as(rows::OUTPUTS_OF_JOB).bind(job).fetch_all(transaction.count_statement()).await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Returns the ids of the outputs that steps of a job made.
pub(super) async fn read_outputs_of_steps(
    transaction: &mut CountedTransaction,
    job: &str,
    steps: &[StepRow],
) -> Result<Vec<String>, sqlx::Error> {
    let ordinals: Vec<String> = steps.iter().map(|step| step.ordinal.to_string()).collect();
    let found = sqlx::query_as(OUTPUTS_OF_STEPS).bind(job).bind(ordinals);
    let found = found.fetch_all(transaction.count_statement()).await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Ends a job's use of outputs; those that no other job uses are deleted.
pub(super) async fn drop_outputs(
    transaction: &mut CountedTransaction,
    job: &str,
    outputs: &[String],
) -> Result<(), sqlx::Error> {
    if outputs.is_empty() {
        return Ok(());
    }
    let gone = sqlx::query(DELETE_REFERENCES).bind(job).bind(outputs);
    gone.execute(transaction.count_statement()).await?;
    // The locks come first: of two jobs that end their use at the same time the later one sees that it is the last.
    let held = sqlx::query_as(HOLD_TO_DELETE).bind(outputs).fetch_all(transaction.count_statement()).await?;
    let used = sqlx::query_as(REFERENCED).bind(outputs).fetch_all(transaction.count_statement()).await?;
    let used: BTreeSet<String> = used.into_iter().map(|(id,): (String,)| id).collect();
    let unused = held.into_iter().filter(|row: &DeletedColumns| !used.contains(&row.0)).collect();
    delete_held(transaction, unused).await.map(drop)
}
