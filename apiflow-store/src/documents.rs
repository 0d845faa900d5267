//! Connectors, nodes and workflows as people save them.

use apiflow_core::ports::{StoreFault, Timestamp};
use async_trait::async_trait;
use serde_json::Value;

use crate::SecretTies;

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    /// A provider and how to authenticate with it.
    Connector,
    /// One typed call.
    Node,
    /// An OpenFlow document with its name.
    Workflow,
}

impl DocumentKind {
    /// The word in the database and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Node => "node",
            Self::Workflow => "workflow",
        }
    }
}

/// A saved document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// Identifier, unique within its kind.
    pub id: String,
    /// The JSON object as it is given out, without `id`, `created_at` and `updated_at`; key order is kept.
    pub body: Value,
    /// Documents that it refers to; they need not exist.
    pub references: Vec<(DocumentKind, String)>,
    /// The user who declared it, where known: whose own secrets its references mean.
    pub author: Option<String>,
    /// Whether an admin vouched for it by saving it: only then may it refer to shared secrets.
    pub by_admin: bool,
    /// When it was first saved.
    pub created_at: Timestamp,
    /// When it was last saved.
    pub updated_at: Timestamp,
    /// Raised by one with each save, from 1; the ETag.
    pub version: u64,
}

/// What was found wrong with a document when it was checked last.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentCheck {
    /// The document.
    pub id: String,
    /// Raised when the document, or one that it leads to, changes.
    pub generation: u64,
    /// Whether the findings are of this generation.
    pub is_current: bool,
    /// Stands for the secrets that there were, as the caller likes.
    pub secrets: String,
    /// The findings, as the caller likes.
    pub findings: Value,
}

/// What must hold for a save or removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    None,
    /// The document must not exist.
    Absent,
    /// The document must exist, in any version.
    Present,
    /// The document must have this version (`If-Match`).
    Version(u64),
}

/// Why documents or accounts could not be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The thing to be made is there already.
    #[error("{kind} `{id}` exists already")]
    Exists {
        /// What kind of thing.
        kind: &'static str,
        /// Its id or unique name.
        id: String,
    },
    /// There is no such thing.
    #[error("there is no {kind} `{id}`")]
    NotFound {
        /// What kind of thing.
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// The thing was changed since: it has another version.
    #[error("{kind} `{id}` was changed since")]
    Changed {
        /// What kind of thing.
        kind: &'static str,
        /// Its id.
        id: String,
        /// The version that it has.
        version: u64,
    },
    /// Others refer to it.
    #[error("{kind} `{id}` is in use")]
    InUse {
        /// What kind of thing.
        kind: &'static str,
        /// Its id.
        id: String,
        /// Who refers to it.
        by: Vec<(DocumentKind, String)>,
    },
    /// It would leave no admin.
    #[error("`{id}` is the last admin")]
    LastAdmin {
        /// The user.
        id: String,
    },
    /// The database cannot do it at the moment. Unless the connection was lost meanwhile, nothing was changed.
    #[error("{fault} ({cause})")]
    Unavailable {
        /// What keeps it from its work.
        fault: StoreFault,
        /// The database's own words, for the log.
        cause: String,
    },
    /// The database failed; the text is for the log.
    #[error("the store failed: {0}")]
    Backend(String),
}

/// Keeps connectors, nodes and workflows. Every method is one transaction.
#[async_trait]
pub trait Documents: Send + Sync {
    /// Saves a document that refers to no secrets: makes it or replaces it whole; gives it with its times and version.
    /// `created_at` and `version` of the argument are ignored; `updated_at` is the moment of the save.
    async fn save_document(&self, document: Document, must: Precondition) -> Result<Document, RecordError> {
        self.save_with_secrets(document, must, SecretTies::default()).await
    }

    /// Saves a document as [`Documents::save_document`] does, and in the same transaction what that changes about secrets.
    async fn save_with_secrets(
        &self,
        document: Document,
        must: Precondition,
        ties: SecretTies,
    ) -> Result<Document, RecordError>;

    /// Reads one document.
    async fn read_document(&self, kind: DocumentKind, id: &str) -> Result<Option<Document>, RecordError>;

    /// Up to `limit` documents, newest first (by `created_at`, then id), after the document `after` where given.
    async fn list_documents(
        &self,
        kind: DocumentKind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, RecordError>;

    /// What was found wrong with these documents, in no particular order; documents of a kind whose checks are not kept,
    /// or that are not there, are left out. The findings are out of date once the document, or one that it leads to, was
    /// saved after they were asked for with this method.
    async fn list_checks(&self, kind: DocumentKind, ids: &[String]) -> Result<Vec<DocumentCheck>, RecordError>;

    /// Keeps what was found wrong with a workflow, unless it is out of date by now: its generation has changed.
    async fn record_check(&self, kind: DocumentKind, check: &DocumentCheck) -> Result<(), RecordError>;

    /// Removes a document that nobody refers to, with the secrets that were generated for it and what it granted.
    async fn remove(&self, kind: DocumentKind, id: &str, must: Precondition) -> Result<(), RecordError>;
}
