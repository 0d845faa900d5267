//! Modules and what they do.

use serde_json::{Map, Value};

use super::{DocumentReader, Fields, Purpose};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::openflow::{
    AiAgent, BranchAll, BranchAllBranch, BranchOne, BranchOneBranch, ForLoop, Identity, InputTransform, Module,
    ModuleValue, Place, RawScript, Script, SubFlow, WhileLoop,
};

/// The types of modules in the order of a palette.
const KNOWN: [&str; 9] =
    ["script", "rawscript", "flow", "forloopflow", "whileloopflow", "branchone", "branchall", "identity", "aiagent"];

impl DocumentReader {
    /// Reads a module; a broken one becomes an identity, so that its place in the list is kept.
    pub(super) fn module(&mut self, value: &Value, place: &Place<'_>) -> Module {
        let Some(mut fields) = self.object(value, place, "a module") else {
            return harmless();
        };
        Module {
            id: fields.text(self, "id").unwrap_or_default(),
            summary: fields.text(self, "summary"),
            value: fields.required_inner(self, "value", Self::module_value).flatten().unwrap_or_else(nothing),
            stop_after_if: fields.inner(self, "stop_after_if", Self::stop_after_if).flatten(),
            stop_after_all_iters_if: fields.inner(self, "stop_after_all_iters_if", Self::stop_after_if).flatten(),
            skip_if: fields.inner(self, "skip_if", Self::skip_if).flatten(),
            sleep: fields.inner(self, "sleep", Self::transform),
            cache_ttl: fields.whole(self, "cache_ttl"),
            timeout: fields.inner(self, "timeout", Self::number_or_transform).flatten(),
            delete_after_use: fields.flag(self, "delete_after_use"),
            delete_after_secs: fields.whole(self, "delete_after_secs"),
            mock: fields.inner(self, "mock", Self::mock).flatten(),
            suspend: fields.inner(self, "suspend", Self::suspend).flatten(),
            priority: fields.whole(self, "priority"),
            continue_on_error: fields.flag(self, "continue_on_error").unwrap_or_default(),
            retry: fields.inner(self, "retry", Self::retry).flatten(),
            extra: fields.rest(self),
        }
    }

    fn module_value(&mut self, value: &Value, place: &Place<'_>) -> Option<ModuleValue> {
        let mut fields = self.object(value, place, "the value of a module")?;
        let given = fields.required(self, "type")?;
        let Some(name) = given.as_str() else {
            self.wrong_type(&place.key("type"), "`type`", "a string", given);
            return None;
        };
        let value = match name {
            "script" => ModuleValue::Script(Script {
                path: fields.required_text(self, "path"),
                input_transforms: self.input_transforms(&mut fields),
                extra: fields.rest(self),
            }),
            "rawscript" => ModuleValue::RawScript(RawScript {
                content: fields.required_text(self, "content"),
                language: fields.required_text(self, "language"),
                input_transforms: self.input_transforms(&mut fields),
                extra: fields.rest(self),
            }),
            "flow" => ModuleValue::Flow(SubFlow {
                path: fields.required_text(self, "path"),
                input_transforms: self.input_transforms(&mut fields),
                extra: fields.rest(self),
            }),
            "forloopflow" => ModuleValue::ForLoopFlow(self.for_loop(fields, place)),
            "whileloopflow" => ModuleValue::WhileLoopFlow(WhileLoop {
                modules: self.module_list(&mut fields, "modules"),
                skip_failures: fields.flag(self, "skip_failures").unwrap_or_default(),
                extra: fields.rest(self),
            }),
            "branchone" => ModuleValue::BranchOne(self.branch_one(fields, place)),
            "branchall" => ModuleValue::BranchAll(self.branch_all(fields)),
            "identity" => ModuleValue::Identity(Identity { extra: fields.rest(self) }),
            "aiagent" => ModuleValue::AiAgent(AiAgent { extra: fields.rest(self) }),
            other => {
                self.unknown_type(place, codes::UNKNOWN_MODULE_TYPE, "module", other, &KNOWN);
                return None;
            }
        };
        Some(value)
    }

    fn for_loop(&mut self, mut fields: Fields<'_, '_>, place: &Place<'_>) -> ForLoop {
        let iterator = fields
            .required_as(self, "iterator", codes::MISSING_ITERATOR)
            .map(|value| self.transform(value, &place.key("iterator")));
        ForLoop {
            iterator: iterator.unwrap_or(InputTransform::Static { value: Value::Null, extra: Map::new() }),
            modules: self.module_list(&mut fields, "modules"),
            skip_failures: fields.flag(self, "skip_failures").unwrap_or_default(),
            parallel: fields.flag(self, "parallel").unwrap_or_default(),
            parallelism: fields.inner(self, "parallelism", Self::number_or_transform).flatten(),
            extra: fields.rest(self),
        }
    }

    fn branch_one(&mut self, mut fields: Fields<'_, '_>, place: &Place<'_>) -> BranchOne {
        let branches = fields.required_list(self, "branches", |reader, value, place| {
            reader.list(value, place, "`branches`", |reader, value, place| {
                let Some(mut fields) = reader.object(value, place, "a branch") else {
                    return BranchOneBranch::default();
                };
                BranchOneBranch {
                    summary: fields.text(reader, "summary"),
                    expr: fields.text(reader, "expr").unwrap_or_default(),
                    modules: reader.module_list(&mut fields, "modules"),
                    extra: fields.rest(reader),
                }
            })
        });
        let default = fields.given("default");
        if default.is_none() && self.purpose == Purpose::Checking {
            let message = "the branch has no `default`: where no predicate is true it passes on the previous result";
            let found = Diagnostic::warning(codes::MISSING_DEFAULT, place.pointer(), message);
            self.findings.push(found.help("add `\"default\": []` if that is meant"));
        }
        BranchOne {
            branches,
            default: default.map(|value| self.modules(value, &place.key("default"), "default")).unwrap_or_default(),
            extra: fields.rest(self),
        }
    }

    fn branch_all(&mut self, mut fields: Fields<'_, '_>) -> BranchAll {
        let branches = fields.required_list(self, "branches", |reader, value, place| {
            reader.list(value, place, "`branches`", |reader, value, place| {
                let Some(mut fields) = reader.object(value, place, "a branch") else {
                    return BranchAllBranch::default();
                };
                BranchAllBranch {
                    summary: fields.text(reader, "summary"),
                    skip_failure: fields.flag(reader, "skip_failure").unwrap_or_default(),
                    modules: reader.module_list(&mut fields, "modules"),
                    extra: fields.rest(reader),
                }
            })
        });
        BranchAll {
            branches,
            parallel: fields.flag(self, "parallel"),
            parallelism: fields.inner(self, "parallelism", Self::number_or_transform).flatten(),
            race: fields.flag(self, "race").unwrap_or_default(),
            extra: fields.rest(self),
        }
    }
}

/// A module that stands for one that can't be read.
fn harmless() -> Module {
    Module::of(nothing())
}

fn nothing() -> ModuleValue {
    ModuleValue::Identity(Identity::default())
}
