//! Warns of fields that are accepted but have no effect, although a user would expect one.

use serde_json::{Map, Value};

use super::checker::Checker;
use crate::diagnostic::codes;
use crate::diagnostic::fixes;
use crate::diagnostic::{Diagnostic, Fix};
use crate::openflow::{Module, ModuleValue, NodeCall, OpenFlow, Place, RawScript};

/// Fields of the document, each with its alternative.
const OF_DOCUMENT: [(&str, &str); 4] = [
    ("dedicated_worker", "workers cannot be assigned: every worker runs every job"),
    ("on_behalf_of_email", "a run always has the permissions of the user who starts it"),
    ("tag", "workers cannot be assigned: every worker runs every job"),
    ("timeout", "set a `timeout` on the steps that may take too long"),
];

/// Fields of the program, each with its alternative.
const OF_PROGRAM: [(&str, &str); 6] = [
    ("chat_input_enabled", "chat is not supported: declare the message as an input"),
    ("debounce_args_to_accumulate", "debouncing is not supported: each request starts its own run"),
    ("debounce_delay_s", "debouncing is not supported: each request starts its own run"),
    ("debounce_key", "debouncing is not supported: each request starts its own run"),
    ("max_total_debounces_amount", "debouncing is not supported: each request starts its own run"),
    ("max_total_debouncing_time", "debouncing is not supported: each request starts its own run"),
];

/// Fields of calls and code, each with its alternative.
const OF_SCRIPT: [(&str, &str); 5] = [
    ("concurrent_limit", "limit the concurrency of the workflow or of the connector instead"),
    ("concurrency_time_window_s", "limit the concurrency of the workflow or of the connector instead"),
    ("custom_concurrency_key", "limit the concurrency of the workflow or of the connector instead"),
    ("tag", "workers cannot be assigned: every worker runs every job"),
    ("tag_override", "workers cannot be assigned: every worker runs every job"),
];

impl Checker<'_> {
    pub(super) fn ignored_of_flow(&mut self, flow: &OpenFlow, place: &Place<'_>) {
        let root = Place::ROOT;
        self.ignored_fields(&flow.extra, &OF_DOCUMENT, &root);
        self.ignored_fields(&flow.value.extra, &OF_PROGRAM, place);
        if flow.value.same_worker {
            self.warn_no_effect("same_worker", "steps share only their results", place);
        }
    }

    pub(super) fn ignored_of_module(&mut self, module: &Module, place: &Place<'_>) {
        if module.priority.is_some_and(|priority| priority != 0) {
            self.warn_no_effect("priority", "set the priority on the workflow", place);
        }
        self.ignored_fields(
            &module.extra,
            &[("debouncing", "debouncing is not supported: each request starts its own run")],
            place,
        );
        let value = place.key("value");
        if let ModuleValue::Script(NodeCall { extra, .. }) | ModuleValue::RawScript(RawScript { extra, .. }) =
            &module.value
        {
            self.ignored_fields(extra, &OF_SCRIPT, &value);
        }
        if let ModuleValue::WhileLoopFlow(inner) = &module.value {
            let runs_in_order = "each iteration starts after the previous one has ended";
            self.ignored_fields(&inner.extra, &[("parallel", runs_in_order), ("parallelism", runs_in_order)], &value);
        }
        if module.value.parallelism().is_some() && !module.value.nesting().is_parallel() {
            self.warn_no_effect("parallelism", "set `parallel` to true", &value);
        }
        if module.cache_ttl > Some(0) && !module.value.supports_cache() {
            self.warn_no_effect("cache_ttl", "set it on the inner steps whose results are to be cached", place);
        }
    }

    fn ignored_fields(&mut self, fields: &Map<String, Value>, known: &[(&str, &str)], place: &Place<'_>) {
        if fields.is_empty() {
            return;
        }
        for (field, instead) in known {
            let set = match fields.get(*field) {
                None | Some(Value::Null | Value::Bool(false)) => false,
                Some(Value::String(text)) => !text.is_empty(),
                Some(Value::Array(items)) => !items.is_empty(),
                Some(Value::Bool(true) | Value::Number(_) | Value::Object(_)) => true,
            };
            if set {
                self.warn_no_effect(field, instead, place);
            }
        }
    }

    fn warn_no_effect(&mut self, field: &str, instead: &str, place: &Place<'_>) {
        let message = format!("`{field}` has no effect");
        let found = Diagnostic::new_warning(codes::IGNORED_FIELD, place.key(field).pointer(), message);
        self.push(found.with_help(instead));
    }

    /// Builds the edit that renames a field of the object at a location.
    pub(super) fn renamed_field(&self, place: &Place<'_>, old: &str, new: &str) -> Option<Fix> {
        let pointer = place.pointer();
        let fields = self.document.pointer(&pointer)?.as_object()?;
        fixes::renamed_field(fields, pointer, old, new)
    }
}
