//! Codes of problems: stable names for programs, in snake case.
//!
//! The codes of an unavailable database are those of [`apiflow_core::ports::StoreFault`].

/// The request is malformed: its path, query, headers or JSON.
pub(crate) const MALFORMED: &str = "malformed";

/// There is no valid token or session.
pub(crate) const UNAUTHENTICATED: &str = "unauthenticated";

/// The caller may not do this.
pub(crate) const FORBIDDEN: &str = "forbidden";

/// The token has scopes, and none of them permits the request.
pub(crate) const SCOPE_REQUIRED: &str = "scope_required";

/// The resource or route does not exist.
pub(crate) const NOT_FOUND: &str = "not_found";

/// The route does not support this method.
pub(crate) const METHOD_NOT_ALLOWED: &str = "method_not_allowed";

/// The body is not JSON.
pub(crate) const UNSUPPORTED_MEDIA_TYPE: &str = "unsupported_media_type";

/// The body did not arrive in time.
pub(crate) const REQUEST_TIMEOUT: &str = "request_timeout";

/// The body is larger than the server accepts.
pub(crate) const TOO_LARGE: &str = "too_large";

/// The user's artifacts would exceed their quota.
pub(crate) const OVER_QUOTA: &str = "over_quota";

/// The range is outside of the artifact.
pub(crate) const OUT_OF_RANGE: &str = "out_of_range";

/// The artifact has no thumbnail: it is no image, too large, or broken.
pub(crate) const NO_THUMBNAIL: &str = "no_thumbnail";

/// The artifact storage is unavailable.
pub(crate) const STORAGE_UNAVAILABLE: &str = "storage_unavailable";

/// The document is larger than the server accepts.
pub(crate) const DOCUMENT_TOO_LARGE: &str = "document_too_large";

/// The body is JSON, but has faults in the places that `errors` lists.
pub(crate) const INVALID: &str = "invalid";

/// The document cannot run; `diagnostics` says why.
pub(crate) const NOT_RUNNABLE: &str = "not_runnable";

/// The dry run took too long.
pub(crate) const TOO_LONG: &str = "too_long";

/// There were too many requests or failed logins.
pub(crate) const TOO_MANY_REQUESTS: &str = "too_many_requests";

/// The values of the caller's jobs that have not ended are too large.
pub(crate) const TOO_MANY_BYTES_IN_FLIGHT: &str = "too_many_bytes_in_flight";

/// The server failed; the cause is in its log.
pub(crate) const INTERNAL: &str = "internal";

/// The server is stopping, or the database failed.
pub(crate) const NOT_READY: &str = "not_ready";

/// Other requests are changing the same document.
pub(crate) const BUSY: &str = "busy";

/// A resource with this id or name already exists.
pub(crate) const EXISTS: &str = "exists";

/// The document has changed: its ETag does not match.
pub(crate) const CHANGED: &str = "changed";

/// Other documents refer to the document.
pub(crate) const IN_USE: &str = "in_use";

/// The user is the last admin.
pub(crate) const LAST_ADMIN: &str = "last_admin";

/// The job has not ended, or a job that has not ended uses the document.
pub(crate) const ACTIVE: &str = "active";

/// The job has ended.
pub(crate) const ENDED: &str = "ended";

/// The job was created by an earlier version and cannot be run again.
pub(crate) const OUTDATED: &str = "outdated";

/// Rerunning the job may pay twice for a step, which must be confirmed.
pub(crate) const CONFIRM_UNKNOWN: &str = "confirm_unknown";

/// The idempotency key was used for another request.
pub(crate) const IDEMPOTENCY_KEY_REUSED: &str = "idempotency_key_reused";

/// No step of the job waits for an approval.
pub(crate) const NOT_WAITING: &str = "not_waiting";

/// The step no longer waits for an approval.
pub(crate) const ANSWERED: &str = "answered";

/// Several steps wait for an approval; the answer must name one.
pub(crate) const AMBIGUOUS: &str = "ambiguous";

/// The secret was generated for a document and can only be changed there.
pub(crate) const GENERATED: &str = "generated";

/// The secret comes from the environment.
pub(crate) const ENVIRONMENT: &str = "environment";

/// The document refers to secrets that its author may not refer to, or is an admin's.
pub(crate) const SHARED_SECRET: &str = "shared_secret";

/// The document refers to a secret of another user.
pub(crate) const SECRET_OF_ANOTHER: &str = "secret_of_another";

/// The outcome of the step is known: there is nothing to look up.
pub(crate) const FATE_KNOWN: &str = "fate_known";

/// The job continued after the step ended, so the step's work cannot be recovered.
pub(crate) const WENT_ON: &str = "went_on";

/// The step's provider has no list in which the work of an unknown outcome could be looked up.
pub(crate) const NOT_LISTED: &str = "not_listed";

/// Values of the job were erased, so it cannot continue.
pub(crate) const ERASED: &str = "erased";

/// The outgoing policy or the origins of a secret do not allow the request; nothing was sent.
pub(crate) const OUTGOING_REFUSED: &str = "outgoing_refused";

/// The provider could not be reached; nothing was sent.
pub(crate) const PROVIDER_UNREACHABLE: &str = "provider_unreachable";

/// The provider gave no valid reply: whether it acted on the request is unknown.
pub(crate) const PROVIDER_NO_REPLY: &str = "provider_no_reply";

/// A provider's rate limit, or the limits of its connector, allow no call now; nothing was sent.
pub(crate) const RATE_LIMITED: &str = "rate_limited";

/// A budget does not allow what the call may cost; nothing was sent.
pub(crate) const BUDGET_EXCEEDED: &str = "budget_exceeded";
