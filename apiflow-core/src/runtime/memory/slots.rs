//! Slots of jobs with the same concurrency key: which jobs have one, which wait, and which starts count in their
//! window.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::ports::{Concurrency, Timestamp};

/// The slots of all jobs that have or need one, by job.
#[derive(Default)]
pub(super) struct SlotTable {
    slots: BTreeMap<String, JobSlot>,
}

struct JobSlot {
    concurrency: Concurrency,
    order: (Reverse<i32>, Timestamp),
    state: SlotState,
    /// When its job was claimed for the first time.
    started_at: Option<Timestamp>,
    /// When slots of the key have to be assigned: one is free then, or a new job waits.
    look_at: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SlotState {
    Waiting,
    Held,
    /// The job may run without a slot.
    Passed,
    Over,
}

impl JobSlot {
    /// Returns until when its start counts; `None` if it has no window or has not started.
    fn counts_until(&self) -> Option<Timestamp> {
        let window_s = self.concurrency.window_s?;
        self.started_at.map(|at| at.plus_ms(window_s.saturating_mul(1_000)))
    }

    fn is_recent(&self, now: Timestamp) -> bool {
        let starts = self.state == SlotState::Held && self.started_at.is_none() && self.concurrency.window_s.is_some();
        starts || self.counts_until().is_some_and(|until| until > now)
    }
}

impl SlotTable {
    /// Adds a new job that waits for its slot.
    pub(super) fn add_waiting(
        &mut self,
        job: &str,
        concurrency: Concurrency,
        priority: i32,
        created_at: Timestamp,
        now: Timestamp,
    ) {
        let order = (Reverse(priority), created_at);
        let slot = JobSlot { concurrency, order, state: SlotState::Waiting, started_at: None, look_at: Some(now) };
        self.slots.insert(job.to_owned(), slot);
    }

    /// Returns whether a job waits for its slot.
    pub(super) fn is_waiting(&self, job: &str) -> bool {
        self.slots.get(job).is_some_and(|slot| slot.state == SlotState::Waiting)
    }

    /// Lets a job run without a slot; returns whether it was waiting.
    pub(super) fn waive_slot(&mut self, job: &str, now: Timestamp) -> bool {
        let Some(slot) = self.slots.get_mut(job).filter(|slot| slot.state == SlotState::Waiting) else { return false };
        slot.state = SlotState::Passed;
        slot.look_at = Some(now);
        true
    }

    /// Records that a job was claimed.
    pub(super) fn note_claim(&mut self, job: &str, now: Timestamp) {
        let Some(slot) = self.slots.get_mut(job) else { return };
        if slot.state == SlotState::Held && slot.started_at.is_none() {
            slot.started_at = Some(now);
            slot.look_at = slot.counts_until();
        }
    }

    /// Records that an ended job was reopened.
    pub(super) fn note_reopened(&mut self, job: &str) {
        if let Some(slot) = self.slots.get_mut(job).filter(|slot| slot.state == SlotState::Over) {
            slot.state = SlotState::Held;
        }
    }

    /// Records that a job has ended.
    pub(super) fn note_end(&mut self, job: &str, now: Timestamp) {
        if let Some(slot) = self.slots.get_mut(job) {
            slot.state = SlotState::Over;
            slot.look_at = Some(now);
        }
    }

    /// Returns the earliest time at which a job may get a slot.
    pub(super) fn next_look(&self) -> Option<Timestamp> {
        self.slots.values().filter_map(|slot| slot.look_at).min()
    }

    /// Assigns the free slots; returns the jobs that got one.
    pub(super) fn assign_free_slots(&mut self, now: Timestamp) -> Vec<String> {
        let due = self.slots.values().filter(|slot| slot.look_at.is_some_and(|at| at <= now));
        let keys: BTreeSet<String> = due.map(|slot| slot.concurrency.key.clone()).collect();
        keys.iter().flat_map(|key| self.give_of(key, now)).collect()
    }

    fn give_of(&mut self, key: &str, now: Timestamp) -> Vec<String> {
        for slot in self.slots.values_mut().filter(|slot| slot.concurrency.key == key) {
            if slot.look_at.is_some_and(|at| at <= now) {
                slot.look_at = slot.counts_until().filter(|until| *until > now);
            }
        }
        self.slots
            .retain(|_, slot| slot.concurrency.key != key || slot.state != SlotState::Over || slot.look_at.is_some());
        let of_key = || self.slots.iter().filter(|(_, slot)| slot.concurrency.key == key);
        let held = of_key().filter(|(_, slot)| slot.state == SlotState::Held).count() as u64;
        let mut recent = of_key().filter(|(_, slot)| slot.is_recent(now)).count() as u64;
        let mut waiting: Vec<_> = of_key()
            .filter(|(_, slot)| slot.state == SlotState::Waiting)
            .map(|(job, slot)| (slot.order, job.clone()))
            .collect();
        waiting.sort();
        let mut given = Vec::new();
        for (_, job) in waiting {
            let Some(slot) = self
                .slots
                .get_mut(&job)
                .filter(|slot| slot.concurrency.has_free_slot(held + given.len() as u64, recent))
            else {
                break;
            };
            slot.state = SlotState::Held;
            recent += u64::from(slot.concurrency.window_s.is_some());
            given.push(job);
        }
        given
    }
}
