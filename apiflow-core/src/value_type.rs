//! The types of inputs and outputs, and the one predicate that decides which values have them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifact::artifact_id_of;

/// The type of a declared input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// A JSON string.
    String,
    /// Any JSON number.
    Number,
    /// A number without a fraction.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A JSON object.
    Object,
    /// A JSON array.
    Array,
    /// An image: a URL, a data URI or an artifact.
    Image,
    /// A video: a URL, a data URI or an artifact.
    Video,
    /// An audio file: a URL, a data URI or an artifact.
    Audio,
    /// Any other file: a URL, a data URI or an artifact.
    File,
}

impl ValueType {
    /// All types with their names in declarations.
    pub(crate) const NAMES: [(&str, Self); 10] = [
        ("string", Self::String),
        ("number", Self::Number),
        ("integer", Self::Integer),
        ("boolean", Self::Boolean),
        ("object", Self::Object),
        ("array", Self::Array),
        ("image", Self::Image),
        ("video", Self::Video),
        ("audio", Self::Audio),
        ("file", Self::File),
    ];

    /// Returns whether a value has this type. Values are not coerced; a number without a fraction is an integer however
    /// it is written. Media is a link, a data URI or an artifact, and an artifact can be used as a string: its URL.
    pub(crate) fn matches(self, value: &Value) -> bool {
        match self {
            Self::String | Self::Image | Self::Video | Self::Audio | Self::File => {
                value.is_string() || artifact_id_of(value).is_some()
            }
            Self::Number => value.is_number(),
            Self::Integer => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
            Self::Boolean => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
        }
    }

    /// Returns whether values of this type are media: an image, a video, audio or another file.
    pub(crate) fn is_media(self) -> bool {
        match self {
            Self::Image | Self::Video | Self::Audio | Self::File => true,
            Self::String | Self::Number | Self::Integer | Self::Boolean | Self::Object | Self::Array => false,
        }
    }

    /// Returns the type with this name in declarations.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == word).map(|(_, value_type)| *value_type)
    }

    /// Returns the type's name in declarations: `array`, `image`.
    pub(crate) fn word(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }

    /// Returns the type with its article: `an array`, `an image`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Number => "a number",
            Self::Integer => "an integer",
            Self::Boolean => "true or false",
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Image => "an image",
            Self::Video => "a video",
            Self::Audio => "an audio file",
            Self::File => "a file",
        }
    }

    /// Describes the type for `must be …`: as [`ValueType::name`], and for media how the value is given.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Image => "an image (a link, a data URI or an artifact)",
            Self::Video => "a video (a link, a data URI or an artifact)",
            Self::Audio => "an audio file (a link, a data URI or an artifact)",
            Self::File => "a file (a link, a data URI or an artifact)",
            Self::String | Self::Number | Self::Integer | Self::Boolean | Self::Object | Self::Array => self.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::ValueType;

    /// Returns the types that a value has.
    fn types_of(value: &Value) -> Vec<&'static str> {
        ValueType::NAMES.iter().filter(|(_, one)| one.matches(value)).map(|(name, _)| *name).collect()
    }

    #[test]
    fn values_have_the_types_that_they_are_written_in() {
        assert_eq!(types_of(&json!("5")), ["string", "image", "video", "audio", "file"]);
        assert_eq!(types_of(&json!(5)), ["number", "integer"]);
        assert_eq!(types_of(&json!(5.0)), ["number", "integer"]);
        assert_eq!(types_of(&json!(5.5)), ["number"]);
        assert_eq!(types_of(&json!(true)), ["boolean"]);
        assert_eq!(types_of(&json!([1])), ["array"]);
        assert_eq!(types_of(&Value::Null), [""; 0]);
    }

    #[test]
    fn an_artifact_is_an_object_that_can_be_used_as_media_and_as_a_string() {
        for artifact in [json!({"artifact": "a1"}), json!({"artifact": "a1", "url": "https://h/x.png"})] {
            assert_eq!(types_of(&artifact), ["string", "object", "image", "video", "audio", "file"], "{artifact}");
        }
        for object in [json!({}), json!({"artifact": 7}), json!({"url": "https://h/x.png"})] {
            assert_eq!(types_of(&object), ["object"], "{object}");
        }
    }
}
