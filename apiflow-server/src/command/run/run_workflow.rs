//! Runs a workflow for real, in memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use apiflow_core::catalog::{Catalog, Connector};
use apiflow_core::dry_run::Mocks;
use apiflow_core::http::OutgoingPolicy;
use apiflow_core::openflow::Selection;
use apiflow_core::ports::{Artifacts, StepRow, StepStatus};
use apiflow_core::runtime::local::{Local, LocalError};
use apiflow_core::runtime::secrets::EnvSecrets;
use apiflow_store::DocumentKind;
use serde_json::{Map, Value};

use crate::artifacts::run_input::adopt_data_uris;
use crate::command::run::interrupt::{Finished, Interrupts};
use crate::command::run::media_folder::{RunMedia, SavedFiles, add_paths, create_folder};
use crate::command::run::{Run, RunEnd, join_findings, print_value};
use crate::command::{print_error, print_notice, serve};
use crate::documents::references::of_workflow;

impl Run {
    /// Returns the part of a document that is to be run for real.
    pub(super) fn select_document(&self, document: &Value, mocks: Map<String, Value>) -> Result<Value, String> {
        let mocks = Mocks::parse(&Value::Object(mocks)).and_then(Mocks::into_results);
        let mocks = mocks.map_err(|found| join_findings("--mock", &found))?;
        let selection = Selection { until: self.until.clone(), only: self.only.clone(), mocks };
        selection.select_from(document).map_err(|found| join_findings("--until, --only, --mock", &found))
    }

    /// Runs a workflow, prints its progress and output, and returns how it ended.
    pub(super) async fn run_workflow(
        &self,
        document: &Value,
        catalog: Catalog,
        mut input: Value,
    ) -> Result<RunEnd, String> {
        let secrets = EnvSecrets::from_list(&self.secrets_from_env.join(","), |name| std::env::var(name).ok())
            .map_err(|error| format!("--secret-from-env: {error}"))?;
        refuse_missing(document, &catalog, &secrets)?;
        let policy =
            OutgoingPolicy::parse(&self.allow_hosts.join(",")).map_err(|error| format!("--allow-host: {error}"))?;
        if let Some(folder) = &self.media_folder {
            // Before anything is paid for.
            create_folder(folder).await?;
        }
        let media = RunMedia::create().await?;
        adopt_data_uris(media.artifacts(), &mut input).await.map_err(|problem| problem.in_words())?;
        let local = Local::new(secrets, policy).map_err(|error| error.to_string())?;
        let local = local.with_evaluator(serve::sandbox_evaluator()?);
        let mut local = local.with_artifacts(Arc::clone(media.artifacts()) as Arc<dyn Artifacts>);
        local.declare_catalog(catalog);
        let interrupts = Interrupts::listen_for_signals()?;
        let run = match local.start(document, input).await {
            Ok(run) => run,
            Err(error) => {
                print_error(&error.to_string());
                return Ok(RunEnd::Failed);
            }
        };
        let (ended, signal) = match interrupts.finish_run(&run, |step| print_notice(&progress_line(step))).await? {
            Finished::Ended { ended, signal } => (ended, signal),
            Finished::Left { signal } => return Ok(RunEnd::Interrupted(signal)),
        };
        let without_success = signal.map_or(RunEnd::Failed, RunEnd::Interrupted);
        let (saved, completed) = match self.save_media(&media).await {
            Ok(saved) => (saved, RunEnd::Completed),
            Err(error) => {
                print_error(&error);
                (SavedFiles::new(), RunEnd::Failed)
            }
        };
        let print_output = |mut output: Value| {
            add_paths(&mut output, &saved);
            print_value(&output, self.format)
        };
        match ended {
            Ok(output) => print_output(output).map(|()| completed),
            Err(LocalError::Ended { status, error, output }) => {
                let message = error["message"].as_str().unwrap_or("unknown error");
                print_error(&format!("the workflow {status}: {message}"));
                print_output(*output).map(|()| without_success)
            }
            Err(error) => {
                print_error(&error.to_string());
                Ok(without_success)
            }
        }
    }

    /// Saves the files that steps made in the folder that was named, and prints where they are.
    async fn save_media(&self, media: &RunMedia) -> Result<SavedFiles, String> {
        let outputs = media.list_outputs().await?;
        let Some(folder) = &self.media_folder else {
            if !outputs.is_empty() {
                let count = outputs.len();
                let files = if count == 1 { "1 file, which is" } else { &format!("{count} files, which are") };
                print_notice(&format!("the run made {files} deleted now: use --media-folder to keep them"));
            }
            return Ok(SavedFiles::new());
        };
        let saved = media.save_outputs(&outputs, folder).await?;
        for path in outputs.iter().filter_map(|row| saved.get(&row.id)) {
            print_notice(&format!("saved {}", path.display()));
        }
        Ok(saved)
    }
}

/// Checks that all provider keys that the workflow needs are set.
fn refuse_missing(document: &Value, catalog: &Catalog, given: &EnvSecrets) -> Result<(), String> {
    let known: BTreeSet<&str> = given.listed_names().map(|(name, _)| name).collect();
    let needed = needed_secrets(document, catalog);
    let missing: Vec<String> = needed
        .iter()
        .filter(|name| !known.contains(name.as_str()))
        .map(|name| format!("the workflow needs the secret `{name}`: pass it with --secret-from-env {name}"))
        .collect();
    if !missing.is_empty() {
        return Err(missing.join("\n"));
    }
    let unset = needed.iter().find(|name| std::env::var(name.as_str()).unwrap_or_default().is_empty());
    unset.map_or(Ok(()), |name| Err(format!("--secret-from-env {name}: the environment variable is not set")))
}

/// Returns the names of the secrets that a workflow uses, including those of sub-flows.
fn needed_secrets(document: &Value, catalog: &Catalog) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut wanted = of_workflow(document);
    let mut seen = BTreeSet::new();
    while let Some((kind, id)) = wanted.pop() {
        if !seen.insert((kind, id.clone())) {
            continue;
        }
        if kind == DocumentKind::Workflow {
            wanted.extend(catalog.workflows.get(&id).into_iter().flat_map(of_workflow));
        } else if let Some(node) = catalog.nodes.get(&id) {
            names.extend(node.secret_names());
            names.extend(catalog.connectors.get(&node.connector_id).map(Connector::secret_names).unwrap_or_default());
        }
    }
    names
}

/// Describes the progress of a step in a line.
fn progress_line(step: &StepRow) -> String {
    let place = if step.path.is_empty() { step.step_id.clone() } else { format!("{}/{}", step.path, step.step_id) };
    let reason = || step.error.as_ref().and_then(|error| error["message"].as_str()).unwrap_or("unknown error");
    let took = step.finished_at.map(|end| end.since_ms(step.started_at) as f64 / 1000.0).unwrap_or_default();
    let how = match step.status {
        StepStatus::Running => match step.progress {
            Some(progress) => format!("running, {:.0} %", progress * 100.0),
            None if step.attempt > 1 => format!("running, attempt {}", step.attempt),
            None => "running".to_owned(),
        },
        StepStatus::Retrying => {
            format!("attempt {} failed and will be retried: {}", step.attempt, reason())
        }
        StepStatus::Suspended => "waits for an approval, which is not possible for a run from a file".to_owned(),
        StepStatus::Completed => format!("completed in {took:.1} s"),
        StepStatus::Failed => format!("failed after {took:.1} s: {}", reason()),
        StepStatus::Skipped => "skipped".to_owned(),
        StepStatus::Cancelled => "cancelled".to_owned(),
    };
    format!("{place}: {how}")
}
