//! Secrets on Postgres.

use async_trait::async_trait;

use super::PostgresStore;
use super::statements::CountedTransaction;
use crate::document_rows::{self, SecretColumns};
use crate::fault::record_error;
use crate::job_rows::to_json_text;
use crate::{DocumentKind, RecordError, SecretGrant, SecretRow, SecretStore, SecretTies, sql};

#[async_trait]
impl SecretStore for PostgresStore {
    async fn put_secret(&self, secret: SecretRow) -> Result<(), RecordError> {
        let statement = if secret.owner.is_some() { sql::PUT_USER_SECRET } else { sql::PUT_SECRET };
        let put = sqlx::query(statement)
            .bind(secret.name)
            .bind(to_json_text(&secret.origins))
            .bind(secret.sealed)
            .bind(secret.updated_at.0);
        let Some(owner) = secret.owner else {
            return put.execute(self.pool.count_statement()).await.map(drop).map_err(record_error);
        };
        let put = put.bind(owner.clone()).execute(self.pool.count_statement()).await;
        put.map(drop).map_err(|error| document_rows::owner_missing(error, &owner))
    }

    async fn secret_row(&self, owner: Option<&str>, name: &str) -> Result<Option<SecretRow>, RecordError> {
        let row = sqlx::query_as(sql::SECRET).bind(name).bind(owner);
        let row: Option<SecretColumns> = row.fetch_optional(self.pool.count_statement()).await.map_err(record_error)?;
        row.map(document_rows::secret_row).transpose()
    }

    async fn list_secrets(&self) -> Result<Vec<SecretRow>, RecordError> {
        let rows: Vec<SecretColumns> =
            sqlx::query_as(sql::SECRETS).fetch_all(self.pool.count_statement()).await.map_err(record_error)?;
        rows.into_iter().map(document_rows::secret_row).collect()
    }

    async fn remove_secret(&self, owner: Option<&str>, name: &str) -> Result<bool, RecordError> {
        let gone = match owner {
            None => sqlx::query(sql::DELETE_SECRET).bind(name),
            Some(owner) => sqlx::query(sql::DELETE_USER_SECRET).bind(name).bind(owner),
        };
        let gone = gone.execute(self.pool.count_statement()).await.map_err(record_error)?;
        Ok(gone.rows_affected() > 0)
    }

    async fn secret_grants(&self, of: Option<(Option<&str>, &str)>) -> Result<Vec<SecretGrant>, RecordError> {
        let rows = match of {
            None => sqlx::query_as(sql::SECRET_GRANTS),
            Some((owner, name)) => sqlx::query_as(sql::GRANTS_OF_SECRET).bind(name).bind(owner),
        };
        let rows = rows.fetch_all(self.pool.count_statement()).await.map_err(record_error)?;
        Ok(rows.into_iter().map(document_rows::grant_row).collect())
    }
}

/// Applies the changes to secrets that belong to the save of a declaration.
pub(super) async fn apply_ties(
    connection: &mut CountedTransaction,
    (kind, id): (DocumentKind, &str),
    ties: SecretTies,
) -> Result<(), sqlx::Error> {
    let kind = kind.as_str();
    for secret in &ties.generated {
        let put =
            sqlx::query(sql::PUT_SECRET).bind(&secret.name).bind(to_json_text(&secret.origins)).bind(&secret.sealed);
        put.bind(secret.updated_at.0).execute(connection.count_statement()).await?;
        let author = secret.generated_for.as_ref().and_then(|declaration| declaration.author.as_deref());
        let added = sqlx::query(sql::ADD_GENERATED).bind(&secret.name).bind(kind).bind(id).bind(author);
        added.execute(connection.count_statement()).await?;
    }
    let is_gone = |name: &str| !ties.used.contains(name) && ties.generated.iter().all(|secret| secret.name != name);
    let generated: Vec<(String,)> =
        sqlx::query_as(sql::GENERATED_NAMES).bind(kind).bind(id).fetch_all(connection.count_statement()).await?;
    for (name,) in generated.into_iter().filter(|(name,)| is_gone(name)) {
        sqlx::query(sql::DELETE_SECRET).bind(name).execute(connection.count_statement()).await?;
    }
    let granted: Vec<(String,)> =
        sqlx::query_as(sql::GRANTED_NAMES).bind(kind).bind(id).fetch_all(connection.count_statement()).await?;
    for (name,) in granted.into_iter().filter(|(name,)| is_gone(name)) {
        sqlx::query(sql::DELETE_GRANTS).bind(kind).bind(id).bind(name).execute(connection.count_statement()).await?;
    }
    for grant in &ties.grants {
        let gone = sqlx::query(sql::DELETE_GRANT).bind(kind).bind(id).bind(&grant.name).bind(&grant.owner);
        gone.execute(connection.count_statement()).await?;
    }
    for grant in ties.grants {
        let added = sqlx::query(sql::ADD_GRANT).bind(kind).bind(id).bind(grant.name).bind(grant.owner);
        added.bind(grant.origin).execute(connection.count_statement()).await?;
    }
    Ok(())
}
