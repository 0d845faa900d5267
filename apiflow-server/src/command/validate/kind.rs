//! Recognizes the kind of a declaration by its fields.

use serde_json::{Map, Value};

/// The kind of a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A provider and how to authenticate with it.
    Connector,
    /// A typed call to a provider.
    Node,
    /// A workflow with its document in `nodes`.
    Workflow,
    /// An OpenFlow document without name and id.
    Document,
}

/// The fields that identify each kind.
const MARKS: [(&str, Kind); 4] =
    [("base_url", Kind::Connector), ("connector_id", Kind::Node), ("nodes", Kind::Workflow), ("value", Kind::Document)];

/// Fields that only one kind has, which identify it if its mark is missing.
const HINTS: [(&str, Kind); 6] = [
    ("method", Kind::Connector),
    ("header", Kind::Connector),
    ("input", Kind::Node),
    ("output", Kind::Node),
    ("summary", Kind::Document),
    ("schema", Kind::Document),
];

impl Kind {
    /// Returns the kind of a value; `None` if its fields are those of no declaration.
    pub(super) fn of_value(value: &Value) -> Option<Self> {
        Self::from_marker_field(value).or_else(|| kind_by_field(value.as_object()?, &HINTS))
    }

    /// Returns the kind of a value that has the identifying field.
    pub(super) fn from_marker_field(value: &Value) -> Option<Self> {
        kind_by_field(value.as_object()?, &MARKS)
    }

    /// Returns the name of the kind in a sentence.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Node => "node",
            Self::Workflow | Self::Document => "workflow",
        }
    }
}

fn kind_by_field(fields: &Map<String, Value>, known: &[(&str, Kind)]) -> Option<Kind> {
    known.iter().find(|(name, _)| fields.contains_key(*name)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Kind;

    fn check(value: Value, expected: Option<Kind>) {
        assert_eq!(Kind::of_value(&value), expected, "{value}");
    }

    #[test]
    fn a_kind_is_known_by_its_fields() {
        check(json!({"name": "x", "base_url": "https://example.org"}), Some(Kind::Connector));
        check(json!({"name": "x", "method": "GET", "header": {}}), Some(Kind::Connector));
        check(json!({"name": "x", "connector_id": "c", "input": []}), Some(Kind::Node));
        check(json!({"name": "x", "output": []}), Some(Kind::Node));
        check(json!({"name": "x", "nodes": {"value": {}}}), Some(Kind::Workflow));
        check(json!({"summary": "x", "value": {"modules": []}}), Some(Kind::Document));
        check(json!({"summary": "x", "vaule": {"modules": []}}), Some(Kind::Document));
        check(json!({"name": "x"}), None);
        check(json!([]), None);
    }
}
