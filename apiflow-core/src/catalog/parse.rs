//! From JSON to connectors and nodes, all faults in one pass.

use serde_json::Value;

use super::{Connector, Node};
use crate::diagnostic::Diagnostic;

/// Reads a connector. `created_at` and `updated_at` are ignored; a missing `id` reads as empty, for the caller to give one.
///
/// # Errors
/// Every fault that refuses a write.
pub fn parse_connector(_value: &Value) -> Result<Connector, Vec<Diagnostic>> {
    unimplemented!()
}

/// Reads a node. `created_at` and `updated_at` are ignored; a missing `id` reads as empty, for the caller to give one.
///
/// # Errors
/// Every fault that refuses a write.
pub fn parse_node(_value: &Value) -> Result<Node, Vec<Diagnostic>> {
    unimplemented!()
}

/// What is wrong with a node's call, pointers into the node: the errors for which [`crate::call::plan`] refuses it, and warnings.
pub fn check_call(_node: &Node, _connector: &Connector) -> Vec<Diagnostic> {
    unimplemented!()
}

/// What is wrong with a connector by itself, pointers into the connector.
pub fn check_connector(_connector: &Connector) -> Vec<Diagnostic> {
    unimplemented!()
}
