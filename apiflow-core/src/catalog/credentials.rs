//! Finds credentials that are written into a declaration as plain text instead of a secret's name.

use serde_json::{Map, Value};

use super::{Connector, Node};
use crate::declarations::credential_names::{
    Strength, in_body_key, in_header_name, in_query_key, is_placeholder, known_key,
};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::json::pointer_push;
use crate::template::Text;

/// A credential that is written into a declaration as plain text instead of a secret's name.
#[derive(Clone, PartialEq, Eq)]
pub struct LiteralCredential {
    /// JSON Pointer of the string that contains it.
    pub pointer: String,
    /// Text before the credential (`Bearer `, `Key `, or nothing); the fixed string is `{prefix}${name}{suffix}`.
    pub prefix: String,
    /// The credential itself.
    pub value: String,
    /// Text after the credential.
    pub suffix: String,
}

/// A `base_url` without the credentials in its query, and these as keys and values.
#[derive(Clone, PartialEq, Eq)]
pub struct CleanBaseUrl {
    /// The URL without the credentials.
    pub base_url: String,
    /// The keys and decoded values that were removed.
    pub credentials: Vec<(String, String)>,
}

/// Minimum length of a credential whose name alone does not prove that it is one: `?key=title` is none.
const MIN_CREDENTIAL_BYTES: usize = 8;

/// Minimum length of a credential in a body that is recognized by a key such as `token`.
const MIN_RANDOM_BYTES: usize = 16;

impl Connector {
    /// Finds credentials in the headers, query, path and bodies that are not secret references. Those in the query of
    /// `base_url` are found by [`clean_base_url`].
    pub fn literal_credentials(&self) -> Vec<LiteralCredential> {
        let mut found = Vec::new();
        search_headers("/header", &self.header, &mut found);
        if let Some(body) = &self.body {
            search_body("/body", "", body, &mut found);
        }
        search_data(self.data.as_ref(), &mut found);
        found
    }
}

impl Node {
    /// Finds credentials in the headers, query, path and body that are not secret references.
    pub fn literal_credentials(&self) -> Vec<LiteralCredential> {
        let mut found = Vec::new();
        search_data(self.data.as_ref(), &mut found);
        found
    }
}

/// Removes the credentials from the query of a `base_url`, which is not a template; `None` if there are none.
pub fn clean_base_url(base_url: &str) -> Option<CleanBaseUrl> {
    let (base, query) = base_url.split_once('?')?;
    let (mut kept, mut credentials) = (Vec::new(), Vec::new());
    for pair in query.split('&') {
        match credential_of_pair(pair) {
            Some((name, value)) => credentials.push((name, value)),
            None => kept.push(pair),
        }
    }
    if credentials.is_empty() {
        return None;
    }
    let base_url = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    Some(CleanBaseUrl { base_url, credentials })
}

/// Returns a warning for each plain-text credential in a connector.
pub(super) fn warn_of_connector(connector: &Connector) -> Vec<Diagnostic> {
    let mut found = warn_of(&connector.literal_credentials());
    if let Some(clean) = clean_base_url(&connector.base_url) {
        let (name, _) = &clean.credentials[0];
        let message = format!("the query of `base_url` contains a credential in plain text: `{name}`");
        let help = format!("move it to `data.query` as `\"{name}\": \"$NAME\"`, where `NAME` is a secret");
        found.push(Diagnostic::new_warning(codes::CREDENTIAL_IN_CLEAR, "/base_url", message).with_help(help));
    }
    found
}

/// Returns a warning for each plain-text credential in a node.
pub(super) fn warn_of_node(node: &Node) -> Vec<Diagnostic> {
    warn_of(&node.literal_credentials())
}

fn warn_of(found: &[LiteralCredential]) -> Vec<Diagnostic> {
    let warning = |found: &LiteralCredential| {
        let place = found.pointer.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
        let message = format!("`{place}` contains a credential in plain text");
        let help = format!(
            "write `{}$NAME{}`, where `NAME` is a secret; the server does this automatically when the declaration is \
             saved",
            found.prefix, found.suffix
        );
        Diagnostic::new_warning(codes::CREDENTIAL_IN_CLEAR, &found.pointer, message).with_help(help)
    };
    found.iter().map(warning).collect()
}

fn search_data(data: Option<&Map<String, Value>>, found: &mut Vec<LiteralCredential>) {
    let Some(data) = data else { return };
    let operation = data.get("operation");
    let of_call = |call: &str| operation.and_then(|operation| operation.get(call)?.get("header"));
    let places = [
        ("/data/header", data.get("header")),
        ("/data/operation/ack/header", of_call("ack")),
        ("/data/operation/hold/header", of_call("hold")),
    ];
    for (pointer, headers) in places {
        if let Some(headers) = headers.and_then(Value::as_object) {
            search_headers(pointer, headers, found);
        }
    }
    if let Some(path) = data.get("path").and_then(Value::as_str) {
        found.extend(in_path(path));
    }
    for (name, value) in data.get("query").and_then(Value::as_object).into_iter().flatten() {
        search_query(&pointer_push("/data/query", name), name, value, found);
    }
    if let Some(body) = data.get("body") {
        search_body("/data/body", "", body, found);
    }
    for (key, value) in data.get("auth").and_then(Value::as_object).into_iter().flatten() {
        search_auth(key, value, found);
    }
}

