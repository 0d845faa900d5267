//! The entries of the cache, and when they are forgotten.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use apiflow_store::{Document, DocumentKind, RecordError, SecretGrant, SecretRow, TokenRow, UserRow};

/// Maximum number of cached tokens.
const MAX_TOKENS: usize = 10_000;

/// Maximum size of the cached documents, in bytes of JSON.
const MAX_DOCUMENT_BYTES: usize = 8 * 1024 * 1024;

/// The entries that were read since the last write; cheap to clone.
#[derive(Clone)]
pub(super) struct RecordCache {
    max_age: Option<Duration>,
    entries: Arc<Mutex<Entries>>,
}

/// The entries, all read since the last write.
#[derive(Default)]
pub(super) struct Entries {
    /// Raised by each write.
    generation: u64,
    pub(super) tokens: BTreeMap<String, Entry<(UserRow, TokenRow)>>,
    pub(super) documents: BTreeMap<(DocumentKind, String), Entry<Document>>,
    document_bytes: usize,
    pub(super) secrets: Option<Entry<SecretsSnapshot>>,
}

/// A value with the moment before it was read.
pub(super) struct Entry<T> {
    read_at: Instant,
    pub(super) value: Arc<T>,
}

/// All secrets and grants.
pub(super) struct SecretsSnapshot {
    /// The rows in the store's order.
    pub(super) rows: Vec<SecretRow>,
    /// Indexes into `rows`, by owner and name.
    by_name: BTreeMap<(Option<String>, String), usize>,
    pub(super) grants: Vec<SecretGrant>,
}

/// The state of the cache before a read of the database.
#[derive(Clone, Copy)]
pub(super) struct ReadStart {
    generation: u64,
    at: Instant,
}

impl RecordCache {
    /// An empty cache whose entries are at most `max_age` old; `None`: of any age.
    pub(super) fn new(max_age: Option<Duration>) -> Self {
        Self { max_age, entries: Arc::default() }
    }

    /// Returns what `find` finds among the entries, unless it is too old.
    pub(super) fn get<T>(&self, find: impl FnOnce(&Entries) -> Option<&Entry<T>>) -> Option<Arc<T>> {
        let entries = self.lock_entries();
        let entry = find(&entries)?;
        let is_fresh = self.max_age.is_none_or(|max_age| entry.read_at.elapsed() < max_age);
        is_fresh.then(|| Arc::clone(&entry.value))
    }

    /// Call this before a value is derived from cached records: its age is that of the oldest document or secret that may be
    /// part of it.
    pub(super) fn begin_derivation(&self) -> ReadStart {
        let entries = self.lock_entries();
        let now = Instant::now();
        let documents = entries.documents.values().map(|entry| entry.read_at);
        let read = documents.chain(entries.secrets.as_ref().map(|entry| entry.read_at));
        let is_fresh = |at: &Instant| self.max_age.is_none_or(|max_age| at.elapsed() < max_age);
        ReadStart { generation: entries.generation, at: read.filter(is_fresh).min().unwrap_or(now) }
    }

    /// Whether nothing was written since this read, and it is not too old.
    pub(super) fn is_current(&self, read: ReadStart) -> bool {
        self.lock_entries().generation == read.generation
            && self.max_age.is_none_or(|max_age| read.at.elapsed() < max_age)
    }

    /// Call this before a read of the database whose result is to be cached.
    pub(super) fn begin_read(&self) -> ReadStart {
        ReadStart { generation: self.lock_entries().generation, at: Instant::now() }
    }

    /// Caches a value that was read, unless something was written since the read started.
    pub(super) fn keep_value<T>(&self, start: ReadStart, value: Arc<T>, insert: impl FnOnce(&mut Entries, Entry<T>)) {
        let mut entries = self.lock_entries();
        if entries.generation == start.generation {
            insert(&mut entries, Entry { read_at: start.at, value });
        }
    }

    /// Writes to the database and clears the cache, even if the write fails or the caller stops waiting.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl Future<Output = Result<T, RecordError>> + Send + 'static,
    ) -> Result<T, RecordError> {
        let cache = self.clone();
        let task = tokio::spawn(async move {
            let result = write.await;
            cache.forget_all();
            result
        });
        task.await.unwrap_or_else(|error| {
            self.forget_all();
            Err(RecordError::Backend(format!("a write failed: {error}")))
        })
    }

    fn forget_all(&self) {
        let mut entries = self.lock_entries();
        *entries = Entries { generation: entries.generation + 1, ..Entries::default() };
    }

    fn lock_entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Caches the user of a token.
    pub(super) fn insert_token(&mut self, hash: String, entry: Entry<(UserRow, TokenRow)>) {
        if self.tokens.len() >= MAX_TOKENS {
            self.tokens.clear();
        }
        self.tokens.insert(hash, entry);
    }

    /// Caches a document whose body has `bytes` bytes of JSON.
    pub(super) fn insert_document(&mut self, entry: Entry<Document>, bytes: usize) {
        if self.document_bytes + bytes > MAX_DOCUMENT_BYTES {
            self.documents.clear();
            self.document_bytes = 0;
        }
        // An entry that is replaced counts twice until the cache is emptied: too much rather than too little.
        self.document_bytes += bytes;
        self.documents.insert((entry.value.kind, entry.value.id.clone()), entry);
    }
}

impl SecretsSnapshot {
    /// Indexes the rows.
    pub(super) fn new(rows: Vec<SecretRow>, grants: Vec<SecretGrant>) -> Self {
        let by_name = rows.iter().enumerate().map(|(index, row)| ((row.owner.clone(), row.name.clone()), index));
        Self { by_name: by_name.collect(), rows, grants }
    }

    /// Returns the row of a secret.
    pub(super) fn find_secret(&self, owner: Option<&str>, name: &str) -> Option<&SecretRow> {
        let index = self.by_name.get(&(owner.map(str::to_owned), name.to_owned()))?;
        self.rows.get(*index)
    }
}
