//! Parses OpenFlow documents by hand rather than with serde, so that all faults are found at once.
//!
//! Invalid parts are replaced by harmless values and recorded, so that the rest of a document can be checked and drawn
//! while it is being typed.

mod fields;
mod flow;
mod module;
mod module_settings;

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Module, OpenFlow, Place};
use crate::diagnostic::codes;
use crate::diagnostic::{Diagnostic, Severity, has_errors};
use crate::json::{Fields, describe_type};

/// Maximum nesting depth of lists of modules; the workflow's own list is the first level.
///
/// A list in a branch is five JSON levels deeper than the list around it, and parsers of JSON text stop at 128 levels:
/// with this maximum, documents can always be parsed, and one more level is reported clearly.
pub const MAX_NESTING: usize = 20;

/// Maximum number of findings about a document that are listed; the rest is counted.
pub const MAX_FINDINGS: usize = 1000;

/// Parses a document. Returns the workflow, unless there is an error, and all findings about its structure.
pub fn parse(document: &Value) -> (Option<OpenFlow>, Vec<Diagnostic>) {
    let reading = parse_leniently(document);
    let diagnostics = reading.findings.into_vec();
    let flow = reading.flow.filter(|_| !has_errors(&diagnostics));
    (flow, diagnostics)
}

/// The valid parts of a document that may contain faults.
#[derive(Debug)]
pub struct ParsedDocument {
    /// The workflow, with harmless values in place of invalid ones; `None` if the document is not even an object with a
    /// `value`.
    pub(crate) flow: Option<OpenFlow>,
    /// The faults that were found.
    pub(crate) findings: Findings,
    /// Pointers of invalid values: no further findings are reported below them.
    pub(crate) broken: BTreeSet<String>,
}

/// Parses as much of a document as possible.
pub fn parse_leniently(document: &Value) -> ParsedDocument {
    let mut reader = DocumentReader::default();
    let flow = reader.read_document(document);
    ParsedDocument { flow, findings: reader.findings, broken: reader.broken }
}

/// Parses a document, or returns its first fault. A missing list of modules is empty.
pub(super) fn parse_strictly(document: &Value) -> Result<OpenFlow, Box<Diagnostic>> {
    let mut reader = DocumentReader { purpose: ReadPurpose::Running, ..DocumentReader::default() };
    let flow = reader.read_document(document);
    let fault = reader.findings.into_vec().into_iter().find(|found| found.severity == Severity::Error);
    match (flow, fault) {
        (Some(flow), None) => Ok(flow),
        (_, Some(fault)) => Err(Box::new(fault)),
        (None, None) => Err(Box::new(Diagnostic::new_error(codes::WRONG_TYPE, "", "the document is not a workflow"))),
    }
}

/// Parses as much of a module as possible.
pub(crate) fn parse_module(module: &Value) -> Module {
    DocumentReader::default().read_module(module, &Place::ROOT)
}

/// Findings in the order in which they were added, at most [`MAX_FINDINGS`] of them.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    left_out: usize,
}

impl Findings {
    /// Adds a finding, or counts it if there are too many.
    pub(crate) fn push(&mut self, found: Diagnostic) {
        if self.list.len() < MAX_FINDINGS {
            self.list.push(found);
        } else {
            self.left_out += 1;
        }
    }

    /// Returns whether further findings are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MAX_FINDINGS
    }

    /// Returns the listed findings.
    pub(crate) fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// Returns the list, with a last finding that says how many were left out.
    pub(crate) fn into_vec(mut self) -> Vec<Diagnostic> {
        if self.left_out > 0 {
            let message = format!("{} more diagnostics are not listed", self.left_out);
            self.list.push(Diagnostic::new_error(codes::TOO_MANY_FINDINGS, "", message));
        }
        self.list
    }
}

/// The state of parsing one document.
#[derive(Debug, Default)]
struct DocumentReader {
    findings: Findings,
    broken: BTreeSet<String>,
    nesting: usize,
    purpose: ReadPurpose,
}

/// The fields of an object in a document.
type DocumentFields<'d, 's> = Fields<'d, 's, DocumentReader>;

/// The purpose for which a document is parsed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ReadPurpose {
    /// The document is validated: all of its faults are reported.
    #[default]
    Checking,
    /// The document is run: it was checked when the run was requested. Missing lists are empty, as for other programs
    /// that run OpenFlow, and there are no warnings.
    Running,
}

impl DocumentReader {
    /// Reports a fault at a location.
    fn note_fault(&mut self, place: &Place<'_>, code: &str, message: String) {
        let found = self.broken_at(place, code, message);
        self.findings.push(found);
    }

    /// Suppresses further findings at a location, and returns the finding that explains why.
    fn broken_at(&mut self, place: &Place<'_>, code: &str, message: String) -> Diagnostic {
        let pointer = place.pointer();
        self.broken.insert(pointer.clone());
        Diagnostic::new_error(code, pointer, message)
    }

    /// Reports a value of the wrong JSON type.
    fn wrong_type(&mut self, place: &Place<'_>, what: &str, expected: &str, found: &Value) {
        let message = format!("{what} must be {expected}, found {}", describe_type(found));
        self.note_fault(place, codes::WRONG_TYPE, message);
    }

    /// Returns the fields of an object, or reports a fault.
    fn read_object<'d, 's>(
        &'s mut self,
        value: &'d Value,
        place: &Place<'s>,
        what: &str,
    ) -> Option<DocumentFields<'d, 's>> {
        if let Value::Object(map) = value {
            Some(DocumentFields::new(map, *place, self))
        } else {
            self.wrong_type(place, what, "an object", value);
            None
        }
    }

    /// Reads the elements of an array with `each`.
    fn list<T>(
        &mut self,
        value: &Value,
        place: &Place<'_>,
        what: &str,
        mut each: impl FnMut(&mut Self, &Value, &Place<'_>) -> T,
    ) -> Vec<T> {
        if let Value::Array(items) = value {
            items.iter().enumerate().map(|(index, item)| each(self, item, &place.index(index))).collect()
        } else {
            self.wrong_type(place, what, "a list", value);
            Vec::new()
        }
    }
}
