//! The types of modules: what a module does.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{InputTransform, Module, NumberOrTransform, StopAfterIf, is_false};

/// What a module does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ModuleValue {
    /// Calls a node once.
    Script(NodeCall),
    /// Runs inline code (`rawscript`).
    RawScript(RawScript),
    /// Runs another workflow.
    Flow(SubFlow),
    /// Runs a list of modules for each item.
    ForLoopFlow(ForLoop),
    /// Runs a list of modules until it is stopped.
    WhileLoopFlow(WhileLoop),
    /// Runs the first branch whose predicate is true.
    BranchOne(BranchOne),
    /// Runs all branches, in parallel or in order.
    BranchAll(BranchAll),
    /// Returns the previous result.
    Identity(Identity),
    /// A language model with tools: stored, but not run.
    AiAgent(AiAgent),
}

/// A call of a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct NodeCall {
    /// `node/<node id>` or `<connector id>/<node id>`.
    pub path: String,
    /// The step's inputs.
    pub input_transforms: BTreeMap<String, InputTransform>,
    /// Nodes that are called instead if the call fails, in this order. An extension: other programs keep the field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<FallbackCall>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A node that is called instead of one whose call failed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FallbackCall {
    /// `node/<node id>` or `<connector id>/<node id>`.
    pub path: String,
    /// The inputs; `None`: those of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_transforms: Option<BTreeMap<String, InputTransform>>,
    /// Names of the errors after which it is called; `None`: [`FallbackCall::DEFAULT_ERRORS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<Vec<String>>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl FallbackCall {
    /// The errors after which a fallback without `on` is called.
    pub const DEFAULT_ERRORS: [&str; 4] = ["rate_limited", "unavailable", "timeout", "payment"];

    /// Returns whether the node is called after an error with this name.
    pub(crate) fn follows_error(&self, name: &str) -> bool {
        match &self.on {
            Some(names) => names.iter().any(|known| known == name),
            None => Self::DEFAULT_ERRORS.contains(&name),
        }
    }
}

/// Inline code (`rawscript`).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RawScript {
    /// The code, with a function `main`.
    pub content: String,
    /// Its language tag.
    pub language: String,
    /// Arguments of `main`, by name.
    pub input_transforms: BTreeMap<String, InputTransform>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A run of another workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SubFlow {
    /// Path of the workflow: `workflow/<id>`.
    pub path: String,
    /// The sub-flow's inputs.
    pub input_transforms: BTreeMap<String, InputTransform>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A loop that runs its modules for each item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForLoop {
    /// Expression or constant that yields the items.
    pub iterator: InputTransform,
    /// Modules of one iteration.
    pub modules: Vec<Module>,
    /// Keeps the error objects of failed iterations and continues.
    pub skip_failures: bool,
    /// Runs the iterations at the same time.
    #[serde(skip_serializing_if = "is_false")]
    pub parallel: bool,
    /// Maximum number of iterations at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<NumberOrTransform>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A loop that runs its modules until it is stopped.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct WhileLoop {
    /// Modules of one iteration.
    pub modules: Vec<Module>,
    /// Keeps the error objects of failed iterations and continues.
    pub skip_failures: bool,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Branches of which the first one whose predicate is true is run, else the default.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BranchOne {
    /// The branches, in the order in which their predicates are evaluated.
    pub branches: Vec<BranchOneBranch>,
    /// Modules that run if no predicate is true.
    pub default: Vec<Module>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A branch of `branchone`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BranchOneBranch {
    /// Label of the branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Predicate of the branch, a JavaScript expression.
    pub expr: String,
    /// Modules of the branch, in order.
    pub modules: Vec<Module>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Branches that all run, in parallel unless `parallel` is false.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BranchAll {
    /// The branches, in the order of their results.
    pub branches: Vec<BranchAllBranch>,
    /// Whether they run in parallel; absent means true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel: Option<bool>,
    /// Maximum number of branches at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<NumberOrTransform>,
    /// Whether the first branch that succeeds ends the module with its result, and the others are cancelled. An
    /// extension: other programs that read the document ignore it.
    #[serde(skip_serializing_if = "is_false")]
    pub race: bool,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A branch of `branchall`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BranchAllBranch {
    /// Label of the branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Whether a failure of this branch does not fail the module.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_failure: bool,
    /// Modules of the branch, in order.
    pub modules: Vec<Module>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A module that returns the previous result.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Identity {
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A language model with tools: stored, but not run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AiAgent {
    /// All fields of the module.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Module {
    /// Creates a module that only has a value, without id and settings.
    pub fn from_value(value: ModuleValue) -> Self {
        Self {
            id: String::new(),
            summary: None,
            value,
            stop_after_if: None,
            stop_after_all_iters_if: None,
            skip_if: None,
            sleep: None,
            cache_ttl: None,
            timeout: None,
            delete_after_use: None,
            delete_after_secs: None,
            mock: None,
            suspend: None,
            priority: None,
            continue_on_error: false,
            retry: None,
            extra: Map::new(),
        }
    }

    /// Returns the condition that is checked once when the module is done: `stop_after_all_iters_if` if it collects
    /// results, else `stop_after_if`.
    pub fn stop_rule(&self) -> Option<&StopAfterIf> {
        if self.value.nesting().collects_results() {
            self.stop_after_all_iters_if.as_ref()
        } else {
            self.stop_after_if.as_ref()
        }
    }

    /// Returns the result that replaces running the module, if its mock is enabled.
    pub(crate) fn mocked_result(&self) -> Option<&Value> {
        self.mock.as_ref().filter(|mock| mock.enabled).map(|mock| &mock.return_value)
    }
}

impl ModuleValue {
    /// Returns the `type` as it is written in JSON.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Script(_) => "script",
            Self::RawScript(_) => "rawscript",
            Self::Flow(_) => "flow",
            Self::ForLoopFlow(_) => "forloopflow",
            Self::WhileLoopFlow(_) => "whileloopflow",
            Self::BranchOne(_) => "branchone",
            Self::BranchAll(_) => "branchall",
            Self::Identity(_) => "identity",
            Self::AiAgent(_) => "aiagent",
        }
    }

    /// Returns the path of the node, if the module calls one.
    pub(crate) fn node_path(&self) -> Option<&str> {
        if let Self::Script(script) = self { Some(&script.path) } else { None }
    }

    /// Returns the path of the node that a step calls after `fallbacks` of its nodes have failed.
    pub(crate) fn node_path_after(&self, fallbacks: usize) -> Option<&str> {
        let Self::Script(script) = self else { return None };
        match fallbacks.checked_sub(1) {
            None => Some(&script.path),
            Some(index) => script.fallback.get(index).map(|fallback| fallback.path.as_str()),
        }
    }

    /// Returns the nodes that a step calls if its own fails.
    pub(crate) fn fallbacks(&self) -> &[FallbackCall] {
        if let Self::Script(script) = self { &script.fallback } else { &[] }
    }

    /// Returns the path of the sub-flow (`workflow/<id>`), if the module runs one.
    pub(crate) fn sub_flow_path(&self) -> Option<&str> {
        if let Self::Flow(flow) = self { Some(&flow.path) } else { None }
    }

    /// Returns the id of the sub-flow, if the module runs one and its path is well-formed.
    pub fn sub_flow_id(&self) -> Option<&str> {
        self.sub_flow_path()?.strip_prefix("workflow/")
    }

    /// Returns whether `cache_ttl` on the module reuses results of earlier runs.
    pub(crate) fn supports_cache(&self) -> bool {
        matches!(self, Self::Script(_) | Self::RawScript(_) | Self::Flow(_))
    }
}
