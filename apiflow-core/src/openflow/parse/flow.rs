//! The document and its program.

use serde_json::Value;

use super::{DocumentReader, Fields, MAX_NESTING, Purpose};
use crate::diagnostic::codes;
use crate::openflow::{FlowValue, Module, OpenFlow, Place};

impl DocumentReader {
    pub(super) fn document(&mut self, document: &Value) -> Option<OpenFlow> {
        let root = Place::ROOT;
        let mut fields = self.object(document, &root, "the workflow")?;
        let summary = fields.text(self, "summary").unwrap_or_default();
        let description = fields.text(self, "description").unwrap_or_default();
        let schema = fields.given("schema").cloned();
        let value = fields.required_inner(self, "value", Self::flow_value)??;
        Some(OpenFlow { summary, description, value, schema, extra: fields.rest(self) })
    }

    fn flow_value(&mut self, value: &Value, place: &Place<'_>) -> Option<FlowValue> {
        let mut fields = self.object(value, place, "`value`")?;
        Some(FlowValue {
            modules: self.module_list(&mut fields, "modules"),
            failure_module: fields.inner(self, "failure_module", Self::module).map(Box::new),
            preprocessor_module: fields.inner(self, "preprocessor_module", Self::module).map(Box::new),
            same_worker: fields.flag(self, "same_worker").unwrap_or_default(),
            concurrent_limit: fields.whole(self, "concurrent_limit"),
            concurrency_key: fields.text(self, "concurrency_key"),
            concurrency_time_window_s: fields.whole(self, "concurrency_time_window_s"),
            skip_expr: fields.text(self, "skip_expr"),
            cache_ttl: fields.whole(self, "cache_ttl"),
            delete_after_use: fields.flag(self, "delete_after_use"),
            delete_after_secs: fields.whole(self, "delete_after_secs"),
            flow_env: fields
                .inner(self, "flow_env", |reader, env, place| {
                    if let Value::Object(map) = env {
                        Some(map.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
                    } else {
                        reader.wrong_type(place, "`flow_env`", "an object", env);
                        None
                    }
                })
                .flatten(),
            priority: fields.whole(self, "priority"),
            early_return: fields.text(self, "early_return"),
            extra: fields.rest(self),
        })
    }

    /// Takes a required list of modules, unless it is nested too deep.
    pub(super) fn module_list(&mut self, fields: &mut Fields<'_, '_>, name: &'static str) -> Vec<Module> {
        fields.required_list(self, name, |reader, value, place| reader.modules(value, place, name))
    }

    /// Reads a list of modules, unless it is nested too deep.
    pub(super) fn modules(&mut self, value: &Value, place: &Place<'_>, name: &str) -> Vec<Module> {
        if self.nesting == MAX_NESTING && self.purpose == Purpose::Checking {
            let message = format!("lists of modules are nested deeper than {MAX_NESTING}: move a part into a sub-flow");
            self.fault(place, codes::NESTING_TOO_DEEP, message);
            return Vec::new();
        }
        self.nesting += 1;
        let modules = self.list(value, place, &format!("`{name}`"), Self::module);
        self.nesting -= 1;
        modules
    }
}
