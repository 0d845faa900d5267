//! Shapes: what is known about a value before a run (its type and those of its parts).

use serde_json::Value;

use crate::catalog::{Node, NodeOutput, ValueType};
use crate::diagnostic::suggest;
use crate::expression::Segment;

/// What validation knows about a value.
#[derive(Debug, Clone)]
pub(super) enum Shape<'a> {
    /// An unknown value, of which every part may exist.
    Any,
    /// A value of a declared type.
    Type(ValueType),
    /// A value that a JSON Schema describes.
    Schema(&'a Value),
    /// The result of a node that declares its outputs.
    Outputs(&'a Node),
    /// A list whose elements have one shape.
    List(Box<Shape<'a>>),
}

/// A part that a value does not have.
#[derive(Debug)]
pub(super) struct Absent<'a> {
    /// Index of the key in the path.
    pub(super) at: usize,
    /// Description of the value without such a part; `None` if it is an object with other parts.
    pub(super) owner: Option<&'static str>,
    /// The parts that it has, if they are known.
    pub(super) known: Vec<&'a str>,
    /// Whether the value is an array.
    pub(super) list: bool,
}

impl<'a> Shape<'a> {
    /// Returns the shape of the value at the end of a path from this one.
    pub(super) fn follow_path(&self, path: &[Segment]) -> Result<Shape<'a>, Absent<'a>> {
        let mut shape = self.clone();
        for (at, segment) in path.iter().enumerate() {
            shape = shape.member_shape(segment).map_err(|absent| Absent { at, ..absent })?;
        }
        Ok(shape)
    }

    fn member_shape(&self, segment: &Segment) -> Result<Shape<'a>, Absent<'a>> {
        match self {
            Self::Any => Ok(Self::Any),
            Self::Outputs(node) => {
                let name = segment.text();
                match node.output.iter().find(|output| output.name == name) {
                    Some(output) => Ok(of_output(output)),
                    None => {
                        let known = node.output.iter().map(|output| output.name.as_str()).collect();
                        Err(Absent { at: 0, owner: None, known, list: false })
                    }
                }
            }
            Self::Type(value_type) => typed_member(*value_type, segment),
            Self::List(item) => list_member(segment, || (**item).clone()),
            Self::Schema(schema) => schema_member(schema, segment),
        }
    }

    /// Returns the shape of the elements, if the value is an array.
    pub(super) fn item_shape(&self) -> Shape<'a> {
        match self {
            Self::List(item) => (**item).clone(),
            Self::Schema(schema) => schema.get("items").map_or(Self::Any, Self::Schema),
            Self::Any | Self::Type(_) | Self::Outputs(_) => Self::Any,
        }
    }

    /// Returns the type, if the value has a single one.
    pub(super) fn value_type(&self) -> Option<ValueType> {
        match self {
            Self::Any => None,
            Self::Type(value_type) => Some(*value_type),
            Self::Outputs(_) => Some(ValueType::Object),
            Self::List(_) => Some(ValueType::Array),
            Self::Schema(schema) => type_of_schema(schema),
        }
    }

    /// Returns the possible values, if they are listed.
    pub(super) fn allowed_values(&self) -> Option<&'a [Value]> {
        match self {
            Self::Schema(schema) => schema.get("enum").and_then(Value::as_array).map(Vec::as_slice),
            Self::Any | Self::Type(_) | Self::Outputs(_) | Self::List(_) => None,
        }
    }

    /// Returns the parts of the value that are known by name, each with its description.
    pub(super) fn named_members(&self) -> Vec<(&'a str, Shape<'a>, &'a str)> {
        match self {
            Self::Outputs(node) => {
                node.output.iter().map(|one| (one.name.as_str(), of_output(one), one.description.as_str())).collect()
            }
            Self::Schema(schema) if type_of_schema(schema).is_none_or(|known| known == ValueType::Object) => {
                let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
                properties.map(|(name, one)| (name.as_str(), Self::Schema(one), description_of(one))).collect()
            }
            Self::Any | Self::List(_) | Self::Schema(_) | Self::Type(_) => match self.value_type() {
                Some(known) if known.is_media() => {
                    ARTIFACT_FIELDS.iter().map(|(name, known)| (*name, Self::Type(*known), "")).collect()
                }
                Some(ValueType::Array) => vec![
                    ("length", Self::Type(ValueType::Integer), "number of elements"),
                    ("0", self.item_shape(), "the first element"),
                ],
                Some(_) | None => Vec::new(),
            },
        }
    }

    /// Returns the common shape of two alternatives; `Any` if they differ.
    pub(super) fn merge_with(self, other: Shape<'a>) -> Shape<'a> {
        match (&self, &other) {
            (Self::Outputs(one), Self::Outputs(another)) if std::ptr::eq(*one, *another) => self,
            (Self::Type(one), Self::Type(another)) if one == another => self,
            (Self::List(one), Self::List(another)) => {
                Self::List(Box::new((**one).clone().merge_with((**another).clone())))
            }
            (_, _) => Self::Any,
        }
    }
}

