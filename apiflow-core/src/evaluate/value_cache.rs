//! Looks values up: those of the current turn, recently used ones, and those in the store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::engine::{Event, Recorded};
use crate::ports::{Args, Store, StoreError, ValueRef};
#[cfg(feature = "runtime")]
use crate::ports::{Artifacts, CachedResult};

/// Maximum size of the values kept in memory between turns, in bytes of JSON (estimated).
const MAX_RECENT_VALUES_BYTES: usize = 8 * 1024 * 1024;

/// Maximum number of values that are read from the store at a time.
const MAX_VALUES_PER_READ: usize = 64;

/// Maximum size of a result that is cached for later runs, in bytes of JSON (estimated).
#[cfg(feature = "runtime")]
const MAX_CACHED_RESULT_BYTES: usize = 8 * 1024 * 1024;

/// The values of one job.
pub(crate) struct ValueCache {
    /// The store of committed values; without one, nothing is ever committed, and every value stays fresh.
    store: Option<Arc<dyn Store>>,
    /// Where the artifacts of cached results are looked up, and the job's user; without it, every cached result is used.
    #[cfg(feature = "runtime")]
    artifacts: Option<(Arc<dyn Artifacts>, Option<String>)>,
    job: String,
    /// Values and list items of events that are not committed yet.
    fresh: BTreeMap<u64, Arc<Value>>,
    fresh_items: BTreeMap<(u64, u64), ValueRef>,
    /// Results of events that are not committed yet, by cache key.
    fresh_cached: BTreeMap<String, (ValueRef, u64)>,
    /// Committed values that were read in advance and not used yet.
    ahead: BTreeMap<u64, Arc<Value>>,
    /// Committed values, the most recently used one last.
    recent: VecDeque<(u64, Arc<Value>, usize)>,
}

impl ValueCache {
    pub(crate) fn new(store: Option<Arc<dyn Store>>, job: &str) -> Self {
        Self {
            store,
            #[cfg(feature = "runtime")]
            artifacts: None,
            job: job.to_owned(),
            fresh: BTreeMap::new(),
            fresh_items: BTreeMap::new(),
            fresh_cached: BTreeMap::new(),
            ahead: BTreeMap::new(),
            recent: VecDeque::new(),
        }
    }

    /// Returns a cache that uses no result of another job whose artifacts this job may not read.
    #[cfg(feature = "runtime")]
    pub(crate) fn with_artifacts(self, artifacts: Arc<dyn Artifacts>, user: Option<String>) -> Self {
        Self { artifacts: Some((artifacts, user)), ..self }
    }

    /// Creates a cache of the same job that contains what is known here of a reference, so that it need not be read
    /// again.
    #[cfg(feature = "runtime")]
    pub(crate) fn share_value(&self, reference: &ValueRef) -> Self {
        let mut shared = Self::new(self.store.clone(), &self.job);
        reference.each_row(&mut |seq| {
            if let Some(value) = self.find_value(seq) {
                shared.ahead.insert(seq, value.clone());
            }
        });
        shared
    }

    /// Returns the id of the job.
    pub(crate) fn job(&self) -> &str {
        &self.job
    }

    /// Returns whether the values belong to a durable job rather than to a dry run.
    pub(crate) fn is_durable(&self) -> bool {
        self.store.is_some()
    }

    /// Adds the values that a turn recorded.
    pub(crate) fn record_events(&mut self, events: &[Recorded]) {
        for recorded in events {
            if let Some(value) = &recorded.value {
                self.fresh.insert(recorded.seq, Arc::new(value.clone()));
            }
            if let Event::FrameClosed { list: Some(list), slot, result, .. } = &recorded.event {
                self.fresh_items.insert((*list, *slot), result.clone());
            }
            if let Some((cache, result)) = recorded.event.cached_result(recorded.seq) {
                self.fresh_cached.insert(cache.key.clone(), (result, cache.ttl_s));
            }
        }
    }

