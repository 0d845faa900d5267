//! `cargo xtask fuzz`: searches for documents and expressions on which the core panics, overflows its stack, takes all
//! memory or does not end.
//!
//! A child process tries one case after the other, and writes each to a file before. The parent notices a child that
//! dies or hangs, and minimises the case by trying parts of it, each in a process of its own.

mod minimise;
mod mutate;
mod seeds;
mod targets;

use std::fs;
use std::io::Write as _;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;

use self::mutate::Mutator;
use self::targets::{Case, PlantedFault};

/// The result of a search; the error is a message for the person at the terminal.
type Result<T = ()> = std::result::Result<T, String>;

/// The time that one case may take.
const CASE_TIMEOUT: Duration = Duration::from_secs(2);

/// The memory that a process that tries cases may take.
const MAX_MEMORY_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Searches for documents on which the core panics, overflows its stack or does not end.
#[derive(Parser, Clone)]
#[command(name = "cargo xtask fuzz", bin_name = "cargo xtask fuzz")]
struct FuzzOptions {
    /// Seconds to search for.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Number of cases to try at most.
    #[arg(long)]
    cases: Option<u64>,
    /// Seed of the first case; the same seed generates the same cases.
    #[arg(long)]
    seed: Option<u64>,
    /// Try one case from a file that a failing search has written.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Folder for failing cases; `target/fuzz` by default.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Run as the process that tries the cases.
    #[arg(long, hide = true)]
    child: bool,
    /// A fault to find, to check that faults are found.
    #[arg(long, hide = true, value_enum)]
    plant: Option<PlantedFault>,
}

fn main() -> ExitCode {
    match run(&FuzzOptions::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's top folder.
fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this package lies two folders deep")
}

/// The folder for failing cases, unless the options name another.
fn default_output_dir() -> PathBuf {
    let configured = std::env::var_os("CARGO_TARGET_DIR");
    configured.map_or_else(|| workspace_root().join("target"), |folder| workspace_root().join(folder)).join("fuzz")
}

fn print_line(line: impl AsRef<str>) {
    // A reader that has gone away is no reason to stop.
    let _ = writeln!(std::io::stdout(), "{}", line.as_ref());
}

/// Searches until the time is up or a case fails.
fn run(options: &FuzzOptions) -> Result {
    if let Some(file) = &options.replay {
        let case = Case::read(file)?;
        return run_case(&case, options.plant);
    }
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let folder = options.out.clone().unwrap_or_else(default_output_dir);
    fs::create_dir_all(&folder).map_err(|error| format!("{} can't be created: {error}", folder.display()))?;
    if options.child {
        return try_cases(options, seed, &folder);
    }
    print_line(format!("\n== fuzz: seed {seed}"));
    let current = folder.join("current");
    let _ = fs::remove_file(&current);
    match watch_child(options, seed, &folder, &current)? {
        None => Ok(()),
        Some(fault) => Err(report_fault(options, seed, &folder, &current, &fault)),
    }
}

/// Tries cases in this process until the time is up; ends with the first that fails.
fn try_cases(options: &FuzzOptions, seed: u64, folder: &Path) -> Result {
    limit_memory()?;
    let deadline = Instant::now() + Duration::from_secs(options.seconds);
    let mut mutator = Mutator::new(seed, seeds::read_seeds()?);
    let current = folder.join("current");
    let mut tried = 0;
    while Instant::now() < deadline && options.cases.is_none_or(|most| tried < most) {
        let case = mutator.next_case();
        case.write(&current)?;
        run_case(&case, options.plant)?;
        tried += 1;
    }
    print_line(format!("{tried} cases, none failed"));
    Ok(())
}

/// Tries one case in this process.
fn run_case(case: &Case, plant: Option<PlantedFault>) -> Result {
    std::panic::set_hook(Box::new(|_| {}));
    let began = Instant::now();
    let outcome = catch_unwind(|| targets::run_checks(case, plant));
    let took = began.elapsed();
    let _ = std::panic::take_hook();
    match outcome {
        Err(panic) => {
            let message = panic.downcast_ref::<String>().cloned();
            let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("it panicked: {}", message.unwrap_or_default()))
        }
        Ok(Err(broken)) => Err(broken),
        Ok(Ok(())) if took > CASE_TIMEOUT => Err(format!("it took {:.1} s", took.as_secs_f64())),
        Ok(Ok(())) => Ok(()),
    }
}

