//! The dry run in the browser: a skin that takes and gives JSON texts, and has no logic of its own.
//!
//! A module apart from the validator's, because it brings a JavaScript engine along: it is loaded when first used.

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
    /// A function that answers calls: it takes one as a JSON text and gives its answer as one, or nothing.
    #[wasm_bindgen(typescript_type = "(call: string) => string | undefined")]
    pub type Answer;

    #[wasm_bindgen(method, catch, js_name = call)]
    fn invoke(this: &Answer, receiver: &JsValue, call: &str) -> Result<Option<String>, Thrown>;

    /// What a function throws.
    type Thrown;

    #[wasm_bindgen(method, getter)]
    fn name(this: &Thrown) -> Option<String>;

    #[wasm_bindgen(method, getter)]
    fn message(this: &Thrown) -> Option<String>;
}

/// Tries a workflow out with made-up answers: a JSON object with the `report`, or with `diagnostics` where it could not
/// begin.
///
/// `workflow` is an OpenFlow document, `catalog` an object of `connectors`, `nodes` and `workflows` by id, `input` the
/// input, `mocks` an object of answers by step id, and `options` an object of `approvals` by step id, `until`, `only` and
/// `preprocess`, all optional; all are JSON texts. `answer` is asked first about every call, with `{step_id, path, node,
/// attempt, input, request}`; it gives an answer as in `mocks`, or nothing to leave it to them. Where it throws, the
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
    let told = match tried([workflow, catalog, input, mocks, options], answer.as_ref()) {
        Ok(report) => json!({"report": report}),
        Err(found) => json!({"diagnostics": found}),
    };
    told.to_string()
}

/// What may be said about a dry run beside its input and mocks.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    approvals: Value,
    until: Option<String>,
    only: Option<String>,
    preprocess: bool,
}

fn tried(texts: [&str; 5], answer: Option<&Answer>) -> Result<Report, Vec<Diagnostic>> {
    let [workflow, catalog, input, mocks, options] = texts;
    let document: Value = read(workflow, "workflow")?;
    let catalog: Catalog = read(catalog, "catalog")?;
    let options: Options = read(options, "options")?;
    let dry_run = DryRun {
        document: &document,
        catalog: &catalog,
        input: read(input, "input")?,
        until: options.until,
        only: options.only,
        preprocess: options.preprocess,
        mocks: Mocks::parse(&read(mocks, "mocks")?)?,
        approvals: Approvals::parse(&options.approvals)?,
        limits: DryRunLimits::default(),
    };
    let ended = dry_run.run(&InlineEvaluator, |sending| answer.and_then(|answer| asked(answer, sending)));
    // Nothing in it waits: calls are answered and expressions evaluated on this thread.
    let ended = ended.now_or_never().expect("a dry run never waits");
    ended.map_err(|error| match error {
        DryRunError::Document(found)
        | DryRunError::Mocks(found)
        | DryRunError::Approvals(found)
        | DryRunError::Selection(found) => found,
        other => vec![Diagnostic::error("dry-run", "", other.to_string())],
    })
}

fn asked(answer: &Answer, sending: &Sending<'_>) -> Option<Outcome> {
    let text = match answer.invoke(&JsValue::UNDEFINED, &write(sending)) {
        Ok(text) => text?,
        Err(thrown) => return Some(Outcome::read(failure(&thrown))),
    };
    let read = serde_json::from_str(&text);
    Some(Outcome::read(
        read.unwrap_or_else(|error| json!({"error": format!("the function's answer is not JSON: {error}")})),
    ))
}

fn failure(thrown: &Thrown) -> Value {
    let nothing = thrown.is_undefined() || thrown.is_null();
    let text = thrown.as_string().or_else(|| if nothing { None } else { thrown.message() });
    let message = text.unwrap_or_else(|| "the function threw a value without a message".to_owned());
    match if nothing { None } else { thrown.name() } {
        Some(name) => json!({"error": {"name": name, "message": message}}),
        None => json!({"error": message}),
    }
}

fn read<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, Vec<Diagnostic>> {
    serde_json::from_str(text)
        .map_err(|error| vec![Diagnostic::error("malformed-json", "", format!("the {what} cannot be read: {error}"))])
}

fn write(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("calls are plain data")
}
