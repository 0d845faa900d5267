//! What one evaluation can do to another: nothing.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use apiflow_core::ports::{EvaluationError, Evaluator, Script, ScriptForm};
use apiflow_core::runtime::sandbox::SandboxEvaluator;
use serde_json::{Value, json};

/// Scripts that leave something behind where they can, each with a look for what they left.
const TRACES: &[(&str, &str)] = &[
    ("Object.prototype.leak = 1; return 1", "({}).leak"),
    ("globalThis.leak = 1; return 1", "typeof leak"),
    ("leak2 = 1; return 1", "typeof leak2"),
    ("Array.prototype.map = () => 'mine'; return 1", "[1].map(n => n + 1)"),
    ("JSON.stringify = () => '\"mine\"'; return 1", "({a: 1})"),
    ("Promise.prototype.then = () => 1; return 1", "(async () => await 1)()"),
    ("Object.prototype.toJSON = () => 'mine'; return 1", "({a: 1})"),
    ("Symbol.for('x').constructor.prototype.leak = 1; return 1", "Symbol.for('x').leak"),
    ("Object.freeze(globalThis); return 1", "let x = 1; globalThis.y = 2; return y"),
    ("flow_input.x = 2; return 1", "flow_input.x"),
];

async fn check_traces(evaluator: Arc<dyn Evaluator>) {
    let names = json!({"flow_input": {"x": 1}});
    for (script, look) in TRACES {
        let before = super::evaluate(&evaluator, look, &names).await;
        assert!(before.is_ok(), "{look}: {before:?}");
        let traced = super::evaluate(&evaluator, script, &names).await;
        assert!(traced.is_ok(), "{script}: {traced:?}");
        assert_eq!(super::evaluate(&evaluator, look, &names).await, before, "{look} after {script}");
    }
}

pub(crate) fn nothing_is_shared() {
    super::block_on(check_traces(super::in_process()));
    super::block_on(check_traces(super::sandbox(1, Duration::from_secs(10))));
}

pub(crate) fn a_crash_is_contained() {
    super::block_on(async {
        let evaluator = super::sandbox(2, Duration::from_secs(10));
        let harmless = tokio::spawn({
            let evaluator = Arc::clone(&evaluator);
            async move {
                for number in 0..200 {
                    let source = format!("[{number}].map(n => n + 1)[0]");
                    assert_eq!(super::bare(&evaluator, &source).await, Ok(json!(number + 1)));
                }
            }
        });
        let crash = super::bare(&evaluator, "let s = 'x'; while (true) s += s;").await;
        assert!(matches!(crash, Err(EvaluationError::Limit(_) | EvaluationError::Thrown(_))), "{crash:?}");
        harmless.await.expect("the harmless evaluations are not disturbed");
    });
}

pub(crate) fn jobs_take_turns() {
    super::block_on(async {
        let evaluator = super::sandbox(2, Duration::from_mins(5));
        let script = |source: &str| Script {
            source: source.to_owned(),
            names: serde_json::Map::new(),
            form: ScriptForm::Expression,
        };
        let endless: Vec<_> = (0..4)
            .map(|_| {
                let (evaluator, script) =
                    (Arc::clone(&evaluator), script("let n = 0; while (true) { for (let i = 0; i < 1e6; i++) n++; }"));
                tokio::spawn(async move { evaluator.evaluate_for("endless", script).await })
            })
            .collect();
        for number in 0..20 {
            let answer = evaluator.evaluate_for("other", script(&format!("[{number}].map(n => n + 1)[0]"))).await;
            assert_eq!(answer, Ok(json!(number + 1)));
        }
        assert!(endless.iter().all(|task| !task.is_finished()), "the endless ones are still at it, or wait");
        endless.iter().for_each(tokio::task::JoinHandle::abort);
    });
}

pub(crate) fn a_caller_may_give_up() {
    super::block_on(async {
        let evaluator = super::sandbox(1, Duration::from_mins(1));
        let endless = super::bare(&evaluator, "let n = 0; while (true) { for (let i = 0; i < 1e6; i++) n++; }");
        let given_up = tokio::time::timeout(Duration::from_millis(300), endless).await;
        assert!(given_up.is_err(), "{given_up:?}");
        assert_eq!(super::bare(&evaluator, "1 + 1").await, Ok(json!(2)));
    });
}

