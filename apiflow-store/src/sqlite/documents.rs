//! Documents on SQLite.

use apiflow_core::ports::Timestamp;
use async_trait::async_trait;
use rusqlite::params;
use serde_json::Value;

use super::SqliteStore;
use super::connection::Connection;
use super::errors::QueryError;
use super::secrets::change_ties;
use crate::document_rows::{self, CheckColumns, DocumentColumns};
use crate::job_rows::{from_int, to_int, to_json_text};
use crate::workflow_versions::VersionBodyColumns;
use crate::{
    Document, DocumentCheck, DocumentKind, Documents, MAX_WORKFLOW_VERSIONS, Precondition, RecordError, SecretTies,
    WorkflowRetention, WorkflowVersion, housekeeping, sql, workflow_versions,
};

const CHECKS: &str = "SELECT id, generation, checked_generation, secrets, findings FROM document_checks \
     WHERE kind = $1 AND id IN (SELECT value FROM json_each($2))";

const OUTDATE_CHECKS: &str =
    concat!("UPDATE document_checks SET generation = generation + 1 WHERE (kind, id) IN (", sql::reached!(), ")");

type Outcome<T> = Result<T, QueryError<RecordError>>;

/// A document's row, and the rows of its references.
type DocumentRows = (DocumentColumns, Vec<(String, String)>);

#[async_trait]
impl Documents for SqliteStore {
    async fn save_with_secrets(
        &self,
        document: Document,
        must: Precondition,
        ties: SecretTies,
    ) -> Result<Document, RecordError> {
        let (document, body) = document_rows::body_text(document).await?;
        self.write(move |connection| {
            let (kind, id) = (document.kind, document.id.as_str());
            let found = find_version(connection, kind, id)?;
            document_rows::check_precondition(must, found.map(|(version, _)| version), kind, id)?;
            let statement = if found.is_some() { sql::CHANGE_DOCUMENT } else { sql::ADD_DOCUMENT };
            let updated_at = document.updated_at.0;
            let parameters =
                params![kind.as_str(), id, body, updated_at, document.author, document.by_admin, document.saved_by];
            connection.execute(statement, parameters)?;
            add_version(connection, &document)?;
            replace_references(connection, &document)?;
            replace_retention(connection, &document)?;
            change_ties(connection, (kind, id), &ties)?;
            outdate_checks(connection, &document)?;
            let (version, created_at) = found.unwrap_or((0, document.updated_at));
            Ok(Document { version: version + 1, created_at, ..document.clone() })
        })
        .await
    }

    async fn read_document(&self, kind: DocumentKind, id: &str) -> Result<Option<Document>, RecordError> {
        let id = id.to_owned();
        let found = self.read(move |connection| {
            connection.read_snapshot(|snapshot| -> Outcome<Option<DocumentRows>> {
                let row = snapshot.fetch_optional(sql::DOCUMENT, params![kind.as_str(), id])?;
                Ok(row.map(|row| with_references(snapshot, kind, row)).transpose()?)
            })
        });
        match found.await? {
            Some((row, references)) => {
                Ok(Some(document_rows::document_row(kind, row, document_rows::parse_references(references)?).await?))
            }
            None => Ok(None),
        }
    }

