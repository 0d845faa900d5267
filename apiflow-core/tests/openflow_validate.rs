//! The validator finds what is wrong, all of it, and nothing else.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use apiflow_core::catalog::Catalog;
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::validate;
use proptest::prelude::*;
use serde_json::{Value, json};

fn conformance(path: &str) -> Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    serde_json::from_str(&std::fs::read_to_string(folder.join(path)).unwrap()).unwrap()
}

fn catalog(value: &Value) -> Catalog {
    serde_json::from_value(value.clone()).unwrap()
}

fn brief(found: &[Diagnostic]) -> Vec<Value> {
    found.iter().map(|one| json!({"code": one.code, "pointer": one.pointer, "severity": one.severity})).collect()
}

/// A certain mend is an edit of the document after which the finding is gone.
fn check_fix(case: &Value, found: &Diagnostic) {
    let Some(fix) = &found.fix else { return };
    let mut document = case["document"].clone();
    *document.pointer_mut(&fix.pointer).unwrap() = fix.value.clone();
    let left = validate::validate_workflow(&document, &catalog(&case["catalog"]));
    let same =
        |one: &&Diagnostic| one.code == found.code && one.message == found.message && one.pointer == found.pointer;
    assert_eq!(left.iter().find(same), None, "{} is mended by {fix:?}", case["name"]);
}

