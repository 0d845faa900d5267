//! Group commit: queued writes share a transaction, each in a savepoint of its own.

use tokio::sync::oneshot;

use super::connection::Connection;
use super::errors::{PortError, QueryError, may_succeed_alone};

/// A write that is queued for the thread that owns the connection.
pub(super) trait PendingWrite: Send {
    /// Performs the write and stores its result for [`PendingWrite::answer`]; returns whether its changes are kept. It
    /// may be performed again after everything that it did was rolled back.
    fn perform(&mut self, connection: &Connection) -> bool;
    /// Takes the database error with which the write failed last, if any.
    fn take_error(&mut self) -> Option<rusqlite::Error>;
    /// Sends the stored result to the caller.
    fn answer(self: Box<Self>);
    /// Tells the caller that the transaction failed.
    fn fail(self: Box<Self>, error: &rusqlite::Error);
}

/// The implementation of [`PendingWrite`] for a closure.
pub(super) struct WriteRequest<T, E, F> {
    write: F,
    outcome: Option<Result<T, QueryError<E>>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> WriteRequest<T, E, F>
where
    F: FnMut(&Connection) -> Result<T, QueryError<E>> + Send,
{
    pub(super) fn new(write: F, answer: oneshot::Sender<Result<T, E>>) -> Self {
        Self { write, outcome: None, answer }
    }
}

impl<T, E, F> PendingWrite for WriteRequest<T, E, F>
where
    T: Send,
    E: PortError,
    F: FnMut(&Connection) -> Result<T, QueryError<E>> + Send,
{
    fn perform(&mut self, connection: &Connection) -> bool {
        self.outcome.insert((self.write)(connection)).is_ok()
    }

    fn take_error(&mut self) -> Option<rusqlite::Error> {
        match self.outcome.take() {
            Some(Err(QueryError::Sqlite(error))) => Some(error),
            other @ (Some(Ok(_) | Err(QueryError::Refused(_))) | None) => {
                self.outcome = other;
                None
            }
        }
    }

    fn answer(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // A caller that no longer listens is not answered.
            let _: Result<(), Result<T, E>> = self.answer.send(outcome.map_err(QueryError::into_port_error));
        }
    }

    fn fail(self: Box<Self>, error: &rusqlite::Error) {
        let _: Result<(), Result<T, E>> = self.answer.send(Err(E::of_sqlite(error)));
    }
}

type Writes = Vec<Box<dyn PendingWrite>>;

/// Performs all writes in one transaction and answers them. A failed write only rolls back its own changes. If the
/// whole transaction fails, its writes are performed one by one, unless the failure would affect all of them.
pub(super) fn perform_group(connection: &Connection, mut writes: Writes) {
    match attempt_transaction(connection, &mut writes) {
        Ok(()) => writes.into_iter().for_each(PendingWrite::answer),
        Err(error) if writes.len() > 1 && may_succeed_alone(&error) => {
            tracing::warn!(%error, writes = writes.len(), "a group commit failed: performing its writes one by one");
            perform_singly(connection, writes);
        }
        Err(error) => writes.into_iter().for_each(|write| write.fail(&error)),
    }
}

fn perform_singly(connection: &Connection, writes: Writes) {
    let mut fails_all = None;
    for write in writes {
        if let Some(error) = &fails_all {
            write.fail(error);
            continue;
        }
        let mut single = vec![write];
        let outcome = attempt_transaction(connection, &mut single);
        for write in single {
            match &outcome {
                Ok(()) => write.answer(),
                Err(error) => write.fail(error),
            }
        }
        fails_all = outcome.err().filter(|error| !may_succeed_alone(error));
    }
}

/// Performs writes in one transaction; none of their changes is left if it fails.
fn attempt_transaction(connection: &Connection, writes: &mut Writes) -> rusqlite::Result<()> {
    // IMMEDIATE: a transaction that reads first could not wait for another process that writes.
    connection.execute("BEGIN IMMEDIATE", &[])?;
    let outcome = match writes.as_mut_slice() {
        [write] => perform_alone(connection, write.as_mut()),
        writes => perform_in_savepoints(connection, writes).and_then(|()| connection.execute("COMMIT", &[]).map(drop)),
    };
    if !connection.is_autocommit() {
        connection.execute("ROLLBACK", &[])?;
    }
    outcome
}

/// Needs no savepoint: if the write fails, its transaction is rolled back.
fn perform_alone(connection: &Connection, write: &mut dyn PendingWrite) -> rusqlite::Result<()> {
    if write.perform(connection) {
        return connection.execute("COMMIT", &[]).map(drop);
    }
    Ok(())
}

