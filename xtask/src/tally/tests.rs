//! `captured` contains the runners' real output for a few small tests.

use super::*;

/// Checks the count of passed tests, and each failed test's name with a line of its output.
fn check(runner: Runner, output: &str, passed: usize, failures: &[(&str, &str)]) {
    let report = TestReport::parse(runner, output, failures.is_empty());
    let names: Vec<_> = report.failures.iter().map(|failure| failure.name.as_str()).collect();
    assert_eq!(names, failures.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "{runner:?}");
    for (failure, (_, line)) in report.failures.iter().zip(failures) {
        assert!(failure.output.lines().any(|found| found.trim() == *line), "no line `{line}` in\n{}", failure.output);
    }
    assert_eq!(report.passed, passed, "{runner:?}");
}

#[test]
fn failed_rust_tests_are_named_once_with_their_output() {
    let nextest = include_str!("captured/nextest.txt");
    check(
        Runner::Nextest,
        nextest,
        2,
        &[
            ("sample tests::one_is_two", "assertion `left == right` failed: one is not two"),
            ("sample::http aborts", "(test aborted with signal 6: SIGABRT)"),
            ("sample::http returns_404", "GET /x"),
            ("sample tests::hangs", "(test timed out)"),
        ],
    );
    let doctest = include_str!("captured/cargo-doctest.txt");
    let name = "src/lib.rs - one (line 2)";
    check(Runner::CargoTest, doctest, 0, &[(name, "assertion `left == right` failed")]);
}

#[test]
fn failed_javascript_tests_are_named_with_their_output() {
    let (picture, equal) = ("a client gets its picture", "is equal to native");
    let node = include_str!("captured/node.tap");
    check(
        Runner::Node,
        node,
        2,
        &[(picture, "1 !== 2"), (equal, "error: 'no such module'"), ("/home/dev/js/b.mjs", "exitCode: 1")],
    );
    let vitest = include_str!("captured/vitest.txt");
    check(
        Runner::Vitest,
        vitest,
        1,
        &[
            ("c.test.ts [ c.test.ts ]", "Error: Cannot find module './missing' imported from /home/dev/fe/c.test.ts"),
            ("a.test.ts > format > shows seconds", "Expected: \"2 s\""),
            ("a.test.ts > format > throws", "Error: boom"),
        ],
    );
    let playwright = include_str!("captured/playwright.txt");
    let picture = "e2e/a.spec.ts:4:3 › job page › shows the picture";
    check(
        Runner::Playwright,
        playwright,
        1,
        &[
            (picture, "Error: element(s) not found"),
            ("e2e/a.spec.ts:6:1 › times out", "Test timeout of 2000ms exceeded."),
        ],
    );
}

#[test]
fn failed_python_tests_are_named_with_their_output() {
    let unittest = include_str!("captured/unittest.txt");
    check(
        Runner::Unittest,
        unittest,
        1,
        &[
            ("test_divides (sample.Sample.test_divides)", "ZeroDivisionError: division by zero"),
            ("test_one_is_two (sample.Sample.test_one_is_two)", "AssertionError: 1 != 2"),
        ],
    );
}

#[test]
fn the_summaries_of_passed_runs_are_counted() {
    check(Runner::CargoTest, "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out", 12, &[]);
    check(Runner::CargoTest, "test result: ok. 1 passed; 0 failed\ntest result: ok. 2 passed; 0 failed", 3, &[]);
    check(Runner::Nextest, "     Summary [   2.219s] 30 tests run: 30 passed (1 slow), 0 skipped", 30, &[]);
    check(Runner::Node, "# tests 4\n# suites 0\n# pass 4\n# fail 0\n# cancelled 0", 4, &[]);
    check(Runner::Vitest, " Test Files  3 passed (3)\n      Tests  12 passed (12)", 12, &[]);
    check(Runner::Playwright, "Running 21 tests using 1 worker\n\n  21 passed (2.0m)", 21, &[]);
    check(Runner::SvelteCheck, "svelte-check found 0 errors and 0 warnings", 0, &[]);
}

#[test]
fn a_run_that_ends_badly_counts_as_a_failed_test() {
    let message = "error: could not compile `apiflow-core`";
    check(Runner::Nextest, message, 0, &[("cargo nextest", message)]);
    let message = "src/lib/jobs.ts:3:7 Error: Type 'string' is not assignable to type 'number'.";
    check(Runner::SvelteCheck, message, 0, &[("svelte-check", message)]);
}
