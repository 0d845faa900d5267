//! Secrets on SQLite.

use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStore;
use super::accounts::name_missing_owner;
use super::connection::Connection;
use crate::document_rows::{self, SecretColumns};
use crate::job_rows::to_json_text;
use crate::{DocumentKind, RecordError, SecretGrant, SecretRow, SecretStore, SecretTies, sql};

#[async_trait]
impl SecretStore for SqliteStore {
    async fn put_secret(&self, secret: SecretRow) -> Result<(), RecordError> {
        self.write(move |connection| {
            let Some(owner) = &secret.owner else { return Ok(put_shared_secret(connection, &secret)?) };
            let (origins, updated_at) = (to_json_text(&secret.origins), secret.updated_at.0);
            let parameters = params![secret.name, origins, secret.sealed, updated_at, owner];
            let put = connection.execute(sql::PUT_USER_SECRET, parameters);
            put.map(drop).map_err(|error| name_missing_owner(error, owner))
        })
        .await
    }

    async fn secret_row(&self, owner: Option<&str>, name: &str) -> Result<Option<SecretRow>, RecordError> {
        let (owner, name) = (owner.map(str::to_owned), name.to_owned());
        self.read(move |connection| {
            let row: Option<SecretColumns> = connection.fetch_optional(sql::SECRET, params![name, owner])?;
            Ok(row.map(document_rows::secret_row).transpose()?)
        })
        .await
    }

    async fn list_secrets(&self) -> Result<Vec<SecretRow>, RecordError> {
        self.read(|connection| {
            let rows: Vec<SecretColumns> = connection.fetch_all(sql::SECRETS, &[])?;
            Ok(rows.into_iter().map(document_rows::secret_row).collect::<Result<_, RecordError>>()?)
        })
        .await
    }

    async fn remove_secret(&self, owner: Option<&str>, name: &str) -> Result<bool, RecordError> {
        let (owner, name) = (owner.map(str::to_owned), name.to_owned());
        self.write(move |connection| {
            let removed = match &owner {
                None => connection.execute(sql::DELETE_SECRET, params![name])?,
                Some(owner) => connection.execute(sql::DELETE_USER_SECRET, params![name, owner])?,
            };
            Ok(removed > 0)
        })
        .await
    }

    async fn secret_grants(&self, of: Option<(Option<&str>, &str)>) -> Result<Vec<SecretGrant>, RecordError> {
        let of = of.map(|(owner, name)| (owner.map(str::to_owned), name.to_owned()));
        self.read(move |connection| {
            let rows = match &of {
                None => connection.fetch_all(sql::SECRET_GRANTS, &[])?,
                Some((owner, name)) => connection.fetch_all(sql::GRANTS_OF_SECRET, params![name, owner])?,
            };
            Ok(rows.into_iter().map(document_rows::grant_row).collect())
        })
        .await
    }
}

fn put_shared_secret(connection: &Connection, secret: &SecretRow) -> rusqlite::Result<()> {
    let (origins, updated_at) = (to_json_text(&secret.origins), secret.updated_at.0);
    connection.execute(sql::PUT_SECRET, params![secret.name, origins, secret.sealed, updated_at]).map(drop)
}

/// Applies the changes to secrets that belong to the save of a declaration.
pub(super) fn change_ties(
    connection: &Connection,
    (kind, id): (DocumentKind, &str),
    ties: &SecretTies,
) -> rusqlite::Result<()> {
    let kind = kind.as_str();
    for secret in &ties.generated {
        put_shared_secret(connection, secret)?;
        let author = secret.generated_for.as_ref().and_then(|declaration| declaration.author.as_deref());
        connection.execute(sql::ADD_GENERATED, params![secret.name, kind, id, author])?;
    }
    let is_gone = |name: &str| !ties.used.contains(name) && ties.generated.iter().all(|secret| secret.name != name);
    let generated: Vec<(String,)> = connection.fetch_all(sql::GENERATED_NAMES, params![kind, id])?;
    for (name,) in generated.into_iter().filter(|(name,)| is_gone(name)) {
        connection.execute(sql::DELETE_SECRET, params![name])?;
    }
    let granted: Vec<(String,)> = connection.fetch_all(sql::GRANTED_NAMES, params![kind, id])?;
    for (name,) in granted.into_iter().filter(|(name,)| is_gone(name)) {
        connection.execute(sql::DELETE_GRANTS, params![kind, id, name])?;
    }
    for SecretGrant { owner, name, .. } in &ties.grants {
        connection.execute(sql::DELETE_GRANT, params![kind, id, name, owner])?;
    }
    for SecretGrant { owner, name, origin } in &ties.grants {
        connection.execute(sql::ADD_GRANT, params![kind, id, name, owner, origin])?;
    }
    Ok(())
}
