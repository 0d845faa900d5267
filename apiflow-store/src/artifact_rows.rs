//! Statements and rows of artifacts, for both databases.

use apiflow_core::ports::{ArtifactError, ArtifactRow, ArtifactUsage, BlobRow, Timestamp};

use crate::job_rows::{from_int, to_json_text};

/// The columns of [`ArtifactColumns`].
macro_rules! artifact_columns {
    () => {
        "artifacts.id, key, sha256, size_bytes, mime, artifacts.name, width, height, duration_s, owner, provenance, \
         created_at, last_used_at FROM artifacts JOIN artifact_blobs ON artifact_blobs.key = artifacts.blob"
    };
}

/// The columns of [`DeletedColumns`].
macro_rules! deleted_columns {
    () => {
        "artifacts.id, blob, owner, size_bytes FROM artifacts JOIN artifact_blobs ON artifact_blobs.key = artifacts.blob"
    };
}
pub(crate) use deleted_columns;

/// The artifacts, last used before `$1`, that no active job uses and that meet a condition; at most `$2`.
macro_rules! unused {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            crate::artifact_rows::deleted_columns!(),
            " WHERE last_used_at < $1 AND NOT EXISTS (SELECT 1 FROM artifact_references \
             JOIN jobs ON jobs.id = artifact_references.job \
             WHERE artifact_references.artifact = artifacts.id AND jobs.status NOT IN ",
            crate::sql::ended!(),
            ")",
            $condition,
            " ORDER BY last_used_at, artifacts.id LIMIT $2"
        )
    };
}
pub(crate) use unused;

/// Those that are not outputs of a workflow with a rule of its own.
macro_rules! expired {
    () => {
        crate::artifact_rows::unused!(
            " AND NOT EXISTS (SELECT 1 FROM workflow_retention \
             WHERE workflow_retention.workflow = artifacts.workflow AND artifacts_days IS NOT NULL)"
        )
    };
}
pub(crate) use expired;

/// Those that are outputs of the workflow `$3`.
macro_rules! expired_of_workflow {
    () => {
        crate::artifact_rows::unused!(" AND artifacts.workflow = $3")
    };
}
pub(crate) use expired_of_workflow;

/// A row of `artifacts` with its content.
pub(crate) type ArtifactColumns = (
    String,
    String,
    String,
    i64,
    String,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<f64>,
    Option<String>,
    Option<String>,
    i64,
    i64,
);

/// `id`, `blob`, `owner` and size of an artifact to delete.
pub(crate) type DeletedColumns = (String, String, Option<String>, i64);

pub(crate) const FIND: &str = concat!("SELECT ", artifact_columns!(), " WHERE artifacts.id = $1");
/// The artifact `$1`, if the job `$2` may send it; `$3` is the user of a job that may not be stored yet.
pub(crate) const FIND_FOR_JOB: &str = concat!(
    "SELECT ",
    artifact_columns!(),
    " WHERE artifacts.id = $1 AND (artifacts.owner = $3 \
     OR EXISTS (SELECT 1 FROM users WHERE users.id = $3 AND users.is_admin) \
     OR CAST($3 AS TEXT) IS NULL AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = $2) \
     OR EXISTS (SELECT 1 FROM jobs WHERE jobs.id = $2 AND (jobs.created_by IS NULL \
     OR artifacts.owner = jobs.created_by \
     OR EXISTS (SELECT 1 FROM users WHERE users.id = jobs.created_by AND users.is_admin) \
     OR EXISTS (SELECT 1 FROM artifact_references WHERE artifact_references.job = jobs.id \
         AND artifact_references.artifact = artifacts.id))))"
);
/// The start of a list, followed by conditions.
pub(crate) const LIST: &str = concat!("SELECT ", artifact_columns!(), " WHERE TRUE");
pub(crate) const UNUSED: &str = unused!("");
pub(crate) const EXPIRED: &str = expired!();
pub(crate) const EXPIRED_OF_WORKFLOW: &str = expired_of_workflow!();
pub(crate) const TO_DELETE: &str = concat!("SELECT ", deleted_columns!(), " WHERE artifacts.id = $1");
/// The outputs that a job made or uses.
pub(crate) const OUTPUTS_OF_JOB: &str = "SELECT id FROM artifacts JOIN artifact_references ON artifact = id \
     WHERE artifact_references.job = $1 AND provenance IS NOT NULL";
