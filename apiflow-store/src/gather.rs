//! Group commit: what is asked while one transaction is written shares the next.

use tokio::sync::{mpsc, oneshot};

/// Requests waiting for the task; more wait with their callers.
const WAITING: usize = 1_024;

/// A request and where its answer goes.
pub(crate) struct Asked<Q, A> {
    pub(crate) request: Q,
    pub(crate) answer: oneshot::Sender<A>,
}

/// Hands requests to one task, which takes all that wait at once. The task ends with the last handle.
pub(crate) struct Gatherer<R> {
    sender: mpsc::Sender<R>,
}

impl<R: Send + 'static> Gatherer<R> {
    /// Starts the task: `perform` gets up to `limit` requests at a time, and answers all of them.
    pub(crate) fn start<F, Done>(limit: usize, mut perform: F) -> Self
    where
        F: FnMut(Vec<R>) -> Done + Send + 'static,
        Done: Future<Output = ()> + Send,
    {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let mut gathered = Vec::new();
            while receiver.recv_many(&mut gathered, limit).await > 0 {
                perform(std::mem::take(&mut gathered)).await;
            }
        });
        Self { sender }
    }

    /// Sends a request and waits for its answer; `None` where the task is gone.
    pub(crate) async fn ask<Q, A>(&self, request: Q, wrap: fn(Asked<Q, A>) -> R) -> Option<A> {
        let (answer, answered) = oneshot::channel();
        self.sender.send(wrap(Asked { request, answer })).await.ok()?;
        answered.await.ok()
    }
}
