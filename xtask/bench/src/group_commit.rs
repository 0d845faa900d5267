//! Durable commits of many tasks, grouped by the thread that owns the SQLite connection.

use std::path::PathBuf;
use std::sync::mpsc;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::Result;
use crate::floor::{FLOOR_THREAD_PREFIX, INSERT_SQLITE, open_sqlite};

/// A row, and where to tell that it is durable.
struct CommitRequest {
    body: String,
    done: oneshot::Sender<Result>,
}

/// Hands rows to the thread that commits them.
#[derive(Clone)]
pub(crate) struct GroupCommitter {
    requests: mpsc::Sender<CommitRequest>,
}

impl GroupCommitter {
    /// Opens the file and starts the thread, which commits up to `max_group_size` rows together; it ends with the last
    /// clone.
    pub(crate) fn start(file: &PathBuf, max_group_size: usize) -> Result<Self> {
        let mut connection = open_sqlite(file).map_err(|error| format!("can't open the floor's database: {error}"))?;
        let (requests, inbox) = mpsc::channel::<CommitRequest>();
        let work = move || {
            while let Ok(first) = inbox.recv() {
                let group: Vec<_> = std::iter::once(first).chain(inbox.try_iter().take(max_group_size - 1)).collect();
                let outcome = commit_group(&mut connection, &group).map_err(|error| error.to_string());
                for request in group {
                    // Nobody waits for it if the bench was interrupted.
                    let _ = request.done.send(outcome.clone());
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("{FLOOR_THREAD_PREFIX}-commit")).spawn(work);
        thread.map_err(|error| format!("can't start the floor's thread: {error}"))?;
        Ok(Self { requests })
    }

    /// Inserts a row; returns when it is durable.
    pub(crate) async fn commit(&self, body: String) -> Result {
        let (done, outcome) = oneshot::channel();
        let ended = || "the thread that commits has ended".to_owned();
        self.requests.send(CommitRequest { body, done }).map_err(|_| ended())?;
        outcome.await.map_err(|_| ended())?
    }
}

fn commit_group(connection: &mut Connection, group: &[CommitRequest]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare_cached(INSERT_SQLITE)?;
        for request in group {
            insert.execute([&request.body])?;
        }
    }
    transaction.commit()
}
