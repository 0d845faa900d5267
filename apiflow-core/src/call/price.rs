//! The price of a node: what an attempt costs, from the node's declaration, its reply and its result.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ErrorClass;
#[cfg(any(feature = "runtime", test))]
use super::classify_failure::by_status;
use super::operation_rule::read_path;
use super::reply_rules::keep_form;
#[cfg(any(feature = "runtime", test))]
use super::without_byte_order_mark;
use crate::artifact::artifact_id_of;
use crate::declarations::NodeOutput;
use crate::diagnostic::{Diagnostic, codes};
use crate::json::{Fields, JsonPath, pointer_push, wrong_type};
use crate::money::{Amount, AttemptCost, is_currency};
#[cfg(any(feature = "runtime", test))]
use crate::ports::HttpReply;

/// Pixels in a megapixel.
const PIXELS_PER_MEGAPIXEL: u64 = 1_000_000;

/// A node's `price`. The cost of an attempt is the sum of the declared parts; if one of them is unknown, so is the sum.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    currency: String,
    per_call: Option<Amount>,
    per_output: Option<Amount>,
    per_second: Option<Amount>,
    per_megapixel: Option<Amount>,
    /// Numbers in the reply, each times its rate.
    from: Vec<ReplyTerm>,
    /// The most that an attempt costs, for reservations.
    max: Option<Amount>,
    on_failure: FailureCost,
    /// Names of the outputs that count: those of media, or all if there are none.
    counted: Vec<String>,
}

/// A number in the reply that is part of the cost.
#[derive(Debug, Clone, PartialEq)]
struct ReplyTerm {
    place: ReplyPlace,
    rate: Amount,
}

#[derive(Debug, Clone, PartialEq)]
enum ReplyPlace {
    Path(JsonPath),
    Header(String),
}

/// What an attempt costs that failed after the provider had accepted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailureCost {
    /// The provider charges for successes only.
    Free,
    /// The provider charges the same.
    Charged,
    /// That is not published.
    Unknown,
}

/// The amounts that replies have contained so far, one for each entry of `from`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReportedCost(Vec<Option<Amount>>);

impl ReportedCost {
    /// Returns whether no reply has contained an amount.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Returns these amounts, completed by those of earlier replies.
    #[must_use]
    pub fn or(self, earlier: &Self) -> Self {
        let count = self.0.len().max(earlier.0.len());
        let at = |list: &[Option<Amount>], index: usize| list.get(index).copied().flatten();
        Self((0..count).map(|index| at(&self.0, index).or(at(&earlier.0, index))).collect())
    }
}

/// How an attempt ended, as far as its price depends on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AttemptEnd<'a> {
    /// With this result.
    Succeeded(&'a Value),
    /// With an error of this name; `accepted`: the provider had accepted the work.
    Failed {
        /// Name of the error: a class, or a name of the engine.
        name: &'a str,
        /// Whether the provider had accepted the work.
        accepted: bool,
    },
    /// It was cancelled, or is no longer waited for.
    Abandoned,
}

impl Price {
    /// Parses a `price`: `{"currency", "per_call", "per_output", "per_second", "per_megapixel", "from", "max",
    /// "on_failure"}`.
    pub(super) fn read(
        value: &Value,
        pointer: &str,
        outputs: &[NodeOutput],
        found: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let mut fields = Fields::open(value, pointer, found)?;
        let currency = fields.required_string("currency").to_owned();
        if !currency.is_empty() && !is_currency(&currency) {
            let message = "`currency` must have 1 to 16 letters or digits, such as `USD` or `credits`";
            fields.note_fault(codes::BAD_VALUE, "currency", message);
        }
        let [per_call, per_output, per_second, per_megapixel, max] =
            ["per_call", "per_output", "per_second", "per_megapixel", "max"].map(|key| read_amount(&mut fields, key));
        let from = read_reply_terms(&mut fields);
        let on_failure = match fields.read_word("on_failure", &["free", "charged", "unknown"]) {
            Some("free") => FailureCost::Free,
            Some("charged") => FailureCost::Charged,
            Some(_) | None => FailureCost::Unknown,
        };
        let has_part = [per_call, per_output, per_second, per_megapixel].iter().any(Option::is_some);
        if !has_part && from.is_empty() {
            let message = "a price needs at least one of `per_call`, `per_output`, `per_second`, `per_megapixel` and \
                           `from`";
            fields.note_fault(codes::MISSING_FIELD, "per_call", message);
        }
        fields.close();
        let is_counted = |output: &&NodeOutput| output.r#type.is_media();
        let media: Vec<String> = outputs.iter().filter(is_counted).map(|output| output.name.clone()).collect();
        let all = || outputs.iter().map(|output| output.name.clone()).collect();
        let counted = if media.is_empty() { all() } else { media };
        Some(Self { currency, per_call, per_output, per_second, per_megapixel, from, max, on_failure, counted })
    }

