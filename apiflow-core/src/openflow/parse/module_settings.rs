//! Parses the settings of modules, and transforms.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{DocumentFields, DocumentReader};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::{codes, suggest};
use crate::openflow::{
    ConstantRetry, ExponentialRetry, InputTransform, Mock, NumberOrTransform, Place, Retry, SkipIf, StopAfterIf,
    Suspend,
};

impl DocumentReader {
    pub(super) fn stop_after_if(&mut self, value: &Value, place: &Place<'_>) -> Option<StopAfterIf> {
        let mut fields = self.read_object(value, place, "a stop condition")?;
        Some(StopAfterIf {
            expr: fields.required_text("expr"),
            skip_if_stopped: fields.read_bool("skip_if_stopped").unwrap_or_default(),
            error_message: fields.read_string("error_message").map(str::to_owned),
            error_include_result: fields.read_bool("error_include_result").unwrap_or_default(),
            extra: fields.into_rest(),
        })
    }

    pub(super) fn skip_if(&mut self, value: &Value, place: &Place<'_>) -> Option<SkipIf> {
        let mut fields = self.read_object(value, place, "a condition")?;
        Some(SkipIf { expr: fields.required_text("expr"), extra: fields.into_rest() })
    }

    pub(super) fn read_mock(&mut self, value: &Value, place: &Place<'_>) -> Option<Mock> {
        let mut fields = self.read_object(value, place, "`mock`")?;
        Some(Mock {
            enabled: fields.read_bool("enabled").unwrap_or_default(),
            return_value: fields.read_value("return_value").cloned().unwrap_or_default(),
            extra: fields.into_rest(),
        })
    }

    pub(super) fn read_suspend(&mut self, value: &Value, place: &Place<'_>) -> Option<Suspend> {
        let mut fields = self.read_object(value, place, "`suspend`")?;
        Some(Suspend {
            required_events: fields.read_integer("required_events"),
            timeout: fields.read_integer("timeout"),
            resume_form: fields.read_value("resume_form").cloned(),
            continue_on_disapprove_timeout: fields.read_bool("continue_on_disapprove_timeout").unwrap_or_default(),
            extra: fields.into_rest(),
        })
    }

    pub(super) fn read_retry(&mut self, value: &Value, place: &Place<'_>) -> Option<Retry> {
        let mut fields = self.read_object(value, place, "`retry`")?;
        Some(Retry {
            constant: fields.read_with("constant", Self::constant_retry).flatten(),
            exponential: fields.read_with("exponential", Self::exponential_retry).flatten(),
            retry_if: fields.read_with("retry_if", Self::skip_if).flatten(),
            extra: fields.into_rest(),
        })
    }

    fn constant_retry(&mut self, value: &Value, place: &Place<'_>) -> Option<ConstantRetry> {
        let mut fields = self.read_object(value, place, "`constant`")?;
        Some(ConstantRetry {
            attempts: fields.read_integer("attempts").unwrap_or_default(),
            seconds: fields.read_integer("seconds").unwrap_or_default(),
            extra: fields.into_rest(),
        })
    }

    fn exponential_retry(&mut self, value: &Value, place: &Place<'_>) -> Option<ExponentialRetry> {
        let mut fields = self.read_object(value, place, "`exponential`")?;
        Some(ExponentialRetry {
            attempts: fields.read_integer("attempts").unwrap_or_default(),
            multiplier: fields.read_integer("multiplier").unwrap_or(1),
            seconds: fields.read_integer("seconds").unwrap_or_default(),
            random_factor: fields.read_integer("random_factor"),
            extra: fields.into_rest(),
        })
    }

    /// Takes the inputs of a step, under the newer or the older name of the field.
    pub(super) fn input_transforms(fields: &mut DocumentFields<'_, '_>) -> BTreeMap<String, InputTransform> {
        let given = fields.read_with("input_transforms", Self::read_transforms);
        let older = fields.read_with("input_transform", |reader, value, place| {
            if given.is_some() {
                let message = "`input_transform` is the older name of `input_transforms`: remove one";
                reader.note_fault(place, codes::DUPLICATE_FIELD, message.to_owned());
            }
            reader.read_transforms(value, place)
        });
        given.or(older).unwrap_or_default()
    }

    pub(super) fn read_transforms(&mut self, value: &Value, place: &Place<'_>) -> BTreeMap<String, InputTransform> {
        let Value::Object(map) = value else {
            self.wrong_type(place, "the inputs of a step", "an object", value);
            return BTreeMap::new();
        };
        map.iter().map(|(name, value)| (name.clone(), self.read_transform(value, &place.key(name)))).collect()
    }

    /// Reads a transform; an invalid one becomes null.
    pub(super) fn read_transform(&mut self, value: &Value, place: &Place<'_>) -> InputTransform {
        self.transform_fields(value, place).unwrap_or(InputTransform::Static { value: Value::Null, extra: Map::new() })
    }

    fn transform_fields(&mut self, value: &Value, place: &Place<'_>) -> Option<InputTransform> {
        const KNOWN: [&str; 3] = ["static", "javascript", "ai"];
        let mut fields = self.read_object(value, place, "a transform")?;
        let given = fields.required_value("type")?;
        match given.as_str() {
            Some("static") => Some(InputTransform::Static {
                value: fields.read_value("value").cloned().unwrap_or_default(),
                extra: fields.into_rest(),
            }),
            Some("javascript") => Some(InputTransform::Javascript {
                expr: fields.read_string("expr").unwrap_or_default().to_owned(),
                extra: fields.into_rest(),
            }),
            Some("ai") => Some(InputTransform::Ai { extra: fields.into_rest() }),
            Some(other) => {
                self.unknown_type(place, codes::UNKNOWN_TRANSFORM_TYPE, "transform", other, &KNOWN);
                None
            }
            None => {
                self.wrong_type(&place.key("type"), "`type`", "a string", given);
                None
            }
        }
    }

    /// Reads a number or a transform.
    pub(super) fn number_or_transform(&mut self, value: &Value, place: &Place<'_>) -> Option<NumberOrTransform> {
        match value {
            Value::Number(number) => number.as_f64().map(NumberOrTransform::Number),
            Value::Object(_) => Some(NumberOrTransform::Transform(self.read_transform(value, place))),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => {
                self.wrong_type(place, "the value", "a number or a transform", value);
                None
            }
        }
    }

    /// Reports an unknown `type`; everything below the location counts as invalid.
    pub(super) fn unknown_type(&mut self, place: &Place<'_>, code: &str, what: &str, given: &str, known: &[&str]) {
        self.broken.insert(place.pointer());
        let begun = known.iter().copied().find(|known| given.len() > 2 && known.starts_with(given));
        let near = suggest::nearest_name(given, known.iter().copied()).or(begun);
        let help = match (given, near) {
            ("flowscript", _) => "it is the deployed form of a `rawscript`".to_owned(),
            (_, Some(near)) => {
                format!("{} The types are {}", suggest::did_you_mean(near), suggest::list_names(known.iter().copied()))
            }
            (_, None) => format!("the types are {}", suggest::list_names(known.iter().copied())),
        };
        let mut found =
            Diagnostic::new_error(code, place.key("type").pointer(), format!("no {what} has the type `{given}`"))
                .with_help(help);
        if let Some(near) = near {
            found.fix = Some(crate::diagnostic::Fix {
                label: format!("change to `{near}`"),
                pointer: found.pointer.clone(),
                value: Value::from(near),
            });
        }
        self.findings.push(found);
    }
}
