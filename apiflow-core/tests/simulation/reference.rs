//! The reference: a naive recursive interpreter of the same document. No journal, no time, one thing after the other.
//!
//! Source: reference/openflow.md, and DESIGN.md §5 for what is visible where.

mod loops;
mod names;
mod steps;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use apiflow_core::openflow::{FlowValue, Module};
use apiflow_core::ports::JobStatus;
use serde_json::{Value, json};

use super::document::Document;
use super::expression;
use super::fate::CallKey;
use names::Known;
pub(crate) use names::error_of;

/// Answers the calls of the reference.
pub(crate) trait Answers {
    /// The result of a call of the node at `path`, or its error object.
    fn answer(&self, key: &CallKey, path: &str, attempt: u32, args: &Value) -> Result<Value, Value>;
}

/// How a job ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobEnd {
    pub(crate) status: JobStatus,
    pub(crate) output: Value,
    pub(crate) error: Option<Value>,
    pub(crate) skipped: bool,
    /// The calls that were made, with their arguments.
    pub(crate) calls: BTreeMap<CallKey, Value>,
}

/// Runs a document to its end.
pub(crate) fn run(document: &Document, answers: &dyn Answers) -> JobEnd {
    let flow = document.value();
    let flows = document.sub_flows();
    let mut interpreter = Interpreter { answers, flows: &flows, counts: BTreeMap::new(), calls: BTreeMap::new() };
    let place = Place {
        flow: &flow,
        env: env(&flow),
        args: document.input.clone(),
        scope: Rc::default(),
        path: String::new(),
        handler: false,
    };
    let ended = interpreter.flow(&place);
    let calls = interpreter.calls;
    match ended {
        Ended::Normal(output) => JobEnd { status: JobStatus::Completed, output, error: None, skipped: false, calls },
        Ended::Stopped { result, skipped } => {
            JobEnd { status: JobStatus::Completed, output: result, error: None, skipped, calls }
        }
        Ended::Failed(failure) => JobEnd {
            status: JobStatus::Failed,
            output: failure.result,
            error: Some(failure.error),
            skipped: false,
            calls,
        },
    }
}

struct Interpreter<'d> {
    answers: &'d dyn Answers,
    flows: &'d BTreeMap<String, FlowValue>,
    /// How many calls each place has made.
    counts: BTreeMap<(String, String), u32>,
    calls: BTreeMap<CallKey, Value>,
}

/// Where a list of modules runs.
#[derive(Clone)]
struct Place<'d> {
    flow: &'d FlowValue,
    env: Value,
    args: Value,
    scope: Rc<Scope>,
    path: String,
    /// Whether this is, or is inside, an error handler.
    handler: bool,
}

/// Results by step id, and those around them.
#[derive(Default)]
struct Scope {
    results: RefCell<BTreeMap<String, Value>>,
    outer: Option<Rc<Self>>,
}

impl Scope {
    fn inside(outer: &Rc<Self>) -> Rc<Self> {
        Rc::new(Self { results: RefCell::default(), outer: Some(outer.clone()) })
    }

    fn find(&self, step_id: &str) -> Value {
        match (self.results.borrow().get(step_id), &self.outer) {
            (Some(result), _) => result.clone(),
            (None, Some(outer)) => outer.find(step_id),
            (None, None) => Value::Null,
        }
    }

    fn set(&self, step_id: &str, result: &Value) {
        self.results.borrow_mut().insert(step_id.to_owned(), result.clone());
    }
}

/// How a list of modules ended.
enum Ended {
    Normal(Value),
    Failed(Failure),
    /// By a step's stop rule.
    Stopped {
        result: Value,
        skipped: bool,
    },
}

/// How a step ended.
enum StepEnd {
    /// The list goes on with this as the previous result.
    Next(Value),
    /// It failed for good.
    Lost(Failure),
    /// The list ends.
    Stop { result: Value, skipped: bool },
}

#[derive(Clone)]
struct Failure {
    error: Value,
    result: Value,
    /// Whether an error handler has run for it already.
    handled: bool,
}

impl<'d> Interpreter<'d> {
    /// A flow or sub-flow, its `skip_expr` first.
    fn flow(&mut self, place: &Place<'d>) -> Ended {
        if let Some(skip) = &place.flow.skip_expr {
            match expression::holds(skip, &Known::before(place, &place.args)) {
                Ok(true) => return Ended::Stopped { result: json!("stopped early"), skipped: true },
                Ok(false) => {}
                Err(message) => {
                    let error = expression_error(skip, &message);
                    let result = json!({"error": error});
                    return Ended::Failed(Failure { error, result, handled: false });
                }
            }
        }
        self.list(&place.flow.modules, place, place.args.clone())
    }

    /// A list of modules, from a first previous result.
    fn list(&mut self, modules: &'d [Module], place: &Place<'d>, first: Value) -> Ended {
        let mut previous = first;
        for module in modules {
            match self.step(module, place, &previous) {
                StepEnd::Next(result) => previous = result,
                StepEnd::Stop { result, skipped } => return Ended::Stopped { result, skipped },
                StepEnd::Lost(failure) => return self.lost(module, place, failure),
            }
        }
        Ended::Normal(previous)
    }

    /// Runs the error handler, unless one has run, or this is one.
    fn lost(&mut self, module: &Module, place: &Place<'d>, failure: Failure) -> Ended {
        let handler = place.flow.failure_module.as_deref().filter(|_| !place.handler && !failure.handled);
        let Some(handler) = handler else { return Ended::Failed(failure) };
        let inner = Place { handler: true, path: inside(&place.path, &module.id, "failure"), ..place.clone() };
        match self.list(std::slice::from_ref(handler), &inner, failure.result) {
            Ended::Normal(result) | Ended::Stopped { result, .. } => {
                if result.get("recover") == Some(&Value::Bool(true)) {
                    return Ended::Normal(result);
                }
                Ended::Failed(Failure { error: failure.error, result, handled: true })
            }
            Ended::Failed(own) => Ended::Failed(Failure { handled: true, ..own }),
        }
    }
}

/// The path of what is inside a module.
fn inside(path: &str, module_id: &str, slot: impl std::fmt::Display) -> String {
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{path}{slash}{module_id}[{slot}]")
}

fn env(flow: &FlowValue) -> Value {
    serde_json::to_value(flow.flow_env.clone().unwrap_or_default()).expect("constants are JSON")
}

/// The error of an expression that threw.
pub(crate) fn expression_error(source: &str, message: &str) -> Value {
    json!({"name": "ExpressionError", "message": format!("expression `{source}` failed: {message}")})
}

/// The error of an iterator that gave something else than an array.
pub(crate) fn iterator_error(found: &Value) -> Value {
    json!({"name": "IteratorError", "message": format!("no array: {found}")})
}

/// The error of a number that is none.
pub(crate) fn number_error(found: &Value) -> Value {
    json!({"name": "InvalidNumber", "message": format!("no number: {found}")})
}
