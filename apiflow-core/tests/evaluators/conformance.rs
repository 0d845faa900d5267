//! OpenFlow's rules of evaluation, on both evaluators.

use std::sync::Arc;
use std::time::Duration;

use apiflow_core::expression::{
    WantedResults, check_source_nesting, check_syntax, find_free_variables, look_up_plain_path,
};
use apiflow_core::ports::{EvaluationError, Evaluator, Script, ScriptForm};
use serde_json::{Value, json};

/// Expressions and their values.
fn values() -> Vec<(&'static str, Value)> {
    vec![
        // What is returned by itself.
        ("1 + 2", json!(3)),
        ("  flow_input.x  ", json!({"y": [1, 2]})),
        ("", Value::Null),
        ("// nothing", Value::Null),
        ("'a;b'", json!("a;b")),
        ("`a;${1 + 1}`", json!("a;2")),
        ("iffy ?? 1", json!(7)),
        ("{a: 1}", json!({"a": 1})),
        ("{...flow_input.x, b: 2}", json!({"y": [1, 2], "b": 2})),
        ("1 +\n  1 // two", json!(2)),
        // What is not.
        ("let x = 1; x + 1", Value::Null),
        ("let x = 1; return x + 1", json!(2)),
        ("flow_input.x;", Value::Null),
        ("const f = () => 1", Value::Null),
        ("if (flow_input.x) { return 'yes' }", json!("yes")),
        ("for (const n of [1, 2]) { if (n > 1) return n }", json!(2)),
        ("function f() { return 1 }", Value::Null),
        ("await Promise.resolve(1)", Value::Null),
        ("try { throw 1 } catch (e) { return e }", json!(1)),
        // Names in scope.
        ("results.a.url + results['b'].n + results?.b.n", json!("u22")),
        ("[1, 2].map(n => n * results.b.n)", json!([2, 4])),
        ("[1].map(() => { return results['a'].list.map(x => x + flow_input.x.y[0]) })[0]", json!([2, 3])),
        ("results.unknown", Value::Null),
        ("flow_input['x'].y.length", json!(2)),
        ("typeof process + typeof require + typeof fetch", json!("undefinedundefinedundefined")),
        ("typeof setTimeout + typeof console", json!("undefinedundefined")),
        // Artifacts.
        ("`${results.art}` + results.art + [results.list[0].art]", json!("/a/1/a/1/a/1")),
        ("results.art", json!({"artifact": "1", "url": "/a/1", "mime": "image/png"})),
        (
            "Object.keys(results.art).join() + JSON.stringify({...results.art})",
            json!("artifact,url,mime{\"artifact\":\"1\",\"url\":\"/a/1\",\"mime\":\"image/png\"}"),
        ),
        // Values.
        ("undefined", Value::Null),
        ("({a: undefined, b: [undefined, () => 1]})", json!({"b": [null, null]})),
        ("[NaN, Infinity, -Infinity, -0]", json!([null, null, null, 0])),
        ("NaN", Value::Null),
        ("new Date(0)", json!("1970-01-01T00:00:00.000Z")),
        ("new Date(2020, 0, 1).getTimezoneOffset()", json!(0)),
        ("[new Map([[1, 2]]), new Set([1]), /a/]", json!([{}, {}, {}])),
        ("9007199254740991", json!(9_007_199_254_740_991_i64)),
        ("flow_input.big", json!(9_007_199_254_740_991_i64)),
        ("-flow_input.big", json!(-9_007_199_254_740_991_i64)),
        ("[0.1 + 0.2, 1e21, 1.5]", json!([0.300_000_000_000_000_04, 1e21, 1.5])),
        ("({toJSON() { return {a: 1} }})", json!({"a": 1})),
        ("Symbol('a')", Value::Null),
        ("new String('a')", json!("a")),
        ("'\\ud83d\\ude00é'", json!("😀é")),
        ("'a\\ud800b\\\\ud800' + '\\udc00'", json!("a\u{fffd}b\\ud800\u{fffd}")),
        ("Object.keys(flow_input)", json!(["7", "x", "big"])),
        ("flow_input['7'] + flow_input[7]", json!("seven".repeat(2))),
        // Promises.
        ("Promise.resolve(5)", json!(5)),
        ("(async () => 6)()", json!(6)),
        ("const a = await Promise.all([1, (async () => 2)()]); return a", json!([1, 2])),
        ("return await new Promise(done => done({a: 1}))", json!({"a": 1})),
        // Other built-ins.
        ("JSON.parse('{\"a\": [1]}', (key, value) => value === 1 ? 2 : value).a[0]", json!(2)),
        ("JSON.parse('[\"[[[\"]')", json!(["[[["])),
        ("'2024-05'.replace(/(?<y>\\d+)-(\\d+)/, '$2/$<y>')", json!("05/2024")),
        ("previous_result", json!(null)),
    ]
}

