//! Secret references and literal credentials in declarations.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Connector, Node};
use crate::diagnostic::pointer_push;
use crate::template::{Compiler, Root, Text};

/// A credential that stands in a declaration as it is, where a secret's name should.
#[derive(Clone, PartialEq, Eq)]
pub struct LiteralCredential {
    /// JSON Pointer of the text in the declaration.
    pub pointer: String,
    /// What stands before it (`Bearer `, `Key `, or nothing), so that the mended text is `{prefix}${name}`.
    pub prefix: String,
    /// The credential itself.
    pub value: String,
}

/// The shortest text of a query that counts as a credential: `?key=title` is none.
const LEAST_IN_QUERY: usize = 8;

impl Connector {
    /// Credentials in its auth-like headers and query keys that are no secret reference.
    pub fn literal_credentials(&self) -> Vec<LiteralCredential> {
        let mut found = Vec::new();
        literals("/header", &self.header, in_header, &mut found);
        literals_of_data(self.data.as_ref(), &mut found);
        found
    }
}

impl Node {
    /// Credentials in its auth-like headers and query keys that are no secret reference.
    pub fn literal_credentials(&self) -> Vec<LiteralCredential> {
        let mut found = Vec::new();
        literals_of_data(self.data.as_ref(), &mut found);
        found
    }
}

fn literals_of_data(data: Option<&Map<String, Value>>, found: &mut Vec<LiteralCredential>) {
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
            literals(pointer, headers, in_header, found);
        }
    }
    if let Some(query) = data.get("query").and_then(Value::as_object) {
        literals("/data/query", query, in_query, found);
    }
}

fn literals(
    pointer: &str,
    texts: &Map<String, Value>,
    credential: fn(&str, &str) -> Option<(String, String)>,
    found: &mut Vec<LiteralCredential>,
) {
    for (name, value) in texts {
        let text = value.as_str().and_then(|text| Text::parse(text).ok()?.literal());
        if let Some((prefix, value)) = text.and_then(|text| credential(name, text.trim())) {
            found.push(LiteralCredential { pointer: pointer_push(pointer, name), prefix, value });
        }
    }
}

/// What stands before a header's credential, and the credential.
fn in_header(name: &str, text: &str) -> Option<(String, String)> {
    if !is_auth_header(name) {
        return None;
    }
    let (prefix, value) = match text.split_once(' ') {
        Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme} "), rest.trim()),
        Some(_) | None => (String::new(), text),
    };
    (!value.is_empty()).then(|| (prefix, value.to_owned()))
}

fn in_query(name: &str, text: &str) -> Option<(String, String)> {
    let is_credential = is_auth_key(name) && text.len() >= LEAST_IN_QUERY;
    is_credential.then(|| (String::new(), text.to_owned()))
}

/// Whether a key of a query usually carries a credential.
fn is_auth_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    // Not `max_tokens`.
    ["key", "auth", "sig", "signature", "pwd"].contains(&name.as_str())
        || name.ends_with("token")
        || ["secret", "api_key", "apikey", "access_key", "authorization", "password"]
            .iter()
            .any(|part| name.contains(part))
}

fn is_scheme(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic() || c == '-')
}

/// Whether a header of that name usually carries a credential.
pub(crate) fn is_auth_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let exact = ["cookie", "x-key"].contains(&name.as_str());
    exact
        || ["authorization", "token", "secret", "api-key", "apikey", "password"].iter().any(|part| name.contains(part))
}

impl Connector {
    /// Names of all secrets that its templates refer to.
    pub fn secret_names(&self) -> BTreeSet<String> {
        let mut names = secrets_of_headers(&self.header);
        if let Some(body) = &self.body {
            gather(body, &mut names);
        }
        names.extend(secrets_of_data(self.data.as_ref()));
        names
    }
}

impl Node {
    /// Names of all secrets that its templates refer to.
    pub fn secret_names(&self) -> BTreeSet<String> {
        secrets_of_data(self.data.as_ref())
    }
}

fn secrets_of_headers(headers: &Map<String, Value>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    headers.values().for_each(|value| gather(value, &mut names));
    names
}

/// The keys of `data` that are templates; the others (a price's currency sign) are not read as such.
fn secrets_of_data(data: Option<&Map<String, Value>>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for key in ["path", "query", "header", "body"] {
        if let Some(value) = data.and_then(|data| data.get(key)) {
            gather(value, &mut names);
        }
    }
    let operation = data.and_then(|data| data.get("operation"));
    for key in ["ack", "hold"] {
        if let Some(value) = operation.and_then(|operation| operation.get(key)?.get("header")) {
            gather(value, &mut names);
        }
    }
    names
}

fn gather(value: &Value, names: &mut BTreeSet<String>) {
    let template = Compiler { roots: &Root::ALL, diagnostics: &mut Vec::new() }.value(value, "");
    template.each_text(&mut |text| names.extend(text.secrets().map(str::to_owned)));
}
