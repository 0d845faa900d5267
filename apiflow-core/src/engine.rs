//! The durable engine: decide, record, owe.
//!
//! [`Run::decide_events`] decides what follows from an input and is pure; [`Run::apply_event`] records an event, is total and never
//! chooses; [`Run::pending_effects`] is all that the world still owes. Recovery after a crash is a snapshot, the events
//! after it, and `pending`.
//!
//! Values never enter the control state: it holds [`ValueRef`]s to immutable rows keyed by event, and is bounded by
//! nesting depth plus open branches.

mod control_state;
mod decide;
mod effect;
mod erasure;
pub(crate) mod error_names;
mod event;
mod program;
mod record;
mod reopen;
mod retry;
mod reuse;
mod run;
mod value_ref;

pub use control_state::{ExpressionNames, Resumed};
#[cfg(feature = "runtime")]
pub(crate) use decide::unsettled_attempt_error;
pub use effect::{
    Answer, Call, ConcludedStep, Effect, Fact, Input, OpenWork, PreparationKind, PreparedStep, Recovery,
    StepConclusion, StepPreparation,
};
pub use erasure::{Eraser, redact_error};
pub use event::{CacheKey, Event, GateSelector, Recorded, Start};
pub(crate) use program::read_document;
pub(crate) use program::step_key;
pub use program::{Program, ProgramError};
pub use reopen::{ReopenError, Reopener};
#[cfg(feature = "runtime")]
pub(crate) use run::queue_priority;
pub use run::{Run, RunLimits};
pub use value_ref::{Args, Iter, ValueRef};

#[cfg(test)]
mod tests;
