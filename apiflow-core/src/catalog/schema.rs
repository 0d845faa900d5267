//! The JSON Schema of connectors and nodes, for editors and for the tables of the documentation.

use serde_json::{Map, Value};

use crate::json::pointer_push;

/// The JSON Schema (draft 2020-12) of connectors and nodes, with the meaning of each field. [`super::parse_connector`] and
/// [`super::parse_node`] are the judges of what is valid; a test compares the fields.
pub const DECLARATIONS_SCHEMA: &str = include_str!("declarations.json");

/// A kind of declaration with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclarationSchema {
    /// The form of a connector.
    Connector,
    /// The form of a node.
    Node,
    /// The `data` of a connector.
    ConnectorData,
    /// The `data` of a node.
    NodeData,
}

impl DeclarationSchema {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connector, Self::Node, Self::ConnectorData, Self::NodeData];

    /// Returns the name: `connector`, `node`, `connector_data` or `node_data`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Node => "node",
            Self::ConnectorData => "connector_data",
            Self::NodeData => "node_data",
        }
    }

    /// Returns the schema as a document of its own, with all definitions that it refers to.
    pub fn to_document(self) -> Value {
        let whole: Value = serde_json::from_str(DECLARATIONS_SCHEMA).expect("a test reads the schema");
        let definition = match self {
            Self::Connector => "Connector",
            Self::Node => "Node",
            Self::ConnectorData => "ConnectorData",
            Self::NodeData => "NodeData",
        };
        Value::Object(Map::from_iter([
            ("$schema".to_owned(), whole["$schema"].clone()),
            ("$ref".to_owned(), Value::from(pointer_push("#/$defs", definition))),
            ("$defs".to_owned(), whole["$defs"].clone()),
        ]))
    }
}
