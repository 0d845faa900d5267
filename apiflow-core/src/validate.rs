//! What is wrong with a workflow: one list of findings, the same on a server, a command line and in a browser.

pub mod codes;
pub(crate) mod suggest;
