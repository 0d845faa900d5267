//! Parts that other crates are about to have.
use apiflow_core::ports::Store;
use apiflow_store::{Accounts, Documents};
pub(crate) fn workflow(
    _document: &serde_json::Value,
    _catalog: &apiflow_core::catalog::Catalog,
) -> Vec<apiflow_core::diagnostic::Diagnostic> {
    Vec::new()
}
