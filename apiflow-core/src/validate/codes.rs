//! The stable names of all findings.

/// The text is not JSON at all.
pub const MALFORMED_JSON: &str = "malformed-json";
/// A field holds another JSON type than it must.
pub const WRONG_TYPE: &str = "wrong-type";
/// A required field is absent or null.
pub const MISSING_FIELD: &str = "missing-field";
/// A field and its older name are both given.
pub const DUPLICATE_FIELD: &str = "duplicate-field";
/// A field is not known, and looks like a slip of one that is.
pub const MISSPELT_FIELD: &str = "misspelt-field";
/// A module's `type` is none that OpenFlow knows.
pub const UNKNOWN_MODULE_TYPE: &str = "unknown-module-type";
/// A transform's `type` is neither `static` nor `javascript`.
pub const UNKNOWN_TRANSFORM_TYPE: &str = "unknown-transform-type";
/// Lists of modules are nested deeper than [`crate::openflow::MAX_NESTING`].
pub const NESTING_TOO_DEEP: &str = "nesting-too-deep";
/// There are more findings than [`crate::openflow::MAX_FINDINGS`].
pub const TOO_MANY_FINDINGS: &str = "too-many-findings";
/// A loop has no `iterator`.
pub const MISSING_ITERATOR: &str = "missing-iterator";
/// A loop's constant `iterator` is not an array.
pub const ITERATOR_NOT_ARRAY: &str = "iterator-not-array";
/// A while loop has no stop anywhere.
pub const UNBOUNDED_LOOP: &str = "unbounded-loop";
/// A `branchone` has no `default` list.
pub const MISSING_DEFAULT: &str = "missing-default";
/// A branch can never be taken.
pub const UNREACHABLE_BRANCH: &str = "unreachable-branch";
/// A module has no id, so that its result has no name.
pub const MISSING_ID: &str = "missing-id";
/// An id that an earlier module has.
pub const DUPLICATE_ID: &str = "duplicate-id";
/// A module, or a field of it, that is kept but not run by this version.
pub const UNSUPPORTED: &str = "unsupported";
/// A field that is kept but has no effect in this version.
pub const IGNORED_FIELD: &str = "ignored-field";
/// A path that names no node.
pub const UNKNOWN_NODE: &str = "unknown-node";
/// A path, or the node that it names, refers to a connector that does not exist.
pub const UNKNOWN_CONNECTOR: &str = "unknown-connector";
/// A path that names no workflow.
pub const UNKNOWN_WORKFLOW: &str = "unknown-workflow";
/// Workflows that call each other without end.
pub const WORKFLOW_CYCLE: &str = "workflow-cycle";
/// A required input that is not given and has neither `value` nor `default`.
pub const MISSING_INPUT: &str = "missing-input";
/// An input that the node does not declare.
pub const UNKNOWN_INPUT: &str = "unknown-input";
/// A constant of another type than the node's input has.
pub const WRONG_INPUT_TYPE: &str = "wrong-input-type";
/// A constant outside the input's `enum`.
pub const NOT_IN_ENUM: &str = "not-in-enum";
/// A constant below `minimum` or above `maximum`.
pub const OUT_OF_RANGE: &str = "out-of-range";
/// A connector needs a secret that is not set.
pub const UNRESOLVED_SECRET: &str = "unresolved-secret";
/// `$var:`, `$res:`, `variable()` or `resource()`, which exist only in Windmill.
pub const UNSUPPORTED_VARIABLE: &str = "unsupported-variable";
/// An expression that does not parse.
pub const EXPRESSION_SYNTAX: &str = "expression-syntax";
/// An expression without text.
pub const EMPTY_EXPRESSION: &str = "empty-expression";
/// An expression that uses a name which does not exist at its place.
pub const UNKNOWN_NAME: &str = "unknown-name";
/// A reference to a step that does not exist.
pub const UNKNOWN_STEP: &str = "unknown-step";
/// A reference to a step that has not run yet.
pub const LATER_STEP: &str = "later-step";
/// A reference to a step whose result is never visible at that place.
pub const INVISIBLE_STEP: &str = "invisible-step";
/// A reference to an output that the step's node does not declare.
pub const UNKNOWN_OUTPUT: &str = "unknown-output";
/// A reference to a workflow input that the schema does not have.
pub const UNKNOWN_FLOW_INPUT: &str = "unknown-flow-input";
/// A number of retries or a random factor out of bounds.
pub const RETRY_BOUNDS: &str = "retry-bounds";
/// An exponential retry whose base is zero, so that nothing grows.
pub const RETRY_ZERO_BASE: &str = "retry-zero-base";
