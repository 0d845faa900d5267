//! Splits JavaScript into tokens, without a grammar and without recursion.
//!
//! Finds every bracket that a parser would find. Where only a grammar could tell whether a `/` begins a regular
//! expression or divides, the source is refused with a request for parentheses.

use super::SyntaxFault;
use super::brackets::{Brackets, Open};

/// The lexical kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or keyword.
    Word,
    /// A number literal, including the `n` of a BigInt.
    Number,
    /// A string literal with its quotes.
    String,
    /// A regular expression literal with its flags.
    Regex,
    /// An operator or bracket.
    Punctuator,
    /// A template literal without placeholders.
    Template,
    /// A template literal up to its first `${`.
    TemplateHead,
    /// A template literal from a `}` to the next `${`.
    TemplateMiddle,
    /// A template literal from its last `}`.
    TemplateTail,
}

/// A token: its kind and its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// Byte offset of the token.
    pub(super) start: usize,
    pub(super) text: &'a str,
}

impl Token<'_> {
    /// Returns whether the token is this operator or bracket.
    pub(super) fn is_punctuator(&self, punctuator: &str) -> bool {
        self.kind == Kind::Punctuator && self.text == punctuator
    }

    /// Returns the byte range of the token.
    pub(super) fn byte_range(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// Returns whether a name after the token is a property's name.
    pub(super) fn is_dot(&self) -> bool {
        self.is_punctuator(".") || self.is_punctuator("?.")
    }
}

/// Operators and brackets of more than one character, longest first.
const LONG_PUNCTUATORS: [&str; 33] = [
    ">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=", "=>", "==", "!=", "<=", ">=", "&&",
    "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", ">>", "**",
];

/// Words after which a `/` begins a regular expression.
const BEFORE_REGEX: [&str; 11] =
    ["return", "typeof", "case", "do", "else", "in", "instanceof", "new", "void", "delete", "throw"];

