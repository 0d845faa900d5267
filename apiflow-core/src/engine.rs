//! The durable engine: decide, record, owe.
//!
//! [`Run::step`] decides what follows from an input and is pure; [`Run::apply`] records an event, is total and never
//! chooses; [`Run::pending`] is all that the world still owes. Recovery after a crash is a snapshot, the events
//! after it, and `pending`.
//!
//! Values never enter the control state: it holds [`ValueRef`]s to immutable rows keyed by event, and is bounded by
//! nesting depth plus open branches.

mod control;
mod decide;
mod effect;
mod erase;
mod event;
mod order;
mod program;
mod record;
mod reopen;
mod retry;
mod run;
mod value;

pub use control::{Names, Resumed};
#[cfg(feature = "runtime")]
pub(crate) use decide::unsettled_attempt_error;
pub use effect::{Answer, Ask, Call, Conclude, Concluded, Effect, Fact, Input, Prepare, Prepared, Recovery};
pub use erase::{Eraser, redacted};
pub use event::{CacheKey, Event, Recorded, Start, Target};
pub(crate) use program::step_key;
pub use program::{Program, ProgramError};
pub use reopen::{ReopenError, Reopener};
pub use run::Run;
#[cfg(feature = "runtime")]
pub(crate) use run::queue_priority;
pub use value::{Args, Iter, ValueRef};

/// Error name of an attempt whose fate nobody could find out.
const SUBMIT_UNKNOWN: &str = "submit_unknown";