fn perform_in_savepoints(connection: &Connection, writes: &mut [Box<dyn PendingWrite>]) -> rusqlite::Result<()> {
    for write in writes {
        connection.execute("SAVEPOINT single", &[])?;
        if !write.perform(connection) {
            if connection.is_autocommit() {
                // SQLite has rolled back the transaction with all writes before this one.
                return Err(write.take_error().unwrap_or(rusqlite::Error::QueryReturnedNoRows));
            }
            connection.execute("ROLLBACK TO single", &[])?;
        }
        connection.execute("RELEASE single", &[])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use apiflow_core::ports::{StoreError, StoreFault};
    use rusqlite::params;
    use tokio::sync::mpsc;

    use super::super::connection::SharedState;
    use super::*;

    type Outcome = Result<usize, StoreError>;

    /// Opens an empty file of at most `max_page_count` pages, with a table `numbers`.
    fn connect(folder: &tempfile::TempDir, max_page_count: u32) -> Connection {
        let shared = SharedState { executed: std::sync::Arc::default(), open: mpsc::channel(1).0 };
        let connection = Connection::open(&folder.path().join("test.db"), 64, shared).expect("a file is opened");
        connection.limit_pages(max_page_count).expect("the file is small");
        connection.use_write_ahead_log().expect("the log is made");
        connection
            .execute_script("CREATE TABLE numbers (number INTEGER PRIMARY KEY, filler BLOB) STRICT")
            .expect("a table is made");
        connection
    }

    /// Adds a number with a filler of `bytes` bytes; with `twice` the second insert violates the primary key.
    fn add(
        number: i64,
        bytes: i64,
        twice: bool,
        refusal: Option<StoreError>,
    ) -> (Box<dyn PendingWrite>, oneshot::Receiver<Outcome>) {
        let (answer, answered) = oneshot::channel();
        let write = move |connection: &Connection| {
            let mut added = 0;
            for _ in 0..=u32::from(twice) {
                let statement = "INSERT INTO numbers VALUES ($1, zeroblob($2))";
                added += connection.execute(statement, params![number, bytes])?;
            }
            refusal.clone().map_or(Ok(added), |refusal| Err(refusal.into()))
        };
        (Box::new(WriteRequest::new(write, answer)), answered)
    }

    fn numbers(connection: &Connection) -> Vec<i64> {
        let rows: Vec<(i64,)> =
            connection.fetch_all("SELECT number FROM numbers ORDER BY number", &[]).expect("rows are read");
        rows.into_iter().map(|(number,)| number).collect()
    }

    fn perform_writes(
        connection: &Connection,
        requests: Vec<(Box<dyn PendingWrite>, oneshot::Receiver<Outcome>)>,
    ) -> Vec<Outcome> {
        let (writes, answers): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        perform_group(connection, writes);
        answers.into_iter().map(|mut answer| answer.try_recv().expect("each write is answered")).collect()
    }

    #[test]
    fn a_write_that_fails_or_is_refused_takes_back_its_own_changes_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let connection = connect(&folder, 400);
        let refusal = StoreError::NotFound { job: "j".to_owned() };
        let requests = vec![
            add(1, 0, false, None),
            add(2, 0, true, None),
            add(3, 0, false, None),
            add(4, 0, false, Some(refusal.clone())),
            add(5, 0, false, None),
        ];
        let answers = perform_writes(&connection, requests);
        assert!(matches!(&answers[1], Err(StoreError::Backend(cause)) if cause.contains("UNIQUE")), "{answers:?}");
        assert_eq!((&answers[0], &answers[2], &answers[3], &answers[4]), (&Ok(1), &Ok(1), &Err(refusal), &Ok(1)));
        assert_eq!(numbers(&connection), [1, 3, 5]);
    }

    #[test]
    fn a_write_alone_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let connection = connect(&folder, 400);
        assert!(perform_writes(&connection, vec![add(1, 0, true, None)])[0].is_err());
        assert_eq!(numbers(&connection), [0_i64; 0]);
        assert_eq!(perform_writes(&connection, vec![add(1, 0, false, None)]), [Ok(1)], "the next transaction begins");
    }

    #[test]
    fn writes_beside_one_for_which_sqlite_rolls_back_the_transaction_are_made() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let connection = connect(&folder, 20);
        let requests = vec![add(1, 10, false, None), add(2, 200 * 1024, false, None), add(3, 10, false, None)];
        let answers = perform_writes(&connection, requests);
        let fault = answers[1].as_ref().expect_err("there is no room").fault();
        assert_eq!((&answers[0], fault, &answers[2]), (&Ok(1), Some(StoreFault::Full), &Ok(1)));
        assert_eq!(numbers(&connection), [1, 3]);
    }

    #[test]
    fn a_file_that_another_process_locks_fails_all_writes_at_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (connection, other) = (connect(&folder, 400), connect_again(&folder));
        other.execute("BEGIN IMMEDIATE", &[]).expect("the lock is free");
        let (_,): (i64,) = connection.fetch_one("PRAGMA busy_timeout = 1", &[]).expect("the timeout is set");
        let answers = perform_writes(&connection, vec![add(1, 0, false, None), add(2, 0, false, None)]);
        let faults: Vec<_> = answers.iter().map(|answer| answer.as_ref().map_err(StoreError::fault)).collect();
        assert_eq!(faults, [Err(Some(StoreFault::Busy)), Err(Some(StoreFault::Busy))]);
        other.execute("ROLLBACK", &[]).expect("the lock is given back");
        assert_eq!(perform_writes(&connection, vec![add(1, 0, false, None)]), [Ok(1)]);
    }

    fn connect_again(folder: &tempfile::TempDir) -> Connection {
        let shared = SharedState { executed: std::sync::Arc::default(), open: mpsc::channel(1).0 };
        Connection::open(&folder.path().join("test.db"), 64, shared).expect("a file is opened")
    }
}
