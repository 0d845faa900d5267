//! Parses the output of test runners: how many tests passed, which ones failed, and why.

/// A program that runs tests, known by the format of its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// `cargo nextest run` with `--final-status-level=fail --failure-output=final`: failed tests after the summary.
    Nextest,
    /// The output of `cargo test`.
    CargoTest,
    /// The output of `node --test` with the reporter `tap`.
    Node,
    /// The output of `python3 -m unittest -v`.
    Unittest,
    /// `svelte-check`, which has no tests: it succeeds or fails as a whole.
    SvelteCheck,
    /// The output of `vitest run`.
    Vitest,
    /// The output of `playwright test` with the reporter `list`.
    Playwright,
}

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedTest {
    /// The name by which its runner knows it.
    pub name: String,
    /// Output of the test, and the reason of the failure.
    pub output: String,
}

/// The outcome of running tests.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TestReport {
    /// Number of tests that passed.
    pub passed: usize,
    /// The tests that failed, in the order of the runner's output.
    pub failures: Vec<FailedTest>,
}

impl TestReport {
    /// Parses a runner's output. A run that failed without naming a failed test counts as one failed test.
    #[must_use]
    pub fn parse(runner: Runner, output: &str, succeeded: bool) -> Self {
        let passed = output.lines().map(|line| runner.count_passed(line)).sum();
        let mut failures = read_failures(runner, output);
        if failures.is_empty() && !succeeded {
            failures.push(FailedTest { name: runner.name().to_owned(), output: output.to_owned() });
        }
        Self { passed, failures }
    }

    /// The report of a run that could not be started.
    #[must_use]
    pub fn not_started(reason: String) -> Self {
        Self { passed: 0, failures: vec![FailedTest { name: "not started".to_owned(), output: reason }] }
    }

    /// Adds the tests of another report.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        self.passed += other.passed;
        self.failures.extend(other.failures);
        self
    }

    /// The numbers of passed and failed tests, as text.
    #[must_use]
    pub fn describe_counts(&self) -> String {
        format!("{} passed, {} failed", self.passed, self.failures.len())
    }
}

/// What a line of a runner's output means for the list of failed tests.
enum LineMeaning<'a> {
    /// The output of the failed test with this name begins.
    FailureStart(&'a str),
    /// The output of the failed test before it, if there is one, has ended.
    FailureEnd,
    /// Anything else: part of a failed test's output, if one has begun.
    Output,
}

impl Runner {
    fn name(self) -> &'static str {
        match self {
            Self::Nextest => "cargo nextest",
            Self::CargoTest => "cargo test",
            Self::Node => "node --test",
            Self::Unittest => "python3 -m unittest",
            Self::SvelteCheck => "svelte-check",
            Self::Vitest => "vitest",
            Self::Playwright => "playwright",
        }
    }

    /// Returns the number of passed tests that a line reports; 0 for all lines but those of the summary.
    fn count_passed(self, line: &str) -> usize {
        let prefix = match self {
            Self::Nextest => NEXTEST_SUMMARY,
            Self::CargoTest => "test result:",
            Self::Node => "# pass",
            Self::Vitest => "      Tests  ",
            Self::Playwright => "  ",
            Self::Unittest => return usize::from(line.ends_with(" ... ok")),
            Self::SvelteCheck => return 0,
        };
        let Some(rest) = line.strip_prefix(prefix) else { return 0 };
        match self {
            Self::Node => rest.trim().parse().unwrap_or(0),
            Self::Playwright => rest.split_once(" passed (").and_then(|(count, _)| count.parse().ok()).unwrap_or(0),
            Self::Nextest | Self::CargoTest | Self::Vitest | Self::SvelteCheck | Self::Unittest => {
                number_before(rest, " passed")
            }
        }
    }

    fn classify(self, line: &str) -> LineMeaning<'_> {
        let name = match self {
            Self::Nextest => parse_nextest_status(line),
            Self::CargoTest => line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")),
            Self::Node => parse_tap_failure(line),
            Self::Unittest => line.strip_prefix("FAIL: ").or_else(|| line.strip_prefix("ERROR: ")),
            Self::Vitest => line.strip_prefix(" FAIL  "),
            Self::Playwright => parse_playwright_headline(line),
            Self::SvelteCheck => None,
        };
        if let Some(name) = name {
            return LineMeaning::FailureStart(name);
        }
        let ends = match self {
            Self::Nextest => line.starts_with("error: "),
            Self::CargoTest => line == "failures:",
            Self::Node => line.trim() == "...",
            Self::Unittest => line.starts_with("======") || line.starts_with("Ran "),
            Self::Vitest => line.starts_with("⎯⎯"),
            Self::Playwright => {
                let counted = line.strip_prefix("  ").and_then(|rest| rest.split_once(' '));
                counted.is_some_and(|(count, _)| count.parse::<usize>().is_ok())
            }
            Self::SvelteCheck => true,
        };
        if ends { LineMeaning::FailureEnd } else { LineMeaning::Output }
    }
}

/// Start of the line after which nextest lists the failed tests.
const NEXTEST_SUMMARY: &str = "     Summary [";

fn read_failures(runner: Runner, output: &str) -> Vec<FailedTest> {
    let mut lines = output.lines();
    if runner == Runner::Nextest {
        // Before the summary, nextest lists tests of every status.
        lines.find(|line| line.starts_with(NEXTEST_SUMMARY));
    }
    let mut failures: Vec<FailedTest> = Vec::new();
    let mut open = false;
    for line in lines {
        match runner.classify(line) {
            LineMeaning::FailureStart(name) => {
                failures.push(FailedTest { name: name.to_owned(), output: String::new() });
                open = true;
            }
            LineMeaning::FailureEnd => open = false,
            LineMeaning::Output => {
                if let Some(failure) = failures.last_mut().filter(|_| open) {
                    failure.output.push_str(line);
                    failure.output.push('\n');
                }
            }
        }
    }
    // A group fails if one of its tests fails; the tests are listed separately.
    failures.retain(|failure| !failure.output.contains("failureType: 'subtestsFailed'"));
    failures
}

/// Returns the name in a line such as `        FAIL [   0.073s] (1/6) sample tests::one_is_two`: a status that ends in column
/// 12, the time, the number and the name.
fn parse_nextest_status(line: &str) -> Option<&str> {
    let (status, rest) = line.split_at_checked(12)?;
    let status = status.trim_start();
    if status.is_empty() || status.starts_with('(') {
        return None;
    }
    let (_, numbered) = rest.strip_prefix(" [")?.split_once("s] (")?;
    numbered.split_once(") ").map(|(_, name)| name)
}

/// Returns the name in a line such as `    not ok 2 - a client gets its picture`.
fn parse_tap_failure(line: &str) -> Option<&str> {
    let (_, name) = line.trim_start().strip_prefix("not ok ")?.split_once(" - ")?;
    Some(name)
}

/// Returns the name in a line such as `  1) e2e/a.spec.ts:4:3 › job page › shows the picture ─────`.
fn parse_playwright_headline(line: &str) -> Option<&str> {
    let (number, title) = line.strip_prefix("  ")?.split_once(") ")?;
    let headline = number.parse::<usize>().is_ok() && title.contains(" › ");
    headline.then(|| title.trim_end_matches(['─', ' ']))
}

/// The number directly before these words, as in `3 failed`; 0 if there is none.
fn number_before(text: &str, words: &str) -> usize {
    let found = text.split_once(words).and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok());
    found.unwrap_or(0)
}

#[cfg(test)]
mod tests;
