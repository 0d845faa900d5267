//! Documents on SQLite.

use apiflow_core::ports::Timestamp;
use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use super::SqliteStore;
use super::secrets::tie;
use crate::fault::record_error;
use crate::records::{self, CheckColumns, DocumentColumns};
use crate::rows::{int, number, text};
use crate::{Document, DocumentCheck, DocumentKind, Documents, Precondition, RecordError, SecretTies, sql};

const CHECKS: &str = "SELECT id, generation, checked_generation, secrets, findings FROM document_checks \
     WHERE kind = $1 AND id IN (SELECT value FROM json_each($2))";

const OUTDATE_CHECKS: &str =
    concat!("UPDATE document_checks SET generation = generation + 1 WHERE (kind, id) IN (", sql::reached!(), ")");

#[async_trait]
impl Documents for SqliteStore {
    async fn save_with_secrets(
        &self,
        document: Document,
        must: Precondition,
        ties: SecretTies,
    ) -> Result<Document, RecordError> {
        let (document, body) = records::body_text(document).await?;
        let mut transaction = self.begin().await.map_err(record_error)?;
        let (kind, id) = (document.kind, document.id.as_str());
        let found = version(&mut transaction, kind, id).await?;
        records::check(must, found.map(|(version, _)| version), kind, id)?;
        let statement = if found.is_some() { sql::CHANGE_DOCUMENT } else { sql::ADD_DOCUMENT };
        sqlx::query(statement)
            .bind(kind.as_str())
            .bind(id)
            .bind(body)
            .bind(document.updated_at.0)
            .bind(&document.author)
            .bind(document.by_admin)
            .execute(&mut *transaction)
            .await
            .map_err(record_error)?;
        refer(&mut transaction, &document).await.map_err(record_error)?;
        tie(&mut transaction, (kind, id), ties).await.map_err(record_error)?;
        outdate_checks(&mut transaction, &document).await.map_err(record_error)?;
        transaction.commit().await.map_err(record_error)?;
        let (version, created_at) = found.unwrap_or((0, document.updated_at));
        Ok(Document { version: version + 1, created_at, ..document })
    }

    async fn document(&self, kind: DocumentKind, id: &str) -> Result<Option<Document>, RecordError> {
        let mut snapshot = self.reader.begin().await.map_err(record_error)?;
        let row = sqlx::query_as(sql::DOCUMENT).bind(kind.as_str()).bind(id);
        let Some(row) = row.fetch_optional(&mut *snapshot).await.map_err(record_error)? else { return Ok(None) };
        with_references(&mut snapshot, kind, row).await.map(Some)
    }

