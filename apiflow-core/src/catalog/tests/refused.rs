//! Every refusal, with its pointer, code and message.

use serde_json::{Value, json};

use super::{connector, founding, node, shown, with};
use crate::catalog::{parse_connector, parse_node};

fn check_connector(changes: &Value, expected: &[&str]) {
    let faults = parse_connector(&with(connector(), changes)).expect_err("it must be refused");
    assert_eq!(shown(&faults), expected, "{changes}");
}

fn check_node(changes: &Value, expected: &[&str]) {
    let faults = parse_node(&with(node(), changes)).expect_err("it must be refused");
    assert_eq!(shown(&faults), expected, "{changes}");
}

/// Checks that a node and a connector with this `data` have one fault each.
fn check_data(data: &Value, expected: &str) {
    check_node(&json!({"data": data}), &[expected]);
    check_connector(&json!({"data": data}), &[expected]);
}

#[test]
fn the_founding_template_of_a_connector_is_refused_at_its_url_and_its_method() {
    let faults = parse_connector(&founding("template_connector")).expect_err("it is a template only");
    assert_eq!(
        shown(&faults),
        [
            "/base_url bad-url: `base_url` must be an absolute http or https URL, such as `https://api.example.com/v1`",
            "/method bad-method: `method` cannot be `GET/POST/PUT/DELETE`; expected one of `GET`, `POST`, `PUT`, `PATCH`, \
             `DELETE`, `HEAD`",
        ]
    );
}

#[test]
fn what_is_no_object_is_refused_as_a_whole() {
    for (value, kind) in [(json!([1]), "an array of 1"), (json!("x"), "a string"), (Value::Null, "null")] {
        let expected = [format!(" wrong-type: the document must be an object, not {kind}")];
        assert_eq!(shown(&parse_connector(&value).expect_err("no object")), expected);
        assert_eq!(shown(&parse_node(&value).expect_err("no object")), expected);
    }
}

#[test]
fn all_faults_are_told_in_one_pass() {
    let faults = parse_connector(&json!({"name": 1, "header": []})).expect_err("it is empty");
    assert_eq!(
        shown(&faults),
        [
            "/name wrong-type: `name` must be a string, not a number",
            "/base_url missing-field: `base_url` is missing",
            "/header wrong-type: `header` must be an object, not an array of 0",
        ]
    );
    let faults = parse_node(&json!({"name": "", "connector_id": null})).expect_err("it is empty");
    assert_eq!(
        shown(&faults),
        ["/name bad-value: `name` is empty", "/connector_id missing-field: `connector_id` is missing"]
    );
}

#[test]
fn ids_of_another_form_are_refused() {
    let message = "must begin with a letter or digit and have at most 64 letters, digits, `_`, `.` or `-`";
    for id in ["", "-a", ".", "a b", "a/b", "ä", "x".repeat(65).as_str()] {
        check_connector(&json!({"id": id}), &[&format!("/id bad-id: `id` {message}")]);
        check_node(&json!({"id": id}), &[&format!("/id bad-id: `id` {message}")]);
        check_node(&json!({"connector_id": id}), &[&format!("/connector_id bad-id: `connector_id` {message}")]);
    }
    check_connector(&json!({"id": 7}), &["/id wrong-type: `id` must be a string, not a number"]);
    for id in ["node", "workflow", "connector"] {
        let expected = format!("/id reserved-id: the id `{id}` is reserved: module paths begin with it");
        check_connector(&json!({"id": id}), &[&expected]);
    }
}

#[test]
fn bases_that_could_lead_elsewhere_are_refused() {
    for (url, reason) in [
        ("ftp://h/", "must be an absolute http or https URL, such as `https://api.example.com/v1`"),
        ("api.example.com", "must be an absolute http or https URL, such as `https://api.example.com/v1`"),
        ("https://h/ x", "must be an absolute http or https URL, such as `https://api.example.com/v1`"),
        ("https://h\\@evil/", "must not contain credentials: put them into a header, as a secret"),
        ("https://u:p@h/", "must not contain credentials: put them into a header, as a secret"),
        ("https://h/#x", "must not have a fragment (`#`)"),
    ] {
        check_connector(&json!({"base_url": url}), &[&format!("/base_url bad-url: `base_url` {reason}")]);
    }
    check_connector(&json!({"base_url": ""}), &["/base_url bad-value: `base_url` is empty"]);
}