    /// Returns the currency.
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// Returns the most that an attempt can cost: `max`, or the price itself if it is fixed; `None` if that is unknown.
    pub fn highest_amount(&self) -> Option<Amount> {
        let is_fixed = [self.per_output, self.per_second, self.per_megapixel].iter().all(Option::is_none);
        self.max.or(self.per_call.filter(|_| is_fixed && self.from.is_empty()))
    }

    /// Returns whether another price has the same rates; which outputs they count may differ.
    pub fn has_same_rates(&self, other: &Self) -> bool {
        let without_outputs = |price: &Self| Self { counted: Vec::new(), ..price.clone() };
        without_outputs(self) == without_outputs(other)
    }

    /// Reads the amounts that a reply contains.
    #[cfg(any(feature = "runtime", test))]
    pub(crate) fn read_reported(&self, reply: &HttpReply) -> ReportedCost {
        if self.from.is_empty() {
            return ReportedCost::default();
        }
        let has_path = self.from.iter().any(|term| matches!(term.place, ReplyPlace::Path(_)));
        let json: Option<Value> =
            if has_path { serde_json::from_slice(without_byte_order_mark(&reply.body)).ok() } else { None };
        let amount = |term: &ReplyTerm| {
            let number = match &term.place {
                ReplyPlace::Path(path) => Amount::parse(path.find_text(json.as_ref()?)?.trim())?,
                ReplyPlace::Header(name) => {
                    let header = reply.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
                    Amount::parse(header?.1.trim())?
                }
            };
            Some(number.times(term.rate))
        };
        ReportedCost(self.from.iter().map(amount).collect())
    }

    /// Returns what an attempt has cost; `None` if it cost nothing because the provider never accepted it.
    pub fn attempt_cost(&self, end: AttemptEnd<'_>, reported: &ReportedCost) -> Option<AttemptCost> {
        let amount = match end {
            AttemptEnd::Succeeded(result) => self.sum_parts(Some(result), reported),
            AttemptEnd::Abandoned => match self.on_failure {
                FailureCost::Free => return None,
                FailureCost::Charged | FailureCost::Unknown => None,
            },
            AttemptEnd::Failed { name, accepted } => match FailedCall::of_error(name, accepted) {
                FailedCall::NotAccepted => return None,
                FailedCall::Succeeded => self.sum_parts(None, reported),
                FailedCall::OfUnknownFate => None,
                FailedCall::Ended => match self.on_failure {
                    FailureCost::Free => return None,
                    FailureCost::Charged => self.sum_parts(None, reported),
                    // What the provider itself reports is known.
                    FailureCost::Unknown if self.per_call.is_none() => self.sum_parts(None, reported),
                    FailureCost::Unknown => None,
                },
            },
        };
        Some(AttemptCost { currency: self.currency.clone(), amount })
    }

    /// Returns what a request has cost that was passed on without being read, from the status of its reply; `None` if it
    /// cost nothing because the provider did not accept it. Parts that depend on outputs are unknown.
    #[cfg(any(feature = "runtime", test))]
    pub(crate) fn cost_of_status(&self, status: u16, reported: &ReportedCost) -> Option<AttemptCost> {
        let currency = self.currency.clone();
        match status {
            200..=299 => Some(AttemptCost { currency, amount: self.sum_parts(None, reported) }),
            400.. => {
                let end = AttemptEnd::Failed { name: by_status(status).name(), accepted: false };
                self.attempt_cost(end, reported)
            }
            _ => Some(AttemptCost { currency, amount: None }),
        }
    }

    /// Returns whether the cost is written in the body of the reply.
    #[cfg(any(feature = "runtime", test))]
    pub(crate) fn reads_body(&self) -> bool {
        self.from.iter().any(|term| matches!(term.place, ReplyPlace::Path(_)))
    }

