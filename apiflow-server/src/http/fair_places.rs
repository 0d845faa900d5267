//! Places for expensive work, shared fairly between users.
//!
//! Checking a large document, running it dry or reading a large body is processor work on behalf of the user who sent
//! it. It runs on blocking threads, a few at a time. Users take turns, no matter how much work each of them has queued;
//! one user never has all places, so that another user's work starts at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::http::problem::Problem;

/// Limits on how much work runs and waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlaceLimits {
    /// Maximum amount of work that runs at the same time.
    pub(crate) places: usize,
    /// Maximum amount of waiting work per user.
    pub(crate) waiting_per_user: usize,
    /// Maximum amount of waiting work of all users.
    pub(crate) waiting: usize,
    /// Maximum waiting time.
    pub(crate) max_wait: Duration,
}

impl PlaceLimits {
    /// Returns the limits for this machine: one place per processor, at least 2 and at most 8.
    pub(crate) fn of_machine() -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self { places: processors.clamp(2, 8), waiting_per_user: 32, waiting: 512, max_wait: Duration::from_secs(30) }
    }

    /// Returns the places that one user may have: one is always left to others.
    fn per_user(self) -> usize {
        self.places.saturating_sub(1).max(1)
    }
}

/// Places for expensive work; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct FairPlaces(Arc<SharedPlaces>);

#[derive(Debug)]
struct SharedPlaces {
    limits: PlaceLimits,
    state: Mutex<PlacesState>,
}

#[derive(Debug, Default)]
struct PlacesState {
    /// Occupied places by user.
    taken: BTreeMap<String, usize>,
    /// Waiting work by user, in order of arrival.
    waiting: BTreeMap<String, VecDeque<oneshot::Sender<Place>>>,
    /// Users with waiting work, the next one first.
    turns: VecDeque<String>,
}

/// An occupied place, which is released when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<SharedPlaces>,
    user: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.shared.lock_state();
        if let Some(taken) = state.taken.get_mut(&self.user) {
            *taken -= 1;
            if *taken == 0 {
                state.taken.remove(&self.user);
            }
        }
        let next = state.next(&self.shared);
        drop(state);
        hand_over(next);
    }
}

/// Sends places to waiting work. Not under the lock: a place whose receiver has gone is released at once.
fn hand_over(next: Vec<(oneshot::Sender<Place>, Place)>) {
    for (waiting, place) in next {
        drop(waiting.send(place));
    }
}

impl SharedPlaces {
    fn lock_state(&self) -> MutexGuard<'_, PlacesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_place(self: &Arc<Self>, user: &str) -> Place {
        Place { shared: Arc::clone(self), user: user.to_owned() }
    }
}

impl PlacesState {
    fn is_free_for(&self, user: &str, limits: PlaceLimits) -> bool {
        let taken: usize = self.taken.values().sum();
        taken < limits.places && self.taken.get(user).copied().unwrap_or_default() < limits.per_user()
    }

    /// Assigns free places to the users whose turn it is.
    fn next(&mut self, shared: &Arc<SharedPlaces>) -> Vec<(oneshot::Sender<Place>, Place)> {
        let mut next = Vec::new();
        while let Some(at) = self.turns.iter().position(|user| self.is_free_for(user, shared.limits)) {
            let Some(user) = self.turns.remove(at) else { break };
            let Some(queue) = self.waiting.get_mut(&user) else { continue };
            // Callers that have disconnected have given up their turn.
            let waiting = std::iter::from_fn(|| queue.pop_front()).find(|waiting| !waiting.is_closed());
            if queue.is_empty() {
                self.waiting.remove(&user);
            } else {
                self.turns.push_back(user.clone());
            }
            if let Some(waiting) = waiting {
                *self.taken.entry(user.clone()).or_default() += 1;
                next.push((waiting, shared.new_place(&user)));
            }
        }
        next
    }
}

impl FairPlaces {
    /// The number of free places.
    pub(crate) fn new(limits: PlaceLimits) -> Self {
        Self(Arc::new(SharedPlaces { limits, state: Mutex::default() }))
    }

    /// Takes a place, or waits for one.
    ///
    /// # Errors
    /// 429 if too much work is waiting already, or no place became free in time.
    pub(crate) async fn wait_for_place(&self, user: &str) -> Result<Place, Problem> {
        let limits = self.0.limits;
        let receiver = {
            let mut state = self.0.lock_state();
            let own = state.waiting.get(user).map_or(0, VecDeque::len);
            if own == 0 && state.is_free_for(user, limits) {
                *state.taken.entry(user.to_owned()).or_default() += 1;
                drop(state);
                return Ok(self.0.new_place(user));
            }
            let all: usize = state.waiting.values().map(VecDeque::len).sum();
            if own >= limits.waiting_per_user || all >= limits.waiting {
                return Err(Problem::too_many("too many expensive requests are waiting: send fewer at a time", 2));
            }
            let (sender, receiver) = oneshot::channel();
            if own == 0 {
                state.turns.push_back(user.to_owned());
            }
            state.waiting.entry(user.to_owned()).or_default().push_back(sender);
            receiver
        };
        let late = || Problem::too_many("the server is busy with expensive requests: try again later", 5);
        match tokio::time::timeout(limits.max_wait, receiver).await {
            Ok(place) => place.map_err(Problem::internal),
            Err(_) => Err(late()),
        }
    }

    /// Runs work on a blocking thread, in a place of this user.
    ///
    /// # Errors
    /// As [`FairPlaces::wait_for_place`]; 500 if the work panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        user: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let place = self.wait_for_place(user).await?;
        let in_place = move || {
            let _place = place;
            work()
        };
        tokio::task::spawn_blocking(in_place).await.map_err(Problem::internal)
    }
}

#[cfg(test)]
mod tests;
