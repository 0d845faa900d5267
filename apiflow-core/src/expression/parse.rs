//! Parses an expression in the form that it is evaluated in.

use oxc_allocator::Allocator;
use oxc_diagnostics::OxcDiagnostic;
use oxc_parser::{ParseOptions, Parser, ParserReturn};
use oxc_span::SourceType;

use super::program::wrapping;
use super::scan::scan;
use super::{SyntaxFault, span_at};

/// Says whether the text parses: [`scan`], then a parser on what would be evaluated.
///
/// A predicate must be an expression, not statements. Faults that need scopes (a name declared twice) are found by
/// the engine, when it runs.
pub fn check(source: &str, predicate: bool) -> Result<(), SyntaxFault> {
    scan(source)?;
    parsed(source, predicate, |program| match program.diagnostics.first() {
        Some(fault) => Err(located(source, predicate, fault)),
        None if program.panicked => {
            Err(SyntaxFault { message: "the expression can't be parsed".to_owned(), span: None })
        }
        None => Ok(()),
    })
}

/// Parses a text that was scanned and shows the outcome to `look`.
pub(super) fn parsed<T>(source: &str, predicate: bool, look: impl FnOnce(&ParserReturn<'_>) -> T) -> T {
    let allocator = Allocator::default();
    let (before, after) = wrapping(source, predicate);
    let text = format!("{before}{source}{after}");
    let options = ParseOptions { parse_regular_expression: true, ..ParseOptions::default() };
    look(&Parser::new(&allocator, &text, SourceType::script()).with_options(options).parse())
}

/// The byte of the user's text that a byte of the parsed text is.
pub(super) fn offset(source: &str, predicate: bool, byte: u32) -> usize {
    (byte as usize).saturating_sub(wrapping(source, predicate).0.len()).min(source.len())
}

fn located(source: &str, predicate: bool, fault: &OxcDiagnostic) -> SyntaxFault {
    let byte = fault.labels.first().map(|label| label.offset() as u32);
    let span = byte.map(|byte| span_at(source, offset(source, predicate, byte)));
    SyntaxFault { message: plain(&fault.message), span }
}

/// A parser's message in the house's form: lower case, no full stop.
fn plain(message: &str) -> String {
    let message = message.trim_end_matches(['.', '\n']);
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}
