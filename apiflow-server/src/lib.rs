//! apiflow's REST server: routes, accounts, provider keys and the embedded frontend.
//!
//! [`router`] builds an axum router from an [`AppState`]; the binary `apiflow` serves it, and runs the workers.
//!
//! Architecture invariants: every error leaves as a [`http::problem::Problem`]; a value of a secret is never part of a
//! reply or of the log, except the secret that signs a user's own webhooks, which that user reads; nothing here decides how a job continues: that is up to [`apiflow_core`].

pub mod api;
mod artifacts;
pub mod command;
mod documents;
mod health;
mod hex;
pub mod http;
mod jobs;
mod library;
mod proxy;
pub mod record_cache;
mod routes;
pub mod secrets;
pub mod settings;
pub mod state;
pub mod users;
mod webhooks;

pub use routes::{openapi_document, router};
pub use state::{AppState, Parts};
