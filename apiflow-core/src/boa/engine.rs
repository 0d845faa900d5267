//! One evaluation: creates an engine, defines the names, runs the program and converts its value to JSON.

use std::borrow::Cow;
use std::rc::Rc;

use boa_engine::builtins::promise::PromiseState;
use boa_engine::error::EngineError;
use boa_engine::object::builtins::JsPromise;
use boa_engine::property::Attribute;
use boa_engine::{Context, JsError, JsObject, JsResult, JsString, JsValue, Script as Program, Source};
use serde_json::Value;

use super::artifact_strings::to_js_value;
use super::sandboxed_realm::{Hooks, Jobs, install_json_guard};
use crate::expression::{check_syntax, wrap_expression};
use crate::ports::{EvaluationError, Script, ScriptForm};

/// Stack that an evaluation needs, in bytes: enough for a source at the maximum of every nesting limit,
/// even in an unoptimized build.
pub const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Maximum size of a value, in bytes of JSON.
pub const MAX_VALUE_BYTES: usize = 1024 * 1024;

/// Maximum nesting depth of a value.
const MAX_VALUE_DEPTH: usize = 100;

/// Maximum length of an exception's message, in characters; the rest is cut off.
const MAX_MESSAGE: usize = 2000;

/// Limits of one evaluation, except for time and memory.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Maximum number of loop iterations in one call of a function.
    pub loop_iterations: u64,
    /// Maximum depth of nested calls.
    pub recursion: usize,
    /// Maximum number of values on the engine's stack.
    pub stack: usize,
    /// Maximum number of promise continuations.
    pub jobs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { loop_iterations: 10_000_000, recursion: 400, stack: 10 * 1024, jobs: 100_000 }
    }
}

/// Evaluates a script in a new engine on the calling thread, which must have a stack of [`STACK_BYTES`].
///
/// # Errors
/// Every kind of [`EvaluationError`]; exceeding a limit of the engine is [`EvaluationError::Limit`].
pub(crate) fn evaluate_on_this_thread(script: &Script, limits: &Limits) -> Result<Value, EvaluationError> {
    let outcome = run(script, limits);
    // The engine has been dropped; its garbage in this thread's heap must not accumulate.
    boa_engine::gc::force_collect();
    outcome
}

fn run(script: &Script, limits: &Limits) -> Result<Value, EvaluationError> {
    script.form.check_source(&script.source).map_err(|fault| EvaluationError::Syntax(fault.to_string()))?;
    let jobs = Rc::new(Jobs::new(limits.jobs));
    let mut evaluation = EngineEvaluation::new(Rc::clone(&jobs), limits).map_err(|error| internal_error(&error))?;
    let outcome = evaluation.value_of(script);
    if jobs.is_over_limit() {
        return Err(EvaluationError::Limit(format!("the expression ran more than {} promise jobs", limits.jobs)));
    }
    outcome
}

struct EngineEvaluation {
    context: Context,
    /// `JSON.stringify` as it was before any script could replace it.
    stringify: JsObject,
}

impl EngineEvaluation {
    fn new(jobs: Rc<Jobs>, limits: &Limits) -> JsResult<Self> {
        let mut context = Context::builder().job_executor(jobs).host_hooks(Rc::new(Hooks)).can_block(false).build()?;
        let runtime = context.runtime_limits_mut();
        runtime.set_loop_iteration_limit(limits.loop_iterations);
        runtime.set_recursion_limit(limits.recursion);
        runtime.set_stack_size_limit(limits.stack);
        let stringify = install_json_guard(&mut context)?;
        Ok(Self { context, stringify })
    }

    fn value_of(&mut self, script: &Script) -> Result<Value, EvaluationError> {
        for (name, value) in &script.names {
            let value = to_js_value(value, &mut self.context).map_err(|error| internal_error(&error))?;
            let named = self.context.register_global_property(JsString::from(name.as_str()), value, Attribute::all());
            named.map_err(|error| internal_error(&error))?;
        }
        let text = wrap_expression(&script.source, script.form == ScriptForm::Predicate);
        let parsed = Program::parse(Source::from_bytes(text.as_bytes()), None, &mut self.context)
            .map_err(|error| self.locate_syntax_error(script, &error))?;
        let value = parsed.evaluate(&mut self.context).map_err(|error| self.describe_failure(&error))?;
        let value = self.settle_promise(&value)?;
        self.as_json(value)
    }

    /// Converts a syntax error, with its position in the user's source if the checking parser finds the fault, too.
    fn locate_syntax_error(&mut self, script: &Script, error: &JsError) -> EvaluationError {
        match check_syntax(&script.source, script.form == ScriptForm::Predicate) {
            Err(fault) => EvaluationError::Syntax(fault.to_string()),
            Ok(()) => EvaluationError::Syntax(self.exception_message(error)),
        }
    }

