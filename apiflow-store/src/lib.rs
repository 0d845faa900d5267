//! apiflow's durable store on SQLite and Postgres.
//!
//! [`apiflow_core::ports::Store`] stores jobs; [`Documents`], [`Accounts`] and [`SecretStore`] store users'
//! declarations, their accounts, and their provider keys. [`open()`] selects the database by its URL.

mod accounts;
mod artifact_rows;
mod commit_rows;
#[cfg(feature = "conformance")]
pub mod conformance;
mod document_rows;
mod documents;
mod fault;
mod housekeeping;
mod job_rows;
mod open;
mod pause_check;
mod postgres;
mod proxied_calls;
mod secrets;
mod slots;
mod spending;
mod sql;
mod sqlite;
mod submit_slots;
mod webhook_deliveries;
mod workflow_versions;
mod write_queue;

pub use accounts::{Accounts, NewToken, TokenRow, UserAccounts, UserChange, UserRow, UserTokens};
pub use documents::{Document, DocumentCheck, DocumentKind, Documents, Precondition, RecordError};
pub use housekeeping::{Housekeeping, WorkflowRetention};
pub use open::{OpenError, StatementCounter, Stores, open};
pub use postgres::PostgresStore;
pub use secrets::{Declaration, SecretGrant, SecretRow, SecretStore, SecretTies};
pub use sqlite::SqliteStore;
pub use workflow_versions::{MAX_WORKFLOW_VERSIONS, WorkflowVersion};
