//! Validation against a JSON Schema that is aborted if it takes too long.
//!
//! The validator has no budget of its own, but it accesses values only through [`Json`]. [`Metered`] is the usual
//! representation with a meter in each access. The work between two accesses is bounded before the schema is compiled
//! ([`apiflow_core::validate::MAX_SCHEMAS_PER_VALUE`]). A check that exceeds its budget unwinds, as a cancelled query of
//! rust-analyzer does; [`run_metered`] catches that.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use apiflow_core::digest::hash_value;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object};
use jsonschema::types::JsonType;
use serde_json::{Map, Number, Value};

/// Maximum stack use of a check, in bytes: threads have 2 MiB.
const MAX_STACK_BYTES: usize = 1024 * 1024;

/// Maximum number of steps of one search: some seconds in the worst case.
const MAX_SEARCH_STEPS: u64 = 2_000_000;

/// Number of steps between two reads of the clock.
const CLOCK_INTERVAL: u64 = 4_096;

/// Budget of a validation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Approximate number of accesses to values.
    pub(super) steps: u64,
    /// Deadline of the validation.
    pub(super) deadline: Instant,
    /// Number of states of the schema's largest pattern.
    pub(super) pattern_states: u64,
    /// Number of states of all patterns for property names together.
    pub(super) name_pattern_states: u64,
}

/// The reason why a validation was aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// It exceeded its budget of steps.
    Steps,
    /// It exceeded its budget of time.
    Time,
    /// It exceeded its budget of stack.
    Depth,
}

#[derive(Clone, Copy)]
struct Meter {
    budget: Budget,
    until_clock: u64,
    stack_base: usize,
}

thread_local! {
    static METER: Cell<Option<Meter>> = const { Cell::new(None) };
}

/// Runs a validation within a budget.
pub(super) fn run_metered<T>(budget: Budget, check: impl FnOnce() -> T) -> Result<T, GivenUp> {
    let meter = Meter { budget, until_clock: CLOCK_INTERVAL, stack_base: stack_address() };
    METER.set(Some(meter));
    let result = catch_unwind(AssertUnwindSafe(check));
    METER.set(None);
    match result {
        Ok(value) => Ok(value),
        Err(panic) => match panic.downcast::<GivenUp>() {
            Ok(given_up) => Err(*given_up),
            Err(panic) => resume_unwind(panic),
        },
    }
}

/// Returns the approximate position of this call on the stack.
#[inline(never)]
fn stack_address() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&here)) as usize
}

/// Takes steps from the budget; unwinds if none are left.
fn spend_steps(steps: u64) {
    // Outside of a check nothing is metered: schemas themselves are checked against those of the drafts.
    let Some(mut meter) = METER.get() else { return };
    let Some(left) = meter.budget.steps.checked_sub(steps) else { give_up(GivenUp::Steps) };
    meter.budget.steps = left;
    match meter.until_clock.checked_sub(steps) {
        Some(left) => meter.until_clock = left,
        None if Instant::now() > meter.budget.deadline => give_up(GivenUp::Time),
        None => meter.until_clock = CLOCK_INTERVAL,
    }
    METER.set(Some(meter));
    if meter.stack_base.abs_diff(stack_address()) > MAX_STACK_BYTES {
        give_up(GivenUp::Depth);
    }
}

fn give_up(reason: GivenUp) -> ! {
    METER.set(None);
    resume_unwind(Box::new(reason))
}

/// Charges for a string that a pattern may search. A search cannot be aborted: one that may take too long is not started.
fn text_cost(text: &str) -> u64 {
    let Some(meter) = METER.get() else { return 0 };
    let cost = search_cost(text.len() as u64, meter.budget.pattern_states);
    if cost > MAX_SEARCH_STEPS { give_up(GivenUp::Steps) } else { 1 + cost }
}

/// Number of steps of a search: in the worst case each state is visited at each character, but most searches visit far
/// fewer.
fn search_cost(bytes: u64, states: u64) -> u64 {
    (bytes / 64).saturating_add(bytes.saturating_mul(states) / 1_024)
}

/// Returns the number of values in a value, plus a sixteenth of the bytes of its strings.
fn value_weight(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len() as u64 / 16,
        Value::Array(items) => 1 + items.iter().map(value_weight).sum::<u64>(),
        Value::Object(fields) => 1 + fields.values().map(value_weight).sum::<u64>(),
    }
}

