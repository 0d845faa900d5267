//! Findings about connectors and nodes when they are saved.

use std::collections::BTreeSet;

use apiflow_core::catalog;
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::diagnostic::codes;
use apiflow_store::Document;
use serde_json::Value;

use crate::documents::references;
use crate::http::problem::Problem;
use crate::secrets::access::SecretRefusal;
use crate::secrets::directory::SecretDirectory;

/// Returns the findings about a connector.
pub(crate) fn check_connector(directory: &SecretDirectory, document: &Document) -> Result<Vec<Diagnostic>, Problem> {
    let connector = references::saved_connector(document)?;
    let mut found = catalog::check_connector(&connector);
    found.extend(unknown_secrets(directory, document, &connector.secret_names(), &document.body));
    found.extend(directory.refused_references(document).into_iter().map(SecretRefusal::into_diagnostic));
    Ok(found)
}

/// Returns the findings about a node and its connector; the connector's findings name the connector.
pub(crate) fn check_node(
    directory: &SecretDirectory,
    document: &Document,
    saved_connector: Option<&Document>,
) -> Result<Vec<Diagnostic>, Problem> {
    let node = references::saved_node(document)?;
    let Some(saved_connector) = saved_connector else {
        let message = format!("there is no connector `{}`", node.connector_id);
        return Ok(vec![Diagnostic::new_error(codes::UNKNOWN_CONNECTOR, "/connector_id", message)]);
    };
    let connector = references::saved_connector(saved_connector)?;
    let mut found = catalog::check_call(&node, &connector);
    found.extend(unknown_secrets(directory, document, &node.secret_names(), &document.body));
    // Findings about the connector are reported where the node names it.
    let lacking = unknown_secrets(directory, saved_connector, &connector.secret_names(), &Value::Null);
    found.extend(lacking.into_iter().map(|found| Diagnostic { pointer: "/connector_id".to_owned(), ..found }));
    let refusals = references::refusals_of_run(directory, (document, &node), Some((saved_connector, &connector)));
    found.extend(refusals.into_iter().map(SecretRefusal::into_diagnostic));
    Ok(found)
}

/// Returns a finding for each of these names that is not a secret, at its first use in the declaration.
fn unknown_secrets(
    directory: &SecretDirectory,
    document: &Document,
    names: &BTreeSet<String>,
    declaration: &Value,
) -> Vec<Diagnostic> {
    let unknown = names.iter().filter(|name| !directory.is_known(name, document.author.as_deref()));
    let unknown = unknown.map(|name| {
        let pointer = references::place_of_secret(declaration, name).unwrap_or_default();
        let found = Diagnostic::new_error(codes::UNRESOLVED_SECRET, pointer, format!("there is no secret `{name}`"));
        found.with_help(format!(
            "set one of your own with `PUT /api/v1/user/secrets/{name}`; an admin sets a shared one with \
             `PUT /api/v1/secrets/{name}`, or the operator lists it in APIFLOW_SECRETS_FROM_ENV"
        ))
    });
    unknown.collect()
}
