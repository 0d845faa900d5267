//! Caches maskers: creating one takes longer than reading most replies.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::mask::Masker;

/// Maximum number of cached maskers.
const MAX_MASKERS: usize = 64;

/// The maskers used most recently, the last one at the end. Not `Debug`, so that no value can be printed.
#[derive(Default)]
pub(super) struct MaskerCache(Mutex<VecDeque<CachedMasker>>);

struct CachedMasker {
    /// Names and values.
    secrets: Vec<(String, String)>,
    masker: Arc<Masker>,
}

impl MaskerCache {
    /// Returns the masker of these secrets (names and values, in order), creating it if necessary.
    pub(super) fn find_or_make<'a>(&self, secrets: impl Iterator<Item = (&'a str, &'a str)>) -> Arc<Masker> {
        let secrets: Vec<(&str, &str)> = secrets.collect();
        if let Some(masker) = self.find_masker(&secrets) {
            return masker;
        }
        let masker = Arc::new(Masker::new(secrets.iter().copied()));
        let secrets = secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut entries = self.lock_entries();
        entries.push_back(CachedMasker { secrets, masker: masker.clone() });
        if entries.len() > MAX_MASKERS {
            entries.pop_front();
        }
        masker
    }

    fn find_masker(&self, secrets: &[(&str, &str)]) -> Option<Arc<Masker>> {
        let is_same = |entry: &CachedMasker| {
            let known = entry.secrets.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            entry.secrets.len() == secrets.len() && known.eq(secrets.iter().copied())
        };
        let mut entries = self.lock_entries();
        let position = entries.iter().rposition(is_same)?;
        let entry = entries.remove(position)?;
        let masker = entry.masker.clone();
        entries.push_back(entry);
        Some(masker)
    }

    fn lock_entries(&self) -> std::sync::MutexGuard<'_, VecDeque<CachedMasker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masker_is_made_once_for_the_same_values() {
        let cache = MaskerCache::default();
        let first = cache.find_or_make([("KEY", "value-one")].into_iter());
        assert!(Arc::ptr_eq(&first, &cache.find_or_make([("KEY", "value-one")].into_iter())));
        let changed = cache.find_or_make([("KEY", "value-two")].into_iter());
        assert!(!Arc::ptr_eq(&first, &changed));
        assert_eq!(changed.mask_text("value-two".to_owned()), "$KEY");
    }
}