    /// Runs the promise jobs and returns the value that the program's promise settles with.
    fn settle_promise(&mut self, promise: &JsValue) -> Result<JsValue, EvaluationError> {
        let object = promise.as_object();
        let promise = object.and_then(|object| JsPromise::from_object(object.clone()).ok());
        let promise =
            promise.ok_or_else(|| EvaluationError::Internal("an async function returned no promise".to_owned()))?;
        self.context.run_jobs().map_err(|error| self.describe_failure(&error))?;
        match promise.state() {
            PromiseState::Fulfilled(value) => Ok(value),
            PromiseState::Rejected(reason) => Err(self.describe_failure(&JsError::from_opaque(reason))),
            PromiseState::Pending => {
                Err(EvaluationError::Limit("the expression waits for a promise that never settles".to_owned()))
            }
        }
    }

    fn as_json(&mut self, value: JsValue) -> Result<Value, EvaluationError> {
        let text = self.stringify.call(&JsValue::undefined(), &[value], &mut self.context);
        let text = text.map_err(|error| self.describe_failure(&error))?;
        let Some(text) = text.as_string() else { return Ok(Value::Null) };
        if text.len() > MAX_VALUE_BYTES {
            return Err(too_large(text.len()));
        }
        let text = text.to_std_string_lossy();
        if text.len() > MAX_VALUE_BYTES {
            return Err(too_large(text.len()));
        }
        let deep = || EvaluationError::Limit(format!("the value nests deeper than {MAX_VALUE_DEPTH}"));
        let value: Value = match serde_json::from_str(&whole_characters(&text)) {
            Ok(value) => value,
            Err(error) if error.to_string().starts_with("recursion limit") => return Err(deep()),
            Err(error) => return Err(EvaluationError::Internal(format!("the engine returned invalid JSON: {error}"))),
        };
        if nesting_depth(&value) > MAX_VALUE_DEPTH { Err(deep()) } else { Ok(value) }
    }

    fn describe_failure(&mut self, error: &JsError) -> EvaluationError {
        let message = self.exception_message(error);
        match error.as_engine() {
            Some(EngineError::RuntimeLimit(limit)) => EvaluationError::Limit(limit.to_string()),
            Some(EngineError::Panic(_)) => EvaluationError::Internal(message),
            _ if message.contains("serialize BigInt") || message.contains("serialize bigint") => {
                EvaluationError::Thrown(
                    "a BigInt is not a JSON value: convert it with `Number()` or `String()`".to_owned(),
                )
            }
            _ => EvaluationError::Thrown(message),
        }
    }

    /// Returns an exception's message, or the thrown value if it is not an error.
    fn exception_message(&mut self, error: &JsError) -> String {
        let text = match (error.as_opaque(), error.try_native(&mut self.context)) {
            (_, Ok(native)) => native.message().to_string(),
            (Some(value), Err(_)) => match value.as_string() {
                Some(text) => text.to_std_string_lossy(),
                None => value.display().to_string(),
            },
            (None, Err(_)) => error.to_string(),
        };
        match text.char_indices().nth(MAX_MESSAGE) {
            Some((end, _)) => format!("{}… ({} bytes in total)", &text[..end], text.len()),
            None => text,
        }
    }
}

fn too_large(length: usize) -> EvaluationError {
    EvaluationError::Limit(format!("the value has {length} bytes of JSON; the limit is {MAX_VALUE_BYTES}"))
}

fn internal_error(error: &JsError) -> EvaluationError {
    EvaluationError::Internal(error.to_string())
}

/// Replaces each half of a surrogate pair, which UTF-8 cannot represent, by U+FFFD.
///
/// `JSON.stringify` writes whole pairs as characters and lone halves as escapes, so every such escape is a lone half.
fn whole_characters(json: &str) -> Cow<'_, str> {
    if !json.contains("\\ud") {
        return Cow::Borrowed(json);
    }
    let mut whole = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(backslash) = rest.find('\\') {
        let escape = &rest[backslash..];
        let lone = escape.starts_with("\\ud") && escape.as_bytes().get(3).is_some_and(|digit| *digit >= b'8');
        let (length, written) = if lone { (6, "\u{fffd}") } else { (2, &escape[..2]) };
        whole.push_str(&rest[..backslash]);
        whole.push_str(written);
        rest = &escape[length..];
    }
    whole.push_str(rest);
    Cow::Owned(whole)
}

/// Returns the nesting depth of a value. The JSON parser's own limit bounds the recursion.
fn nesting_depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nesting_depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(nesting_depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
