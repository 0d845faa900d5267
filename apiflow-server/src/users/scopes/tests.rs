use serde_json::{Value, json};

use super::*;

fn scopes(list: Value) -> TokenScopes {
    let list = serde_json::from_value(list).expect("the scopes have the form");
    TokenScopes::from_request(list).map_err(|problem| problem.in_words()).expect("the scopes are valid")
}

fn permits_path(patterns: &[&str], path: &str) -> bool {
    let scopes = scopes(json!([{"proxy": {"connector": "c", "methods": ["GET"], "paths": patterns}}]));
    scopes.check_proxy(ProxyTarget { connector: "c", method: "GET", path }, [].into_iter()).is_ok()
}

#[test]
fn paths_match_by_their_decoded_segments() {
    for (pattern, path, expected) in [
        ("v1/models", "v1/models", true),
        ("v1/models", "v1/models/", true),
        ("v1/models", "v1/%6Dodels", true),
        ("v1/models", "v1/models/x", false),
        ("v1/models", "V1/models", false),
        ("v1/models/*", "v1/models/flux", true),
        ("v1/models/*", "v1/models", false),
        ("v1/models/*", "v1/models/", false),
        ("v1/models/*", "v1/models/a/b", false),
        ("v1/models/*", "v1/models/%C3%BC", true),
        ("v1/models/*/predictions", "v1/models/flux/predictions", true),
        ("v1/predictions/**", "v1/predictions", true),
        ("v1/predictions/**", "v1/predictions/x/cancel", true),
        ("v1/predictions/**", "v1/predictionsx", false),
        ("v1/models/flux-*:run", "v1/models/flux-1.1:run", true),
        ("v1/models/flux-*:run", "v1/models/flux-1.1:stop", false),
        ("a*b*c*d", "axxbxxcxxd", true),
        ("a*b*c*d", "axxcxxbxxd", false),
        ("ab*bc", "abc", false),
        ("**", "anything/at/all", true),
        ("**", "", true),
        ("*", "", false),
    ] {
        assert_eq!(permits_path(&[pattern], path), expected, "{pattern} {path}");
    }
}

#[test]
fn every_reading_of_a_path_must_be_permitted() {
    for path in [
        "v1/models/a%2Fb",
        "v1/models/a%252Fb",
        "v1%2Fmodels/x/y",
        "v1/models%2Fx/../../admin",
        "v1/models/%2e%2e/admin",
        "v1/models/%252e%252e",
        "v1/models/x%2F..%2Fadmin",
        "v1/models/..;/admin",
        "v1/models/.;x",
        "v1//models/x",
        "v1/models//",
        "/v1/models/x",
        "v1/models/;x",
        "v1/models/x%3Fy",
        "v1/models/x%23y",
        "v1/models/x%5Cy",
        "v1/models/x\\y",
        "v1/models/%00",
        "v1/models/%FF",
        "v1/models/%C0%AF",
        "v1/models/%25252525252e",
        "v1/admin;/../models/x",
    ] {
        assert!(!permits_path(&["v1/models/*"], path), "{path}");
    }
    assert!(permits_path(&["v1/models/**"], "v1/models/a%2Fb"), "all readings are below the pattern");
    assert!(permits_path(&["v1/models/*", "v1/models/*/*"], "v1/models/a%2Fb"), "each reading has a pattern");
    assert!(!permits_path(&["v1/models/a;b"].map(|_| "v1/models/a"), "v1/models/ab;x"), "{}", "parameters are cut");
    assert!(permits_path(&["v1/models/*"], "v1/models/a;b=c"));
}

#[test]
fn connector_method_and_headers_count() {
    let scopes = scopes(json!([
        {"proxy": {"connector": "a", "methods": ["GET"], "paths": ["x"]}},
        {"proxy": {"connector": "b", "methods": ["POST"], "paths": ["**"]}},
        {"run": {"workflows": ["a"]}},
    ]));
    for (connector, method, path, expected) in [
        ("a", "GET", "x", true),
        ("a", "HEAD", "x", true),
        ("a", "POST", "x", false),
        ("a", "get", "x", false),
        ("b", "POST", "x", true),
        ("b", "GET", "x", false),
        ("b", "HEAD", "x", false),
        ("c", "GET", "x", false),
        ("A", "GET", "x", false),
    ] {
        let target = ProxyTarget { connector, method, path };
        assert_eq!(scopes.check_proxy(target, ["accept"].into_iter()).is_ok(), expected, "{target:?}");
    }
    for header in OVERRIDES {
        let target = ProxyTarget { connector: "a", method: "GET", path: "x" };
        assert!(scopes.check_proxy(target, [header].into_iter()).is_err(), "{header}");
    }
}

