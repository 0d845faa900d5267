//! New cases made from known ones, all from one seed.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::seeds::Seeds;
use super::targets::{Case, Target};

/// The longest input that is generated.
const MAX_INPUT_BYTES: usize = 48 * 1024;

/// Pieces of text that have a meaning in some place.
const PIECES: [&str; 58] = [
    "results",
    "results.a",
    "results['b-c']",
    "results.my-step",
    "flow_input",
    "flow_input.iter.value",
    "iter_parent",
    "previous_result",
    "resume",
    "error",
    "flow_env",
    ".length",
    ".map(x => x)",
    "[0]",
    "?.",
    "=>",
    "`${",
    "}`",
    "{{",
    "}}",
    "${",
    "$var:",
    "$res:",
    "$NAME",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "`",
    "\\",
    "\n",
    "//",
    "/*",
    "*/",
    "/(/",
    "return ",
    "const x = ",
    "await ",
    "async ",
    "import ",
    "export function main(",
    "function main(a) {",
    "true",
    "false",
    "null",
    "node/edit",
    "workflow/one",
    "node/",
    "/",
    "~1",
    "é",
    "\u{1f600}",
    "\u{0}",
    "\u{feff}",
];

/// Names of fields that documents have.
const FIELDS: [&str; 30] = [
    "id",
    "value",
    "type",
    "modules",
    "path",
    "input_transforms",
    "expr",
    "iterator",
    "branches",
    "default",
    "parallel",
    "race",
    "retry",
    "suspend",
    "required_events",
    "stop_after_if",
    "stop_after_all_iters_if",
    "skip_if",
    "sleep",
    "timeout",
    "mock",
    "schema",
    "properties",
    "failure_module",
    "early_return",
    "cache_ttl",
    "content",
    "language",
    "parallelism",
    "summary",
];

/// Words that are values of `type` and `language`.
const WORDS: [&str; 14] = [
    "script",
    "rawscript",
    "flow",
    "forloopflow",
    "whileloopflow",
    "branchone",
    "branchall",
    "identity",
    "aiagent",
    "static",
    "javascript",
    "string",
    "array",
    "object",
];

/// Generates one case after the other.
pub(super) struct Mutator {
    random: Rng,
    seeds: Seeds,
}

impl Mutator {
    pub(super) fn new(seed: u64, seeds: Seeds) -> Self {
        Self { random: Rng::with_seed(seed), seeds }
    }

    pub(super) fn next_case(&mut self) -> Case {
        let target = match self.random.u32(0..100) {
            0..50 => Target::Workflow,
            50..60 => Target::Declaration,
            60..90 => Target::Expression,
            _ => Target::Code,
        };
        let mut input = match target {
            Target::Workflow | Target::Declaration => self.mutate_document(target),
            Target::Expression | Target::Code => self.mutate_text(target),
        };
        input.truncate(MAX_INPUT_BYTES);
        Case { target, input }
    }

    fn mutate_document(&mut self, target: Target) -> Vec<u8> {
        let seeds = if target == Target::Workflow { &self.seeds.workflows } else { &self.seeds.declarations };
        let mut value = seeds[self.random.usize(..seeds.len())].clone();
        for _ in 0..=self.random.u32(0..6) {
            self.change_value(&mut value);
        }
        let mut text = value.to_string().into_bytes();
        // A few are not JSON.
        if self.random.u32(0..20) == 0 {
            self.change_bytes(&mut text);
        }
        text
    }

    fn mutate_text(&mut self, target: Target) -> Vec<u8> {
        if self.random.u32(0..10) == 0 {
            return self.repeat_pieces();
        }
        let seeds = if target == Target::Expression { &self.seeds.expressions } else { &self.seeds.codes };
        let mut text = seeds[self.random.usize(..seeds.len())].clone().into_bytes();
        for _ in 0..=self.random.u32(0..8) {
            self.change_bytes(&mut text);
        }
        text
    }

    /// Returns a piece many times, and another one as often.
    fn repeat_pieces(&mut self) -> Vec<u8> {
        let times = self.random.usize(1..3000);
        let (before, between) = (self.pick_piece(), self.pick_piece());
        let after = self.pick_piece();
        [before.repeat(times), between.to_owned(), after.repeat(times)].concat().into_bytes()
    }

