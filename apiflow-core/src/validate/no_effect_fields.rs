//! Fields that are kept but have no effect, where their absence would be noticed.

use serde_json::{Map, Value};

use super::checker::Checker;
use crate::diagnostic::codes;
use crate::diagnostic::fixes;
use crate::diagnostic::{Diagnostic, Fix};
use crate::openflow::{Module, ModuleValue, NodeCall, OpenFlow, Place, RawScript};

/// Fields of the document, each with what there is instead.
const OF_DOCUMENT: [(&str, &str); 4] = [
    ("dedicated_worker", "every worker takes every job"),
    ("on_behalf_of_email", "a run has the permissions of the user who starts it"),
    ("tag", "every worker takes every job"),
    ("timeout", "set a `timeout` on the steps that may take too long"),
];

/// Fields of the program.
const OF_PROGRAM: [(&str, &str); 6] = [
    ("chat_input_enabled", "there is no chat: declare the message as an input"),
    ("debounce_args_to_accumulate", "each request is a run of its own"),
    ("debounce_delay_s", "each request is a run of its own"),
    ("debounce_key", "each request is a run of its own"),
    ("max_total_debounces_amount", "each request is a run of its own"),
    ("max_total_debouncing_time", "each request is a run of its own"),
];

/// Fields of calls and code.
const OF_SCRIPT: [(&str, &str); 5] = [
    ("concurrent_limit", "limit the runs of the workflow, or the calls of the connector"),
    ("concurrency_time_window_s", "limit the runs of the workflow, or the calls of the connector"),
    ("custom_concurrency_key", "limit the runs of the workflow, or the calls of the connector"),
    ("tag", "every worker takes every job"),
    ("tag_override", "every worker takes every job"),
];

impl Checker<'_> {
    pub(super) fn ignored_of_flow(&mut self, flow: &OpenFlow, place: &Place<'_>) {
        let root = Place::ROOT;
        self.ignored_fields(&flow.extra, &OF_DOCUMENT, &root);
        self.ignored_fields(&flow.value.extra, &OF_PROGRAM, place);
        if flow.value.same_worker {
            self.warn_no_effect("same_worker", "steps share nothing but their results", place);
        }
    }

    pub(super) fn ignored_of_module(&mut self, module: &Module, place: &Place<'_>) {
        if module.priority.is_some_and(|priority| priority != 0) {
            self.warn_no_effect("priority", "set it on the workflow", place);
        }
        self.ignored_fields(&module.extra, &[("debouncing", "each request is a run of its own")], place);
        let value = place.key("value");
        if let ModuleValue::Script(NodeCall { extra, .. }) | ModuleValue::RawScript(RawScript { extra, .. }) =
            &module.value
        {
            self.ignored_fields(extra, &OF_SCRIPT, &value);
        }
        if let ModuleValue::WhileLoopFlow(inner) = &module.value {
            let runs_in_order = "each iteration begins when the one before has ended";
            self.ignored_fields(&inner.extra, &[("parallel", runs_in_order), ("parallelism", runs_in_order)], &value);
        }
        if module.value.parallelism().is_some() && !module.value.nesting().is_parallel() {
            self.warn_no_effect("parallelism", "set `parallel` to true", &value);
        }
        if module.cache_ttl > Some(0) && !module.value.supports_cache() {
            self.warn_no_effect("cache_ttl", "set it on the steps inside whose results are to be kept", place);
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

    /// The edit that renames a field of the object at a place.
    pub(super) fn renamed_field(&self, place: &Place<'_>, old: &str, new: &str) -> Option<Fix> {
        let pointer = place.pointer();
        let fields = self.document.pointer(&pointer)?.as_object()?;
        fixes::renamed_field(fields, pointer, old, new)
    }
}
