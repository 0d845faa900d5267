//! Random OpenFlow documents over all kinds of modules that the engine runs.

mod modules;
mod settings;

use std::collections::BTreeMap;

use apiflow_core::catalog::Catalog;
use apiflow_core::openflow::{FlowValue, OpenFlow};
use apiflow_core::ports::JobBundle;
use serde_json::{Map, Value, json};

use super::random::Random;

/// A document, the sub-flows that it runs, and the input of its job.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) flow: Value,
    pub(crate) workflows: BTreeMap<String, Value>,
    pub(crate) input: Value,
    /// Whether its preprocessor runs first, if it has one.
    pub(crate) preprocess: bool,
}

impl Document {
    pub(crate) fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let budget = *random.pick(&[2, 4, 6, 9, 14]);
        let mut writer = Writer { random, budget, ids: 0, workflows: BTreeMap::new() };
        if writer.random.percent(25) {
            writer.budget /= 2;
            let sub = writer.flow(&Surroundings { depth: 1, ..Surroundings::default() });
            writer.workflows.insert("sub".to_owned(), sub);
            writer.budget = budget / 2 + 1;
        }
        let runs_sub = writer.workflows.contains_key("sub");
        let is_gated = writer.random.percent(25);
        let flow = writer.flow(&Surroundings { runs_sub, is_gated, ..Surroundings::default() });
        let input = json!({"a": 1, "flag": true, "items": [1, {"n": 2}], "none": null});
        let preprocess = writer.random.percent(50);
        Self { flow, workflows: writer.workflows, input, preprocess }
    }

    /// All that the engine needs of it.
    pub(crate) fn bundle(&self) -> JobBundle {
        let catalog = Catalog { workflows: self.workflows.clone(), ..Catalog::default() };
        JobBundle { document: self.flow.clone(), catalog, ..JobBundle::default() }
    }

    /// The document's flow, typed.
    pub(crate) fn value(&self) -> FlowValue {
        typed(&self.flow)
    }

    /// Its sub-flows, typed, by path.
    pub(crate) fn sub_flows(&self) -> BTreeMap<String, FlowValue> {
        self.workflows.iter().map(|(id, flow)| (format!("workflow/{id}"), typed(flow))).collect()
    }

    /// The document and its sub-flows, for people.
    pub(crate) fn text(&self) -> String {
        let pretty = |value: &Value| serde_json::to_string_pretty(value).expect("a document is JSON");
        let mut text = format!("document: {}\n", pretty(&self.flow));
        for (id, flow) in &self.workflows {
            text.push_str(&format!("workflow/{id}: {}\n", pretty(flow)));
        }
        text
    }

    /// The ids of the modules that have a gate after them.
    pub(crate) fn gated_steps(&self) -> Vec<String> {
        let mut found = Vec::new();
        for flow in std::iter::once(&self.flow).chain(self.workflows.values()) {
            collect_gated(flow, &mut found);
        }
        found
    }

    /// How many modules it has.
    pub(crate) fn size(&self) -> usize {
        let text = format!("{}{:?}", self.flow, self.workflows);
        text.matches("\"type\":").count()
    }
}

fn collect_gated(value: &Value, found: &mut Vec<String>) {
    if let (Some(id), true) = (value["id"].as_str(), value["suspend"].is_object()) {
        found.push(id.to_owned());
    }
    let fields = value.as_object().into_iter().flat_map(|fields| fields.values());
    fields.chain(value.as_array().into_iter().flatten()).for_each(|part| collect_gated(part, found));
}

fn typed(flow: &Value) -> FlowValue {
    OpenFlow::from_json(flow).expect("a random document is OpenFlow").value
}

/// Writes modules until its budget is used up.
struct Writer {
    random: Random,
    budget: usize,
    ids: usize,
    workflows: BTreeMap<String, Value>,
}

/// What a module may refer to.
#[derive(Clone, Default)]
struct Surroundings {
    depth: usize,
    /// Loops around it.
    loops: usize,
    /// Steps that may have results.
    known: Vec<String>,
    /// Whether `workflow/sub` may be run.
    runs_sub: bool,
    /// Whether some modules have gates after them.
    is_gated: bool,
}

impl Writer {
    /// A whole flow with its settings.
    fn flow(&mut self, around: &Surroundings) -> Value {
        let mut value = Map::new();
        let mut around = around.clone();
        if self.random.percent(35) {
            value.insert("flow_env".to_owned(), json!({"K": self.random.below(3), "L": ["x"]}));
        }
        if self.random.percent(4) {
            let predicate = self.predicate(&around, "flow_input");
            value.insert("skip_expr".to_owned(), json!(predicate));
        }
        if around.depth == 0 && self.random.percent(6) {
            value.insert("preprocessor_module".to_owned(), self.preprocessor(&around));
        }
        if self.random.percent(5) {
            value.insert("cache_ttl".to_owned(), json!(600));
        }
        let modules = self.list(&mut around);
        value.insert("modules".to_owned(), Value::Array(modules));
        if self.random.percent(35) {
            value.insert("failure_module".to_owned(), self.handler(&around));
        }
        json!({"summary": "", "value": value})
    }

    fn id(&mut self) -> String {
        self.ids += 1;
        format!("s{}", self.ids)
    }

    /// A number from 0 to 3, a text, a list or nothing.
    fn constant(&mut self) -> Value {
        match self.random.below(8) {
            0..=4 => json!(self.random.below(4)),
            5 => json!("text"),
            6 => json!([1, {"n": 1}]),
            _ => Value::Null,
        }
    }

    /// A path to some value; now and then one whose parent is missing.
    fn path(&mut self, around: &Surroundings, result: &str) -> String {
        if self.random.percent(3) {
            return "flow_input.none.x".to_owned();
        }
        match self.random.below(12) {
            11 if around.is_gated => {
                (*self.random.pick(&["resume", "resume.n", "resumes", "approvers", "resumes.0"])).to_owned()
            }
            0 | 1 => {
                (*self.random.pick(&["flow_input.a", "flow_input.flag", "flow_input.items", "flow_input"])).to_owned()
            }
            2 => (*self.random.pick(&["flow_env.K", "flow_env.L", "flow_env.none.x"])).to_owned(),
            3 | 4 if around.loops > 0 => {
                let outer = if around.loops > 1 && self.random.percent(30) { "iter_parent" } else { "iter" };
                format!("flow_input.{outer}.{}", self.random.pick(&["index", "value", "value"]))
            }
            5 | 6 if !around.known.is_empty() => {
                let step = self.random.pick(&around.known).clone();
                format!("results.{step}{}", self.random.pick(&["", ".n", ".got", ".error.name"]))
            }
            7 => "previous_result".to_owned(),
            8 => format!("{result}.n"),
            _ => result.to_owned(),
        }
    }

    /// A predicate, more often true than false.
    fn predicate(&mut self, around: &Surroundings, result: &str) -> String {
        let path = self.path(around, result);
        match self.random.below(5) {
            0 => path,
            1 => format!("{path} === {}", self.constant()),
            2 => format!("{path} !== {}", self.constant()),
            3 => format!("{path} >= {}", self.random.below(3)),
            _ => format!("{result}.n >= {}", self.random.below(4)),
        }
    }

    /// An input: a constant or a path.
    fn transform(&mut self, around: &Surroundings) -> Value {
        if self.random.percent(40) {
            return json!({"type": "static", "value": self.constant()});
        }
        json!({"type": "javascript", "expr": self.path(around, "previous_result")})
    }
}
