//! Connectors, nodes and workflows: validating, resolving references and saving.

pub(crate) mod crud;
pub(crate) mod declaration_checks;
mod forms;
pub(crate) mod limits;
mod precondition;
mod recheck;
pub(crate) mod recheck_queue;
pub(crate) mod references;
pub(crate) mod schema;
pub(crate) mod signatures;
pub(crate) mod validation;
mod views;
pub(crate) mod workflow_checks;
pub(crate) mod workflow_versions;
