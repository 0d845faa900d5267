//! Compiled documents: modules and lists by index, including those of sub-flows.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde_json::{Map, Value};

use crate::digest::hash_value;
use crate::openflow::{FlowValue, Mock, Module, ModuleValue, OpenFlow, describe_fault};
use crate::ports::{JobBundle, ReusedResult, Timestamp};

/// A compiled document. Immutable; the same bundle always yields the same indices.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Program {
    pub(super) modules: Vec<ModuleDef>,
    pub(super) lists: Vec<Vec<usize>>,
    pub(super) flows: Vec<FlowDef>,
    /// Results taken over from an earlier run, by [`step_key`].
    pub(super) reused: BTreeMap<String, ReusedResult>,
}

/// A module, without the lists inside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ModuleDef {
    pub(super) module: Module,
    /// The lists inside the module: a loop's body, or the branches in order, for `branchone` with the default last.
    pub(super) children: Vec<usize>,
    /// The sub-flow that the module runs.
    pub(super) flow: Option<usize>,
}

/// A flow: the document itself, or a sub-flow.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FlowDef {
    pub(super) list: usize,
    /// List of the failure handler.
    pub(super) failure: Option<usize>,
    /// List of the preprocessor.
    pub(super) preprocessor: Option<usize>,
    pub(super) skip_expr: Option<String>,
    /// Seconds for which its result is cached, by its input.
    pub(super) cache_ttl_s: Option<u64>,
    /// Hash of the flow's program, if its result is cached; else empty.
    pub(super) digest: String,
    pub(super) env: Option<BTreeMap<String, Value>>,
    pub(super) priority: Option<i32>,
    /// Seconds after the job's end at which all its data is erased.
    pub(super) erase_after_s: Option<u64>,
}

impl FlowDef {
    /// Returns whether something has to be evaluated before the first module starts.
    pub(super) fn has_entry_questions(&self) -> bool {
        self.skip_expr.is_some() || self.cache_ttl_s.is_some()
    }
}

/// Why a document cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// A document is not an OpenFlow document.
    #[error("the document of {flow} is not a valid OpenFlow document: {reason}")]
    Parse {
        /// `the workflow`, or the sub-flow's path.
        flow: String,
        /// The first fault and its location.
        reason: String,
    },
    /// A sub-flow is missing from the bundle.
    #[error("step `{step}` runs `{path}`, which does not exist")]
    UnknownFlow {
        /// Id of the module.
        step: String,
        /// Path of the sub-flow.
        path: String,
    },
}

impl Program {
    /// Compiles a job's document.
    pub fn compile_bundle(bundle: &JobBundle) -> Result<Self, ProgramError> {
        let document = read_document("the workflow", &bundle.document)?;
        let program = Self::compile_document(document, &bundle.catalog.workflows)?;
        Ok(program.with_reused_results(bundle.reused_results.clone()))
    }

    /// Compiles a parsed document with the sub-flows that it may run.
    ///
    /// # Errors
    /// [`ProgramError`] if a sub-flow is missing or cannot be parsed.
    pub(crate) fn compile_document(
        document: OpenFlow,
        workflows: &BTreeMap<String, Value>,
    ) -> Result<Self, ProgramError> {
        let mut compiler = ProgramCompiler { workflows, known: BTreeMap::new(), program: Self::default() };
        compiler.compile_flow(document.value)?;
        Ok(compiler.program)
    }

    /// Returns the program with results of an earlier run, by the step's path and id: `loop[2]/draw`.
    pub(crate) fn with_reused_results(self, reused: BTreeMap<String, ReusedResult>) -> Self {
        Self { reused, ..self }
    }

    /// Returns a hash of a flow's program; empty if its result is not cached for later runs.
    pub(crate) fn flow_digest(&self, flow: usize) -> &str {
        self.flows.get(flow).map_or("", |flow| flow.digest.as_str())
    }

