//! The reference: a naive recursive interpreter of the same document. No journal, no time, one thing after the other.
//!
//! What depends on time is told to it as it was observed: whose fate nobody knew, which branch won a race, how gates
//! ended, what was found in the cache.
//!
//! Source: reference/openflow.md, and DESIGN.md §5 for what is visible where.

mod branches;
mod loops;
mod names;
mod observed;
mod steps;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use apiflow_core::openflow::{FlowValue, Module};
use apiflow_core::ports::JobStatus;
use serde_json::{Map, Value, json};

use super::document::Document;
use super::expression;
use super::fate::{CallKey, Place};
use names::Known;
pub(crate) use names::error_of;
pub(crate) use observed::{GateEnd, Observed, Resume};

/// Answers the calls of the reference.
pub(crate) trait Answers {
    /// The result of a call of the node at `path`, or its error object.
    fn answer(&self, key: &CallKey, path: &str, args: &Value) -> Result<Value, Value>;
}

/// How a job ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobEnd {
    pub(crate) status: JobStatus,
    pub(crate) output: Value,
    pub(crate) error: Option<Value>,
    pub(crate) skipped: bool,
    /// The calls that were made, with their arguments; not those of branches that lost a race.
    pub(crate) calls: BTreeMap<CallKey, Value>,
}

/// What a reference did.
pub(crate) struct Told {
    pub(crate) end: JobEnd,
    /// Results that were found in the cache: what they are of, and the result.
    pub(crate) found: Vec<(String, Value)>,
    /// Results that were computed and may be found there.
    pub(crate) computed: Vec<(String, Value)>,
}

/// Runs a document to its end.
pub(crate) fn run(document: &Document, answers: &dyn Answers, observed: &Observed) -> Told {
    let flow = document.value();
    let flows = document.sub_flows();
    let mut interpreter = Interpreter {
        answers,
        observed,
        flows: &flows,
        calls: BTreeMap::new(),
        found: Vec::new(),
        computed: Vec::new(),
    };
    let mut here = Here {
        flow: &flow,
        name: "",
        env: env(&flow),
        args: document.input.clone(),
        scope: Rc::default(),
        place: Place::default(),
        handler: false,
    };
    let (status, output, error, skipped) = match interpreter.job(&mut here, document.preprocess) {
        Ended::Normal(output) => (JobStatus::Completed, output, None, false),
        Ended::Stopped { result, skipped } => (JobStatus::Completed, result, None, skipped),
        Ended::Failed(failure) => (JobStatus::Failed, failure.result, Some(failure.error), false),
    };
    let Interpreter { calls, found, computed, .. } = interpreter;
    Told { end: JobEnd { status, output, error, skipped, calls }, found, computed }
}

struct Interpreter<'d> {
    answers: &'d dyn Answers,
    observed: &'d Observed,
    flows: &'d BTreeMap<String, FlowValue>,
    calls: BTreeMap<CallKey, Value>,
    found: Vec<(String, Value)>,
    computed: Vec<(String, Value)>,
}

/// Where a list of modules runs.
#[derive(Clone)]
struct Here<'d> {
    flow: &'d FlowValue,
    /// The sub-flow's path; empty for the document's own flow.
    name: &'d str,
    env: Value,
    args: Value,
    scope: Rc<Scope>,
    place: Place,
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
    /// The document's own flow, its preprocessor first where it runs.
    fn job(&mut self, here: &mut Here<'d>, preprocess: bool) -> Ended {
        if let Some(preprocessor) = here.flow.preprocessor_module.as_deref().filter(|_| preprocess) {
            let input = here.args.clone();
            match self.step(preprocessor, here, &input, &mut Vec::new()) {
                StepEnd::Next(Value::Object(args)) => here.args = Value::Object(args),
                StepEnd::Next(Value::Null) => here.args = json!({}),
                StepEnd::Next(other) => here.args = Value::Object(Map::from_iter([("value".to_owned(), other)])),
                StepEnd::Stop { result, skipped } => return Ended::Stopped { result, skipped },
                StepEnd::Lost(failure) => return self.lost(preprocessor, here, failure),
            }
        }
        self.flow(here)
    }

    /// A flow or sub-flow: its `skip_expr`, its kept result, its modules.
    fn flow(&mut self, here: &Here<'d>) -> Ended {
        if let Some(skip) = &here.flow.skip_expr {
            match expression::holds(skip, &Known::before(here, &here.args, &[])) {
                Ok(true) => return Ended::Stopped { result: json!("stopped early"), skipped: true },
                Ok(false) => {}
                Err(message) => {
                    let error = expression_error(skip, &message);
                    let result = json!({"error": error});
                    return Ended::Failed(Failure { error, result, handled: false });
                }
            }
        }
        let identity = here.flow.cache_ttl.map(|_| identity("enter", here.name, &here.args));
        if let Some(result) = self.observed.entered.get(&here.place) {
            self.found.push((identity.unwrap_or_default(), result.clone()));
            return Ended::Normal(result.clone());
        }
        let ended = self.list(&here.flow.modules, here, here.args.clone());
        if let (Ended::Normal(result), Some(identity)) = (&ended, identity) {
            self.computed.push((identity, result.clone()));
        }
        ended
    }

    /// A list of modules, from a first previous result.
    fn list(&mut self, modules: &'d [Module], here: &Here<'d>, first: Value) -> Ended {
        let mut previous = first;
        let mut resumes = Vec::new();
        for module in modules {
            match self.step(module, here, &previous, &mut resumes) {
                StepEnd::Next(result) => previous = result,
                StepEnd::Stop { result, skipped } => return Ended::Stopped { result, skipped },
                StepEnd::Lost(failure) => return self.lost(module, here, failure),
            }
        }
        Ended::Normal(previous)
    }

    /// Runs the error handler, unless one has run, or this is one.
    fn lost(&mut self, module: &Module, here: &Here<'d>, failure: Failure) -> Ended {
        let handler = here.flow.failure_module.as_deref().filter(|_| !here.handler && !failure.handled);
        let Some(handler) = handler else { return Ended::Failed(failure) };
        let inner = Here { handler: true, place: here.place.handler(&module.id), ..here.clone() };
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

fn env(flow: &FlowValue) -> Value {
    serde_json::to_value(flow.flow_env.clone().unwrap_or_default()).expect("constants are JSON")
}

/// What a result is of: equal ones may be taken for each other.
pub(crate) fn identity(kind: &str, name: &str, args: &Value) -> String {
    super::fate::canonical(&json!([kind, name, args]))
}

/// The error of an expression that threw.
pub(crate) fn expression_error(source: &str, message: &str) -> Value {
    json!({"name": "expression_error", "message": format!("expression `{source}` failed: {message}")})
}

/// The error of an iterator that gave something else than an array.
pub(crate) fn iterator_error(found: &Value) -> Value {
    json!({"name": "iterator_error", "message": format!("no array: {found}")})
}

/// The error of a number that is none.
pub(crate) fn number_error(found: &Value) -> Value {
    json!({"name": "invalid_number", "message": format!("no number: {found}")})
}
