//! Slots of attempts of the memory store.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::proxied_calls::owner_of_call;
use super::state::StoreState;
use crate::ports::{SlotWaiter, StoreError, SubmitLimits, SubmitSlotRequest, Timestamp};

/// The slots of all steps and calls that have, had or need one.
#[derive(Default)]
pub(super) struct SubmitSlotTable {
    limits: BTreeMap<String, SubmitLimits>,
    /// By the order of the requests.
    slots: BTreeMap<u64, SubmitSlot>,
    /// When users got their last slot, by key and user: counted in grants.
    served: BTreeMap<(String, String), u64>,
    grants: u64,
}

struct SubmitSlot {
    /// The job, or a call.
    job: String,
    step: u64,
    key: String,
    user: String,
    state: SlotState,
    granted_at: Option<Timestamp>,
    /// What the job gets when the step gets its slot; calls ask.
    message: Option<Value>,
    /// When the lease of a call ends.
    expires_at: Option<Timestamp>,
    /// When free slots of the key have to be assigned.
    look_at: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SlotState {
    Waiting,
    Held,
    Over,
}

/// A step that got its slot.
pub(super) struct GrantedSlot {
    pub(super) job: String,
    pub(super) message_key: String,
    pub(super) message: Value,
}

impl SubmitSlot {
    fn end(&mut self, now: Timestamp) {
        self.state = SlotState::Over;
        self.look_at = Some(now);
        self.expires_at = None;
    }
}

impl SubmitSlotTable {
    /// Ends the slots of steps, or of a whole job: with `steps` only those that are held.
    pub(super) fn end_slots(&mut self, job: &str, steps: Option<&[u64]>, now: Timestamp) {
        for slot in self.slots.values_mut() {
            let is_named = steps.is_none_or(|steps| steps.contains(&slot.step) && slot.state == SlotState::Held);
            if slot.job == job && is_named && slot.state != SlotState::Over {
                slot.end(now);
            }
        }
    }

    /// Extends the lease of a call's slot.
    pub(super) fn renew_lease(&mut self, owner: &str, until: Timestamp) {
        for slot in self.slots.values_mut().filter(|slot| slot.job == owner && slot.state != SlotState::Over) {
            slot.expires_at = Some(until);
        }
    }

    /// Returns the earliest time at which a step may get a slot.
    pub(super) fn next_look(&self) -> Option<Timestamp> {
        self.slots.values().filter_map(|slot| slot.look_at).min()
    }

    fn request(&mut self, user: String, request: SubmitSlotRequest, now: Timestamp) -> bool {
        let SubmitSlotRequest { key, limits, waiter } = request;
        let (job, step, message, expires_at) = match waiter {
            SlotWaiter::Step { job, step, message } => (job, step, Some(message), None),
            SlotWaiter::Call { id, lease, .. } => {
                let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
                (owner_of_call(&id), 0, None, Some(now.plus_ms(lease_ms)))
            }
        };
        let is_same = |slot: &SubmitSlot| slot.job == job && slot.step == step && slot.key == key;
        let mut slots = self.slots.iter_mut();
        let known = slots.find(|(_, slot)| is_same(slot) && slot.state != SlotState::Over).map(|(place, slot)| {
            slot.expires_at = expires_at;
            (*place, slot.state)
        });
        if known.is_some_and(|(_, state)| state == SlotState::Held) {
            return true;
        }
        let known = known.map(|(place, _)| place);
        self.limits.insert(key.clone(), limits);
        let place = known.unwrap_or_else(|| {
            self.grants += 1;
            let slot = SubmitSlot {
                job,
                step,
                key: key.clone(),
                user,
                state: SlotState::Waiting,
                granted_at: None,
                message,
                expires_at,
                look_at: None,
            };
            self.slots.insert(self.grants, slot);
            self.grants
        });
        let free = self.free_slots(&key, now);
        let is_first = self.next_waiting(&key) == Some(place);
        if free > 0 && is_first {
            self.grant(place, now);
            return true;
        }
        if free > 0
            && let Some(slot) = self.slots.get_mut(&place)
        {
            slot.look_at = Some(now);
        }
        self.note_window_end(&key, now);
        false
    }

    /// Assigns the free slots of all keys that are due for it.
    fn assign(&mut self, now: Timestamp) -> Vec<GrantedSlot> {
        for slot in self.slots.values_mut().filter(|slot| slot.expires_at.is_some_and(|at| at <= now)) {
            slot.end(now);
        }
        let due = self.slots.values().filter(|slot| slot.look_at.is_some_and(|at| at <= now));
        let keys: BTreeSet<String> = due.map(|slot| slot.key.clone()).collect();
        let mut granted = Vec::new();
        for key in keys {
            for slot in self.slots.values_mut().filter(|slot| slot.key == key) {
                slot.look_at = slot.look_at.filter(|at| *at > now);
            }
            self.forget_over(&key, now);
            while self.free_slots(&key, now) > 0
                && let Some(place) = self.next_waiting(&key)
            {
                self.grant(place, now);
                let Some(slot) = self.slots.get(&place) else { break };
                let Some(message) = slot.message.clone() else { continue };
                let message_key = format!("slot-{}-{place}", slot.step);
                granted.push(GrantedSlot { job: slot.job.clone(), message_key, message });
            }
            self.note_window_end(&key, now);
        }
        granted
    }

