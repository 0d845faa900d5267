//! JSON: reading objects field by field, JSON Pointers, paths into values, and the rule for ids.

mod fields;
mod id;
mod path;
mod place;
mod pointer;
mod query;
mod type_words;

#[cfg(test)]
pub(crate) use self::fields::recording;
pub(crate) use self::fields::{FaultSink, Fields, unknown_word, wrong_type};
pub use self::id::{ID_RULE, MAX_ID_CHARS, is_valid_id};
pub(crate) use self::path::{JsonPath, PathMatch, scalar_text};
pub(crate) use self::place::Place;
pub use self::pointer::pointer_push;
pub(crate) use self::type_words::{describe_type, describe_with_length, display_number};
