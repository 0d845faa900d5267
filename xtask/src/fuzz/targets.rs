//! What is tried on each case, and what must hold.

use std::fs;
use std::path::Path;

use apiflow_core::catalog::{Catalog, check_call, check_connector, parse_connector, parse_node};
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::layout::{LayoutOptions, layout};
use apiflow_core::openflow::OpenFlow;
use apiflow_core::{code, expression, openflow, validate};
use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::Result;

/// What a case is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The reader, the validator and the layout.
    Workflow,
    /// The readers of connectors and nodes, and the plan of a call.
    Declaration,
    /// All that judges an expression.
    Expression,
    /// The reader of inline code.
    Code,
}

/// One thing to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) target: Target,
    pub(super) input: Vec<u8>,
}

/// A fault that is found where a case's text has the word `suspend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Plant {
    /// It panics.
    Panic,
    /// It overflows the stack.
    Overflow,
    /// It never ends.
    Hang,
}

const TARGETS: [Target; 4] = [Target::Workflow, Target::Declaration, Target::Expression, Target::Code];

impl Target {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Workflow => "workflow",
            Self::Declaration => "declaration",
            Self::Expression => "expression",
            Self::Code => "code",
        }
    }
}

impl Plant {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Overflow => "overflow",
            Self::Hang => "hang",
        }
    }

    fn spring(self) {
        match self {
            Self::Panic => panic!("planted"),
            Self::Overflow => drop(deeper(0)),
            Self::Hang => loop {
                std::thread::park();
            },
        }
    }
}

/// Takes all of the stack.
#[expect(unconditional_recursion, reason = "that is what it is for")]
fn deeper(depth: u64) -> u64 {
    std::hint::black_box(depth) + deeper(std::hint::black_box(depth + 1))
}

impl Case {
    /// Reads a case: the target's name on the first line, the input after it.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let bytes = fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let target = TARGETS.into_iter().find(|target| target.name().as_bytes() == &bytes[..end]);
        let target = target.ok_or_else(|| format!("{} is no case", file.display()))?;
        Ok(Self { target, input: bytes.get(end + 1..).unwrap_or_default().to_vec() })
    }

    pub(super) fn write(&self, file: &Path) -> Result {
        let bytes = [self.target.name().as_bytes(), b"\n", &self.input].concat();
        fs::write(file, bytes).map_err(|error| format!("{} cannot be written: {error}", file.display()))
    }
}

/// Tries a case.
///
/// # Errors
/// A promise that was broken.
pub(super) fn run(case: &Case, plant: Option<Plant>) -> Result {
    let text = String::from_utf8_lossy(&case.input);
    if let Some(plant) = plant.filter(|_| text.contains("suspend")) {
        plant.spring();
    }
    match case.target {
        Target::Workflow => match serde_json::from_str(&text) {
            Ok(value) => workflow(&value),
            Err(_) => Ok(()),
        },
        Target::Declaration => match serde_json::from_str(&text) {
            Ok(value) => declaration(&value),
            Err(_) => Ok(()),
        },
        Target::Expression => an_expression(&text),
        Target::Code => in_text(&text, code::read(&text).err().and_then(|fault| fault.span)),
    }
}

/// The most fixes of a document that are tried.
const MOST_FIXES: usize = 4;

