//! Users and tokens on SQLite.

use apiflow_core::ports::Timestamp;
use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStore;
use super::connection::Connection;
use super::errors::{QueryError, is_foreign_key_violation, is_unique_violation};
use crate::document_rows::{self, TokenColumns, TokenUserColumns, UserColumns, username_key};
use crate::job_rows::from_int;
use crate::webhook_deliveries::{ROTATE_SECRET, SECRET_GENERATION};
use crate::{NewToken, RecordError, TokenRow, UserAccounts, UserChange, UserRow, UserTokens, sql};

type Outcome<T> = Result<T, QueryError<RecordError>>;

#[async_trait]
impl UserAccounts for SqliteStore {
    async fn add_user(&self, user: UserRow) -> Result<(), RecordError> {
        self.write(move |connection| {
            let parameters = params![
                user.id,
                user.username,
                username_key(&user.username),
                user.email,
                user.is_admin,
                user.password_hash,
                user.created_at.0
            ];
            let added = connection.execute(sql::ADD_USER, parameters);
            added.map(drop).map_err(|error| name_used_username(error, &user.username))
        })
        .await
    }

    async fn read_user(&self, id: &str) -> Result<Option<UserRow>, RecordError> {
        let id = id.to_owned();
        self.read(move |connection| Ok(find_user(connection, &id)?)).await
    }

    async fn find_user_by_name(&self, username: &str) -> Result<Option<UserRow>, RecordError> {
        let key = username_key(username);
        self.read(move |connection| {
            Ok(connection.fetch_optional(sql::USER_NAMED, params![key])?.map(document_rows::user_row))
        })
        .await
    }

    async fn list_users(&self, after: Option<&str>, limit: u32) -> Result<Vec<UserRow>, RecordError> {
        let after = after.map(str::to_owned);
        self.read(move |connection| {
            connection.read_snapshot(|snapshot| -> Outcome<_> {
                let page: Vec<UserColumns> = match &after {
                    None => snapshot.fetch_all(sql::USERS_FIRST, params![limit])?,
                    Some(id) => {
                        let last = find_user(snapshot, id)?.ok_or_else(|| document_rows::no_user(id))?;
                        snapshot.fetch_all(sql::USERS_AFTER, params![limit, last.created_at.0, id])?
                    }
                };
                Ok(page.into_iter().map(document_rows::user_row).collect())
            })
        })
        .await
    }

    async fn change_user(&self, id: &str, change: UserChange) -> Result<UserRow, RecordError> {
        let id = id.to_owned();
        self.write(move |connection| {
            if change.is_admin == Some(false) {
                require_other_admin(connection, &id)?;
            }
            let found = find_user(connection, &id)?.ok_or_else(|| document_rows::no_user(&id))?;
            let user = document_rows::apply_user_change(found, change.clone());
            let parameters =
                params![id, user.username, username_key(&user.username), user.email, user.is_admin, user.password_hash];
            connection
                .execute(sql::CHANGE_USER, parameters)
                .map_err(|error| name_used_username(error, &user.username))?;
            Ok(user)
        })
        .await
    }

    async fn read_webhook_generation(&self, id: &str) -> Result<Option<(u64, Timestamp)>, RecordError> {
        let id = id.to_owned();
        self.read(move |connection| {
            let found: Option<(i64, i64)> = connection.fetch_optional(SECRET_GENERATION, params![id])?;
            Ok(found.map(|(generation, at)| (from_int(generation), Timestamp(at))))
        })
        .await
    }

    async fn rotate_webhook_secret(&self, id: &str, now: Timestamp) -> Result<(u64, Timestamp), RecordError> {
        let id = id.to_owned();
        self.write(move |connection| {
            let rotated = connection.fetch_one(ROTATE_SECRET, params![id, now.0]);
            let (generation, at): (i64, i64) = rotated.map_err(|error| name_missing_owner(error, &id))?;
            Ok((from_int(generation), Timestamp(at)))
        })
        .await
    }

