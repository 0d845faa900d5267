//! What a module does, by its `type`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{InputTransform, Module, NumberOrTransform, StopAfterIf, is_false};

/// What a module does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ModuleValue {
    /// One call of a node.
    Script(NodeCall),
    /// Inline code (`rawscript`).
    RawScript(RawScript),
    /// A run of another workflow.
    Flow(SubFlow),
    /// One child run per item.
    ForLoopFlow(ForLoop),
    /// Child runs until stopped.
    WhileLoopFlow(WhileLoop),
    /// The first branch whose predicate is true.
    BranchOne(BranchOne),
    /// All branches, in parallel or in order.
    BranchAll(BranchAll),
    /// The previous result.
    Identity(Identity),
    /// A language model with tools: kept, not run.
    AiAgent(AiAgent),
}

/// One call of a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct NodeCall {
    /// `node/<node id>` or `<connector id>/<node id>`.
    pub path: String,
    /// The step's inputs.
    pub input_transforms: BTreeMap<String, InputTransform>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Inline code (`rawscript`).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RawScript {
    /// The code, with a function `main`.
    pub content: String,
    /// Its language tag.
    pub language: String,
    /// Arguments of `main`.
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

/// One child run per item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForLoop {
    /// The expression or value that the items come from.
    pub iterator: InputTransform,
    /// Modules of one iteration.
    pub modules: Vec<Module>,
    /// Keep the error objects of failed iterations and go on.
    pub skip_failures: bool,
    /// Run the iterations at the same time.
    #[serde(skip_serializing_if = "is_false")]
    pub parallel: bool,
    /// Maximum number at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<NumberOrTransform>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Child runs until stopped.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct WhileLoop {
    /// Modules of one iteration.
    pub modules: Vec<Module>,
    /// Keep the error objects of failed iterations and go on.
    pub skip_failures: bool,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The first branch whose predicate is true, else the default.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BranchOne {
    /// The branches, in order of their predicates.
    pub branches: Vec<BranchOneBranch>,
    /// Run when no predicate is true.
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

/// All branches, in parallel unless `parallel` is false.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BranchAll {
    /// The branches, in the order of their results.
    pub branches: Vec<BranchAllBranch>,
    /// Absent means true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel: Option<bool>,
    /// Maximum number at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<NumberOrTransform>,
    /// The first branch that succeeds ends the module with its result, and the others are cancelled. Ours: others that
    /// read the document ignore it.
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
    /// A failure of this branch does not fail the module.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_failure: bool,
    /// Modules of the branch, in order.
    pub modules: Vec<Module>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The previous result.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Identity {
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A language model with tools: kept, not run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AiAgent {
    /// All of its fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Module {
    /// A module that only does something, without id and settings.
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

    /// The rule that is checked once when the module is done: `stop_after_all_iters_if` if it collects results, else
    /// `stop_after_if`.
    pub fn stop_rule(&self) -> Option<&StopAfterIf> {
        if self.value.nesting().collects_results() {
            self.stop_after_all_iters_if.as_ref()
        } else {
            self.stop_after_if.as_ref()
        }
    }

    /// The fixed result that stands for a run of the module, if its mock is in force.
    pub fn mocked_result(&self) -> Option<&Value> {
        self.mock.as_ref().filter(|mock| mock.enabled).map(|mock| &mock.return_value)
    }
}

impl ModuleValue {
    /// The JSON `type`.
    pub fn kind_name(&self) -> &'static str {
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

    /// The path of the node that it calls, if it calls one.
    pub fn node_path(&self) -> Option<&str> {
        if let Self::Script(script) = self { Some(&script.path) } else { None }
    }

    /// The path of the sub-flow that it runs (`workflow/<id>`), if it runs one.
    pub fn sub_flow_path(&self) -> Option<&str> {
        if let Self::Flow(flow) = self { Some(&flow.path) } else { None }
    }

    /// The id of the sub-flow that it runs, if it runs one and its path is well formed.
    pub fn sub_flow_id(&self) -> Option<&str> {
        self.sub_flow_path()?.strip_prefix("workflow/")
    }

    /// Whether `cache_ttl` on the module reuses results of earlier runs.
    pub fn supports_cache(&self) -> bool {
        matches!(self, Self::Script(_) | Self::RawScript(_) | Self::Flow(_))
    }
}