pub(crate) const JOB_OWNER: &str = "SELECT created_by FROM jobs WHERE id = $1";
/// Adds `$2` bytes to what `$1` keeps, unless that would exceed `$3`.
pub(crate) const ADD_USAGE: &str = "INSERT INTO artifact_usage (owner, artifacts, bytes) VALUES ($1, 1, $2) \
     ON CONFLICT (owner) DO UPDATE \
     SET artifacts = artifact_usage.artifacts + 1, bytes = artifact_usage.bytes + excluded.bytes \
     WHERE CAST($3 AS BIGINT) IS NULL OR artifact_usage.bytes + excluded.bytes <= CAST($3 AS BIGINT)";
pub(crate) const TAKE_USAGE: &str =
    "UPDATE artifact_usage SET artifacts = artifacts - 1, bytes = bytes - $2 WHERE owner = $1";
/// Takes the content that exists, or adds it.
pub(crate) const ADD_BLOB: &str = "INSERT INTO artifact_blobs (key, sha256, size_bytes, uses) VALUES ($1, $2, $3, 1) \
     ON CONFLICT (sha256, size_bytes) WHERE released_at IS NULL DO UPDATE SET uses = artifact_blobs.uses + 1 \
     RETURNING key";
pub(crate) const RELEASE_BLOB: &str = "UPDATE artifact_blobs \
     SET uses = uses - 1, released_at = CASE WHEN uses = 1 THEN CAST($2 AS BIGINT) END WHERE key = $1";
/// Adds an artifact; `$13` is the job that made it.
pub(crate) const ADD_ARTIFACT: &str = "INSERT INTO artifacts (id, blob, mime, kind, name, width, height, duration_s, \
     owner, provenance, created_at, last_used_at, workflow) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, (SELECT workflow_id FROM jobs WHERE jobs.id = $13))";
pub(crate) const DELETE_ARTIFACT: &str = "DELETE FROM artifacts WHERE id = $1";
pub(crate) const ADD_REFERENCE: &str =
    "INSERT INTO artifact_references (job, artifact) VALUES ($1, $2) ON CONFLICT (job, artifact) DO NOTHING";
pub(crate) const DELETE_REFERENCE: &str = "DELETE FROM artifact_references WHERE job = $1 AND artifact = $2";
pub(crate) const IS_REFERENCED: &str = "SELECT EXISTS (SELECT 1 FROM artifact_references WHERE artifact = $1)";
pub(crate) const USE_ARTIFACT: &str = "UPDATE artifacts SET last_used_at = $2 WHERE id = $1";
pub(crate) const RELEASED: &str = "SELECT key, sha256, size_bytes FROM artifact_blobs \
     WHERE released_at IS NOT NULL ORDER BY released_at, key LIMIT $1";
pub(crate) const FORGET_BLOB: &str = "DELETE FROM artifact_blobs WHERE key = $1 AND released_at IS NOT NULL";
pub(crate) const USAGE: &str = "SELECT CAST(COALESCE(SUM(artifacts), 0) AS BIGINT), \
     CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM artifact_usage WHERE CAST($1 AS TEXT) IS NULL OR owner = $1";
pub(crate) const BLOB_USAGE: &str =
    "SELECT COUNT(*), CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM artifact_blobs WHERE released_at IS NULL";