/// Values of `serde_json`, with a meter.
pub(super) struct Metered;

impl Json for Metered {
    type Node<'a> = &'a Value;
    type PreparedKey = String;
    type StringBuffer = ();

    const KEYS_PER_LOOKUP: usize = 2;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(&Value) -> T) -> T {
        spend_steps(text_cost(string));
        f(&Value::String(string.to_owned()))
    }
}

impl<'a> Node<'a, Metered> for &'a Value {
    type Object = &'a Map<String, Value>;
    type Array = &'a [Value];
    type Number = &'a Number;

    fn as_object(&self) -> Option<&'a Map<String, Value>> {
        spend_steps(1);
        Value::as_object(self)
    }

    fn as_array(&self) -> Option<&'a [Value]> {
        spend_steps(1);
        Value::as_array(self).map(Vec::as_slice)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let text = Value::as_str(self);
        spend_steps(text.map_or(1, text_cost));
        text.map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<&'a Number> {
        spend_steps(1);
        Value::as_number(self)
    }

    fn as_boolean(&self) -> Option<bool> {
        spend_steps(1);
        Value::as_bool(self)
    }

    fn is_null(&self) -> bool {
        spend_steps(1);
        Value::is_null(self)
    }

    fn json_type(&self) -> JsonType {
        spend_steps(1);
        match self {
            Value::Null => JsonType::Null,
            Value::Bool(_) => JsonType::Boolean,
            Value::Number(_) => JsonType::Number,
            Value::String(_) => JsonType::String,
            Value::Array(_) => JsonType::Array,
            Value::Object(_) => JsonType::Object,
        }
    }

    fn string_length(&self) -> Option<u64> {
        let text = Value::as_str(self)?;
        spend_steps(1 + text.len() as u64 / 64);
        Some(text.chars().count() as u64)
    }

    fn equals_value(&self, expected: &Value) -> bool {
        spend_steps(value_weight(self));
        jsonschema::json::cmp::equal(self, expected)
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Borrowed(self)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref::<Value>(self) as usize))
    }
}

impl<'a> Object<'a, Metered> for &'a Map<String, Value> {
    type Node = &'a Value;
    type MemberName = &'a str;
    type MembersIter = std::iter::Map<serde_json::map::Iter<'a>, fn((&'a String, &'a Value)) -> (&'a str, &'a Value)>;

    fn len(&self) -> usize {
        Map::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Value> {
        spend_steps(1);
        Map::get(self, key)
    }

    fn members(&self) -> Self::MembersIter {
        let states = METER.get().map_or(0, |meter| meter.budget.name_pattern_states);
        let names = if states == 0 { 0 } else { self.keys().map(|name| name.len() as u64).sum::<u64>() };
        spend_steps(1 + Map::len(self) as u64 + search_cost(names, states));
        fn borrow_entry<'a>((name, value): (&'a String, &'a Value)) -> (&'a str, &'a Value) {
            (name.as_str(), value)
        }
        self.iter().map(borrow_entry)
    }
}

impl<'a> Array<'a, Metered> for &'a [Value] {
    type Node = &'a Value;
    type ElementsIter = std::slice::Iter<'a, Value>;

    fn len(&self) -> usize {
        <[Value]>::len(self)
    }

    fn elements(&self) -> Self::ElementsIter {
        spend_steps(1 + <[Value]>::len(self) as u64);
        self.iter()
    }

    /// Compares digests: the library's own hash is equal for `[]` and `[[]]`, so a crafted list would be compared in pairs.
    fn is_unique(&self) -> bool {
        let mut seen = BTreeSet::new();
        self.iter().all(|item| {
            spend_steps(8 * value_weight(item));
            seen.insert(hash_value(&with_plain_numbers(item)))
        })
    }
}

/// Normalizes whole numbers: 1 and 1.0 are the same.
fn with_plain_numbers(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::Number(number) => match number.as_f64() {
            // Below 2^53 a float is a whole number exactly.
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and within 53 bits")]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                Cow::Owned(Value::from(float as i64))
            }
            Some(_) | None => Cow::Borrowed(value),
        },
        Value::Array(items) => {
            Cow::Owned(items.iter().map(|item| with_plain_numbers(item).into_owned()).collect::<Vec<_>>().into())
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| (name.clone(), with_plain_numbers(field).into_owned()));
            Cow::Owned(Value::Object(fields.collect()))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => Cow::Borrowed(value),
    }
}
