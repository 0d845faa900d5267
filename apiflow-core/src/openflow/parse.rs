//! Reads a document by hand rather than through serde, so that all of its faults are found at once.
//!
//! What is broken is replaced by something harmless and remembered, so that the rest of the document
//! can still be checked and drawn while it is being typed.

mod fields;
mod flow;
mod module;
mod module_settings;

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Module, OpenFlow, Place};
use crate::diagnostic::codes;
use crate::diagnostic::{Diagnostic, Severity, has_errors};
use fields::DocumentFields;

/// How deep lists of modules may be nested; the workflow's own list is the first.
///
/// A list in a branch lies five JSON levels deeper than the list around it, and readers of JSON text
/// stop at 128 levels: this many lists always fit, and one more is reported clearly.
pub const MAX_NESTING: usize = 20;

/// How many findings about one document are listed; the rest is counted.
pub const MAX_FINDINGS: usize = 1000;

/// Reads a document: the workflow, unless there is an error, and all that is wrong with its structure.
pub fn parse(document: &Value) -> (Option<OpenFlow>, Vec<Diagnostic>) {
    let reading = parse_leniently(document);
    let diagnostics = reading.findings.into_vec();
    let flow = reading.flow.filter(|_| !has_errors(&diagnostics));
    (flow, diagnostics)
}

/// What could be read of a document that may be broken.
#[derive(Debug)]
pub(crate) struct ParsedDocument {
    /// The workflow, with harmless values in place of what is broken; `None` if the document is
    /// not even an object with a `value`.
    pub(crate) flow: Option<OpenFlow>,
    /// What is wrong.
    pub(crate) findings: Findings,
    /// Pointers of what is broken: no further findings are reported at these places.
    pub(crate) broken: BTreeSet<String>,
}

/// Reads as much of a document as can be read.
pub(crate) fn parse_leniently(document: &Value) -> ParsedDocument {
    let mut reader = DocumentReader::default();
    let flow = reader.read_document(document);
    ParsedDocument { flow, findings: reader.findings, broken: reader.broken }
}

/// Reads a document whose faults refuse it: the first one is returned. A missing list of modules is empty.
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

/// Reads as much of a module as can be read.
pub(crate) fn parse_module(module: &Value) -> Module {
    DocumentReader::default().read_module(module, &Place::ROOT)
}

/// Findings in the order they were made, at most [`MAX_FINDINGS`] of them.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    left_out: usize,
}

impl Findings {
    /// Adds one, or counts it if there are too many.
    pub(crate) fn push(&mut self, found: Diagnostic) {
        if self.list.len() < MAX_FINDINGS {
            self.list.push(found);
        } else {
            self.left_out += 1;
        }
    }

    /// Whether further ones are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MAX_FINDINGS
    }

    /// Those that are listed.
    pub(crate) fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// The list, with a last finding that says how many were left out.
    pub(crate) fn into_vec(mut self) -> Vec<Diagnostic> {
        if self.left_out > 0 {
            let message = format!("{} more diagnostics are not listed", self.left_out);
            self.list.push(Diagnostic::new_error(codes::TOO_MANY_FINDINGS, "", message));
        }
        self.list
    }
}

/// The state of one reading.
#[derive(Debug, Default)]
struct DocumentReader {
    findings: Findings,
    broken: BTreeSet<String>,
    nesting: usize,
    purpose: ReadPurpose,
}

/// The purpose that a document is read for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ReadPurpose {
    /// The document is validated: all of its faults are reported.
    #[default]
    Checking,
    /// It is to be run: it was checked when the run was asked for. Missing lists are empty, as for other programs that
    /// run OpenFlow, and there are no warnings.
    Running,
}

impl DocumentReader {
    /// Notes a fault of the place itself.
    fn note_fault(&mut self, place: &Place<'_>, code: &str, message: String) {
        let found = self.broken_at(place, code, message);
        self.findings.push(found);
    }

    /// Suppresses further findings at a place, and returns the finding that explains why.
    fn broken_at(&mut self, place: &Place<'_>, code: &str, message: String) -> Diagnostic {
        let pointer = place.pointer();
        self.broken.insert(pointer.clone());
        Diagnostic::new_error(code, pointer, message)
    }

    /// Notes that a value has the wrong JSON type.
    fn wrong_type(&mut self, place: &Place<'_>, what: &str, expected: &str, found: &Value) {
        let message = format!("{what} must be {expected}, found {}", kind_of(found));
        self.note_fault(place, codes::WRONG_TYPE, message);
    }

    /// The fields of an object, or a fault.
    fn read_object<'d, 'p>(
        &mut self,
        value: &'d Value,
        place: &'p Place<'p>,
        what: &str,
    ) -> Option<DocumentFields<'d, 'p>> {
        if let Value::Object(map) = value {
            Some(DocumentFields::new(map, place))
        } else {
            self.wrong_type(place, what, "an object", value);
            None
        }
    }

    /// The elements of a list, each read by `each`.
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

/// A JSON type as people say it.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
