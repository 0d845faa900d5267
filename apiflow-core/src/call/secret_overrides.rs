//! Finds the settings of a node that change how its connector's secrets are sent.

use serde_json::{Map, Value};

use super::auth_plan::{auth_header_name, auth_query_name};
use super::reply_rules::FollowedHost;
use crate::declarations::{Connector, Node};
use crate::json::pointer_push;
use crate::origin::Origin;
use crate::template::secret_references;
use crate::url;

/// A setting of a node that only users who may refer to its connector's secrets may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretOverride {
    /// JSON Pointer into the node.
    pub pointer: String,
    /// Description of the effect.
    pub message: String,
}

/// Returns the settings with which a node overrides or removes what carries a secret of its connector, or sends the
/// call to another origin.
pub fn secret_overrides(node: &Node, connector: &Connector) -> Vec<SecretOverride> {
    let empty = Map::new();
    let data = node.data.as_ref().unwrap_or(&empty);
    let of_connector = connector.data.as_ref().unwrap_or(&empty);
    let mut found = Vec::new();
    let headers = secret_headers(connector);
    let auth = of_connector.get("auth");
    let header_of_auth = auth.and_then(auth_header_name);
    let query_of_auth = auth.and_then(auth_query_name);
    let carries = |name: &str| {
        headers.iter().copied().chain(header_of_auth.as_deref()).any(|known| known.eq_ignore_ascii_case(name))
    };
    let mut refuse = |pointer: String, message: String| found.push(SecretOverride { pointer, message });

    let operation = data.get("operation").filter(|operation| operation.is_object());
    let of_call = |call: &str| operation.and_then(|operation| operation.get(call)?.get("header"));
    let layers = [
        ("/data/header", data.get("header")),
        ("/data/operation/ack/header", of_call("ack")),
        ("/data/operation/hold/header", of_call("hold")),
    ];
    for (pointer, layer) in layers {
        for name in layer.and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name) {
            if carries(name) {
                refuse(pointer_push(pointer, name), format!("header `{name}` carries a secret of the connector"));
            }
        }
    }
    if let Some(name) = data.get("idempotency_header").and_then(Value::as_str).filter(|name| carries(name)) {
        refuse("/data/idempotency_header".to_owned(), format!("header `{name}` carries a secret of the connector"));
    }
    for name in data.get("query").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name) {
        let is_declared = of_connector.get("query").and_then(|query| query.get(name)).is_some_and(has_secrets);
        if is_declared || query_of_auth.as_ref() == Some(name) {
            let message = format!("query parameter `{name}` carries a secret of the connector");
            refuse(pointer_push("/data/query", name), message);
        }
    }
    for key in ["header", "query"] {
        if data.get(key).is_some_and(Value::is_null) && of_connector.get(key).is_some_and(has_secrets) {
            refuse(pointer_push("/data", key), format!("the connector's `{key}` carries a secret"));
        }
    }
    for (pointer, link) in operation.map(absolute_links).unwrap_or_default() {
        if !stays_with(&link, connector) {
            refuse(pointer, format!("`{link}` may point to a different origin than the connector's"));
        }
    }
    found
}

fn has_secrets(value: &Value) -> bool {
    !secret_references(value, "").is_empty()
}

/// Returns the names of the headers in which a connector sends secrets.
fn secret_headers(connector: &Connector) -> Vec<&str> {
    let data = connector.data.as_ref();
    let operation = data.and_then(|data| data.get("operation"));
    let of_call = |call: &str| operation.and_then(|operation| operation.get(call)?.get("header"));
    let layers = [data.and_then(|data| data.get("header")), of_call("ack"), of_call("hold")];
    let layers = layers.into_iter().flatten().filter_map(Value::as_object).chain([&connector.header]);
    layers.flatten().filter(|(_, value)| has_secrets(value)).map(|(name, _)| name.as_str()).collect()
}

/// Returns the absolute links of a node's own operation.
fn absolute_links(operation: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for call in ["poll", "result", "cancel", "recover"] {
        let Some(url) = operation.get(call).and_then(|call| call.get("url")) else { continue };
        let pointer = format!("/data/operation/{call}/url");
        let texts = match url {
            Value::Array(texts) => texts.iter().collect(),
            Value::String(_) => vec![url],
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
        };
        for text in texts.into_iter().filter_map(Value::as_str) {
            let text = text.trim();
            let is_absolute = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http"));
            if is_absolute || text.contains("//") {
                found.push((pointer.clone(), text.to_owned()));
            }
        }
    }
    found
}

/// Returns whether an absolute link leads to the connector's origin, or to a host that the connector lists.
fn stays_with(link: &str, connector: &Connector) -> bool {
    // A placeholder in the origin could expand to anything.
    let literal = link.split("{{").next().unwrap_or_default();
    let has_whole_authority = literal.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?']));
    let fixed = if literal.len() < link.len() && !has_whole_authority { "" } else { literal };
    let Some(origin) = Origin::of_url(fixed) else { return false };
    let hosts = connector.data.as_ref().and_then(|data| data.get("hosts"));
    let hosts = hosts.map(|hosts| FollowedHost::read_all(hosts, "", &mut Vec::new())).unwrap_or_default();
    Origin::of_url(&connector.base_url).as_ref() == Some(&origin)
        || url::host_of(fixed)
            .is_some_and(|host| url::is_https(fixed) && hosts.iter().any(|listed| listed.matches_host(&host)))
}
