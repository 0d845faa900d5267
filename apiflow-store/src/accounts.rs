//! Users and their tokens.

use apiflow_core::ports::Timestamp;
use async_trait::async_trait;

use crate::RecordError;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Identifier, a UUIDv7.
    pub id: String,
    /// Unique name, compared without regard to case.
    pub username: String,
    /// Address, if given.
    pub email: Option<String>,
    /// Whether the user may do what only admins may.
    pub is_admin: bool,
    /// Argon2 hash of the password in PHC form.
    pub password_hash: String,
    /// When the user was made.
    pub created_at: Timestamp,
}

/// A change of a user; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// New unique name.
    pub username: Option<String>,
    /// New address; `Some(None)` removes it.
    pub email: Option<Option<String>>,
    /// New role.
    pub is_admin: Option<bool>,
    /// New password hash.
    pub password_hash: Option<String>,
}

/// A token as it is kept: only its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Identifier, a UUIDv7.
    pub id: String,
    /// Whose it is.
    pub user_id: String,
    /// What it is for, for people; empty for the token of a login.
    pub name: String,
    /// Whether it came from a login (ends with a logout or a reset) rather than being named.
    pub is_session: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is no longer valid; `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// A token to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// All but the secret.
    pub row: TokenRow,
    /// SHA-256 of the token, in hex.
    pub hash: String,
}

/// Keeps users. Every method is one transaction.
#[async_trait]
pub trait UserAccounts: Send + Sync {
    /// Adds a user; [`RecordError::Exists`] names a username in use.
    async fn add_user(&self, user: UserRow) -> Result<(), RecordError>;

    /// Reads a user by id.
    async fn read_user(&self, id: &str) -> Result<Option<UserRow>, RecordError>;

    /// Finds a user by name, without regard to case.
    async fn find_user_by_name(&self, username: &str) -> Result<Option<UserRow>, RecordError>;

    /// Lists up to `limit` users, newest first, after the user `after` if given.
    async fn list_users(&self, after: Option<&str>, limit: u32) -> Result<Vec<UserRow>, RecordError>;

    /// Changes a user; the last admin keeps the role ([`RecordError::LastAdmin`]).
    async fn change_user(&self, id: &str, change: UserChange) -> Result<UserRow, RecordError>;

    /// Deletes a user and the user's tokens and own secrets; the last admin stays ([`RecordError::LastAdmin`]).
    async fn delete_user(&self, id: &str) -> Result<(), RecordError>;
}

/// Keeps the tokens of users. Every method is one transaction.
#[async_trait]
pub trait UserTokens: Send + Sync {
    /// Adds a token.
    async fn add_token(&self, token: NewToken) -> Result<(), RecordError>;

    /// Finds the token of a hash and its user, unless the token has expired by `now`.
    async fn find_token(&self, hash: &str, now: Timestamp) -> Result<Option<(UserRow, TokenRow)>, RecordError>;

    /// Lists the named tokens of a user, newest first.
    async fn list_tokens(&self, user_id: &str) -> Result<Vec<TokenRow>, RecordError>;

    /// Deletes one token of a user; returns whether there was one.
    async fn delete_token(&self, user_id: &str, token_id: &str) -> Result<bool, RecordError>;

    /// Deletes all tokens of a user, or only those of logins.
    async fn delete_tokens(&self, user_id: &str, only_sessions: bool) -> Result<(), RecordError>;
}

/// Keeps users and their tokens: the sum of the two, implemented by whatever implements both.
pub trait Accounts: UserAccounts + UserTokens {}

impl<A: UserAccounts + UserTokens + ?Sized> Accounts for A {}
