//! A cache of compiled schemas.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use apiflow_core::digest::hash_value;
use serde_json::Value;

use crate::documents::schema::{SchemaCheck, compile_schema};

/// Bytes of schema text whose compiled forms are cached.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Compiled schemas by the hash of their text; the oldest are evicted first.
#[derive(Debug, Clone, Default)]
pub(crate) struct SchemaCache(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    checks: BTreeMap<String, Arc<SchemaCheck>>,
    order: VecDeque<(String, usize)>,
    bytes: usize,
}

impl SchemaCache {
    /// Returns a compiled schema: the cached one, or a new one.
    pub(crate) fn compile_cached(&self, schema: &Value) -> Arc<SchemaCheck> {
        let key = hash_value(schema);
        if let Some(check) = self.lock_entries().checks.get(&key) {
            return Arc::clone(check);
        }
        // Not under the lock: two threads may compile the same schema, and one result is cached.
        let check = Arc::new(compile_schema(schema));
        let bytes = schema.to_string().len();
        if bytes <= MAX_BYTES / 4 {
            self.lock_entries().insert_check(key, bytes, &check);
        }
        check
    }

    fn lock_entries(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn insert_check(&mut self, key: String, bytes: usize, check: &Arc<SchemaCheck>) {
        if self.checks.insert(key.clone(), Arc::clone(check)).is_some() {
            return;
        }
        self.order.push_back((key, bytes));
        self.bytes += bytes;
        while self.bytes > MAX_BYTES {
            let Some((oldest, bytes)) = self.order.pop_front() else { return };
            self.checks.remove(&oldest);
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_compiled_once_and_the_oldest_goes_first() {
        let cache = SchemaCache::default();
        let schema = |number: usize| json!({"description": number.to_string().repeat(600_000)});
        let first = cache.compile_cached(&schema(0));
        assert!(Arc::ptr_eq(&first, &cache.compile_cached(&schema(0))));
        for number in 1..10 {
            cache.compile_cached(&schema(number));
        }
        assert!(!Arc::ptr_eq(&first, &cache.compile_cached(&schema(0))), "4 MiB are kept");
        assert!(cache.lock_entries().bytes <= MAX_BYTES);
    }
}
