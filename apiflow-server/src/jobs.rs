//! Jobs: how one is started, run again, tried out, waited for, followed, approved and shown.

pub(crate) mod approvals;
pub(crate) mod dry_run;
pub(crate) mod event_stream;
pub(crate) mod idempotency;
pub(crate) mod input;
pub(crate) mod lookup;
pub(crate) mod prepared_workflows;
mod rerun;
pub(crate) mod start_job;
pub(crate) mod views;
mod wait;
pub(crate) mod workflow_cache;