/// What comes of an evaluation by another program.
fn with_program(program: &str, arguments: &[&str]) -> Result<Value, EvaluationError> {
    let mut settings = super::settings(1, Duration::from_secs(5));
    settings.program = PathBuf::from(program);
    settings.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let evaluator: Arc<dyn Evaluator> = Arc::new(SandboxEvaluator::new(settings));
    super::block_on(super::bare(&evaluator, "1"))
}

/// The frame of a reply, as a shell's `printf` writes it.
fn printf(reply: &str) -> String {
    let escaped = reply.replace('"', "\\\"");
    format!("printf \"\\{:03o}\\000\\000\\000{escaped}\";", reply.len())
}

pub(crate) fn the_environment_is_cleared() {
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "cargo sets it for tests");
    let answers = format!("{} {}", printf("\"ready\""), printf("{\"value\":[1]}"));
    let script = format!("if [ -z \"$CARGO_MANIFEST_DIR\" ]; then {answers} fi; exec cat");
    assert_eq!(with_program("/bin/sh", &["-c", &script]), Ok(json!([1])));
}

pub(crate) fn a_garbled_answer_is_refused() {
    let script = format!("{} {} exec cat", printf("\"ready\""), printf("oops"));
    match with_program("/bin/sh", &["-c", &script]) {
        Err(EvaluationError::Internal(message)) => assert!(message.contains("an invalid answer"), "{message}"),
        other => panic!("{other:?}"),
    }
}

/// A process that nobody waits for any more ends by itself, even in an endless loop.
pub(crate) fn an_orphan_ends_by_itself() {
    let mut orphan = Command::new(std::env::current_exe().expect("this program has a path"))
        .arg(super::CHILD)
        .env("APIFLOW_EVALUATOR_MEMORY_BYTES", "100000000")
        .env("APIFLOW_EVALUATOR_DEADLINE_MS", "100")
        .env("APIFLOW_EVALUATOR_NICENESS", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("this program starts");
    let endless = r#"{"source": "'a'.repeat(100).match(/(a+)+b/)", "names": {}, "predicate": false}"#;
    let mut requests = orphan.stdin.take().expect("the pipe was asked for");
    requests.write_all(&(endless.len() as u32).to_le_bytes()).expect("it listens");
    requests.write_all(endless.as_bytes()).expect("it listens");
    drop(requests);
    let began = Instant::now();
    let status = loop {
        match orphan.try_wait().expect("it is a child of this process") {
            Some(status) => break status,
            None if began.elapsed() > Duration::from_secs(20) => {
                orphan.kill().expect("it can be killed");
                panic!("the orphan goes on for ever");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert_eq!(status.code(), Some(1), "it gave up");
}

pub(crate) fn wrong_programs() {
    let failure = with_program;
    let starts = |outcome: Result<Value, EvaluationError>| match outcome {
        Err(EvaluationError::Internal(message)) => assert!(message.contains("cannot be started"), "{message}"),
        other => panic!("{other:?}"),
    };
    starts(failure("/nonexistent/apiflow", &[]));
    starts(failure("/bin/echo", &["a line that is no frame"]));
    starts(failure("/bin/false", &[]));
}

pub(crate) fn processes_are_reused() {
    super::block_on(async {
        let evaluator = super::sandbox(1, Duration::from_secs(10));
        let names = json!({"results": {"a": {"n": 1}}});
        assert_eq!(super::evaluate(&evaluator, "results.a.n + 1", &names).await, Ok(json!(2)));
        let began = Instant::now();
        for _ in 0..100 {
            assert_eq!(super::evaluate(&evaluator, "results.a.n + 1", &names).await, Ok(json!(2)));
        }
        let each = began.elapsed() / 100;
        assert!(each < Duration::from_millis(100), "{each:?}");
    });
}
