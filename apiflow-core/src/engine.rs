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
mod erasure;
pub(crate) mod error_names;
mod event;
mod program;
mod record;
mod reopen;
mod retry;
mod reuse;
mod run;

pub use control_state::{ExpressionNames, Resumed};
#[cfg(feature = "runtime")]
pub(crate) use decide::unsettled_attempt_error;
pub use effect::{
    Answer, Call, ConcludedStep, Effect, Fact, Input, OpenWork, PreparationKind, PreparedStep, Recovery,
    StepConclusion, StepPreparation,
};
pub use erasure::{Eraser, redact_error};
pub use event::{CacheKey, Ending, Event, GateSelector, Recorded, Start};
pub(crate) use program::read_document;
pub(crate) use program::step_key;
pub use program::{Program, ProgramError};
pub use reopen::{ReopenError, Reopener};
#[cfg(feature = "runtime")]
pub(crate) use run::queue_priority;
pub use run::{Run, RunLimits};

#[cfg(test)]
mod tests;