    fn grant(&mut self, place: u64, now: Timestamp) {
        self.grants += 1;
        if let Some(slot) = self.slots.get_mut(&place) {
            slot.state = SlotState::Held;
            slot.granted_at = Some(now);
            slot.look_at = None;
            self.served.insert((slot.key.clone(), slot.user.clone()), self.grants);
        }
    }

    /// Returns the number of slots that may be given now.
    fn free_slots(&self, key: &str, now: Timestamp) -> u64 {
        let Some(limits) = self.limits.get(key) else { return 0 };
        let of_key = || self.slots.values().filter(|slot| slot.key == key);
        let held = of_key().filter(|slot| slot.state == SlotState::Held).count() as u64;
        let is_recent = |slot: &&SubmitSlot| {
            slot.granted_at.zip(limits.window_ms()).is_some_and(|(at, window_ms)| at.plus_ms(window_ms) > now)
        };
        limits.free_slots(held, of_key().filter(is_recent).count() as u64)
    }

    /// Returns the waiting step that gets the next slot.
    fn next_waiting(&self, key: &str) -> Option<u64> {
        let of_key = || self.slots.iter().filter(|(_, slot)| slot.key == key);
        let held_by =
            |user: &str| of_key().filter(|(_, slot)| slot.state == SlotState::Held && slot.user == user).count();
        let order = |place: u64, slot: &SubmitSlot| {
            let served = self.served.get(&(key.to_owned(), slot.user.clone())).copied().unwrap_or_default();
            (held_by(&slot.user), served, place)
        };
        of_key()
            .filter(|(_, slot)| slot.state == SlotState::Waiting)
            .min_by_key(|(place, slot)| order(**place, slot))
            .map(|(place, _)| *place)
    }

    /// Looks again when the first of the grants that count in the window counts no more, if steps are waiting.
    fn note_window_end(&mut self, key: &str, now: Timestamp) {
        let Some(window_ms) = self.limits.get(key).and_then(SubmitLimits::window_ms) else { return };
        let mut of_key = self.slots.values().filter(|slot| slot.key == key);
        if !of_key.any(|slot| slot.state == SlotState::Waiting) {
            return;
        }
        let ends = self.slots.values().filter(|slot| slot.key == key).filter_map(|slot| slot.granted_at);
        let Some(end) = ends.map(|at| at.plus_ms(window_ms)).filter(|end| *end > now).min() else { return };
        let waiting = self.slots.values_mut().find(|slot| slot.key == key && slot.state == SlotState::Waiting);
        if let Some(slot) = waiting {
            slot.look_at = Some(slot.look_at.map_or(end, |at| at.min(end)));
        }
    }

    /// Forgets slots that count no more.
    fn forget_over(&mut self, key: &str, now: Timestamp) {
        let window_ms = self.limits.get(key).and_then(SubmitLimits::window_ms).unwrap_or_default();
        self.slots.retain(|_, slot| {
            slot.key != key
                || slot.state != SlotState::Over
                || slot.granted_at.is_some_and(|at| at.plus_ms(window_ms) > now)
        });
        if self.slots.values().all(|slot| slot.key != key) {
            self.limits.remove(key);
            self.served.retain(|(known, _), _| known != key);
        }
    }
}

impl StoreState {
    pub(super) fn request_submit_slot(&mut self, request: SubmitSlotRequest, now: Timestamp) -> bool {
        let user = match &request.waiter {
            SlotWaiter::Step { job, .. } => self.find_job(job).and_then(|job| job.row.created_by.clone()),
            SlotWaiter::Call { user, .. } => Some(user.clone()),
        };
        self.submit_slots.request(user.unwrap_or_default(), request, now)
    }

    pub(super) fn holds_submit_slot(&self, call: &str) -> bool {
        let owner = owner_of_call(call);
        self.submit_slots.slots.values().any(|slot| slot.job == owner && slot.state == SlotState::Held)
    }

    /// Assigns the free slots; returns the jobs that got a message.
    ///
    /// # Errors
    /// Never, unless a job is gone: then its message is not needed.
    pub(super) fn assign_submit_slots(&mut self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let mut jobs = Vec::new();
        for GrantedSlot { job, message_key, message } in self.submit_slots.assign(now) {
            if self.find_job(&job).is_some() {
                self.deliver_message(&job, &message_key, message, None, now)?;
                jobs.push(job);
            }
        }
        Ok(jobs)
    }
}
