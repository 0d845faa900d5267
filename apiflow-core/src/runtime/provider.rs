//! Calls to providers: submitted, followed, cancelled, and found again.

mod calls;
mod plans;
mod poll;
mod recover;
mod submit;

pub(super) use calls::{Caller, about_to_send};
pub(super) use plans::Plans;
pub(super) use poll::{Polled, Ticket, poll};
pub(super) use recover::recover;
pub(super) use submit::{cancel, submit};
