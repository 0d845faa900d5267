//! Maps JSON Pointers to byte ranges of a text.

use std::ops::Range;

use apiflow_core::diagnostic::Span;
use jsonc_parser::ast::Value as Node;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

/// The byte ranges of the values of a JSON text.
#[derive(Debug)]
pub(super) struct Spans<'t> {
    text: &'t str,
    root: Option<Node<'t>>,
}

/// The byte range of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    /// The bytes of its key including quotes, if it has one.
    pub(super) key: Option<Range<usize>>,
    /// The range of its bytes in the text.
    pub(super) value: Range<usize>,
    /// Whether it is a string.
    pub(super) is_text: bool,
    /// Whether it is the value that was looked up, and not an enclosing one.
    pub(super) exact: bool,
}

impl<'t> Spans<'t> {
    /// Reads a text that is known to be JSON.
    pub(super) fn from_text(text: &'t str) -> Self {
        let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default());
        Self { text, root: parsed.ok().and_then(|parsed| parsed.value) }
    }

    /// Returns the value at a pointer, or the nearest enclosing one if there is none.
    pub(super) fn spot_at(&self, pointer: &str) -> Option<Spot> {
        let mut node = self.root.as_ref()?;
        let mut key = None;
        let mut exact = true;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let below = match node {
                // Of a duplicate key, the last one counts.
                Node::Object(object) => {
                    let property = object.properties.iter().rev().find(|property| property.name.as_str() == token);
                    property.map(|property| (Some(byte_range(&property.name)), &property.value))
                }
                Node::Array(array) => {
                    token.parse().ok().and_then(|index: usize| array.elements.get(index)).map(|element| (None, element))
                }
                Node::StringLit(_) | Node::NumberLit(_) | Node::BooleanLit(_) | Node::NullKeyword(_) => None,
            };
            let Some((name, value)) = below else {
                exact = false;
                break;
            };
            (key, node) = (name, value);
        }
        Some(Spot { key, value: byte_range(node), is_text: matches!(node, Node::StringLit(_)), exact })
    }

    /// Returns the syntax tree's node at a pointer.
    pub(super) fn node_at(&self, pointer: &str) -> Option<&Node<'t>> {
        pointer.split('/').skip(1).try_fold(self.root.as_ref()?, |node, token| {
            let token = token.replace("~1", "/").replace("~0", "~");
            match node {
                Node::Object(object) => {
                    object.properties.iter().rev().find(|one| one.name.as_str() == token).map(|one| &one.value)
                }
                Node::Array(array) => array.elements.get(token.parse::<usize>().ok()?),
                Node::StringLit(_) | Node::NumberLit(_) | Node::BooleanLit(_) | Node::NullKeyword(_) => None,
            }
        })
    }

    /// Returns the bytes of an object's duplicate keys, and of the first of each.
    pub(super) fn repeated_keys(&self) -> Vec<(String, Range<usize>, Range<usize>)> {
        let mut found = Vec::new();
        let mut open: Vec<(String, &Node<'_>)> = self.root.iter().map(|root| (String::new(), root)).collect();
        while let Some((pointer, node)) = open.pop() {
            match node {
                Node::Object(object) => {
                    let mut seen = std::collections::BTreeMap::new();
                    for property in &object.properties {
                        let name = property.name.as_str();
                        let at = apiflow_core::json::pointer_push(&pointer, name);
                        if let Some(first) = seen.insert(name, byte_range(&property.name)) {
                            found.push((at.clone(), byte_range(&property.name), first));
                        }
                        open.push((at, &property.value));
                    }
                }
                Node::Array(array) => {
                    let elements = array.elements.iter().enumerate();
                    open.extend(elements.map(|(index, element)| (format!("{pointer}/{index}"), element)));
                }
                Node::StringLit(_) | Node::NumberLit(_) | Node::BooleanLit(_) | Node::NullKeyword(_) => {}
            }
        }
        found.sort_by_key(|(_, again, _)| again.start);
        found
    }

    /// Returns the bytes at a line and column of the string at these bytes: a word, or one character.
    pub(super) fn range_inside(&self, literal: &Range<usize>, span: Span) -> Range<usize> {
        let raw = &self.text[literal.clone()];
        let end = raw.len().saturating_sub(1);
        let mut characters = Characters { raw: &raw[..end], at: 1 };
        let (mut line, mut column) = (1, 1);
        let mut start = end;
        for (at, character) in characters.by_ref() {
            if (line, column) == (span.line, span.column) {
                start = at;
                break;
            }
            (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        let rest = &raw[start..];
        let one =
            if rest.starts_with('\\') { characters.at - start } else { rest.chars().next().map_or(0, char::len_utf8) };
        let length = Some(path_length(rest)).filter(|length| *length > 0).unwrap_or(one);
        literal.start + start..literal.start + start + length
    }
}

/// The characters of a JSON string, with the bytes that represent them.
struct Characters<'r> {
    raw: &'r str,
    /// Offset of the next character.
    at: usize,
}

impl Iterator for Characters<'_> {
    type Item = (usize, char);

    fn next(&mut self) -> Option<(usize, char)> {
        let start = self.at;
        let mut rest = self.raw.get(start..)?.chars();
        let first = rest.next()?;
        if first != '\\' {
            self.at += first.len_utf8();
            return Some((start, first));
        }
        self.at += 2;
        let character = match rest.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let high = self.read_code_unit()?;
                let pair = (0xd800..0xdc00).contains(&high) && self.raw[self.at..].starts_with("\\u");
                if pair {
                    self.at += 2;
                    let low = self.read_code_unit()?;
                    char::decode_utf16([high, low]).next()?.unwrap_or('\u{fffd}')
                } else {
                    char::from_u32(u32::from(high)).unwrap_or('\u{fffd}')
                }
            }
            other => other,
        };
        Some((start, character))
    }
}

