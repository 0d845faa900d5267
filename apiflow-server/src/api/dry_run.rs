//! Dry runs: a workflow run with simulated replies.

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A workflow, or a part of one, to run without sending anything.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRunRequest {
    /// The OpenFlow document of the workflow.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub document: Value,
    /// The inputs by name (default: none).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub input: Map<String, Value>,
    /// Runs the document's `preprocessor_module` on `input`, which is then not validated against the schema (default:
    /// false).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<bool>)]
    pub preprocess: bool,
    /// Runs up to and including this step.
    #[serde(default)]
    pub until: Option<String>,
    /// Runs only this step; results that it refers to come from `mocks`.
    #[serde(default)]
    pub only: Option<String>,
    /// Simulated replies by step id, or by path and id for a single place (`loop[2]/draw`): the step's result,
    /// `{"error": {"name", "message"}}` to make it fail, or `{"attempts": [answer, …]}` with one answer per attempt.
    /// Calls without a mock return sample values derived from the node's outputs.
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub mocks: Map<String, Value>,
    /// Answers to approval gates by step id or place: `{"action": "resume" | "cancel", "payload", "approver"}`,
    /// repeated for as many approvals as the gate requires, or a list of them. A gate without an answer is approved at
    /// once; one with an empty list times out.
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub approvals: Map<String, Value>,
}
