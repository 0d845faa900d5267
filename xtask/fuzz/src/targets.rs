//! The checks that run on each case.

use std::fs;
use std::path::Path;

use apiflow_core::catalog::{Catalog, check_call, check_connector, parse_connector, parse_node};
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::layout::{LayoutOptions, layout_document};
use apiflow_core::openflow::OpenFlow;
use apiflow_core::{code, expression, openflow, validate};
use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::Result;

/// The part of the core that a case is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The parser, the validator and the layout of workflows.
    Workflow,
    /// The parsers of connectors and nodes, and the plan of a call.
    Declaration,
    /// Everything that checks an expression.
    Expression,
    /// The parser of inline code.
    Code,
}

/// One input to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) target: Target,
    pub(super) input: Vec<u8>,
}

/// A fault on purpose, for cases that contain the word `suspend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PlantedFault {
    /// The check panics.
    Panic,
    /// The check overflows the stack.
    Overflow,
    /// The check never ends.
    Hang,
}

const TARGETS: [Target; 4] = [Target::Workflow, Target::Declaration, Target::Expression, Target::Code];

impl Target {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Workflow => "workflow",
            Self::Declaration => "declaration",
            Self::Expression => "expression",
            Self::Code => "code",
        }
    }
}

impl PlantedFault {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Overflow => "overflow",
            Self::Hang => "hang",
        }
    }

    fn trigger(self) {
        match self {
            Self::Panic => panic!("planted"),
            Self::Overflow => drop(overflow_stack(0)),
            Self::Hang => loop {
                std::thread::park();
            },
        }
    }
}

/// Recurses until the stack is full.
#[expect(unconditional_recursion, reason = "that is what it is for")]
fn overflow_stack(depth: u64) -> u64 {
    std::hint::black_box(depth) + overflow_stack(std::hint::black_box(depth + 1))
}

impl Case {
    /// Reads a case: the target's name on the first line, the input after it.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let bytes = fs::read(file).map_err(|error| format!("{} can't be read: {error}", file.display()))?;
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let target = TARGETS.into_iter().find(|target| target.as_str().as_bytes() == &bytes[..end]);
        let target = target.ok_or_else(|| format!("{} is not a case", file.display()))?;
        Ok(Self { target, input: bytes.get(end + 1..).unwrap_or_default().to_vec() })
    }

    pub(super) fn write(&self, file: &Path) -> Result {
        let bytes = [self.target.as_str().as_bytes(), b"\n", &self.input].concat();
        fs::write(file, bytes).map_err(|error| format!("{} can't be written: {error}", file.display()))
    }
}

/// Runs the checks of a case's target.
///
/// # Errors
/// A property that does not hold.
pub(super) fn run_checks(case: &Case, plant: Option<PlantedFault>) -> Result {
    let text = String::from_utf8_lossy(&case.input);
    if let Some(plant) = plant.filter(|_| text.contains("suspend")) {
        plant.trigger();
    }
    match case.target {
        Target::Workflow => match serde_json::from_str(&text) {
            Ok(value) => check_workflow(&value),
            Err(_) => Ok(()),
        },
        Target::Declaration => match serde_json::from_str(&text) {
            Ok(value) => check_declaration(&value),
            Err(_) => Ok(()),
        },
        Target::Expression => check_expression(&text),
        Target::Code => check_span(&text, code::read(&text).err().and_then(|fault| fault.span)),
    }
}

/// The number of a document's fixes that are tried at most.
const MAX_FIXES: usize = 4;