#[test]
fn every_case_has_exactly_its_findings() {
    let cases = conformance("validate_cases.json");
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 130, "the file is whole");
    let mut differing = Vec::new();
    for case in cases {
        let found = validate::validate_workflow(&case["document"], &catalog(&case["catalog"]));
        for one in &found {
            assert!(case["document"].pointer(&one.pointer).is_some(), "{one:?} has a place");
            assert!(!one.message.ends_with('.') && !one.message.starts_with(char::is_uppercase), "{one:?}");
        }
        for one in &found {
            check_fix(case, one);
        }
        if Value::from(brief(&found)) != case["expect"] {
            let told: Vec<String> =
                found.iter().map(|one| format!("{} {}: {}", one.code, one.pointer, one.message)).collect();
            differing.push(format!("{}:\n  {}", case["name"], told.join("\n  ")));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// All of each finding, as the WebAssembly build must give it too: `apiflow-wasm/tests/cases.mjs` reads the snapshot.
#[test]
fn findings_say_the_same_everywhere() {
    let cases = conformance("validate_cases.json");
    let found = cases.as_array().unwrap().iter().map(|case| {
        let found = validate::validate_workflow(&case["document"], &catalog(&case["catalog"]));
        json!({"name": case["name"], "found": found})
    });
    insta::assert_json_snapshot!("findings", found.collect::<Vec<Value>>());
}

/// Nodes as the conformance cases of OpenFlow want them: they take and give anything.
fn open_catalog() -> Catalog {
    let node = |id: &str| json!({"id": id, "name": id, "connector_id": "c"});
    catalog(&json!({
        "connectors": {"c": {"id": "c", "name": "c", "base_url": "https://example.org", "method": "POST"}},
        "nodes": {"echo": node("echo"), "fail": node("fail"), "flaky": node("flaky")},
    }))
}

#[test]
fn right_workflows_have_no_findings() {
    let mut unexpected = Vec::new();
    for case in conformance("openflow_cases.json").as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let found = validate::validate_workflow(&case["flow"], &open_catalog());
        let codes: Vec<&str> = found.iter().map(|one| one.code.as_str()).collect();
        let expected: &[&str] = match name {
            // These two ask for null, the others have constant predicates or go through nothing.
            "unknown_step_is_null" => &["unknown-step", "unknown-step", "unknown-step"],
            "parallel_forloop_inner_step_not_visible_outside" => &["invisible-step"],
            "branchone_nested" => &["unreachable-branch"; 3],
            "branchone_first_true_wins" | "branchone_chosen_branch_empty_passes_previous_result" => {
                &["unreachable-branch"]
            }
            "forloop_empty_iterator"
            | "early_stop_error_triggers_failure_module"
            | "stop_after_if_error_include_result"
            | "stop_after_if_skip_if_stopped_labels_flow_skipped"
            | "stop_after_if_skip_wins_over_error_message" => &["unreachable-step"],
            _ => &[],
        };
        let codes: Vec<&str> =
            codes.into_iter().filter(|code| !["unsupported", "ignored-field"].contains(code)).collect();
        if codes != expected {
            unexpected.push(format!("{name}: {found:#?}"));
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
}

#[test]
fn the_founding_workflows_have_no_findings() {
    let mut connector = conformance("founding/connector.json");
    connector["id"] = json!("replicate_connector_id");
    let mut node = conformance("founding/node.json");
    node["id"] = json!("replicate_flux_kontext_pro_node_id");
    let mut known = json!({
        "connectors": {"replicate_connector_id": connector},
        "nodes": {"replicate_flux_kontext_pro_node_id": node},
        "secrets": ["REPLICATE_API_TOKEN"],
    });
    let check = |name: &str, known: &Value, expected: &[&str]| {
        let document = &conformance(&format!("founding/{name}.json"))["nodes"];
        let found = validate::validate_workflow(document, &catalog(known));
        let codes: Vec<&str> = found.iter().map(|one| one.code.as_str()).collect();
        assert_eq!(codes, expected, "{name}: {found:#?}");
    };
    for name in ["workflow", "workflow_conditional", "workflow_parallel", "workflow_retry"] {
        check(name, &known, &[]);
    }
    check("template_workflow", &known, &["unknown-node"]);
    known["secrets"] = json!([]);
    check("workflow", &known, &["unresolved-secret"]);
}

fn found(document: &Value, known: &Value) -> Vec<Diagnostic> {
    validate::validate_workflow(document, &catalog(known))
}

fn one_step(value: &Value) -> Value {
    json!({"summary": "", "value": {"modules": [{"id": "a", "value": value}]}})
}

fn one_node() -> Value {
    let input = json!([{"name": "prompt", "type": "string", "required": true},
        {"name": "style", "type": "string", "enum": ["cartoon", "vintage"]}]);
    json!({
        "connectors": {"c": {"id": "c", "name": "c", "base_url": "https://example.org", "method": "POST"}},
        "nodes": {"edit": {"id": "edit", "name": "e", "connector_id": "c", "input": input}},
    })
}

#[test]
fn a_certain_mend_is_an_edit_of_the_document() {
    let mut document = one_step(&json!({"type": "script", "path": "node/edit", "input_transforms": {
        "promt": {"type": "static", "value": "x"}, "style": {"type": "static", "value": "cartoons"}}}));
    for one in found(&document, &one_node()).into_iter().filter_map(|one| one.fix) {
        *document.pointer_mut(&one.pointer).unwrap() = one.value;
    }
    assert_eq!(found(&document, &one_node()), []);
    let mut document = one_step(&json!({"type": "script", "path": "node/edti", "input_transforms": {}}));
    let first = found(&document, &one_node()).remove(0);
    assert_eq!(first.help.as_deref(), Some("did you mean `node/edit`?"));
    let fix = first.fix.unwrap();
    *document.pointer_mut(&fix.pointer).unwrap() = fix.value;
    assert_eq!(document["value"]["modules"][0]["value"]["path"], "node/edit");
}

#[test]
fn an_expression_fault_has_its_line_and_column() {
    let document = one_step(&json!({"type": "script", "path": "node/edit", "input_transforms": {
        "prompt": {"type": "javascript", "expr": "flow_input.a +\n  results.b.c"}}}));
    let unknown = found(&document, &one_node()).remove(0);
    let span = unknown.span.unwrap();
    assert_eq!((unknown.code.as_str(), span.line, span.column), ("unknown-step", 2, 3));
    let document = one_step(&json!({"type": "script", "path": "node/edit", "input_transforms": {
        "prompt": {"type": "javascript", "expr": "1 +\n  )"}}}));
    let syntax = found(&document, &one_node()).remove(0);
    let span = syntax.span.unwrap();
    assert_eq!((syntax.code.as_str(), span.line, span.column), ("expression-syntax", 2, 3));
}

/// Ten levels of lists with many modules, each of which refers to others.
fn large(modules: usize) -> Value {
    let mut left = modules;
    let mut list: Vec<Value> = Vec::new();
    for level in 0..10 {
        let share = (left / (10 - level)).max(1);
        let mut inner: Vec<Value> = (1..share)
            .map(|n| {
                json!({"id": format!("s{level}_{n}"), "value": {"type": "script", "path": "node/edit", "input_transforms": {
                    "prompt": {"type": "javascript", "expr": format!("`${{flow_input.x}} ${{results.s9_{n}.url}}`")},
                    "unknown": {"type": "static", "value": 1}}}})
            })
            .collect();
        left = left.saturating_sub(share);
        inner.push(json!({"id": format!("l{level}"), "value": {"type": "forloopflow", "skip_failures": false,
            "iterator": {"type": "static", "value": [1]}, "modules": list}}));
        list = inner;
    }
    json!({"summary": "", "value": {"modules": list}})
}

#[test]
fn time_grows_with_the_size_and_not_with_its_square() {
    let known = catalog(&one_node());
    let time = |modules: usize| -> Duration {
        let document = large(modules);
        let best = (0..3).map(|_| {
            let start = Instant::now();
            assert!(!validate::validate_workflow(&document, &known).is_empty());
            start.elapsed()
        });
        best.min().unwrap()
    };
    let (small, large) = (time(500), time(4000));
    assert!(large < small * 24, "8 times the modules took {small:?} and {large:?}");
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!({})),
        Just(json!([])),
        Just(json!("results.a.b +")),
        Just(json!("node/echo")),
        Just(json!("true")),
        any::<i32>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ]
}

/// The value that is reached by going down as `steps` say.
fn reached<'v>(value: &'v mut Value, steps: &[u8]) -> &'v mut Value {
    let step = steps.first().copied().map(usize::from);
    let below = match (&*value, step) {
        (Value::Object(map), Some(step)) if !map.is_empty() => map.keys().nth(step % map.len()).cloned(),
        (Value::Array(items), Some(step)) if !items.is_empty() => Some((step % items.len()).to_string()),
        (_, _) => None,
    };
    match below {
        Some(token) => {
            let pointer = apiflow_core::json::pointer_push("", &token);
            reached(value.pointer_mut(&pointer).unwrap(), &steps[1..])
        }
        None => value,
    }
}

