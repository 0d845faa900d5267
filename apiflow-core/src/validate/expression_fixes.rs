//! Fixes of expressions: replaces a name or a key in the source by the intended one.

use std::ops::Range;

use serde_json::Value;

use crate::diagnostic::{Diagnostic, Fix};
use crate::expression::NameUse;

/// Adds a fix that replaces the expression by one with a renamed part.
pub(super) fn fix_with_text(mut found: Diagnostic, name: &str, text: String) -> Diagnostic {
    let label = format!("rename to `{name}`");
    found.fix = Some(Fix { label, pointer: found.pointer.clone(), value: Value::from(text) });
    found
}

/// Replaces the keys at these byte ranges.
pub(super) fn with_key(source: &str, keys: &[Range<usize>], new: &str) -> String {
    let mut text = source.to_owned();
    for key in keys.iter().rev() {
        let (before, written) = (&source[..key.start], &source[key.clone()]);
        let (from, written) = match written.chars().next() {
            Some(quote @ ('"' | '\'')) if !new.contains([quote, '\\', '\n', '\r']) => {
                (key.start, format!("{quote}{new}{quote}"))
            }
            Some('"' | '\'' | '0'..='9') => (key.start, quote_key(new)),
            Some(_) | None if is_identifier(new) => (key.start, new.to_owned()),
            // `a?.b` becomes `a?.["b"]`, `a.b` becomes `a["b"]`.
            Some(_) | None if before.ends_with('.') && !before.ends_with("?.") => {
                (key.start - 1, format!("[{}]", quote_key(new)))
            }
            Some(_) | None => (key.start, format!("[{}]", quote_key(new))),
        };
        text.replace_range(from..key.end, &written);
    }
    text
}

/// Replaces a name by another one, or by a path.
pub(super) fn with_name(source: &str, uses: &[NameUse], new: &str) -> String {
    let mut text = source.to_owned();
    for used in uses.iter().rev() {
        let written = if used.shorthand { format!("{}: {new}", &source[used.written.clone()]) } else { new.to_owned() };
        text.replace_range(used.written.clone(), &written);
    }
    text
}

fn quote_key(key: &str) -> String {
    Value::from(key).to_string()
}

/// Returns whether a name may follow a dot.
pub(super) fn is_identifier(name: &str) -> bool {
    let first = |character: char| character.is_ascii_alphabetic() || matches!(character, '_' | '$');
    name.starts_with(first) && name.chars().all(|character| first(character) || character.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{with_key, with_name};
    use crate::expression::find_references;

    #[test]
    fn a_key_is_renamed_in_the_form_that_it_is_written_in() {
        let check = |source: &str, new: &str, expected: &str| {
            let keys: Vec<_> = find_references(source).results.iter().map(|used| used.written[0].clone()).collect();
            let text = with_key(source, &keys, new);
            assert_eq!(text, expected);
            assert!(find_references(&text).results.iter().all(|used| used.key == new), "{text}");
        };
        check("results.a.url + results['a']", "b", "results.b.url + results['b']");
        check("results.a?.x", "b-c", "results[\"b-c\"]?.x");
        check("results?.a", "b c", "results?.[\"b c\"]");
        check("results['a']", "b'c", "results[\"b'c\"]");
        check("[results[0], 'é', results.a]", "1", "[results[\"1\"], 'é', results[\"1\"]]");
    }

    #[test]
    fn a_name_is_renamed_wherever_it_is_used() {
        let source = "{errr, y: errr.z, 'errr': 1}";
        assert_eq!(
            with_name(source, &find_references(source).names["errr"], "error"),
            "{errr: error, y: error.z, 'errr': 1}"
        );
    }
}