/// Splits a source into tokens; comments and white space are skipped.
pub(super) fn split_tokens(source: &str) -> Result<Vec<Token<'_>>, SyntaxFault> {
    let mut lexer = Lexer { source, at: 0, tokens: Vec::new(), brackets: Brackets::default() };
    while lexer.skip_blank()? {
        let token = lexer.next()?;
        lexer.tokens.push(token);
    }
    match lexer.brackets.innermost() {
        None => Ok(lexer.tokens),
        Some(open) => Err(SyntaxFault::at_byte(source, open.start, format!("`{}` is not closed", open.text))),
    }
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    tokens: Vec<Token<'a>>,
    brackets: Brackets,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn fault_at(&self, byte: usize, message: impl Into<String>) -> SyntaxFault {
        SyntaxFault::at_byte(self.source, byte, message)
    }

    fn take_token(&mut self, kind: Kind, length: usize) -> Token<'a> {
        let start = self.at;
        self.at += length;
        Token { kind, start, text: &self.source[start..self.at] }
    }

    /// Skips white space and comments; returns whether anything follows.
    fn skip_blank(&mut self) -> Result<bool, SyntaxFault> {
        loop {
            let rest = self.rest().trim_start_matches(is_blank);
            self.at = self.source.len() - rest.len();
            if rest.starts_with("//") {
                self.at += rest.find(is_line_end).unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let end = rest.find("*/").ok_or_else(|| self.fault_at(self.at, "the comment is not closed"))?;
                self.at += end + 2;
            } else if rest.starts_with("<!--") || (rest.starts_with("-->") && self.begins_line()) {
                return Err(self.fault_at(self.at, "HTML-style comments are not supported: use `//`"));
            } else {
                return Ok(!rest.is_empty());
            }
        }
    }

    /// Returns whether no token precedes this position on its line.
    fn begins_line(&self) -> bool {
        let end = self.tokens.last().map_or(0, |last| last.start + last.text.len());
        self.tokens.is_empty() || self.source[end..self.at].contains(is_line_end)
    }

    fn next(&mut self) -> Result<Token<'a>, SyntaxFault> {
        let rest = self.rest();
        let mut characters = rest.chars();
        let first = characters.next().expect("the caller saw that something follows");
        match first {
            '\'' | '"' => self.read_string(first),
            '`' => self.read_template(),
            '}' if self.brackets.in_template() => self.read_template(),
            '/' if self.slash_begins_regex()? => self.read_regex(),
            '0'..='9' => Ok(self.read_number()),
            '.' if characters.next().is_some_and(|next| next.is_ascii_digit()) => Ok(self.read_number()),
            _ if is_word(first) => {
                Ok(self.take_token(Kind::Word, rest.find(|character| !is_word(character)).unwrap_or(rest.len())))
            }
            _ => self.read_punctuator(first),
        }
    }

    fn read_string(&mut self, quote: char) -> Result<Token<'a>, SyntaxFault> {
        let rest = self.rest();
        let mut escaped = false;
        for (index, character) in rest.char_indices().skip(1) {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '\n' | '\r' if !rest[..index].ends_with("\\\r") => break,
                _ if character == quote => return Ok(self.take_token(Kind::String, index + 1)),
                _ => {}
            }
        }
        Err(self.fault_at(self.at, "the string is not closed"))
    }

    /// Reads a template literal from its backtick, or from the `}` that ends a placeholder.
    fn read_template(&mut self) -> Result<Token<'a>, SyntaxFault> {
        let rest = self.rest();
        let continued = rest.starts_with('}');
        let mut escaped = false;
        for (index, character) in rest.char_indices().skip(1) {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '`' => {
                    if continued {
                        self.brackets.close('}');
                    }
                    return Ok(self.take_token(if continued { Kind::TemplateTail } else { Kind::Template }, index + 1));
                }
                '$' if rest[index..].starts_with("${") => {
                    if !continued {
                        self.brackets.open(Open::template_literal(self.at + index));
                    }
                    return Ok(
                        self.take_token(if continued { Kind::TemplateMiddle } else { Kind::TemplateHead }, index + 2)
                    );
                }
                _ => {}
            }
        }
        Err(self.fault_at(self.at, "the template literal is not closed"))
    }

    fn read_number(&mut self) -> Token<'a> {
        let rest = self.rest().as_bytes();
        let decimal = !matches!(rest.get(1), Some(b'x' | b'X' | b'b' | b'B' | b'o' | b'O'));
        let mut length = 1;
        while let Some(&byte) = rest.get(length) {
            let exponent_sign = decimal && matches!(byte, b'+' | b'-') && matches!(rest[length - 1], b'e' | b'E');
            if !(byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.' || exponent_sign) {
                break;
            }
            length += 1;
        }
        self.take_token(Kind::Number, length)
    }

    fn read_regex(&mut self) -> Result<Token<'a>, SyntaxFault> {
        let rest = self.rest();
        let (mut escaped, mut in_class) = (false, false);
        for (index, character) in rest.char_indices().skip(1) {
            match character {
                _ if is_line_end(character) => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => {
                    let flags = &rest[index + 1..];
                    let end = flags.find(|flag| !is_word(flag)).unwrap_or(flags.len());
                    return Ok(self.take_token(Kind::Regex, index + 1 + end));
                }
                _ => {}
            }
        }
        Err(self.fault_at(self.at, "the regular expression is not closed"))
    }

    fn slash_begins_regex(&self) -> Result<bool, SyntaxFault> {
        let Some(last) = self.tokens.last() else { return Ok(true) };
        let ambiguous = || {
            let advice = format!("after `{}` a `/` is ambiguous: put parentheses around the operands", last.text);
            Err(self.fault_at(self.at, advice))
        };
        match last.kind {
            Kind::Number | Kind::String | Kind::Regex | Kind::Template | Kind::TemplateTail => Ok(false),
            Kind::TemplateHead | Kind::TemplateMiddle => Ok(true),
            Kind::Word if self.last_is_property() => Ok(false),
            Kind::Word => match last.text {
                "await" | "yield" | "of" => ambiguous(),
                word => Ok(BEFORE_REGEX.contains(&word)),
            },
            Kind::Punctuator => match last.text {
                ")" => Ok(self.brackets.closed_condition()),
                "]" => Ok(false),
                "}" | "++" | "--" => ambiguous(),
                _ => Ok(true),
            },
        }
    }

    /// Returns whether the last token is a property's name.
    fn last_is_property(&self) -> bool {
        matches!(self.tokens.as_slice(), [.., dot, _] if dot.is_dot())
    }

    fn read_punctuator(&mut self, first: char) -> Result<Token<'a>, SyntaxFault> {
        let rest = self.rest();
        // Few characters occur second in a long operator; for others the list need not be searched.
        let may_be_long = rest.as_bytes().get(1).is_some_and(|second| b"=.>&|?+-*<".contains(second));
        let long = LONG_PUNCTUATORS.iter().find(|long| may_be_long && rest.starts_with(**long));
        if let Some(long) = long {
            let conditional = *long == "?." && rest[2..].starts_with(|next: char| next.is_ascii_digit());
            return Ok(self.take_token(Kind::Punctuator, if conditional { 1 } else { long.len() }));
        }
        match first {
            '(' | '[' | '{' => self.brackets.open(Open::new_bracket(self.at, first, self.opens_condition())),
            ')' | ']' | '}' if !self.brackets.close(first) => {
                return Err(self.fault_at(self.at, format!("unmatched `{first}`")));
            }
            ')' | ']' | '}' | ';' | ',' | '.' | '<' | '>' | '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '!'
            | '~' | '?' | ':' | '=' => {}
            _ => return Err(self.fault_at(self.at, format!("`{}` is not part of an expression", first.escape_debug()))),
        }
        Ok(self.take_token(Kind::Punctuator, 1))
    }

    /// Returns whether a `(` here begins the condition of a statement, so that a statement follows its `)`.
    fn opens_condition(&self) -> bool {
        let word = |token: &Token<'_>, words: &[&str]| token.kind == Kind::Word && words.contains(&token.text);
        match self.tokens.as_slice() {
            [.., dot, _] if dot.is_dot() => false,
            [.., before, last] if word(last, &["await"]) => word(before, &["for"]),
            [.., last] => word(last, &["if", "while", "for", "with"]),
            [] => false,
        }
    }
}

