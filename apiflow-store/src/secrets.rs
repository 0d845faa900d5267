//! Provider keys, sealed, and their ties to declarations.

use std::collections::BTreeSet;

use apiflow_core::ports::Timestamp;
use async_trait::async_trait;

use crate::{DocumentKind, RecordError};

/// A stored secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// The user who owns it; `None` for a shared or generated one.
    pub owner: Option<String>,
    /// Name, unique per owner.
    pub name: String,
    /// Origins that it may be sent to; if empty, those that were granted ([`SecretGrant`]).
    pub origins: Vec<String>,
    /// The value, sealed by the server.
    pub sealed: Vec<u8>,
    /// When it was last set.
    pub updated_at: Timestamp,
    /// The declaration that it was generated for, if any; it is deleted with the declaration.
    pub generated_for: Option<Declaration>,
}

/// The declaration that a secret was generated for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Kind of the declaration: connector or node.
    pub kind: DocumentKind,
    /// Id of the declaration.
    pub id: String,
    /// The user who declared it, if known.
    pub author: Option<String>,
}

/// A declaration's permission to send a secret to its origin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretGrant {
    /// The user who owns the secret; `None` for a shared one.
    pub owner: Option<String>,
    /// Name of the secret.
    pub name: String,
    /// Scheme, host and port.
    pub origin: String,
}

/// The changes to secrets that belong to the save of a declaration, in the same transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretTies {
    /// Secrets that are generated for credentials in the declaration.
    pub generated: Vec<SecretRow>,
    /// Names of all secrets that the declaration refers to. Secrets that were generated for it, and grants that it
    /// made, are removed if their name is not among them.
    pub used: BTreeSet<String>,
    /// The grants of the declaration; each replaces its earlier grant of that secret.
    pub grants: Vec<SecretGrant>,
}

/// Stores secrets. Every method is one transaction; [`crate::Documents`] describes how saving and removing documents
/// changes them.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// Creates or replaces a user's own or a shared secret; [`RecordError::NotFound`] if the owner does not exist.
    /// `generated_for` is ignored.
    async fn put_secret(&self, secret: SecretRow) -> Result<(), RecordError>;

    /// Reads a secret.
    async fn secret_row(&self, owner: Option<&str>, name: &str) -> Result<Option<SecretRow>, RecordError>;

    /// All secrets, by name, then owner, shared ones first.
    async fn list_secrets(&self) -> Result<Vec<SecretRow>, RecordError>;

    /// Deletes a secret; returns whether it existed.
    async fn remove_secret(&self, owner: Option<&str>, name: &str) -> Result<bool, RecordError>;

    /// Returns the distinct grants of a secret, or of all secrets.
    async fn secret_grants(&self, of: Option<(Option<&str>, &str)>) -> Result<Vec<SecretGrant>, RecordError>;
}
