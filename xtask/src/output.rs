//! Output for the user at the terminal.

use std::io::Write as _;

/// Writes a line to standard output. A closed pipe is not a failure.
pub fn print_line(line: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", line.as_ref());
    let _ = out.flush();
}

/// Writes a headline before a part of a task.
pub fn print_headline(text: &str) {
    print_line(format!("\n== {text}"));
}

/// Numbers the parts of a task, so that the reader sees how many are left.
pub struct PartCounter {
    part: usize,
    total: usize,
}

impl PartCounter {
    /// Counts the parts of a task that has `total` of them.
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self { part: 0, total }
    }

    /// Writes the headline of the next part.
    pub fn print_next(&mut self, text: &str) {
        self.part += 1;
        print_line(format!("\n[{}/{}] {text}", self.part, self.total));
    }
}