impl Characters<'_> {
    /// Reads the four digits of a `\u` escape.
    fn read_code_unit(&mut self) -> Option<u16> {
        let digits = self.raw.get(self.at..self.at + 4)?;
        self.at += 4;
        u16::from_str_radix(digits, 16).ok()
    }
}

/// Returns the length of the path of names that a text starts with: `results.a?.b`.
fn path_length(text: &str) -> usize {
    let word = |text: &str| {
        text.find(|character: char| !(character.is_alphanumeric() || matches!(character, '_' | '$')))
            .unwrap_or(text.len())
    };
    let mut length = word(text);
    while length > 0 {
        let rest = &text[length..];
        let dot = if rest.starts_with("?.") { 2 } else { usize::from(rest.starts_with('.')) };
        match word(&rest[dot..]) {
            name if dot > 0 && name > 0 => length += dot + name,
            _ => break,
        }
    }
    length
}

fn byte_range(node: &impl jsonc_parser::common::Ranged) -> Range<usize> {
    node.start()..node.end()
}

#[cfg(test)]
mod tests {
    use super::{Span, Spans};

    #[test]
    fn a_pointer_leads_to_its_bytes() {
        let text = r#"{"a/b": [1, {"c~": "x"}], "d": 1, "d": true}"#;
        let spans = Spans::from_text(text);
        let check = |pointer: &str, key: Option<&str>, value: &str, exact: bool| {
            let spot = spans.spot_at(pointer).expect("there is a value");
            let key_found = spot.key.clone().map(|key| &text[key]);
            assert_eq!((key_found, &text[spot.value.clone()], spot.exact), (key, value, exact), "{pointer}");
        };
        check("", None, text, true);
        check("/a~1b", Some("\"a/b\""), r#"[1, {"c~": "x"}]"#, true);
        check("/a~1b/0", None, "1", true);
        check("/a~1b/1/c~0", Some("\"c~\""), "\"x\"", true);
        check("/d", Some("\"d\""), "true", true);
        check("/a~1b/7/x", Some("\"a/b\""), r#"[1, {"c~": "x"}]"#, false);
        let repeated = spans.repeated_keys();
        assert_eq!(repeated.len(), 1);
        assert_eq!((repeated[0].0.as_str(), repeated[0].1.start, repeated[0].2.start), ("/d", 34, 26));
    }

    #[test]
    fn a_place_inside_a_string_counts_what_it_stands_for() {
        let check = |literal: &str, line: u32, column: u32, expected: &str| {
            let text = format!("[{literal}]");
            let found = Spans::from_text(&text).range_inside(&(1..1 + literal.len()), Span { line, column });
            assert_eq!(&text[found], expected, "{literal} {line}:{column}");
        };
        check(r#""a + results.b""#, 1, 5, "results.b");
        check(r#""a +\n  results?.b[0]""#, 2, 3, "results?.b");
        check(r#""é\t\"x\" + bad""#, 1, 9, "bad");
        check(r#""\ud83d\ude00 + bad""#, 1, 5, "bad");
        check(r#""\u00e9+ bad""#, 1, 4, "bad");
        check(r#""a + )""#, 1, 5, ")");
        check(r#""a +""#, 1, 4, "\"");
        check(r#""a \u0022""#, 1, 3, r"\u0022");
        check(r#""""#, 1, 1, "\"");
        check(r#""a""#, 9, 9, "\"");
    }
}