#[test]
fn headers_must_be_names_and_texts() {
    for (header, expected) in [
        (json!({"a b": "x"}), "/header/a b bad-value: `a b` is not a header name"),
        (json!({"": "x"}), "/header/ bad-value: `` is not a header name"),
        (json!({"é": "x"}), "/header/é bad-value: `é` is not a header name"),
        (
            json!({"A": "x\r\nB: y"}),
            "/header/A bad-value: header `A` contains a line break or another control character",
        ),
        (json!({"A": 1}), "/header/A wrong-type: `A` must be a string, not a number"),
        (json!({"A": null}), "/header/A wrong-type: `A` must be a string, not null"),
        (json!({"A": {"b": 1}}), "/header/A wrong-type: `A` must be a string, not an object"),
    ] {
        check_connector(&json!({"header": header}), &[expected]);
    }
    check_data(&json!({"header": {"A": true}}), "/data/header/A wrong-type: `A` must be a string, not a boolean");
}

#[test]
fn unknown_fields_are_refused_with_the_likely_name() {
    check_connector(
        &json!({"headers": {}}),
        &["/headers unknown-field: unknown field `headers`; did you mean `header`?"],
    );
    check_connector(
        &json!({"colour": 1}),
        &[
            "/colour unknown-field: unknown field `colour`; known fields are `id`, `name`, `base_url`, `method`, `header`, \
           `body`, `data`, `created_at`, `updated_at`",
        ],
    );
    check_node(&json!({"inputs": []}), &["/inputs unknown-field: unknown field `inputs`; did you mean `input`?"]);
    check_node(
        &json!({"conector_id": "x"}),
        &["/conector_id unknown-field: unknown field `conector_id`; did you mean `connector_id`?"],
    );
    check_node(
        &json!({"a/b~c": 1}),
        &[
            "/a~1b~0c unknown-field: unknown field `a/b~c`; known fields are `id`, `name`, `description`, `connector_id`, \
         `input`, `output`, `data`, `created_at`, `updated_at`",
        ],
    );
    check_data(
        &json!({"timeout": 1}),
        "/data/timeout unknown-field: unknown field `timeout`; did you mean `timeout_s`?",
    );
    check_node(
        &json!({"data": {"hosts": []}}),
        &[
            "/data/hosts unknown-field: unknown field `hosts`; known fields are `method`, `path`, `query`, `header`, `body`, \
         `body_kind`, `accept`, `max_data_uri_bytes`, `upload`, `success`, `operation`, `idempotent`, `idempotency_header`, \
         `timeout_s`, `price`",
        ],
    );
}

#[test]
fn inputs_are_refused_at_their_own_place() {
    let types = "expected one of `string`, `number`, `integer`, `boolean`, `object`, `array`, `image`, `video`, `audio`, `file`";
    for (input, expected) in [
        (json!(1), "/input/1 wrong-type: `1` must be an object, not a number".to_owned()),
        (json!({"type": "string"}), "/input/1/name missing-field: `name` is missing".to_owned()),
        (json!({"name": "", "type": "string"}), "/input/1/name bad-value: `name` is empty".to_owned()),
        (json!({"name": "b"}), "/input/1/type missing-field: `type` is missing".to_owned()),
        (json!({"name": "b", "type": 1}), "/input/1/type wrong-type: `type` must be a string, not a number".to_owned()),
        (
            json!({"name": "b", "type": "strng"}),
            format!("/input/1/type bad-value: `type` cannot be `strng`; did you mean `string`? {types}"),
        ),
        (
            json!({"name": "b", "type": "string", "required": "yes"}),
            "/input/1/required wrong-type: `required` must be true or false, not a string".to_owned(),
        ),
        (
            json!({"name": "b", "type": "string", "enum": "x"}),
            "/input/1/enum wrong-type: `enum` must be an array, not a string".to_owned(),
        ),
        (
            json!({"name": "b", "type": "number", "minimum": "1"}),
            "/input/1/minimum wrong-type: `minimum` must be a number, not a string".to_owned(),
        ),
        (
            json!({"name": "b", "type": "array", "items": {"type": "x"}}),
            format!("/input/1/items/type bad-value: `type` cannot be `x`; {types}"),
        ),
        (
            json!({"name": "b", "type": "array", "items": "string"}),
            "/input/1/items wrong-type: `items` must be an object, not a string".to_owned(),
        ),
        (
            json!({"name": "b", "type": "image", "as": "data-uri"}),
            "/input/1/as bad-value: `as` cannot be `data-uri`; did you mean `data_uri`? expected one of `url`, `data_uri`, \
             `base64`, `multipart`, `upload`"
                .to_owned(),
        ),
        (
            json!({"name": "b", "type": "image", "accept": ["a/b", 1]}),
            "/input/1/accept/1 wrong-type: `1` must be a string, not a number".to_owned(),
        ),
        (
            json!({"name": "b", "type": "string", "requird": true}),
            "/input/1/requird unknown-field: unknown field `requird`; did you mean `required`?".to_owned(),
        ),
    ] {
        check_node(&json!({"input": [{"name": "a", "type": "string"}, input]}), &[&expected]);
    }
    check_node(&json!({"input": {}}), &["/input wrong-type: `input` must be an array, not an object"]);
}

