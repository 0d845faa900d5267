//! Parses expressions in the form in which they are evaluated.

use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_diagnostics::OxcDiagnostic;
use oxc_parser::{ParseOptions, Parser};
use oxc_span::SourceType;

use super::SyntaxFault;
use super::expression_reader::Reader;
use super::function_wrapper::wrapper_text;
use super::line_index::Lines;
use super::token::{Kind, Token};

/// Checks the syntax: first [`super::check_source_nesting`], then a parser on the form that would be evaluated.
///
/// A predicate must be an expression, not statements. Faults that depend on scopes (a name that is declared twice) are
/// only found by the engine when it runs.
pub fn check_syntax(source: &str, predicate: bool) -> Result<(), SyntaxFault> {
    Reader::default().read(source, predicate).map(drop)
}

/// Finds an `import` or `export` that is not a property's name; the parser leaves them to a later pass.
fn module_word<'t, 's>(tokens: &'t [Token<'s>]) -> Option<&'t Token<'s>> {
    let is_module = |word: &Token<'_>| word.kind == Kind::Word && matches!(word.text, "import" | "export");
    let found = tokens.iter().enumerate().find(|(position, word)| {
        let key = tokens.get(position + 1).is_some_and(|next| next.is_punctuator(":"));
        let member = position.checked_sub(1).is_some_and(|before| tokens[before].is_dot());
        is_module(word) && !key && !member
    });
    found.map(|(_, word)| word)
}

/// Refuses `import` and `export`: expressions are not modules.
pub(super) fn without_modules(source: &str, tokens: &[Token<'_>]) -> Result<(), SyntaxFault> {
    match module_word(tokens) {
        Some(word) => {
            let message = format!("`{}` is not available: expressions cannot use modules", word.text);
            Err(SyntaxFault::at_byte(source, word.start, message))
        }
        None => Ok(()),
    }
}

/// Parses a scanned source in the form in which it is evaluated; the user's source begins at byte `start`.
pub(super) fn parse_program<'a>(
    allocator: &'a Allocator,
    source: &str,
    tokens: &[Token<'_>],
    predicate: bool,
) -> Result<(Program<'a>, usize), SyntaxFault> {
    let (before, after) = wrapper_text(tokens, predicate);
    let text = allocator.alloc_concat_strs_array([before, source, after]);
    let options = ParseOptions { parse_regular_expression: true, preserve_parens: false, ..ParseOptions::default() };
    let parsed = Parser::new(allocator, text, SourceType::script()).with_options(options).parse();
    match parsed.diagnostics.first() {
        Some(fault) => Err(locate_fault(source, before.len(), fault)),
        None if parsed.panicked => {
            Err(SyntaxFault { message: "the expression cannot be parsed".to_owned(), span: None })
        }
        None => Ok((parsed.program, before.len())),
    }
}

/// Converts a parser's first fault to a position in the user's source.
pub(crate) fn locate_fault(source: &str, start: usize, fault: &OxcDiagnostic) -> SyntaxFault {
    let byte = fault.labels.first().map(|label| (label.offset() as usize).saturating_sub(start).min(source.len()));
    let message = match byte {
        Some(byte) if byte >= source.trim_end().len() => "unexpected end of the expression".to_owned(),
        Some(_) | None => plain_message(&fault.message),
    };
    SyntaxFault { message, span: byte.map(|byte| Lines::from_source(source).span_of_byte(byte)) }
}

/// Converts a parser's message: lower case, no full stop, and without the brackets of the wrapper.
fn plain_message(message: &str) -> String {
    let message = message.trim_end_matches(['.', '\n']);
    // The brackets of the source are balanced, so a missing one belongs to the wrapper.
    let found = message.starts_with("Expected").then(|| message.split_once("`)` but found")).flatten();
    let message = found.map_or_else(|| message.to_owned(), |(_, found)| format!("unexpected{found}"));
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Span;

    fn check_syntax(source: &str, predicate: bool, expected: Option<(&str, u32, u32)>) {
        let found = super::check_syntax(source, predicate).err();
        let found = found.map(|fault| (fault.message, fault.span));
        let expected = expected.map(|(message, line, column)| (message.to_owned(), Some(Span { line, column })));
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn what_openflow_allows_is_accepted() {
        for source in [
            "",
            "flow_input.x",
            "{a: 1}",
            "{...flow_input, b: 2}",
            "let x = 1; x + 1",
            "await Promise.resolve(1)",
            "const f = async () => await 1; return f()",
            "return results.a.output.map(n => n * results.b.k)",
            "results['a']?.b ?? `x${1}`",
            "/(?<year>\\d{4})/u.exec(flow_input.text).groups.year",
            "function f() { return 1 } return f()",
            "for await (const x of []) { } return 2n ** 3n",
            "class A { #p = 1; static { } get p() { return this.#p } } return new A().p",
        ] {
            check_syntax(source, false, None);
        }
        check_syntax("results.a && !flow_input.b", true, None);
    }

    #[test]
    fn a_fault_is_placed_in_the_users_text() {
        check_syntax("1 +", false, Some(("unexpected end of the expression", 1, 4)));
        check_syntax("a\n  b", false, Some(("unexpected `Identifier`", 2, 3)));
        check_syntax("é + )", false, Some(("unmatched `)`", 1, 5)));
        check_syntax("let x = ;", false, Some(("unexpected token", 1, 9)));
        check_syntax("return 1", true, Some(("unexpected token", 1, 1)));
        check_syntax("a; b", true, Some(("unexpected `;`", 1, 2)));
        check_syntax("}); evil(); ({", false, Some(("unmatched `}`", 1, 1)));
        check_syntax(
            "/(?<a>x)(?<a>y)/",
            false,
            Some(("invalid regular expression: Duplicated capturing group names", 1, 5)),
        );
        check_syntax(
            "a; export default 1;",
            false,
            Some(("`export` is not available: expressions cannot use modules", 1, 4)),
        );
        check_syntax("import('x')", false, Some(("`import` is not available: expressions cannot use modules", 1, 1)));
        check_syntax("{import: results.a.export}", false, None);
    }
}
