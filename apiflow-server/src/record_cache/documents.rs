//! Documents with and without a cache.

use std::sync::Arc;

use apiflow_store::{Document, DocumentCheck, DocumentKind, Documents, Precondition, RecordError, SecretTies};
use async_trait::async_trait;

use super::entries::{Entries, RecordCache};

/// Uncached documents; writes empty the cache.
#[derive(Clone)]
pub(super) struct FreshDocuments {
    documents: Arc<dyn Documents>,
    cache: RecordCache,
}

impl FreshDocuments {
    /// Empties `cache` with each write to `documents`.
    pub(super) fn new(documents: Arc<dyn Documents>, cache: RecordCache) -> Self {
        Self { documents, cache }
    }
}

#[async_trait]
impl Documents for FreshDocuments {
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

    async fn remove(&self, kind: DocumentKind, id: &str, must: Precondition) -> Result<(), RecordError> {
        let (documents, id) = (Arc::clone(&self.documents), id.to_owned());
        self.cache.write(async move { documents.remove(kind, &id, must).await }).await
    }
}

/// Documents that are cached when they are read one by one, for runs.
pub(super) struct CachedDocuments {
    fresh: FreshDocuments,
    cache: RecordCache,
}

impl CachedDocuments {
    /// Puts `cache` in front of `fresh`.
    pub(super) fn new(fresh: FreshDocuments, cache: RecordCache) -> Self {
        Self { fresh, cache }
    }
}

#[async_trait]
impl Documents for CachedDocuments {
    async fn save_with_secrets(
        &self,
        document: Document,
        must: Precondition,
        ties: SecretTies,
    ) -> Result<Document, RecordError> {
        self.fresh.save_with_secrets(document, must, ties).await
    }

    async fn read_document(&self, kind: DocumentKind, id: &str) -> Result<Option<Document>, RecordError> {
        let key = (kind, id.to_owned());
        if let Some(found) = self.cache.get(|entries| entries.documents.get(&key)) {
            return Ok(Some((*found).clone()));
        }
        let start = self.cache.begin_read();
        let found = self.fresh.read_document(kind, id).await?;
        if let Some(document) = &found {
            let bytes = document.body.to_string().len();
            let insert = |entries: &mut Entries, entry| entries.insert_document(entry, bytes);
            self.cache.keep_value(start, Arc::new(document.clone()), insert);
        }
        Ok(found)
    }

    async fn list_documents(
        &self,
        kind: DocumentKind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, RecordError> {
        self.fresh.list_documents(kind, after, limit).await
    }

    async fn list_checks(&self, kind: DocumentKind, ids: &[String]) -> Result<Vec<DocumentCheck>, RecordError> {
        self.fresh.list_checks(kind, ids).await
    }

    async fn record_check(&self, kind: DocumentKind, check: &DocumentCheck) -> Result<(), RecordError> {
        self.fresh.record_check(kind, check).await
    }

    async fn remove(&self, kind: DocumentKind, id: &str, must: Precondition) -> Result<(), RecordError> {
        self.fresh.remove(kind, id, must).await
    }
}