fn is_blank(character: char) -> bool {
    character.is_whitespace() || character == '\u{feff}'
}

fn is_line_end(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '_' | '$' | '#')
        || (!character.is_ascii() && !is_blank(character))
}

#[cfg(test)]
mod tests {
    use super::split_tokens;

    fn check(source: &str, expected: Result<&[&str], &str>) {
        let found = split_tokens(source).map(|tokens| tokens.iter().map(|token| token.text).collect::<Vec<_>>());
        let expected = expected.map(<[&str]>::to_vec);
        assert_eq!(found.map_err(|fault| fault.message), expected.map_err(str::to_owned), "{source}");
    }

    #[test]
    fn a_slash_is_told_apart_by_what_stands_before_it() {
        check("a /b/ c", Ok(&["a", "/", "b", "/", "c"]));
        check("= /b/g", Ok(&["=", "/b/g"]));
        check("(a) /b", Ok(&["(", "a", ")", "/", "b"]));
        check("if (a) /[/(]/.test(b)", Ok(&["if", "(", "a", ")", "/[/(]/", ".", "test", "(", "b", ")"]));
        check("x.if (a) / 2", Ok(&["x", ".", "if", "(", "a", ")", "/", "2"]));
        check("x.return / 2", Ok(&["x", ".", "return", "/", "2"]));
        check("return /(/", Ok(&["return", "/(/"]));
        check("[1] / 2", Ok(&["[", "1", "]", "/", "2"]));
        check("{} /(/", Err("after `}` a `/` is ambiguous: put parentheses around the operands"));
        check("a++ / 2", Err("after `++` a `/` is ambiguous: put parentheses around the operands"));
        check("await /(/", Err("after `await` a `/` is ambiguous: put parentheses around the operands"));
    }

    #[test]
    fn brackets_in_strings_comments_and_templates_do_not_count() {
        check("'(' + \"[\\\"\" // {", Ok(&["'('", "+", "\"[\\\"\""]));
        check("/* ( */ a", Ok(&["a"]));
        check("`(`", Ok(&["`(`"]));
        check("`(${ {a:`}`}.a }]${b}`", Ok(&["`(${", "{", "a", ":", "`}`", "}", ".", "a", "}]${", "b", "}`"]));
        check("a ?.5 : b?.c", Ok(&["a", "?", ".5", ":", "b", "?.", "c"]));
        check("1e-3 + 0xe-1", Ok(&["1e-3", "+", "0xe", "-", "1"]));
    }

    #[test]
    fn what_is_never_closed_is_named() {
        check("(a", Err("`(` is not closed"));
        check("a)", Err("unmatched `)`"));
        check("(a]", Err("unmatched `]`"));
        check("`${a", Err("`${` is not closed"));
        check("`${a)}`", Err("unmatched `)`"));
        check("'a\n'", Err("the string is not closed"));
        check("`a", Err("the template literal is not closed"));
        check("/a", Err("the regular expression is not closed"));
        check("/* a", Err("the comment is not closed"));
        check("a <!-- b", Err("HTML-style comments are not supported: use `//`"));
        check("a\n--> b", Err("HTML-style comments are not supported: use `//`"));
        check("a-->b", Ok(&["a", "--", ">", "b"]));
        check("\\u0061", Err("`\\\\` is not part of an expression"));
        check("'a\\\r\nb'", Ok(&["'a\\\r\nb'"]));
    }
}
