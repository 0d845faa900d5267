//! Documents whose writes empty the cache, and cached reads of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use apiflow_store::{
    Document, DocumentCheck, DocumentKind, Documents, Precondition, RecordError, SecretTies, WorkflowVersion,
};
use async_trait::async_trait;
use serde_json::Value;

use super::entries::{Entries, RecordCache};

/// Documents that are read from the database; each write empties the cache.
pub(super) struct WatchedDocuments {
    documents: Arc<dyn Documents>,
    cache: RecordCache,
}

impl WatchedDocuments {
    /// Empties `cache` with each write to `documents`.
    pub(super) fn new(documents: Arc<dyn Documents>, cache: RecordCache) -> Self {
        Self { documents, cache }
    }
}

#[async_trait]
impl Documents for WatchedDocuments {
    async fn save_with_secrets(
        &self,
        document: Document,
        must: Precondition,
        ties: SecretTies,
    ) -> Result<Document, RecordError> {
        let documents = Arc::clone(&self.documents);
        self.cache.write(async move { documents.save_with_secrets(document, must, ties).await }).await
    }

    async fn read_document(&self, kind: DocumentKind, id: &str) -> Result<Option<Document>, RecordError> {
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

    async fn list_workflow_versions(
        &self,
        workflow: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<WorkflowVersion>, RecordError> {
        self.documents.list_workflow_versions(workflow, before, limit).await
    }

    async fn read_workflow_version(
        &self,
        workflow: &str,
        number: u64,
    ) -> Result<Option<(WorkflowVersion, Value)>, RecordError> {
        self.documents.read_workflow_version(workflow, number).await
    }

    async fn remove(&self, kind: DocumentKind, id: &str, must: Precondition) -> Result<(), RecordError> {
        let (documents, id) = (Arc::clone(&self.documents), id.to_owned());
        self.cache.write(async move { documents.remove(kind, &id, must).await }).await
    }
}

/// Reads documents one by one, from the cache if it has one.
pub struct DocumentReader {
    documents: Arc<dyn Documents>,
    cache: Option<RecordCache>,
    reads: AtomicU64,
}

impl DocumentReader {
    /// Returns a reader that asks the database for each document.
    pub fn uncached(documents: Arc<dyn Documents>) -> Self {
        Self { documents, cache: None, reads: AtomicU64::new(0) }
    }

    /// Puts `cache` in front of `documents`.
    pub(super) fn cached(documents: Arc<dyn Documents>, cache: RecordCache) -> Self {
        Self { cache: Some(cache), ..Self::uncached(documents) }
    }

    /// Reads one document.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn read_document(&self, kind: DocumentKind, id: &str) -> Result<Option<Arc<Document>>, RecordError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let Some(cache) = &self.cache else {
            return Ok(self.documents.read_document(kind, id).await?.map(Arc::new));
        };
        let key = (kind, id.to_owned());
        if let Some(found) = cache.get(|entries| entries.documents.get(&key)) {
            return Ok(Some(found));
        }
        let start = cache.begin_read();
        let Some(document) = self.documents.read_document(kind, id).await?.map(Arc::new) else { return Ok(None) };
        let bytes = document.body.to_string().len();
        let insert = |entries: &mut Entries, entry| entries.insert_document(entry, bytes);
        cache.keep_value(start, Arc::clone(&document), insert);
        Ok(Some(document))
    }

    /// Number of documents that were asked for: part of what a run costs.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}
