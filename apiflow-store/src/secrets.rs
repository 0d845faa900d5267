//! Provider keys, sealed, and what ties them to declarations.

use std::collections::BTreeSet;

use apiflow_core::ports::Timestamp;
use async_trait::async_trait;

use crate::{DocumentKind, RecordError};

/// A secret as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// The user whose own it is; `None` for a shared or generated one.
    pub owner: Option<String>,
    /// Name, unique for its owner.
    pub name: String,
    /// Origins that it may be sent to; none: those that were granted ([`SecretGrant`]).
    pub origins: Vec<String>,
    /// The value, sealed by the server.
    pub sealed: Vec<u8>,
    /// When it was last set.
    pub updated_at: Timestamp,
    /// The declaration that it was taken from, for a generated one; it goes with it.
    pub generated_for: Option<Declaration>,
}

/// The declaration that a generated secret was taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Connector or node.
    pub kind: DocumentKind,
    /// Its id.
    pub id: String,
    /// The user who declared it, where known.
    pub author: Option<String>,
}

/// The word of a declaration that a secret may go to its origin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretGrant {
    /// Whose own secret it is; `None` for a shared one.
    pub owner: Option<String>,
    /// The secret's name.
    pub name: String,
    /// Scheme, host and port.
    pub origin: String,
}

/// What a save of a declaration changes about secrets, in the same transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretTies {
    /// Credentials that were taken out of the declaration: shared rows that are generated for it.
    pub generated: Vec<SecretRow>,
    /// Names of all secrets that the declaration refers to. What was generated for it, or granted by it, under other
    /// names is removed.
    pub used: BTreeSet<String>,
    /// What it grants; each takes the place of its earlier word on that secret.
    pub grants: Vec<SecretGrant>,
}

/// Keeps secrets. Every method is one transaction; how a save or a removal of a document changes them is a matter of
/// [`crate::Documents`].
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// Sets a user's own or a shared secret, new or not; [`RecordError::NotFound`] names an owner who does not exist.
    /// `generated_for` is ignored.
    async fn put_secret(&self, secret: SecretRow) -> Result<(), RecordError>;

    /// Reads a secret.
    async fn secret_row(&self, owner: Option<&str>, name: &str) -> Result<Option<SecretRow>, RecordError>;

    /// All secrets, by name, then owner, shared ones first.
    async fn list_secrets(&self) -> Result<Vec<SecretRow>, RecordError>;

    /// Removes a secret; says whether there was one.
    async fn remove_secret(&self, owner: Option<&str>, name: &str) -> Result<bool, RecordError>;

    /// What declarations grant to a secret, without repetitions, or to all of them.
    async fn secret_grants(&self, of: Option<(Option<&str>, &str)>) -> Result<Vec<SecretGrant>, RecordError>;
}