#[test]
fn outputs_are_refused_at_their_own_place() {
    for (output, expected) in [
        (json!({"type": "string"}), "/output/0/name missing-field: `name` is missing"),
        (
            json!({"name": "o", "type": "string", "mapping": ["a"]}),
            "/output/0/mapping wrong-type: `mapping` must be a string, not an array of 1",
        ),
        (
            json!({"name": "o", "type": "string", "pick": "frist"}),
            "/output/0/pick bad-value: `pick` cannot be `frist`; did you mean `first`? expected one of `first`, `last`, \
             `join`, `all`",
        ),
        (
            json!({"name": "o", "type": "string", "decode": "base32"}),
            "/output/0/decode bad-value: `decode` cannot be `base32`; did you mean `base64`? expected one of `url`, \
             `data_uri`, `base64`, `text`",
        ),
        (
            json!({"name": "o", "type": "string", "required": true}),
            "/output/0/required unknown-field: unknown field `required`; known fields are `name`, `type`, `default`, \
             `mapping`, `description`, `pick`, `decode`, `link`, `link_lifetime_s`, `mime`",
        ),
    ] {
        check_node(&json!({"output": [output]}), &[expected]);
    }
}

#[test]
fn every_key_of_data_has_its_type() {
    for (data, expected) in [
        (json!([]), "/data wrong-type: `data` must be an object, not an array of 0"),
        (
            json!({"method": "FETCH"}),
            "/data/method bad-method: `method` cannot be `FETCH`; expected one of `GET`, `POST`, \
          `PUT`, `PATCH`, `DELETE`, `HEAD`",
        ),
        (json!({"path": ["a"]}), "/data/path wrong-type: `path` must be a string, not an array of 1"),
        (json!({"query": "a=b"}), "/data/query wrong-type: `query` must be an object, not a string"),
        (
            json!({"query": {"a": {"b": 1}}}),
            "/data/query/a wrong-type: `a` must be a string, a number, a boolean or an \
          array, not an object",
        ),
        (
            json!({"body_kind": "xml"}),
            "/data/body_kind bad-value: `body_kind` cannot be `xml`; expected one of `json`, \
          `form`, `multipart`, `raw`, `none`",
        ),
        (json!({"accept": 1}), "/data/accept wrong-type: `accept` must be a string, not a number"),
        (json!({"idempotent": "yes"}), "/data/idempotent wrong-type: `idempotent` must be true or false, not a string"),
        (
            json!({"idempotency_header": "a:b"}),
            "/data/idempotency_header bad-value: `idempotency_header` is not a \
          header name",
        ),
        (json!({"timeout_s": 0}), "/data/timeout_s bad-value: `timeout_s` must be at least 0.001, not 0"),
        (json!({"timeout_s": "5"}), "/data/timeout_s wrong-type: `timeout_s` must be a number, not a string"),
        (json!({"success": "ok"}), "/data/success wrong-type: `success` must be an object, not a string"),
        (json!({"success": [200, "x"]}), "/data/success/1 wrong-type: `1` must be an HTTP status, not a string"),
        (
            json!({"success": {"path": "code"}}),
            "/data/success/values missing-field: `values` is missing: `path` requires it",
        ),
        (
            json!({"success": {"values": [0]}}),
            "/data/success/path missing-field: `path` is missing: `values` requires it",
        ),
        (
            json!({"operation": 1}),
            "/data/operation wrong-type: `operation` must be a preset's name or an object, not a \
          number",
        ),
        (json!({"operation": {"state": {"path": "s"}}}), "/data/operation/poll missing-field: `poll` is missing"),
        (json!({"operation": {"poll": {"url": "u"}}}), "/data/operation/state missing-field: `state` is missing"),
    ] {
        check_data(&data, expected);
    }
}

