//! Amounts of money: exact decimal numbers, and what a step or a job has cost.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

/// Number of decimal places that are kept.
const DECIMAL_PLACES: usize = 9;
/// Units of an [`Amount`] in one unit of its currency.
const UNITS_PER_ONE: i128 = 1_000_000_000;

/// An amount of some currency, in units of 1e-9: sums have no rounding errors, unlike binary fractions.
///
/// As JSON it is a decimal string, such as `"0.04"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Creates an amount from its number of 1e-9 units.
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// Returns the number of 1e-9 units.
    pub const fn to_units(self) -> i64 {
        self.0
    }

    /// Parses a decimal number with an optional exponent, such as `0.04`, `12` or `4e-2`; further decimal places are
    /// rounded. `None` if it is not a number, is negative, or is too large.
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        // Position of the decimal point in the digits of the amount in units.
        let places = i64::try_from(DECIMAL_PLACES).ok()?;
        let point = i64::try_from(whole.len()).ok()? + i64::from(exponent) + places;
        let Ok(point) = usize::try_from(point) else { return Some(Self::ZERO) };
        let significant = digits.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Self::ZERO);
        }
        if point > digits.len() + 19 {
            return None;
        }
        let kept: String = digits.chars().chain(std::iter::repeat('0')).take(point).collect();
        let rounds_up = digits.as_bytes().get(point).is_some_and(|digit| *digit >= b'5');
        let kept = kept.trim_start_matches('0');
        let units = if kept.is_empty() { 0 } else { kept.parse::<i64>().ok()? };
        Some(Self(units.checked_add(i64::from(rounds_up))?))
    }

    /// Parses a JSON number or a decimal string.
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::parse(&number.to_string()),
            Value::String(text) => Self::parse(text.trim()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// Returns the sum; it stops at the largest amount.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Returns the product of two decimal numbers, rounded; it stops at the largest amount.
    #[must_use]
    pub fn times(self, factor: Self) -> Self {
        Self::from_wide(i128::from(self.0) * i128::from(factor.0), UNITS_PER_ONE)
    }

    /// Returns `numerator` / `denominator` times the amount, rounded; it stops at the largest amount.
    #[must_use]
    pub fn times_ratio(self, numerator: u64, denominator: u64) -> Self {
        Self::from_wide(i128::from(self.0) * i128::from(numerator), i128::from(denominator.max(1)))
    }

    fn from_wide(product: i128, divisor: i128) -> Self {
        Self(i64::try_from((product + divisor / 2) / divisor).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        let (whole, fraction) = (units / 1_000_000_000, units % 1_000_000_000);
        let fraction = format!("{fraction:09}");
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            write!(formatter, "{sign}{whole}")
        } else {
            write!(formatter, "{sign}{whole}.{fraction}")
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value)
            .ok_or_else(|| serde::de::Error::custom("an amount is a decimal number that is not negative, such as 0.04"))
    }
}

/// Returns whether a text can name a currency, or another unit such as credits: 1 to 16 letters or digits.
pub fn is_currency(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What one attempt has cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptCost {
    /// Currency of the node's price.
    pub currency: String,
    /// The amount; `None` if it is not known: not the same as nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
}

/// What a step or a job has cost so far: amounts by currency, and the number of attempts whose cost is not known.
///
/// As JSON: `{"amounts": {"USD": "0.04"}, "unknown": 0}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Cost {
    /// The known amounts by currency, as decimal strings.
    #[serde(default)]
    #[cfg_attr(feature = "utoipa", schema(required, value_type = BTreeMap<String, String>))]
    pub amounts: BTreeMap<String, Amount>,
    /// Number of attempts whose cost is not known: their node has no `price`, or it could not be determined.
    #[serde(default)]
    #[cfg_attr(feature = "utoipa", schema(required))]
    pub unknown: u64,
}

impl Cost {
    /// Returns whether nothing has been counted yet.
    pub fn is_empty(&self) -> bool {
        self.amounts.is_empty() && self.unknown == 0
    }

    /// Returns the cost of one attempt.
    pub fn of_attempt(cost: &AttemptCost) -> Self {
        let mut sum = Self::default();
        sum.add_attempt(cost);
        sum
    }

    /// Adds the cost of an attempt.
    pub fn add_attempt(&mut self, cost: &AttemptCost) {
        match cost.amount {
            Some(amount) => {
                let sum = self.amounts.entry(cost.currency.clone()).or_default();
                *sum = sum.plus(amount);
            }
            None => self.unknown += 1,
        }
    }

    /// Returns the cost as JSON.
    pub fn to_json(&self) -> Value {
        json!({"amounts": self.amounts, "unknown": self.unknown})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_exactly() {
        for (text, units, written) in [
            ("0.04", 40_000_000, "0.04"),
            ("0", 0, "0"),
            ("0.000", 0, "0"),
            ("12", 12_000_000_000, "12"),
            ("1.5", 1_500_000_000, "1.5"),
            ("4e-2", 40_000_000, "0.04"),
            ("1.2E3", 1_200_000_000_000, "1200"),
            ("0.0000000004", 0, "0"),
            ("0.0000000005", 1, "0.000000001"),
            ("1e-30", 0, "0"),
            ("0.1234567894", 123_456_789, "0.123456789"),
        ] {
            let amount = Amount::parse(text);
            assert_eq!(amount.map(Amount::to_units), Some(units), "{text}");
            assert_eq!(amount.map(|amount| amount.to_string()).as_deref(), Some(written), "{text}");
        }
        for text in ["", ".", "-1", "one", "1e", "1e400", "10000000000", "0x1", "1 2", "NaN"] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sums_of_decimal_fractions_do_not_drift() {
        let mut sum = Amount::ZERO;
        for _ in 0..1_000 {
            sum = sum.plus(Amount::from_json(&json!(0.1)).expect("an amount"));
        }
        assert_eq!(sum.to_string(), "100");
    }

    #[test]
    fn products_are_rounded_to_the_nearest_unit() {
        let amount = |text: &str| Amount::parse(text).expect("an amount");
        assert_eq!(amount("0.0014").times(amount("12.5")).to_string(), "0.0175");
        assert_eq!(amount("0.000000001").times(amount("0.5")).to_string(), "0.000000001");
        assert_eq!(amount("0.05").times_ratio(1_048_576, 1_000_000).to_string(), "0.0524288");
        assert_eq!(amount("9000000000").times(amount("9000000000")), Amount::from_units(i64::MAX));
    }

    #[test]
    fn what_is_unknown_is_counted_and_adds_nothing() {
        let mut cost = Cost::default();
        let attempt =
            |amount: Option<&str>| AttemptCost { currency: "USD".to_owned(), amount: amount.and_then(Amount::parse) };
        for amount in [Some("0.04"), None, Some("0.06"), Some("0")] {
            cost.add_attempt(&attempt(amount));
        }
        assert_eq!(cost.to_json(), json!({"amounts": {"USD": "0.1"}, "unknown": 1}));
        assert_eq!(serde_json::from_value::<Cost>(cost.to_json()).expect("a cost"), cost);
    }
}
