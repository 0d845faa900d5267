//! Progress lines for cargo where it draws no progress bar.

use std::io::IsTerminal as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use crate::Result;
use crate::output::print_line;
use crate::tool::Tool;

/// Interval between two progress lines.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// Runs cargo. On a terminal cargo draws its own progress bar; elsewhere (a log, CI) a line every few seconds reports how
/// many crates are compiled.
///
/// # Errors
/// Cargo can't be started, or fails; its messages have been printed.
pub async fn run_cargo(cargo: Tool) -> Result {
    if std::io::stderr().is_terminal() {
        return cargo.run().await;
    }
    let name = cargo.command_line();
    let cargo = cargo.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", "120");
    let mut process = cargo.spawn(Stdio::inherit(), Stdio::piped())?;
    let messages = process.child().stderr.take().expect("its messages are piped");
    print_progress(messages).await;
    let status = process.wait().await?;
    if status.success() { Ok(()) } else { Err(format!("`{name}` ended with {status}")) }
}

/// Prints cargo's messages, and its progress at intervals.
async fn print_progress(stream: impl AsyncRead + Unpin) {
    let start = Instant::now();
    let mut reader = BufReader::new(stream);
    let mut printed_at: Option<Instant> = None;
    let mut line = Vec::new();
    // Cargo ends its progress bar with a carriage return.
    while let Ok(1..) = reader.read_until(b'\r', &mut line).await {
        let text = String::from_utf8_lossy(&line).into_owned();
        line.clear();
        for part in text.split(['\r', '\n']).filter(|part| !part.trim().is_empty()) {
            match CargoLine::parse(part) {
                CargoLine::Progress(progress) => {
                    if printed_at.is_none_or(|at| at.elapsed() >= PROGRESS_INTERVAL) {
                        printed_at = Some(Instant::now());
                        print_line(format!("{:5.0} s  {progress}", start.elapsed().as_secs_f64()));
                    }
                }
                CargoLine::UnitStarted => (),
                CargoLine::Message(message) => print_line(message),
            }
        }
    }
}

/// A line of cargo's standard error.
#[derive(Debug, PartialEq, Eq)]
enum CargoLine<'a> {
    /// The progress bar, in words.
    Progress(String),
    /// A crate starts to compile or download; the progress bar reports it too.
    UnitStarted,
    /// Anything else, such as warnings and errors.
    Message(&'a str),
}

impl<'a> CargoLine<'a> {
    fn parse(line: &'a str) -> Self {
        // The progress bar may follow the escape sequence that clears the line.
        let plain = line.trim_start_matches("\u{1b}[K").trim_start();
        if let Some(progress) = parse_bar(plain) {
            return Self::Progress(progress);
        }
        let is_unit =
            ["Compiling ", "Downloaded ", "Downloading ", "Fresh "].iter().any(|word| plain.starts_with(word));
        if is_unit { Self::UnitStarted } else { Self::Message(line) }
    }
}

/// Parses a progress bar such as `Building [==>  ] 123/456: serde, tokio`.
fn parse_bar(line: &str) -> Option<String> {
    let (_, rest) = line.strip_prefix("Building [")?.split_once("] ")?;
    let (counts, current) = rest.split_once(": ").unwrap_or((rest, ""));
    let (done, total) = counts.trim().split_once('/')?;
    let (done, total): (u32, u32) = (done.parse().ok()?, total.parse().ok()?);
    let current = current.trim();
    let current = if current.is_empty() { String::new() } else { format!(", compiling {current}") };
    Some(format!("{done} of {total} crates done, {} left{current}", total.saturating_sub(done)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_put_into_words() {
        let cases = [
            (
                "    Building [======>      ] 123/456: boa_engine, serde(build)",
                "123 of 456 crates done, 333 left, compiling boa_engine, serde(build)",
            ),
            ("\u{1b}[K    Building [>  ] 0/3", "0 of 3 crates done, 3 left"),
        ];
        for (line, expected) in cases {
            assert_eq!(CargoLine::parse(line), CargoLine::Progress(expected.to_owned()), "{line}");
        }
    }

    #[test]
    fn messages_are_shown_and_names_of_crates_are_not() {
        assert_eq!(CargoLine::parse("   Compiling serde v1.0.0"), CargoLine::UnitStarted);
        let error = "error[E0308]: mismatched types";
        assert_eq!(CargoLine::parse(error), CargoLine::Message(error));
    }
}