fn limit_memory() -> Result {
    rlimit::setrlimit(rlimit::Resource::AS, MAX_MEMORY_BYTES, MAX_MEMORY_BYTES)
        .map_err(|error| format!("can't limit the memory: {error}"))
}

/// Runs the child that tries the cases; returns how its last case failed, if it did.
fn watch_child(options: &FuzzOptions, seed: u64, folder: &Path, current: &Path) -> Result<Option<String>> {
    let mut arguments = vec!["--child".to_owned(), "--seed".to_owned(), seed.to_string()];
    arguments.extend(["--seconds".to_owned(), options.seconds.to_string()]);
    arguments.extend(options.cases.iter().flat_map(|cases| ["--cases".to_owned(), cases.to_string()]));
    arguments.extend(["--out".to_owned(), folder.display().to_string()]);
    let idle_time = || fs::metadata(current).and_then(|file| file.modified()).ok().and_then(|at| at.elapsed().ok());
    // Between two cases a process may have to wait for its turn.
    let is_stuck = || idle_time().is_some_and(|idle| idle > CASE_TIMEOUT * 2);
    let (status, output) = run_in_child(options, &arguments, is_stuck)?;
    Ok(find_fault(status, &output))
}

/// Runs this program again, and kills it if it hangs; the status is `None` then.
fn run_in_child(
    options: &FuzzOptions,
    arguments: &[String],
    is_stuck: impl Fn() -> bool,
) -> Result<(Option<ExitStatus>, String)> {
    let program = std::env::current_exe().map_err(|error| format!("can't find this program: {error}"))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::inherit()).stderr(Stdio::piped());
    command.args(options.plant.iter().flat_map(|plant| ["--plant", plant.as_str()]));
    let mut child = command.spawn().map_err(|error| format!("can't start the child process: {error}"))?;
    let failed = |error: std::io::Error| format!("can't wait for the child process: {error}");
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break Some(status);
        }
        if is_stuck() {
            child.kill().map_err(failed)?;
            child.wait().map_err(failed)?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut output = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = std::io::Read::read_to_string(&mut stderr, &mut output);
    }
    Ok((status, output))
}

/// Returns the fault that a child's end shows, if it failed.
fn find_fault(status: Option<ExitStatus>, output: &str) -> Option<String> {
    let last = output.lines().last().unwrap_or_default().trim_start_matches("error: ");
    match status {
        Some(status) if status.success() => None,
        Some(status) if status.code().is_some() => Some(last.to_owned()),
        Some(status) => Some(format!("its process died ({status})")),
        None => Some(format!("it did not end within {} s", CASE_TIMEOUT.as_secs())),
    }
}

/// Minimises the failing case and writes it to a file; returns the message about it.
fn report_fault(options: &FuzzOptions, seed: u64, folder: &Path, current: &Path, fault: &str) -> String {
    let Ok(case) = Case::read(current) else { return format!("seed {seed}: {fault}") };
    let trial = folder.join("trial");
    let fails = |input: &[u8]| {
        let smaller = Case { target: case.target, input: input.to_vec() };
        smaller.write(&trial).is_ok() && still_fails(options, &trial)
    };
    print_line(format!("{fault}; minimising the case of {} bytes", case.input.len()));
    let input = if fails(&case.input) { minimise::minimise_input(&case.input, fails) } else { case.input.clone() };
    let minimised = Case { target: case.target, input };
    let file = folder.join(format!("{}-{seed}.case", case.target.as_str()));
    let written = minimised.write(&file);
    let _ = fs::remove_file(&trial);
    let place = written.map_or_else(|error| error, |()| file.display().to_string());
    let shown = String::from_utf8_lossy(&minimised.input).into_owned();
    format!(
        "seed {seed}: {}: {fault}\n{shown}\nwritten to {place}; `cargo xtask fuzz --replay FILE` tries it again",
        case.target.as_str()
    )
}

fn still_fails(options: &FuzzOptions, trial: &Path) -> bool {
    let began = Instant::now();
    let arguments = ["--replay".to_owned(), trial.display().to_string()];
    run_in_child(options, &arguments, || began.elapsed() > CASE_TIMEOUT * 2)
        .is_ok_and(|(status, output)| find_fault(status, &output).is_some())
}
