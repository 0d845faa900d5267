//! What was paid, against what was journalled.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use apiflow_core::engine::{Event, Recorded, Start};
use apiflow_core::ports::JobJournal;
use apiflow_core::runtime::memory::MemoryStore;
use serde_json::Value;

use super::super::fate::{canonical, plain};
use super::super::history::Violation;

/// The job of a world.
pub(super) const JOB: &str = "job";

/// Counts the submits that arrived, and looks each up in the journal.
pub(super) struct Paid {
    pub(super) store: Arc<MemoryStore>,
    arrived: Mutex<BTreeMap<String, usize>>,
    broken: Mutex<Option<Violation>>,
}

impl Paid {
    pub(super) fn new(store: Arc<MemoryStore>) -> Self {
        Self { store, arrived: Mutex::default(), broken: Mutex::default() }
    }

    /// A submit arrives: no more may have arrived than attempts were journalled.
    pub(super) async fn count(&self, step: &str, input: &Value) {
        let name = format!("{step} {}", canonical(&plain(input)));
        let arrived = {
            let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
            let count = arrived.entry(name.clone()).or_default();
            *count += 1;
            *count
        };
        let journalled = self.journalled(&name).await;
        if arrived > journalled {
            let detail = format!("{arrived} submits of {name} have arrived, but {journalled} attempts are journalled");
            let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
            broken.get_or_insert(Violation::new("no paid call is sent twice for an attempt", detail));
        }
    }

    pub(super) fn broken(&self) -> Option<Violation> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many attempts of a step with these arguments the journal holds.
    async fn journalled(&self, name: &str) -> usize {
        let mut calls: BTreeMap<u64, String> = BTreeMap::new();
        let mut count = 0;
        for recorded in journal(&self.store).await {
            match &recorded.event {
                Event::StepStarted { frame, step_id, start: Start::Call { .. }, .. } => {
                    let args = recorded.value.clone().unwrap_or_default();
                    let begun = format!("{step_id} {}", canonical(&plain(&args)));
                    count += usize::from(begun == name);
                    calls.insert(*frame, begun);
                }
                Event::StepStarted { frame, .. } | Event::Advanced { frame } => {
                    calls.remove(frame);
                }
                Event::AttemptStarted { frame, .. } => {
                    count += usize::from(calls.get(frame).is_some_and(|begun| begun == name));
                }
                // The provider did not take it.
                Event::CallPostponed { frame, .. } => {
                    count -= usize::from(calls.get(frame).is_some_and(|begun| begun == name));
                }
                _ => {}
            }
        }
        count
    }
}

/// The whole journal with its values.
pub(super) async fn journal(store: &MemoryStore) -> Vec<Recorded> {
    let rows = store.read_events(JOB, 0, u32::MAX).await.expect("the memory answers");
    let seqs: Vec<u64> = rows.iter().map(|row| row.seq).collect();
    let values = store.read_values(JOB, &seqs).await.expect("the memory answers");
    let recorded = |(row, value): (apiflow_core::ports::EventRow, Option<Value>)| Recorded {
        seq: row.seq,
        at: row.at,
        event: serde_json::from_value(row.body).expect("what was written can be read"),
        value,
    };
    rows.into_iter().zip(values).map(recorded).collect()
}
