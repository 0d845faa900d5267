//! Results that are cached for other runs until they expire.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::ports::{CachedResult, Timestamp};

/// Maximum number of expired results that are removed when one is added: more than one, so that they do not accumulate.
const MAX_REMOVED: usize = 8;

/// Cached results by key.
#[derive(Default)]
pub(super) struct Cache {
    rows: BTreeMap<String, Kept>,
    /// The keys, by expiry.
    expiries: BTreeSet<(Timestamp, String)>,
}

struct Kept {
    value: Value,
    expires_at: Timestamp,
}

impl Cache {
    /// Adds a result, and removes some that have expired.
    pub(super) fn insert_result(&mut self, row: CachedResult, now: Timestamp) {
        let CachedResult { key, value, ttl_s } = row;
        let expires_at = now.plus_ms(ttl_s.saturating_mul(1_000));
        if let Some(before) = self.rows.insert(key.clone(), Kept { value, expires_at }) {
            self.expiries.remove(&(before.expires_at, key.clone()));
        }
        self.expiries.insert((expires_at, key));
        for _ in 0..MAX_REMOVED {
            let Some((_, key)) = self.expiries.first().filter(|(moment, _)| *moment <= now).cloned() else { return };
            self.expiries.pop_first();
            self.rows.remove(&key);
        }
    }

    /// Returns the result under a key, unless it has expired.
    pub(super) fn get(&self, key: &str, now: Timestamp) -> Option<&Value> {
        self.rows.get(key).filter(|kept| kept.expires_at > now).map(|kept| &kept.value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expired_results_do_not_pile_up() {
        let mut cache = Cache::default();
        for number in 0..1_000_u64 {
            let row = CachedResult { key: number.to_string(), value: json!(number), ttl_s: 1 };
            cache.insert_result(row, Timestamp(i64::try_from(number).expect("a small number") * 1_000));
            assert!(cache.rows.len() <= 2 && cache.rows.len() == cache.expiries.len(), "at {number}");
        }
    }
}
