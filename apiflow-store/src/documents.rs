//! Connectors, nodes and workflows as users save them.

use apiflow_core::ports::{StoreFault, Timestamp};
use async_trait::async_trait;
use serde_json::Value;

use crate::{SecretTies, WorkflowVersion};

/// The kind of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    /// A provider and how to authenticate with it.
    Connector,
    /// A typed call to a provider.
    Node,
    /// An OpenFlow document with its name.
    Workflow,
}

impl DocumentKind {
    /// Returns the word for the kind in the database and in messages.
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
    /// Kind of the document.
    pub kind: DocumentKind,
    /// Identifier, unique within its kind.
    pub id: String,
    /// The JSON object as it is returned, without `id`, `created_at` and `updated_at`; key order is preserved.
    pub body: Value,
    /// Documents that it refers to; they need not exist.
    pub references: Vec<(DocumentKind, String)>,
    /// The user who declared it, if known; references to own secrets mean this user's.
    pub author: Option<String>,
    /// Whether an admin vouched for it by saving it: only then may it refer to shared secrets.
    pub by_admin: bool,
    /// The user who saved this version, if known.
    pub saved_by: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last saved.
    pub updated_at: Timestamp,
    /// Version of the document, from 1; incremented by each save, and used as the ETag.
    pub version: u64,
}

/// The findings of the last check of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentCheck {
    /// Id of the document.
    pub id: String,
    /// Incremented when the document, or one that it refers to directly or indirectly, changes.
    pub generation: u64,
    /// Whether the findings belong to this generation.
    pub is_current: bool,
    /// Fingerprint of the secrets that existed, in a format of the caller's choice.
    pub secrets: String,
    /// The findings, in a format of the caller's choice.
    pub findings: Value,
}

/// The precondition of a save or removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// There is no precondition.
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
    /// The object to be created exists already.
    #[error("{kind} `{id}` already exists")]
    Exists {
        /// Kind of the object, such as `node` or `user`.
        kind: &'static str,
        /// Its id or unique name.
        id: String,
    },
    /// The object does not exist.
    #[error("there is no {kind} `{id}`")]
    NotFound {
        /// Kind of the object, such as `node` or `user`.
        kind: &'static str,
        /// Id of the object.
        id: String,
    },
    /// The object has been changed: it has another version.
    #[error("{kind} `{id}` has been changed")]
    Changed {
        /// Kind of the object, such as `node`.
        kind: &'static str,
        /// Id of the object.
        id: String,
        /// Current version of the object.
        version: u64,
    },
    /// Others refer to the object.
    #[error("{kind} `{id}` is in use")]
    InUse {
        /// Kind of the object, such as `node`.
        kind: &'static str,
        /// Id of the object.
        id: String,
        /// The documents that refer to it.
        by: Vec<(DocumentKind, String)>,
    },
    /// No admin would remain.
    #[error("`{id}` is the last admin")]
    LastAdmin {
        /// Name or id of the user.
        id: String,
    },
    /// The database is unavailable. Unless the connection was lost meanwhile, nothing was changed.
    #[error("{fault} ({cause})")]
    Unavailable {
        /// The cause of the unavailability.
        fault: StoreFault,
        /// The error message of the database, for the log.
        cause: String,
    },
    /// The database failed; the message is for the log.
    #[error("the store failed: {0}")]
    Backend(String),
}

/// Stores connectors, nodes and workflows. Every method is one transaction.
#[async_trait]
pub trait Documents: Send + Sync {
    /// Creates or replaces a document that refers to no secrets; returns it with its times and version. `created_at`
    /// and `version` of the argument are ignored; `updated_at` is the time of the save.
    async fn save_document(&self, document: Document, must: Precondition) -> Result<Document, RecordError> {
        self.save_with_secrets(document, must, SecretTies::default()).await
    }

    /// Saves a document as [`Documents::save_document`] does, and applies its changes to secrets in the same
    /// transaction.
    async fn save_with_secrets(
        &self,
        document: Document,
        must: Precondition,
        ties: SecretTies,
    ) -> Result<Document, RecordError>;

    /// Reads one document.
    async fn read_document(&self, kind: DocumentKind, id: &str) -> Result<Option<Document>, RecordError>;

    /// Lists up to `limit` documents, newest first (by `created_at`, then id), after the document `after` if given.
    async fn list_documents(
        &self,
        kind: DocumentKind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, RecordError>;

    /// Reads the findings about these documents, in no particular order; documents of a kind that is not checked, or
    /// that do not exist, are left out. The findings are out of date if the document, or one that it refers to, was
    /// saved after they were read with this method.
    async fn list_checks(&self, kind: DocumentKind, ids: &[String]) -> Result<Vec<DocumentCheck>, RecordError>;

    /// Stores the findings about a workflow, unless they are out of date: its generation has changed.
    async fn record_check(&self, kind: DocumentKind, check: &DocumentCheck) -> Result<(), RecordError>;

    /// Lists up to `limit` versions of a workflow, newest first, those with a number below `before` if given.
    ///
    /// Each save of a workflow keeps a version in its transaction, unless the body is the same as that of the newest
    /// version. The newest [`MAX_WORKFLOW_VERSIONS`](crate::MAX_WORKFLOW_VERSIONS) are kept, as long as the workflow
    /// exists.
    async fn list_workflow_versions(
        &self,
        workflow: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<WorkflowVersion>, RecordError>;

    /// Reads the body that a workflow had at the save of this number: that of the newest version up to it.
    async fn read_workflow_version(
        &self,
        workflow: &str,
        number: u64,
    ) -> Result<Option<(WorkflowVersion, Value)>, RecordError>;

    /// Deletes a document that nothing refers to, with its versions, the secrets that were generated for it and the
    /// grants that it made.
    async fn remove(&self, kind: DocumentKind, id: &str, must: Precondition) -> Result<(), RecordError>;
}
