//! Connectors, nodes, and the catalog that holds them. These are types only: [`crate::catalog`] parses and checks them,
//! and [`crate::call`] makes calls with them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) mod credential_names;
pub(crate) mod headers;
mod read_catalog;

use crate::value_type::ValueType;

/// A provider and how to authenticate with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connector {
    /// Identifier, unique among connectors: `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`.
    pub id: String,
    /// Display name; need not be unique.
    pub name: String,
    /// Absolute http or https URL; paths of nodes are appended to it.
    pub base_url: String,
    /// Default method of the connector's nodes, in upper case.
    pub method: String,
    /// Templates of headers that are sent with each call, by name.
    #[serde(default)]
    pub header: Map<String, Value>,
    /// Template of the body, if all calls share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Defaults for the `data` of its nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
    /// Owners of the secrets that belong to one user, by reference; other references mean shared secrets. Never read
    /// from a declaration: set when a job is created.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub own_secrets: BTreeMap<String, String>,
}

/// One typed call to a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Identifier, unique among nodes: `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`.
    pub id: String,
    /// Display name; need not be unique.
    pub name: String,
    /// Description of the call for users.
    #[serde(default)]
    pub description: String,
    /// Id of the connector that the call goes through.
    pub connector_id: String,
    /// Declared inputs; if empty, all given inputs are passed on.
    #[serde(default)]
    pub input: Vec<NodeInput>,
    /// Declared outputs; if empty, the result is the reply's JSON itself.
    #[serde(default)]
    pub output: Vec<NodeOutput>,
    /// How the request is built and the reply is read: see [`crate::call`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
    /// Owners of the secrets that belong to one user, by reference, as in [`Connector::own_secrets`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub own_secrets: BTreeMap<String, String>,
}

impl Node {
    /// Creates a node of a connector without inputs, outputs and settings of its own.
    pub fn without_settings(connector_id: impl Into<String>) -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            description: String::new(),
            connector_id: connector_id.into(),
            input: Vec::new(),
            output: Vec::new(),
            data: None,
            own_secrets: BTreeMap::new(),
        }
    }
}

/// A declared input of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct NodeInput {
    /// Name of the input.
    pub name: String,
    /// Type of the input; values are never coerced.
    pub r#type: ValueType,
    /// Whether a call without this input fails before anything is sent.
    #[serde(default)]
    #[cfg_attr(feature = "utoipa", schema(value_type = Option<bool>))]
    pub required: bool,
    /// Used if the caller passes no value and `value` is absent.
    #[serde(default, with = "present", skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Used if the caller passes no value.
    #[serde(default, with = "present", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// What the input means.
    #[serde(default)]
    #[cfg_attr(feature = "utoipa", schema(value_type = Option<String>))]
    pub description: String,
    /// The values that are allowed, compared as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#enum: Option<Vec<Value>>,
    /// Smallest allowed number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// Largest allowed number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// Type of an array's elements, as an object with `type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "utoipa", schema(value_type = Option<BTreeMap<String, Value>>))]
    pub items: Option<Value>,
    /// How a media input is sent: url, data_uri, base64, multipart or upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#as: Option<String>,
    /// MIME types that the provider accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<Vec<String>>,
}

/// A declared output of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct NodeOutput {
    /// Name of the output, a key of the step's result.
    pub name: String,
    /// Type of the output; values are never coerced.
    pub r#type: ValueType,
    /// Used if the call succeeded and the key is absent.
    #[serde(default, with = "present", skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Path into the reply, or `@body`, `@status`, `@header.NAME`; empty means the output's own name.
    #[serde(default)]
    #[cfg_attr(feature = "utoipa", schema(value_type = Option<String>))]
    pub mapping: String,
    /// What the output means.
    #[serde(default)]
    #[cfg_attr(feature = "utoipa", schema(value_type = Option<String>))]
    pub description: String,
    /// Which of several values to use: first, last, join or all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick: Option<String>,
    /// How the value is encoded: url, data_uri, base64 or text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode: Option<String>,
    /// Template over the value that `mapping` finds (`{{ item.filename }}`), for providers that return the parts of a link:
    /// an absolute link, or a path below `base_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// How long the provider's link is valid, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_lifetime_s: Option<f64>,
    /// MIME type to use if the provider does not report one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
}

/// The connectors, nodes and sub-flows that documents may refer to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// Connectors by id.
    #[serde(default)]
    pub connectors: BTreeMap<String, Connector>,
    /// Nodes by id.
    #[serde(default)]
    pub nodes: BTreeMap<String, Node>,
    /// OpenFlow documents of sub-flows, by workflow id.
    #[serde(default)]
    pub workflows: BTreeMap<String, Value>,
    /// Names of the existing secrets; `None` if they cannot be known (in a browser).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<BTreeSet<String>>,
}

impl Catalog {
    /// Finds the node that the path of a `script` module names: `node/<node id>` or `<connector id>/<node id>`.
    pub fn node_at(&self, path: &str) -> Option<&Node> {
        let (owner, id) = path.split_once('/')?;
        let node = self.nodes.get(id)?;
        (owner == "node" || owner == node.connector_id).then_some(node)
    }
}

/// Deserializes a field so that `null` is distinguished from an absent key.
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