    /// Returns the sum of all parts; without a result those that depend on it are unknown.
    fn sum_parts(&self, result: Option<&Value>, reported: &ReportedCost) -> Option<Amount> {
        let mut sum = self.per_call.unwrap_or_default();
        let items = result.map(|result| self.counted_items(result)).unwrap_or_default();
        let needs_items = self.per_output.or(self.per_second).or(self.per_megapixel).is_some();
        if needs_items && (result.is_none() || self.counted.is_empty()) {
            return None;
        }
        if let Some(rate) = self.per_output {
            sum = sum.plus(rate.times_ratio(items.len() as u64, 1));
        }
        for item in items {
            if let Some(rate) = self.per_second {
                sum = sum.plus(rate.times(duration_of(item)?));
            }
            if let Some(rate) = self.per_megapixel {
                sum = sum.plus(rate.times_ratio(pixels_of(item)?, PIXELS_PER_MEGAPIXEL));
            }
        }
        for index in 0..self.from.len() {
            sum = sum.plus(reported.0.get(index).copied().flatten()?);
        }
        Some(sum)
    }

    /// Returns the values of the outputs that count: each item of a list.
    fn counted_items<'a>(&self, result: &'a Value) -> Vec<&'a Value> {
        let values = self.counted.iter().filter_map(|name| result.get(name));
        let mut items = Vec::new();
        for value in values {
            match value {
                Value::Null => {}
                Value::Array(list) => items.extend(list),
                Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => items.push(value),
            }
        }
        items
    }
}

/// What a failure says about the work at the provider.
enum FailedCall {
    /// The provider did not accept it, so it costs nothing.
    NotAccepted,
    /// The work succeeded, only its reply cannot be used.
    Succeeded,
    /// Whether the provider accepted the work, or how it ended there, is not known.
    OfUnknownFate,
    /// The work failed at the provider.
    Ended,
}

impl FailedCall {
    fn of_error(name: &str, accepted: bool) -> Self {
        let Some(class) = ErrorClass::parse(name) else {
            return if accepted { Self::OfUnknownFate } else { Self::NotAccepted };
        };
        match class {
            ErrorClass::OutputInvalid | ErrorClass::OutputTooLarge => Self::Succeeded,
            ErrorClass::SubmitUnknown => Self::OfUnknownFate,
            ErrorClass::ProviderFailed | ErrorClass::Moderated | ErrorClass::Cancelled => Self::Ended,
            ErrorClass::Timeout if accepted => Self::OfUnknownFate,
            ErrorClass::Auth
            | ErrorClass::Payment
            | ErrorClass::InvalidInput
            | ErrorClass::NotFound
            | ErrorClass::RateLimited
            | ErrorClass::Unavailable
            | ErrorClass::Timeout
            | ErrorClass::Refused
                if accepted =>
            {
                Self::Ended
            }
            ErrorClass::Auth
            | ErrorClass::Payment
            | ErrorClass::InvalidInput
            | ErrorClass::NotFound
            | ErrorClass::RateLimited
            | ErrorClass::Unavailable
            | ErrorClass::Timeout
            | ErrorClass::BudgetExceeded
            | ErrorClass::Refused => Self::NotAccepted,
        }
    }
}

/// Checks the form of `price`.
pub(crate) fn check_price(value: &Value, pointer: &str, faults: &mut Vec<Diagnostic>) {
    keep_form(|found| drop(Price::read(value, pointer, &[], found)), faults);
}

fn duration_of(item: &Value) -> Option<Amount> {
    artifact_id_of(item)?;
    Amount::from_json(item.get("duration_s")?)
}

fn pixels_of(item: &Value) -> Option<u64> {
    artifact_id_of(item)?;
    item.get("width")?.as_u64()?.checked_mul(item.get("height")?.as_u64()?)
}

fn read_amount(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Amount> {
    let value = fields.read_value(key)?;
    let amount = Amount::from_json(value);
    if amount.is_none() {
        let message = format!("`{key}` must be a decimal number that is not negative, such as 0.04");
        fields.note_fault(codes::BAD_VALUE, key, message);
    }
    amount
}

/// Reads `from`: `{"path" | "header", "rate"}`, or a list of them.
fn read_reply_terms(fields: &mut Fields<'_, '_>) -> Vec<ReplyTerm> {
    let Some(value) = fields.read_value("from") else { return Vec::new() };
    let pointer = fields.pointer_of("from");
    match value {
        Value::Array(items) => {
            let at = |index: usize| pointer_push(&pointer, &index.to_string());
            let terms = items.iter().enumerate();
            terms.filter_map(|(index, item)| read_reply_term(item, &at(index), fields.sink)).collect()
        }
        Value::Object(_) => read_reply_term(value, &pointer, fields.sink).into_iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            fields.sink.push(wrong_type(&pointer, "an object or an array of objects", value));
            Vec::new()
        }
    }
}

