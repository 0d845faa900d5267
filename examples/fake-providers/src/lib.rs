//! Local stand-ins for media APIs, good enough for the providers' own clients.
//!
//! [`Replicate`] answers on a free port of the loopback interface as `https://api.replicate.com/v1` does. What goes
//! wrong, how long a prediction takes and how it ends is a [`Behaviour`], set from Rust or, from another process, over
//! the control routes (see [`Replicate`]). Every create call is kept, so a test can prove that nothing was paid twice.
//!
//! A prediction's state is a function of the time since it was created: nothing runs in the background, so ten
//! thousand running predictions cost ten thousand rows.

mod behaviour;
mod clock;
mod connection;
mod models;
mod prediction;
mod problem;
mod records;
mod replicate;
mod routes;
mod sample;
mod state;
mod validation;

pub use behaviour::{Behaviour, Delivery, End, Failure, PreferWait};
pub use records::{CreateRecord, Stats};
pub use replicate::{Replicate, ReplicateOptions};