/// Expressions that fail and what the error says: its kind, then a part of its message.
fn failures() -> Vec<(&'static str, &'static str, &'static str)> {
    vec![
        ("1 +", "syntax", "unexpected end of the expression (line 1, column 4)"),
        ("a b", "syntax", "(line 1, column 3)"),
        ("(", "syntax", "`(` is not closed (line 1, column 1)"),
        ("}); (() => {", "syntax", "unmatched `}`"),
        ("do {} while (false)", "syntax", "(line 1, column 1)"),
        ("a\n  b", "syntax", "(line 2, column 3)"),
        ("throw new Error('sorry')", "thrown", "sorry"),
        ("throw new TypeError('sorry')", "thrown", "sorry"),
        ("throw 'text'", "thrown", "text"),
        ("throw {code: 7}", "thrown", "code: 7"),
        ("return Promise.reject(new Error('later'))", "thrown", "later"),
        ("flow_input.missing.x", "thrown", "undefined"),
        ("unknown_name", "thrown", "unknown_name"),
        ("10n", "thrown", "a BigInt is not a JSON value"),
        ("({a: [1n]})", "thrown", "a BigInt is not a JSON value"),
        ("const a = {}; a.a = a; return a", "thrown", "c"),
        ("new Promise(() => {})", "limit", "never settles"),
        ("eval('1')", "thrown", "not available in expressions"),
        ("new Function('return 1')()", "thrown", "not available in expressions"),
    ]
}

/// Predicates and their values.
const PREDICATES: &[(&str, bool)] = &[
    ("flow_input.x", true),
    ("[]", true),
    ("''", false),
    ("0", false),
    ("null", false),
    ("undefined", false),
    ("'0'", true),
    ("results.b.n === 2 && !results.unknown", true),
    ("false, true", true),
    ("// none", false),
    ("await Promise.resolve(0)", false),
    ("", false),
];

fn names() -> Value {
    json!({
        "flow_input": {"x": {"y": [1, 2]}, "big": 9_007_199_254_740_991_i64, "7": "seven"},
        "results": {"a": {"url": "u", "list": [1, 2]}, "b": {"n": 2}, "art": {"artifact": "1", "url": "/a/1", "mime": "image/png"},
            "list": [{"art": {"artifact": "1", "url": "/a/1"}}]},
        "previous_result": null,
        "iffy": 7,
    })
}

fn kind(error: &EvaluationError) -> &'static str {
    match error {
        EvaluationError::Syntax(_) => "syntax",
        EvaluationError::Thrown(_) => "thrown",
        EvaluationError::Limit(_) => "limit",
        EvaluationError::Internal(_) => "internal",
        EvaluationError::Busy => "busy",
        _ => "unknown",
    }
}

async fn check_rules(evaluator: Arc<dyn Evaluator>) {
    let names = names();
    for (source, expected) in values() {
        assert_eq!(super::evaluate(&evaluator, source, &names).await, Ok(expected), "{source}");
    }
    for (source, expected, message) in failures() {
        let error = super::evaluate(&evaluator, source, &names).await.expect_err(source);
        assert_eq!(kind(&error), expected, "{source}: {error}");
        assert!(error.to_string().contains(message), "{source}: {error}");
    }
    for (source, expected) in PREDICATES {
        let names = names.as_object().cloned().unwrap_or_default();
        let script = Script { source: (*source).to_owned(), names, form: ScriptForm::Predicate };
        assert_eq!(evaluator.evaluate_script(script).await, Ok(json!(expected)), "{source}");
    }
    let statement =
        Script { source: "return 1".to_owned(), names: serde_json::Map::new(), form: ScriptForm::Predicate };
    let error = evaluator.evaluate_script(statement).await.expect_err("a statement is no predicate");
    assert_eq!(kind(&error), "syntax");
}

