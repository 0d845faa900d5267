//! Selects a part of a workflow as a workflow of its own, which an editor can run while the rest is still being
//! written.

use serde_json::{Map, Value};

use super::{Identity, Mock, Module, ModuleValue, OpenFlow};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::{codes, suggest};
use crate::json::pointer_push;

/// The part of a workflow to run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// Runs up to this step, inclusive: what follows it, in its own list and in the enclosing ones, is left out. An
    /// enclosing loop runs all its iterations.
    pub until: Option<String>,
    /// Runs this step alone, in none of the enclosing loops and branches: results that it refers to are taken from
    /// `mocks`, a loop's item from an `iter` in the input.
    pub only: Option<String>,
    /// Results by step id: these steps are not run.
    pub mocks: Map<String, Value>,
}

impl Selection {
    /// Returns whether the whole workflow is run unchanged.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the document with the other parts removed and the mocks applied. A document that is not a workflow is
    /// returned unchanged: checking it is not this function's task.
    ///
    /// # Errors
    /// A finding for each id that is not a step's, and for `until` together with `only`; pointers are `/until`, `/only`
    /// and `/mocks/<id>`.
    pub fn select_from(&self, document: &Value) -> Result<Value, Vec<Diagnostic>> {
        let Ok(mut flow) = OpenFlow::from_json(document) else { return Ok(document.clone()) };
        let found = suggest::within_budget(|| self.check_ids(&flow));
        if !found.is_empty() {
            return Err(found);
        }
        if let Some(id) = &self.only {
            keep_only(&mut flow, id, &self.mocks);
        } else {
            let failure = flow.value.failure_module.as_deref_mut().map(std::slice::from_mut);
            for modules in failure.into_iter().chain([flow.value.modules.as_mut_slice()]) {
                mock_modules(modules, &self.mocks);
            }
        }
        if let Some(id) = &self.until {
            cut_after(&mut flow.value.modules, id);
        }
        Ok(serde_json::to_value(flow).expect("a document is plain data"))
    }

    fn check_ids(&self, flow: &OpenFlow) -> Vec<Diagnostic> {
        let mut ids = Vec::new();
        list_ids(&flow.value.modules, &mut ids);
        let steps = ids.clone();
        ids.extend(flow.value.failure_module.iter().map(|module| module.id.as_str()));
        let mut found = Vec::new();
        let named = [("/until".to_owned(), self.until.as_deref()), ("/only".to_owned(), self.only.as_deref())];
        found.extend(named.into_iter().filter_map(|(place, id)| unknown_id(place, id?, &steps)));
        found.extend(self.mocks.keys().filter_map(|id| unknown_id(pointer_push("/mocks", id), id, &ids)));
        if self.until.is_some() && self.only.is_some() {
            let message = "`until` and `only` cannot be combined: `until` runs the workflow up to a step, `only` runs \
                           that step alone";
            found.push(Diagnostic::new_error(codes::UNKNOWN_STEP, "/only", message));
        }
        found
    }
}

fn unknown_id(place: String, id: &str, ids: &[&str]) -> Option<Diagnostic> {
    if ids.contains(&id) {
        return None;
    }
    let found = Diagnostic::new_error(codes::UNKNOWN_STEP, place, format!("there is no step `{id}`"));
    let near = suggest::nearest_name(id, ids.iter().copied());
    Some(match near {
        Some(near) => found.with_help(suggest::did_you_mean(near)),
        None => found,
    })
}

fn list_ids<'m>(modules: &'m [Module], ids: &mut Vec<&'m str>) {
    for module in modules {
        ids.push(&module.id);
        for list in module.value.child_lists() {
            list_ids(list.modules, ids);
        }
    }
}

fn mock_modules(modules: &mut [Module], mocks: &Map<String, Value>) {
    for module in modules {
        if let Some(value) = mocks.get(&module.id) {
            module.mock = Some(mock_with_value(value));
        }
        for list in module.value.child_lists_mut() {
            mock_modules(list, mocks);
        }
    }
}

fn mock_with_value(value: &Value) -> Mock {
    Mock { enabled: true, return_value: value.clone(), extra: Map::new() }
}

/// Removes what follows a step; returns whether the step exists.
fn cut_after(modules: &mut Vec<Module>, id: &str) -> bool {
    for position in 0..modules.len() {
        let is_it = modules[position].id == id;
        if is_it || modules[position].value.child_lists_mut().into_iter().any(|list| cut_after(list, id)) {
            modules.truncate(position + 1);
            return true;
        }
    }
    false
}

