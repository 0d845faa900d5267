//! apiflow's REST server: routes, accounts, provider keys and the built frontend.
//!
//! [`router`] makes an axum router from an [`AppState`]; the binary `apiflow` puts it on a socket beside the workers.
//!
//! Architecture invariants: every error leaves as a [`problem::Problem`]; a value of a secret is never part of a
//! reply or of the log; nothing here decides how a job goes on: that is [`apiflow_core`]'s.

pub mod api;
mod approvals;
pub mod auth;
pub mod command;
mod document_limits;
mod extract;
mod follow;
mod frontend;
mod input;
mod launch;
mod metrics;
mod moment;
mod page;
mod places;
pub mod problem;
mod readiness;
mod references;
mod routes;
mod schema;
pub mod secrets;
mod serving;
pub mod settings;
mod show;
pub mod state;
mod strict_json;
mod validation;

pub use routes::{openapi, router};
pub use state::{AppState, Parts};
