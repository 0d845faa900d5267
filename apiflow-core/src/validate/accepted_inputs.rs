//! The inputs that a step accepts, by a node's declaration or by a sub-flow's schema.

use serde_json::Value;

use super::result_shape::{closed_properties, type_of_schema};
use crate::catalog::{Node, NodeInput, ValueType};

/// An input that a step accepts.
#[derive(Debug, Clone, Copy)]
pub(super) struct AcceptedInput<'a> {
    pub(super) name: &'a str,
    /// Type of the value, if it is known.
    pub(super) value_type: Option<ValueType>,
    /// Type of the elements, if the value is an array and it is known.
    pub(super) item_type: Option<ValueType>,
    /// Allowed values, if they are listed.
    pub(super) allowed: Option<&'a [Value]>,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    /// Whether null is refused.
    pub(super) required: bool,
    /// Whether a default replaces a missing value.
    pub(super) has_default: bool,
}

/// The inputs that a step accepts.
#[derive(Debug)]
pub(super) struct AcceptedInputs<'a> {
    /// Who accepts them, for messages: ``node `x` ``.
    pub(super) owner: String,
    pub(super) list: Vec<AcceptedInput<'a>>,
    /// What happens to inputs that are not listed.
    pub(super) others: Others,
}

/// What happens to an input that is not declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// It is passed on: nothing says which inputs there are.
    Accepted,
    /// It is passed on unchecked, although others are declared: probably a mistake.
    Unexpected,
    /// It is refused.
    Refused,
}

impl<'a> AcceptedInputs<'a> {
    /// Returns the inputs that a node accepts.
    pub(super) fn of_node(node: &'a Node) -> Self {
        let others = if node.input.is_empty() { Others::Accepted } else { Others::Refused };
        Self { owner: format!("node `{}`", node.id), list: node.input.iter().map(of_input).collect(), others }
    }

    /// Returns the inputs that a sub-flow accepts by its schema.
    pub(super) fn of_schema(id: &str, schema: Option<&'a Value>) -> Self {
        let fields = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
        let required: Vec<&str> = schema
            .and_then(|schema| schema.get("required")?.as_array())
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut list: Vec<AcceptedInput<'a>> = fields
            .into_iter()
            .flatten()
            .map(|(name, property)| of_property(name, property, required.contains(&name.as_str())))
            .collect();
        let unlisted = required.into_iter().filter(|name| fields.is_none_or(|fields| !fields.contains_key(*name)));
        list.extend(unlisted.map(|name| of_property(name, &Value::Null, true)));
        let closed = schema.is_some_and(|schema| schema.get("additionalProperties") == Some(&Value::Bool(false)));
        let others = match schema.and_then(closed_properties) {
            Some(_) if closed => Others::Refused,
            Some(_) => Others::Unexpected,
            None => Others::Accepted,
        };
        Self { owner: format!("workflow `{id}`"), list, others }
    }

    /// Returns the names of the inputs, in order.
    pub(super) fn input_names(&self) -> impl Iterator<Item = &'a str> + Clone + '_ {
        self.list.iter().map(|slot| slot.name)
    }

    pub(super) fn find_input(&self, name: &str) -> Option<&AcceptedInput<'a>> {
        self.list.iter().find(|slot| slot.name == name)
    }
}

fn of_input(input: &NodeInput) -> AcceptedInput<'_> {
    let given = |value: &Option<Value>| value.as_ref().is_some_and(|value| !value.is_null());
    AcceptedInput {
        name: &input.name,
        value_type: Some(input.r#type),
        item_type: input.items.as_ref().and_then(declared_type),
        allowed: input.r#enum.as_deref(),
        minimum: input.minimum,
        maximum: input.maximum,
        required: input.required,
        has_default: given(&input.value) || given(&input.default),
    }
}

/// Returns the type of an array's elements, if it is declared.
fn declared_type(items: &Value) -> Option<ValueType> {
    ValueType::from_word(items.get("type")?.as_str()?)
}

fn of_property<'a>(name: &'a str, property: &'a Value, required: bool) -> AcceptedInput<'a> {
    let number = |key: &str| property.get(key).and_then(Value::as_f64);
    AcceptedInput {
        name,
        value_type: type_of_schema(property),
        item_type: property.get("items").and_then(type_of_schema),
        allowed: property.get("enum").and_then(Value::as_array).map(Vec::as_slice),
        minimum: number("minimum"),
        maximum: number("maximum"),
        required: required && !may_be_null(property),
        has_default: property.get("default").is_some(),
    }
}

fn may_be_null(property: &Value) -> bool {
    let by_type = property.get("type").and_then(Value::as_array).is_some_and(|words| words.contains(&"null".into()));
    by_type || property.get("enum").and_then(Value::as_array).is_some_and(|all| all.contains(&Value::Null))
}
