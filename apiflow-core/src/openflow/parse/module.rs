//! Parses modules and what they do.

use serde_json::{Map, Value};

use super::{DocumentFields, DocumentReader, ReadPurpose};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::openflow::{
    AiAgent, BranchAll, BranchAllBranch, BranchOne, BranchOneBranch, FallbackCall, ForLoop, Identity, InputTransform,
    Module, ModuleValue, NodeCall, Place, RawScript, SubFlow, WhileLoop,
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
            id: fields.read_string("id").unwrap_or_default().to_owned(),
            summary: fields.read_string("summary").map(str::to_owned),
            value: fields.required_with("value", Self::module_value).flatten().unwrap_or_else(identity_value),
            stop_after_if: fields.read_with("stop_after_if", Self::stop_after_if).flatten(),
            stop_after_all_iters_if: fields.read_with("stop_after_all_iters_if", Self::stop_after_if).flatten(),
            skip_if: fields.read_with("skip_if", Self::skip_if).flatten(),
            sleep: fields.read_with("sleep", Self::read_transform),
            cache_ttl: fields.read_integer("cache_ttl"),
            timeout: fields.read_with("timeout", Self::number_or_transform).flatten(),
            delete_after_use: fields.read_bool("delete_after_use"),
            delete_after_secs: fields.read_integer("delete_after_secs"),
            mock: fields.read_with("mock", Self::read_mock).flatten(),
            suspend: fields.read_with("suspend", Self::read_suspend).flatten(),
            priority: fields.read_integer("priority"),
            continue_on_error: fields.read_bool("continue_on_error").unwrap_or_default(),
            retry: fields.read_with("retry", Self::read_retry).flatten(),
            extra: fields.into_rest(),
        }
    }

    fn module_value(&mut self, value: &Value, place: &Place<'_>) -> Option<ModuleValue> {
        let mut fields = self.read_object(value, place, "the value of a module")?;
        let given = fields.required_value("type")?;
        let Some(name) = given.as_str() else {
            self.wrong_type(&place.key("type"), "`type`", "a string", given);
            return None;
        };
        let value = match name {
            "script" => ModuleValue::Script(NodeCall {
                path: fields.required_text("path"),
                input_transforms: Self::input_transforms(&mut fields),
                fallback: fields.read_with("fallback", Self::read_fallbacks).unwrap_or_default(),
                extra: fields.into_rest(),
            }),
            "rawscript" => ModuleValue::RawScript(RawScript {
                content: fields.required_text("content"),
                language: fields.required_text("language"),
                input_transforms: Self::input_transforms(&mut fields),
                extra: fields.into_rest(),
            }),
            "flow" => ModuleValue::Flow(SubFlow {
                path: fields.required_text("path"),
                input_transforms: Self::input_transforms(&mut fields),
                extra: fields.into_rest(),
            }),
            "forloopflow" => ModuleValue::ForLoopFlow(Self::for_loop(fields, place)),
            "whileloopflow" => ModuleValue::WhileLoopFlow(WhileLoop {
                modules: Self::module_list(&mut fields, "modules"),
                skip_failures: fields.read_bool("skip_failures").unwrap_or_default(),
                extra: fields.into_rest(),
            }),
            "branchone" => ModuleValue::BranchOne(Self::branch_one(fields, place)),
            "branchall" => ModuleValue::BranchAll(Self::branch_all(fields)),
            "identity" => ModuleValue::Identity(Identity { extra: fields.into_rest() }),
            "aiagent" => ModuleValue::AiAgent(AiAgent { extra: fields.into_rest() }),
            other => {
                self.unknown_type(place, codes::UNKNOWN_MODULE_TYPE, "module", other, &KNOWN);
                return None;
            }
        };
        Some(value)
    }

    fn read_fallbacks(&mut self, value: &Value, place: &Place<'_>) -> Vec<FallbackCall> {
        self.list(value, place, "`fallback`", |reader, value, place| {
            let Some(mut fields) = reader.read_object(value, place, "a fallback") else {
                return FallbackCall::default();
            };
            FallbackCall {
                path: fields.required_text("path"),
                input_transforms: fields.read_with("input_transforms", Self::read_transforms),
                on: fields.read_with("on", |reader, value, place| {
                    reader.list(value, place, "`on`", |reader, value, place| {
                        let name = value.as_str();
                        if name.is_none() {
                            reader.wrong_type(place, "an entry of `on`", "a string", value);
                        }
                        name.unwrap_or_default().to_owned()
                    })
                }),
                extra: fields.into_rest(),
            }
        })
    }

    fn for_loop(mut fields: DocumentFields<'_, '_>, place: &Place<'_>) -> ForLoop {
        let iterator = fields
            .required_as("iterator", codes::MISSING_ITERATOR)
            .map(|value| fields.sink.read_transform(value, &place.key("iterator")));
        ForLoop {
            iterator: iterator.unwrap_or(InputTransform::Static { value: Value::Null, extra: Map::new() }),
            modules: Self::module_list(&mut fields, "modules"),
            skip_failures: fields.read_bool("skip_failures").unwrap_or_default(),
            parallel: fields.read_bool("parallel").unwrap_or_default(),
            parallelism: fields.read_with("parallelism", Self::number_or_transform).flatten(),
            extra: fields.into_rest(),
        }
    }

    fn branch_one(mut fields: DocumentFields<'_, '_>, place: &Place<'_>) -> BranchOne {
        let branches = fields.required_list("branches", |reader, value, place| {
            reader.list(value, place, "`branches`", |reader, value, place| {
                let Some(mut fields) = reader.read_object(value, place, "a branch") else {
                    return BranchOneBranch::default();
                };
                BranchOneBranch {
                    summary: fields.read_string("summary").map(str::to_owned),
                    expr: fields.read_string("expr").unwrap_or_default().to_owned(),
                    modules: Self::module_list(&mut fields, "modules"),
                    extra: fields.into_rest(),
                }
            })
        });
        let default = fields.read_value("default");
        if default.is_none() && fields.sink.purpose == ReadPurpose::Checking {
            let message = "the branch has no `default`: if no predicate is true, it returns the previous result";
            let found = Diagnostic::new_warning(codes::MISSING_DEFAULT, place.pointer(), message);
            fields.sink.findings.push(found.with_help("add `\"default\": []` if that is intended"));
        }
        BranchOne {
            branches,
            default: default
                .map(|value| fields.sink.read_modules(value, &place.key("default"), "default"))
                .unwrap_or_default(),
            extra: fields.into_rest(),
        }
    }

    fn branch_all(mut fields: DocumentFields<'_, '_>) -> BranchAll {
        let branches = fields.required_list("branches", |reader, value, place| {
            reader.list(value, place, "`branches`", |reader, value, place| {
                let Some(mut fields) = reader.read_object(value, place, "a branch") else {
                    return BranchAllBranch::default();
                };
                BranchAllBranch {
                    summary: fields.read_string("summary").map(str::to_owned),
                    skip_failure: fields.read_bool("skip_failure").unwrap_or_default(),
                    modules: Self::module_list(&mut fields, "modules"),
                    extra: fields.into_rest(),
                }
            })
        });
        BranchAll {
            branches,
            parallel: fields.read_bool("parallel"),
            parallelism: fields.read_with("parallelism", Self::number_or_transform).flatten(),
            race: fields.read_bool("race").unwrap_or_default(),
            extra: fields.into_rest(),
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