    /// Returns the result that is cached under a key. A result with artifacts that were deleted or are another user's is
    /// not used: the step makes them anew.
    pub(crate) async fn read_cached_result(&mut self, key: &str) -> Result<Option<Value>, StoreError> {
        match self.fresh_cached.get(key).cloned() {
            Some((result, _)) => self.resolve_reference(&result).await.map(Some),
            None => match &self.store {
                Some(store) => {
                    let found = store.read_cached_result(key).await?;
                    #[cfg(feature = "runtime")]
                    let found = self.keep_readable(found).await?;
                    Ok(found)
                }
                None => Ok(None),
            },
        }
    }

    /// Returns a cached result, unless it refers to an artifact that the job may not read.
    #[cfg(feature = "runtime")]
    async fn keep_readable(&self, found: Option<Value>) -> Result<Option<Value>, StoreError> {
        let (Some(result), Some((artifacts, user))) = (&found, &self.artifacts) else { return Ok(found) };
        let is_readable = super::may_read_all(artifacts.as_ref(), (&self.job, user.as_deref()), result).await;
        let is_readable = is_readable.map_err(|error| StoreError::Backend(error.to_string()))?;
        Ok(found.filter(|_| is_readable))
    }

    /// Returns the results that the next commit should cache for later runs.
    #[cfg(feature = "runtime")]
    pub(crate) async fn take_cacheable_results(&mut self) -> Result<Vec<CachedResult>, StoreError> {
        let mut rows = Vec::with_capacity(self.fresh_cached.len());
        for (key, (result, ttl_s)) in self.fresh_cached.clone() {
            let value = self.resolve_reference(&result).await?;
            // A list may contain many results, each of which is below the limit.
            if estimate_json_bytes(&value) <= MAX_CACHED_RESULT_BYTES {
                rows.push(CachedResult { key, value, ttl_s });
            }
        }
        Ok(rows)
    }

    /// Marks everything that was recorded as stored.
    #[cfg(feature = "runtime")]
    pub(crate) fn mark_committed(&mut self) {
        self.fresh_items.clear();
        self.fresh_cached.clear();
        for (seq, value) in std::mem::take(&mut self.fresh) {
            self.remember_value(seq, value);
        }
    }