#[test]
fn runs_are_permitted_by_id() {
    let some = scopes(json!([{"run": {"workflows": ["poster"], "nodes": ["flux"]}}, {"run": {"nodes": ["other"]}}]));
    let all = scopes(json!([{"run": {"workflows": ["*"]}}]));
    let proxy = scopes(json!([{"proxy": {"connector": "poster", "methods": ["GET"], "paths": ["**"]}}]));
    for (target, in_some, in_all) in [
        (RunTarget::Workflow("poster"), true, true),
        (RunTarget::Workflow("flux"), false, true),
        (RunTarget::Node("flux"), true, false),
        (RunTarget::Node("other"), true, false),
        (RunTarget::Node("poster"), false, false),
    ] {
        let found = [&some, &all, &proxy].map(|scopes| scopes.check_run(target).is_ok());
        assert_eq!(found, [in_some, in_all, false], "{target:?}");
    }
}

#[test]
fn a_refusal_names_the_scope_that_is_missing() {
    let scopes = scopes(json!([{"run": {"workflows": ["poster"]}}]));
    let refused = scopes.check_run(RunTarget::Node("flux")).expect_err("it has no such scope").in_words();
    assert!(refused.contains(r#"{"run":{"nodes":["flux"]}}"#), "{refused}");
    let target = ProxyTarget { connector: "c", method: "POST", path: "v1/x" };
    let refused = scopes.check_proxy(target, [].into_iter()).expect_err("it has no such scope").in_words();
    assert!(refused.contains(r#"{"proxy":{"connector":"c","methods":["POST"],"paths":["v1/x"]}}"#), "{refused}");
}

#[test]
fn faults_are_named_by_their_pointers() {
    let proxy =
        |methods: Value, paths: Value| json!([{"proxy": {"connector": "c", "methods": methods, "paths": paths}}]);
    for (list, pointer) in [
        (json!([]), "/scopes"),
        (json!(vec![json!({"run": {"nodes": ["x"]}}); 17]), "/scopes"),
        (json!([{"run": {}}]), "/scopes/0/run"),
        (json!([{"run": {"nodes": ["x"]}}, {"run": {"nodes": ["a", "a b"]}}]), "/scopes/1/run/nodes/1"),
        (json!([{"proxy": {"connector": "a/b", "methods": ["GET"], "paths": ["x"]}}]), "/scopes/0/proxy/connector"),
        (proxy(json!([]), json!(["x"])), "/scopes/0/proxy/methods"),
        (proxy(json!(["get"]), json!(["x"])), "/scopes/0/proxy/methods/0"),
        (proxy(json!(["GET"]), json!([])), "/scopes/0/proxy/paths"),
        (proxy(json!(["GET"]), json!(vec!["x"; 33])), "/scopes/0/proxy/paths"),
        (proxy(json!(["GET"]), json!(["x", "/x"])), "/scopes/0/proxy/paths/1"),
        (proxy(json!(["GET"]), json!(["x/"])), "/scopes/0/proxy/paths/0"),
        (proxy(json!(["GET"]), json!(["a/../b"])), "/scopes/0/proxy/paths/0"),
        (proxy(json!(["GET"]), json!(["a/**/b"])), "/scopes/0/proxy/paths/0"),
        (proxy(json!(["GET"]), json!(["a/x**"])), "/scopes/0/proxy/paths/0"),
        (proxy(json!(["GET"]), json!(["a%2Fb"])), "/scopes/0/proxy/paths/0"),
        (proxy(json!(["GET"]), json!([""])), "/scopes/0/proxy/paths/0"),
    ] {
        let given = serde_json::from_value(list.clone()).expect("the scopes have the form");
        let problem = TokenScopes::from_request(given).expect_err("the scopes are invalid");
        let pointers: Vec<_> = problem.faults().iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, [pointer], "{list}");
    }
}

#[test]
fn scopes_are_stored_and_read_again() {
    let scopes = scopes(json!([
        {"proxy": {"connector": "a", "methods": ["GET"], "paths": ["x/**"]}},
        {"run": {"workflows": ["a"]}},
    ]));
    assert_eq!(TokenScopes::from_stored(&scopes.to_stored()).expect("they are read"), scopes);
}
