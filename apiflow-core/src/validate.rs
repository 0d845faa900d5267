//! What is wrong with a workflow: one list of findings, the same on a server, a command line and in a browser.
//!
//! Architecture invariant: nothing here runs or resolves anything. A finding follows from the document
//! and the catalog alone, and all of them are found in one pass.

mod checker;
pub mod codes;
mod expressions;
mod flows;
mod inputs;
mod names;
mod retry;
mod secrets;
mod sight;
mod steps;
pub(crate) mod suggest;
mod transforms;
mod values;

use serde_json::Value;

use crate::catalog::Catalog;
use crate::diagnostic::Diagnostic;
use crate::openflow::{FlowValue, Module, ModuleValue, read};
use checker::Checker;

/// Finds all that is wrong with a workflow, in the order of the document.
///
/// Errors are what can't run, or would certainly compute with nothing where a value is meant; warnings
/// are what runs, but hardly as meant.
pub fn workflow(document: &Value, catalog: &Catalog) -> Vec<Diagnostic> {
    let reading = read(document);
    let mut findings = reading.findings;
    if let Some(flow) = &reading.flow {
        let mut checker = Checker::new(document, flow, catalog, &reading.broken, &mut findings);
        checker.flow(flow);
    }
    let mut list = findings.into_vec();
    list.sort_by_cached_key(|found| (place_order(&found.pointer), found.severity));
    list
}

/// Why this version keeps a module but does not run it; the one place that knows.
pub fn unsupported(module: &Module) -> Option<&'static str> {
    if module.suspend.as_ref().is_some_and(|gate| gate.required_events > Some(0)) {
        return Some("approvals (`suspend`) are not run here yet");
    }
    if module.mock.as_ref().is_some_and(|mock| mock.enabled) {
        return None;
    }
    match &module.value {
        ModuleValue::RawScript(_) => {
            Some("inline code (`rawscript`) is not run here: use a node, or an expression in a transform")
        }
        ModuleValue::AiAgent(_) => Some("language model agents (`aiagent`) are not run here: call the model by a node"),
        ModuleValue::Script(_)
        | ModuleValue::Flow(_)
        | ModuleValue::ForLoopFlow(_)
        | ModuleValue::WhileLoopFlow(_)
        | ModuleValue::BranchOne(_)
        | ModuleValue::BranchAll(_)
        | ModuleValue::Identity(_) => None,
    }
}

/// The fields of a workflow's program that this version does not run, each with the reason.
pub fn unsupported_fields(flow: &FlowValue) -> Vec<(&'static str, &'static str)> {
    let preprocessor = flow
        .preprocessor_module
        .as_ref()
        .map(|_| ("preprocessor_module", "a preprocessor is not run here yet: compute its values in the first step"));
    preprocessor.into_iter().collect()
}

/// One token of a pointer in the order of the document: lists by number.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Index(usize),
    Name(String),
}

fn place_order(pointer: &str) -> Vec<Token> {
    let token = |text: &str| text.parse().map_or_else(|_| Token::Name(text.to_owned()), Token::Index);
    pointer.split('/').skip(1).map(token).collect()
}
