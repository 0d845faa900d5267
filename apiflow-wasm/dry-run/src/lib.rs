//! The dry run in the browser: takes and returns JSON strings, and has no logic of its own.
//!
//! It is a separate module because it contains a JavaScript engine; it is loaded when it is first used.

use apiflow_core::boa::InlineEvaluator;
use apiflow_core::catalog::Catalog;
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::dry_run::{Approvals, DryRun, DryRunError, DryRunLimits, Mocks, Outcome, Report, Sending};
use futures_util::FutureExt as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    /// A function that answers calls: it takes a call as a JSON string and returns its answer as a JSON string, or nothing.
    #[wasm_bindgen(typescript_type = "(call: string) => string | undefined")]
    pub type Answer;

    #[wasm_bindgen(method, catch, js_name = call)]
    fn call_function(this: &Answer, receiver: &JsValue, call: &str) -> Result<Option<String>, Thrown>;

    /// The value that a function throws.
    type Thrown;

    #[wasm_bindgen(method, getter, js_name = name)]
    fn error_name(this: &Thrown) -> Option<String>;

    #[wasm_bindgen(method, getter, js_name = message)]
    fn error_message(this: &Thrown) -> Option<String>;
}

/// Runs a workflow with mocked answers; returns a JSON object with the `report`, or with `diagnostics` if it could not
/// start.
///
/// `workflow` is an OpenFlow document, `catalog` an object of `connectors`, `nodes` and `workflows` by id, `input` the
/// input, `mocks` an object of answers by step id, and `options` an object of `approvals` by step id, `until`, `only` and
/// `preprocess`, all optional; all are JSON strings. `answer` is called first for every call, with `{step_id, path, node,
/// attempt, input, request}`; it returns an answer as in `mocks`, or nothing to leave it to them. If it throws, the
/// call fails with what was thrown.
#[wasm_bindgen]
#[must_use]
pub fn dry_run(
    workflow: &str,
    catalog: &str,
    input: &str,
    mocks: &str,
    options: &str,
    answer: Option<Answer>,
) -> String {
    let reply = match run_dry_run([workflow, catalog, input, mocks, options], answer.as_ref()) {
        Ok(report) => json!({"report": report}),
        Err(found) => json!({"diagnostics": found}),
    };
    reply.to_string()
}

/// Options of a dry run, except its input and mocks.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    approvals: Value,
    until: Option<String>,
    only: Option<String>,
    preprocess: bool,
}

fn run_dry_run(texts: [&str; 5], answer: Option<&Answer>) -> Result<Report, Vec<Diagnostic>> {
    let [workflow, catalog, input, mocks, options] = texts;
    let document: Value = read_json(workflow, "workflow")?;
    let catalog: Catalog = read_json(catalog, "catalog")?;
    let options: Options = read_json(options, "options")?;
    let dry_run = DryRun {
        input: read_json(input, "input")?,
        until: options.until,
        only: options.only,
        preprocess: options.preprocess,
        mocks: Mocks::parse(&read_json(mocks, "mocks")?)?,
        approvals: Approvals::parse(&options.approvals)?,
        limits: DryRunLimits::default(),
    };
    let prepared = dry_run.prepare(document, catalog).map_err(|error| match error {
        DryRunError::Document(found)
        | DryRunError::Mocks(found)
        | DryRunError::Approvals(found)
        | DryRunError::Selection(found) => found,
        other => vec![Diagnostic::new_error("dry-run", "", other.to_string())],
    })?;
    let answer = |sending: &Sending<'_>| answer.and_then(|answer| ask_function(answer, sending));
    // No call in it waits: calls are answered and expressions are evaluated on this thread.
    Ok(dry_run.run(&prepared, &InlineEvaluator, answer).now_or_never().expect("a dry run never waits"))
}

fn ask_function(answer: &Answer, sending: &Sending<'_>) -> Option<Outcome> {
    let text = match answer.call_function(&JsValue::UNDEFINED, &write_json(sending)) {
        Ok(text) => text?,
        Err(thrown) => return Some(Outcome::read(describe_thrown(&thrown))),
    };
    let read = serde_json::from_str(&text);
    Some(Outcome::read(
        read.unwrap_or_else(|error| json!({"error": format!("the function's answer is not JSON: {error}")})),
    ))
}

fn describe_thrown(thrown: &Thrown) -> Value {
    let nothing = thrown.is_undefined() || thrown.is_null();
    let text = thrown.as_string().or_else(|| if nothing { None } else { thrown.error_message() });
    let message = text.unwrap_or_else(|| "the function threw a value without a message".to_owned());
    match if nothing { None } else { thrown.error_name() } {
        Some(name) => json!({"error": {"name": name, "message": message}}),
        None => json!({"error": message}),
    }
}

fn read_json<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, Vec<Diagnostic>> {
    serde_json::from_str(text).map_err(|error| {
        vec![Diagnostic::new_error("malformed-json", "", format!("the {what} cannot be read: {error}"))]
    })
}

fn write_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("calls are plain data")
}
