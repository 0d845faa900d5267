//! Validates workflows: one list of findings, the same on a server, on the command line and in a browser.
//!
//! Architecture invariant: nothing is run or resolved. Findings depend on the document and the catalog alone, and all
//! of them are found in one pass.

mod accepted_inputs;
mod approvals;
mod checker;
mod completion;
mod constants;
mod expression_fixes;
mod expression_scope;
mod expressions;
mod groups;
mod inline_code;
mod json_schema;
mod module_settings;
mod modules;
mod no_effect_fields;
mod result_shape;
mod results;
mod retry;
mod secrets;
mod step_inputs;
mod steps;
mod sub_flow_inputs;
mod sub_flows;
mod transforms;
mod type_mismatch;
mod visibility;

use serde_json::Value;

pub use completion::{Completion, Completions, complete_expression};
pub use json_schema::{
    AppliesTo, MAX_SCHEMAS_PER_VALUE, SchemaKeyword, bad_default, check_json_schema, schema_keyword,
};

use crate::catalog::Catalog;
use crate::diagnostic::{Diagnostic, codes, suggest};
use crate::openflow::{Module, ModuleValue, ParsedDocument, parse_leniently};
use checker::{Checker, Surroundings};
use sub_flows::SubFlows;

/// Returns all findings about a workflow, in the order of the document.
///
/// An error is something that cannot run, or that would certainly compute with nothing instead of a value; a warning is
/// something that runs, but hardly as intended.
pub fn validate_workflow(document: &Value, catalog: &Catalog) -> Vec<Diagnostic> {
    validate_parsed(document, parse_leniently(document), catalog)
}

/// Does the same with a document that has been parsed already.
pub fn validate_parsed(document: &Value, reading: ParsedDocument, catalog: &Catalog) -> Vec<Diagnostic> {
    suggest::within_budget(|| check_document(document, reading, catalog))
}

fn check_document(document: &Value, reading: ParsedDocument, catalog: &Catalog) -> Vec<Diagnostic> {
    let mut findings = reading.findings;
    if let Some(flow) = &reading.flow {
        let sub_flows = SubFlows::read_reachable(flow, catalog);
        let faults = sub_flows.find_faults(catalog);
        let around = Surroundings { catalog, sub_flows: &sub_flows, faults: Some(&faults) };
        Checker::new(document, flow, around, &reading.broken, &mut findings).check_flow(flow);
    }
    let mut list = findings.into_vec();
    // The last finding says how many are left out.
    let last = |found: &Diagnostic| found.code == codes::TOO_MANY_FINDINGS;
    list.sort_by_cached_key(|found| (last(found), place_order(&found.pointer), found.severity));
    list
}

/// Returns why this version stores a module but does not run it. No other code decides this.
pub(crate) fn unsupported_reason(module: &Module) -> Option<&'static str> {
    if module.mock.as_ref().is_some_and(|mock| mock.enabled) {
        return None;
    }
    let message = "language model agents (`aiagent`) are not supported: call the model through a node";
    matches!(module.value, ModuleValue::AiAgent(_)).then_some(message)
}

/// A token of a pointer, which sorts in the order of the document: list indices as numbers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum PointerToken {
    Index(usize),
    Name(String),
}

fn place_order(pointer: &str) -> Vec<PointerToken> {
    let token = |text: &str| text.parse().map_or_else(|_| PointerToken::Name(text.to_owned()), PointerToken::Index);
    pointer.split('/').skip(1).map(token).collect()
}
