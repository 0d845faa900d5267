//! Connectors and nodes: parses and checks their declarations.

mod credentials;
mod data_schema;
mod parse;
mod schema;
mod secret_names;
#[cfg(test)]
mod tests;

pub use self::credentials::{CleanBaseUrl, LiteralCredential, clean_base_url};
pub use self::parse::{parse_connector, parse_node};
pub use self::schema::{DECLARATIONS_SCHEMA, DeclarationSchema};
pub use crate::declarations::{Catalog, Connector, Node, NodeInput, NodeOutput};
use crate::diagnostic::Diagnostic;
pub use crate::value_type::ValueType;

/// Checks a node's call. Returns the errors for which [`crate::call::compile_call`] refuses it, and warnings; pointers
/// are relative to the node. Faults of the connector point to `/connector_id`.
pub fn check_call(node: &Node, connector: &Connector) -> Vec<Diagnostic> {
    let mut found = crate::call::check_call(node, connector);
    found.extend(credentials::warn_of_node(node));
    found
}

/// Checks a connector by itself; pointers are relative to the connector.
pub fn check_connector(connector: &Connector) -> Vec<Diagnostic> {
    let mut found = crate::call::check_connector(connector);
    found.extend(credentials::warn_of_connector(connector));
    found
}
