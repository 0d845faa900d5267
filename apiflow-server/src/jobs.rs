//! Jobs: starting, rerunning, dry runs, waiting, following, approving and showing them.

pub(crate) mod approvals;
pub(crate) mod dry_run;
pub(crate) mod event_stream;
pub(crate) mod idempotency;
pub(crate) mod input;
pub(crate) mod lookup;
pub(crate) mod prepared_workflows;
mod rerun;
pub(crate) mod start_job;
pub(crate) mod truncate_values;
pub(crate) mod views;
mod wait;
mod webhook_messages;
pub(crate) mod webhook_sender;
pub(crate) mod workflow_cache;
