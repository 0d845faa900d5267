//! Parses modules and what they do.

use serde_json::{Map, Value};

use super::{DocumentFields, DocumentReader, ReadPurpose};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::openflow::{
    AiAgent, BranchAll, BranchAllBranch, BranchOne, BranchOneBranch, ForLoop, Identity, InputTransform, Module,
    ModuleValue, NodeCall, Place, RawScript, SubFlow, WhileLoop,
};

/// The types of modules, in the order in which they are offered.
const KNOWN: [&str; 9] =
    ["script", "rawscript", "flow", "forloopflow", "whileloopflow", "branchone", "branchall", "identity", "aiagent"];

impl DocumentReader {
    /// Reads a module; an invalid one becomes an identity, so that its position in the list is kept.
    pub(super) fn read_module(&mut self, value: &Value, place: &Place<'_>) -> Module {
        let Some(mut fields) = self.read_object(value, place, "a module") else {
            return identity_module();
        };
        Module {
            id: fields.take_string(self, "id").unwrap_or_default(),
            summary: fields.take_string(self, "summary"),
            value: fields.required_inner(self, "value", Self::module_value).flatten().unwrap_or_else(identity_value),
            stop_after_if: fields.take_field_with(self, "stop_after_if", Self::stop_after_if).flatten(),
            stop_after_all_iters_if: fields
                .take_field_with(self, "stop_after_all_iters_if", Self::stop_after_if)
                .flatten(),
            skip_if: fields.take_field_with(self, "skip_if", Self::skip_if).flatten(),
            sleep: fields.take_field_with(self, "sleep", Self::read_transform),
            cache_ttl: fields.take_integer(self, "cache_ttl"),
            timeout: fields.take_field_with(self, "timeout", Self::number_or_transform).flatten(),
            delete_after_use: fields.take_bool(self, "delete_after_use"),
            delete_after_secs: fields.take_integer(self, "delete_after_secs"),
            mock: fields.take_field_with(self, "mock", Self::read_mock).flatten(),
            suspend: fields.take_field_with(self, "suspend", Self::read_suspend).flatten(),
            priority: fields.take_integer(self, "priority"),
            continue_on_error: fields.take_bool(self, "continue_on_error").unwrap_or_default(),
            retry: fields.take_field_with(self, "retry", Self::read_retry).flatten(),
            extra: fields.take_rest(self),
        }
    }

    fn module_value(&mut self, value: &Value, place: &Place<'_>) -> Option<ModuleValue> {
        let mut fields = self.read_object(value, place, "the value of a module")?;
        let given = fields.take_required(self, "type")?;
        let Some(name) = given.as_str() else {
            self.wrong_type(&place.key("type"), "`type`", "a string", given);
            return None;
        };
        let value = match name {
            "script" => ModuleValue::Script(NodeCall {
                path: fields.required_text(self, "path"),
                input_transforms: self.input_transforms(&mut fields),
                extra: fields.take_rest(self),
            }),
            "rawscript" => ModuleValue::RawScript(RawScript {
                content: fields.required_text(self, "content"),
                language: fields.required_text(self, "language"),
                input_transforms: self.input_transforms(&mut fields),
                extra: fields.take_rest(self),
            }),
            "flow" => ModuleValue::Flow(SubFlow {
                path: fields.required_text(self, "path"),
                input_transforms: self.input_transforms(&mut fields),
                extra: fields.take_rest(self),
            }),
            "forloopflow" => ModuleValue::ForLoopFlow(self.for_loop(fields, place)),
            "whileloopflow" => ModuleValue::WhileLoopFlow(WhileLoop {
                modules: self.module_list(&mut fields, "modules"),
                skip_failures: fields.take_bool(self, "skip_failures").unwrap_or_default(),
                extra: fields.take_rest(self),
            }),
            "branchone" => ModuleValue::BranchOne(self.branch_one(fields, place)),
            "branchall" => ModuleValue::BranchAll(self.branch_all(fields)),
            "identity" => ModuleValue::Identity(Identity { extra: fields.take_rest(self) }),
            "aiagent" => ModuleValue::AiAgent(AiAgent { extra: fields.take_rest(self) }),
            other => {
                self.unknown_type(place, codes::UNKNOWN_MODULE_TYPE, "module", other, &KNOWN);
                return None;
            }
        };
        Some(value)
    }

    fn for_loop(&mut self, mut fields: DocumentFields<'_, '_>, place: &Place<'_>) -> ForLoop {
        let iterator = fields
            .required_as(self, "iterator", codes::MISSING_ITERATOR)
            .map(|value| self.read_transform(value, &place.key("iterator")));
        ForLoop {
            iterator: iterator.unwrap_or(InputTransform::Static { value: Value::Null, extra: Map::new() }),
            modules: self.module_list(&mut fields, "modules"),
            skip_failures: fields.take_bool(self, "skip_failures").unwrap_or_default(),
            parallel: fields.take_bool(self, "parallel").unwrap_or_default(),
            parallelism: fields.take_field_with(self, "parallelism", Self::number_or_transform).flatten(),
            extra: fields.take_rest(self),
        }
    }

    fn branch_one(&mut self, mut fields: DocumentFields<'_, '_>, place: &Place<'_>) -> BranchOne {
        let branches = fields.required_list(self, "branches", |reader, value, place| {
            reader.list(value, place, "`branches`", |reader, value, place| {
                let Some(mut fields) = reader.read_object(value, place, "a branch") else {
                    return BranchOneBranch::default();
                };
                BranchOneBranch {
                    summary: fields.take_string(reader, "summary"),
                    expr: fields.take_string(reader, "expr").unwrap_or_default(),
                    modules: reader.module_list(&mut fields, "modules"),
                    extra: fields.take_rest(reader),
                }
            })
        });
        let default = fields.take_non_null("default");
        if default.is_none() && self.purpose == ReadPurpose::Checking {
            let message = "the branch has no `default`: if no predicate is true, it returns the previous result";
            let found = Diagnostic::new_warning(codes::MISSING_DEFAULT, place.pointer(), message);
            self.findings.push(found.with_help("add `\"default\": []` if that is intended"));
        }
        BranchOne {
            branches,
            default: default
                .map(|value| self.read_modules(value, &place.key("default"), "default"))
                .unwrap_or_default(),
            extra: fields.take_rest(self),
        }
    }

    fn branch_all(&mut self, mut fields: DocumentFields<'_, '_>) -> BranchAll {
        let branches = fields.required_list(self, "branches", |reader, value, place| {
            reader.list(value, place, "`branches`", |reader, value, place| {
                let Some(mut fields) = reader.read_object(value, place, "a branch") else {
                    return BranchAllBranch::default();
                };
                BranchAllBranch {
                    summary: fields.take_string(reader, "summary"),
                    skip_failure: fields.take_bool(reader, "skip_failure").unwrap_or_default(),
                    modules: reader.module_list(&mut fields, "modules"),
                    extra: fields.take_rest(reader),
                }
            })
        });
        BranchAll {
            branches,
            parallel: fields.take_bool(self, "parallel"),
            parallelism: fields.take_field_with(self, "parallelism", Self::number_or_transform).flatten(),
            race: fields.take_bool(self, "race").unwrap_or_default(),
            extra: fields.take_rest(self),
        }
    }
}

/// Returns the module that replaces an invalid one.
fn identity_module() -> Module {
    Module::from_value(identity_value())
}

fn identity_value() -> ModuleValue {
    ModuleValue::Identity(Identity::default())
}
