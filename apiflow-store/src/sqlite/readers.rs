//! Reading threads, each with its own connection.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::connection::Connection;
use super::errors::{PortError, QueryError};

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Reads that wait for a thread.
#[derive(Default)]
struct ReadQueue {
    reads: VecDeque<Read>,
    is_closed: bool,
}

/// The queue, and the signal of its changes.
#[derive(Default)]
struct SharedQueue {
    queue: Mutex<ReadQueue>,
    changed: Condvar,
}

/// The threads; they end when this is dropped or closed.
pub(super) struct Readers {
    shared: Arc<SharedQueue>,
}

impl Readers {
    /// Starts one thread per connection.
    ///
    /// # Errors
    /// The operating system could not start a thread.
    pub(super) fn start(connections: Vec<Connection>) -> std::io::Result<Self> {
        let readers = Self { shared: Arc::default() };
        for connection in connections {
            let shared = readers.shared.clone();
            std::thread::Builder::new().name("sqlite-reader".to_owned()).spawn(move || {
                while let Some(read) = shared.next() {
                    read(&connection);
                }
            })?;
        }
        Ok(readers)
    }

    /// Performs a read on one of the threads.
    pub(super) async fn read<T, E>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, QueryError<E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: PortError,
    {
        let (answer, answered) = oneshot::channel();
        self.shared.push(Box::new(move |connection| {
            if !answer.is_closed() {
                // A caller that no longer listens is not answered.
                let _: Result<(), Result<T, E>> = answer.send(read(connection).map_err(QueryError::into_port_error));
            }
        }));
        answered.await.unwrap_or_else(|_| Err(E::closed_error()))
    }

    /// Ends the threads; queued reads, and later ones, fail.
    pub(super) fn close(&self) {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.is_closed = true;
        queue.reads.clear();
        self.shared.changed.notify_all();
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

impl SharedQueue {
    /// Adds a read; if the queue is closed, it is dropped together with the caller's channel.
    fn push(&self, read: Read) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if !queue.is_closed {
            queue.reads.push_back(read);
            self.changed.notify_one();
        }
    }

    /// Waits for the next read; `None` once the queue is closed.
    fn next(&self) -> Option<Read> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if queue.is_closed {
                return None;
            }
            if let Some(read) = queue.reads.pop_front() {
                return Some(read);
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
