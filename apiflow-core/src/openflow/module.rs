//! What a module does, by its `type`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{InputTransform, Module, NumberOrTransform, is_false, nullable};

/// What a module does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ModuleValue {
    /// One call of a node.
    Script(Script),
    /// Inline code.
    RawScript(RawScript),
    /// A sub-flow.
    Flow(SubFlow),
    /// One child run per item.
    ForLoopFlow(ForLoop),
    /// Child runs until stopped.
    WhileLoopFlow(WhileLoop),
    /// The first branch whose predicate is true.
    BranchOne(BranchOne),
    /// All branches.
    BranchAll(BranchAll),
    /// The previous result.
    Identity(Identity),
    /// A language model with tools: kept, not run.
    AiAgent(AiAgent),
}

/// One call of a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// `node/<node id>` or `<connector id>/<node id>`.
    pub path: String,
    /// The step's inputs.
    #[serde(default, deserialize_with = "nullable", alias = "input_transform")]
    pub input_transforms: BTreeMap<String, InputTransform>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Inline code.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RawScript {
    /// The code, with a function `main`.
    pub content: String,
    /// Its language tag.
    pub language: String,
    /// Arguments of `main`.
    #[serde(default, deserialize_with = "nullable", alias = "input_transform")]
    pub input_transforms: BTreeMap<String, InputTransform>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A sub-flow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SubFlow {
    /// `workflow/<id>`.
    pub path: String,
    /// The sub-flow's inputs.
    #[serde(default, deserialize_with = "nullable", alias = "input_transform")]
    pub input_transforms: BTreeMap<String, InputTransform>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One child run per item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForLoop {
    /// Gives the array of items.
    pub iterator: InputTransform,
    /// The body.
    #[serde(default, deserialize_with = "nullable")]
    pub modules: Vec<Module>,
    /// Keep the error objects of failed iterations and go on.
    #[serde(default, deserialize_with = "nullable")]
    pub skip_failures: bool,
    /// Run the iterations at the same time.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_false")]
    pub parallel: bool,
    /// At most so many at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<NumberOrTransform>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Child runs until stopped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WhileLoop {
    /// The body.
    #[serde(default, deserialize_with = "nullable")]
    pub modules: Vec<Module>,
    /// Keep the error objects of failed iterations and go on.
    #[serde(default, deserialize_with = "nullable")]
    pub skip_failures: bool,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The first branch whose predicate is true, else the default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BranchOne {
    /// The branches, in order of their predicates.
    #[serde(default, deserialize_with = "nullable")]
    pub branches: Vec<BranchOneBranch>,
    /// Run when no predicate is true.
    #[serde(default, deserialize_with = "nullable")]
    pub default: Vec<Module>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A branch of `branchone`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BranchOneBranch {
    /// Label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// JavaScript predicate.
    #[serde(default, deserialize_with = "nullable")]
    pub expr: String,
    /// The steps.
    #[serde(default, deserialize_with = "nullable")]
    pub modules: Vec<Module>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// All branches, in parallel unless `parallel` is false.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BranchAll {
    /// The branches.
    #[serde(default, deserialize_with = "nullable")]
    pub branches: Vec<BranchAllBranch>,
    /// Absent means true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<bool>,
    /// At most so many at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<NumberOrTransform>,
    /// The first branch that succeeds ends the module with its result, and the others are cancelled. Ours: others that
    /// read the document ignore it.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_false")]
    pub race: bool,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A branch of `branchall`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BranchAllBranch {
    /// Label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// A failure of this branch does not fail the module.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_false")]
    pub skip_failure: bool,
    /// The steps.
    #[serde(default, deserialize_with = "nullable")]
    pub modules: Vec<Module>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The previous result.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A language model with tools: kept, not run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AiAgent {
    /// All of its fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Module {
    /// A module that only does something, without id and settings.
    pub fn of(value: ModuleValue) -> Self {
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

    /// The JSON `type` of what the module does.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            ModuleValue::Script(_) => "script",
            ModuleValue::RawScript(_) => "rawscript",
            ModuleValue::Flow(_) => "flow",
            ModuleValue::ForLoopFlow(_) => "forloopflow",
            ModuleValue::WhileLoopFlow(_) => "whileloopflow",
            ModuleValue::BranchOne(_) => "branchone",
            ModuleValue::BranchAll(_) => "branchall",
            ModuleValue::Identity(_) => "identity",
            ModuleValue::AiAgent(_) => "aiagent",
        }
    }
}
