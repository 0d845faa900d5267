//! Wraps expressions in a function for the JavaScript engine.

use super::token::{Kind, Token, split_tokens};

/// Words that begin a statement, whose value is not returned implicitly. Source: OpenFlow, implicit return.
const STATEMENT_WORDS: [&str; 14] = [
    "return", "const", "let", "var", "if", "for", "while", "switch", "try", "throw", "function", "class", "async",
    "await",
];

/// Wraps an expression in a call of an async function, whose promise settles with the value.
///
/// The value of an expression is returned implicitly, unless it begins with one of the words `return const let var if
/// for while switch try throw function class async await` or contains a `;`. A predicate is always an expression,
/// converted by `Boolean`. An empty source is null, or false as a predicate.
pub fn wrap_expression(source: &str, predicate: bool) -> String {
    // Source that is not JavaScript is left to the parser, in the most common shape.
    let (before, after) = match split_tokens(source) {
        Ok(tokens) => wrapper_text(&tokens, predicate),
        Err(_) => wrapper_text(&UNREADABLE, predicate),
    };
    format!("{before}{source}{after}")
}

/// Placeholder tokens for source that cannot be split into tokens.
const UNREADABLE: [Token<'static>; 1] = [Token { kind: Kind::Punctuator, start: 0, text: "" }];

/// Returns the wrapper's text before and after a source with these tokens.
pub(super) fn wrapper_text(tokens: &[Token<'_>], predicate: bool) -> (&'static str, &'static str) {
    match (tokens, predicate) {
        ([], true) => ("(async function () { return false;\n", "\n})()"),
        ([], false) => ("(async function () {\n", "\n})()"),
        (_, true) => ("(async function () { return Boolean((\n", "\n)); })()"),
        (tokens, false) if has_statements(tokens) => ("(async function () {\n", "\n})()"),
        (_, false) => ("(async function () { return (\n", "\n); })()"),
    }
}

fn has_statements(tokens: &[Token<'_>]) -> bool {
    let first = tokens.first();
    first.is_some_and(|token| token.kind == Kind::Word && STATEMENT_WORDS.contains(&token.text))
        || tokens.iter().any(|token| token.is_punctuator(";"))
}

#[cfg(test)]
mod tests {
    use super::wrap_expression;

    fn check(source: &str, predicate: bool, expected: &str) {
        assert_eq!(wrap_expression(source, predicate), format!("(async function () {expected})()"), "{source}");
    }

    #[test]
    fn an_expression_is_returned_and_statements_are_left_alone() {
        check("a", false, "{ return (\na\n); }");
        check("iffy", false, "{ return (\niffy\n); }");
        check("';'", false, "{ return (\n';'\n); }");
        check("{a: 1}", false, "{ return (\n{a: 1}\n); }");
        check("a // ;", false, "{ return (\na // ;\n); }");
        check("a;", false, "{\na;\n}");
        check("let x = 1", false, "{\nlet x = 1\n}");
        check(" /* c */ return 1", false, "{\n /* c */ return 1\n}");
        check(" ", false, "{\n \n}");
    }

    #[test]
    fn a_predicate_is_always_an_expression() {
        check("a, b", true, "{ return Boolean((\na, b\n)); }");
        check("return 1", true, "{ return Boolean((\nreturn 1\n)); }");
        check("// none", true, "{ return false;\n// none\n}");
    }
}
