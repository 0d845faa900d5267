//! People, their tokens, and provider keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::present_or_null;

/// What a user may do: an admin also manages users and secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// All but other users and secrets.
    User,
}

/// A user.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct User {
    /// Identifier.
    pub id: String,
    /// Unique name, compared without regard to case.
    pub username: String,
    /// Address, if given.
    #[schema(required)]
    pub email: Option<String>,
    /// Role.
    pub role: Role,
    /// When the user was made.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// A user to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Unique name: 1 to 64 characters.
    pub username: String,
    /// Password: 8 to 256 characters.
    pub password: String,
    /// Address.
    #[serde(default)]
    pub email: Option<String>,
    /// Role (default user).
    #[serde(default)]
    pub role: Option<Role>,
}

/// Fields of a user to change.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// New name.
    #[serde(default)]
    pub username: Option<String>,
    /// New address; null removes it.
    #[serde(default, deserialize_with = "present_or_null")]
    #[schema(value_type = Option<String>)]
    pub email: Option<Option<String>>,
    /// New role; only admins may give one.
    #[serde(default)]
    pub role: Option<Role>,
    /// New password; ends the user's sessions, also the one of this request.
    #[serde(default)]
    pub password: Option<String>,
    /// The password so far: needed to change one's own.
    #[serde(default)]
    pub current_password: Option<String>,
    /// Ignored.
    #[serde(default, rename = "id")]
    #[schema(ignore)]
    pub ignored_id: Option<serde::de::IgnoredAny>,
    /// Ignored.
    #[serde(default, rename = "created_at")]
    #[schema(ignore)]
    pub ignored_created_at: Option<serde::de::IgnoredAny>,
}

/// Who logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Name.
    pub username: String,
    /// Password.
    pub password: String,
}

/// A token and whose it is.
#[derive(Serialize, ToSchema)]
pub struct LoginReply {
    /// Send it as `Authorization: Bearer <token>`; it is not shown again.
    pub token: String,
    /// Who logged in.
    pub user: User,
}

/// A token; it is not shown again.
#[derive(Serialize, ToSchema)]
pub struct TokenReply {
    /// Send it as `Authorization: Bearer <token>`.
    pub token: String,
    /// What is known of it later.
    #[serde(flatten)]
    pub info: TokenInfo,
}

/// A named token to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTokenRequest {
    /// What it is for.
    pub name: String,
    /// From when on it is no longer valid; null: never.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
}

/// A named token without its secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TokenInfo {
    /// Identifier.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// From when on it is no longer valid; null: never.
    #[schema(required, format = DateTime)]
    pub expires_at: Option<String>,
}

/// A provider key to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// The value; it can be replaced, never read.
    pub value: String,
    /// Origins that it may be sent to, such as `https://api.example.com` (in short `api.example.com`). Absent: the
    /// base_url origins of the connectors and nodes that its owner, for a shared one an admin, saved with it.
    #[serde(default, alias = "hosts")]
    pub origins: Option<Vec<String>>,
}

/// Where a secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretSource {
    /// Set through the API, kept encrypted.
    Stored,
    /// An environment variable that the operator listed.
    Environment,
}

/// A secret without its value.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SecretInfo {
    /// Name, as `$NAME` refers to it.
    pub name: String,
    /// Origins that it may be sent to now; none: it is sent nowhere until it is given one, or a connector is saved
    /// with it.
    pub origins: Vec<String>,
    /// Where it comes from.
    pub source: SecretSource,
    /// The user whose own it is, or who wrote the declaration that it was taken from; null for a shared one.
    #[schema(required)]
    pub owner: Option<String>,
    /// `connector/ID` or `node/ID` for a credential that was taken out of that declaration, and goes with it.
    #[schema(required)]
    pub declaration: Option<String>,
    /// When it was last set; null for the environment's.
    #[schema(required, format = DateTime)]
    pub updated_at: Option<String>,
}
