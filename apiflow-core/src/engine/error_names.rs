//! Names of the engine's errors (`error.name`), including those of evaluations; errors of provider calls are named by
//! [`crate::call::ErrorClass`].
//!
//! docs/workflows.md lists all of them. Errors that JavaScript throws keep their message, but not their name.

/// It could not be determined whether the provider accepted the work.
pub(crate) const SUBMIT_UNKNOWN: &str = "submit_unknown";
/// A step took longer than its `timeout`.
pub(crate) const TIMEOUT: &str = "timeout";
/// The job was cancelled.
pub(crate) const CANCELLED: &str = "cancelled";
/// A fault of apiflow itself.
pub(crate) const INTERNAL_ERROR: &str = "internal_error";
/// The job exceeded a limit of its runtime.
pub(crate) const JOB_LIMIT: &str = "job_limit";
/// A while loop exceeded the maximum number of iterations.
pub(crate) const LOOP_LIMIT: &str = "loop_limit";
/// Sub-flows exceeded the maximum nesting depth.
pub(crate) const RECURSION_LIMIT: &str = "recursion_limit";
/// A module or input has a type that is not run.
pub(crate) const UNSUPPORTED: &str = "unsupported";
/// Inline code could not run, or threw an exception.
pub(crate) const CODE_ERROR: &str = "code_error";
/// An expression could not be evaluated, or threw an exception.
pub(crate) const EXPRESSION_ERROR: &str = "expression_error";
/// A loop's `iterator` is not an array.
pub(crate) const ITERATOR_ERROR: &str = "iterator_error";
/// A `timeout`, `sleep` or `parallelism` is not a number, or is negative.
pub(crate) const INVALID_NUMBER: &str = "invalid_number";
/// A dry run exceeded one of its limits.
pub(crate) const DRY_RUN_LIMIT: &str = "dry_run_limit";

/// A stop condition with an `error_message` was true. Source: OpenFlow, whose documents compare this name.
pub(crate) const EARLY_STOP: &str = "EarlyStopError";
/// A gate was not approved in time. Source: OpenFlow.
pub(crate) const SUSPENDED_TIMED_OUT: &str = "SuspendedTimedOut";
/// A gate was disapproved. Source: OpenFlow.
pub(crate) const SUSPENDED_DISAPPROVED: &str = "SuspendedDisapproved";
/// Value of `error` for a list in which several results are errors. Source: OpenFlow.
pub(crate) const MULTIPLE_ERRORS: &str = "MultipleErrors";
/// Value of `error` for a result without one. Source: OpenFlow.
pub(crate) const UNKNOWN_ERROR: &str = "UnknownError";
