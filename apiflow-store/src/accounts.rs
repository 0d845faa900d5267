//! Users and their tokens.

use apiflow_core::ports::Timestamp;
use async_trait::async_trait;

use crate::RecordError;

/// A user of the server, with the password's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Identifier, a UUIDv7.
    pub id: String,
    /// Unique name, compared without regard to case.
    pub username: String,
    /// Email address, if any.
    pub email: Option<String>,
    /// Whether the user is an admin.
    pub is_admin: bool,
    /// Argon2 hash of the password in PHC form.
    pub password_hash: String,
    /// When the user was created.
    pub created_at: Timestamp,
}

/// A change of a user; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// New unique name.
    pub username: Option<String>,
    /// New email address; `Some(None)` removes it.
    pub email: Option<Option<String>>,
    /// New role: whether the user is an admin.
    pub is_admin: Option<bool>,
    /// New password hash.
    pub password_hash: Option<String>,
}

/// A stored token: its properties, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Identifier, a UUIDv7.
    pub id: String,
    /// Id of the user who owns it.
    pub user_id: String,
    /// Display name, such as its purpose; empty for the token of a login.
    pub name: String,
    /// Whether it was created by a login (and ends with a logout or a reset) rather than being named.
    pub is_session: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// What it is limited to, as JSON whose form the host defines; `None`: it may do everything that its user may.
    pub scopes: Option<String>,
}

/// A token to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The properties of the token, without the token itself.
    pub row: TokenRow,
    /// SHA-256 of the token, in hex.
    pub hash: String,
}

/// Stores users. Every method is one transaction.
#[async_trait]
pub trait UserAccounts: Send + Sync {
    /// Adds a user; [`RecordError::Exists`] if the username is in use.
    async fn add_user(&self, user: UserRow) -> Result<(), RecordError>;

    /// Reads a user by id.
    async fn read_user(&self, id: &str) -> Result<Option<UserRow>, RecordError>;

    /// Finds a user by name, case-insensitively.
    async fn find_user_by_name(&self, username: &str) -> Result<Option<UserRow>, RecordError>;

    /// Lists up to `limit` users, newest first, after the user `after` if given.
    async fn list_users(&self, after: Option<&str>, limit: u32) -> Result<Vec<UserRow>, RecordError>;

    /// Changes a user; [`RecordError::LastAdmin`] if no admin would remain.
    async fn change_user(&self, id: &str, change: UserChange) -> Result<UserRow, RecordError>;

    /// Returns the generation of the secret that signs a user's webhooks, and when it replaced the one before; `None` for
    /// the first, which is number 1.
    async fn read_webhook_generation(&self, id: &str) -> Result<Option<(u64, Timestamp)>, RecordError>;

    /// Begins the next generation of that secret.
    async fn rotate_webhook_secret(&self, id: &str, now: Timestamp) -> Result<(u64, Timestamp), RecordError>;

    /// Deletes a user with the user's tokens and own secrets; [`RecordError::LastAdmin`] if no admin would remain.
    async fn delete_user(&self, id: &str) -> Result<(), RecordError>;
}

/// Stores the tokens of users. Every method is one transaction.
#[async_trait]
pub trait UserTokens: Send + Sync {
    /// Adds a token.
    async fn add_token(&self, token: NewToken) -> Result<(), RecordError>;

    /// Finds a token and its user by hash, unless the token has expired at `now`.
    async fn find_token(&self, hash: &str, now: Timestamp) -> Result<Option<(UserRow, TokenRow)>, RecordError>;

    /// Lists the named tokens of a user, newest first.
    async fn list_tokens(&self, user_id: &str) -> Result<Vec<TokenRow>, RecordError>;

    /// Deletes one token of a user; returns whether there was one.
    async fn delete_token(&self, user_id: &str, token_id: &str) -> Result<bool, RecordError>;

    /// Deletes all tokens of a user, or only those of logins.
    async fn delete_tokens(&self, user_id: &str, only_sessions: bool) -> Result<(), RecordError>;

    /// Records that a job was started with a token; does nothing if either does not exist, or it is recorded already.
    async fn link_token_job(&self, token_id: &str, job: &str) -> Result<(), RecordError>;

    /// Whether a job was started with a token.
    async fn is_token_job(&self, token_id: &str, job: &str) -> Result<bool, RecordError>;

    /// Whether a job that was started with a token made or uses an artifact.
    async fn is_token_artifact(&self, token_id: &str, artifact: &str) -> Result<bool, RecordError>;
}

/// Stores users and their tokens: implemented for every type that implements both traits.
pub trait Accounts: UserAccounts + UserTokens {}

impl<A: UserAccounts + UserTokens + ?Sized> Accounts for A {}
