//! Checks transforms: inputs of steps, times and numbers that are constant or computed.

use serde_json::Value;

use super::checker::Checker;
use super::expression_scope::Site;
use super::result_shape::Shape;
use crate::catalog::ValueType;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::diagnostic::fixes;
use crate::json::display_number;
use crate::openflow::{InputTransform, NumberOrTransform, Place};

impl<'a> Checker<'a> {
    /// Returns the name of the field with a step's inputs: the newer or the older one.
    pub(super) fn inputs_key(&self, place: &Place<'_>) -> &'static str {
        if !self.older_inputs {
            return "input_transforms";
        }
        let given = self.document.pointer(&place.pointer());
        let newer = given.and_then(|value| value.get("input_transforms"));
        if newer.is_none_or(Value::is_null) && given.is_some_and(|value| value.get("input_transform").is_some()) {
            "input_transform"
        } else {
            "input_transforms"
        }
    }

    /// Checks a transform; returns the shape of its value if it is a plain path.
    pub(super) fn check_transform(
        &mut self,
        transform: &InputTransform,
        place: &Place<'_>,
        site: Site,
        step: usize,
    ) -> Shape<'a> {
        match transform {
            InputTransform::Static { value, .. } => {
                self.windmill_variables(value, &place.key("value"));
                Shape::Any
            }
            InputTransform::Javascript { expr, .. } => {
                self.check_expression(expr, &place.key("expr"), site, Some(step))
            }
            InputTransform::Ai { .. } => {
                let message = "a value that a language model fills is supported only in an agent's tools";
                self.push(Diagnostic::new_error(codes::UNSUPPORTED, place.pointer(), message));
                Shape::Any
            }
        }
    }

    pub(super) fn number_or_transform(
        &mut self,
        number: &NumberOrTransform,
        place: &Place<'_>,
        name: &str,
        step: usize,
    ) {
        match number {
            NumberOrTransform::Number(number) => self.at_least_zero(*number, place, name),
            NumberOrTransform::Transform(transform) => {
                self.check_number(transform, place, name);
                let shape = self.check_transform(transform, place, Site::Transform, step);
                if let InputTransform::Javascript { expr, .. } = transform {
                    self.wants_number(&shape, expr, &place.key("expr"), name);
                }
            }
        }
    }

    /// Checks that a constant is a number in a sensible range.
    pub(super) fn check_number(&mut self, transform: &InputTransform, place: &Place<'_>, name: &str) {
        let InputTransform::Static { value, .. } = transform else {
            return;
        };
        let at = place.key("value");
        match value.as_f64() {
            Some(number) => self.at_least_zero(number, &at, name),
            None if value.is_null() => {}
            None => {
                let message = format!("`{name}` must be a number");
                let found = Diagnostic::new_error(codes::WRONG_TYPE, at.pointer(), message);
                self.push(fixes::in_type(found, ValueType::Number, value));
            }
        }
    }

    fn at_least_zero(&mut self, number: f64, place: &Place<'_>, name: &str) {
        if number < 0.0 {
            let message = format!("`{name}` must not be negative, found {}", display_number(number));
            self.push(Diagnostic::new_error(codes::WRONG_TYPE, place.pointer(), message));
        }
    }
}