    fn pick_piece(&mut self) -> &'static str {
        PIECES[self.random.usize(..PIECES.len())]
    }

    /// Changes a value at a random depth of another.
    fn change_value(&mut self, value: &mut Value) {
        let place = self.pick_place(value);
        match self.random.u32(0..12) {
            0 | 1 => *place = self.generate_leaf(),
            2 => self.change_fields(place),
            3 => self.change_items(place),
            4 => {
                let donor = self.random.usize(..self.seeds.workflows.len());
                let mut other = self.seeds.workflows[donor].clone();
                *place = self.pick_place(&mut other).take();
            }
            5 => *place = Value::from(vec![place.take()]),
            6 => {
                let name = FIELDS[self.random.usize(..FIELDS.len())];
                *place = json!({name: place.take()});
            }
            7 => {
                for _ in 0..self.random.u32(1..30) {
                    let inner = place.take();
                    *place = json!({"id": "d", "value": {"type": "whileloopflow", "skip_failures": false, "modules": [inner]}});
                }
            }
            _ => {
                let text = match place {
                    Value::String(text) => text.clone(),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => return,
                };
                let mut bytes = text.into_bytes();
                self.change_bytes(&mut bytes);
                *place = Value::from(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }

    /// Returns a value at a random depth of another.
    fn pick_place<'v>(&mut self, value: &'v mut Value) -> &'v mut Value {
        let count = match &*value {
            Value::Object(fields) => fields.len(),
            Value::Array(items) => items.len(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        };
        if count == 0 || self.random.u32(0..8) == 0 {
            return value;
        }
        let at = self.random.usize(..count);
        match value {
            Value::Object(fields) => {
                let below = fields.values_mut().nth(at).expect("the number is below the count");
                self.pick_place(below)
            }
            Value::Array(items) => self.pick_place(&mut items[at]),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
        }
    }

    fn change_fields(&mut self, value: &mut Value) {
        let Value::Object(fields) = value else { return };
        let name = if self.random.bool() {
            FIELDS[self.random.usize(..FIELDS.len())].to_owned()
        } else {
            self.pick_piece().to_owned()
        };
        match (self.random.u32(0..3), fields.is_empty()) {
            (0, _) | (_, true) => drop(fields.insert(name, self.generate_leaf())),
            (1, false) => {
                let at = self.random.usize(..fields.len());
                let gone = fields.keys().nth(at).cloned().unwrap_or_default();
                fields.shift_remove(&gone);
            }
            (_, false) => {
                let at = self.random.usize(..fields.len());
                let renamed: Map<String, Value> = std::mem::take(fields)
                    .into_iter()
                    .enumerate()
                    .map(|(index, (key, value))| {
                        (if index == at { misspell(&mut self.random, &key) } else { key }, value)
                    })
                    .collect();
                *fields = renamed;
            }
        }
    }

    fn change_items(&mut self, value: &mut Value) {
        let Value::Array(items) = value else { return };
        if items.is_empty() {
            return items.push(self.generate_leaf());
        }
        let (one, other) = (self.random.usize(..items.len()), self.random.usize(..items.len()));
        match self.random.u32(0..3) {
            0 => drop(items.remove(one)),
            1 => items.swap(one, other),
            _ => items.insert(one, items[other].clone()),
        }
    }

    fn generate_leaf(&mut self) -> Value {
        match self.random.u32(0..10) {
            0 => Value::Null,
            1 => Value::from(self.random.bool()),
            2 => Value::from(self.random.i64(..)),
            3 => Value::from(self.random.u32(0..4)),
            4 => json!(self.random.f64() * 1e300),
            5 => json!([]),
            6 => json!({}),
            7 => Value::from(WORDS[self.random.usize(..WORDS.len())]),
            8 => Value::from(self.pick_piece().repeat(self.random.usize(0..200))),
            _ => Value::from(self.pick_piece()),
        }
    }

    fn change_bytes(&mut self, text: &mut Vec<u8>) {
        let at = self.random.usize(..=text.len());
        let end = (at + self.random.usize(..9)).min(text.len());
        match self.random.u32(0..6) {
            0 => drop(text.drain(at..end)),
            1 => {
                let part = text[at..end].to_vec();
                text.splice(at..at, part.repeat(self.random.usize(1..40)));
            }
            2 => text.splice(at..end, [self.random.u8(..)]).for_each(drop),
            _ => {
                let piece = self.pick_piece();
                text.splice(at..end, piece.bytes()).for_each(drop);
            }
        }
    }
}

/// Returns a name with one letter removed, or two swapped.
fn misspell(random: &mut Rng, name: &str) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    if letters.len() < 2 {
        return format!("{name}x");
    }
    let at = random.usize(..letters.len() - 1);
    if random.bool() {
        letters.swap(at, at + 1);
    } else {
        letters.remove(at);
    }
    letters.into_iter().collect()
}
