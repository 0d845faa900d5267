//! Selects a database by its URL.

use std::fmt::Display;
use std::sync::Arc;

use apiflow_core::ports::{ArtifactRecords, Store};

use crate::fault::fault_of;
use crate::{Accounts, Documents, Housekeeping, PostgresStore, SecretStore, SqliteStore};

/// The ports of one database.
#[derive(Clone)]
pub struct Stores {
    /// Store of jobs and their journals.
    pub store: Arc<dyn Store>,
    /// Store of connectors, nodes and workflows.
    pub documents: Arc<dyn Documents>,
    /// Store of users and tokens.
    pub accounts: Arc<dyn Accounts>,
    /// Store of provider keys.
    pub secrets: Arc<dyn SecretStore>,
    /// Store of the records of artifacts.
    pub artifacts: Arc<dyn ArtifactRecords>,
    /// Finds what has been kept for long enough.
    pub housekeeping: Arc<dyn Housekeeping>,
    /// Counter of the statements that all of them send.
    pub statements: Arc<dyn StatementCounter>,
}

/// Counts the SQL statements sent to a database: the cost of a run, independent of the machine's speed.
pub trait StatementCounter: Send + Sync {
    /// Returns the number of statements since the database was opened, including those that begin and end transactions,
    /// but not those of migrations.
    fn statements_executed(&self) -> u64;
}

impl<S: Store + Documents + Accounts + SecretStore + ArtifactRecords + Housekeeping + StatementCounter + 'static>
    From<Arc<S>> for Stores
{
    fn from(store: Arc<S>) -> Self {
        Self {
            store: store.clone(),
            documents: store.clone(),
            accounts: store.clone(),
            secrets: store.clone(),
            artifacts: store.clone(),
            housekeeping: store.clone(),
            statements: store,
        }
    }
}

/// Why a database could not be opened; contains its URL without the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot open the database `{url}`: {reason}")]
pub struct OpenError {
    /// The URL, with `…` for the password.
    pub url: String,
    /// What went wrong and, if known, how to fix it.
    pub reason: String,
}

impl OpenError {
    pub(crate) fn new(url: String, reason: impl Display) -> Self {
        Self { url, reason: reason.to_string() }
    }

    /// Adds how to fix it, if the cause is known.
    pub(crate) fn of_database(url: String, error: &sqlx::Error) -> Self {
        match fault_of(error) {
            Some(fault) => Self::new(url, format_args!("{fault} ({error})")),
            None => Self::new(url, error),
        }
    }
}

/// Opens the database of a URL, `sqlite:<path>` or `postgres://…`, and migrates its tables.
///
/// A SQLite file belongs to one process: leases of an earlier process expire at once ([`SqliteStore::take_over`]). It
/// may be limited in size: `sqlite:<path>?max_page_count=<pages of 4 KiB>`.
///
/// # Errors
/// [`OpenError`] if the URL has another scheme, or the database cannot be reached or migrated.
pub async fn open(url: &str) -> Result<Stores, OpenError> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.starts_with(":memory:") {
            return Err(OpenError::new(url.to_owned(), "name a file: sqlite:<path>"));
        }
        let (path, max_page_count) = match path.split_once('?') {
            None => (path, None),
            Some((path, parameters)) => (path, Some(max_page_count(url, parameters)?)),
        };
        let store = SqliteStore::open_within(path, max_page_count).await?;
        store.take_over().await.map_err(|error| OpenError { url: format!("sqlite:{path}"), ..error })?;
        return Ok(Arc::new(store).into());
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Arc::new(PostgresStore::connect_to(url).await?).into());
    }
    Err(OpenError::new(without_password(url), "use sqlite:<path> or postgres://<user>@<host>/<database>"))
}

/// Returns the size limit in the parameters of a URL; there are no other parameters.
fn max_page_count(url: &str, parameters: &str) -> Result<u32, OpenError> {
    let pages =
        parameters.strip_prefix("max_page_count=").and_then(|pages| pages.parse().ok()).filter(|pages| *pages > 0);
    let usage =
        "the only parameter of a SQLite URL is `max_page_count`, a number from 1: sqlite:<path>?max_page_count=250000";
    pages.ok_or_else(|| OpenError::new(url.to_owned(), usage))
}

/// Returns the URL with `…` in place of its password, including one among the parameters.
pub(crate) fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (&url[..scheme.len() + 3], rest));
    // A password may contain any character unescaped, so it ends at the last `@`: it is better to hide too much than
    // too little.
    let masked = match rest.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
        Some((name, host)) => format!("{scheme}{name}:…@{host}"),
        None => url.to_owned(),
    };
    match masked.split_once('?') {
        Some((start, parameters)) => {
            let parameters: Vec<String> = parameters.split('&').map(without_value).collect();
            format!("{start}?{}", parameters.join("&"))
        }
        None => masked,
    }
}

fn without_value(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name, _)) if name.to_lowercase().contains("password") => format!("{name}=…"),
        Some(_) | None => parameter.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_precondition(url: &str, expected: &str) {
        assert_eq!(without_password(url), expected);
    }

    #[test]
    fn a_url_is_named_without_its_password() {
        check_precondition("postgres://ada:secret@db:5432/apiflow", "postgres://ada:…@db:5432/apiflow");
        check_precondition("postgres://ada@db/apiflow", "postgres://ada@db/apiflow");
        check_precondition("postgres://ada:se:cr@et@db/apiflow", "postgres://ada:…@db/apiflow");
        check_precondition("postgres://ada:se/c?r#et@db/apiflow", "postgres://ada:…@db/apiflow");
        check_precondition("postgres://db/x?user=ada&password=secret&a=b", "postgres://db/x?user=ada&password=…&a=b");
        check_precondition("postgres://db/x?password=a@b", "postgres://db/x?password=…");
        check_precondition("mysql://ada:secret@db", "mysql://ada:…@db");
        check_precondition("sqlite:data/apiflow.db", "sqlite:data/apiflow.db");
    }

    #[tokio::test]
    async fn a_url_of_another_kind_is_refused_with_the_way_out() {
        let error = open("mysql://ada:secret@db/x").await.err().map(|error| error.to_string());
        let expected = "cannot open the database `mysql://ada:…@db/x`: \
                        use sqlite:<path> or postgres://<user>@<host>/<database>";
        assert_eq!(error.as_deref(), Some(expected));
        let error = open("sqlite::memory:").await.err().map(|error| error.to_string());
        let expected = "cannot open the database `sqlite::memory:`: name a file: sqlite:<path>";
        assert_eq!(error.as_deref(), Some(expected));
    }

    #[tokio::test]
    async fn a_file_in_a_missing_folder_is_named() {
        let error = open("sqlite:/no/such/folder/apiflow.db").await.err().expect("there is no such folder");
        assert_eq!(error.url, "sqlite:/no/such/folder/apiflow.db");
    }
}
