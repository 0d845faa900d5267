//! Names of the errors that the engine and its evaluations give (`error.name`); those of provider calls are
//! [`crate::call::ErrorClass`].
//!
//! docs/workflows.md lists them all. Errors that JavaScript throws keep their message, not their name.

/// Nobody could find out whether the provider took the work.
pub(crate) const SUBMIT_UNKNOWN: &str = "submit_unknown";
/// A step took longer than its `timeout`.
pub(crate) const TIMEOUT: &str = "timeout";
/// The job was cancelled.
pub(crate) const CANCELLED: &str = "cancelled";
/// apiflow itself is at fault.
pub(crate) const INTERNAL_ERROR: &str = "internal_error";
/// The job went over a limit of its runtime.
pub(crate) const JOB_LIMIT: &str = "job_limit";
/// A while loop ran for more iterations than allowed.
pub(crate) const LOOP_LIMIT: &str = "loop_limit";
/// Sub-flows are nested deeper than allowed.
pub(crate) const RECURSION_LIMIT: &str = "recursion_limit";
/// A module or input is of a type that is not run here.
pub(crate) const UNSUPPORTED: &str = "unsupported";
/// Inline code could not run, or threw.
pub(crate) const CODE_ERROR: &str = "code_error";
/// An expression could not be evaluated, or threw.
pub(crate) const EXPRESSION_ERROR: &str = "expression_error";
/// A loop's `iterator` is not an array.
pub(crate) const ITERATOR_ERROR: &str = "iterator_error";
/// A `timeout`, `sleep` or `parallelism` is not a number, or is negative.
pub(crate) const INVALID_NUMBER: &str = "invalid_number";
/// A dry run went over one of its limits.
pub(crate) const DRY_RUN_LIMIT: &str = "dry_run_limit";

/// A stop rule with an `error_message` held. Source: OpenFlow, whose documents compare this name.
pub(crate) const EARLY_STOP: &str = "EarlyStopError";
/// A gate was not approved in time. Source: OpenFlow.
pub(crate) const SUSPENDED_TIMED_OUT: &str = "SuspendedTimedOut";
/// A gate was disapproved. Source: OpenFlow.
pub(crate) const SUSPENDED_DISAPPROVED: &str = "SuspendedDisapproved";
/// `error` of a list in which several results are errors. Source: OpenFlow.
pub(crate) const MULTIPLE_ERRORS: &str = "MultipleErrors";
/// `error` of a result that has none. Source: OpenFlow.
pub(crate) const UNKNOWN_ERROR: &str = "UnknownError";
