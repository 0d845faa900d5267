//! Plain paths: a name followed by literal keys.

use std::ops::Range;

use super::nesting_limits::scan_tokens;
use super::token::{Kind, Token};

/// One segment of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// A property of an object: `.name` or `["name"]`.
    Key(String),
    /// An element of an array by its index, from 0: `[3]`.
    Index(u32),
}

impl Segment {
    /// Returns the key; an index in decimal digits.
    pub fn text(&self) -> String {
        match self {
            Self::Key(key) => key.clone(),
            Self::Index(number) => number.to_string(),
        }
    }
}

/// A name followed by literal keys: `results.resize.output[0].url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainPath {
    /// The name at the start of the path.
    pub root: String,
    /// The keys, each with whether it is optional (`?.`).
    pub segments: Vec<(Segment, bool)>,
}

/// Keywords, which cannot name values.
const KEYWORDS: [&str; 39] = [
    "true",
    "false",
    "null",
    "undefined",
    "this",
    "new",
    "typeof",
    "void",
    "delete",
    "return",
    "const",
    "let",
    "var",
    "if",
    "for",
    "while",
    "do",
    "switch",
    "try",
    "throw",
    "function",
    "class",
    "async",
    "await",
    "yield",
    "break",
    "continue",
    "debugger",
    "super",
    "import",
    "export",
    "with",
    "enum",
    "in",
    "instanceof",
    "globalThis",
    "eval",
    "arguments",
    "case",
];

/// Parses a source that is a plain path; `None` for any other.
pub fn plain_path(source: &str) -> Option<PlainPath> {
    let source = source.trim();
    // Most other expressions are recognized by their characters alone.
    if source.starts_with(|first: char| !is_name_start(first)) || source.contains(['(', '`', '+', ';', '{', '=', '/']) {
        return None;
    }
    path_of(&scan_tokens(source).ok()?).map(|placed| placed.path)
}

/// A plain path with the byte ranges of its parts.
pub(super) struct PlacedPath {
    pub(super) path: PlainPath,
    pub(super) root: Range<usize>,
    /// The byte range of each segment.
    pub(super) written: Vec<Range<usize>>,
}

/// Parses the tokens as a plain path.
pub(super) fn path_of(tokens: &[Token<'_>]) -> Option<PlacedPath> {
    let [root, rest @ ..] = tokens else { return None };
    if !is_name(root) || KEYWORDS.contains(&root.text) {
        return None;
    }
    let (mut segments, mut written) = (Vec::new(), Vec::new());
    let mut rest = rest;
    while !rest.is_empty() {
        let (segment, optional, after) = read_segment(rest)?;
        segments.push((segment, optional));
        let access = &rest[..rest.len() - after.len()];
        // The key is the last token, or the one before a `]`.
        let last = access.last().filter(|last| last.is_punctuator("]")).map_or(1, |_| 2);
        written.push(access[access.len() - last].byte_range());
        rest = after;
    }
    let path = PlainPath { root: root.text.to_owned(), segments };
    Some(PlacedPath { path, root: root.byte_range(), written })
}

/// Parses a literal member access at the start of the tokens; returns the key, whether it is optional, and the
/// remaining tokens.
pub(super) fn read_segment<'t, 's>(tokens: &'t [Token<'s>]) -> Option<(Segment, bool, &'t [Token<'s>])> {
    match tokens {
        [dot, name, rest @ ..] if dot.is_dot() && is_name(name) => {
            Some((Segment::Key(name.text.to_owned()), dot.is_punctuator("?."), rest))
        }
        [optional, open, key, close, rest @ ..]
            if optional.is_punctuator("?.") && open.is_punctuator("[") && close.is_punctuator("]") =>
        {
            Some((literal_segment(key)?, true, rest))
        }
        [open, key, close, rest @ ..] if open.is_punctuator("[") && close.is_punctuator("]") => {
            Some((literal_segment(key)?, false, rest))
        }
        _ => None,
    }
}

fn literal_segment(token: &Token<'_>) -> Option<Segment> {
    match token.kind {
        Kind::String if !token.text.contains('\\') => {
            Some(Segment::Key(token.text[1..token.text.len() - 1].to_owned()))
        }
        Kind::Number => parse_index(token.text).map(Segment::Index),
        Kind::String
        | Kind::Word
        | Kind::Regex
        | Kind::Punctuator
        | Kind::Template
        | Kind::TemplateHead
        | Kind::TemplateMiddle
        | Kind::TemplateTail => None,
    }
}

/// Parses an array index in JavaScript's canonical form; `None` for any other text.
pub(super) fn parse_index(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number != u32::MAX && number.to_string() == text).then_some(number)
}

fn is_name(token: &Token<'_>) -> bool {
    token.kind == Kind::Word && token.text.starts_with(is_name_start)
}

fn is_name_start(character: char) -> bool {
    character.is_ascii_alphabetic() || matches!(character, '_' | '$') || !character.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::{Segment, plain_path};

    /// Checks a path, formatted as `root/key/#index` with a `?` after optional keys.
    fn check(source: &str, expected: Option<&str>) {
        let found = plain_path(source).map(|path| {
            path.segments.iter().fold(path.root, |text, (segment, optional)| {
                let mark = if *optional { "?" } else { "" };
                match segment {
                    Segment::Key(key) => format!("{text}/{mark}{key}"),
                    Segment::Index(number) => format!("{text}/{mark}#{number}"),
                }
            })
        });
        assert_eq!(found.as_deref(), expected, "{source}");
    }

    #[test]
    fn a_path_is_a_name_and_literal_keys() {
        check(" results.a.output[0].url ", Some("results/a/output/#0/url"));
        check("results?.a?.[1]", Some("results/?a/?#1"));
        check("results[\"a b\"]['c']", Some("results/a b/c"));
        check("results . a // note", None);
        check("flow_input", Some("flow_input"));
        check("größe.x", Some("größe/x"));
        for other in [
            "results.a + 1",
            "results[i]",
            "results.a()",
            "1",
            "'a'",
            "this.x",
            "results.a;",
            "results.#a",
            "a[01]",
            "a[1.5]",
            "a[4294967295]",
            "a['\\x41']",
            "",
            "results.",
            "a b",
            "!a",
            "a.b, c",
            "new.target",
            "null",
        ] {
            check(other, None);
        }
    }
}
