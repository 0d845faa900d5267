//! Local stand-ins for media APIs, good enough for the providers' own clients.
//!
//! [`Replicate`] answers on a free port of the loopback interface like `https://api.replicate.com/v1`, [`MediaProviders`] also
//! like fal, OpenAI, Stability AI, ElevenLabs and Black Forest Labs ([`Provider`]). A [`Behaviour`] and [`Switches`] define which
//! calls fail, how long work takes and how it ends; they are set from Rust or, from another process, through the control
//! routes. Calls that make something are recorded, so a test can prove that nothing was paid twice.
//!
//! Outputs are real files: PNG pictures that follow from the prompt and show what was done to an input image, WAV, MP3, MP4.
//!
//! The state of work is a function of the time since its creation: nothing runs in the background, so ten thousand
//! running predictions cost ten thousand rows.

mod behaviour;
mod body;
mod call;
mod clock;
mod connection;
mod media;
mod media_providers;
mod models;
mod outgoing;
mod prediction;
mod problem;
mod provider;
mod providers;
mod records;
mod replicate;
mod routes;
mod sample;
mod signing;
mod state;
mod switches;
mod task;
mod validation;
mod webhooks;
mod world;

pub use behaviour::{Behaviour, Delivery, End, Failure, PreferWait};
pub use media_providers::MediaProviders;
pub use provider::Provider;
pub use records::{CreateRecord, MediaCall, MediaStats, Stats};
pub use replicate::{Replicate, ReplicateOptions};
pub use switches::{Outcome, Refusal, Switches};
