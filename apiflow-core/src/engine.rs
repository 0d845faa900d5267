//! The durable engine, a pure state machine: it decides, records, and says what is pending.
//!
//! [`Run::decide_events`] decides what follows from an input and is pure; [`Run::apply_event`] records an event,
//! accepts every event and never decides; [`Run::pending_effects`] lists everything that the host still has to do.
//! After a crash, a run is restored from a snapshot and the events after it.
//!
//! Values are not part of the control state: it contains [references](crate::ports::ValueRef) to immutable rows, which
//! are keyed by event, and its size is bounded by the nesting depth plus the number of open branches.

mod control_state;
mod decide;
mod effect;
#[cfg(feature = "runtime")]
mod erasure;
pub(crate) mod error_names;
mod event;
mod program;
mod record;
#[cfg(feature = "runtime")]
mod reopen;
mod retry;
#[cfg(feature = "runtime")]
mod reuse;
mod run;

pub use control_state::{ExpressionNames, Resumed};
#[cfg(feature = "runtime")]
pub(crate) use decide::unsettled_attempt_error;
pub(crate) use effect::OpenWork;
pub use effect::{
    Answer, Call, ConcludedStep, Effect, Fact, Input, PreparationKind, PreparedStep, Recovery, StepConclusion,
    StepPreparation,
};
#[cfg(feature = "runtime")]
pub(crate) use erasure::Eraser;
pub use event::{CacheKey, Ending, Event, GateSelector, Recorded, Start};
pub(crate) use program::read_document;
pub(crate) use program::step_key;
pub use program::{Program, ProgramError};
#[cfg(feature = "runtime")]
pub(crate) use reopen::{ReopenError, Reopener};
pub use run::Run;
#[cfg(feature = "runtime")]
pub(crate) use run::RunLimits;
#[cfg(feature = "runtime")]
pub(crate) use run::queue_priority;

#[cfg(test)]
mod tests;