pub(crate) fn in_process() {
    super::block_on(check_rules(super::in_process()));
}

pub(crate) fn in_child_processes() {
    super::block_on(check_rules(super::sandbox(1, Duration::from_secs(10))));
}

/// Where JavaScript itself has no null-safety, the look-up without it gives the same.
pub(crate) fn plain_paths() {
    const PATHS: &[&str] = &[
        "flow_input",
        "flow_input.x",
        "flow_input.x.y",
        "flow_input.x.y[1]",
        "flow_input['7']",
        "flow_input[7]",
        "flow_input.x.y['0']",
        "flow_input.z",
        "flow_input.z.a",
        "flow_input.z?.a.b",
        "flow_input.x.y[9]",
        "flow_input.x.y[9].a",
        "flow_input?.x?.y?.[0]",
        "flow_input.big.a",
        "previous_result.a",
        "previous_result?.a",
        "flow_input.x.y.a",
        "flow_input.text.a",
        "flow_input.text.a.b",
        "flow_input.yes.a",
    ];
    super::block_on(async {
        let evaluator = super::in_process();
        let mut names = names();
        names["flow_input"]["text"] = json!("text");
        names["flow_input"]["yes"] = json!(true);
        let scope = names.as_object().cloned().unwrap_or_default();
        for path in PATHS {
            let looked_up = look_up_plain_path(path, &scope).unwrap_or_else(|| panic!("{path} needs no JavaScript"));
            let evaluated = super::evaluate(&evaluator, path, &names).await;
            // The two word an exception in their own ways.
            assert_eq!(looked_up.map_err(|error| kind(&error)), evaluated.map_err(|error| kind(&error)), "{path}");
        }
    });
}

/// With no more values than were found to be wanted, an expression gives the same.
pub(crate) fn wanted_values() {
    super::block_on(async {
        let evaluator = super::in_process();
        let names = names();
        for (source, expected) in values() {
            let wanted = find_free_variables(source);
            let mut scope = names.as_object().cloned().unwrap_or_default();
            scope.retain(|name, _| wanted.names.contains(name));
            if let (Some(Value::Object(results)), WantedResults::Some(steps)) =
                (scope.get_mut("results"), wanted.results)
            {
                results.retain(|step, _| steps.contains(step));
            }
            let found = super::evaluate(&evaluator, source, &Value::Object(scope)).await;
            assert_eq!(found, Ok(expected), "{source}");
        }
    });
}

/// The engine's stack is large enough for whatever the scan lets pass.
pub(crate) fn texts_at_the_caps() {
    let shapes = [
        ("(", "1", ")", 48),
        ("[", "1", "]", 48),
        ("(class{a=", "1", "})", 24),
        ("(() => {return ", "1", "})", 24),
        ("`${", "1", "}`", 48),
        ("{a:", "1", "}", 48),
        ("!", "1", "", 128),
        ("a=>", "1", "", 128),
        ("2**", "1", "", 128),
        ("1?1:", "1", "", 64),
        ("1+", "1", "", 1024),
        ("0||", "1", "", 1024),
        ("0,", "1", "", 1024),
        ("''.concat", "", "()", 1022),
    ];
    super::block_on(async {
        let evaluator = super::in_process();
        for (before, middle, after, depth) in shapes {
            let source = match before {
                "''.concat" => format!("''.concat{}", "().concat".repeat(depth / 2)) + "()",
                _ => format!("{}{middle}{}", before.repeat(depth), after.repeat(depth)),
            };
            assert_eq!(check_source_nesting(&source).and_then(|()| check_syntax(&source, false)), Ok(()), "{before}");
            let outcome = super::bare(&evaluator, &source).await;
            assert!(!matches!(outcome, Err(EvaluationError::Internal(_))), "{before}: {outcome:?}");
        }
    });
}
