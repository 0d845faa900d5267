//! The store on SQLite: one process, one writer, write-ahead log.
//!
//! Each method hops between threads once: a thread that owns the writing connection performs all writes that wait in one
//! transaction (`group_commit`), and a few threads with reading connections perform reads.

mod accounts;
mod artifacts;
mod commits;
mod connection;
mod creations;
mod documents;
mod erasures;
mod errors;
mod filter_query;
mod group_commit;
mod housekeeping;
mod insert;
mod job_journal;
mod job_queue;
mod job_records;
mod migrations;
mod provider_work;
mod proxied_calls;
mod readers;
mod secrets;
mod slots;
mod spending;
mod submit_slots;
mod webhook_deliveries;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use apiflow_core::ports::StoreError;
use tokio::sync::{mpsc, oneshot};

use self::connection::{BUSY_TIMEOUT, Connection, SharedState};
use self::errors::{PortError, QueryError, find_fault, is_busy};
use self::group_commit::{PendingWrite, WriteRequest, perform_group};
use self::migrations::{MigrationError, apply_migrations};
use self::readers::Readers;
use crate::pause_check::PauseCheck;
use crate::write_queue::WriteQueue;
use crate::{OpenError, StatementCounter};

/// Maximum number of writes per transaction.
const MAX_GROUP_WRITES: usize = 256;
/// Number of reading connections.
const READER_COUNT: usize = 4;
/// How often opening a file is tried while another process opens it; together the tries last as long as a statement
/// waits.
const MAX_OPEN_TRIES: u32 = 40;
/// Cache size of the writing connection, in KiB.
const WRITER_CACHE_SIZE_KIB: i32 = 4 * 1024;
/// Cache size of each reading connection, in KiB.
const READER_CACHE_SIZE_KIB: i32 = 1024;

type Queue = WriteQueue<Box<dyn PendingWrite>>;

/// Stores jobs, documents and accounts in a SQLite file.
///
/// Everything that a method has confirmed is on disk. Concurrent writes share a transaction.
pub struct SqliteStore {
    /// `None` once the store is closed.
    writes: Mutex<Option<Queue>>,
    readers: Readers,
    pauses: Arc<PauseCheck>,
    executed: Arc<AtomicU64>,
    all_closed: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

impl SqliteStore {
    /// Opens or creates the file, and migrates its tables. The folder must exist.
    ///
    /// # Errors
    /// [`OpenError`] with the name of the file.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_within(path, None).await
    }

