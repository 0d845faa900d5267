//! Method, path and query of requests.

use serde_json::{Value, json};

use super::{CONTEXT, call, founding, object, planned, sent, working};
use crate::call::ErrorClass;

fn check_url(connector: &Value, data: &Value, given: &Value, expected: &str) {
    let shown = sent(&call(connector, data), given);
    let method_and_url = format!("{} {}", shown["method"], shown["url"]).replace('"', "");
    assert_eq!(method_and_url, expected, "{connector} {data} {given}");
}

#[test]
fn the_founding_node_verbatim_posts_its_inputs_to_the_base_url() {
    let (connector, node) = founding();
    let given = json!({"prompt": "Add a Hat to person", "input_image": "https://e.com/a.png"});
    assert_eq!(
        sent(&planned(&connector, &node), &given),
        json!({
            "method": "POST",
            "url": "https://api.replicate.com/v1",
            "headers": {
                "Authorization": "Bearer $REPLICATE_API_TOKEN",
                "Content-Type": "application/json",
                "Prefer": "wait",
            },
            "body": {
                "prompt": "Add a Hat to person",
                "input_image": "https://e.com/a.png",
                "aspect_ratio": "match_input_image",
            },
        })
    );
}

#[test]
fn the_working_node_posts_to_its_model() {
    let given = json!({"prompt": "p", "input_image": "https://e.com/a.png", "aspect_ratio": "1:1"});
    let shown = sent(&working(&json!({})), &given);
    assert_eq!(shown["url"], "https://api.replicate.com/v1/models/black-forest-labs/flux-kontext-pro/predictions");
    assert_eq!(shown["body"], json!({"input": given}));
}

#[test]
fn a_path_follows_the_base_after_exactly_one_slash() {
    for (base, path, expected) in [
        ("https://h/v1", json!("/a/b"), "https://h/v1/a/b"),
        ("https://h/v1/", json!("a/b/"), "https://h/v1/a/b/"),
        ("https://h/v1//", json!("//a"), "https://h/v1/a"),
        ("https://h", json!("a"), "https://h/a"),
        ("https://h/v1", json!("a?x=1"), "https://h/v1/a?x=1"),
        ("https://h/v1", json!("https://evil.com/a"), "https://h/v1/https://evil.com/a"),
        ("https://h/v1", Value::Null, "https://h/v1"),
        ("https://h/v1/", json!(""), "https://h/v1/"),
        ("https://h/v1//?a=b", Value::Null, "https://h/v1//?a=b"),
    ] {
        check_url(&json!({"base_url": base}), &json!({"path": path}), &json!({}), &format!("POST {expected}"));
    }
}

#[test]
fn values_in_the_path_cannot_change_its_shape() {
    let data = json!({"path": "/voices/{{ input.voice }}/{{ job.id }}/{{ step.id }}-{{ step.attempt }}"});
    let expected = "POST https://api.example.com/v1/voices/a%2F..%2Fb%3Fc%23d/job-1/step-1-2";
    check_url(&json!({}), &data, &json!({"voice": "a/../b?c#d"}), expected);
    check_url(
        &json!({}),
        &json!({"path": "{{ input.p }}"}),
        &json!({"p": "/x"}),
        "POST https://api.example.com/v1/%2Fx",
    );
    check_url(&json!({}), &json!({"path": "$KEY/x"}), &json!({}), "POST https://api.example.com/v1/$KEY/x");
    let plan = call(&json!({}), &data);
    for (voice, message) in [
        (json!(".."), "path: `..` is not allowed as a segment of a path, because it would change the address"),
        (json!(null), "path: `input.voice` must be a string or a number to be used in a path"),
    ] {
        let error = plan.submit_request(&object(&json!({"voice": voice})), &CONTEXT).expect_err("it has no place");
        assert_eq!((error.class, error.message.as_str()), (ErrorClass::InvalidInput, message));
    }
}

#[test]
fn the_nodes_method_wins_over_the_connectors() {
    for (connector, data, expected) in [
        (json!({}), json!({}), "POST"),
        (json!({"method": "put"}), json!({}), "PUT"),
        (json!({"method": "PUT", "data": {"method": "patch"}}), json!({}), "PATCH"),
        (json!({"method": "PUT", "data": {"method": "patch"}}), json!({"method": "delete"}), "DELETE"),
        (json!({"method": "PUT", "data": {"method": "patch"}}), json!({"method": null}), "PUT"),
    ] {
        check_url(&connector, &data, &json!({}), &format!("{expected} https://api.example.com/v1"));
    }
}

#[test]
fn without_a_body_the_inputs_of_a_get_are_its_query() {
    let given = json!({"q": "a b&c=d", "n": 2, "t": true, "gone": null, "l": ["x", "y/z"], "o": {"k": [1]}});
    for method in ["GET", "HEAD", "DELETE"] {
        let shown = sent(&call(&json!({}), &json!({"method": method})), &given);
        let expected = "https://api.example.com/v1?q=a%20b%26c%3Dd&n=2&t=true&l=x&l=y%2Fz&o=%7B%22k%22%3A%5B1%5D%7D";
        assert_eq!((&shown["url"], &shown["body"]), (&json!(expected), &Value::Null), "{method}");
        assert_eq!(shown["headers"], json!({}));
    }
    check_url(
        &json!({"method": "GET", "base_url": "https://h?v=1"}),
        &json!({}),
        &json!({"a": 1}),
        "GET https://h?v=1&a=1",
    );
}

#[test]
fn a_query_is_expanded_merged_and_encoded() {
    let connector = json!({"data": {"query": {"key": "$KEY", "v": "1", "gone": "x"}}});
    let data = json!({"query": {"v": 2, "gone": null, "f": "mp3_{{ input.rate }}", "o": "{{ input.o }}", "l": ["{{ input.rate }}", "a b"]}});
    let expected = "POST https://api.example.com/v1?key=$KEY&v=2&f=mp3_44100&l=44100&l=a%20b";
    check_url(&connector, &data, &json!({"rate": 44100}), expected);
    let error = call(&json!({}), &json!({"query": {"q": ["x", ["$KEY"]]}}))
        .submit_request(&object(&json!({})), &CONTEXT)
        .expect_err("a secret inside a list cannot be escaped");
    assert_eq!(error.message, "`q`: a secret is not allowed inside an object or array here");
}

#[test]
fn inputs_that_have_their_place_elsewhere_are_not_repeated_in_the_query() {
    let data = json!({
        "method": "GET", "path": "/voices/{{ input.voice }}", "query": {"f": "{{ input.format }}", "size": "big"},
        "header": {"X-Seed": "{{ input.seed }}"},
    });
    let given = json!({"voice": "v", "format": "mp3", "seed": 1, "size": "small", "text": "t"});
    check_url(&json!({}), &data, &given, "GET https://api.example.com/v1/voices/v?f=mp3&size=big&text=t");
}
