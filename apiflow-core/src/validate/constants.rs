//! Checks constants: their type, and references to variables that exist only in Windmill.

use serde_json::Value;

use super::accepted_inputs::AcceptedInput;
use super::checker::Checker;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::fixes;
use crate::diagnostic::{codes, suggest};
use crate::json::{describe_type, display_number};
use crate::openflow::Place;

/// Help of findings about Windmill's variables.
pub(super) const USE_SECRETS: &str =
    "store the value as a secret and refer to it in the connector's `header` as `$NAME`";

/// Prefixes of strings that Windmill resolves when a step starts.
const RESOLVED: [&str; 3] = ["$var:", "$res:", "$encrypted:"];

impl Checker<'_> {
    /// Reports strings that Windmill would resolve, at any depth.
    pub(super) fn windmill_variables(&mut self, value: &Value, place: &Place<'_>) {
        match value {
            Value::String(text) => {
                if let Some(start) = RESOLVED.iter().find(|start| text.starts_with(**start)) {
                    let message = format!("`{start}` exists only in Windmill");
                    let found = Diagnostic::new_error(codes::UNSUPPORTED_VARIABLE, place.pointer(), message);
                    self.push(found.with_help(USE_SECRETS));
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.windmill_variables(item, &place.index(index));
                }
            }
            Value::Object(map) => {
                for (key, item) in map {
                    self.windmill_variables(item, &place.key(key));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Checks a constant that is passed to a declared input; the caller has handled null.
    pub(super) fn check_constant(&mut self, slot: &AcceptedInput<'_>, value: &Value, place: &Place<'_>) {
        let name = slot.name;
        if let Some(wanted) = slot.value_type
            && !wanted.matches(value)
        {
            let message = format!("input `{name}` must be {}, found {}", wanted.describe(), describe_value(value));
            let fault = Diagnostic::new_error(codes::WRONG_INPUT_TYPE, place.pointer(), message);
            self.push(fixes::in_type(fault, wanted, value));
            return;
        }
        if let (Value::Array(items), Some(wanted)) = (value, slot.item_type) {
            for (index, item) in items.iter().enumerate().filter(|(_, item)| !wanted.matches(item)) {
                let message = format!(
                    "each element of input `{name}` must be {}, found {}",
                    wanted.describe(),
                    describe_value(item)
                );
                let fault = Diagnostic::new_error(codes::WRONG_INPUT_TYPE, place.index(index).pointer(), message);
                self.push(fixes::in_type(fault, wanted, item));
            }
        }
        if let Some(allowed) = slot.allowed
            && !allowed.contains(value)
        {
            self.not_in_enum(name, allowed, value, place);
        }
        self.check_range(slot, value, place);
    }

    fn not_in_enum(&mut self, name: &str, allowed: &[Value], value: &Value, place: &Place<'_>) {
        let texts: Vec<String> = allowed.iter().map(display_value).collect();
        let given = display_value(value);
        let message = format!("input `{name}` can't be `{given}`");
        let mut found = Diagnostic::new_error(codes::NOT_IN_ENUM, place.pointer(), message);
        let near = suggest::nearest_name(&given, texts.iter().map(String::as_str));
        let listed = suggest::list_names(texts.iter().map(String::as_str));
        found = found.with_help(match near {
            Some(near) => format!("{} It may be {listed}", suggest::did_you_mean(near)),
            None => format!("it may be {listed}"),
        });
        if let Some(at) = near.and_then(|near| texts.iter().position(|text| text == near)) {
            found = fixes::with_replacement(found, allowed[at].clone());
        }
        self.push(found);
    }

    fn check_range(&mut self, slot: &AcceptedInput<'_>, value: &Value, place: &Place<'_>) {
        let Some(number) = value.as_f64() else { return };
        let message = match (slot.minimum, slot.maximum) {
            (Some(least), _) if number < least => {
                format!(
                    "input `{}` must be at least {}, found {}",
                    slot.name,
                    display_number(least),
                    display_number(number)
                )
            }
            (_, Some(most)) if number > most => {
                format!(
                    "input `{}` must be at most {}, found {}",
                    slot.name,
                    display_number(most),
                    display_number(number)
                )
            }
            (_, _) => return,
        };
        self.push(Diagnostic::new_error(codes::OUT_OF_RANGE, place.pointer(), message));
    }
}

/// Formats a value for a message.
pub(super) fn display_value(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Describes a value for a message about a wrong type.
fn describe_value(value: &Value) -> String {
    if value.is_number() { value.to_string() } else { describe_type(value).to_owned() }
}
