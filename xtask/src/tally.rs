//! Counting tests from the summaries of their runners.

/// The numbers of tests that passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TestCounts {
    /// Number of tests that passed.
    pub passed: usize,
    /// Number of tests that failed.
    pub failed: usize,
}

impl TestCounts {
    /// Reads the summaries of cargo test, cargo nextest, node's test runner, vitest and Playwright. A suite that ended
    /// badly without naming a failure counts as one.
    #[must_use]
    pub fn parse(output: &str, ended_well: bool) -> Self {
        let mut counts = output.lines().map(parse_line).fold(Self::default(), Self::plus);
        if !ended_well && counts.failed == 0 {
            counts.failed = 1;
        }
        counts
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

fn parse_line(text: &str) -> TestCounts {
    let text = text.trim();
    // cargo test, cargo nextest, vitest: all counts stand in one line.
    for start in ["test result:", "Summary [", "Tests "] {
        if let Some(rest) = text.strip_prefix(start) {
            let failed = number_before(rest, "failed") + number_before(rest, "timed out");
            return TestCounts { passed: number_before(rest, "passed"), failed };
        }
    }
    match text.split_whitespace().collect::<Vec<_>>().as_slice() {
        // node --test, reporter "tap".
        ["#", "pass", count] => TestCounts { passed: parse_number(count), failed: 0 },
        ["#", "fail", count] => TestCounts { passed: 0, failed: parse_number(count) },
        // Playwright.
        [count, "passed", time] if time.starts_with('(') => TestCounts { passed: parse_number(count), failed: 0 },
        [count, "failed"] => TestCounts { passed: 0, failed: parse_number(count) },
        _ => TestCounts::default(),
    }
}

/// The number before a word, as in `3 failed` or `2 timed out`; 0 where there is none.
fn number_before(text: &str, word: &str) -> usize {
    let found = text.match_indices(word).find_map(|(at, _)| {
        let last = text[..at].split_whitespace().next_back()?;
        last.trim_matches(|letter: char| !letter.is_ascii_digit()).parse().ok()
    });
    found.unwrap_or(0)
}

fn parse_number(text: &str) -> usize {
    text.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(output: &str, ended_well: bool, passed: usize, failed: usize) {
        assert_eq!(TestCounts::parse(output, ended_well), TestCounts { passed, failed }, "{output}");
    }

    #[test]
    fn the_summaries_of_all_runners_are_counted() {
        check("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out", true, 12, 0);
        check("test result: ok. 1 passed; 0 failed\ntest result: FAILED. 2 passed; 3 failed", false, 3, 3);
        check("     Summary [   2.219s] 30 tests run: 30 passed, 0 skipped", true, 30, 0);
        check(
            "     Summary [   2.2s] 9/30 tests run: 7 passed (1 slow), 1 failed, 1 timed out, 2 skipped",
            false,
            7,
            2,
        );
        check("# tests 4\n# suites 0\n# pass 3\n# fail 1\n# cancelled 0", false, 3, 1);
        check(" Test Files  3 passed (3)\n      Tests  12 passed (12)", true, 12, 0);
        check("      Tests  1 failed | 11 passed (12)", false, 11, 1);
        check("Running 21 tests using 1 worker\n  21 passed (2.0m)", true, 21, 0);
        check("  1 failed\n    [chromium] › a.spec.ts:3:1 › works\n  20 passed (2.0m)", false, 20, 1);
    }

    #[test]
    fn a_suite_that_ends_badly_counts_as_a_failure() {
        check("error: could not compile `apiflow-core`", false, 0, 1);
        check("", true, 0, 0);
        check("the word passed alone, or 3 failed attempts in a sentence", true, 0, 0);
    }
}
