//! Local stand-ins for media APIs, good enough for the providers' own clients.
//!
//! [`Replicate`] answers on a free port of the loopback interface like `https://api.replicate.com/v1`. Its [`Behaviour`]
//! defines which calls fail, how long a prediction takes and how it ends; it is set from Rust or, from another process,
//! through the control routes (see [`Replicate`]). Create calls are recorded, so a test can prove that nothing was paid twice.
//!
//! A prediction's state is a function of the time since its creation: nothing runs in the background, so ten thousand
//! running predictions cost ten thousand rows.

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
