//! JSON documents: reading objects field by field with every fault noted, JSON Pointers, and paths into values.

mod fields;
mod path;
mod place;
mod pointer;

pub(crate) use self::fields::{Fields, kind, list, nearest, unknown_word, wrong_type};
pub(crate) use self::path::{JsonPath, PathMatch, scalar_text};
pub(crate) use self::place::Place;
pub use self::pointer::pointer_push;
