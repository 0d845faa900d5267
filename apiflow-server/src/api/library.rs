//! The library of ready-made connectors and nodes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A ready-made node, as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LibraryItem {
    /// Identifier, which the node keeps when it is added.
    pub id: String,
    /// Identifier of the provider and of its connector.
    pub provider: String,
    /// Name of the provider.
    pub provider_name: String,
    /// Name of the node.
    pub name: String,
    /// What the node does.
    pub description: String,
    /// Link to the provider's documentation.
    pub docs: String,
    /// The types of its outputs: `image`, `video`, `audio`, `string`, …
    pub produces: Vec<String>,
    /// The secret that its connector needs.
    pub secret: LibrarySecret,
    /// The published price, in the form of a node's `price`; null if it is unknown or has another form.
    #[schema(required, value_type = Option<BTreeMap<String, Value>>)]
    pub price: Option<Value>,
    /// Where the price was published, and when it was read there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_source: Option<LibrarySource>,
    /// What else is known about the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_note: Option<String>,
}

/// The secret that a connector of the library needs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LibrarySecret {
    /// Name of the secret.
    pub name: String,
    /// Link to where the provider gives out keys.
    pub url: String,
    /// The origins to set with the secret, if the provider has further hosts that need the key; otherwise the connector's
    /// own origin is enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub origins: Vec<String>,
}

/// Where a fact was published.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LibrarySource {
    /// Link to the document.
    pub url: String,
    /// The date when the entry was written, such as `2026-11-28`.
    pub date: String,
}

/// An example of a call.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LibrarySample {
    /// The input of the node.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub input: Value,
    /// The reply that contains the outputs; null if the reply is a file.
    pub reply: Option<Value>,
}

/// A provider of the library.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LibraryProvider {
    /// Name of the provider.
    pub name: String,
    /// What the provider offers.
    pub description: String,
    /// Link to the documentation of its API.
    pub docs: String,
    /// Where the facts about the connector were published.
    pub source: LibrarySource,
}

/// A model of Replicate to make a node of.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportModelRequest {
    /// Identifier of the connector of Replicate.
    pub connector_id: String,
    /// The reply to `GET /models/{owner}/{name}` of Replicate, which contains the schema of the latest version.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub model: Value,
}

/// A ready-made node with its connector.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LibraryEntry {
    #[serde(flatten)]
    #[schema(inline)]
    /// What lists show.
    pub item: LibraryItem,
    /// The provider.
    pub provider_details: LibraryProvider,
    /// Where the facts about the node were published.
    pub source: LibrarySource,
    /// An example of a call.
    pub sample: LibrarySample,
    /// The connector that is added with the node.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub connector: Value,
    /// The node.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub node: Value,
}

/// The result of adding a node of the library.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LibraryAddition {
    /// Identifier of the node.
    pub node_id: String,
    /// Identifier of its connector.
    pub connector_id: String,
    /// Whether the node was added; false: a node with this id exists and was not changed.
    pub is_node_added: bool,
    /// Whether the connector was added; false: a connector with this id exists and was not changed.
    pub is_connector_added: bool,
    /// How the existing documents differ from those of the library.
    pub changes: Vec<LibraryChange>,
}

/// A difference between an existing document and the one of the library.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LibraryChange {
    /// `connector` or `node`.
    pub document: &'static str,
    /// JSON Pointer of the value.
    pub pointer: String,
    /// The existing value; null if there is none.
    #[schema(required)]
    pub saved: Option<Value>,
    /// The value in the library; null if there is none.
    #[schema(required)]
    pub library: Option<Value>,
}
