//! Connectors and nodes: parses and checks their declarations.

mod credentials;
mod data_schema;
mod outline;
mod parse;
mod schema;
mod secret_names;
#[cfg(test)]
mod tests;

pub use self::credentials::{CleanBaseUrl, LiteralCredential, clean_base_url};
pub use self::outline::drop_pinned_results;
pub use self::parse::{parse_connector, parse_node};
pub use self::schema::{DECLARATIONS_SCHEMA, DeclarationSchema};
pub use crate::declarations::{Catalog, Connector, Node, NodeInput, NodeOutput};
use serde_json::Value;

use crate::diagnostic::{Diagnostic, codes, suggest};
pub use crate::value_type::ValueType;

/// Returns all findings about a connector that is given as JSON: the faults for which saving it is refused, else those of
/// [`check_connector`].
pub fn validate_connector(declaration: &Value) -> Vec<Diagnostic> {
    parse_connector(declaration).map_or_else(|faults| faults, |connector| check_connector(&connector))
}

/// Returns all findings about a node that is given as JSON: the faults for which saving it is refused, else those of
/// [`check_call`] with its connector in the catalog.
pub fn validate_node(declaration: &Value, catalog: &Catalog) -> Vec<Diagnostic> {
    let node = match parse_node(declaration) {
        Ok(node) => node,
        Err(faults) => return faults,
    };
    if let Some(connector) = catalog.connectors.get(&node.connector_id) {
        return check_call(&node, connector);
    }
    let message = format!("there is no connector `{}`", node.connector_id);
    let found = Diagnostic::new_error(codes::UNKNOWN_CONNECTOR, "/connector_id", message);
    let known = catalog.connectors.keys().map(String::as_str);
    vec![match suggest::nearest_name(&node.connector_id, known) {
        Some(near) => found.with_help(suggest::did_you_mean(near)),
        None => found,
    }]
}

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
