//! Every field and module type of OpenFlow is read, and written as it was.
#![recursion_limit = "256"]
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use apiflow_core::diagnostic::{Diagnostic, has_errors};
use apiflow_core::openflow::{InputTransform, MAX_FINDINGS, MAX_NESTING, ModuleValue, OpenFlow, parse};
use serde_json::{Value, json};

/// Reads a document that must be right, by hand and by serde, and gives what is written again.
fn written(document: &Value) -> Value {
    let (flow, diagnostics) = parse(document);
    assert!(!has_errors(&diagnostics), "{diagnostics:#?}");
    let flow = flow.unwrap();
    let by_serde: OpenFlow = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(flow, by_serde, "both readers agree");
    serde_json::to_value(&flow).unwrap()
}

fn check_round_trip(document: &Value) {
    assert_eq!(&written(document), document);
}

fn with_module(module: Value) -> Value {
    json!({"summary": "s", "value": {"modules": [module]}})
}

fn check_faults(document: &Value, expected: &[(&str, &str)]) -> Vec<Diagnostic> {
    let (flow, diagnostics) = parse(document);
    let found: Vec<(&str, &str)> = diagnostics.iter().map(|d| (d.code.as_str(), d.pointer.as_str())).collect();
    assert_eq!(found, expected, "{diagnostics:#?}");
    assert_eq!(flow.is_none(), has_errors(&diagnostics));
    diagnostics
}

#[test]
fn every_field_of_the_document_comes_back() {
    check_round_trip(&json!({
        "summary": "title", "description": "text", "schema": {"type": "object", "order": ["a"]},
        "on_behalf_of_email": "a@example.org", "path": "f/x", "tag": "t", "timeout": 5, "dedicated_worker": true,
        "ws_error_handler_muted": true, "visible_to_runner_only": true, "labels": ["l"], "deployment_message": "m",
        "value": {
            "modules": [], "same_worker": true, "preserve_step_tags": true, "concurrent_limit": 2,
            "concurrency_key": "$args[x]", "concurrency_time_window_s": 60, "debounce_delay_s": 3, "debounce_key": "k",
            "debounce_args_to_accumulate": ["a"], "max_total_debouncing_time": 9, "max_total_debounces_amount": 4,
            "skip_expr": "flow_input.skip", "cache_ttl": 60, "cache_ignore_s3_path": true, "delete_after_use": true,
            "delete_after_secs": 10, "flow_env": {"A": [1, null, {"b": 2}]}, "priority": -3, "early_return": "a",
            "chat_input_enabled": true, "some_future_field": {"deep": [null]},
            "notes": [{"id": "n", "text": "t", "color": "yellow", "type": "free", "position": {"x": 1, "y": 2},
                "size": {"width": 3, "height": 4}, "locked": false, "contained_node_ids": ["a"]}],
            "groups": [{"start_id": "a", "end_id": "b", "summary": "g", "note": "*n*", "autocollapse": false, "color": "red"}],
            "failure_module": {"id": "failure", "value": {"type": "identity"}},
            "preprocessor_module": {"id": "preprocessor", "value": {"type": "identity"}}
        }
    }));
}

#[test]
fn every_field_of_a_module_comes_back() {
    check_round_trip(&with_module(json!({
        "id": "a", "summary": "label", "value": {"type": "identity", "flow": true},
        "stop_after_if": {"expr": "result.n", "skip_if_stopped": true, "error_message": "", "error_include_result": true, "x": 1},
        "stop_after_all_iters_if": {"expr": "true", "skip_if_stopped": false},
        "skip_if": {"expr": "false", "x": 1},
        "sleep": {"type": "static", "value": 1.5}, "cache_ttl": 5, "cache_ignore_s3_path": true,
        "timeout": {"type": "javascript", "expr": "30"}, "delete_after_use": false, "delete_after_secs": 3,
        "mock": {"enabled": true, "return_value": {"a": null}, "x": 1},
        "suspend": {"required_events": 2, "timeout": 1800, "resume_form": {"schema": {"type": "object"}},
            "user_auth_required": true, "user_groups_required": {"type": "static", "value": ["g"]},
            "self_approval_disabled": true, "hide_cancel": true, "continue_on_disapprove_timeout": true, "skin": "minimal"},
        "priority": 7, "continue_on_error": true,
        "retry": {"constant": {"attempts": 1, "seconds": 2, "x": 1},
            "exponential": {"attempts": 3, "multiplier": 2, "seconds": 5, "random_factor": 40, "x": 1},
            "retry_if": {"expr": "error.name == 'x'", "x": 1}, "x": 1},
        "apply_preprocessor": true, "pass_flow_input_directly": false, "debouncing": {"debounce_delay_s": 1},
        "some_future_field": null
    })));
    for timeout in [json!(30), json!(0.5)] {
        check_round_trip(&with_module(json!({"id": "a", "value": {"type": "identity"}, "timeout": timeout})));
    }
}