/// The keys of `auth` whose values are credentials.
const AUTH_KEYS: [&str; 8] =
    ["bearer", "token", "value", "password", "client_secret", "secret_key", "session_token", "key"];

fn search_auth(key: &str, value: &Value, found: &mut Vec<LiteralCredential>) {
    let pointer = pointer_push("/data/auth", key);
    if key == "settings" {
        search_body(&pointer, "", value, found);
    }
    let Some(text) = literal_text(value).filter(|_| AUTH_KEYS.contains(&key)) else { return };
    let (prefix, value) = match text.split_once(' ') {
        Some((scheme, rest)) if key == "value" && is_scheme(scheme) => (format!("{scheme} "), rest.trim().to_owned()),
        Some(_) | None => (String::new(), text.clone()),
    };
    if !value.is_empty() && !is_placeholder(&value) {
        found.push(LiteralCredential { pointer, prefix, value, suffix: String::new() });
    }
}

/// Returns the string of a template without secret references and placeholders.
fn literal_text(value: &Value) -> Option<String> {
    let text = Text::parse(value.as_str()?).ok()?.literal_text()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn search_headers(pointer: &str, headers: &Map<String, Value>, found: &mut Vec<LiteralCredential>) {
    for (name, value) in headers {
        if let Some((prefix, value)) = literal_text(value).and_then(|text| in_header(name, &text)) {
            let pointer = pointer_push(pointer, name);
            found.push(LiteralCredential { pointer, prefix, value, suffix: String::new() });
        }
    }
}

/// Splits a header's value into the text before the credential and the credential.
fn in_header(name: &str, text: &str) -> Option<(String, String)> {
    let (prefix, value) = match text.split_once(' ') {
        Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme} "), rest.trim()),
        Some(_) | None => (String::new(), text),
    };
    if is_placeholder(value) {
        return None;
    }
    let is_credential = match in_header_name(name) {
        Some(Strength::Certain) => !value.is_empty(),
        Some(Strength::Likely) => is_long_word(value, MIN_CREDENTIAL_BYTES),
        None => known_key(value) || (is_bearer(&prefix) && is_long_word(value, MIN_CREDENTIAL_BYTES)),
    };
    is_credential.then(|| (prefix, value.to_owned()))
}

fn search_query(pointer: &str, name: &str, value: &Value, found: &mut Vec<LiteralCredential>) {
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        search_query(&pointer_push(pointer, &index.to_string()), name, item, found);
    }
    if let Some(value) = literal_text(value).filter(|text| in_query(name, text)) {
        let pointer = pointer.to_owned();
        found.push(LiteralCredential { pointer, prefix: String::new(), value, suffix: String::new() });
    }
}

fn in_query(name: &str, text: &str) -> bool {
    let named = in_query_key(name).is_some() && is_long_word(text, MIN_CREDENTIAL_BYTES);
    !is_placeholder(text) && (named || known_key(text))
}

/// Finds the first credential in the query of a path.
fn in_path(path: &str) -> Option<LiteralCredential> {
    let mut at = path.find('?')? + 1;
    for pair in path[at..].split('&') {
        if !pair.contains(['$', '{'])
            && let Some((_, value)) = credential_of_pair(pair)
        {
            let start = at + pair.find('=')? + 1;
            let (prefix, suffix) = (path[..start].to_owned(), path[at + pair.len()..].to_owned());
            return Some(LiteralCredential { pointer: "/data/path".to_owned(), prefix, value, suffix });
        }
        at += pair.len() + 1;
    }
    None
}

/// Decodes one pair of a URL's query; `None` if its value is not a credential.
fn credential_of_pair(pair: &str) -> Option<(String, String)> {
    let (name, value) = pair.split_once('=')?;
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().ok().map(String::from);
    let (name, value) = (decode(name)?, decode(value)?);
    in_query(&name, &value).then_some((name, value))
}

fn search_body(pointer: &str, key: &str, value: &Value, found: &mut Vec<LiteralCredential>) {
    match value {
        Value::String(_) => {
            if let Some((prefix, value)) = literal_text(value).and_then(|text| in_body(key, &text)) {
                found.push(LiteralCredential { pointer: pointer.to_owned(), prefix, value, suffix: String::new() });
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                search_body(&pointer_push(pointer, &index.to_string()), key, item, found);
            }
        }
        Value::Object(fields) => {
            for (key, item) in fields {
                search_body(&pointer_push(pointer, key), key, item, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn in_body(key: &str, text: &str) -> Option<(String, String)> {
    let (prefix, value) = match text.split_once(' ') {
        Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme} "), rest.trim()),
        Some(_) | None => (String::new(), text),
    };
    if is_placeholder(value) {
        return None;
    }
    let is_credential = match in_body_key(key) {
        Some(Strength::Certain) => is_long_word(value, MIN_CREDENTIAL_BYTES),
        Some(Strength::Likely) => is_long_word(value, MIN_RANDOM_BYTES) && value.bytes().any(|b| b.is_ascii_digit()),
        None => known_key(value) || (is_bearer(&prefix) && is_long_word(value, MIN_RANDOM_BYTES)),
    };
    is_credential.then(|| (prefix, value.to_owned()))
}

fn is_long_word(text: &str, min_bytes: usize) -> bool {
    text.len() >= min_bytes && !text.contains(char::is_whitespace)
}

fn is_scheme(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic() || c == '-')
}

fn is_bearer(prefix: &str) -> bool {
    prefix.trim_end().eq_ignore_ascii_case("bearer")
}
