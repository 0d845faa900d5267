//! apiflow's durable store on SQLite and Postgres.
//!
//! [`apiflow_core::ports::Store`] keeps jobs; [`Documents`] and [`Accounts`] keep what people declare and who they are.
//! [`open()`] chooses the database by its URL.

mod accounts;
mod batch;
pub mod conformance;
mod documents;
mod fault;
mod gather;
mod open;
mod postgres;
mod records;
mod rows;
mod slots;
mod sql;
mod sqlite;

pub use accounts::{Accounts, NewToken, SecretRow, TokenRow, UserChange, UserRow};
pub use documents::{Document, DocumentKind, Documents, Precondition, RecordError};
pub use open::{OpenError, Stores, open};
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;
