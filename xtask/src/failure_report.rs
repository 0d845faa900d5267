//! The end of the output of a failed run: which tests failed, and why. CI shows little more than the end of a long log.

use std::fmt::Write as _;

use crate::tally::FailedTest;

/// Numbers of lines of a failed test's output that are shown: the first ones usually say what was expected, the last ones
/// what happened.
const MAX_FIRST_LINES: usize = 6;
const MAX_LAST_LINES: usize = 16;

/// Maximum number of failed tests whose output is shown; all of them are named.
const MAX_SHOWN_OUTPUTS: usize = 15;

/// Describes failed tests: the essential lines of their output, then all their names.
#[must_use]
pub fn describe_failures(failures: &[FailedTest]) -> String {
    let plural = if failures.len() == 1 { "" } else { "s" };
    let mut text = format!("{} test{plural} failed\n", failures.len());
    for failure in failures.iter().take(MAX_SHOWN_OUTPUTS) {
        let _ = write!(text, "\n--- {}\n{}", failure.name, shorten_output(&failure.output));
    }
    text.push_str("\nfailed tests:");
    for failure in failures {
        let _ = write!(text, "\n  {}", failure.name);
    }
    text
}

/// Returns the first and the last lines of a test's output, without blank lines and stack backtraces.
fn shorten_output(output: &str) -> String {
    let mut lines = Vec::new();
    let mut in_backtrace = false;
    for line in output.lines() {
        let content = line.trim();
        if content == "stack backtrace:" {
            in_backtrace = true;
        } else if content.is_empty() {
            in_backtrace = false;
        } else if !in_backtrace {
            lines.push(line);
        }
    }
    if lines.len() > MAX_FIRST_LINES + MAX_LAST_LINES {
        lines.splice(MAX_FIRST_LINES..lines.len() - MAX_LAST_LINES, ["    […]"]);
    }
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::{Runner, TestReport};

    #[test]
    fn the_report_shows_panics_without_backtraces_and_ends_with_the_names() {
        let output = include_str!("tally/captured/nextest.txt");
        let report = describe_failures(&TestReport::parse(Runner::Nextest, output, false).failures);
        assert!(report.starts_with("4 tests failed\n\n--- sample tests::one_is_two\n"), "{report}");
        assert!(report.contains("assertion `left == right` failed: one is not two\n      left: 1\n"), "{report}");
        assert!(!report.contains("rust_begin_unwind") && !report.contains("\n\n\n"), "{report}");
        let names =
            ["sample tests::one_is_two", "sample::http aborts", "sample::http returns_404", "sample tests::hangs"];
        assert!(report.ends_with(&format!("\nfailed tests:\n  {}", names.join("\n  "))), "{report}");
    }

    #[test]
    fn a_long_output_loses_its_middle() {
        let output = (0..100).map(|line| line.to_string()).collect::<Vec<_>>().join("\n");
        let shortened = shorten_output(&output);
        assert!(shortened.starts_with("0\n1\n2\n3\n4\n5\n    […]\n84\n"), "{shortened}");
        assert!(shortened.ends_with("\n98\n99\n"), "{shortened}");
    }
}