fn check_workflow(case: &Value) -> Result {
    let document = case.get("document").unwrap_or(case);
    let catalog: Catalog =
        case.get("catalog").and_then(|it| serde_json::from_value(it.clone()).ok()).unwrap_or_default();
    let (flow, faults) = openflow::parse(document);
    check_pointers(document, &faults)?;
    if let Some(flow) = flow {
        let by_serde: std::result::Result<OpenFlow, _> = serde_json::from_value(document.clone());
        if by_serde.as_ref().ok() != Some(&flow) {
            return Err(format!("the two parsers differ: {:?}", by_serde.err()));
        }
    }
    let found = validate::validate_workflow(document, &catalog);
    check_pointers(document, &found)?;
    for fix in found.iter().filter_map(|one| one.fix.as_ref()).take(MAX_FIXES) {
        let mut fixed = document.clone();
        *fixed.pointer_mut(&fix.pointer).ok_or_else(|| format!("a fix points to no value: {fix:?}"))? =
            fix.value.clone();
        check_pointers(&fixed, &validate::validate_workflow(&fixed, &catalog))?;
    }
    let picture = layout_document(document, &LayoutOptions::default());
    let is_drawn = |id: &str| picture.nodes.iter().any(|node| node.id == id);
    match picture.edges.iter().take(500).find(|edge| !is_drawn(&edge.source) || !is_drawn(&edge.target)) {
        Some(edge) => Err(format!("the edge `{}` ends at no node", edge.id)),
        None => Ok(()),
    }
}

/// Checks that every diagnostic points into the document, and that every span lies within its string.
fn check_pointers(document: &Value, found: &[Diagnostic]) -> Result {
    for one in found {
        let value =
            document.pointer(&one.pointer).ok_or_else(|| format!("a diagnostic points to no value: {one:?}"))?;
        if let Some(span) = one.span {
            let text = value.as_str().ok_or_else(|| format!("a diagnostic's span is not in a string: {one:?}"))?;
            check_span(text, Some(span)).map_err(|error| format!("{error}: {one:?}"))?;
        }
        if !apiflow_core::diagnostic::codes::ALL.contains(&one.code.as_str()) {
            return Err(format!("`{}` is not a known code", one.code));
        }
    }
    Ok(())
}

fn check_span(text: &str, span: Option<apiflow_core::diagnostic::Span>) -> Result {
    let Some(span) = span else { return Ok(()) };
    let line = text.split('\n').nth((span.line as usize).saturating_sub(1));
    match line {
        // The place behind the last character is where something is missing.
        Some(line) if (1..=line.chars().count() + 1).contains(&(span.column as usize)) => Ok(()),
        Some(_) | None => Err(format!("{span:?} is outside of the string")),
    }
}

fn check_declaration(value: &Value) -> Result {
    let connector = parse_connector(value);
    let node = parse_node(value);
    if let Ok(connector) = &connector {
        check_declaration_pointers(value, &check_connector(connector))?;
    }
    if let Ok(node) = &node {
        let fields = [("id", "c"), ("name", "c"), ("base_url", "https://example.org/v1")];
        let fields: Map<String, Value> = fields.into_iter().map(|(key, text)| (key.to_owned(), text.into())).collect();
        let connector = parse_connector(&Value::Object(fields)).map_err(|_| "the connector is valid".to_owned())?;
        check_declaration_pointers(value, &check_call(node, &connector))?;
    }
    for faults in [connector.err(), node.err()].into_iter().flatten() {
        check_declaration_pointers(value, &faults)?;
    }
    Ok(())
}

/// Checks that a diagnostic points into its declaration, or to a missing field of a value in it.
fn check_declaration_pointers(value: &Value, found: &[Diagnostic]) -> Result {
    for one in found {
        let holder = one.pointer.rsplit_once('/').map_or("", |(holder, _)| holder);
        let of_connector = one.pointer.starts_with("/connector_id");
        if value.pointer(holder).is_none() && !of_connector {
            return Err(format!("a diagnostic points to no value: {one:?}"));
        }
    }
    Ok(())
}

fn check_expression(text: &str) -> Result {
    for predicate in [false, true] {
        let fault = expression::check_syntax(text, predicate).err();
        check_span(text, fault.and_then(|fault| fault.span))?;
        drop(expression::wrap_expression(text, predicate));
    }
    let found = expression::find_references(text);
    for reference in found.results.iter().chain(&found.flow_input) {
        check_span(text, Some(reference.span))?;
        if reference.written.iter().any(|bytes| text.get(bytes.clone()).is_none()) {
            return Err(format!("a key is outside of the string: {reference:?}"));
        }
    }
    drop((expression::check_source_nesting(text), expression::plain_path(text), expression::find_free_variables(text)));
    drop(expression::look_up_plain_path(text, &Map::new()));
    Ok(())
}