    async fn delete_user(&self, id: &str) -> Result<(), RecordError> {
        let id = id.to_owned();
        self.write(move |connection| {
            require_other_admin(connection, &id)?;
            if connection.execute(sql::DELETE_USER, params![id])? == 0 {
                return Err(document_rows::no_user(&id).into());
            }
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl UserTokens for SqliteStore {
    async fn add_token(&self, token: NewToken) -> Result<(), RecordError> {
        self.write(move |connection| {
            let NewToken { row, hash } = &token;
            let expires_at = row.expires_at.map(|moment| moment.0);
            let parameters =
                params![row.id, row.user_id, row.name, row.is_session, hash, row.created_at.0, expires_at, row.scopes];
            let added = connection.execute(sql::ADD_TOKEN, parameters);
            added.map(drop).map_err(|error| name_missing_owner(error, &row.user_id))
        })
        .await
    }

    async fn find_token(&self, hash: &str, now: Timestamp) -> Result<Option<(UserRow, TokenRow)>, RecordError> {
        let hash = hash.to_owned();
        self.read(move |connection| {
            let found: Option<TokenUserColumns> = connection.fetch_optional(sql::TOKEN_USER, params![hash, now.0])?;
            Ok(found.map(document_rows::token_user))
        })
        .await
    }

    async fn list_tokens(&self, user_id: &str) -> Result<Vec<TokenRow>, RecordError> {
        let user_id = user_id.to_owned();
        self.read(move |connection| {
            let tokens: Vec<TokenColumns> = connection.fetch_all(sql::TOKENS, params![user_id])?;
            Ok(tokens.into_iter().map(document_rows::token_row).collect())
        })
        .await
    }

    async fn delete_token(&self, user_id: &str, token_id: &str) -> Result<bool, RecordError> {
        let (user_id, token_id) = (user_id.to_owned(), token_id.to_owned());
        self.write(move |connection| Ok(connection.execute(sql::DELETE_TOKEN, params![user_id, token_id])? > 0)).await
    }

    async fn delete_tokens(&self, user_id: &str, only_sessions: bool) -> Result<(), RecordError> {
        let user_id = user_id.to_owned();
        self.write(move |connection| {
            connection.execute(sql::DELETE_TOKENS, params![user_id, only_sessions])?;
            Ok(())
        })
        .await
    }

    async fn link_token_job(&self, token_id: &str, job: &str) -> Result<(), RecordError> {
        let (token_id, job) = (token_id.to_owned(), job.to_owned());
        self.write(move |connection| {
            connection.execute(sql::LINK_TOKEN_JOB, params![token_id, job])?;
            Ok(())
        })
        .await
    }

    async fn is_token_job(&self, token_id: &str, job: &str) -> Result<bool, RecordError> {
        self.is_linked(sql::IS_TOKEN_JOB, token_id, job).await
    }

    async fn is_token_artifact(&self, token_id: &str, artifact: &str) -> Result<bool, RecordError> {
        self.is_linked(sql::IS_TOKEN_ARTIFACT, token_id, artifact).await
    }
}

impl SqliteStore {
    /// Whether a query for a token and something else finds a row.
    async fn is_linked(&self, query: &'static str, token_id: &str, other: &str) -> Result<bool, RecordError> {
        let (token_id, other) = (token_id.to_owned(), other.to_owned());
        self.read(move |connection| {
            let found: Option<(bool,)> = connection.fetch_optional(query, params![token_id, other])?;
            Ok(found.is_some_and(|(is_linked,)| is_linked))
        })
        .await
    }
}

fn find_user(connection: &Connection, id: &str) -> rusqlite::Result<Option<UserRow>> {
    Ok(connection.fetch_optional(sql::USER, params![id])?.map(document_rows::user_row))
}

/// Refuses if the user is the only admin; no other write can happen meanwhile.
fn require_other_admin(connection: &Connection, id: &str) -> Outcome<()> {
    let admins: Vec<(String,)> = connection.fetch_all("SELECT id FROM users WHERE is_admin", &[])?;
    match admins.as_slice() {
        [(only,)] if only == id => Err(RecordError::LastAdmin { id: id.to_owned() }.into()),
        _ => Ok(()),
    }
}

/// Converts a unique violation to an error that names the user.
fn name_used_username(error: rusqlite::Error, username: &str) -> QueryError<RecordError> {
    if is_unique_violation(&error) {
        return RecordError::Exists { kind: "user", id: username.to_owned() }.into();
    }
    error.into()
}

/// Converts a foreign key violation to an error that names the user.
pub(super) fn name_missing_owner(error: rusqlite::Error, user_id: &str) -> QueryError<RecordError> {
    if is_foreign_key_violation(&error) {
        return document_rows::no_user(user_id).into();
    }
    error.into()
}