/// The fields of a media output, which is an artifact.
const ARTIFACT_FIELDS: [(&str, ValueType); 9] = [
    ("artifact", ValueType::String),
    ("url", ValueType::String),
    ("mime", ValueType::String),
    ("size_bytes", ValueType::Integer),
    ("sha256", ValueType::String),
    ("name", ValueType::String),
    ("width", ValueType::Integer),
    ("height", ValueType::Integer),
    ("duration_s", ValueType::Number),
];

fn of_output<'a>(output: &NodeOutput) -> Shape<'a> {
    // The default replaces a missing output of a call.
    match &output.default {
        Some(default) if !default.is_null() && !output.r#type.matches(default) => Shape::Any,
        Some(_) | None if output.pick.as_deref() == Some("all") && output.r#type != ValueType::Array => {
            Shape::List(Box::new(Shape::Type(output.r#type)))
        }
        Some(_) | None => Shape::Type(output.r#type),
    }
}

fn typed_member<'a>(value_type: ValueType, segment: &Segment) -> Result<Shape<'a>, Absent<'a>> {
    match value_type {
        ValueType::Object => Ok(Shape::Any),
        ValueType::Image | ValueType::Video | ValueType::Audio | ValueType::File => {
            let name = segment.text();
            match ARTIFACT_FIELDS.iter().find(|(field, _)| *field == name) {
                Some((_, value_type)) => Ok(Shape::Type(*value_type)),
                None => {
                    let known = ARTIFACT_FIELDS.iter().map(|(field, _)| *field).collect();
                    Err(Absent { at: 0, owner: None, known, list: false })
                }
            }
        }
        ValueType::Array => list_member(segment, || Shape::Any),
        // A character of a string.
        ValueType::String if is_index(segment) => Ok(Shape::Any),
        ValueType::String | ValueType::Number | ValueType::Integer | ValueType::Boolean => {
            Err(Absent { at: 0, owner: Some(value_type.describe()), known: Vec::new(), list: false })
        }
    }
}

fn list_member<'a>(segment: &Segment, item: impl FnOnce() -> Shape<'a>) -> Result<Shape<'a>, Absent<'a>> {
    if is_index(segment) {
        return Ok(item());
    }
    Err(Absent { at: 0, owner: Some("a list"), known: Vec::new(), list: true })
}

fn schema_member<'a>(schema: &'a Value, segment: &Segment) -> Result<Shape<'a>, Absent<'a>> {
    match type_of_schema(schema) {
        None => Ok(Shape::Any),
        Some(ValueType::Object) => {
            let name = segment.text();
            match closed_properties(schema) {
                Some(known) if known.contains(&name.as_str()) => {
                    Ok(schema["properties"].get(&name).map_or(Shape::Any, Shape::Schema))
                }
                Some(known) => Err(Absent { at: 0, owner: None, known, list: false }),
                None => Ok(schema.get("properties").and_then(|all| all.get(&name)).map_or(Shape::Any, Shape::Schema)),
            }
        }
        Some(ValueType::Array) => list_member(segment, || schema.get("items").map_or(Shape::Any, Shape::Schema)),
        Some(other) => typed_member(other, segment),
    }
}

fn is_index(segment: &Segment) -> bool {
    match segment {
        Segment::Index(_) => true,
        Segment::Key(key) => key.parse::<u32>().is_ok(),
    }
}

/// Returns the only type that a JSON Schema allows besides null.
pub(super) fn type_of_schema(schema: &Value) -> Option<ValueType> {
    let word = match schema.get("type")? {
        Value::String(word) => word.as_str(),
        Value::Array(words) => {
            let mut words = words.iter().filter_map(Value::as_str).filter(|word| *word != "null");
            words.next().filter(|_| words.next().is_none())?
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    Some(match word {
        "string" => ValueType::String,
        "number" => ValueType::Number,
        "integer" => ValueType::Integer,
        "boolean" => ValueType::Boolean,
        "object" => ValueType::Object,
        "array" => ValueType::Array,
        _ => return None,
    })
}

fn description_of(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// Returns the properties of an object with this schema, if it lists them and allows no others.
pub(super) fn closed_properties(schema: &Value) -> Option<Vec<&str>> {
    let schema = schema.as_object()?;
    let open = |key: &str| schema.get(key).is_some_and(|value| !value.is_null());
    let more = schema.get("additionalProperties").is_some_and(|value| !value.is_null() && *value != Value::Bool(false));
    let elsewhere = ["$ref", "allOf", "anyOf", "oneOf", "patternProperties", "if"].into_iter().any(open);
    if more || elsewhere {
        return None;
    }
    Some(schema.get("properties")?.as_object()?.keys().map(String::as_str).collect())
}

impl<'a> Absent<'a> {
    /// Returns the part that was probably intended.
    pub(super) fn nearest_key(&self, key: &str) -> Option<&'a str> {
        suggest::nearest_name(key, self.known.iter().copied())
    }
}
