//! Caches access tokens, and fetches each once however many requests wait for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use crate::ports::HttpError;

/// Time before its end at which a token is replaced; a tenth of its lifetime if that is shorter.
const REFRESH_MARGIN: Duration = Duration::from_mins(1);
/// Maximum number of cached tokens.
const MAX_TOKENS: usize = 256;

/// An access token. Not `Debug`, so that it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::http) struct Token {
    pub(super) value: String,
    /// When it is replaced by another one.
    pub(super) stale_at: Instant,
}

impl Token {
    /// Creates a token that was just received.
    pub(super) fn new(value: String, lifetime: Duration) -> Self {
        let margin = REFRESH_MARGIN.min(lifetime / 10);
        Self { value, stale_at: Instant::now() + lifetime.saturating_sub(margin) }
    }
}

/// Tokens by the credentials that they were fetched with.
#[derive(Default)]
pub(in crate::http) struct TokenCache(Mutex<BTreeMap<String, Arc<AsyncMutex<CacheEntry>>>>);

#[derive(Default)]
struct CacheEntry {
    token: Option<Token>,
    /// The last failure to fetch one, and when; shared with all that waited for it.
    failure: Option<(Instant, HttpError)>,
}

impl TokenCache {
    /// Returns the token of these credentials; fetches one if there is none, or if it is about to expire.
    pub(super) async fn find_or_fetch(
        &self,
        key: &str,
        fetch: impl Future<Output = Result<Token, HttpError>>,
    ) -> Result<Token, HttpError> {
        let asked = Instant::now();
        let entry = self.entry(key);
        let mut entry = entry.lock().await;
        if let Some(token) = entry.token.as_ref().filter(|token| Instant::now() < token.stale_at) {
            return Ok(token.clone());
        }
        if let Some((at, error)) = &entry.failure
            && *at >= asked
        {
            return Err(error.clone());
        }
        match fetch.await {
            Ok(token) => {
                *entry = CacheEntry { token: Some(token.clone()), failure: None };
                Ok(token)
            }
            Err(error) => {
                entry.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Forgets a token, unless it has been replaced in the meantime.
    pub(super) fn forget(&self, key: &str, refused: &Token) {
        let mut entries = self.entries();
        let is_current = entries.get(key).is_some_and(|entry| {
            // If it is locked, it is being replaced.
            entry.try_lock().is_ok_and(|entry| entry.token.as_ref() == Some(refused))
        });
        if is_current {
            entries.remove(key);
        }
    }

    fn entry(&self, key: &str) -> Arc<AsyncMutex<CacheEntry>> {
        let mut entries = self.entries();
        if entries.len() >= MAX_TOKENS && !entries.contains_key(key) {
            let is_stale = |entry: &Arc<AsyncMutex<CacheEntry>>| {
                entry
                    .try_lock()
                    .is_ok_and(|entry| entry.token.as_ref().is_none_or(|token| token.stale_at <= Instant::now()))
            };
            entries.retain(|_, entry| !is_stale(entry));
            if entries.len() >= MAX_TOKENS {
                entries.pop_first();
            }
        }
        Arc::clone(entries.entry(key.to_owned()).or_default())
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Arc<AsyncMutex<CacheEntry>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