    /// Opens a file that must not grow over `max_page_count` pages (of 4 KiB): beyond it writes fail as on a full disk.
    /// `None` means no limit.
    ///
    /// # Errors
    /// [`OpenError`] with the name of the file.
    pub async fn open_within(path: impl AsRef<Path>, max_page_count: Option<u32>) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            Self::start(&path, max_page_count)
                .map_err(|failure| OpenError::new(format!("sqlite:{}", path.display()), failure.reason()))
        });
        opened.await.map_err(|panicked| OpenError::new("sqlite".to_owned(), panicked))?
    }

    fn start(path: &Path, max_page_count: Option<u32>) -> Result<Self, OpenFailure> {
        let (open, all_closed) = mpsc::channel(1);
        let executed = Arc::new(AtomicU64::new(0));
        let shared = SharedState { executed: executed.clone(), open };
        let writer = open_writer(path, max_page_count, &shared)?;
        let readers = (0..READER_COUNT).map(|_| {
            let reader = Connection::open(path, READER_CACHE_SIZE_KIB, shared.clone())?;
            reader.forbid_writes()?;
            Ok(reader)
        });
        let readers = Readers::start(readers.collect::<rusqlite::Result<_>>()?)?;
        let perform = move |writes| perform_group(&writer, writes);
        let writes = WriteQueue::start_thread("sqlite-writer", MAX_GROUP_WRITES, perform)?;
        Ok(Self {
            writes: Mutex::new(Some(writes)),
            readers,
            pauses: Arc::default(),
            executed,
            all_closed: tokio::sync::Mutex::new(all_closed),
        })
    }

    /// Expires all leases at once, so that what an earlier process had leased is due. Only for a caller that owns the
    /// file exclusively: a server that holds the data folder's lock need not wait for the leases of its predecessor.
    ///
    /// # Errors
    /// [`OpenError`] if the file cannot be written.
    pub async fn take_over(&self) -> Result<(), OpenError> {
        let freed = self.write(|connection| {
            connection.execute("UPDATE jobs SET owner = NULL, due_at = 0 WHERE owner IS NOT NULL", &[])?;
            connection.execute("UPDATE job_polls SET ready_at = due_at", &[])?;
            connection.execute("UPDATE submit_slots SET expires_at = 0 WHERE expires_at IS NOT NULL", &[])?;
            connection.execute("UPDATE proxied_calls SET lease_until = 0 WHERE lease_until IS NOT NULL", &[])?;
            connection.execute("UPDATE webhook_deliveries SET ready_at = due_at WHERE ready_at IS NOT NULL", &[])?;
            connection.execute("UPDATE jobs SET erase_ready_at = erase_at WHERE erase_ready_at IS NOT NULL", &[])?;
            Ok(())
        });
        freed.await.map_err(|error: StoreError| OpenError::new("sqlite".to_owned(), error))
    }

    /// Closes all connections after the queued writes; later calls return an error.
    pub async fn close(&self) {
        drop(self.writes.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.readers.close();
        // Nothing is ever sent: this ends when the last connection has dropped its sender.
        let _: Option<()> = self.all_closed.lock().await.recv().await;
    }

    /// Performs a write on the writing thread, in a transaction that may be shared; its changes are kept if it returns
    /// `Ok`.
    async fn write<T, E>(
        &self,
        write: impl FnMut(&Connection) -> Result<T, QueryError<E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: PortError,
    {
        let (answer, answered) = oneshot::channel();
        let queue = self.writes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(queue) = queue else { return Err(E::closed_error()) };
        if !queue.push(Box::new(WriteRequest::new(write, answer))).await {
            return Err(E::closed_error());
        }
        drop(queue);
        answered.await.unwrap_or_else(|_| Err(E::closed_error()))
    }

    /// Performs a read on one of the reading threads.
    async fn read<T, E>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, QueryError<E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: PortError,
    {
        self.readers.read(read).await
    }
}

impl StatementCounter for SqliteStore {
    fn statements_executed(&self) -> u64 {
        self.executed.load(Ordering::Relaxed)
    }
}

/// Why a file could not be opened.
#[derive(Debug, thiserror::Error)]
enum OpenFailure {
    #[error(transparent)]
    Migration(#[from] MigrationError),
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl From<rusqlite::Error> for OpenFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Migration(error.into())
    }
}

impl OpenFailure {
    fn sqlite_error(&self) -> Option<&rusqlite::Error> {
        match self {
            Self::Migration(MigrationError::Sqlite(error)) => Some(error),
            Self::Migration(MigrationError::Unknown(_) | MigrationError::Changed(_)) | Self::Thread(_) => None,
        }
    }

    /// The error and, if the cause is known, how to fix it.
    fn reason(&self) -> String {
        match self.sqlite_error().and_then(find_fault) {
            Some(fault) => format!("{fault} ({self})"),
            None => self.to_string(),
        }
    }
}

/// Opens the writing connection, and retries while another process is opening the file: switching to the write-ahead
/// log does not wait for locks.
fn open_writer(path: &Path, max_page_count: Option<u32>, shared: &SharedState) -> Result<Connection, OpenFailure> {
    let mut tries = 0;
    loop {
        match try_open_writer(path, max_page_count, shared) {
            Err(failure) if tries < MAX_OPEN_TRIES && failure.sqlite_error().is_some_and(is_busy) => {
                tries += 1;
                std::thread::sleep(BUSY_TIMEOUT / MAX_OPEN_TRIES);
            }
            outcome => return outcome,
        }
    }
}

fn try_open_writer(path: &Path, max_page_count: Option<u32>, shared: &SharedState) -> Result<Connection, OpenFailure> {
    let writer = Connection::open(path, WRITER_CACHE_SIZE_KIB, shared.clone())?;
    if let Some(pages) = max_page_count {
        writer.limit_pages(pages)?;
    }
    writer.use_incremental_vacuum()?;
    writer.use_write_ahead_log()?;
    apply_migrations(&writer)?;
    Ok(writer)
}

/// The database's clock, in milliseconds.
macro_rules! now {
    () => {
        "CAST(round(unixepoch('now', 'subsec') * 1000) AS INTEGER)"
    };
}
use now;
