//! Parses the document and its program.

use serde_json::Value;

use super::{DocumentFields, DocumentReader, MAX_NESTING, ReadPurpose};
use crate::diagnostic::codes;
use crate::openflow::{FlowValue, Module, OpenFlow, Place};

impl DocumentReader {
    pub(super) fn read_document(&mut self, document: &Value) -> Option<OpenFlow> {
        let root = Place::ROOT;
        let mut fields = self.read_object(document, &root, "the workflow")?;
        let summary = fields.read_string("summary").unwrap_or_default().to_owned();
        let description = fields.read_string("description").unwrap_or_default().to_owned();
        let schema = fields.read_value("schema").cloned();
        let value = fields.required_with("value", Self::flow_value)??;
        Some(OpenFlow { summary, description, value, schema, extra: fields.into_rest() })
    }

    fn flow_value(&mut self, value: &Value, place: &Place<'_>) -> Option<FlowValue> {
        let mut fields = self.read_object(value, place, "`value`")?;
        Some(FlowValue {
            modules: Self::module_list(&mut fields, "modules"),
            failure_module: fields.read_with("failure_module", Self::read_module).map(Box::new),
            preprocessor_module: fields.read_with("preprocessor_module", Self::read_module).map(Box::new),
            same_worker: fields.read_bool("same_worker").unwrap_or_default(),
            concurrent_limit: fields.read_integer("concurrent_limit"),
            concurrency_key: fields.read_string("concurrency_key").map(str::to_owned),
            concurrency_time_window_s: fields.read_integer("concurrency_time_window_s"),
            skip_expr: fields.read_string("skip_expr").map(str::to_owned),
            cache_ttl: fields.read_integer("cache_ttl"),
            delete_after_use: fields.read_bool("delete_after_use"),
            delete_after_secs: fields.read_integer("delete_after_secs"),
            flow_env: fields
                .read_with("flow_env", |reader, env, place| {
                    if let Value::Object(map) = env {
                        Some(map.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
                    } else {
                        reader.wrong_type(place, "`flow_env`", "an object", env);
                        None
                    }
                })
                .flatten(),
            priority: fields.read_integer("priority"),
            early_return: fields.read_string("early_return").map(str::to_owned),
            extra: fields.into_rest(),
        })
    }

    /// Takes a required list of modules, unless it is nested too deeply.
    pub(super) fn module_list(fields: &mut DocumentFields<'_, '_>, name: &'static str) -> Vec<Module> {
        fields.required_list(name, |reader, value, place| reader.read_modules(value, place, name))
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
