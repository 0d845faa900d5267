//! Group commit: writes that are requested during one transaction share the next.

use tokio::sync::{mpsc, oneshot};

/// Capacity of the queue; further callers wait for room.
const MAX_QUEUED_WRITES: usize = 1_024;

/// A requested write, and the channel for its result.
pub(crate) struct QueuedWrite<Q, A> {
    pub(crate) request: Q,
    pub(crate) answer: oneshot::Sender<A>,
}

/// The sending side of a queue whose receiver takes all queued writes at once. The receiver stops when the last sender is
/// dropped.
pub(crate) struct WriteQueue<W> {
    sender: mpsc::Sender<W>,
}

impl<W> Clone for WriteQueue<W> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<W: Send + 'static> WriteQueue<W> {
    /// Starts a task that calls `perform` with up to `limit` writes at a time; it answers each of them.
    pub(crate) fn start_task<F, Done>(limit: usize, mut perform: F) -> Self
    where
        F: FnMut(Vec<W>) -> Done + Send + 'static,
        Done: Future<Output = ()> + Send,
    {
        let (sender, mut receiver) = mpsc::channel(MAX_QUEUED_WRITES);
        tokio::spawn(async move {
            let mut writes = Vec::new();
            while receiver.recv_many(&mut writes, limit).await > 0 {
                perform(std::mem::take(&mut writes)).await;
            }
        });
        Self { sender }
    }

    /// Starts a thread that calls `perform` with up to `limit` writes at a time; it answers each of them.
    ///
    /// # Errors
    /// The operating system could not start the thread.
    pub(crate) fn start_thread<F>(name: &str, limit: usize, mut perform: F) -> std::io::Result<Self>
    where
        F: FnMut(Vec<W>) + Send + 'static,
    {
        let (sender, mut receiver) = mpsc::channel(MAX_QUEUED_WRITES);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let mut writes = Vec::new();
            while receiver.blocking_recv_many(&mut writes, limit) > 0 {
                perform(std::mem::take(&mut writes));
            }
        })?;
        Ok(Self { sender })
    }

    /// Puts a write into the queue; returns whether the receiver is still running.
    pub(crate) async fn push(&self, write: W) -> bool {
        self.sender.send(write).await.is_ok()
    }

    /// Puts a request into the queue and waits for its result; `None` if the receiver has ended.
    pub(crate) async fn submit<Q, A>(&self, request: Q, wrap: fn(QueuedWrite<Q, A>) -> W) -> Option<A> {
        let (answer, answered) = oneshot::channel();
        self.push(wrap(QueuedWrite { request, answer })).await.then_some(())?;
        answered.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Semaphore, mpsc};

    use super::*;

    #[tokio::test]
    async fn writes_that_wait_while_one_group_is_performed_share_the_next() {
        let (gate, (groups, mut seen)) = (Arc::new(Semaphore::new(0)), mpsc::unbounded_channel());
        let opened = gate.clone();
        let queue = WriteQueue::start_task(4, move |writes: Vec<QueuedWrite<u32, u32>>| {
            groups.send(writes.len()).expect("the test listens");
            let gate = opened.clone();
            async move {
                gate.acquire().await.expect("the gate is not closed").forget();
                for QueuedWrite { request, answer } in writes {
                    answer.send(request * 2).expect("the caller listens");
                }
            }
        });
        let queue = Arc::new(queue);
        let submit = |number| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.submit(number, |write| write).await })
        };
        let first = submit(0);
        assert_eq!(seen.recv().await, Some(1));
        let others: Vec<_> = (1..=6).map(submit).collect();
        // Each has been submitted when the queue has no room left but for the rest.
        while queue.sender.capacity() > MAX_QUEUED_WRITES - 6 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(3);
        assert_eq!(first.await.expect("no panic"), Some(0));
        for (number, other) in (1..).zip(others) {
            assert_eq!(other.await.expect("no panic"), Some(number * 2));
        }
        assert_eq!((seen.recv().await, seen.recv().await), (Some(4), Some(2)), "up to the limit");
    }
}
