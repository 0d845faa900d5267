//! A connection to the file: statements are cached and counted.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{CachedStatement, OpenFlags, Result, Row, ToSql};
use tokio::sync::mpsc;

/// How long a statement waits for the file's lock.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Number of cached statements per connection.
const MAX_PREPARED_STATEMENTS: usize = 128;

/// The value of `PRAGMA auto_vacuum` of a file that shrinks on request.
const INCREMENTAL_VACUUM: i64 = 2;
/// Largest file of an earlier version that is rebuilt when it is opened, in pages of 4 KiB: 256 MiB.
const MAX_REBUILT_PAGES: i64 = 65_536;

/// The state that the connections of a store share.
#[derive(Clone)]
pub(super) struct SharedState {
    /// The number of statements that they have run.
    pub(super) executed: Arc<AtomicU64>,
    /// Never used to send: the receiver learns when the last connection has dropped it.
    #[expect(dead_code, reason = "its drop is what matters")]
    pub(super) open: mpsc::Sender<()>,
}

/// A row that can be read into a tuple.
pub(super) trait FromRow: for<'row> TryFrom<&'row Row<'row>, Error = rusqlite::Error> {}

impl<T: for<'row> TryFrom<&'row Row<'row>, Error = rusqlite::Error>> FromRow for T {}

/// A connection. Parameters are written `$1`, `$2` … (as in Postgres) or `?`, and bound by that number.
pub(super) struct Connection {
    // Dropped before the sender in `shared`: callers that wait for it find the file closed.
    inner: rusqlite::Connection,
    shared: SharedState,
}

impl Connection {
    /// Opens or creates the file, with foreign keys checked, commits synced and deleted content overwritten.
    pub(super) fn open(path: &Path, cache_kib: i32, shared: SharedState) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let inner = rusqlite::Connection::open_with_flags(path, flags)?;
        inner.busy_timeout(BUSY_TIMEOUT)?;
        inner.set_prepared_statement_cache_capacity(MAX_PREPARED_STATEMENTS);
        inner.pragma_update(None, "foreign_keys", true)?;
        inner.pragma_update(None, "synchronous", "FULL")?;
        inner.pragma_update(None, "secure_delete", true)?;
        // The copies of pages that a savepoint may have to restore stay in memory.
        inner.pragma_update(None, "temp_store", "MEMORY")?;
        // Negative: KiB rather than pages.
        inner.pragma_update(None, "cache_size", -cache_kib)?;
        Ok(Self { inner, shared })
    }

    /// Switches the file to the write-ahead log, unless it uses it already.
    pub(super) fn use_write_ahead_log(&self) -> Result<()> {
        let (mode,): (String,) = self.fetch_one("PRAGMA journal_mode", &[])?;
        if mode == "wal" { Ok(()) } else { self.inner.pragma_update(None, "journal_mode", "WAL") }
    }

    /// Lets the file shrink when content is deleted ([`super::housekeeping`]). A file of an earlier version is rebuilt
    /// once, unless it is so large that opening it would take long.
    pub(super) fn use_incremental_vacuum(&self) -> Result<()> {
        let (mode,): (i64,) = self.fetch_one("PRAGMA auto_vacuum", &[])?;
        if mode == INCREMENTAL_VACUUM {
            return Ok(());
        }
        self.inner.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        let (pages,): (i64,) = self.fetch_one("PRAGMA page_count", &[])?;
        if (1..=MAX_REBUILT_PAGES).contains(&pages) {
            // The file is as good as before if there is no space for its copy.
            if let Err(error) = self.inner.execute_batch("VACUUM") {
                tracing::warn!(%error, "the database file cannot be rebuilt now, so it does not shrink");
            }
        }
        Ok(())
    }

    /// Makes this connection read-only.
    pub(super) fn forbid_writes(&self) -> Result<()> {
        self.inner.pragma_update(None, "query_only", true)
    }

    /// Limits the file to a number of pages.
    pub(super) fn limit_pages(&self, max_page_count: u32) -> Result<()> {
        self.inner.pragma_update(None, "max_page_count", max_page_count)
    }

    /// Whether no transaction is open. After a full disk, an I/O error or a lack of memory SQLite rolls back by itself.
    /// Source: <https://www.sqlite.org/lang_transaction.html>, "Response To Errors Within A Transaction".
    pub(super) fn is_autocommit(&self) -> bool {
        self.inner.is_autocommit()
    }

    /// Runs a script of several statements.
    pub(super) fn execute_script(&self, script: &str) -> Result<()> {
        self.shared.executed.fetch_add(1, Ordering::Relaxed);
        self.inner.execute_batch(script)
    }

    /// Runs a statement to its end and ignores its rows.
    pub(super) fn run_to_end(&self, sql: &str) -> Result<()> {
        let mut statement = self.prepare(sql, &[])?;
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// Runs a statement that returns no rows; returns how many rows it changed.
    pub(super) fn execute(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<usize> {
        self.prepare(sql, parameters)?.raw_execute()
    }

    /// Reads all rows.
    pub(super) fn fetch_all<T: FromRow>(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<Vec<T>> {
        let mut statement = self.prepare(sql, parameters)?;
        let (mut rows, mut found) = (statement.raw_query(), Vec::new());
        while let Some(row) = rows.next()? {
            found.push(T::try_from(row)?);
        }
        Ok(found)
    }

    /// Reads the first row, if there is one, and runs the statement to its end.
    pub(super) fn fetch_optional<T: FromRow>(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<Option<T>> {
        let mut statement = self.prepare(sql, parameters)?;
        let mut rows = statement.raw_query();
        let first = rows.next()?.map(T::try_from).transpose()?;
        while first.is_some() && rows.next()?.is_some() {}
        Ok(first)
    }

    /// Reads the first row, which must exist.
    pub(super) fn fetch_one<T: FromRow>(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<T> {
        self.fetch_optional(sql, parameters)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// Performs reads that all see the file in the state of the first one.
    pub(super) fn read_snapshot<T, E: From<rusqlite::Error>>(
        &self,
        read: impl FnOnce(&Self) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.execute("BEGIN", &[])?;
        let outcome = read(self);
        if !self.is_autocommit() {
            self.execute("ROLLBACK", &[])?;
        }
        outcome
    }

    fn prepare(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<CachedStatement<'_>> {
        self.shared.executed.fetch_add(1, Ordering::Relaxed);
        let mut statement = self.inner.prepare_cached(sql)?;
        for index in 1..=statement.parameter_count() {
            let named = statement.parameter_name(index).and_then(|name| name.strip_prefix('$')?.parse().ok());
            let place: usize = named.unwrap_or(index);
            let parameter = parameters.get(place - 1);
            let parameter = parameter.ok_or(rusqlite::Error::InvalidParameterCount(parameters.len(), place))?;
            statement.raw_bind_parameter(index, parameter)?;
        }
        Ok(statement)
    }
}
