//! Calls of providers: submitting, polling, cancelling, and searching for attempts of unknown fate.

mod admission;
mod attempt_exchange;
mod download;
mod keep_media;
mod operation_limits;
mod poll;
mod recover;
mod reply_archive;
mod reply_filter;
mod reply_spool;
mod submit;
mod upload;

pub(super) use admission::{explain_refusal, node_of_path};
pub(super) use attempt_exchange::{Caller, record_before_sending};
pub(super) use download::download_media;
pub(super) use poll::{PollContext, PollSubject, Polled, RecoveryContext, poll};
pub(super) use recover::{first_look_at, recover_attempt, search_interrupted, search_lost};
pub(super) use submit::{DEFAULT_PAUSE_MS, Submit, cancel_work, submit_attempt};
pub(super) use upload::RunningUploads;
