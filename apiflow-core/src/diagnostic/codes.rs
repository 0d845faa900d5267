//! Codes of diagnostics: stable names of all kinds of findings.

/// Declares the codes, and `ALL` as the list of them.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: &str = $code;)+

        /// All codes, of workflows as well as of connectors and nodes.
        pub const ALL: &[&str] = &[$($name),+];
    };
}

codes! {
    /// The text is not JSON.
    MALFORMED_JSON = "malformed-json";
    /// An object has the same key twice: the first value is lost.
    DUPLICATE_KEY = "duplicate-key";
    /// A file holds neither a workflow nor a node nor a connector.
    UNKNOWN_DOCUMENT = "unknown-document";
    /// The `schema` of a workflow or of an approval form is not a JSON Schema.
    BAD_SCHEMA = "schema";
    /// A JSON Schema that is too large, or too expensive to check a value against.
    SCHEMA_LIMIT = "schema-limit";
    /// The default of an input does not match the input's own schema and is left out.
    BAD_DEFAULT = "bad-default";
    /// A pattern of a JSON Schema is not enforced because it needs more than a linear search.
    PATTERN_NOT_ENFORCED = "pattern-not-enforced";
    /// A JSON Schema requires a property twice.
    REPEATED_REQUIRED = "repeated-required";
    /// A field holds a value of the wrong JSON type.
    WRONG_TYPE = "wrong-type";
    /// A required field is absent or null.
    MISSING_FIELD = "missing-field";
    /// A field and its older name are both present.
    DUPLICATE_FIELD = "duplicate-field";
    /// An unknown field looks like a misspelling of a known one.
    MISSPELT_FIELD = "misspelt-field";
    /// A module's `type` is not one of OpenFlow's.
    UNKNOWN_MODULE_TYPE = "unknown-module-type";
    /// A transform's `type` is neither `static` nor `javascript`.
    UNKNOWN_TRANSFORM_TYPE = "unknown-transform-type";
    /// Lists of modules are nested deeper than [`crate::openflow::MAX_NESTING`].
    NESTING_TOO_DEEP = "nesting-too-deep";
    /// There are more findings than [`crate::openflow::MAX_FINDINGS`].
    TOO_MANY_FINDINGS = "too-many-findings";
    /// A loop has no `iterator`.
    MISSING_ITERATOR = "missing-iterator";
    /// A loop's constant `iterator` is not an array.
    ITERATOR_NOT_ARRAY = "iterator-not-array";
    /// A while loop has no condition that ends it.
    UNBOUNDED_LOOP = "unbounded-loop";
    /// A `branchone` has no `default` list.
    MISSING_DEFAULT = "missing-default";
    /// A branch can never be taken.
    UNREACHABLE_BRANCH = "unreachable-branch";
    /// A step can never run.
    UNREACHABLE_STEP = "unreachable-step";
    /// A module has no id, so its result cannot be referred to.
    MISSING_ID = "missing-id";
    /// An id is already used by an earlier module.
    DUPLICATE_ID = "duplicate-id";
    /// A module, or a field of it, is stored but not run by this version.
    UNSUPPORTED = "unsupported";
    /// Inline code is written in a language that is not run.
    UNSUPPORTED_LANGUAGE = "unsupported-language";
    /// Inline code cannot run: it has a syntax error, loads modules, or has no `main`.
    INLINE_CODE = "inline-code";
    /// A field is stored but has no effect in this version.
    IGNORED_FIELD = "ignored-field";
    /// A `branchall` is a race, but its branches run one after the other.
    RACE_IN_SEQUENCE = "race-in-sequence";
    /// An approval gate does not wait, or not as long as it appears to.
    APPROVAL_BOUNDS = "approval-bounds";
    /// `resume`, `resumes` or `approvers` is used where no approval has been waited for.
    NO_APPROVAL = "no-approval";
    /// A path refers to a node that does not exist.
    UNKNOWN_NODE = "unknown-node";
    /// A path, or the node that it names, refers to a connector that does not exist.
    UNKNOWN_CONNECTOR = "unknown-connector";
    /// A path refers to a workflow that does not exist.
    UNKNOWN_WORKFLOW = "unknown-workflow";
    /// A workflow that a step runs, directly or through others, has errors itself.
    BROKEN_WORKFLOW = "broken-workflow";
    /// Workflows call each other without end.
    WORKFLOW_CYCLE = "workflow-cycle";
    /// A required input is missing and has neither `value` nor `default`.
    MISSING_INPUT = "missing-input";
    /// An input is not declared by the node.
    UNKNOWN_INPUT = "unknown-input";
    /// A constant has another type than the node's input.
    WRONG_INPUT_TYPE = "wrong-input-type";
    /// A constant is not in the input's `enum`.
    NOT_IN_ENUM = "not-in-enum";
    /// A constant is below `minimum` or above `maximum`.
    OUT_OF_RANGE = "out-of-range";
    /// A path leads to a value whose type does not fit where it is used.
    TYPE_MISMATCH = "type-mismatch";
    /// A connector needs a secret that is not set.
    UNRESOLVED_SECRET = "unresolved-secret";
    /// A credential is written into a declaration as plain text.
    CREDENTIAL_IN_CLEAR = "credential-in-clear";
    /// `$var:`, `$res:`, `variable()` or `resource()` is used, which exist only in Windmill.
    UNSUPPORTED_VARIABLE = "unsupported-variable";
    /// An expression has a syntax error.
    EXPRESSION_SYNTAX = "expression-syntax";
    /// An expression is empty.
    EMPTY_EXPRESSION = "empty-expression";
    /// An expression uses a name that does not exist in its scope.
    UNKNOWN_NAME = "unknown-name";
    /// A reference names a step that does not exist.
    UNKNOWN_STEP = "unknown-step";
    /// A group begins or ends at a step that does not exist.
    UNKNOWN_GROUP_STEP = "unknown-group-step";
    /// The steps of a group do not follow one another in one list, or it cuts through another group.
    BROKEN_GROUP = "broken-group";
    /// A reference names a step that has not run yet.
    LATER_STEP = "later-step";
    /// A reference names a step whose result is never visible at that point.
    INVISIBLE_STEP = "invisible-step";
    /// A reference names an output that the step's node does not declare.
    UNKNOWN_OUTPUT = "unknown-output";
    /// A reference names a workflow input that the schema does not have.
    UNKNOWN_FLOW_INPUT = "unknown-flow-input";
    /// The number of retries or a random factor is out of bounds.
    RETRY_BOUNDS = "retry-bounds";
    /// The base of an exponential retry is zero, so the delay does not grow.
    RETRY_ZERO_BASE = "retry-zero-base";
    /// A declaration has an unknown field.
    UNKNOWN_FIELD = "unknown-field";
    /// A field has a value that it does not accept.
    BAD_VALUE = "bad-value";
    /// An id does not match `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`.
    BAD_ID = "bad-id";
    /// An id is reserved: no connector can have it.
    RESERVED_ID = "reserved-id";
    /// Two inputs have the same name.
    DUPLICATE_NAME = "duplicate-name";
    /// A `base_url` is not a URL that calls can be made to.
    BAD_URL = "bad-url";
    /// A method is not one that calls can have.
    BAD_METHOD = "bad-method";
    /// A call's `path` cannot be appended to the `base_url`.
    BAD_PATH = "bad-path";
    /// A body does not fit its kind or method.
    BAD_BODY = "bad-body";
    /// A string contains `$` or `{{` but is not a valid template.
    TEMPLATE_SYNTAX = "template-syntax";
    /// A template refers to a value that does not exist in its scope.
    TEMPLATE_SCOPE = "template-scope";
    /// A path into a reply has a syntax error.
    PATH_SYNTAX = "path-syntax";
    /// An `operation` names a preset that does not exist.
    UNKNOWN_PRESET = "unknown-preset";
    /// An output cannot be read from the kind of body that the node's replies have.
    UNREADABLE_OUTPUT = "unreadable-output";
    /// A declaration uses a feature that this version does not support.
    NOT_SUPPORTED = "not-supported";
}
