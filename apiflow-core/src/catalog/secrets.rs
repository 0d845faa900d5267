//! Secret references and literal credentials in declarations.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Connector, Node};
use crate::diagnostic::pointer_push;
use crate::template::{Compiler, Root, Text};

/// A credential that stands in a declaration as it is, where a secret's name should.
#[derive(Clone, PartialEq, Eq)]
pub struct LiteralCredential {
    /// JSON Pointer of the header's value in the connector.
    pub pointer: String,
    /// What stands before it (`Bearer `, `Key `, or nothing), so that the mended header is `{prefix}${name}`.
    pub prefix: String,
    /// The credential itself.
    pub value: String,
}

/// Finds credentials in auth-like headers (`header` and `data.header`) that are no secret reference.
pub fn literal_credentials(connector: &Connector) -> Vec<LiteralCredential> {
    let in_data = connector.data.as_ref().and_then(|data| data.get("header")).and_then(Value::as_object);
    let layers = [("/header", Some(&connector.header)), ("/data/header", in_data)];
    layers
        .into_iter()
        .filter_map(|(pointer, headers)| Some((pointer, headers?)))
        .flat_map(|(pointer, headers)| headers.iter().filter_map(move |(name, value)| literal(pointer, name, value)))
        .collect()
}

fn literal(pointer: &str, name: &str, value: &Value) -> Option<LiteralCredential> {
    if !is_auth_header(name) {
        return None;
    }
    let text = Text::parse(value.as_str()?).ok()?.literal()?;
    let (prefix, value) = match text.trim().split_once(' ') {
        Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme} "), rest.trim().to_owned()),
        Some(_) | None => (String::new(), text.trim().to_owned()),
    };
    (!value.is_empty()).then(|| LiteralCredential { pointer: pointer_push(pointer, name), prefix, value })
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
