//! A dry run and its report as text.

use std::fmt::Write as _;

use apiflow_core::dry_run::{Approvals, DryRun, DryRunError, Mocks, Report, ReportRequest, ReportStep, ResultSource};
use apiflow_core::ports::JobStatus;
use apiflow_core::prepared::Prepared;
use serde_json::{Map, Value};

use crate::command::run::{OutputFormat, Run, join_findings, pretty_json, print_value};
use crate::command::{print_line, serve};

impl Run {
    /// Builds the dry run that the arguments describe.
    pub(super) fn build_dry_run(
        &self,
        mocks: Map<String, Value>,
        approvals: Map<String, Value>,
    ) -> Result<DryRun, String> {
        Ok(DryRun {
            until: self.until.clone(),
            only: self.only.clone(),
            mocks: Mocks::parse(&Value::Object(mocks)).map_err(|found| join_findings("--mock", &found))?,
            approvals: Approvals::parse(&Value::Object(approvals))
                .map_err(|found| join_findings("--approval", &found))?,
            ..DryRun::default()
        })
    }

    /// Prints the report; returns whether the workflow would complete.
    pub(super) async fn try_out(&self, trial: DryRun, prepared: &Prepared) -> Result<bool, String> {
        let report = trial.run(prepared, &serve::sandbox_evaluator()?, |_| None).await;
        match self.format {
            OutputFormat::Text => print_line(report_text(&report).trim_end())?,
            OutputFormat::Json => {
                let report = serde_json::to_value(&report).map_err(|error| error.to_string())?;
                print_value(&report, OutputFormat::Json)?;
            }
        }
        Ok(report.status == JobStatus::Completed)
    }
}

/// Returns why there is no report.
pub(super) fn refusal_message(error: &DryRunError) -> String {
    match error {
        DryRunError::Mocks(found) => join_findings("--mock", found),
        DryRunError::Approvals(found) => join_findings("--approval", found),
        DryRunError::Selection(found) => join_findings("--until, --only", found),
        DryRunError::Document(_) | _ => error.to_string(),
    }
}

/// Returns the report as text: steps in order, the requests that each would send, and the outcome.
fn report_text(report: &Report) -> String {
    let mut said = String::new();
    for step in &report.steps {
        write_step(&mut said, step);
    }
    let retries = match report.retry_count {
        0 => String::new(),
        1 => ", 1 retry".to_owned(),
        more => format!(", {more} retries"),
    };
    let waited = if report.duration_ms > 0 {
        format!(", {} of waiting", format_seconds(report.duration_ms))
    } else {
        String::new()
    };
    write_line(&mut said, 0, &format!("dry run: {}{retries}{waited}", report.status.as_str()));
    match &report.error {
        Some(error) => write_line(&mut said, 0, &format!("error: {}", error_text(error))),
        None => write_block(&mut said, 0, "output: ", &report.output),
    }
    said
}

fn write_step(said: &mut String, step: &ReportStep) {
    let depth = if step.path.is_empty() { 0 } else { step.path.split('/').count() };
    let place = if step.path.is_empty() { step.id.clone() } else { format!("{}/{}", step.path, step.id) };
    let branch = match step.branch.as_deref() {
        None => String::new(),
        Some("default") => ", took the default branch".to_owned(),
        Some(number) => format!(", took branch {number}"),
    };
    write_line(said, depth, &format!("{place}: {}{branch}", step.status.as_str()));
    for request in &step.requests {
        write_request(said, depth + 1, request);
    }
    match &step.error {
        Some(error) => write_line(said, depth + 1, &format!("error: {}", error_text(error))),
        // The requests of enclosing modules are those of the modules inside.
        None if step.requests.is_empty() => {}
        None => write_block(said, depth + 1, "output: ", &step.output),
    }
    said.push('\n');
}

fn write_request(said: &mut String, depth: usize, sent: &ReportRequest) {
    let source = match sent.answered_by {
        Some(ResultSource::Function) => "answered by a function",
        Some(ResultSource::Mock) => "answered by its mock",
        Some(ResultSource::Sample) => "answered by a sample derived from the node's outputs",
        None => "not waited for",
    };
    write_line(said, depth, &format!("attempt {} after {}, {source}", sent.attempt, format_seconds(sent.at_ms)));
    let text = |name: &str| sent.request[name].as_str().unwrap_or_default();
    write_line(said, depth + 1, &format!("{} {}", text("method"), text("url")));
    for (name, value) in sent.request["headers"].as_object().into_iter().flatten() {
        write_line(said, depth + 1, &format!("{name}: {}", value.as_str().unwrap_or_default()));
    }
    match &sent.request["body"] {
        Value::Null => {}
        Value::String(text) => text.lines().for_each(|text| write_line(said, depth + 1, text)),
        body @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            write_block(said, depth + 1, "", body);
        }
    }
}

/// Formats an error object.
fn error_text(error: &Value) -> String {
    let text = |name: &str| error[name].as_str();
    let message = text("message").map_or_else(|| error.to_string(), str::to_owned);
    let name = text("name").map(|name| format!(" ({name})")).unwrap_or_default();
    let step = text("step_id").map(|step| format!(" in step `{step}`")).unwrap_or_default();
    format!("{message}{name}{step}")
}

fn format_seconds(ms: u64) -> String {
    if ms.is_multiple_of(1000) { format!("{} s", ms / 1000) } else { format!("{}.{:03} s", ms / 1000, ms % 1000) }
}

fn write_block(said: &mut String, depth: usize, before: &str, value: &Value) {
    let text = format!("{before}{}", pretty_json(value));
    text.lines().for_each(|text| write_line(said, depth, text));
}

fn write_line(said: &mut String, depth: usize, text: &str) {
    writeln!(said, "{:1$}{text}", "", depth * 2).expect("writing to a string cannot fail");
}