#[test]
fn every_type_of_module_comes_back() {
    let inner = json!([{"id": "i", "value": {"type": "identity"}}]);
    let inputs = json!({"a": {"type": "static", "value": {"k": null}, "x": 1},
        "b": {"type": "javascript", "expr": "results.x", "value": 3}, "c": {"type": "ai", "x": 1}});
    let types = json!([
        {"type": "script", "path": "node/x", "input_transforms": inputs, "hash": "h", "tag_override": "t",
            "is_trigger": false, "pass_flow_input_directly": true},
        {"type": "rawscript", "content": "export function main() {}", "language": "bun", "input_transforms": inputs,
            "path": "p", "lock": "l", "tag": "t", "concurrent_limit": 1, "concurrency_time_window_s": 2,
            "custom_concurrency_key": "k", "is_trigger": true, "assets": [{"path": "a", "kind": "s3object", "access_type": "r"}]},
        {"type": "flow", "path": "workflow/x", "input_transforms": inputs, "x": 1},
        {"type": "forloopflow", "iterator": {"type": "javascript", "expr": "[1]"}, "modules": inner, "skip_failures": true,
            "parallel": true, "parallelism": 4, "squash": true},
        {"type": "forloopflow", "iterator": {"type": "static", "value": [1]}, "modules": inner, "skip_failures": false,
            "parallelism": {"type": "javascript", "expr": "flow_input.n"}},
        {"type": "whileloopflow", "modules": inner, "skip_failures": true, "parallel": false, "parallelism": 2, "squash": true},
        {"type": "branchone", "branches": [{"summary": "s", "expr": "true", "modules": inner, "x": 1}], "default": inner, "x": 1},
        {"type": "branchall", "branches": [{"summary": "s", "skip_failure": true, "modules": inner, "parallel": true}],
            "parallel": false, "parallelism": 2, "x": 1},
        {"type": "identity", "flow": false},
        {"type": "aiagent", "tag": "t", "omit_output_from_conversation": true, "agent": "u/a/b", "tool_inputs": {},
            "input_transforms": {"provider": {"type": "static", "value": {"kind": "openai"}}},
            "tools": [{"id": "t1", "summary": "s", "description": "d", "value": {"tool_type": "mcp", "resource_path": "r",
                    "include_tools": ["a"], "exclude_tools": []}},
                {"id": "t2", "value": {"tool_type": "websearch"}},
                {"id": "t3", "value": {"type": "rawscript", "content": "", "language": "bun"}}]}
    ]);
    for value in types.as_array().unwrap() {
        check_round_trip(&with_module(json!({"id": "m", "value": value})));
    }
}

#[test]
fn older_names_are_read_and_written_as_the_newer_ones() {
    let document = with_module(json!({"id": "a", "value": {"type": "script", "path": "node/x",
        "input_transform": {"n": {"type": "static", "value": 1}}}}));
    let expected = json!({"n": {"type": "static", "value": 1}});
    assert_eq!(written(&document)["value"]["modules"][0]["value"]["input_transforms"], expected);
}

