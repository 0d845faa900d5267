//! Users and tokens on Postgres.

use apiflow_core::ports::Timestamp;
use async_trait::async_trait;

use super::PostgresStore;
use super::statements::CountedTransaction;
use crate::document_rows::{self, TokenColumns, TokenUserColumns, UserColumns, username_key};
use crate::fault::record_error;
use crate::job_rows::from_int;
use crate::webhook_deliveries::{ROTATE_SECRET, SECRET_GENERATION};
use crate::{NewToken, RecordError, TokenRow, UserAccounts, UserChange, UserRow, UserTokens, sql};

const ADMINS: &str = "SELECT id FROM users WHERE is_admin ORDER BY id FOR UPDATE";
const LOCKED_USER: &str = concat!("SELECT ", sql::user_columns!(), " FROM users WHERE id = $1 FOR UPDATE");

#[async_trait]
impl UserAccounts for PostgresStore {
    async fn add_user(&self, user: UserRow) -> Result<(), RecordError> {
        let added = sqlx::query(sql::ADD_USER)
            .bind(&user.id)
            .bind(&user.username)
            .bind(username_key(&user.username))
            .bind(&user.email)
            .bind(user.is_admin)
            .bind(&user.password_hash)
            .bind(user.created_at.0)
            .execute(self.pool.count_statement())
            .await;
        added.map(drop).map_err(|error| document_rows::name_in_use(error, &user.username))
    }

    async fn read_user(&self, id: &str) -> Result<Option<UserRow>, RecordError> {
        let row = sqlx::query_as(sql::USER)
            .bind(id)
            .fetch_optional(self.pool.count_statement())
            .await
            .map_err(record_error)?;
        Ok(row.map(document_rows::user_row))
    }

    async fn find_user_by_name(&self, username: &str) -> Result<Option<UserRow>, RecordError> {
        let row = sqlx::query_as(sql::USER_NAMED)
            .bind(username_key(username))
            .fetch_optional(self.pool.count_statement())
            .await;
        Ok(row.map_err(record_error)?.map(document_rows::user_row))
    }

    async fn list_users(&self, after: Option<&str>, limit: u32) -> Result<Vec<UserRow>, RecordError> {
        let page = match after {
            None => sqlx::query_as(sql::USERS_FIRST).bind(i64::from(limit)),
            Some(id) => {
                let last = self.read_user(id).await?.ok_or_else(|| document_rows::no_user(id))?;
                sqlx::query_as(sql::USERS_AFTER).bind(i64::from(limit)).bind(last.created_at.0).bind(id)
            }
        };
        let page: Vec<UserColumns> = page.fetch_all(self.pool.count_statement()).await.map_err(record_error)?;
        Ok(page.into_iter().map(document_rows::user_row).collect())
    }

    async fn change_user(&self, id: &str, change: UserChange) -> Result<UserRow, RecordError> {
        let mut transaction = self.pool.begin().await.map_err(record_error)?;
        if change.is_admin == Some(false) {
            keep_an_admin(&mut transaction, id).await?;
        }
        let found: Option<UserColumns> = sqlx::query_as(LOCKED_USER)
            .bind(id)
            .fetch_optional(transaction.count_statement())
            .await
            .map_err(record_error)?;
        let user = document_rows::apply_user_change(
            found.map(document_rows::user_row).ok_or_else(|| document_rows::no_user(id))?,
            change,
        );
        sqlx::query(sql::CHANGE_USER)
            .bind(id)
            .bind(&user.username)
            .bind(username_key(&user.username))
            .bind(&user.email)
            .bind(user.is_admin)
            .bind(&user.password_hash)
            .execute(transaction.count_statement())
            .await
            .map_err(|error| document_rows::name_in_use(error, &user.username))?;
        transaction.commit().await.map_err(record_error)?;
        Ok(user)
    }

    async fn read_webhook_generation(&self, id: &str) -> Result<Option<(u64, Timestamp)>, RecordError> {
        let found = sqlx::query_as(SECRET_GENERATION).bind(id).fetch_optional(self.pool.count_statement()).await;
        let found: Option<(i64, i64)> = found.map_err(record_error)?;
        Ok(found.map(|(generation, at)| (from_int(generation), Timestamp(at))))
    }

    async fn rotate_webhook_secret(&self, id: &str, now: Timestamp) -> Result<(u64, Timestamp), RecordError> {
        let rotated = sqlx::query_as(ROTATE_SECRET).bind(id).bind(now.0).fetch_one(self.pool.count_statement()).await;
        let (generation, at): (i64, i64) = rotated.map_err(|error| document_rows::owner_missing(error, id))?;
        Ok((from_int(generation), Timestamp(at)))
    }

