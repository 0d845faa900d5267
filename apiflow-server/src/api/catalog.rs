//! The catalog for editors.

use std::collections::BTreeMap;

use apiflow_core::catalog::{NodeInput, NodeOutput};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What workflows may refer to, by id.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DocumentCatalog {
    /// Connectors.
    pub connectors: BTreeMap<String, CatalogConnector>,
    /// Nodes.
    pub nodes: BTreeMap<String, CatalogNode>,
    /// OpenFlow documents of workflows, without pinned results.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, Value>>)]
    pub workflows: BTreeMap<String, Value>,
    /// Names of workflows.
    pub names: BTreeMap<String, String>,
}

/// A connector as far as workflows depend on it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CatalogConnector {
    /// Unique identifier of the connector.
    pub id: String,
    /// Display name; need not be unique.
    pub name: String,
    /// Absolute http or https URL that node paths are appended to.
    pub base_url: String,
    /// Default HTTP method of its nodes.
    pub method: String,
    /// What calls cost, unless the node has a price of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub price: Option<Value>,
}

/// A node as far as workflows depend on it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CatalogNode {
    /// Unique identifier of the node.
    pub id: String,
    /// Display name; need not be unique.
    pub name: String,
    /// Description of the call for users.
    pub description: String,
    /// Id of the connector that the call goes through.
    pub connector_id: String,
    /// Declared inputs.
    pub input: Vec<NodeInput>,
    /// Declared outputs.
    pub output: Vec<NodeOutput>,
    /// What a call costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub price: Option<Value>,
}
