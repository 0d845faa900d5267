//! Documents on Postgres.

use apiflow_core::ports::Timestamp;
use async_trait::async_trait;
use serde_json::Value;

use super::secrets::apply_ties;
use super::statements::CountedTransaction;
use super::{PostgresStore, SNAPSHOT};
use crate::document_rows::{self, CheckColumns, DocumentColumns};
use crate::fault::record_error;
use crate::job_rows::{from_int, to_int, to_json_text};
use crate::workflow_versions::{VersionBodyColumns, VersionColumns};
use crate::{
    Document, DocumentCheck, DocumentKind, Documents, MAX_WORKFLOW_VERSIONS, Precondition, RecordError, SecretTies,
    WorkflowRetention, WorkflowVersion, housekeeping, sql, workflow_versions,
};

/// How often saving a document is tried if others create and delete it meanwhile.
const MAX_SAVE_TRIES: u32 = 5;

/// Prevents the deletion of referenced documents until the document is saved.
const HOLD_REFERENCES: &str = "SELECT 1 FROM documents \
     WHERE (kind, id) IN (SELECT * FROM unnest($1::text[], $2::text[])) FOR KEY SHARE";
const VERSION_TO_SAVE: &str = "SELECT version, created_at FROM documents WHERE kind = $1 AND id = $2 FOR NO KEY UPDATE";
/// Waits for concurrent saves that refer to it.
const VERSION_TO_REMOVE: &str = "SELECT version, created_at FROM documents WHERE kind = $1 AND id = $2 FOR UPDATE";

const CHECKS: &str = "SELECT id, generation, checked_generation, secrets, findings FROM document_checks \
     WHERE kind = $1 AND id = ANY($2)";

/// Ordered by name, so that concurrent saves do not deadlock.
const OUTDATE_CHECKS: &str = concat!(
    "UPDATE document_checks SET generation = document_checks.generation + 1 FROM \
     (SELECT kind, id FROM document_checks WHERE (kind, id) IN (",
    sql::reached!(),
    ") ORDER BY kind, id FOR UPDATE) AS held \
     WHERE document_checks.kind = held.kind AND document_checks.id = held.id"
);

#[async_trait]
impl Documents for PostgresStore {
    async fn save_with_secrets(
        &self,
        document: Document,
        must: Precondition,
        ties: SecretTies,
    ) -> Result<Document, RecordError> {
        let (document, body) = document_rows::body_text(document).await?;
        for _ in 0..MAX_SAVE_TRIES {
            if let Some((version, created_at)) = self.attempt_save((&document, &body), must, &ties).await? {
                return Ok(Document { created_at, version, ..document });
            }
            // Another request created it between the lookup and the save.
        }
        Err(document_rows::backend_error(format!(
            "{} `{}` is created and deleted again and again",
            document.kind.as_str(),
            document.id
        )))
    }

    async fn read_document(&self, kind: DocumentKind, id: &str) -> Result<Option<Document>, RecordError> {
        let mut snapshot = self.pool.begin_with(SNAPSHOT).await.map_err(record_error)?;
        let row = sqlx::query_as(sql::DOCUMENT).bind(kind.as_str()).bind(id);
        let Some(row) = row.fetch_optional(snapshot.count_statement()).await.map_err(record_error)? else {
            return Ok(None);
        };
        with_references(&mut snapshot, kind, row).await.map(Some)
    }