#[test]
fn null_is_the_same_as_absent_for_every_optional_field() {
    let nulls = |names: &[&str]| -> serde_json::Map<String, Value> {
        names.iter().map(|name| ((*name).to_owned(), Value::Null)).collect()
    };
    let mut module = nulls(&[
        "id",
        "summary",
        "stop_after_if",
        "stop_after_all_iters_if",
        "skip_if",
        "sleep",
        "cache_ttl",
        "timeout",
        "delete_after_use",
        "delete_after_secs",
        "mock",
        "suspend",
        "priority",
        "continue_on_error",
        "retry",
    ]);
    let mut values = Vec::new();
    let mut push = |kind: &str, required: Value, optional: &[&str]| {
        let mut value = nulls(optional);
        value.insert("type".to_owned(), Value::from(kind));
        value.extend(required.as_object().unwrap().clone());
        values.push(Value::Object(value));
    };
    push("script", json!({"path": "node/x"}), &["input_transforms"]);
    push("rawscript", json!({"content": "", "language": "bun"}), &["input_transforms"]);
    push("flow", json!({"path": "workflow/x"}), &["input_transforms"]);
    push("whileloopflow", json!({"modules": []}), &["skip_failures"]);
    push(
        "forloopflow",
        json!({"modules": [], "iterator": {"type": "static", "value": null}}),
        &["skip_failures", "parallel", "parallelism"],
    );
    push("branchone", json!({"branches": [{"summary": null, "expr": null, "modules": []}]}), &["default"]);
    push(
        "branchall",
        json!({"branches": [{"summary": null, "skip_failure": null, "modules": []}]}),
        &["parallel", "parallelism"],
    );
    for value in values {
        module.insert("value".to_owned(), value);
        let mut flow = nulls(&[
            "failure_module",
            "preprocessor_module",
            "same_worker",
            "concurrent_limit",
            "concurrency_key",
            "concurrency_time_window_s",
            "skip_expr",
            "cache_ttl",
            "delete_after_use",
            "delete_after_secs",
            "flow_env",
            "priority",
            "early_return",
        ]);
        flow.insert("modules".to_owned(), json!([module]));
        written(&json!({"summary": null, "description": null, "schema": null, "value": flow}));
    }
    let settings = json!({"id": "a", "value": {"type": "identity"},
        "stop_after_if": {"expr": "x", "skip_if_stopped": null, "error_message": null, "error_include_result": null},
        "mock": {"enabled": null, "return_value": null},
        "suspend": {"required_events": null, "timeout": null, "resume_form": null, "continue_on_disapprove_timeout": null},
        "retry": {"constant": {"attempts": null, "seconds": null}, "retry_if": null,
            "exponential": {"attempts": null, "multiplier": null, "seconds": null, "random_factor": null}}});
    written(&with_module(settings));
    written(&with_module(
        json!({"id": "a", "value": {"type": "identity"}, "retry": {"constant": null, "exponential": null}}),
    ));
}

#[test]
fn all_faults_are_found_in_one_pass() {
    let document = json!({"summary": 3, "value": {"priority": "high", "cache_ttl": -1, "flow_env": [], "modules": [
        {"id": 7, "value": {"type": "script", "input_transforms": {"a/b": {"type": "statik"}, "c": 1, "d": {}}}},
        "not a module",
        {"id": "c"},
        {"id": "d", "value": {"type": "forloop", "iterator": {}}},
        {"id": "e", "value": {"type": "forloopflow", "modules": {}}, "retry": {"constant": {"attempts": "2", "seconds": 1.5}}},
        {"id": "f", "value": {"type": "branchone", "branches": [{"modules": [{"id": "g", "value": {}}]}, 5], "default": []},
            "stop_after_if": {}, "timeout": "3"},
        {"id": "h", "value": {"type": "script", "path": "node/x", "input_transform": {}, "input_transforms": {}}}
    ]}});
    check_faults(
        &document,
        &[
            ("wrong-type", "/summary"),
            ("wrong-type", "/value/modules/0/id"),
            ("missing-field", "/value/modules/0/value"),
            ("unknown-transform-type", "/value/modules/0/value/input_transforms/a~1b/type"),
            ("wrong-type", "/value/modules/0/value/input_transforms/c"),
            ("missing-field", "/value/modules/0/value/input_transforms/d"),
            ("wrong-type", "/value/modules/1"),
            ("missing-field", "/value/modules/2"),
            ("unknown-module-type", "/value/modules/3/value/type"),
            ("missing-iterator", "/value/modules/4/value"),
            ("wrong-type", "/value/modules/4/value/modules"),
            ("wrong-type", "/value/modules/4/retry/constant/attempts"),
            ("wrong-type", "/value/modules/4/retry/constant/seconds"),
            ("missing-field", "/value/modules/5/value/branches/0/modules/0/value"),
            ("wrong-type", "/value/modules/5/value/branches/1"),
            ("missing-field", "/value/modules/5/stop_after_if"),
            ("wrong-type", "/value/modules/5/timeout"),
            ("duplicate-field", "/value/modules/6/value/input_transform"),
            ("wrong-type", "/value/cache_ttl"),
            ("wrong-type", "/value/flow_env"),
            ("wrong-type", "/value/priority"),
        ],
    );
}

