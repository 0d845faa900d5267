//! Values behind references, looked up naively in a journal.

use std::collections::BTreeMap;
use std::rc::Rc;

use apiflow_core::engine::{CacheKey, Event, Recorded};
use apiflow_core::ports::{Args, ValueRef};
use serde_json::{Map, Value, json};

/// The values that a journal's events brought, and the lists that they extend.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    rows: BTreeMap<u64, Rc<Value>>,
    items: BTreeMap<(u64, u64), ValueRef>,
}

/// Results to be kept for later runs, by their keys.
pub(crate) type Kept = Vec<(CacheKey, Value)>;

impl Values {
    pub(crate) fn record(&mut self, events: &[Recorded]) {
        for recorded in events {
            if let Some(value) = &recorded.value {
                self.rows.insert(recorded.seq, Rc::new(value.clone()));
            }
            if let Event::FrameClosed { list: Some(list), slot, result, .. } = &recorded.event {
                self.items.insert((*list, *slot), result.clone());
            }
        }
    }

    /// The results among these events that are to be kept for later runs.
    pub(crate) fn kept(&self, events: &[Recorded]) -> Kept {
        let cached = events.iter().filter_map(|recorded| recorded.event.cached_result(recorded.seq));
        cached.map(|(key, result)| (key.clone(), self.resolve(&result))).collect()
    }

    pub(crate) fn resolve(&self, reference: &ValueRef) -> Value {
        match reference {
            ValueRef::Null => Value::Null,
            ValueRef::Index(index) => json!(index),
            ValueRef::Row(seq) => self.rows.get(seq).map(|row| (**row).clone()).unwrap_or_default(),
            ValueRef::Item(array, index) => self.resolve(array).get(*index as usize).cloned().unwrap_or_default(),
            ValueRef::List(list) => {
                let items = self.items.range((*list, 0)..=(*list, u64::MAX));
                Value::Array(items.map(|(_, result)| self.resolve(result)).collect())
            }
            ValueRef::Args(args) => self.args(args),
            ValueRef::Erased => json!({}),
        }
    }

    fn args(&self, args: &Args) -> Value {
        let mut object = match self.resolve(&args.base) {
            Value::Object(object) => object,
            Value::Null => Map::new(),
            other => Map::from_iter([("value".to_owned(), other)]),
        };
        for iter in &args.iters {
            shift(&mut object, "iter");
            object.insert("iter".to_owned(), json!({"index": iter.index, "value": self.resolve(&iter.value)}));
        }
        Value::Object(object)
    }
}

/// Renames `iter` to `iter_parent`, and what is in its way likewise.
fn shift(object: &mut Map<String, Value>, name: &str) {
    if let Some(value) = object.remove(name) {
        let outer = format!("{name}_parent");
        shift(object, &outer);
        object.insert(outer, value);
    }
}
