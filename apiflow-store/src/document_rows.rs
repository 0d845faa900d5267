//! Conversions of the rows of documents and accounts.

use std::fmt::Display;

use apiflow_core::ports::Timestamp;
use serde_json::Value;

use crate::fault::record_error;
use crate::job_rows::{from_int, parse_json, to_json_text};
use crate::{
    Declaration, Document, DocumentCheck, DocumentKind, Precondition, RecordError, SecretGrant, SecretRow, TokenRow,
    UserChange, UserRow,
};

/// `id`, `body`, `author`, `by_admin`, `saved_by`, `created_at`, `updated_at` and `version` of a document.
pub(crate) type DocumentColumns = (String, String, Option<String>, bool, Option<String>, i64, i64, i64);

/// `id`, `username`, `email`, `is_admin`, `password_hash` and `created_at` of a user.
pub(crate) type UserColumns = (String, String, Option<String>, bool, String, i64);

/// `id`, `user_id`, `name`, `is_session`, `created_at`, `expires_at` and `scopes` of a token.
pub(crate) type TokenColumns = (String, String, String, bool, i64, Option<i64>, Option<String>);

/// The columns of a user, then of a token.
pub(crate) type TokenUserColumns =
    (String, String, Option<String>, bool, String, i64, String, String, String, bool, i64, Option<i64>, Option<String>);

/// `owner`, `name`, `origins`, `sealed` and `updated_at` of a secret; `kind`, `declaration` and `author` of what it was
/// generated for.
pub(crate) type SecretColumns =
    (Option<String>, String, String, Vec<u8>, i64, Option<String>, Option<String>, Option<String>);

/// Converts an invalid row to an error of these traits.
pub(crate) fn backend_error(error: impl Display) -> RecordError {
    RecordError::Backend(error.to_string())
}

pub(crate) fn parse_kind(word: &str) -> Result<DocumentKind, RecordError> {
    [DocumentKind::Connector, DocumentKind::Node, DocumentKind::Workflow]
        .into_iter()
        .find(|kind| kind.as_str() == word)
        .ok_or_else(|| backend_error(format!("unknown document kind `{word}`")))
}

pub(crate) fn parse_references(rows: Vec<(String, String)>) -> Result<Vec<(DocumentKind, String)>, RecordError> {
    rows.into_iter().map(|(word, id)| Ok((parse_kind(&word)?, id))).collect()
}

/// The largest document that is parsed or serialized on the calling thread, in bytes of JSON.
const MAX_INLINE_BYTES: usize = 64 * 1024;

/// Parses a document's body; a large one on another thread.
pub(crate) async fn parse_body(text: String) -> Result<Value, RecordError> {
    if text.len() <= MAX_INLINE_BYTES {
        return parse_json(&text).map_err(backend_error);
    }
    tokio::task::spawn_blocking(move || parse_json(&text)).await.map_err(backend_error)?.map_err(backend_error)
}

/// Serializes a document's body on another thread: its size is only known afterwards.
pub(crate) async fn body_text(document: Document) -> Result<(Document, String), RecordError> {
    let write = move || {
        let body = to_json_text(&document.body);
        (document, body)
    };
    tokio::task::spawn_blocking(write).await.map_err(backend_error)
}

/// `id`, `generation`, `checked_generation`, `secrets` and `findings` of a check.
pub(crate) type CheckColumns = (String, i64, i64, String, String);

pub(crate) fn check_of(columns: CheckColumns) -> Result<DocumentCheck, RecordError> {
    let (id, generation, checked_generation, secrets, findings) = columns;
    let (generation, is_current) = (from_int(generation), generation == checked_generation);
    Ok(DocumentCheck { id, generation, is_current, secrets, findings: parse_json(&findings).map_err(backend_error)? })
}

pub(crate) async fn document_row(
    kind: DocumentKind,
    (id, text, author, by_admin, saved_by, created_at, updated_at, version): DocumentColumns,
    references: Vec<(DocumentKind, String)>,
) -> Result<Document, RecordError> {
    Ok(Document {
        kind,
        id,
        body: parse_body(text).await?,
        references,
        author,
        by_admin,
        saved_by,
        created_at: Timestamp(created_at),
        updated_at: Timestamp(updated_at),
        version: from_int(version),
    })
}