#[test]
fn an_unknown_type_names_the_known_ones_and_the_nearest() {
    let found = check_faults(
        &with_module(json!({"id": "a", "value": {"type": "branchon"}})),
        &[("unknown-module-type", "/value/modules/0/value/type")],
    );
    let help = found[0].help.as_deref().unwrap();
    assert!(help.contains("did you mean `branchone`?") && help.contains("`aiagent`"), "{help}");
    assert_eq!(found[0].fix.as_ref().unwrap().value, "branchone");
}

#[test]
fn a_misspelt_field_is_kept_and_pointed_out() {
    let document = with_module(json!({"id": "a", "value": {"type": "identity"}, "retyr": {"constant": {}}}));
    let found = check_faults(&document, &[("misspelt-field", "/value/modules/0/retyr")]);
    assert_eq!(found[0].help.as_deref(), Some("did you mean `retry`?"));
    let missing = check_faults(
        &with_module(json!({"id": "a", "value": {"type": "script", "paht": "node/x"}})),
        &[("missing-field", "/value/modules/0/value"), ("misspelt-field", "/value/modules/0/value/paht")],
    );
    assert_eq!(missing[0].help.as_deref(), Some("did you mean `path` instead of `paht`?"));
}

#[test]
fn what_is_no_workflow_says_so() {
    for document in [json!(null), json!([]), json!("x"), json!(1)] {
        check_faults(&document, &[("wrong-type", "")]);
    }
    check_faults(&json!({}), &[("missing-field", "")]);
    check_faults(&json!({"value": []}), &[("wrong-type", "/value")]);
    check_faults(&json!({"value": {}}), &[("missing-field", "/value")]);
}

/// A loop in a loop in a loop, `levels` lists deep with the workflow's own.
fn nested(levels: usize) -> Value {
    let mut modules = json!([]);
    for level in 1..levels {
        modules = json!([{"id": format!("l{level}"), "value": {"type": "whileloopflow", "modules": modules, "skip_failures": false}}]);
    }
    json!({"summary": "", "value": {"modules": modules}})
}

#[test]
fn nesting_has_a_bound_with_a_clear_message() {
    check_round_trip_of_depth(MAX_NESTING);
    let pointer = format!("/value/modules{}", "/0/value/modules".repeat(MAX_NESTING));
    let found = check_faults(&nested(MAX_NESTING + 1), &[("nesting-too-deep", &pointer)]);
    assert!(found[0].message.contains("20"), "{}", found[0].message);
}

fn check_round_trip_of_depth(levels: usize) {
    let document = nested(levels);
    let (flow, diagnostics) = parse(&document);
    assert_eq!(diagnostics, []);
    let mut modules = &flow.unwrap().value.modules;
    let mut depth = 1;
    while let Some(module) = modules.first() {
        let ModuleValue::WhileLoopFlow(inner) = &module.value else { panic!("a loop was written") };
        modules = &inner.modules;
        depth += 1;
    }
    assert_eq!(depth, levels);
}

#[test]
fn very_many_faults_are_counted_and_not_listed() {
    let modules: Vec<Value> = (0..MAX_FINDINGS + 50).map(|_| json!(1)).collect();
    let (flow, diagnostics) = parse(&json!({"value": {"modules": modules}}));
    assert!(flow.is_none());
    assert_eq!(diagnostics.len(), MAX_FINDINGS + 1);
    let last = diagnostics.last().unwrap();
    assert_eq!(
        (last.code.as_str(), last.message.as_str()),
        ("too-many-findings", "50 more diagnostics are not listed")
    );
}

#[test]
fn a_missing_value_or_expr_of_a_transform_has_its_default() {
    let document = with_module(json!({"id": "a", "value": {"type": "script", "path": "node/x",
        "input_transforms": {"a": {"type": "static"}, "b": {"type": "javascript"}}}}));
    let (flow, _) = parse(&document);
    let ModuleValue::Script(script) = &flow.unwrap().value.modules[0].value else { panic!("a script was written") };
    assert!(matches!(&script.input_transforms["a"], InputTransform::Static { value: Value::Null, .. }));
    assert!(matches!(&script.input_transforms["b"], InputTransform::Javascript { expr, .. } if expr.is_empty()));
}
