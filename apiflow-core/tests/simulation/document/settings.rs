//! What is set on random modules besides what they do.

use serde_json::{Map, Value, json};

use super::{Surroundings, Writer};

impl Writer {
    /// A module with some settings.
    pub(super) fn with_settings(&mut self, id: &str, value: Value, around: &Surroundings) -> Value {
        let holds_others = !["script", "rawscript", "identity"].iter().any(|kind| value["type"] == *kind);
        let mut module = Map::from_iter([("id".to_owned(), json!(id)), ("value".to_owned(), value)]);
        let mut set = |name: &str, value: Value| module.insert(name.to_owned(), value);
        if self.random.percent(8) {
            set("skip_if", json!({"expr": self.predicate(around, "result")}));
        }
        if self.random.percent(5) {
            set("mock", json!({"enabled": self.random.percent(70), "return_value": self.constant()}));
        }
        if self.random.percent(22) {
            set("retry", self.retry(around));
        }
        if self.random.percent(12) {
            set("continue_on_error", json!(true));
        }
        if self.random.percent(10) {
            set("stop_after_if", self.stop(around));
        }
        if self.random.percent(8) {
            set("stop_after_all_iters_if", self.stop(around));
        }
        if self.random.percent(8) {
            set("sleep", self.sleep(around));
        }
        if self.random.percent(10) {
            set("cache_ttl", json!(self.random.pick(&[1, 600])));
        }
        if holds_others && self.random.percent(8) {
            set("timeout", json!(self.random.pick(&[1, 3, 12, 50])));
        }
        if around.is_gated && self.random.percent(25) {
            set("suspend", self.gate());
        }
        Value::Object(module)
    }

    fn retry(&mut self, around: &Surroundings) -> Value {
        let mut retry = Map::new();
        if self.random.percent(70) {
            let (attempts, seconds) = (self.random.below(3), *self.random.pick(&[0, 0, 1, 5]));
            retry.insert("constant".to_owned(), json!({"attempts": attempts, "seconds": seconds}));
        }
        if self.random.percent(40) {
            let factor = if self.random.percent(30) { json!(50) } else { Value::Null };
            let exponential = json!({
                "attempts": 1 + self.random.below(2), "multiplier": 1, "seconds": 1 + self.random.below(3),
                "random_factor": factor,
            });
            retry.insert("exponential".to_owned(), exponential);
        }
        if self.random.percent(25) {
            let expr = match self.random.below(4) {
                0 => "error.name === \"unavailable\"".to_owned(),
                1 => "result.error.name !== \"provider_failed\"".to_owned(),
                _ => self.predicate(around, "result"),
            };
            retry.insert("retry_if".to_owned(), json!({"expr": expr}));
        }
        Value::Object(retry)
    }

    fn stop(&mut self, around: &Surroundings) -> Value {
        let mut stop = json!({"expr": self.predicate(around, "result"), "skip_if_stopped": self.random.percent(20)});
        if self.random.percent(30) {
            stop["error_message"] = json!(self.random.pick(&["", "halt"]));
            stop["error_include_result"] = json!(self.random.percent(40));
        }
        stop
    }

    fn sleep(&mut self, around: &Surroundings) -> Value {
        if self.random.percent(20) {
            return json!({"type": "javascript", "expr": self.path(around, "result")});
        }
        json!({"type": "static", "value": self.random.pick(&[json!(0), json!(1), json!(2.5), json!(40)])})
    }

    fn gate(&mut self) -> Value {
        json!({
            "required_events": self.random.pick(&[0, 1, 1, 2]), "timeout": self.random.pick(&[3, 60, 600]),
            "continue_on_disapprove_timeout": self.random.percent(40),
        })
    }

    /// A preprocessor: a call, an identity, or a mock that gives no object.
    pub(super) fn preprocessor(&mut self, around: &Surroundings) -> Value {
        let id = "preprocessor";
        match self.random.below(3) {
            0 => {
                let value = self.constant();
                json!({"id": id, "value": {"type": "identity"}, "mock": {"enabled": true, "return_value": value}})
            }
            1 => json!({"id": id, "value": {"type": "identity"}}),
            _ => {
                let value = self.script(around);
                self.with_settings(id, value, around)
            }
        }
    }

    /// An error handler: a call, an identity, or a mock that may recover.
    pub(super) fn handler(&mut self, around: &Surroundings) -> Value {
        let id = "failure";
        match self.random.below(5) {
            0 if around.runs_sub => {
                let value = self.sub_flow(around);
                self.with_settings(id, value, around)
            }
            0 | 1 => {
                let value = json!({"recover": self.random.percent(60), "n": 1});
                json!({"id": id, "value": {"type": "identity"}, "mock": {"enabled": true, "return_value": value}})
            }
            2 => json!({"id": id, "value": {"type": "identity"}}),
            3 => {
                let inputs = json!({"why": {"type": "javascript", "expr": "error.name"}});
                json!({"id": id, "value": {"type": "script", "path": "node/plain", "input_transforms": inputs}})
            }
            _ => {
                let value = self.script(around);
                self.with_settings(id, value, around)
            }
        }
    }
}