/// Adds a filter's conditions to a query of artifacts; the databases' builders have no type in common.
macro_rules! push_artifact_filter {
    ($query:ident, $filter:ident, $before:ident, $limit:ident) => {
        if let Some(owner) = &$filter.owner {
            $query.push(" AND owner = ").push_bind(owner);
        }
        if let Some(kind) = &$filter.kind {
            $query.push(" AND kind = ").push_bind(kind);
        }
        if let Some(mime) = &$filter.mime {
            $query.push(" AND mime = ").push_bind(mime);
        }
        if let Some(job) = &$filter.job {
            $query.push(" AND artifacts.id IN (SELECT artifact FROM artifact_references WHERE job = ").push_bind(job);
            $query.push(")");
        }
        if let Some((created_at, id)) = &$before {
            $query.push(" AND (created_at, artifacts.id) < (").push_bind(created_at.0);
            $query.push(", ").push_bind(id);
            $query.push(")");
        }
        $query.push(" ORDER BY created_at DESC, artifacts.id DESC LIMIT ").push_bind(i64::from($limit));
    };
}
pub(crate) use push_artifact_filter;

/// Reads a row.
pub(crate) fn artifact_row(columns: ArtifactColumns) -> Result<ArtifactRow, ArtifactError> {
    let (
        id,
        key,
        sha256,
        size_bytes,
        mime,
        name,
        width,
        height,
        duration_s,
        owner,
        provenance,
        created_at,
        last_used_at,
    ) = columns;
    let provenance = provenance.map(|text| serde_json::from_str(&text)).transpose();
    let pixels = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    Ok(ArtifactRow {
        id,
        blob: BlobRow { key, sha256, size_bytes: from_int(size_bytes) },
        mime,
        name,
        width: pixels(width),
        height: pixels(height),
        duration_s,
        owner,
        provenance: provenance.map_err(|error| ArtifactError::Unavailable(error.to_string()))?,
        created_at: Timestamp(created_at),
        last_used_at: Timestamp(last_used_at),
    })
}

/// Reads a content.
pub(crate) fn blob_row((key, sha256, size_bytes): (String, String, i64)) -> BlobRow {
    BlobRow { key, sha256, size_bytes: from_int(size_bytes) }
}

/// Returns the provenance as the text of its column.
pub(crate) fn provenance_text(row: &ArtifactRow) -> Option<String> {
    row.provenance.as_ref().map(to_json_text)
}

/// Returns the usage from the columns of [`USAGE`] and [`BLOB_USAGE`].
pub(crate) fn usage_of((artifacts, bytes): (i64, i64), blobs: Option<(i64, i64)>) -> ArtifactUsage {
    let (blobs, blob_bytes) = blobs.unwrap_or_default();
    ArtifactUsage {
        artifacts: from_int(artifacts),
        bytes: from_int(bytes),
        blobs: from_int(blobs),
        blob_bytes: from_int(blob_bytes),
    }
}

/// Returns the key of a user in the table of usage.
pub(crate) fn usage_key(owner: Option<&str>) -> &str {
    owner.unwrap_or_default()
}

/// Refuses an artifact that alone is larger than the quota of its owner.
pub(crate) fn check_quota(row: &ArtifactRow, quota_bytes: Option<u64>) -> Result<(), ArtifactError> {
    match quota_bytes {
        Some(quota_bytes) if row.blob.size_bytes > quota_bytes => Err(over_quota(row, quota_bytes)),
        Some(_) | None => Ok(()),
    }
}

/// The refusal of an artifact that does not fit into the quota of its owner.
pub(crate) fn over_quota(row: &ArtifactRow, quota_bytes: u64) -> ArtifactError {
    ArtifactError::OverQuota { user: row.owner.clone().unwrap_or_default(), quota_bytes }
}

/// Keeps the first artifacts that together have at least `free_bytes`.
pub(crate) fn cut_to_bytes(rows: &mut Vec<DeletedColumns>, free_bytes: Option<u64>) {
    let Some(free_bytes) = free_bytes else { return };
    let mut freed = 0;
    rows.retain(|(.., size_bytes)| {
        let is_needed = freed < free_bytes;
        freed += from_int(*size_bytes);
        is_needed
    });
}
