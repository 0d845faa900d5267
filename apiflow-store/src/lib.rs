//! apiflow's durable store on SQLite and Postgres.
//!
//! [`apiflow_core::ports::Store`] keeps jobs; [`Documents`] and [`Accounts`] keep what people declare and who they are.

mod accounts;
mod documents;

pub use accounts::{Accounts, NewToken, SecretRow, TokenRow, UserChange, UserRow};
pub use documents::{Document, DocumentKind, Documents, Precondition, RecordError};
