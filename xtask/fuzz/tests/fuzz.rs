//! `cargo xtask fuzz` finds nothing in the core, and finds what is planted.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// Runs the fuzzer; returns whether it succeeded and what it printed.
fn run_fuzzer(arguments: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask-fuzz"));
    command.args(arguments).arg("--out").arg(folder.path());
    let output = command.output().expect("it starts");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("the folder is there").flatten().map(|file| file.path()).collect();
    let cases = left.iter().filter(|file| file.extension().is_some_and(|extension| extension == "case"));
    let cases: Vec<String> = cases.map(|file| fs::read_to_string(file).expect("a case can be read")).collect();
    assert_eq!(cases.is_empty(), output.status.success(), "a failing case is left in a file: {said}");
    (output.status.success(), cases.concat() + &said)
}

#[test]
fn no_case_of_a_short_run_fails() {
    let (well, said) = run_fuzzer(&["--seed", "20", "--cases", "2500", "--seconds", "600"]);
    assert!(well && said.contains("2500 cases, none failed"), "{said}");
}

#[test]
fn a_planted_fault_is_found_and_made_small() {
    for (plant, told) in [("panic", "it panicked: planted"), ("overflow", "its process died"), ("hang", "did not end")]
    {
        let began = Instant::now();
        let (well, said) = run_fuzzer(&["--seed", "3", "--cases", "2000", "--seconds", "600", "--plant", plant]);
        assert!(!well && said.contains(told) && said.contains("seed 3"), "{plant}: {said}");
        let case = said.lines().nth(1).unwrap_or_default();
        assert!(case.contains("suspend"), "{plant}: {said}");
        // What is left of a hanging case depends on how often it may be tried.
        assert!(plant == "hang" || case == "suspend", "{plant}: {said}");
        assert!(began.elapsed() < Duration::from_mins(5), "{plant} ends");
    }
}
