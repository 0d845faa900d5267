//! Documents that count how often they are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use apiflow_store::{Document, DocumentCheck, DocumentKind, Documents, Precondition, RecordError, SecretTies};
use async_trait::async_trait;

/// Documents whose reads one by one are counted.
pub(crate) struct CountingDocuments {
    documents: Arc<dyn Documents>,
    reads: Arc<AtomicU64>,
}

impl CountingDocuments {
    /// Counts in `reads`.
    pub(crate) fn new(documents: Arc<dyn Documents>, reads: Arc<AtomicU64>) -> Self {
        Self { documents, reads }
    }
}

#[async_trait]
impl Documents for CountingDocuments {
    async fn save_with_secrets(
        &self,
        document: Document,
        must: Precondition,
        ties: SecretTies,
    ) -> Result<Document, RecordError> {
        self.documents.save_with_secrets(document, must, ties).await
    }

    async fn read_document(&self, kind: DocumentKind, id: &str) -> Result<Option<Document>, RecordError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.documents.read_document(kind, id).await
    }

    async fn list_documents(
        &self,
        kind: DocumentKind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, RecordError> {
        self.documents.list_documents(kind, after, limit).await
    }

    async fn list_checks(&self, kind: DocumentKind, ids: &[String]) -> Result<Vec<DocumentCheck>, RecordError> {
        self.documents.list_checks(kind, ids).await
    }

    async fn record_check(&self, kind: DocumentKind, check: &DocumentCheck) -> Result<(), RecordError> {
        self.documents.record_check(kind, check).await
    }

    async fn remove(&self, kind: DocumentKind, id: &str, must: Precondition) -> Result<(), RecordError> {
        self.documents.remove(kind, id, must).await
    }
}
