//! Parts that other crates are about to have.
use apiflow_core::ports::Store;
use apiflow_store::{Accounts, Documents};
use std::sync::Arc;
pub(crate) struct Stores {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) documents: Arc<dyn Documents>,
    pub(crate) accounts: Arc<dyn Accounts>,
}
pub(crate) async fn open(_url: &str) -> Result<Stores, String> {
    Err("no store yet".to_owned())
}
pub(crate) fn workflow(
    _document: &serde_json::Value,
    _catalog: &apiflow_core::catalog::Catalog,
) -> Vec<apiflow_core::diagnostic::Diagnostic> {
    Vec::new()
}