fn read_reply_term(value: &Value, pointer: &str, found: &mut Vec<Diagnostic>) -> Option<ReplyTerm> {
    let mut fields = Fields::open(value, pointer, found)?;
    let path = read_path(&mut fields, "path").map(ReplyPlace::Path);
    let header = fields.read_string("header").map(|name| ReplyPlace::Header(name.to_owned()));
    let rate = read_amount(&mut fields, "rate").unwrap_or(Amount::from_units(1_000_000_000));
    if path.is_some() == header.is_some() {
        let message = "`from` needs a `path` into the reply or the name of a `header`, not both";
        fields.note_fault(codes::MISSING_FIELD, "path", message);
    }
    fields.close();
    Some(ReplyTerm { place: path.or(header)?, rate })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::value_type::ValueType;

    fn output(name: &str, r#type: ValueType) -> NodeOutput {
        serde_json::from_value(json!({"name": name, "type": "string"}))
            .map(|output: NodeOutput| NodeOutput { r#type, ..output })
            .expect("an output")
    }

    fn price(value: Value) -> Price {
        let outputs = [output("images", ValueType::Image), output("seed", ValueType::Integer)];
        let mut found = Vec::new();
        let price = Price::read(&value, "/data/price", &outputs, &mut found);
        assert!(found.is_empty(), "{value}: {found:?}");
        price.expect("a price")
    }

    fn reply(headers: &[(&str, &str)], body: &Value) -> HttpReply {
        HttpReply {
            status: 200,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.to_string().into_bytes(),
            url: String::new(),
            memory: crate::ports::MemoryHold::default(),
        }
    }

    fn known(cost: Option<AttemptCost>) -> Option<String> {
        cost.and_then(|cost| cost.amount).map(|amount| amount.to_string())
    }

    #[test]
    fn parts_are_added_up() {
        let images = json!({"images": [
            {"artifact": "a", "width": 1024, "height": 1024, "duration_s": 2.5},
            {"artifact": "b", "width": 500, "height": 2000, "duration_s": 1},
        ], "seed": 7});
        for (declared, expected) in [
            (json!({"per_call": 0.04}), "0.04"),
            (json!({"per_output": "0.02"}), "0.04"),
            (json!({"per_call": 0.01, "per_output": 0.02}), "0.05"),
            (json!({"per_second": 0.1}), "0.35"),
            (json!({"per_megapixel": 0.01}), "0.02048576"),
            (json!({"from": {"path": "metrics.predict_time", "rate": 0.0014}}), "0.0175"),
            (json!({"from": [{"path": "cost"}, {"header": "Character-Cost", "rate": 0.001}]}), "0.373"),
        ] {
            let mut declared = declared;
            declared["currency"] = json!("USD");
            let price = price(declared.clone());
            let reply =
                reply(&[("character-cost", "123")], &json!({"metrics": {"predict_time": 12.5}, "cost": "0.25"}));
            let cost = price.attempt_cost(AttemptEnd::Succeeded(&images), &price.read_reported(&reply));
            assert_eq!(known(cost).as_deref(), Some(expected), "{declared}");
        }
    }

    #[test]
    fn a_part_that_is_unknown_makes_the_sum_unknown() {
        let link = json!({"images": "https://example.com/a.png"});
        for declared in [
            json!({"per_call": 1, "per_second": 0.1}),
            json!({"per_megapixel": 0.1}),
            json!({"per_call": 1, "from": {"path": "cost"}}),
            json!({"from": {"path": "status"}}),
        ] {
            let mut declared = declared;
            declared["currency"] = json!("USD");
            let price = price(declared.clone());
            let reported = price.read_reported(&reply(&[], &json!({"status": "done"})));
            let cost = price.attempt_cost(AttemptEnd::Succeeded(&link), &reported).expect("it is billed");
            assert_eq!(cost.amount, None, "{declared}");
        }
    }

    #[test]
    fn failures_cost_what_the_price_says() {
        let failed = |name, accepted| AttemptEnd::Failed { name, accepted };
        for (end, free, charged, unknown) in [
            (failed("unavailable", false), None, None, None),
            (failed("budget_exceeded", false), None, None, None),
            (failed("expression_error", false), None, None, None),
            (failed("provider_failed", true), None, Some(Some("1")), Some(None)),
            (failed("moderated", false), None, Some(Some("1")), Some(None)),
            (failed("output_invalid", false), Some(Some("1")), Some(Some("1")), Some(Some("1"))),
            (failed("submit_unknown", false), Some(None), Some(None), Some(None)),
            (failed("timeout", true), Some(None), Some(None), Some(None)),
            (AttemptEnd::Abandoned, None, Some(None), Some(None)),
        ] {
            for (rule, expected) in [("free", free), ("charged", charged), ("unknown", unknown)] {
                let price = price(json!({"currency": "USD", "per_call": 1, "on_failure": rule}));
                let cost = price.attempt_cost(end, &ReportedCost::default());
                let amount = cost.map(|cost| cost.amount.map(|amount| amount.to_string()));
                assert_eq!(amount, expected.map(|amount| amount.map(str::to_owned)), "{end:?} {rule}");
            }
        }
    }

    #[test]
    fn a_reply_that_is_passed_on_costs_what_its_status_and_headers_say() {
        let fixed = json!({"currency": "USD", "per_call": 1});
        let per_image = json!({"currency": "USD", "per_call": 1, "per_output": 0.1, "max": 2});
        let reported = json!({"currency": "USD", "from": {"header": "cost"}});
        for (declared, status, expected) in [
            (&fixed, 201, Some(Some("1"))),
            (&per_image, 200, Some(None)),
            (&reported, 200, Some(Some("0.5"))),
            (&fixed, 302, Some(None)),
            (&fixed, 401, None),
            (&fixed, 429, None),
            (&fixed, 503, None),
        ] {
            let price = price(declared.clone());
            let reported = price.read_reported(&reply(&[("cost", "0.5")], &json!({})));
            let cost = price.cost_of_status(status, &reported);
            let amount = cost.map(|cost| cost.amount.map(|amount| amount.to_string()));
            assert_eq!(amount, expected.map(|amount| amount.map(str::to_owned)), "{declared} {status}");
        }
    }

    #[test]
    fn what_a_later_reply_says_completes_what_an_earlier_one_said() {
        let price = price(json!({"currency": "USD", "from": [{"path": "a"}, {"path": "b"}]}));
        let first = price.read_reported(&reply(&[], &json!({"a": 1})));
        let last = price.read_reported(&reply(&[], &json!({"b": 2}))).or(&first);
        assert_eq!(known(price.attempt_cost(AttemptEnd::Succeeded(&json!({})), &last)).as_deref(), Some("3"));
        assert!(!last.is_empty() && ReportedCost::default().is_empty());
    }

    #[test]
    fn the_highest_amount_is_known_if_it_is_fixed_or_declared() {
        for (declared, highest) in [
            (json!({"currency": "USD", "per_call": 0.04}), Some("0.04")),
            (json!({"currency": "USD", "per_output": 0.04}), None),
            (json!({"currency": "USD", "per_call": 0.04, "from": {"path": "x"}}), None),
            (json!({"currency": "USD", "per_output": 0.04, "max": 0.16}), Some("0.16")),
        ] {
            let amount = price(declared.clone()).highest_amount().map(|amount| amount.to_string());
            assert_eq!(amount.as_deref(), highest, "{declared}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_place() {
        for (declared, pointer) in [
            (json!(4), "/p"),
            (json!({"per_call": 1}), "/p/currency"),
            (json!({"currency": "US dollars", "per_call": 1}), "/p/currency"),
            (json!({"currency": "USD"}), "/p/per_call"),
            (json!({"currency": "USD", "per_call": -1}), "/p/per_call"),
            (json!({"currency": "USD", "per_image": 1, "per_call": 1}), "/p/per_image"),
            (json!({"currency": "USD", "per_call": 1, "on_failure": "maybe"}), "/p/on_failure"),
            (json!({"currency": "USD", "from": [{"rate": 1}]}), "/p/from/0/path"),
            (json!({"currency": "USD", "from": {"path": "a[", "rate": 1}}), "/p/from/path"),
            (json!({"currency": "USD", "from": "cost"}), "/p/from"),
        ] {
            let mut found = Vec::new();
            Price::read(&declared, "/p", &[], &mut found);
            assert!(found.iter().any(|fault| fault.pointer == pointer), "{declared}: {found:?}");
        }
    }
}
