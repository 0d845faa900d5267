//! What providers do with the calls of a random document, decided by the seed alone.

use serde_json::{Value, json};

use super::random::{Random, hash};

/// Where something happens: the modules around it, with branch or iteration, and with the attempt from the second on.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(String);

impl Place {
    /// Inside a branch or iteration of a module.
    pub(crate) fn inside(&self, module: &str, attempt: u32, slot: usize) -> Self {
        let mark = if attempt == 0 { String::new() } else { format!("#{attempt}") };
        self.with(&format!("{module}{mark}[{slot}]"))
    }

    /// Inside the error handler of a step.
    pub(crate) fn handler(&self, module: &str) -> Self {
        self.with(&format!("{module}[failure]"))
    }

    fn with(&self, segment: &str) -> Self {
        if self.0.is_empty() { Self(segment.to_owned()) } else { Self(format!("{}/{segment}", self.0)) }
    }

    /// The same as the engine writes it: without attempts.
    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        let mut skips = false;
        for character in self.0.chars() {
            skips = (skips || character == '#') && character != '[';
            if !skips {
                path.push(character);
            }
        }
        path
    }

    /// The branch that this is in of an attempt of a module, if it is in one.
    pub(crate) fn slot_in(&self, of: &CallKey) -> Option<usize> {
        let probe = of.place.inside(&of.step_id, of.nth, 0).0;
        let prefix = probe.strip_suffix("0]").expect("a slot ends a place");
        self.0.strip_prefix(prefix)?.split_once(']')?.0.parse().ok()
    }
}

/// An attempt of a step: the n-th that is made at this place, from 0. One that repeats a call of unknown fate is none
/// of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallKey {
    pub(crate) place: Place,
    pub(crate) step_id: String,
    pub(crate) nth: u32,
}

impl std::fmt::Display for CallKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.place.0.is_empty() { "" } else { "/" };
        write!(formatter, "{}{slash}{} (attempt {})", self.place.0, self.step_id, self.nth + 1)
    }
}

/// A kind of node, by what its provider offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Answers at once; a lost call is of unknown fate.
    Plain,
    /// Answers at once; a lost call may be repeated.
    Repeatable,
    /// Takes work and is asked for it; a lost call is of unknown fate.
    Operation,
    /// The same, and work that it took can be found in its list.
    Listed,
    /// The same, and a repeated call finds the work of the first one.
    Keyed,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Plain, Self::Repeatable, Self::Operation, Self::Listed, Self::Keyed];

    /// The path that modules name.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Plain => "node/plain",
            Self::Repeatable => "node/repeatable",
            Self::Operation => "node/operation",
            Self::Listed => "node/listed",
            Self::Keyed => "node/keyed",
        }
    }

    pub(crate) fn at(path: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.path() == path).expect("random documents name these nodes alone")
    }

    pub(crate) fn has_operation(self) -> bool {
        match self {
            Self::Plain | Self::Repeatable => false,
            Self::Operation | Self::Listed | Self::Keyed => true,
        }
    }

    pub(crate) fn is_repeatable(self) -> bool {
        match self {
            Self::Repeatable | Self::Keyed => true,
            Self::Plain | Self::Operation | Self::Listed => false,
        }
    }
}

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    /// With an error of this class.
    Failed(&'static str),
    /// Work that never ends: it is given up at its deadline.
    Endless,
}

/// What happens to the first sending of a call on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It arrives, and so does the reply.
    Well,
    /// The connection is lost before it arrives.
    LostBefore,
    /// The connection is lost after the provider took it.
    LostAfter,
    /// The provider takes it and never answers.
    Silent,
}

/// What a provider does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) end: End,
    pub(crate) way: Way,
    /// Until the reply, and between polls.
    pub(crate) delay_ms: u64,
    /// Polls before the work is over.
    pub(crate) polls: u32,
    /// Part of the result.
    pub(crate) n: u64,
    /// Whether the result has media, which is downloaded.
    pub(crate) has_media: bool,
}

/// Classes of failures.
const OFTEN: [&str; 3] = ["unavailable", "rate_limited", "provider_failed"];
const SELDOM: [&str; 5] = ["moderated", "auth", "payment", "invalid_input", "output_invalid"];

impl Fate {
    pub(crate) fn of(seed: u64, key: &CallKey, kind: Kind) -> Self {
        Self::named(seed, &key.to_string(), kind)
    }

    /// The fate of a call that is known by some name.
    pub(crate) fn named(seed: u64, name: &str, kind: Kind) -> Self {
        let mut random = Random::new(hash(seed, name));
        let end = match random.below(100) {
            0..=64 => End::Done,
            65..=84 => End::Failed(OFTEN[random.below(OFTEN.len())]),
            85..=94 => End::Failed(SELDOM[random.below(SELDOM.len())]),
            _ if kind.has_operation() => End::Endless,
            _ => End::Failed("timeout"),
        };
        let way = match random.below(100) {
            0..=93 => Way::Well,
            94..=95 => Way::LostBefore,
            96..=97 => Way::LostAfter,
            _ => Way::Silent,
        };
        let delay_ms = *random.pick(&[0, 0, 100, 700, 2_000, 9_000]);
        let (polls, n) = (random.below(3) as u32, random.below(4) as u64);
        Self { end, way, delay_ms, polls, n, has_media: random.percent(40) }
    }

    /// What a call with these arguments comes to.
    pub(crate) fn outcome(&self, args: &Value) -> Result<Value, Value> {
        match self.end {
            End::Done => Ok(json!({"n": self.n, "got": short(args)})),
            End::Failed(class) => Err(error(class)),
            End::Endless => Err(error("timeout")),
        }
    }
}

/// The error object of a failed call.
pub(crate) fn error(class: &str) -> Value {
    json!({"name": class, "message": format!("the provider's answer was {class}")})
}

/// A value as text where that is short, else a number that stands for it: results that quote results must not grow.
fn short(value: &Value) -> String {
    let text = canonical(&plain(value));
    if text.len() <= 160 { text } else { hash(0, &text).to_string() }
}

/// What an error object says beside its name, step and result: who says it differs between the worlds.
const WORDS: [&str; 9] =
    ["message", "status", "url", "excerpt", "retry_after_ms", "provider_id", "fields", "invalid_fields", "limit"];

/// The output with the media of a result, of which the reference knows nothing.
pub(crate) const MEDIA: &str = "file";

/// A value whose error objects have lost their words, and whose media is left out.
pub(crate) fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let is_error = fields.get("name").is_some_and(Value::is_string);
            let kept = fields.iter().filter(|(key, _)| *key != MEDIA && (!is_error || !WORDS.contains(&key.as_str())));
            Value::Object(kept.map(|(key, value)| (key.clone(), plain(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// The value as text, with the keys of objects in order.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            let fields: Vec<String> =
                fields.into_iter().map(|(key, value)| format!("\"{key}\":{}", canonical(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

/// What inline code gives: its arguments, or an exception where its text throws and `x` is a number.
pub(crate) fn run_code(content: &str, args: &Value) -> Result<Value, Value> {
    if content.contains("throw") && args["x"].is_number() {
        return Err(json!({"name": "code_error", "message": "`main` failed"}));
    }
    Ok(json!({"n": 1, "got": short(args)}))
}
