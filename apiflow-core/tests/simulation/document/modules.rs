//! What random modules do.

use serde_json::{Map, Value, json};

use super::super::fate::Kind;
use super::{Surroundings, Writer};

/// Lists inside lists, at most.
const DEEPEST: usize = 3;

impl Writer {
    /// A list of modules; adds their ids to what is known.
    pub(super) fn list(&mut self, around: &mut Surroundings) -> Vec<Value> {
        let length = *self.random.pick(&[0, 1, 1, 2, 2, 3, 4]);
        let length = if around.depth == 0 { length.max(1) } else { length };
        let mut modules = Vec::new();
        for _ in 0..length {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            modules.push(self.module(around));
        }
        modules
    }

    fn module(&mut self, around: &mut Surroundings) -> Value {
        let id = self.id();
        let leaf = around.depth >= DEEPEST || self.budget == 0;
        let value = match self.random.below(if leaf { 50 } else { 100 }) {
            0..=39 => self.script(around),
            40..=45 => json!({"type": "identity"}),
            46 => self.code(around),
            47..=49 if around.runs_sub => self.sub_flow(around),
            47..=49 => self.script(around),
            50..=64 => self.for_loop(around),
            65..=72 => self.while_loop(around),
            73..=84 => self.branch_one(around),
            _ => self.branch_all(around),
        };
        let module = self.with_settings(&id, value, around);
        around.known.push(id);
        module
    }

    pub(super) fn script(&mut self, around: &Surroundings) -> Value {
        let kind = *self.random.pick(&Kind::ALL);
        if self.random.percent(5) {
            return json!({"type": "script", "path": kind.path(), "pass_flow_input_directly": true});
        }
        json!({"type": "script", "path": kind.path(), "input_transforms": self.inputs(around)})
    }

    /// Inline code: it gives its arguments, or throws where `x` is a number.
    fn code(&mut self, around: &Surroundings) -> Value {
        let content =
            self.random.pick(&["export function main(x, y) { return echo }", "export function main(x, y) { throw x }"]);
        json!({"type": "rawscript", "language": "deno", "content": content, "input_transforms": self.inputs(around)})
    }

    fn inputs(&mut self, around: &Surroundings) -> Map<String, Value> {
        let mut inputs = Map::new();
        for name in ["x", "y"] {
            if self.random.percent(60) {
                inputs.insert(name.to_owned(), self.transform(around));
            }
        }
        inputs
    }

    pub(super) fn sub_flow(&mut self, around: &Surroundings) -> Value {
        let mut inputs = self.inputs(around);
        for (name, value) in [("a", json!(2)), ("items", json!([1, 2]))] {
            inputs.insert(name.to_owned(), json!({"type": "static", "value": value}));
        }
        json!({"type": "flow", "path": "workflow/sub", "input_transforms": inputs})
    }

    fn inside(around: &Surroundings, loops: usize) -> Surroundings {
        Surroundings { depth: around.depth + 1, loops: around.loops + loops, ..around.clone() }
    }

    fn for_loop(&mut self, around: &mut Surroundings) -> Value {
        let parallel = self.random.percent(45);
        let mut inner = Self::inside(around, 1);
        let (iterator, modules) = if self.random.percent(4) && around.loops == 0 {
            // Many iterations that cost nothing: what is kept must not grow with them.
            let items: Vec<usize> = (0..60).collect();
            let id = self.id();
            let value = json!({"type": "identity"});
            inner.known.push(id.clone());
            (json!({"type": "static", "value": items}), vec![json!({"id": id, "value": value})])
        } else {
            (self.iterator(around), self.list(&mut inner))
        };
        let mut value = json!({
            "type": "forloopflow", "iterator": iterator, "modules": modules, "parallel": parallel,
            "skip_failures": self.random.percent(35),
        });
        if self.random.percent(40) {
            value["parallelism"] = self.limit();
        }
        around.known = inner.known;
        value
    }

    fn iterator(&mut self, around: &Surroundings) -> Value {
        let most = if around.loops == 0 { 4 } else { 2 };
        match self.random.below(10) {
            0..=5 => {
                let length = self.random.below(most + 1);
                let items: Vec<Value> = (0..length).map(|_| self.constant()).collect();
                json!({"type": "static", "value": items})
            }
            6..=8 => json!({"type": "javascript", "expr": "flow_input.items"}),
            _ => json!({"type": "javascript", "expr": self.path(around, "result")}),
        }
    }

    /// A number of iterations or branches at a time.
    fn limit(&mut self) -> Value {
        let limit = 1 + self.random.below(3);
        if self.random.percent(50) { json!(limit) } else { json!({"type": "static", "value": limit}) }
    }

    /// A loop whose first module ends it after some iterations, if nothing else does.
    fn while_loop(&mut self, around: &mut Surroundings) -> Value {
        let mut inner = Self::inside(around, 1);
        let long = around.loops == 0 && self.random.percent(5);
        let last = if long { 60 } else { self.random.below(if around.loops == 0 { 4 } else { 2 }) };
        let end = self.id();
        let stop = json!({"expr": format!("flow_input.iter.index >= {last}"), "skip_if_stopped": false});
        let mut modules = vec![json!({"id": end, "value": {"type": "identity"}, "stop_after_if": stop})];
        if !long {
            modules.extend(self.list(&mut inner));
        }
        around.known = inner.known;
        json!({"type": "whileloopflow", "modules": modules, "skip_failures": self.random.percent(35)})
    }

    fn branch_one(&mut self, around: &mut Surroundings) -> Value {
        let before = around.clone();
        let mut branches = Vec::new();
        for _ in 0..1 + self.random.below(2) {
            let mut inner = Self::inside(&before, 0);
            let expr = self.predicate(&before, "result");
            branches.push(json!({"expr": expr, "modules": self.list(&mut inner)}));
            around.known.extend(inner.known.drain(before.known.len()..));
        }
        let mut inner = Self::inside(&before, 0);
        let default = self.list(&mut inner);
        around.known.extend(inner.known.drain(before.known.len()..));
        json!({"type": "branchone", "branches": branches, "default": default})
    }

    fn branch_all(&mut self, around: &mut Surroundings) -> Value {
        let mut branches = Vec::new();
        for _ in 0..*self.random.pick(&[0, 1, 2, 2, 3]) {
            let mut inner = Self::inside(around, 0);
            branches.push(json!({"skip_failure": self.random.percent(30), "modules": self.list(&mut inner)}));
            around.known.extend(inner.known.drain(around.known.len()..));
        }
        let mut value = json!({"type": "branchall", "branches": branches});
        if self.random.percent(60) {
            value["parallel"] = json!(self.random.percent(50));
        }
        if self.random.percent(30) {
            value["parallelism"] = self.limit();
        }
        if self.random.percent(20) && value["parallel"] != json!(false) {
            value["race"] = json!(true);
        }
        value
    }
}
