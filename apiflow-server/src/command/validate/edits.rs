//! Maps an edit of a document to minimal edits of its text.

use std::ops::Range;

use apiflow_core::diagnostic::Fix;
use jsonc_parser::ast::Value as Node;
use jsonc_parser::common::Ranged as _;
use serde_json::Value;

use crate::command::validate::source::Source;
use crate::command::validate::spans::Spans;

/// A range of a text and its replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) at: Range<usize>,
    pub(super) text: String,
}

/// Returns the edits that make a fix, ordered by position.
pub(super) fn edits_of_fix(source: &Source, spans: &Spans<'_>, fix: &Fix) -> Vec<Edit> {
    let mut found = Vec::new();
    let old = source.content.as_ref().ok().and_then(|content| content.pointer(&fix.pointer));
    if let (Some(old), Some(node)) = (old, spans.node_at(&fix.pointer)) {
        compare_values(old, &fix.value, node, &mut found);
    }
    found.sort_by_key(|edit| edit.at.start);
    found
}

fn compare_values(old: &Value, new: &Value, node: &Node<'_>, found: &mut Vec<Edit>) {
    match (old, new, node) {
        (old, new, _) if old == new => {
            // Equal objects may differ in the order of their keys, which has no meaning.
        }
        (Value::Object(old), Value::Object(new), Node::Object(object))
            if old.len() == new.len() && new.len() == object.properties.len() =>
        {
            for (((_, old), (name, new)), property) in old.iter().zip(new).zip(&object.properties) {
                if property.name.as_str() != name {
                    let at = property.name.start()..property.name.end();
                    found.push(Edit { at, text: Value::from(name.as_str()).to_string() });
                }
                compare_values(old, new, &property.value, found);
            }
        }
        (Value::Array(old), Value::Array(new), Node::Array(array)) if old.len() == new.len() => {
            for ((old, new), element) in old.iter().zip(new).zip(&array.elements) {
                compare_values(old, new, element, found);
            }
        }
        (_, new, node) => found.push(Edit { at: node.start()..node.end(), text: new.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::source::{Source, SourceRole};
    use super::*;

    fn check(text: &str, pointer: &str, value: Value, expected: &str) {
        let content = Ok(serde_json::from_str(text).expect("a JSON text"));
        let source = Source { path: "x.json".into(), role: SourceRole::Checked, text: text.to_owned(), content };
        let fix = Fix { label: String::new(), pointer: pointer.to_owned(), value };
        let mut edited = text.to_owned();
        for edit in edits_of_fix(&source, &Spans::from_text(text), &fix).iter().rev() {
            edited.replace_range(edit.at.clone(), &edit.text);
        }
        assert_eq!(edited, expected);
    }

    #[test]
    fn only_what_differs_is_written_anew() {
        check(r#"{"a": 1}"#, "/a", json!("x"), r#"{"a": "x"}"#);
        check(
            "{ \"promt\" : {\"k\": [1, 2]},\n  \"b\": 2 }",
            "",
            json!({"prompt": {"k": [1, 3]}, "b": 2}),
            "{ \"prompt\" : {\"k\": [1, 3]},\n  \"b\": 2 }",
        );
        check(r#"{"a": {"b": 1}}"#, "/a", json!({"b": 1, "c": 2}), r#"{"a": {"b":1,"c":2}}"#);
        check(r#"{"a": 1, "a": 2}"#, "", json!({"b": 2}), r#"{"b":2}"#);
        check(r#"{"a": "x"}"#, "/a", json!("x"), r#"{"a": "x"}"#);
    }
}