static CASES: LazyLock<Value> = LazyLock::new(|| conformance("validate_cases.json"));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn findings_of_a_changed_workflow_have_places(
        which in any::<prop::sample::Index>(),
        steps in prop::collection::vec(any::<u8>(), 1..9),
        leaf in leaf(),
    ) {
        let case = which.get(CASES.as_array().unwrap());
        let mut document = case["document"].clone();
        *reached(&mut document, &steps) = leaf;
        for one in validate::validate_workflow(&document, &catalog(&case["catalog"])) {
            prop_assert!(document.pointer(&one.pointer).is_some(), "{:?}", one);
        }
    }
}

/// What editors get: connectors and nodes without their calls, sub-flows without pinned results.
fn signatures(catalog: &Catalog) -> Catalog {
    let mut reduced = catalog.clone();
    for connector in reduced.connectors.values_mut() {
        (connector.data, connector.body) = (None, None);
        connector.header.clear();
    }
    reduced.nodes.values_mut().for_each(|node| node.data = None);
    reduced.workflows.values_mut().for_each(apiflow_core::catalog::drop_pinned_results);
    reduced
}

#[test]
fn signatures_lead_to_the_same_findings_as_whole_documents() {
    let cases = conformance("validate_cases.json");
    for case in cases.as_array().unwrap() {
        let whole = Catalog { secrets: None, ..catalog(&case["catalog"]) };
        let mut reduced = signatures(&whole);
        let found = |catalog: &Catalog| validate::validate_workflow(&case["document"], catalog);
        assert_eq!(found(&reduced), found(&whole), "{}", case["name"]);
        // The same if the workflow itself is called by another one.
        let mut around = whole;
        let caller = json!({"value": {"modules": [{"id": "a", "value": {"type": "flow", "path": "workflow/case", "input_transforms": {}}},
            {"id": "b", "value": {"type": "identity"}, "skip_if": {"expr": "results.a.nothing"}}]}});
        around.workflows.insert("case".to_owned(), case["document"].clone());
        reduced.workflows.insert("case".to_owned(), case["document"].clone());
        let reduced = signatures(&reduced);
        let found = |catalog: &Catalog| validate::validate_workflow(&caller, catalog);
        assert_eq!(found(&reduced), found(&around), "{} as a sub-flow", case["name"]);
    }
}
