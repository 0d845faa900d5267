//! Talking to the person at the terminal.

use std::io::Write as _;

/// Writes a line to standard output. A reader that has gone away is no reason to stop.
pub(crate) fn say(line: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", line.as_ref());
    let _ = out.flush();
}

/// Writes a headline.
pub(crate) fn headline(text: &str) {
    say(format!("\n== {text}"));
}
