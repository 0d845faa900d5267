//! Parses the document and its program.

use serde_json::Value;

use super::{DocumentFields, DocumentReader, MAX_NESTING, ReadPurpose};
use crate::diagnostic::codes;
use crate::openflow::{FlowValue, Module, OpenFlow, Place};

impl DocumentReader {
    pub(super) fn read_document(&mut self, document: &Value) -> Option<OpenFlow> {
        let root = Place::ROOT;
        let mut fields = self.read_object(document, &root, "the workflow")?;
        let summary = fields.take_string(self, "summary").unwrap_or_default();
        let description = fields.take_string(self, "description").unwrap_or_default();
        let schema = fields.take_non_null("schema").cloned();
        let value = fields.required_inner(self, "value", Self::flow_value)??;
        Some(OpenFlow { summary, description, value, schema, extra: fields.take_rest(self) })
    }

    fn flow_value(&mut self, value: &Value, place: &Place<'_>) -> Option<FlowValue> {
        let mut fields = self.read_object(value, place, "`value`")?;
        Some(FlowValue {
            modules: self.module_list(&mut fields, "modules"),
            failure_module: fields.take_field_with(self, "failure_module", Self::read_module).map(Box::new),
            preprocessor_module: fields.take_field_with(self, "preprocessor_module", Self::read_module).map(Box::new),
            same_worker: fields.take_bool(self, "same_worker").unwrap_or_default(),
            concurrent_limit: fields.take_integer(self, "concurrent_limit"),
            concurrency_key: fields.take_string(self, "concurrency_key"),
            concurrency_time_window_s: fields.take_integer(self, "concurrency_time_window_s"),
            skip_expr: fields.take_string(self, "skip_expr"),
            cache_ttl: fields.take_integer(self, "cache_ttl"),
            delete_after_use: fields.take_bool(self, "delete_after_use"),
            delete_after_secs: fields.take_integer(self, "delete_after_secs"),
            flow_env: fields
                .take_field_with(self, "flow_env", |reader, env, place| {
                    if let Value::Object(map) = env {
                        Some(map.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
                    } else {
                        reader.wrong_type(place, "`flow_env`", "an object", env);
                        None
                    }
                })
                .flatten(),
            priority: fields.take_integer(self, "priority"),
            early_return: fields.take_string(self, "early_return"),
            extra: fields.take_rest(self),
        })
    }

    /// Takes a required list of modules, unless it is nested too deeply.
    pub(super) fn module_list(&mut self, fields: &mut DocumentFields<'_, '_>, name: &'static str) -> Vec<Module> {
        fields.required_list(self, name, |reader, value, place| reader.read_modules(value, place, name))
    }

    /// Reads a list of modules, unless it is nested too deeply.
    pub(super) fn read_modules(&mut self, value: &Value, place: &Place<'_>, name: &str) -> Vec<Module> {
        if self.nesting == MAX_NESTING && self.purpose == ReadPurpose::Checking {
            let message = format!("lists of modules are nested deeper than {MAX_NESTING}: move a part into a sub-flow");
            self.note_fault(place, codes::NESTING_TOO_DEEP, message);
            return Vec::new();
        }
        self.nesting += 1;
        let modules = self.list(value, place, &format!("`{name}`"), Self::read_module);
        self.nesting -= 1;
        modules
    }
}
