//! What may be set on any module, and the transforms.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{DocumentReader, Fields};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::{codes, suggest};
use crate::openflow::{
    ConstantRetry, ExponentialRetry, InputTransform, Mock, NumberOrTransform, Place, Retry, SkipIf, StopAfterIf,
    Suspend,
};

impl DocumentReader {
    pub(super) fn stop_after_if(&mut self, value: &Value, place: &Place<'_>) -> Option<StopAfterIf> {
        let mut fields = self.object(value, place, "a stop condition")?;
        Some(StopAfterIf {
            expr: fields.required_text(self, "expr"),
            skip_if_stopped: fields.flag(self, "skip_if_stopped").unwrap_or_default(),
            error_message: fields.text(self, "error_message"),
            error_include_result: fields.flag(self, "error_include_result").unwrap_or_default(),
            extra: fields.rest(self),
        })
    }

    pub(super) fn skip_if(&mut self, value: &Value, place: &Place<'_>) -> Option<SkipIf> {
        let mut fields = self.object(value, place, "a condition")?;
        Some(SkipIf { expr: fields.required_text(self, "expr"), extra: fields.rest(self) })
    }

    pub(super) fn mock(&mut self, value: &Value, place: &Place<'_>) -> Option<Mock> {
        let mut fields = self.object(value, place, "`mock`")?;
        Some(Mock {
            enabled: fields.flag(self, "enabled").unwrap_or_default(),
            return_value: fields.given("return_value").cloned().unwrap_or_default(),
            extra: fields.rest(self),
        })
    }

    pub(super) fn suspend(&mut self, value: &Value, place: &Place<'_>) -> Option<Suspend> {
        let mut fields = self.object(value, place, "`suspend`")?;
        Some(Suspend {
            required_events: fields.whole(self, "required_events"),
            timeout: fields.whole(self, "timeout"),
            resume_form: fields.given("resume_form").cloned(),
            continue_on_disapprove_timeout: fields.flag(self, "continue_on_disapprove_timeout").unwrap_or_default(),
            extra: fields.rest(self),
        })
    }

    pub(super) fn retry(&mut self, value: &Value, place: &Place<'_>) -> Option<Retry> {
        let mut fields = self.object(value, place, "`retry`")?;
        Some(Retry {
            constant: fields.inner(self, "constant", Self::constant_retry).flatten(),
            exponential: fields.inner(self, "exponential", Self::exponential_retry).flatten(),
            retry_if: fields.inner(self, "retry_if", Self::skip_if).flatten(),
            extra: fields.rest(self),
        })
    }

    fn constant_retry(&mut self, value: &Value, place: &Place<'_>) -> Option<ConstantRetry> {
        let mut fields = self.object(value, place, "`constant`")?;
        Some(ConstantRetry {
            attempts: fields.whole(self, "attempts").unwrap_or_default(),
            seconds: fields.whole(self, "seconds").unwrap_or_default(),
            extra: fields.rest(self),
        })
    }

    fn exponential_retry(&mut self, value: &Value, place: &Place<'_>) -> Option<ExponentialRetry> {
        let mut fields = self.object(value, place, "`exponential`")?;
        Some(ExponentialRetry {
            attempts: fields.whole(self, "attempts").unwrap_or_default(),
            multiplier: fields.whole(self, "multiplier").unwrap_or(1),
            seconds: fields.whole(self, "seconds").unwrap_or_default(),
            random_factor: fields.whole(self, "random_factor"),
            extra: fields.rest(self),
        })
    }

    /// The inputs of a step, under their name or the older one.
    pub(super) fn input_transforms(&mut self, fields: &mut Fields<'_, '_>) -> BTreeMap<String, InputTransform> {
        let given = fields.inner(self, "input_transforms", Self::transforms);
        let older = fields.inner(self, "input_transform", |reader, value, place| {
            if given.is_some() {
                let message = "`input_transform` is the older name of `input_transforms`: remove one";
                reader.fault(place, codes::DUPLICATE_FIELD, message.to_owned());
            }
            reader.transforms(value, place)
        });
        given.or(older).unwrap_or_default()
    }

    fn transforms(&mut self, value: &Value, place: &Place<'_>) -> BTreeMap<String, InputTransform> {
        let Value::Object(map) = value else {
            self.wrong_type(place, "the inputs of a step", "an object", value);
            return BTreeMap::new();
        };
        map.iter().map(|(name, value)| (name.clone(), self.transform(value, &place.key(name)))).collect()
    }

    /// Reads a transform; a broken one gives null.
    pub(super) fn transform(&mut self, value: &Value, place: &Place<'_>) -> InputTransform {
        self.transform_fields(value, place).unwrap_or(InputTransform::Static { value: Value::Null, extra: Map::new() })
    }

    fn transform_fields(&mut self, value: &Value, place: &Place<'_>) -> Option<InputTransform> {
        const KNOWN: [&str; 3] = ["static", "javascript", "ai"];
        let mut fields = self.object(value, place, "a transform")?;
        let given = fields.required(self, "type")?;
        match given.as_str() {
            Some("static") => Some(InputTransform::Static {
                value: fields.given("value").cloned().unwrap_or_default(),
                extra: fields.rest(self),
            }),
            Some("javascript") => Some(InputTransform::Javascript {
                expr: fields.text(self, "expr").unwrap_or_default(),
                extra: fields.rest(self),
            }),
            Some("ai") => Some(InputTransform::Ai { extra: fields.rest(self) }),
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

    /// Reads a plain number or a transform.
    pub(super) fn number_or_transform(&mut self, value: &Value, place: &Place<'_>) -> Option<NumberOrTransform> {
        match value {
            Value::Number(number) => number.as_f64().map(NumberOrTransform::Number),
            Value::Object(_) => Some(NumberOrTransform::Transform(self.transform(value, place))),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => {
                self.wrong_type(place, "the value", "a number or a transform", value);
                None
            }
        }
    }

    /// Notes a `type` that is none of the known ones; all of what the place holds counts as broken.
    pub(super) fn unknown_type(&mut self, place: &Place<'_>, code: &str, what: &str, given: &str, known: &[&str]) {
        self.broken.insert(place.pointer());
        let begun = known.iter().copied().find(|known| given.len() > 2 && known.starts_with(given));
        let near = suggest::nearest(given, known.iter().copied()).or(begun);
        let help = match (given, near) {
            ("flowscript", _) => "it is the deployed form of `rawscript`".to_owned(),
            (_, Some(near)) => {
                format!("{} The types are {}", suggest::did_you_mean(near), suggest::listed(known.iter().copied()))
            }
            (_, None) => format!("the types are {}", suggest::listed(known.iter().copied())),
        };
        let mut found =
            Diagnostic::error(code, place.key("type").pointer(), format!("no {what} has the type `{given}`"))
                .help(help);
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
