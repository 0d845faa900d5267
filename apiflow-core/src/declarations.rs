//! What is declared: connectors, nodes, and the catalog that holds them. Types only: reading and checking them is
//! [`crate::catalog`]'s, making calls by them [`crate::call`]'s.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) mod credential_names;
pub(crate) mod headers;

use crate::value_type::ValueType;

/// A provider and how to authenticate with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connector {
    /// Identifier, unique among connectors: `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`.
    pub id: String,
    /// Title for people; need not be unique.
    pub name: String,
    /// Absolute http or https URL that node paths are appended to.
    pub base_url: String,
    /// Default method of its nodes, upper case.
    pub method: String,
    /// Templates of headers sent with each call, by name.
    #[serde(default)]
    pub header: Map<String, Value>,
    /// Template of the body, if all calls share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Defaults for the `data` of its nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
    /// Which of its secret references mean a user's own secret, and whose; the others mean shared ones. Never read
    /// from a declaration: it is set when a job is created.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub own_secrets: BTreeMap<String, String>,
}

/// One typed call to a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Identifier, unique among nodes: `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`.
    pub id: String,
    /// Title for people; need not be unique.
    pub name: String,
    /// What the call does, for people.
    #[serde(default)]
    pub description: String,
    /// The connector that the call goes through.
    pub connector_id: String,
    /// Declared inputs; none means that whatever is given is passed on.
    #[serde(default)]
    pub input: Vec<NodeInput>,
    /// Declared outputs; none means that the result is the reply's JSON itself.
    #[serde(default)]
    pub output: Vec<NodeOutput>,
    /// How the request is made and the reply is read: see [`crate::call`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
    /// Which of its secret references mean a user's own secret, and whose, as for [`Connector::own_secrets`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub own_secrets: BTreeMap<String, String>,
}

/// A declared input of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeInput {
    /// Name of the input.
    pub name: String,
    /// Its type; never coerced.
    pub r#type: ValueType,
    /// Whether a call without it fails before anything is sent.
    #[serde(default)]
    pub required: bool,
    /// Value of an input that the caller omits, if there is no `value` either; `None` if the key is absent.
    #[serde(default, with = "present", skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Value of an input that the caller omits; `None` if the key is absent.
    #[serde(default, with = "present", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Meaning of the input, for people.
    #[serde(default)]
    pub description: String,
    /// Allowed values, compared as JSON; any value is allowed if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#enum: Option<Vec<Value>>,
    /// Least allowed number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// Greatest allowed number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// Type of an array's elements, as an object with `type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Value>,
    /// How a media input is sent: url, data_uri, base64, multipart or upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#as: Option<String>,
    /// MIME types that the provider takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<Vec<String>>,
}

/// A declared output of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeOutput {
    /// Name of the output, a key of the step's result.
    pub name: String,
    /// Its type; never coerced.
    pub r#type: ValueType,
    /// Used only if the call succeeded and the key is absent; `None` if not declared.
    #[serde(default, with = "present", skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Path into the reply, or `@body`, `@status`, `@header.NAME`; empty means the output's own name.
    #[serde(default)]
    pub mapping: String,
    /// What it means, for people.
    #[serde(default)]
    pub description: String,
    /// Which of several values: first, last, join or all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick: Option<String>,
    /// How the value is encoded: url, data_uri, base64 or text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode: Option<String>,
    /// MIME type if the provider does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
}

/// The connectors and nodes that documents may refer to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// Connectors by id.
    #[serde(default)]
    pub connectors: BTreeMap<String, Connector>,
    /// Nodes by id.
    #[serde(default)]
    pub nodes: BTreeMap<String, Node>,
    /// OpenFlow documents of sub-flows by workflow id.
    #[serde(default)]
    pub workflows: BTreeMap<String, Value>,
    /// Names of the secrets that exist, if known; `None` if the caller cannot know (a browser).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<BTreeSet<String>>,
}

impl Catalog {
    /// Finds the node that a `script` module's path names: `node/<node id>` or `<connector id>/<node id>`.
    pub fn node_at(&self, path: &str) -> Option<&Node> {
        let (owner, id) = path.split_once('/')?;
        let node = self.nodes.get(id)?;
        (owner == "node" || owner == node.connector_id).then_some(node)
    }
}

/// Keeps a key that is present with `null` apart from one that is absent.
mod present {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
        Value::deserialize(deserializer).map(Some)
    }

    #[expect(clippy::ref_option, reason = "the signature that serde's `with` calls")]
    pub(super) fn serialize<S: Serializer>(value: &Option<Value>, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }
}
