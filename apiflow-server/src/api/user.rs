//! Users, their tokens, and provider keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{TokenScope, present_or_null};

/// Role of a user: an admin also manages users and secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May do everything.
    Admin,
    /// May do everything but manage other users and shared secrets.
    User,
}

/// A user of the server.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct User {
    /// Unique identifier of the user.
    pub id: String,
    /// Unique name, compared case-insensitively.
    pub username: String,
    /// Email address, if any.
    #[schema(required)]
    pub email: Option<String>,
    /// Role of the user.
    pub role: Role,
    /// When the user was created.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// A user to create.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Unique name: 1 to 64 characters.
    pub username: String,
    /// Password: 8 to 256 characters.
    pub password: String,
    /// Email address (default: none).
    #[serde(default)]
    pub email: Option<String>,
    /// Role of the user (default: user).
    #[serde(default)]
    pub role: Option<Role>,
}

/// Fields of a user to change.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// New unique name: 1 to 64 characters.
    #[serde(default)]
    pub username: Option<String>,
    /// New email address; null removes it.
    #[serde(default, deserialize_with = "present_or_null")]
    #[schema(value_type = Option<String>)]
    pub email: Option<Option<String>>,
    /// New role; only admins may set it.
    #[serde(default)]
    pub role: Option<Role>,
    /// New password; ends all of the user's sessions, including the current one.
    #[serde(default)]
    pub password: Option<String>,
    /// The present password; required to change your own.
    #[serde(default)]
    pub current_password: Option<String>,
    /// Ignored, so that a user that was read can be sent back.
    #[serde(default, rename = "id")]
    #[schema(ignore)]
    pub ignored_id: Option<serde::de::IgnoredAny>,
    /// Ignored, so that a user that was read can be sent back.
    #[serde(default, rename = "created_at")]
    #[schema(ignore)]
    pub ignored_created_at: Option<serde::de::IgnoredAny>,
}

/// Credentials of a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    pub password: String,
}

/// A token and its user.
#[derive(Serialize, ToSchema)]
pub struct LoginReply {
    /// Send it as `Authorization: Bearer <token>`; it is shown only once.
    pub token: String,
    /// The user who logged in.
    pub user: User,
}

/// A new token; it is shown only once.
#[derive(Serialize, ToSchema)]
pub struct TokenReply {
    /// Send it as `Authorization: Bearer <token>`.
    pub token: String,
    /// The token's properties, without the token itself.
    #[serde(flatten)]
    pub info: TokenInfo,
}

/// A named token to create.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTokenRequest {
    /// Name of the token, such as its purpose.
    pub name: String,
    /// When the token expires; null: never.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    /// What the token may do; null: everything that you may.
    #[serde(default)]
    pub scopes: Option<Vec<TokenScope>>,
}

/// A named token without its secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TokenInfo {
    /// Unique identifier of the token.
    pub id: String,
    /// Name of the token, such as its purpose.
    pub name: String,
    /// When the token was created.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When the token expires; null: never.
    #[schema(required, format = DateTime)]
    pub expires_at: Option<String>,
    /// What the token may do; null: everything that its user may.
    #[schema(required)]
    pub scopes: Option<Vec<TokenScope>>,
}

/// A provider key to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// The value; it can be replaced, but never read.
    pub value: String,
    /// Origins that it may be sent to, such as `https://api.example.com` (or `api.example.com`). If absent: the origins
    /// of the `base_url` of the connectors and nodes that its owner (for a shared secret: an admin) saved with it.
    #[serde(default, alias = "hosts")]
    pub origins: Option<Vec<String>>,
}

/// Source of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretSource {
    /// Set through the API and stored encrypted.
    Stored,
    /// An environment variable that the operator listed.
    Environment,
}

/// A secret without its value.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SecretInfo {
    /// Name of the secret, which `$NAME` refers to.
    pub name: String,
    /// Origins that it may be sent to at present; if empty, it is sent nowhere until it is given one, or a connector
    /// that refers to it is saved.
    pub origins: Vec<String>,
    /// Source of the secret.
    pub source: SecretSource,
    /// Id of the user who owns it, or who wrote the declaration that it was generated for; null for a shared one.
    #[schema(required)]
    pub owner: Option<String>,
    /// `connector/ID` or `node/ID` if it was generated for a credential in that declaration; it is deleted with the
    /// declaration.
    #[schema(required)]
    pub declaration: Option<String>,
    /// When it was last set; null for an environment variable.
    #[schema(required, format = DateTime)]
    pub updated_at: Option<String>,
}
