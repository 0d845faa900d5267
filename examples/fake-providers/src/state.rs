//! The state of the stand-in, shared by all calls.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::behaviour::Behaviour;
use crate::clock;
use crate::prediction::{Prediction, View};
use crate::records::{CreateRecord, Stats};
use crate::routes::uploads::Upload;

/// The state that outlives a call.
pub(crate) struct State {
    memory: Mutex<Memory>,
    /// Number of changes; waiting callers check again after each.
    changes: watch::Sender<u64>,
    /// Number of releases of held creates.
    pub(crate) releases: watch::Sender<u64>,
    initial: Behaviour,
    host: String,
    /// Start of the stand-in: ages are measured from here, with the monotonic clock.
    origin: Instant,
    origin_us: u64,
}

#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) behaviour: Behaviour,
    /// The predictions, oldest first, with the age of the process at their creation.
    pub(crate) predictions: Vec<(Duration, Arc<Prediction>)>,
    /// The uploaded files, oldest first.
    pub(crate) uploads: Vec<Arc<Upload>>,
    creates: Vec<(u64, CreateRecord)>,
    requests: BTreeMap<String, u64>,
    held: usize,
    /// Never decreases, not even at a reset, so that ids stay unique.
    serial: u64,
}

impl State {
    pub(crate) fn new(initial: Behaviour, host: String) -> Self {
        let memory = Memory { behaviour: initial.clone(), ..Memory::default() };
        Self {
            memory: Mutex::new(memory),
            changes: watch::Sender::new(0),
            releases: watch::Sender::new(0),
            initial,
            host,
            origin: Instant::now(),
            origin_us: clock::to_micros(SystemTime::now()),
        }
    }

    /// Reads the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Memory) -> T) -> T {
        look(&self.lock_memory())
    }

    /// Changes the state and wakes all callers that wait for a change.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        let result = change(&mut self.lock_memory());
        self.changes.send_modify(|count| *count += 1);
        result
    }

    fn lock_memory(&self) -> MutexGuard<'_, Memory> {
        // Each change is a single step, so a panic elsewhere leaves the state consistent.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a receiver of future changes.
    pub(crate) fn subscribe_to_changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The time since the stand-in started.
    pub(crate) fn running_time(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Forgets all calls and predictions and restores the initial behaviour.
    pub(crate) fn reset_all(&self) {
        self.write(|memory| {
            let (serial, held) = (memory.serial, memory.held);
            *memory = Memory { behaviour: self.initial.clone(), serial, held, ..Memory::default() };
        });
    }

    /// Returns counts, create calls and predictions.
    pub(crate) fn collect_stats(&self) -> Stats {
        let now = self.running_time();
        self.read(|memory| Stats {
            creates: memory.creates.len(),
            accepted: memory.predictions.len(),
            held: memory.held,
            by_path: memory.requests.clone(),
            predictions: memory
                .predictions
                .iter()
                .map(|(at, p)| p.to_json(now.saturating_sub(*at), &self.host, View::Honest))
                .collect(),
            create_calls: memory.list_creates(),
        })
    }

    /// Creates a prediction for the create call with this number, with the current behaviour; `fill` sets what the call asked for.
    pub(crate) fn create_prediction(
        &self,
        call: u64,
        fill: impl FnOnce(String, u64, Behaviour) -> Prediction,
    ) -> String {
        let now = self.running_time();
        let created_us = self.origin_us + now.as_micros() as u64;
        self.write(|memory| {
            memory.serial += 1;
            let id = prediction_id(self.origin_us, memory.serial);
            let prediction = fill(id.clone(), created_us, memory.behaviour.clone());
            memory.predictions.push((now, Arc::new(prediction)));
            if let Some((_, record)) = memory.creates.iter_mut().find(|(number, _)| *number == call) {
                record.prediction = Some(id.clone());
            }
            id
        })
    }

    /// Returns a prediction and its age.
    pub(crate) fn find_prediction(&self, id: &str) -> Option<(Duration, Arc<Prediction>)> {
        let now = self.running_time();
        self.read(|memory| {
            let (at, prediction) = memory.predictions.iter().rfind(|(_, prediction)| prediction.id == id)?;
            Some((now.saturating_sub(*at), Arc::clone(prediction)))
        })
    }

    /// Counts a create as held until the guard is dropped.
    pub(crate) fn hold_create(self: &Arc<Self>) -> Held {
        self.write(|memory| memory.held += 1);
        Held(Arc::clone(self))
    }
}

/// A create whose reply is held; the client may disconnect meanwhile.
pub(crate) struct Held(Arc<State>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.write(|memory| memory.held -= 1);
    }
}

impl Memory {
    /// Counts a call of a route.
    pub(crate) fn count_call(&mut self, route: String) {
        *self.requests.entry(route).or_default() += 1;
    }

    /// Records a create call; returns its number.
    pub(crate) fn record_create(&mut self, record: CreateRecord) -> u64 {
        self.serial += 1;
        self.creates.push((self.serial, record));
        self.serial
    }

    /// Returns the create calls in order of arrival.
    pub(crate) fn list_creates(&self) -> Vec<CreateRecord> {
        self.creates.iter().map(|(_, record)| record.clone()).collect()
    }

    /// Returns the number of calls by route.
    pub(crate) fn count_by_route(&self) -> BTreeMap<String, u64> {
        self.requests.clone()
    }

    /// Marks a prediction as cancelled at this age of the process, unless it has ended.
    pub(crate) fn cancel_prediction(&mut self, id: &str, now: Duration) {
        let found = self.predictions.iter_mut().find(|(_, prediction)| prediction.id == id);
        if let Some((at, prediction)) = found {
            let age = now.saturating_sub(*at);
            if !prediction.has_ended(age) {
                Arc::make_mut(prediction).canceled = Some(age);
            }
        }
    }
}

/// Returns 26 letters and digits, like Replicate's ids; they differ between processes, so a restarted stand-in repeats none.
fn prediction_id(origin_us: u64, serial: u64) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstvwxyz0123456789";
    let word = |part: u8| {
        let mut hasher = DefaultHasher::new();
        (part, origin_us, std::process::id(), serial).hash(&mut hasher);
        hasher.finish()
    };
    let (first, second) = (word(0), word(1));
    (0..26)
        .map(|at| if at < 13 { first >> (at * 5 % 60) } else { second >> ((at - 13) * 5 % 60) })
        .map(|bits| char::from(LETTERS[(bits & 31) as usize]))
        .collect()
}
