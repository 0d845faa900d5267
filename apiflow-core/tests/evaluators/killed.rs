//! Child processes that are killed in the middle of an evaluation.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apiflow_core::ports::{EvaluationError, Evaluator, Script, ScriptForm};
use apiflow_core::runtime::sandbox::SandboxEvaluator;
use serde_json::{Map, json};

/// Longer than any wait of these tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// Takes a second, so that it counts among the evaluations that take long and can be met at work.
const BUSY: &str = "let end = Date.now() + 1000; while (Date.now() < end) {} return 42";

fn script(source: &str) -> Script {
    Script { source: source.to_owned(), names: Map::new(), form: ScriptForm::Expression }
}

/// The child processes of this one, with the time that each was at work, in ticks. Source: proc(5), `/proc/pid/stat`.
fn children() -> Vec<(u32, u64)> {
    let own = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").expect("this system has /proc");
    let stat = |pid: u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before stands in brackets and may have spaces.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        (fields[1] == own && fields[0] != "Z").then(|| Some((pid, fields[11].parse().ok()?)))?
    };
    entries.filter_map(|entry| stat(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

/// Waits for the child that is at work, and kills it.
fn kill_the_busy_one() {
    let before = children();
    let deadline = Instant::now() + PATIENCE;
    let is_busy = |(pid, ticks): &(u32, u64)| before.iter().any(|(known, then)| known == pid && *ticks > then + 5);
    let busy = loop {
        if let Some((pid, _)) = children().into_iter().find(is_busy) {
            break pid;
        }
        assert!(Instant::now() < deadline, "no child is at work");
        std::thread::sleep(Duration::from_millis(5));
    };
    let killed = Command::new("kill").args(["-9", &busy.to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()), "it was there to be killed");
}

pub(crate) fn by_somebody_once() {
    super::block_on(async {
        let evaluator = super::sandbox(2, PATIENCE);
        // From now on the job's evaluations begin at once among those that take long, in the process that is there.
        assert_eq!(evaluator.evaluate_for("job", script(BUSY)).await, Ok(json!(42)));
        let killer = tokio::task::spawn_blocking(kill_the_busy_one);
        assert_eq!(evaluator.evaluate_for("job", script(BUSY)).await, Ok(json!(42)));
        killer.await.expect("the process was killed");
    });
}

/// An evaluator by a shell, which notes each start in a file.
fn counted(folder: &Path, rest: &str, arguments: &[&str]) -> (Arc<dyn Evaluator>, PathBuf) {
    let starts = folder.join("starts");
    let mut settings = super::settings(2, PATIENCE);
    let own = std::mem::replace(&mut settings.program, PathBuf::from("/bin/sh"));
    let program = format!("echo started >> {}; {rest}", starts.display());
    settings.arguments = vec!["-c".to_owned(), program, own.display().to_string()];
    settings.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
    (Arc::new(SandboxEvaluator::new(settings)), starts)
}

fn count(starts: &Path) -> usize {
    std::fs::read_to_string(starts).expect("there was a start").lines().count()
}

pub(crate) fn by_somebody_always() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    // It says that it is ready, waits for work, and is killed.
    let ready = r#"printf '\007\000\000\000"ready"'; head -c 1 > /dev/null; kill -9 $$"#;
    let (evaluator, starts) = counted(folder.path(), ready, &[]);
    match super::block_on(evaluator.evaluate_script(script("1 + 1"))) {
        Err(EvaluationError::Internal(message)) => {
            assert!(message.contains("was killed by signal 9 twice"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(count(&starts), 2);
}

pub(crate) fn while_it_starts() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let first_dies = "[ $(wc -l < \"$2\") -gt 1 ] || kill -9 $$; exec \"$0\" \"$1\"";
    let starts = folder.path().join("starts").display().to_string();
    let (evaluator, starts) = counted(folder.path(), first_dies, &[super::CHILD, &starts]);
    assert_eq!(super::block_on(evaluator.evaluate_script(script("1 + 1"))), Ok(json!(2)));
    assert_eq!(count(&starts), 2);
}

pub(crate) fn by_its_own_limit() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (evaluator, starts) = counted(folder.path(), "exec \"$0\" \"$1\"", &[super::CHILD]);
    super::block_on(async {
        assert_eq!(evaluator.evaluate_for("job", script(BUSY)).await, Ok(json!(42)));
        let before = count(&starts);
        let greedy = "let kept = []; while (true) kept.push(new Array(1e6).fill(1));";
        match evaluator.evaluate_for("job", script(greedy)).await {
            Err(EvaluationError::Limit(message)) => {
                assert_eq!(message, "the expression took more than 96 MiB of memory and was stopped");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(count(&starts), before, "it was evaluated once, by the process that was there");
    });
}
