//! The stable names of all findings.

/// Declares the names and the list of them.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: &str = $code;)+

        /// All names, of workflows as well as of connectors and nodes.
        pub const ALL: &[&str] = &[$($name),+];
    };
}

codes! {
    /// The text is not JSON at all.
    MALFORMED_JSON = "malformed-json";
    /// An object of the text has a key twice: the first of the two is lost.
    DUPLICATE_KEY = "duplicate-key";
    /// A file that holds neither a workflow nor a node nor a connector.
    UNKNOWN_DOCUMENT = "unknown-document";
    /// A workflow's `schema`, or the form of an approval, that is no JSON Schema.
    BAD_SCHEMA = "schema";
    /// A JSON Schema that is too large, or too expensive to check a value against.
    SCHEMA_LIMIT = "schema-limit";
    /// The default of an input is refused by the input's own schema: it is left out.
    BAD_DEFAULT = "bad-default";
    /// A pattern of a JSON Schema that is not enforced: it needs more than a linear search.
    PATTERN_NOT_ENFORCED = "pattern-not-enforced";
    /// A JSON Schema requires a property twice.
    REPEATED_REQUIRED = "repeated-required";
    /// A field holds another JSON type than it must.
    WRONG_TYPE = "wrong-type";
    /// A required field is absent or null.
    MISSING_FIELD = "missing-field";
    /// A field and its older name are both given.
    DUPLICATE_FIELD = "duplicate-field";
    /// A field is not known, and looks like a slip of one that is.
    MISSPELT_FIELD = "misspelt-field";
    /// A module's `type` is none that OpenFlow knows.
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
    /// A while loop has no stop anywhere.
    UNBOUNDED_LOOP = "unbounded-loop";
    /// A `branchone` has no `default` list.
    MISSING_DEFAULT = "missing-default";
    /// A branch can never be taken.
    UNREACHABLE_BRANCH = "unreachable-branch";
    /// A step that can never run.
    UNREACHABLE_STEP = "unreachable-step";
    /// A module has no id, so that its result has no name.
    MISSING_ID = "missing-id";
    /// An id that an earlier module has.
    DUPLICATE_ID = "duplicate-id";
    /// A module, or a field of it, that is kept but not run by this version.
    UNSUPPORTED = "unsupported";
    /// Inline code in a language that is not run here.
    UNSUPPORTED_LANGUAGE = "unsupported-language";
    /// Inline code that cannot run: it does not parse, loads modules, or has no `main`.
    INLINE_CODE = "inline-code";
    /// A field that is kept but has no effect in this version.
    IGNORED_FIELD = "ignored-field";
    /// A `branchall` that races, but whose branches run one after the other.
    RACE_IN_SEQUENCE = "race-in-sequence";
    /// An approval gate that does not wait, or not as long as it seems meant.
    APPROVAL_BOUNDS = "approval-bounds";
    /// `resume`, `resumes` or `approvers` if no approval was waited for.
    NO_APPROVAL = "no-approval";
    /// A path that names no node.
    UNKNOWN_NODE = "unknown-node";
    /// A path, or the node that it names, refers to a connector that does not exist.
    UNKNOWN_CONNECTOR = "unknown-connector";
    /// A path that names no workflow.
    UNKNOWN_WORKFLOW = "unknown-workflow";
    /// A workflow that a step runs, or that leads on from there, has errors itself.
    BROKEN_WORKFLOW = "broken-workflow";
    /// Workflows that call each other without end.
    WORKFLOW_CYCLE = "workflow-cycle";
    /// A required input that is not given and has neither `value` nor `default`.
    MISSING_INPUT = "missing-input";
    /// An input that the node does not declare.
    UNKNOWN_INPUT = "unknown-input";
    /// A constant of another type than the node's input has.
    WRONG_INPUT_TYPE = "wrong-input-type";
    /// A constant outside the input's `enum`.
    NOT_IN_ENUM = "not-in-enum";
    /// A constant below `minimum` or above `maximum`.
    OUT_OF_RANGE = "out-of-range";
    /// A path whose value has another type than its place takes.
    TYPE_MISMATCH = "type-mismatch";
    /// A connector needs a secret that is not set.
    UNRESOLVED_SECRET = "unresolved-secret";
    /// A credential stands in a declaration in clear.
    CREDENTIAL_IN_CLEAR = "credential-in-clear";
    /// `$var:`, `$res:`, `variable()` or `resource()`, which exist only in Windmill.
    UNSUPPORTED_VARIABLE = "unsupported-variable";
    /// An expression that does not parse.
    EXPRESSION_SYNTAX = "expression-syntax";
    /// An expression without text.
    EMPTY_EXPRESSION = "empty-expression";
    /// An expression that uses a name which does not exist at its place.
    UNKNOWN_NAME = "unknown-name";
    /// A reference to a step that does not exist.
    UNKNOWN_STEP = "unknown-step";
    /// A reference to a step that has not run yet.
    LATER_STEP = "later-step";
    /// A reference to a step whose result is never visible at that place.
    INVISIBLE_STEP = "invisible-step";
    /// A reference to an output that the step's node does not declare.
    UNKNOWN_OUTPUT = "unknown-output";
    /// A reference to a workflow input that the schema does not have.
    UNKNOWN_FLOW_INPUT = "unknown-flow-input";
    /// A number of retries or a random factor out of bounds.
    RETRY_BOUNDS = "retry-bounds";
    /// An exponential retry whose base is zero, so that nothing grows.
    RETRY_ZERO_BASE = "retry-zero-base";
    /// A field that the declaration does not have.
    UNKNOWN_FIELD = "unknown-field";
    /// A value that its field does not take.
    BAD_VALUE = "bad-value";
    /// An id of another form than ids have.
    BAD_ID = "bad-id";
    /// An id that a connector can't have.
    RESERVED_ID = "reserved-id";
    /// A name that two inputs share.
    DUPLICATE_NAME = "duplicate-name";
    /// A `base_url` that no call can be made to.
    BAD_URL = "bad-url";
    /// A method that no call can have.
    BAD_METHOD = "bad-method";
    /// A call's `path` that can't be appended to the `base_url`.
    BAD_PATH = "bad-path";
    /// A body that does not fit its kind or method.
    BAD_BODY = "bad-body";
    /// Text with `$` or `{{` that is no template.
    TEMPLATE_SYNTAX = "template-syntax";
    /// A template that refers to a value which does not exist at its place.
    TEMPLATE_SCOPE = "template-scope";
    /// A path into a reply that can't be read.
    PATH_SYNTAX = "path-syntax";
    /// An `operation` that names a preset which does not exist.
    UNKNOWN_PRESET = "unknown-preset";
    /// An output that can't be read from the kind of body that the node's replies have.
    UNREADABLE_OUTPUT = "unreadable-output";
    /// What a declaration asks for and this version does not do.
    NOT_SUPPORTED = "not-supported";
    /// A field of a declaration that is kept but has no effect in this version.
    NOT_ACTED_ON = "not-acted-on";
}