    /// Returns all modules, including those of sub-flows, without the lists inside them.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.iter().map(|definition| &definition.module)
    }

    /// Returns the program with modules replaced that make no call: those with an entry in `results` return it.
    pub(crate) fn with_results(mut self, results: &BTreeMap<String, Value>) -> Self {
        for ModuleDef { module, .. } in &mut self.modules {
            let makes_call = matches!(module.value, ModuleValue::Script(_));
            if let Some(result) = results.get(&module.id).filter(|_| !makes_call) {
                module.mock = Some(Mock { enabled: true, return_value: result.clone(), extra: Map::new() });
            }
        }
        self
    }

    /// Returns the next time at which data of a job that ended at `end` is to be erased: the first one, or the first
    /// after `done`.
    pub(crate) fn next_erasure(&self, end: Timestamp, done: Option<Timestamp>) -> Option<Timestamp> {
        let modules = self.modules.iter().filter_map(|definition| definition.module.erase_after_s());
        let delays: BTreeSet<u64> = modules.chain(self.flows.iter().filter_map(|flow| flow.erase_after_s)).collect();
        let done_s = done.map(|done| done.since_ms(end) / 1_000);
        let after = done_s.map_or(Bound::Unbounded, Bound::Excluded);
        let next = delays.range((after, Bound::Unbounded)).next()?;
        Some(end.plus_ms(next.saturating_mul(1_000)))
    }

    /// Returns the constants of `flow_env` in a flow; an empty object if there are none.
    pub fn flow_env(&self, flow: usize) -> Value {
        let env = self.flows.get(flow).and_then(|flow| flow.env.as_ref());
        Value::Object(env.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

/// Returns the key of a step among the results of an earlier run: its path and its id.
pub(crate) fn step_key(path: &str, step_id: &str) -> String {
    if path.is_empty() { step_id.to_owned() } else { format!("{path}/{step_id}") }
}

/// Parses a document; `flow` names it in the error.
pub(crate) fn read_document(flow: &str, document: &Value) -> Result<OpenFlow, ProgramError> {
    OpenFlow::from_json(document)
        .map_err(|fault| ProgramError::Parse { flow: flow.to_owned(), reason: describe_fault(&fault) })
}

struct ProgramCompiler<'a> {
    workflows: &'a BTreeMap<String, Value>,
    known: BTreeMap<String, usize>,
    program: Program,
}

impl ProgramCompiler<'_> {
    fn compile_flow(&mut self, value: FlowValue) -> Result<usize, ProgramError> {
        let erase_after_s = value.erase_after_s();
        let cache_ttl_s = value.cache_ttl.filter(|ttl| *ttl > 0);
        let program = cache_ttl_s.and_then(|_| serde_json::to_value(&value).ok());
        let digest = program.map(|program| hash_value(&program)).unwrap_or_default();
        let index = self.program.flows.len();
        self.program.flows.push(FlowDef::default());
        let list = self.list(value.modules)?;
        let failure = match value.failure_module {
            Some(mut module) => {
                if module.id.is_empty() {
                    "failure".clone_into(&mut module.id);
                }
                Some(self.list(vec![*module])?)
            }
            None => None,
        };
        let preprocessor = match value.preprocessor_module {
            Some(mut module) => {
                if module.id.is_empty() {
                    "preprocessor".clone_into(&mut module.id);
                }
                Some(self.list(vec![*module])?)
            }
            None => None,
        };
        let skip_expr = value.skip_expr.filter(|text| !text.trim().is_empty());
        self.program.flows[index] = FlowDef {
            list,
            failure,
            preprocessor,
            skip_expr,
            cache_ttl_s,
            digest,
            env: value.flow_env,
            priority: value.priority,
            erase_after_s,
        };
        Ok(index)
    }

    fn list(&mut self, modules: Vec<Module>) -> Result<usize, ProgramError> {
        let index = self.program.lists.len();
        self.program.lists.push(Vec::new());
        let mut members = Vec::with_capacity(modules.len());
        for module in modules {
            members.push(self.compile_module(module)?);
        }
        self.program.lists[index] = members;
        Ok(index)
    }

    fn compile_module(&mut self, mut module: Module) -> Result<usize, ProgramError> {
        let mut children = Vec::new();
        for list in module.value.child_lists_mut() {
            children.push(self.list(std::mem::take(list))?);
        }
        let flow = match module.value.sub_flow_path() {
            Some(path) => Some(self.sub_flow(&module.id, path)?),
            None => None,
        };
        if module.id.is_empty() {
            module.id = format!("step_{}", self.program.modules.len() + 1);
        }
        self.program.modules.push(ModuleDef { module, children, flow });
        Ok(self.program.modules.len() - 1)
    }

    fn sub_flow(&mut self, step: &str, path: &str) -> Result<usize, ProgramError> {
        let unknown = || ProgramError::UnknownFlow { step: step.to_owned(), path: path.to_owned() };
        let id = path.strip_prefix("workflow/").ok_or_else(unknown)?;
        if let Some(&index) = self.known.get(id) {
            return Ok(index);
        }
        let document = read_document(path, self.workflows.get(id).ok_or_else(unknown)?)?;
        self.known.insert(id.to_owned(), self.program.flows.len());
        self.compile_flow(document.value)
    }
}
