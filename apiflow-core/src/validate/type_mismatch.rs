//! Compares the types of values at paths with the types that are expected there.

use super::accepted_inputs::AcceptedInput;
use super::checker::Checker;
use super::constants::display_value;
use super::result_shape::Shape;
use crate::catalog::ValueType;
use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::diagnostic::{codes, suggest};
use crate::openflow::Place;

/// Whether a value of one type can be used as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    /// It can, or that depends on the value.
    May,
    /// It can only if the value does not have its declared type.
    Hardly,
    /// It cannot, whatever the value is.
    Never,
}

impl Checker<'_> {
    /// Checks the value that an expression passes to a declared input.
    pub(super) fn check_computed_input(
        &mut self,
        slot: &AcceptedInput<'_>,
        shape: &Shape<'_>,
        source: &str,
        place: &Place<'_>,
    ) {
        let name = slot.name;
        let (Some(wanted), Some(given)) = (slot.value_type, shape.value_type()) else {
            return self.check_enum_values(slot, shape, source, place);
        };
        match match_type(wanted, shape) {
            None | Some(Match::May) => {}
            Some(matched) => {
                let message = format!(
                    "input `{name}` must be {}, but `{}` is {}",
                    wanted.describe(),
                    source.trim(),
                    given.name()
                );
                let mut found =
                    Diagnostic::new_error(codes::TYPE_MISMATCH, place.pointer(), message).with_span(start(source));
                if matched == Match::Hardly {
                    found.severity = Severity::Warning;
                }
                return self.push(match conversion_help(wanted, given, shape, source.trim()) {
                    Some(help) => found.with_help(help),
                    None => found,
                });
            }
        }
        let items = shape.item_shape();
        if let (Some(wanted), Some(given)) = (slot.item_type, items.value_type())
            && match_type(wanted, &items) == Some(Match::Never)
        {
            let message = format!(
                "each element of input `{name}` must be {}, but each element of `{}` is {}",
                wanted.describe(),
                source.trim(),
                given.name()
            );
            return self
                .push(Diagnostic::new_error(codes::TYPE_MISMATCH, place.pointer(), message).with_span(start(source)));
        }
        self.check_enum_values(slot, shape, source, place);
    }

    /// Compares the accepted values with the possible ones.
    fn check_enum_values(&mut self, slot: &AcceptedInput<'_>, shape: &Shape<'_>, source: &str, place: &Place<'_>) {
        let (Some(taken), Some(coming)) = (slot.allowed, shape.allowed_values()) else { return };
        let refused: Vec<String> =
            coming.iter().filter(|value| !value.is_null() && !taken.contains(value)).map(display_value).collect();
        if refused.is_empty() {
            return;
        }
        let names = suggest::list_names(refused.iter().map(String::as_str));
        let message = format!("input `{}` can't be {names}, which the schema allows here", slot.name);
        let mut found = Diagnostic::new_error(codes::NOT_IN_ENUM, place.pointer(), message).with_span(start(source));
        if refused.len() < coming.len() {
            found.severity = Severity::Warning;
        }
        let taken: Vec<String> = taken.iter().map(display_value).collect();
        self.push(found.with_help(format!("it may be {}", suggest::list_names(taken.iter().map(String::as_str)))));
    }

    /// Checks that a path returns a number if a number is expected.
    pub(super) fn wants_number(&mut self, shape: &Shape<'_>, source: &str, place: &Place<'_>, name: &str) {
        if let Some(given) = shape.value_type()
            && match_type(ValueType::Number, shape) == Some(Match::Never)
        {
            let message = format!("`{name}` must be a number, but `{}` is {}", source.trim(), given.name());
            self.push(Diagnostic::new_error(codes::TYPE_MISMATCH, place.pointer(), message).with_span(start(source)));
        }
    }

    /// Checks that a path returns an array, which a loop can iterate over.
    pub(super) fn wants_list(&mut self, shape: &Shape<'_>, source: &str, place: &Place<'_>) {
        if let Some(given) = shape.value_type()
            && given != ValueType::Array
        {
            let message = format!("a loop iterates over an array, but `{}` is {}", source.trim(), given.name());
            let found =
                Diagnostic::new_error(codes::ITERATOR_NOT_ARRAY, place.pointer(), message).with_span(start(source));
            self.push(found.with_help(format!("write `[{}]` to iterate over this single value", source.trim())));
        }
    }
}

/// Returns the position of a path in its expression.
fn start(source: &str) -> Span {
    crate::expression::span_of_byte(source, source.len() - source.trim_start().len())
}

/// Returns whether a value of a shape fits; `None` if nothing is known.
fn match_type(wanted: ValueType, shape: &Shape<'_>) -> Option<Match> {
    let given = shape.value_type()?;
    Some(match_types(wanted, given))
}

fn match_types(wanted: ValueType, given: ValueType) -> Match {
    use ValueType::{Array, Audio, Boolean, File, Image, Integer, Number, Object, String, Video};
    match (wanted, given) {
        (Image | Video | Audio | File, String | File) | (String | File, Image | Video | Audio) => Match::May,
        // Media outputs are artifacts, which are objects that can be used as strings.
        (String, File) | (Object, Image | Video | Audio | File) => Match::May,
        // Whether it has a fraction depends on the number.
        (Number | Integer, Number | Integer) => Match::May,
        (Image | Video | Audio, Image | Video | Audio) if wanted != given => Match::Hardly,
        (
            String | Number | Integer | Boolean | Object | Array | Image | Video | Audio | File,
            String | Number | Integer | Boolean | Object | Array | Image | Video | Audio | File,
        ) => {
            if wanted == given {
                Match::May
            } else {
                Match::Never
            }
        }
    }
}

fn conversion_help(wanted: ValueType, given: ValueType, shape: &Shape<'_>, source: &str) -> Option<String> {
    match (wanted, given) {
        (ValueType::Array, _) => Some(format!("write `[{source}]` to pass a list with one element")),
        (_, ValueType::Array) => Some(format!("select one element of the list: `{source}[0]`")),
        (_, ValueType::Object) => match shape {
            Shape::Outputs(node) => {
                let fitting = node.output.iter().find(|output| match_types(wanted, output.r#type) == Match::May)?;
                Some(format!("select an output of the step: `{source}.{}`", fitting.name))
            }
            Shape::Any | Shape::Type(_) | Shape::Schema(_) | Shape::List(_) => None,
        },
        (ValueType::String, _) => Some(format!("write `String({source})`")),
        (ValueType::Number | ValueType::Integer, ValueType::String) => Some(format!("write `Number({source})`")),
        (_, _) => None,
    }
}
