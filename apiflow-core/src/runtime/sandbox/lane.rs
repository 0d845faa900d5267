//! Lanes: a limited number of places for evaluations, which jobs take in turns.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A limited number of places. Waiting owners take turns, however many places each of them waits for.
pub(super) struct Lane {
    state: Mutex<LaneState>,
}

struct LaneState {
    free: usize,
    /// The waiting owners in the order of their turns, each with its requests.
    turns: VecDeque<(String, VecDeque<oneshot::Sender<LanePlace>>)>,
}

/// A place; when dropped, it is passed on to the next owner.
pub(super) struct LanePlace {
    lane: Option<Arc<Lane>>,
}

impl Lane {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(LaneState { free: places, turns: VecDeque::new() }) })
    }

    /// Waits for a place; `None` if `most` requests are waiting already.
    pub(super) async fn wait_for_place(self: &Arc<Self>, owner: &str, most: usize) -> Option<LanePlace> {
        let waiting = {
            let mut state = self.lock_state();
            if state.free > 0 {
                state.free -= 1;
                return Some(LanePlace { lane: Some(self.clone()) });
            }
            if state.waiting_count() >= most {
                return None;
            }
            state.add_waiting(owner)
        };
        Some(waiting.await.expect("a place is given to all who wait as long as the lane is there"))
    }

    fn lock_state(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LaneState {
    fn waiting_count(&self) -> usize {
        self.turns.iter().map(|(_, waiting)| waiting.iter().filter(|place| !place.is_closed()).count()).sum()
    }

    fn add_waiting(&mut self, owner: &str) -> oneshot::Receiver<LanePlace> {
        let (sender, receiver) = oneshot::channel();
        match self.turns.iter_mut().find(|(waiting, _)| waiting == owner) {
            Some((_, places)) => places.push_back(sender),
            None => self.turns.push_back((owner.to_owned(), VecDeque::from([sender]))),
        }
        receiver
    }

    /// Returns the request whose turn it is.
    fn next(&mut self) -> Option<oneshot::Sender<LanePlace>> {
        let (owner, mut places) = self.turns.pop_front()?;
        let place = places.pop_front();
        if !places.is_empty() {
            self.turns.push_back((owner, places));
        }
        place
    }
}

impl Drop for LanePlace {
    fn drop(&mut self) {
        let Some(lane) = self.lane.take() else { return };
        loop {
            let next = {
                let mut state = lane.lock_state();
                let next = state.next();
                if next.is_none() {
                    state.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.send(Self { lane: Some(lane.clone()) }) {
                Ok(()) => return,
                // The waiting caller is gone.
                Err(mut unwanted) => unwanted.lane = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_given_in_turns() {
        let lane = Lane::new(1);
        let first = lane.wait_for_place("many", 9).await.expect("a free place");
        let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
        for owner in ["many", "many", "many", "one", "two", "one"] {
            let waiting = lane.lock_state().add_waiting(owner);
            let served = served.clone();
            tokio::spawn(async move {
                let place = waiting.await.expect("a place");
                served.send(owner).expect("the test listens");
                drop(place);
            });
        }
        drop((first, served));
        let mut got = Vec::new();
        while let Some(owner) = order.recv().await {
            got.push(owner);
        }
        assert_eq!(got, ["many", "one", "two", "many", "one", "many"]);
        assert_eq!(lane.lock_state().free, 1);
    }

    #[tokio::test]
    async fn who_gives_up_costs_no_place() {
        let lane = Lane::new(1);
        let first = lane.wait_for_place("a", 1).await.expect("a free place");
        drop(lane.lock_state().add_waiting("b"));
        let waiting = lane.lock_state().add_waiting("c");
        assert!(lane.wait_for_place("d", 1).await.is_none(), "one waits already");
        drop(first);
        drop(waiting.await.expect("the place is passed on"));
        assert_eq!(lane.lock_state().free, 1);
    }
}