fn workflow(case: &Value) -> Result {
    let document = case.get("document").unwrap_or(case);
    let catalog: Catalog =
        case.get("catalog").and_then(|it| serde_json::from_value(it.clone()).ok()).unwrap_or_default();
    let (flow, faults) = openflow::parse(document);
    placed(document, &faults)?;
    if let Some(flow) = flow {
        let by_serde: std::result::Result<OpenFlow, _> = serde_json::from_value(document.clone());
        if by_serde.as_ref().ok() != Some(&flow) {
            return Err(format!("the two readers differ: {:?}", by_serde.err()));
        }
    }
    let found = validate::workflow(document, &catalog);
    placed(document, &found)?;
    for fix in found.iter().filter_map(|one| one.fix.as_ref()).take(MOST_FIXES) {
        let mut mended = document.clone();
        *mended.pointer_mut(&fix.pointer).ok_or_else(|| format!("a fix has no place: {fix:?}"))? = fix.value.clone();
        placed(&mended, &validate::workflow(&mended, &catalog))?;
    }
    let picture = layout(document, &LayoutOptions::default());
    let drawn = |id: &str| picture.nodes.iter().any(|node| node.id == id);
    match picture.edges.iter().take(500).find(|edge| !drawn(&edge.source) || !drawn(&edge.target)) {
        Some(edge) => Err(format!("the edge `{}` has no end", edge.id)),
        None => Ok(()),
    }
}

/// Every finding and fix has a place in the document, every place inside of a string is in it.
fn placed(document: &Value, found: &[Diagnostic]) -> Result {
    for one in found {
        let value = document.pointer(&one.pointer).ok_or_else(|| format!("a finding has no place: {one:?}"))?;
        if let Some(span) = one.span {
            let text = value.as_str().ok_or_else(|| format!("a finding is inside of no string: {one:?}"))?;
            in_text(text, Some(span)).map_err(|error| format!("{error}: {one:?}"))?;
        }
        if !validate::codes::ALL.contains(&one.code.as_str()) {
            return Err(format!("`{}` is no code", one.code));
        }
    }
    Ok(())
}

fn in_text(text: &str, span: Option<apiflow_core::diagnostic::Span>) -> Result {
    let Some(span) = span else { return Ok(()) };
    let line = text.split('\n').nth((span.line as usize).saturating_sub(1));
    match line {
        // The place behind the last character is where something is missing.
        Some(line) if (1..=line.chars().count() + 1).contains(&(span.column as usize)) => Ok(()),
        Some(_) | None => Err(format!("{span:?} is not in the text")),
    }
}

fn declaration(value: &Value) -> Result {
    let connector = parse_connector(value);
    let node = parse_node(value);
    if let Ok(connector) = &connector {
        inside(value, &check_connector(connector))?;
    }
    if let Ok(node) = &node {
        let fields = [("id", "c"), ("name", "c"), ("base_url", "https://example.org/v1")];
        let fields: Map<String, Value> = fields.into_iter().map(|(key, text)| (key.to_owned(), text.into())).collect();
        let connector = parse_connector(&Value::Object(fields)).map_err(|_| "the connector is right".to_owned())?;
        inside(value, &check_call(node, &connector))?;
    }
    for faults in [connector.err(), node.err()].into_iter().flatten() {
        inside(value, &faults)?;
    }
    Ok(())
}

/// A finding about a declaration has a place in it, or in what should be there.
fn inside(value: &Value, found: &[Diagnostic]) -> Result {
    for one in found {
        let holder = one.pointer.rsplit_once('/').map_or("", |(holder, _)| holder);
        let of_connector = one.pointer.starts_with("/connector_id");
        if value.pointer(holder).is_none() && !of_connector {
            return Err(format!("a finding has no place: {one:?}"));
        }
    }
    Ok(())
}

fn an_expression(text: &str) -> Result {
    for predicate in [false, true] {
        let fault = expression::check(text, predicate).err();
        in_text(text, fault.and_then(|fault| fault.span))?;
        drop(expression::program(text, predicate));
    }
    let found = expression::references(text);
    for reference in found.results.iter().chain(&found.flow_input) {
        in_text(text, Some(reference.span))?;
        if reference.written.iter().any(|bytes| text.get(bytes.clone()).is_none()) {
            return Err(format!("a key is not in the text: {reference:?}"));
        }
    }
    drop((expression::scan(text), expression::plain_path(text), expression::wanted(text)));
    drop(expression::quick(text, &Map::new()));
    Ok(())
}