    async fn documents(
        &self,
        kind: DocumentKind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, RecordError> {
        let mut snapshot = self.reader.begin().await.map_err(record_error)?;
        let page = match after {
            None => sqlx::query_as(sql::DOCUMENTS_FIRST).bind(kind.as_str()).bind(i64::from(limit)),
            Some(id) => {
                let last = version(&mut snapshot, kind, id).await?;
                let missing = || RecordError::NotFound { kind: kind.as_str(), id: id.to_owned() };
                let (_, created_at) = last.ok_or_else(missing)?;
                let page = sqlx::query_as(sql::DOCUMENTS_AFTER).bind(kind.as_str()).bind(i64::from(limit));
                page.bind(created_at.0).bind(id)
            }
        };
        let page: Vec<DocumentColumns> = page.fetch_all(&mut *snapshot).await.map_err(record_error)?;
        let mut documents = Vec::new();
        for row in page {
            documents.push(with_references(&mut snapshot, kind, row).await?);
        }
        Ok(documents)
    }

    async fn checks(&self, kind: DocumentKind, ids: &[String]) -> Result<Vec<DocumentCheck>, RecordError> {
        let rows: Vec<CheckColumns> = sqlx::query_as(CHECKS)
            .bind(kind.as_str())
            .bind(text(&ids))
            .fetch_all(&self.reader)
            .await
            .map_err(record_error)?;
        rows.into_iter().map(records::check_of).collect()
    }

    async fn record_check(&self, kind: DocumentKind, check: &DocumentCheck) -> Result<(), RecordError> {
        let findings = text(&check.findings);
        let mut transaction = self.begin().await.map_err(record_error)?;
        let recorded = sqlx::query(sql::RECORD_CHECK).bind(kind.as_str()).bind(&check.id);
        let recorded = recorded.bind(int(check.generation)).bind(&check.secrets).bind(findings);
        recorded.execute(&mut *transaction).await.map_err(record_error)?;
        transaction.commit().await.map_err(record_error)
    }

    async fn remove(&self, kind: DocumentKind, id: &str, must: Precondition) -> Result<(), RecordError> {
        let mut transaction = self.begin().await.map_err(record_error)?;
        let found = version(&mut transaction, kind, id).await?;
        records::check(must, found.map(|(version, _)| version), kind, id)?;
        let by = sqlx::query_as(sql::REFERRERS).bind(kind.as_str()).bind(id);
        let by = records::references(by.fetch_all(&mut *transaction).await.map_err(record_error)?)?;
        if found.is_none() {
            return Err(RecordError::NotFound { kind: kind.as_str(), id: id.to_owned() });
        }
        if !by.is_empty() {
            return Err(RecordError::InUse { kind: kind.as_str(), id: id.to_owned(), by });
        }
        let gone = sqlx::query(sql::DELETE_DOCUMENT).bind(kind.as_str()).bind(id);
        gone.execute(&mut *transaction).await.map_err(record_error)?;
        tie(&mut transaction, (kind, id), SecretTies::default()).await.map_err(record_error)?;
        transaction.commit().await.map_err(record_error)
    }
}

/// The version and first moment of a document, if it is there.
async fn version(
    connection: &mut SqliteConnection,
    kind: DocumentKind,
    id: &str,
) -> Result<Option<(u64, Timestamp)>, RecordError> {
    let found: Option<(i64, i64)> = sqlx::query_as(sql::DOCUMENT_VERSION)
        .bind(kind.as_str())
        .bind(id)
        .fetch_optional(connection)
        .await
        .map_err(record_error)?;
    Ok(found.map(|(version, created_at)| (number(version), Timestamp(created_at))))
}

/// Replaces what a document refers to.
async fn refer(connection: &mut SqliteConnection, document: &Document) -> Result<(), sqlx::Error> {
    let (kind, id) = (document.kind.as_str(), &document.id);
    sqlx::query(sql::DELETE_REFERENCES).bind(kind).bind(id).execute(&mut *connection).await?;
    for (position, (to_kind, to_id)) in (0_i64..).zip(&document.references) {
        let reference = sqlx::query(sql::ADD_REFERENCE).bind(kind).bind(id).bind(position);
        reference.bind(to_kind.as_str()).bind(to_id).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Says that what was found wrong with a document, and with all that leads to it, is out of date.
async fn outdate_checks(connection: &mut SqliteConnection, document: &Document) -> Result<(), sqlx::Error> {
    let (kind, id) = (document.kind.as_str(), &document.id);
    if document.kind == DocumentKind::Workflow {
        sqlx::query(sql::ADD_CHECK).bind(kind).bind(id).execute(&mut *connection).await?;
    }
    sqlx::query(OUTDATE_CHECKS).bind(kind).bind(id).execute(&mut *connection).await?;
    Ok(())
}

async fn with_references(
    connection: &mut SqliteConnection,
    kind: DocumentKind,
    row: DocumentColumns,
) -> Result<Document, RecordError> {
    let references = sqlx::query_as(sql::REFERENCES).bind(kind.as_str()).bind(&row.0);
    let references = references.fetch_all(connection).await.map_err(record_error)?;
    records::document(kind, row, records::references(references)?).await
}