/// Whether a document with this version, or none, meets a precondition.
pub(crate) fn check_precondition(
    must: Precondition,
    found: Option<u64>,
    kind: DocumentKind,
    id: &str,
) -> Result<(), RecordError> {
    let (kind, id) = (kind.as_str(), id.to_owned());
    match (must, found) {
        (Precondition::None, _) | (Precondition::Absent, None) | (Precondition::Present, Some(_)) => Ok(()),
        (Precondition::Absent, Some(_)) => Err(RecordError::Exists { kind, id }),
        (Precondition::Present | Precondition::Version(_), None) => Err(RecordError::NotFound { kind, id }),
        (Precondition::Version(asked), Some(version)) if asked == version => Ok(()),
        (Precondition::Version(_), Some(version)) => Err(RecordError::Changed { kind, id, version }),
    }
}

pub(crate) fn user_row((id, username, email, is_admin, password_hash, created_at): UserColumns) -> UserRow {
    UserRow { id, username, email, is_admin, password_hash, created_at: Timestamp(created_at) }
}

pub(crate) fn token_row((id, user_id, name, is_session, created_at, expires_at, scopes): TokenColumns) -> TokenRow {
    let (created_at, expires_at) = (Timestamp(created_at), expires_at.map(Timestamp));
    TokenRow { id, user_id, name, is_session, created_at, expires_at, scopes }
}

pub(crate) fn token_user(columns: TokenUserColumns) -> (UserRow, TokenRow) {
    let (
        id,
        username,
        email,
        is_admin,
        password,
        user_created,
        token_id,
        user_id,
        name,
        session,
        created,
        expires,
        scopes,
    ) = columns;
    (
        user_row((id, username, email, is_admin, password, user_created)),
        token_row((token_id, user_id, name, session, created, expires, scopes)),
    )
}

pub(crate) fn secret_row(columns: SecretColumns) -> Result<SecretRow, RecordError> {
    let (owner, name, origins, sealed, updated_at, word, id, author) = columns;
    let generated_for = match (word, id) {
        (Some(word), Some(id)) => Some(Declaration { kind: parse_kind(&word)?, id, author }),
        (Some(_) | None, _) => None,
    };
    let origins = parse_json(&origins).map_err(backend_error)?;
    Ok(SecretRow { owner, name, origins, sealed, updated_at: Timestamp(updated_at), generated_for })
}

pub(crate) fn grant_row((owner, name, origin): (Option<String>, String, String)) -> SecretGrant {
    SecretGrant { owner, name, origin }
}

/// Returns the key by which usernames are unique.
pub(crate) fn username_key(username: &str) -> String {
    username.to_lowercase()
}

pub(crate) fn no_user(id: &str) -> RecordError {
    RecordError::NotFound { kind: "user", id: id.to_owned() }
}

/// Applies a change to a user.
pub(crate) fn apply_user_change(user: UserRow, change: UserChange) -> UserRow {
    UserRow {
        username: change.username.unwrap_or(user.username),
        email: change.email.unwrap_or(user.email),
        is_admin: change.is_admin.unwrap_or(user.is_admin),
        password_hash: change.password_hash.unwrap_or(user.password_hash),
        ..user
    }
}

/// Converts a unique violation to an error that names the user.
pub(crate) fn name_in_use(error: sqlx::Error, username: &str) -> RecordError {
    match error.as_database_error() {
        Some(found) if found.is_unique_violation() => RecordError::Exists { kind: "user", id: username.to_owned() },
        Some(_) | None => record_error(error),
    }
}

/// Converts a foreign key violation to an error that names the user.
pub(crate) fn owner_missing(error: sqlx::Error, user_id: &str) -> RecordError {
    match error.as_database_error() {
        Some(found) if found.is_foreign_key_violation() => no_user(user_id),
        Some(_) | None => record_error(error),
    }
}
