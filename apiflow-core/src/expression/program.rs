//! The text that the JavaScript engine is handed.

use super::token::{Kind, Token, tokens};

/// Words that begin a statement, so that nothing is returned by itself. Source: OpenFlow, implicit return.
const STATEMENT_WORDS: [&str; 14] = [
    "return", "const", "let", "var", "if", "for", "while", "switch", "try", "throw", "function", "class", "async",
    "await",
];

/// The expression as a call of an async function, whose promise is the value.
///
/// An expression is returned by itself, unless it begins with one of the words `return const let var if for while
/// switch try throw function class async await` or holds a `;`. A predicate is always an expression, coerced by
/// `Boolean`. An empty text is null, as a predicate false.
pub fn program(source: &str, predicate: bool) -> String {
    let (before, after) = wrapping(source, predicate);
    format!("{before}{source}{after}")
}

/// What goes before and after the expression.
pub(super) fn wrapping(source: &str, predicate: bool) -> (&'static str, &'static str) {
    // A text that is no JavaScript is for the parser to refuse, in the shape that most texts have.
    let tokens = tokens(source);
    match (tokens.as_deref(), predicate) {
        (Ok([]), true) => ("(async function () { return false;\n", "\n})()"),
        (Ok([]), false) => ("(async function () {\n", "\n})()"),
        (_, true) => ("(async function () { return Boolean((\n", "\n)); })()"),
        (Ok(tokens), false) if has_statements(tokens) => ("(async function () {\n", "\n})()"),
        (_, false) => ("(async function () { return (\n", "\n); })()"),
    }
}

fn has_statements(tokens: &[Token<'_>]) -> bool {
    let first = tokens.first();
    first.is_some_and(|token| token.kind == Kind::Word && STATEMENT_WORDS.contains(&token.text))
        || tokens.iter().any(|token| token.is(";"))
}