    async fn delete_user(&self, id: &str) -> Result<(), RecordError> {
        let mut transaction = self.pool.begin().await.map_err(record_error)?;
        keep_an_admin(&mut transaction, id).await?;
        let gone = sqlx::query(sql::DELETE_USER)
            .bind(id)
            .execute(transaction.count_statement())
            .await
            .map_err(record_error)?;
        if gone.rows_affected() == 0 {
            return Err(document_rows::no_user(id));
        }
        transaction.commit().await.map_err(record_error)
    }
}

#[async_trait]
impl UserTokens for PostgresStore {
    async fn add_token(&self, token: NewToken) -> Result<(), RecordError> {
        let NewToken { row, hash } = token;
        let added = sqlx::query(sql::ADD_TOKEN)
            .bind(&row.id)
            .bind(&row.user_id)
            .bind(&row.name)
            .bind(row.is_session)
            .bind(hash)
            .bind(row.created_at.0)
            .bind(row.expires_at.map(|moment| moment.0))
            .bind(&row.scopes)
            .execute(self.pool.count_statement())
            .await;
        added.map(drop).map_err(|error| document_rows::owner_missing(error, &row.user_id))
    }

    async fn find_token(&self, hash: &str, now: Timestamp) -> Result<Option<(UserRow, TokenRow)>, RecordError> {
        let found: Option<TokenUserColumns> = sqlx::query_as(sql::TOKEN_USER)
            .bind(hash)
            .bind(now.0)
            .fetch_optional(self.pool.count_statement())
            .await
            .map_err(record_error)?;
        Ok(found.map(document_rows::token_user))
    }

    async fn list_tokens(&self, user_id: &str) -> Result<Vec<TokenRow>, RecordError> {
        let tokens: Vec<TokenColumns> = sqlx::query_as(sql::TOKENS)
            .bind(user_id)
            .fetch_all(self.pool.count_statement())
            .await
            .map_err(record_error)?;
        Ok(tokens.into_iter().map(document_rows::token_row).collect())
    }

    async fn delete_token(&self, user_id: &str, token_id: &str) -> Result<bool, RecordError> {
        let gone =
            sqlx::query(sql::DELETE_TOKEN).bind(user_id).bind(token_id).execute(self.pool.count_statement()).await;
        Ok(gone.map_err(record_error)?.rows_affected() > 0)
    }

    async fn delete_tokens(&self, user_id: &str, only_sessions: bool) -> Result<(), RecordError> {
        let gone = sqlx::query(sql::DELETE_TOKENS)
            .bind(user_id)
            .bind(only_sessions)
            .execute(self.pool.count_statement())
            .await;
        gone.map(drop).map_err(record_error)
    }

    async fn link_token_job(&self, token_id: &str, job: &str) -> Result<(), RecordError> {
        let linked =
            sqlx::query(sql::LINK_TOKEN_JOB).bind(token_id).bind(job).execute(self.pool.count_statement()).await;
        linked.map(drop).map_err(record_error)
    }

    async fn is_token_job(&self, token_id: &str, job: &str) -> Result<bool, RecordError> {
        self.is_linked(sql::IS_TOKEN_JOB, token_id, job).await
    }

    async fn is_token_artifact(&self, token_id: &str, artifact: &str) -> Result<bool, RecordError> {
        self.is_linked(sql::IS_TOKEN_ARTIFACT, token_id, artifact).await
    }
}

impl PostgresStore {
    /// Whether a query for a token and something else finds a row.
    async fn is_linked(&self, query: &'static str, token_id: &str, other: &str) -> Result<bool, RecordError> {
        sqlx::query_scalar(query)
            .bind(token_id)
            .bind(other)
            .fetch_one(self.pool.count_statement())
            .await
            .map_err(record_error)
    }
}

/// Refuses if no other admin would remain; all admins' rows are locked, in one order, until the transaction ends.
async fn keep_an_admin(connection: &mut CountedTransaction, id: &str) -> Result<(), RecordError> {
    let admins: Vec<(String,)> =
        sqlx::query_as(ADMINS).fetch_all(connection.count_statement()).await.map_err(record_error)?;
    match admins.as_slice() {
        [(only,)] if only == id => Err(RecordError::LastAdmin { id: id.to_owned() }),
        _ => Ok(()),
    }
}