    async fn list_documents(
        &self,
        kind: DocumentKind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, RecordError> {
        let after = after.map(str::to_owned);
        let page = self.read(move |connection| {
            connection.read_snapshot(|snapshot| find_page(snapshot, kind, after.as_deref(), limit))
        });
        let mut documents = Vec::new();
        for (row, references) in page.await? {
            documents.push(document_rows::document_row(kind, row, document_rows::parse_references(references)?).await?);
        }
        Ok(documents)
    }

    async fn list_checks(&self, kind: DocumentKind, ids: &[String]) -> Result<Vec<DocumentCheck>, RecordError> {
        let ids = to_json_text(&ids);
        self.read(move |connection| {
            let rows: Vec<CheckColumns> = connection.fetch_all(CHECKS, params![kind.as_str(), ids])?;
            Ok(rows.into_iter().map(document_rows::check_of).collect::<Result<_, RecordError>>()?)
        })
        .await
    }

    async fn record_check(&self, kind: DocumentKind, check: &DocumentCheck) -> Result<(), RecordError> {
        let (id, generation) = (check.id.clone(), to_int(check.generation));
        let (secrets, findings) = (check.secrets.clone(), to_json_text(&check.findings));
        self.write(move |connection| {
            connection.execute(sql::RECORD_CHECK, params![kind.as_str(), id, generation, secrets, findings])?;
            Ok(())
        })
        .await
    }

    async fn list_workflow_versions(
        &self,
        workflow: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<WorkflowVersion>, RecordError> {
        let (workflow, before) = (workflow.to_owned(), before.map_or(i64::MAX, to_int));
        self.read(move |connection| {
            let rows = connection.fetch_all(workflow_versions::VERSIONS, params![workflow, before, limit])?;
            Ok(rows.into_iter().map(workflow_versions::version_row).collect())
        })
        .await
    }

    async fn read_workflow_version(
        &self,
        workflow: &str,
        number: u64,
    ) -> Result<Option<(WorkflowVersion, Value)>, RecordError> {
        let (workflow, number) = (workflow.to_owned(), to_int(number));
        let found: Option<VersionBodyColumns> = self
            .read(move |connection| {
                Ok(connection.fetch_optional(workflow_versions::VERSION, params![workflow, number])?)
            })
            .await?;
        let Some((number, saved_by, saved_at, body)) = found else { return Ok(None) };
        let version = workflow_versions::version_row((number, saved_by, saved_at));
        Ok(Some((version, document_rows::parse_body(body).await?)))
    }

    async fn remove(&self, kind: DocumentKind, id: &str, must: Precondition) -> Result<(), RecordError> {
        let id = id.to_owned();
        self.write(move |connection| {
            let found = find_version(connection, kind, &id)?;
            document_rows::check_precondition(must, found.map(|(version, _)| version), kind, &id)?;
            if found.is_none() {
                return Err(RecordError::NotFound { kind: kind.as_str(), id: id.clone() }.into());
            }
            let by = connection.fetch_all(sql::REFERRERS, params![kind.as_str(), id])?;
            let by = document_rows::parse_references(by)?;
            if !by.is_empty() {
                return Err(RecordError::InUse { kind: kind.as_str(), id: id.clone(), by }.into());
            }
            connection.execute(sql::DELETE_DOCUMENT, params![kind.as_str(), id])?;
            if kind == DocumentKind::Workflow {
                connection.execute(housekeeping::DELETE_RETENTION, params![id])?;
                connection.execute(workflow_versions::DELETE_VERSIONS, params![id])?;
            }
            Ok(change_ties(connection, (kind, &id), &SecretTies::default())?)
        })
        .await
    }
}

/// Returns the version and creation time of a document, if it exists.
fn find_version(connection: &Connection, kind: DocumentKind, id: &str) -> rusqlite::Result<Option<(u64, Timestamp)>> {
    let found: Option<(i64, i64)> = connection.fetch_optional(sql::DOCUMENT_VERSION, params![kind.as_str(), id])?;
    Ok(found.map(|(version, created_at)| (from_int(version), Timestamp(created_at))))
}

/// Returns up to `limit` documents after another one, newest first.
fn find_page(
    connection: &Connection,
    kind: DocumentKind,
    after: Option<&str>,
    limit: u32,
) -> Outcome<Vec<DocumentRows>> {
    let page: Vec<DocumentColumns> = match after {
        None => connection.fetch_all(sql::DOCUMENTS_FIRST, params![kind.as_str(), limit])?,
        Some(id) => {
            let missing = || RecordError::NotFound { kind: kind.as_str(), id: id.to_owned() };
            let (_, created_at) = find_version(connection, kind, id)?.ok_or_else(missing)?;
            connection.fetch_all(sql::DOCUMENTS_AFTER, params![kind.as_str(), limit, created_at.0, id])?
        }
    };
    Ok(page.into_iter().map(|row| with_references(connection, kind, row)).collect::<rusqlite::Result<_>>()?)
}

fn with_references(
    connection: &Connection,
    kind: DocumentKind,
    row: DocumentColumns,
) -> rusqlite::Result<DocumentRows> {
    let references = connection.fetch_all(sql::REFERENCES, params![kind.as_str(), row.0])?;
    Ok((row, references))
}

/// Replaces the references of a document.
fn replace_references(connection: &Connection, document: &Document) -> rusqlite::Result<()> {
    let (kind, id) = (document.kind.as_str(), &document.id);
    connection.execute(sql::DELETE_REFERENCES, params![kind, id])?;
    for (position, (to_kind, to_id)) in (0_i64..).zip(&document.references) {
        connection.execute(sql::ADD_REFERENCE, params![kind, id, position, to_kind.as_str(), to_id])?;
    }
    Ok(())
}

/// Replaces what a workflow says about how long its jobs and outputs are kept.
fn replace_retention(connection: &Connection, document: &Document) -> rusqlite::Result<()> {
    if document.kind == DocumentKind::Workflow {
        connection.execute(housekeeping::DELETE_RETENTION, params![document.id])?;
    }
    let Some(retention) = WorkflowRetention::of_document(document) else { return Ok(()) };
    let (artifacts_days, jobs_days) = (retention.artifacts_days.map(to_int), retention.jobs_days.map(to_int));
    connection.execute(housekeeping::ADD_RETENTION, params![document.id, artifacts_days, jobs_days]).map(drop)
}

/// Keeps what a save made of a workflow, and deletes its oldest versions.
fn add_version(connection: &Connection, document: &Document) -> rusqlite::Result<()> {
    if document.kind != DocumentKind::Workflow {
        return Ok(());
    }
    connection.execute(workflow_versions::ADD_VERSION, params![document.id])?;
    connection.execute(workflow_versions::DELETE_OLD_VERSIONS, params![document.id, MAX_WORKFLOW_VERSIONS]).map(drop)
}

/// Marks the findings about a document, and about all that refer to it, as out of date.
fn outdate_checks(connection: &Connection, document: &Document) -> rusqlite::Result<()> {
    let (kind, id) = (document.kind.as_str(), &document.id);
    if document.kind == DocumentKind::Workflow {
        connection.execute(sql::ADD_CHECK, params![kind, id])?;
    }
    connection.execute(OUTDATE_CHECKS, params![kind, id]).map(drop)
}