#[test]
fn rules_of_operations_are_refused_at_their_own_place() {
    for (change, expected) in [
        (json!({"poll": {}}), "poll/url missing-field: `url` is missing"),
        (
            json!({"poll": {"url": "u", "interval_s": 0}}),
            "poll/interval_s bad-value: `interval_s` must be at least 0.05, \
          not 0",
        ),
        (json!({"poll": {"url": "u", "growth": 0.5}}), "poll/growth bad-value: `growth` must be at least 1, not 0.5"),
        (
            json!({"state": {}}),
            "state/path bad-value: `state` needs exactly one of `path`, `flag`, `http` and `present`",
        ),
        (
            json!({"state": {"path": "a", "flag": "b"}}),
            "state/path bad-value: `state` needs exactly one of `path`, `flag`, `http` and `present`",
        ),
        (json!({"state": {"path": "a", "done": "ok"}}), "state/done wrong-type: `done` must be an array, not a string"),
        (
            json!({"state": {"path": "a", "done": [{}]}}),
            "state/done bad-value: `done` must be a list of strings, numbers or booleans",
        ),
        (
            json!({"state": {"http": {"done": ["ok"]}}}),
            "state/http/done bad-value: `done` must be a list of HTTP \
          statuses",
        ),
        (
            json!({"cancel": {"url": "u", "method": "STOP"}}),
            "cancel/method bad-method: `method` cannot be `STOP`; expected \
          one of `GET`, `POST`, `PUT`, `PATCH`, `DELETE`, `HEAD`",
        ),
        (
            json!({"submit": "held"}),
            "submit bad-value: `submit` cannot be `held`; did you mean `hold`? expected one of `ack`, `hold`",
        ),
        (json!({"ack": {"header": {"A": 1}}}), "ack/header/A wrong-type: `A` must be a string, not a number"),
        (
            json!({"recover": {"url": "/l", "items": "r", "id": "id", "created_at": "c"}}),
            "recover/input missing-field: \
          `input` is missing",
        ),
        (json!({"pol": 1}), "pol unknown-field: unknown field `pol`; did you mean `poll`?"),
    ] {
        let rule = with(json!({"state": {"path": "s", "done": ["ok"]}, "poll": {"url": "u"}}), &change);
        check_data(&json!({"operation": rule}), &format!("/data/operation/{expected}"));
    }
}

#[test]
fn the_further_keys_of_a_connector_have_their_types_too() {
    for (data, expected) in [
        (json!({"hosts": "h"}), "/data/hosts wrong-type: `hosts` must be an array, not a string"),
        (
            json!({"hosts": ["https://h/"]}),
            "/data/hosts/0 bad-value: `https://h/` is not a host, such as \
          `files.example.com` or `*.example.com`",
        ),
        (json!({"hosts": [{"credentials": true}]}), "/data/hosts/0/host missing-field: `host` is missing"),
        (json!({"hosts": [7]}), "/data/hosts/0 wrong-type: `0` must be an object, not a number"),
        (json!({"media_hosts": [1]}), "/data/media_hosts/0 wrong-type: `0` must be a string, not a number"),
        (json!({"limits": []}), "/data/limits wrong-type: `limits` must be an object, not an array of 0"),
        (
            json!({"errors": {"mesage": "x"}}),
            "/data/errors/mesage unknown-field: unknown field `mesage`; did you mean \
          `message`?",
        ),
        (
            json!({"errors": {"message": {}}}),
            "/data/errors/message wrong-type: `message` must be an array, not an \
          object",
        ),
    ] {
        check_connector(&json!({"data": data}), &[expected]);
    }
}
