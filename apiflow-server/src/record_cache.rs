//! A cache of the records that every run reads: tokens, secrets and documents.
//!
//! It wraps the store's ports, so services do not depend on it. Every write of this process empties it, and an
//! entry read during a write is not cached. With SQLite this process is the only writer, so entries stay as
//! long as nothing is written; with Postgres other processes write too, so an entry is at most
//! [`MAX_SHARED_AGE`] old.
//!
//! Architecture invariant: what a write of this process changed is seen by the next read, also if the request that
//! wrote was dropped meanwhile: writes run to their end in separate tasks.

mod accounts;
mod documents;
mod entries;
mod freshness;
mod secrets;

use std::sync::Arc;
use std::time::Duration;

use apiflow_store::{Accounts, SecretStore, Stores};

use self::accounts::CachedAccounts;
pub use self::documents::DocumentReader;
use self::documents::WatchedDocuments;
use self::entries::RecordCache;
pub use self::freshness::{RecordFreshness, RecordsRead};
use self::secrets::CachedSecrets;

/// Maximum age of an entry if other processes write to the same database.
pub const MAX_SHARED_AGE: Duration = Duration::from_secs(1);

/// The ports of one database with a cache in front of them.
#[derive(Clone)]
pub struct CachedStores {
    /// The store with cached tokens and secrets, and with uncached documents, for editing; writes empty the cache.
    pub stores: Stores,
    /// The cached documents, for runs.
    pub cached_documents: Arc<DocumentReader>,
    /// Whether values derived from records are still up to date.
    pub records: RecordFreshness,
}

/// Puts a cache in front of a database's ports; `url` determines whether other processes write to it too.
pub fn cache_records(stores: &Stores, url: &str) -> CachedStores {
    let max_age = (!url.starts_with("sqlite:")).then_some(MAX_SHARED_AGE);
    let cache = RecordCache::new(max_age);
    let records = RecordFreshness::of_cache(cache.clone());
    let accounts: Arc<dyn Accounts> = Arc::new(CachedAccounts::new(Arc::clone(&stores.accounts), cache.clone()));
    let secrets: Arc<dyn SecretStore> = Arc::new(CachedSecrets::new(Arc::clone(&stores.secrets), cache.clone()));
    let cached_documents = Arc::new(DocumentReader::cached(Arc::clone(&stores.documents), cache.clone()));
    let documents = Arc::new(WatchedDocuments::new(Arc::clone(&stores.documents), cache));
    CachedStores {
        stores: Stores {
            store: Arc::clone(&stores.store),
            documents,
            accounts,
            secrets,
            artifacts: Arc::clone(&stores.artifacts),
            housekeeping: Arc::clone(&stores.housekeeping),
            statements: Arc::clone(&stores.statements),
        },
        cached_documents,
        records,
    }
}
