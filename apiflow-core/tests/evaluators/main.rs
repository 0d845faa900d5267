//! The evaluators, in process and in child processes: OpenFlow's rules, and what hostile expressions can't do.
//!
//! The child process is this very program, started with the argument `evaluator`; so it has no ordinary test harness.

mod conformance;
mod hostile;
mod isolation;
mod killed;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use apiflow_core::ports::{EvaluationError, Evaluator, Script, ScriptForm};
use apiflow_core::runtime::boa_evaluator::BoaEvaluator;
use apiflow_core::runtime::sandbox::{SandboxEvaluator, SandboxSettings, serve_child};
use serde_json::{Map, Value};

/// The argument that makes this program a child process.
const CHILD: &str = "evaluator";

const TESTS: &[(&str, fn())] = &[
    ("openflows_rules_hold_in_process", conformance::in_process),
    ("openflows_rules_hold_in_child_processes", conformance::in_child_processes),
    ("plain_paths_agree_with_javascript", conformance::plain_paths),
    ("the_wanted_values_are_all_that_is_needed", conformance::wanted_values),
    ("texts_at_the_caps_are_evaluated", conformance::texts_at_the_caps),
    ("hostile_expressions_end_in_a_clear_error", hostile::table),
    ("the_in_process_evaluator_stops_what_it_promises", hostile::in_process),
    ("an_evaluation_sees_nothing_of_the_one_before", isolation::nothing_is_shared),
    ("a_crash_costs_only_its_own_evaluation", isolation::a_crash_is_contained),
    ("a_caller_that_gives_up_frees_its_place", isolation::a_caller_may_give_up),
    ("endless_expressions_of_one_job_do_not_hold_another_up", isolation::jobs_take_turns),
    ("a_program_that_is_no_evaluator_is_named", isolation::wrong_programs),
    ("an_evaluator_has_no_environment", isolation::the_environment_is_cleared),
    ("a_garbled_answer_is_refused", isolation::a_garbled_answer_is_refused),
    ("an_evaluation_killed_from_outside_is_done_again", killed::by_somebody_once),
    ("an_evaluation_killed_again_and_again_is_not_the_scripts_fault", killed::by_somebody_always),
    ("an_evaluator_killed_while_it_starts_is_replaced", killed::while_it_starts),
    ("a_script_over_its_memory_is_told_so_and_not_evaluated_again", killed::by_its_own_limit),
    ("an_orphan_ends_by_itself", isolation::an_orphan_ends_by_itself),
    ("a_warm_process_is_used_again", isolation::processes_are_reused),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == CHILD) {
        return serve_child();
    }
    let ignored = arguments.iter().any(|argument| argument == "--ignored");
    if arguments.iter().any(|argument| argument == "--list") {
        let names = TESTS.iter().filter(|_| !ignored).fold(String::new(), |list, (name, _)| list + name + ": test\n");
        return written(&names);
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    for (name, test) in TESTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str())) {
            test();
            written(&format!("test {name} ... ok\n"));
        }
    }
    ExitCode::SUCCESS
}

fn written(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Runs a test's future on a runtime of its own.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime starts").block_on(future)
}

/// Settings whose child process is this program.
fn settings(processes: usize, deadline: Duration) -> SandboxSettings {
    SandboxSettings {
        program: std::env::current_exe().expect("this program has a path"),
        arguments: vec![CHILD.to_owned()],
        processes,
        memory_bytes: 96 * 1024 * 1024,
        deadline,
    }
}

fn sandbox(processes: usize, deadline: Duration) -> Arc<dyn Evaluator> {
    Arc::new(SandboxEvaluator::new(settings(processes, deadline)))
}

fn in_process() -> Arc<dyn Evaluator> {
    Arc::new(BoaEvaluator::new())
}

async fn evaluate(evaluator: &Arc<dyn Evaluator>, source: &str, names: &Value) -> Result<Value, EvaluationError> {
    let names = names.as_object().cloned().unwrap_or_default();
    evaluator.evaluate_script(Script { source: source.to_owned(), names, form: ScriptForm::Expression }).await
}

/// Evaluates a text without names.
async fn bare(evaluator: &Arc<dyn Evaluator>, source: &str) -> Result<Value, EvaluationError> {
    evaluate(evaluator, source, &Value::Object(Map::new())).await
}