/// Keeps one step, preceded by steps that return the mocked results.
fn keep_only(flow: &mut OpenFlow, id: &str, mocks: &Map<String, Value>) {
    let Some(mut step) = find_module_where(&flow.value.modules, &|module| module.id == id).cloned() else { return };
    if let Some(value) = mocks.get(id) {
        step.mock = Some(mock_with_value(value));
    }
    // Settings between a step and the next have no meaning without a next one.
    step.suspend = None;
    step.sleep = None;
    let mut ids = Vec::new();
    list_ids(&flow.value.modules, &mut ids);
    let mut modules: Vec<Module> = Vec::new();
    for other in ids.into_iter().filter(|other| *other != id) {
        if let Some(value) = mocks.get(other) {
            modules.push(result_module(other, value));
        }
    }
    modules.push(step);
    let value = &mut flow.value;
    value.modules = modules;
    value.failure_module = None;
    value.preprocessor_module = None;
    value.skip_expr = None;
    value.early_return = None;
    value.cache_ttl = None;
}

/// Returns the module with an id, at any depth, including the error handler and the preprocessor.
pub fn find_module<'m>(flow: &'m OpenFlow, id: &str) -> Option<&'m Module> {
    find_module_by(flow, &|module| module.id == id)
}

/// Returns the first module that satisfies the predicate, at any depth; the error handler and the preprocessor are
/// searched last.
pub fn find_module_by<'m>(flow: &'m OpenFlow, is_meant: &dyn Fn(&Module) -> bool) -> Option<&'m Module> {
    flow.root_lists().find_map(|modules| find_module_where(modules, is_meant))
}

fn find_module_where<'m>(modules: &'m [Module], is_meant: &dyn Fn(&Module) -> bool) -> Option<&'m Module> {
    modules.iter().find_map(|module| {
        if is_meant(module) {
            return Some(module);
        }
        module.value.child_lists().into_iter().find_map(|list| find_module_where(list.modules, is_meant))
    })
}

/// Creates a module that only returns a result.
fn result_module(id: &str, value: &Value) -> Module {
    Module {
        id: id.to_owned(),
        mock: Some(mock_with_value(value)),
        ..Module::from_value(ModuleValue::Identity(Identity { extra: Map::new() }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(id: &str) -> Value {
        json!({"id": id, "value": {"type": "script", "path": "node/n"}})
    }

    fn document() -> Value {
        let body = json!([step("inner"), step("behind")]);
        let looped = json!({"type": "forloopflow", "iterator": {"type": "static", "value": [1]}, "modules": body});
        json!({"summary": "s", "x": 1, "value": {
            "modules": [step("a"), {"id": "loop", "value": looped}, step("z")], "failure_module": step("failure")}})
    }

    /// Formats the ids of a document's modules, with mocks marked.
    fn shown(document: &Value) -> String {
        fn of(modules: &[Module]) -> String {
            let one = |module: &Module| {
                let inside: Vec<String> = module.value.child_lists().into_iter().map(|list| of(list.modules)).collect();
                let inside = if inside.is_empty() { String::new() } else { format!("[{}]", inside.join("][")) };
                let mark = if module.mock.is_some() { "=" } else { "" };
                format!("{}{mark}{inside}", module.id)
            };
            modules.iter().map(one).collect::<Vec<_>>().join(" ")
        }
        let flow = OpenFlow::from_json(document).expect("a document");
        let failure = flow.value.failure_module.map(|module| format!(" !{}", of(&[*module]))).unwrap_or_default();
        format!("{}{failure}", of(&flow.value.modules))
    }

    fn check(selection: Value, expected: &str) {
        let text = |name: &str| selection[name].as_str().map(str::to_owned);
        let mocks = selection["mocks"].as_object().cloned().unwrap_or_default();
        let selection = Selection { until: text("until"), only: text("only"), mocks };
        let found = match selection.select_from(&document()) {
            Ok(document) => shown(&document),
            Err(found) => {
                found.iter().map(|found| format!("{}: {}", found.pointer, found.message)).collect::<Vec<_>>().join("; ")
            }
        };
        assert_eq!(found, expected, "{selection:?}");
    }

    #[test]
    fn a_part_is_cut_out_of_the_document() {
        check(json!({}), "a loop[inner behind] z !failure");
        check(json!({"until": "a"}), "a !failure");
        check(json!({"until": "inner"}), "a loop[inner] !failure");
        check(json!({"until": "loop"}), "a loop[inner behind] !failure");
        check(json!({"only": "inner"}), "inner");
        check(json!({"only": "z", "mocks": {"z": 1, "inner": 2, "a": 3}}), "a= inner= z=");
        check(json!({"mocks": {"inner": null, "failure": 1}}), "a loop[inner= behind] z !failure=");
    }

    #[test]
    fn ids_that_are_no_steps_are_named() {
        check(
            json!({"until": "inmer", "mocks": {"a/b": 1}}),
            "/until: there is no step `inmer`; /mocks/a~1b: there is no step `a/b`",
        );
        check(
            json!({"until": "a", "only": "z"}),
            "/only: `until` and `only` cannot be combined: `until` runs the workflow up to a step, `only` runs that \
             step alone",
        );
    }

    #[test]
    fn what_is_not_known_is_kept() {
        let selection = Selection { until: Some("a".to_owned()), ..Selection::default() };
        let document = selection.select_from(&document()).expect("the step is there");
        assert_eq!((&document["x"], &document["summary"]), (&json!(1), &json!("s")));
    }
}
