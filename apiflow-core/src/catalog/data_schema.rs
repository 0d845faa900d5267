//! Schema of `data`: the known keys and their types.

use serde_json::Value;

use crate::call::{check_errors, check_hosts, check_limits, check_operation, check_price, check_success, check_upload};
use crate::declarations::headers::{is_header_name, read_headers, read_method};
use crate::diagnostic::{Diagnostic, codes};
use crate::json::{Fields, wrong_type};

/// The declaration that a `data` object belongs to: a connector's has more keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Connector,
    Node,
}

/// The kinds of bodies.
pub(crate) const BODY_KINDS: [&str; 5] = ["json", "form", "multipart", "raw", "none"];

/// Checks the form of a `data` object and reports the faults for which saving is refused. Faults that only prevent a
/// run (templates, presets, unsupported features) are found when the call is compiled.
pub(crate) fn parse_data(data: &Value, pointer: &str, owner: Owner, faults: &mut Vec<Diagnostic>) {
    let Some(mut fields) = Fields::open(data, pointer, faults) else { return };
    read_method(&mut fields, "method");
    fields.read_string("path");
    check_query(&mut fields);
    read_headers(&mut fields, "header", true);
    fields.read_raw("body");
    fields.read_word("body_kind", &BODY_KINDS);
    fields.read_string("accept");
    fields.number_from("max_data_uri_bytes", 0.0);
    check_nested(&mut fields, "upload", check_upload);
    check_nested(&mut fields, "success", check_success);
    check_nested(&mut fields, "operation", check_operation);
    fields.read_bool("idempotent");
    if fields.read_string("idempotency_header").is_some_and(|name| !is_header_name(name)) {
        fields.note_fault(codes::BAD_VALUE, "idempotency_header", "`idempotency_header` is not a header name");
    }
    fields.number_from("timeout_s", 0.001);
    check_nested(&mut fields, "price", check_price);
    if owner == Owner::Connector {
        fields.read_raw("auth");
        check_nested(&mut fields, "hosts", check_hosts);
        fields.read_strings("media_hosts");
        check_nested(&mut fields, "limits", check_limits);
        check_nested(&mut fields, "errors", check_errors);
    }
    fields.close();
}

fn check_nested(fields: &mut Fields<'_, '_>, key: &'static str, check: fn(&Value, &str, &mut Vec<Diagnostic>)) {
    if let Some(value) = fields.read_value(key) {
        check(value, &fields.pointer_of(key), fields.sink);
    }
}

/// Checks query templates: strings, numbers, booleans and lists of them; null removes one of the connector.
fn check_query(fields: &mut Fields<'_, '_>) {
    let pointer = fields.pointer_of("query");
    for (name, value) in fields.read_object("query").into_iter().flatten() {
        if value.is_object() {
            let at = crate::json::pointer_push(&pointer, name);
            fields.sink.push(wrong_type(&at, "a string, a number, a boolean or an array", value));
        }
    }
}