    async fn list_documents(
        &self,
        kind: DocumentKind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, RecordError> {
        let mut snapshot = self.pool.begin_with(SNAPSHOT).await.map_err(record_error)?;
        let page = match after {
            None => sqlx::query_as(sql::DOCUMENTS_FIRST).bind(kind.as_str()).bind(i64::from(limit)),
            Some(id) => {
                let last = read_version(&mut snapshot, sql::DOCUMENT_VERSION, kind, id).await?;
                let missing = || RecordError::NotFound { kind: kind.as_str(), id: id.to_owned() };
                let (_, created_at) = last.ok_or_else(missing)?;
                let page = sqlx::query_as(sql::DOCUMENTS_AFTER).bind(kind.as_str()).bind(i64::from(limit));
                page.bind(created_at.0).bind(id)
            }
        };
        let page: Vec<DocumentColumns> = page.fetch_all(snapshot.count_statement()).await.map_err(record_error)?;
        let mut documents = Vec::new();
        for row in page {
            documents.push(with_references(&mut snapshot, kind, row).await?);
        }
        Ok(documents)
    }

    async fn list_checks(&self, kind: DocumentKind, ids: &[String]) -> Result<Vec<DocumentCheck>, RecordError> {
        let rows: Vec<CheckColumns> = sqlx::query_as(CHECKS)
            .bind(kind.as_str())
            .bind(ids)
            .fetch_all(self.pool.count_statement())
            .await
            .map_err(record_error)?;
        rows.into_iter().map(document_rows::check_of).collect()
    }

    async fn record_check(&self, kind: DocumentKind, check: &DocumentCheck) -> Result<(), RecordError> {
        let findings = to_json_text(&check.findings);
        let recorded = sqlx::query(sql::RECORD_CHECK).bind(kind.as_str()).bind(&check.id);
        let recorded = recorded.bind(to_int(check.generation)).bind(&check.secrets).bind(findings);
        recorded.execute(self.pool.count_statement()).await.map(drop).map_err(record_error)
    }

    async fn list_workflow_versions(
        &self,
        workflow: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<WorkflowVersion>, RecordError> {
        let rows: Vec<VersionColumns> = sqlx::query_as(workflow_versions::VERSIONS)
            .bind(workflow)
            .bind(before.map_or(i64::MAX, to_int))
            .bind(i64::from(limit))
            .fetch_all(self.pool.count_statement())
            .await
            .map_err(record_error)?;
        Ok(rows.into_iter().map(workflow_versions::version_row).collect())
    }

    async fn read_workflow_version(
        &self,
        workflow: &str,
        number: u64,
    ) -> Result<Option<(WorkflowVersion, Value)>, RecordError> {
        let found: Option<VersionBodyColumns> = sqlx::query_as(workflow_versions::VERSION)
            .bind(workflow)
            .bind(to_int(number))
            .fetch_optional(self.pool.count_statement())
            .await
            .map_err(record_error)?;
        let Some((number, saved_by, saved_at, body)) = found else { return Ok(None) };
        let version = workflow_versions::version_row((number, saved_by, saved_at));
        Ok(Some((version, document_rows::parse_body(body).await?)))
    }

    async fn remove(&self, kind: DocumentKind, id: &str, must: Precondition) -> Result<(), RecordError> {
        let mut transaction = self.pool.begin().await.map_err(record_error)?;
        let found = read_version(&mut transaction, VERSION_TO_REMOVE, kind, id).await?;
        document_rows::check_precondition(must, found.map(|(version, _)| version), kind, id)?;
        let by = sqlx::query_as(sql::REFERRERS).bind(kind.as_str()).bind(id);
        let by =
            document_rows::parse_references(by.fetch_all(transaction.count_statement()).await.map_err(record_error)?)?;
        if found.is_none() {
            return Err(RecordError::NotFound { kind: kind.as_str(), id: id.to_owned() });
        }
        if !by.is_empty() {
            return Err(RecordError::InUse { kind: kind.as_str(), id: id.to_owned(), by });
        }
        let gone = sqlx::query(sql::DELETE_DOCUMENT).bind(kind.as_str()).bind(id);
        gone.execute(transaction.count_statement()).await.map_err(record_error)?;
        if kind == DocumentKind::Workflow {
            let gone = sqlx::query(housekeeping::DELETE_RETENTION).bind(id);
            gone.execute(transaction.count_statement()).await.map_err(record_error)?;
            let gone = sqlx::query(workflow_versions::DELETE_VERSIONS).bind(id);
            gone.execute(transaction.count_statement()).await.map_err(record_error)?;
        }
        apply_ties(&mut transaction, (kind, id), SecretTies::default()).await.map_err(record_error)?;
        transaction.commit().await.map_err(record_error)
    }
}

impl PostgresStore {
    /// Saves a document; returns its version and creation time, or nothing if another request created it meanwhile.
    async fn attempt_save(
        &self,
        (document, body): (&Document, &str),
        must: Precondition,
        ties: &SecretTies,
    ) -> Result<Option<(u64, Timestamp)>, RecordError> {
        let mut transaction = self.pool.begin().await.map_err(record_error)?;
        let (kind, id) = (document.kind, document.id.as_str());
        let (kinds, ids): (Vec<&str>, Vec<&str>) =
            document.references.iter().map(|(kind, id)| (kind.as_str(), id.as_str())).unzip();
        let held = sqlx::query(HOLD_REFERENCES).bind(kinds).bind(ids);
        held.execute(transaction.count_statement()).await.map_err(record_error)?;
        let found = read_version(&mut transaction, VERSION_TO_SAVE, kind, id).await?;
        document_rows::check_precondition(must, found.map(|(version, _)| version), kind, id)?;
        let statement = if found.is_some() { sql::CHANGE_DOCUMENT } else { sql::ADD_DOCUMENT };
        let saved = sqlx::query(statement).bind(kind.as_str()).bind(id).bind(body);
        let saved =
            saved.bind(document.updated_at.0).bind(&document.author).bind(document.by_admin).bind(&document.saved_by);
        let saved = saved.execute(transaction.count_statement()).await.map_err(record_error)?;
        if saved.rows_affected() == 0 {
            return Ok(None);
        }
        add_version(&mut transaction, document).await.map_err(record_error)?;
        replace_references(&mut transaction, document).await.map_err(record_error)?;
        replace_retention(&mut transaction, document).await.map_err(record_error)?;
        apply_ties(&mut transaction, (kind, id), ties.clone()).await.map_err(record_error)?;
        outdate_checks(&mut transaction, document).await.map_err(record_error)?;
        transaction.commit().await.map_err(record_error)?;
        let (version, created_at) = found.unwrap_or((0, document.updated_at));
        Ok(Some((version + 1, created_at)))
    }
}

/// Returns the version and creation time of a document, if it exists.
async fn read_version(
    connection: &mut CountedTransaction,
    statement: &'static str,
    kind: DocumentKind,
    id: &str,
) -> Result<Option<(u64, Timestamp)>, RecordError> {
    let found: Option<(i64, i64)> = sqlx::query_as(statement)
        .bind(kind.as_str())
        .bind(id)
        .fetch_optional(connection.count_statement())
        .await
        .map_err(record_error)?;
    Ok(found.map(|(version, created_at)| (from_int(version), Timestamp(created_at))))
}

/// Replaces the references of a document.
async fn replace_references(connection: &mut CountedTransaction, document: &Document) -> Result<(), sqlx::Error> {
    let (kind, id) = (document.kind.as_str(), &document.id);
    sqlx::query(sql::DELETE_REFERENCES).bind(kind).bind(id).execute(connection.count_statement()).await?;
    for (position, (to_kind, to_id)) in (0_i64..).zip(&document.references) {
        let reference = sqlx::query(sql::ADD_REFERENCE).bind(kind).bind(id).bind(position);
        reference.bind(to_kind.as_str()).bind(to_id).execute(connection.count_statement()).await?;
    }
    Ok(())
}

/// Replaces what a workflow says about how long its jobs and outputs are kept.
async fn replace_retention(connection: &mut CountedTransaction, document: &Document) -> Result<(), sqlx::Error> {
    if document.kind == DocumentKind::Workflow {
        let gone = sqlx::query(housekeeping::DELETE_RETENTION).bind(&document.id);
        gone.execute(connection.count_statement()).await?;
    }
    let Some(retention) = WorkflowRetention::of_document(document) else { return Ok(()) };
    let added = sqlx::query(housekeeping::ADD_RETENTION).bind(&document.id);
    let added = added.bind(retention.artifacts_days.map(to_int)).bind(retention.jobs_days.map(to_int));
    added.execute(connection.count_statement()).await.map(drop)
}

/// Keeps what a save made of a workflow, and deletes its oldest versions.
async fn add_version(connection: &mut CountedTransaction, document: &Document) -> Result<(), sqlx::Error> {
    if document.kind != DocumentKind::Workflow {
        return Ok(());
    }
    let added = sqlx::query(workflow_versions::ADD_VERSION).bind(&document.id);
    added.execute(connection.count_statement()).await?;
    let gone = sqlx::query(workflow_versions::DELETE_OLD_VERSIONS).bind(&document.id);
    gone.bind(i64::from(MAX_WORKFLOW_VERSIONS)).execute(connection.count_statement()).await.map(drop)
}

/// Marks the findings about a document, and about all that refer to it, as out of date.
async fn outdate_checks(connection: &mut CountedTransaction, document: &Document) -> Result<(), sqlx::Error> {
    let (kind, id) = (document.kind.as_str(), &document.id);
    if document.kind == DocumentKind::Workflow {
        sqlx::query(sql::ADD_CHECK).bind(kind).bind(id).execute(connection.count_statement()).await?;
    }
    sqlx::query(OUTDATE_CHECKS).bind(kind).bind(id).execute(connection.count_statement()).await?;
    Ok(())
}

async fn with_references(
    connection: &mut CountedTransaction,
    kind: DocumentKind,
    row: DocumentColumns,
) -> Result<Document, RecordError> {
    let references = sqlx::query_as(sql::REFERENCES).bind(kind.as_str()).bind(&row.0);
    let references = references.fetch_all(connection.count_statement()).await.map_err(record_error)?;
    document_rows::document_row(kind, row, document_rows::parse_references(references)?).await
}
