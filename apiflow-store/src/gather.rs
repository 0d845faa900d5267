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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Semaphore, mpsc};

    use super::*;

    #[tokio::test]
    async fn what_waits_while_one_round_is_performed_shares_the_next() {
        let (gate, (rounds, mut seen)) = (Arc::new(Semaphore::new(0)), mpsc::unbounded_channel());
        let opened = gate.clone();
        let gatherer = Gatherer::start(4, move |asked: Vec<Asked<u32, u32>>| {
            rounds.send(asked.len()).expect("the test listens");
            let gate = opened.clone();
            async move {
                gate.acquire().await.expect("the gate is not closed").forget();
                for Asked { request, answer } in asked {
                    answer.send(request * 2).expect("the caller listens");
                }
            }
        });
        let gatherer = Arc::new(gatherer);
        let ask = |number| {
            let gatherer = gatherer.clone();
            tokio::spawn(async move { gatherer.ask(number, |asked| asked).await })
        };
        let first = ask(0);
        assert_eq!(seen.recv().await, Some(1));
        let others: Vec<_> = (1..=6).map(ask).collect();
        // Each has asked when the queue has no room left but for the rest.
        while gatherer.sender.capacity() > WAITING - 6 {
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
