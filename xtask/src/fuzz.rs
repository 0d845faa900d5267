//! Looks for texts and documents on which the core panics, overflows its stack, takes all memory or does not end.
//!
//! A child process takes one case after the other, each written to a file before it is tried. The parent sees a child
//! that dies or stands still, and makes the case smaller by trying parts of it, each in a process of its own.

mod minimise;
mod mutate;
mod seeds;
mod targets;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use clap::Args;

use self::mutate::Mutator;
use self::targets::{Case, Plant};
use crate::Result;
use crate::say::{headline, say};

/// What one case may take.
const LIMIT: Duration = Duration::from_secs(2);

/// What a process that tries cases may take of memory.
const MEMORY: u64 = 2 * 1024 * 1024 * 1024;

/// How to look.
#[derive(Args, Clone)]
pub(crate) struct Fuzz {
    /// Seconds to look for.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Cases to try at most.
    #[arg(long)]
    cases: Option<u64>,
    /// Seed of the first case; the same seed gives the same cases.
    #[arg(long)]
    seed: Option<u64>,
    /// Try one case from a file, as a failing run has left it.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Where failing cases are left; `target/fuzz` where not given.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Be the process that tries the cases.
    #[arg(long, hide = true)]
    child: bool,
    /// A fault to find, to see that faults are found.
    #[arg(long, hide = true, value_enum)]
    plant: Option<Plant>,
}

/// Looks until the time is up or something is found.
pub(crate) fn run(fuzz: &Fuzz) -> Result {
    if let Some(file) = &fuzz.replay {
        let case = Case::read(file)?;
        return attempt(&case, fuzz.plant);
    }
    let seed = fuzz.seed.unwrap_or_else(|| fastrand::u64(..));
    let folder = fuzz.out.clone().unwrap_or_else(|| crate::target().join("fuzz"));
    fs::create_dir_all(&folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    if fuzz.child {
        return try_cases(fuzz, seed, &folder);
    }
    headline(&format!("fuzz: seed {seed}"));
    let current = folder.join("current");
    let _ = fs::remove_file(&current);
    match watch(fuzz, seed, &folder, &current)? {
        None => Ok(()),
        Some(fault) => Err(report(fuzz, seed, &folder, &current, &fault)),
    }
}

/// Tries cases in this process until the time is up; ends with the first that fails.
fn try_cases(fuzz: &Fuzz, seed: u64, folder: &Path) -> Result {
    limit_memory()?;
    let deadline = Instant::now() + Duration::from_secs(fuzz.seconds);
    let mut mutator = Mutator::new(seed, seeds::all()?);
    let current = folder.join("current");
    let mut tried = 0;
    while Instant::now() < deadline && fuzz.cases.is_none_or(|most| tried < most) {
        let case = mutator.next();
        case.write(&current)?;
        attempt(&case, fuzz.plant)?;
        tried += 1;
    }
    say(format!("{tried} cases, none failed"));
    Ok(())
}

/// Tries one case.
fn attempt(case: &Case, plant: Option<Plant>) -> Result {
    std::panic::set_hook(Box::new(|_| {}));
    let began = Instant::now();
    let outcome = catch_unwind(|| targets::run(case, plant));
    let took = began.elapsed();
    let _ = std::panic::take_hook();
    match outcome {
        Err(panic) => {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("it panicked: {}", said.unwrap_or_default()))
        }
        Ok(Err(broken)) => Err(broken),
        Ok(Ok(())) if took > LIMIT => Err(format!("it took {:.1} s", took.as_secs_f64())),
        Ok(Ok(())) => Ok(()),
    }
}

fn limit_memory() -> Result {
    rlimit::setrlimit(rlimit::Resource::AS, MEMORY, MEMORY).map_err(|error| format!("no limit of memory: {error}"))
}

/// Runs the child that tries the cases; tells what became of its last one, if that failed.
fn watch(fuzz: &Fuzz, seed: u64, folder: &Path, current: &Path) -> Result<Option<String>> {
    let mut arguments = vec!["--child".to_owned(), "--seed".to_owned(), seed.to_string()];
    arguments.extend(["--seconds".to_owned(), fuzz.seconds.to_string()]);
    arguments.extend(fuzz.cases.iter().flat_map(|cases| ["--cases".to_owned(), cases.to_string()]));
    arguments.extend(["--out".to_owned(), folder.display().to_string()]);
    let idle = || fs::metadata(current).and_then(|file| file.modified()).ok().and_then(|at| at.elapsed().ok());
    // Between two cases a process may have to wait for its turn.
    let stuck = || idle().is_some_and(|idle| idle > LIMIT * 2);
    let (status, said) = in_child(fuzz, &arguments, stuck)?;
    Ok(fault(status, &said))
}

/// Runs this program again; kills it where it is stuck. The status is `None` then.
fn in_child(fuzz: &Fuzz, arguments: &[String], stuck: impl Fn() -> bool) -> Result<(Option<ExitStatus>, String)> {
    let program = std::env::current_exe().map_err(|error| format!("this program is not found: {error}"))?;
    let mut command = Command::new(program);
    command.arg("fuzz").args(arguments).stdin(Stdio::null()).stdout(Stdio::inherit()).stderr(Stdio::piped());
    command.args(fuzz.plant.iter().flat_map(|plant| ["--plant", plant.name()]));
    let mut child = command.spawn().map_err(|error| format!("no child process: {error}"))?;
    let failed = |error: std::io::Error| format!("the child process is lost: {error}");
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break Some(status);
        }
        if stuck() {
            child.kill().map_err(failed)?;
            child.wait().map_err(failed)?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = std::io::Read::read_to_string(&mut stderr, &mut said);
    }
    Ok((status, said))
}

/// What became of a child, where it is a fault.
fn fault(status: Option<ExitStatus>, said: &str) -> Option<String> {
    let last = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
    match status {
        Some(status) if status.success() => None,
        Some(status) if status.code().is_some() => Some(last.to_owned()),
        Some(status) => Some(format!("its process died ({status})")),
        None => Some(format!("it did not end within {} s", LIMIT.as_secs())),
    }
}

/// Makes the failing case smaller, leaves it in a file and says so.
fn report(fuzz: &Fuzz, seed: u64, folder: &Path, current: &Path, fault: &str) -> String {
    let Ok(case) = Case::read(current) else { return format!("seed {seed}: {fault}") };
    let trial = folder.join("trial");
    let fails = |input: &[u8]| {
        let smaller = Case { target: case.target, input: input.to_vec() };
        smaller.write(&trial).is_ok() && still_fails(fuzz, &trial)
    };
    say(format!("{fault}; making the case of {} bytes smaller", case.input.len()));
    let input = if fails(&case.input) { minimise::minimise(&case.input, fails) } else { case.input.clone() };
    let left = Case { target: case.target, input };
    let file = folder.join(format!("{}-{seed}.case", case.target.name()));
    let written = left.write(&file);
    let _ = fs::remove_file(&trial);
    let place = written.map_or_else(|error| error, |()| file.display().to_string());
    let shown = String::from_utf8_lossy(&left.input).into_owned();
    format!(
        "seed {seed}: {}: {fault}\n{shown}\nleft in {place}; `cargo xtask fuzz --replay` tries it again",
        case.target.name()
    )
}

fn still_fails(fuzz: &Fuzz, trial: &Path) -> bool {
    let began = Instant::now();
    let arguments = ["--replay".to_owned(), trial.display().to_string()];
    in_child(fuzz, &arguments, || began.elapsed() > LIMIT * 2)
        .is_ok_and(|(status, said)| fault(status, &said).is_some())
}
