//! Lists the nodes and workflows that a document refers to.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{AiAgent, Module, ModuleValue, OpenFlow, parse_leniently, parse_module};

/// A node or workflow that a module of a document refers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DocumentReference {
    /// The id of a node that a step calls.
    Node(String),
    /// The id of a workflow that runs as a sub-flow.
    Workflow(String),
}

/// Lists the nodes and workflows that a document refers to, including the tools of language model agents; of an invalid
/// document, those in its valid parts.
pub fn list_references(document: &Value) -> BTreeSet<DocumentReference> {
    let mut found = BTreeSet::new();
    for modules in parse_leniently(document).flow.iter().flat_map(OpenFlow::root_lists) {
        collect_references(modules, &mut found);
    }
    found
}

fn collect_references(modules: &[Module], found: &mut BTreeSet<DocumentReference>) {
    for module in modules {
        let fallbacks = module.value.fallbacks().iter().map(|fallback| fallback.path.as_str());
        let nodes = module.value.node_path().into_iter().chain(fallbacks).filter_map(|path| path.split_once('/'));
        found.extend(nodes.map(|(_, id)| DocumentReference::Node(id.to_owned())));
        found.extend(module.value.sub_flow_id().map(|id| DocumentReference::Workflow(id.to_owned())));
        if let ModuleValue::AiAgent(agent) = &module.value {
            collect_references(&agent_tools(agent), found);
        }
        for list in module.value.child_lists() {
            collect_references(list.modules, found);
        }
    }
}

/// Returns the tools of an agent that are modules.
fn agent_tools(agent: &AiAgent) -> Vec<Module> {
    let tools = agent.extra.get("tools").and_then(Value::as_array);
    tools.into_iter().flatten().map(parse_module).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(modules: Value, expected: &[&str]) {
        let found = list_references(&json!({"value": {"modules": modules}}));
        let shown: Vec<String> = found
            .iter()
            .map(|reference| match reference {
                DocumentReference::Node(id) => format!("node {id}"),
                DocumentReference::Workflow(id) => format!("workflow {id}"),
            })
            .collect();
        assert_eq!(shown, expected, "{modules}");
    }

    fn script(path: &str) -> Value {
        json!({"value": {"type": "script", "path": path}})
    }

    #[test]
    fn references_are_found_at_every_depth() {
        let choice =
            json!({"type": "branchone", "branches": [{"modules": [script("node/b")]}], "default": [script("acme/d")]});
        let body =
            json!({"type": "forloopflow", "iterator": {"type": "static", "value": []}, "modules": [{"value": choice}]});
        check(
            json!([{"value": body}, {"value": {"type": "flow", "path": "workflow/w"}}]),
            &["node b", "node d", "workflow w"],
        );
        let agent =
            json!({"type": "aiagent", "tools": [{"id": "t", "value": {"type": "script", "path": "node/tool"}}]});
        check(json!([{"value": agent}, script("no path")]), &["node tool"]);
    }

    #[test]
    fn faults_hide_only_what_they_are_in() {
        check(
            json!([{"value": {"type": "script"}}, {"retry": 3, "value": {"type": "script", "path": "node/a"}}, 7]),
            &["node a"],
        );
        check(json!({"no": "list"}), &[]);
    }
}