    /// Returns the value behind a reference.
    pub(crate) fn resolve_reference<'a>(
        &'a mut self,
        reference: &'a ValueRef,
    ) -> Pin<Box<dyn Future<Output = Result<Value, StoreError>> + Send + 'a>> {
        Box::pin(async move {
            match reference {
                ValueRef::Null => Ok(Value::Null),
                ValueRef::Index(index) => Ok(json!(index)),
                ValueRef::Row(seq) => self.read_value(*seq).await.map(|value| (*value).clone()),
                ValueRef::Item(array, index) => {
                    let index = usize::try_from(*index).unwrap_or(usize::MAX);
                    if let ValueRef::Row(seq) = **array {
                        let array = self.read_value(seq).await?;
                        return Ok(array.get(index).cloned().unwrap_or_default());
                    }
                    let mut array = self.resolve_reference(array).await?;
                    Ok(array.get_mut(index).map(Value::take).unwrap_or_default())
                }
                ValueRef::List(list) => self.list(*list).await,
                ValueRef::Args(args) => self.resolve_args(args).await,
                ValueRef::Erased => Ok(json!({})),
            }
        })
    }

    /// Returns the values behind references, in order, with few reads from the store.
    pub(crate) async fn resolve_all(&mut self, references: &[ValueRef]) -> Result<Vec<Value>, StoreError> {
        let mut values = Vec::with_capacity(references.len());
        for some in references.chunks(MAX_VALUES_PER_READ) {
            let ahead = self.read_ahead(some).await?;
            let outer = std::mem::replace(&mut self.ahead, ahead);
            for reference in some {
                values.push(self.resolve_reference(reference).await?);
            }
            self.ahead = outer;
        }
        Ok(values)
    }

    async fn read_ahead(&self, references: &[ValueRef]) -> Result<BTreeMap<u64, Arc<Value>>, StoreError> {
        let Some(store) = &self.store else { return Ok(BTreeMap::new()) };
        let mut seqs = BTreeSet::new();
        for reference in references {
            reference.each_row(&mut |seq| {
                if self.find_value(seq).is_none() {
                    seqs.insert(seq);
                }
            });
        }
        let seqs: Vec<u64> = seqs.into_iter().collect();
        // A single one is read when it is used.
        if seqs.len() < 2 {
            return Ok(BTreeMap::new());
        }
        let values = store.read_values(&self.job, &seqs).await?.into_iter();
        Ok(seqs.into_iter().zip(values.map(|value| Arc::new(value.unwrap_or_default()))).collect())
    }

    fn find_value(&self, seq: u64) -> Option<&Arc<Value>> {
        let recent = || self.recent.iter().find(|(known, ..)| *known == seq).map(|(_, value, _)| value);
        self.fresh.get(&seq).or_else(|| self.ahead.get(&seq)).or_else(recent)
    }

    async fn read_value(&mut self, seq: u64) -> Result<Arc<Value>, StoreError> {
        if let Some(value) = self.fresh.get(&seq) {
            return Ok(value.clone());
        }
        if let Some(position) = self.recent.iter().position(|(known, ..)| *known == seq)
            && let Some(entry) = self.recent.remove(position)
        {
            let value = entry.1.clone();
            self.recent.push_back(entry);
            return Ok(value);
        }
        if let Some(value) = self.ahead.remove(&seq) {
            self.remember_value(seq, value.clone());
            return Ok(value);
        }
        let Some(store) = &self.store else { return Ok(Arc::default()) };
        let mut values = store.read_values(&self.job, &[seq]).await?;
        let value = Arc::new(values.pop().flatten().unwrap_or_default());
        self.remember_value(seq, value.clone());
        Ok(value)
    }

    async fn list(&mut self, list: u64) -> Result<Value, StoreError> {
        let mut items = BTreeMap::new();
        let committed = match &self.store {
            Some(store) => store.read_list(&self.job, list).await?,
            None => Vec::new(),
        };
        for (index, body) in committed.into_iter().enumerate() {
            if let Ok(Event::FrameClosed { slot, result, .. }) = serde_json::from_value(body) {
                items.insert(slot, result);
            } else {
                return Err(StoreError::Backend(format!("item {index} of list {list} cannot be read")));
            }
        }
        let fresh = self.fresh_items.range((list, 0)..=(list, u64::MAX));
        items.extend(fresh.map(|((_, slot), result)| (*slot, result.clone())));
        let results: Vec<ValueRef> = items.into_values().collect();
        self.resolve_all(&results).await.map(Value::Array)
    }

    async fn resolve_args(&mut self, args: &Args) -> Result<Value, StoreError> {
        let mut object = match self.resolve_reference(&args.base).await? {
            Value::Object(object) => object,
            Value::Null => Map::new(),
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Map::from_iter([("value".to_owned(), other)])
            }
        };
        for iter in &args.iters {
            shift_iter_names(&mut object, "iter");
            let value = self.resolve_reference(&iter.value).await?;
            object.insert("iter".to_owned(), json!({"index": iter.index, "value": value}));
        }
        Ok(Value::Object(object))
    }

    fn remember_value(&mut self, seq: u64, value: Arc<Value>) {
        let size = estimate_json_bytes(&value);
        if size > MAX_RECENT_VALUES_BYTES / 2 {
            return;
        }
        self.recent.push_back((seq, value, size));
        let mut total: usize = self.recent.iter().map(|(.., size)| size).sum();
        while total > MAX_RECENT_VALUES_BYTES || self.recent.len() > 256 {
            let Some((.., size)) = self.recent.pop_front() else { break };
            total -= size;
        }
    }
}

/// Renames `iter` to `iter_parent`, an `iter_parent` to `iter_parent_parent`, and so on.
fn shift_iter_names(object: &mut Map<String, Value>, name: &str) {
    if let Some(value) = object.shift_remove(name) {
        let outer = format!("{name}_parent");
        shift_iter_names(object, &outer);
        object.insert(outer, value);
    }
}

/// Estimates a value's size in bytes of JSON.
pub(crate) fn estimate_json_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 12,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(estimate_json_bytes).sum::<usize>() + 2,
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| key.len() + 4 + estimate_json_bytes(value)).sum::<usize>() + 2
        }
    }
}
