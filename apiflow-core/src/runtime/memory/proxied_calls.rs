//! Calls through the proxy of the memory store.

use std::collections::BTreeMap;

use super::spending::ChargedSubjects;
use super::state::StoreState;
use crate::money::Cost;
use crate::ports::{AttemptCharge, ProxiedCall, ProxiedCallFilter, Timestamp};

/// The calls, by id.
#[derive(Default)]
pub(super) struct ProxiedCallTable {
    calls: BTreeMap<String, KnownCall>,
}

struct KnownCall {
    call: ProxiedCall,
    at_risk: Option<AttemptCharge>,
    /// When its lease ends, unless it has ended.
    lease_until: Option<Timestamp>,
}

/// Returns what owns the slots and reservations of a call, beside the ids of jobs.
pub(super) fn owner_of_call(id: &str) -> String {
    format!("call/{id}")
}

impl ProxiedCallTable {
    pub(super) fn list_calls(&self, filter: &ProxiedCallFilter, before: Option<&str>, limit: u32) -> Vec<ProxiedCall> {
        let calls = self.calls.iter().rev().filter(|(id, _)| before.is_none_or(|before| id.as_str() < before));
        let calls = calls.map(|(_, known)| &known.call).filter(|call| filter.includes(call));
        calls.take(limit as usize).cloned().collect()
    }

    pub(super) fn delete_old(&mut self, before: Option<Timestamp>, max_calls: Option<u64>, limit: u32) -> u64 {
        let excess = max_calls.map_or(0, |max| (self.calls.len() as u64).saturating_sub(max));
        let is_old = |(index, known): (usize, &KnownCall)| {
            let is_excess = (index as u64) < excess;
            let has_expired = before.is_some_and(|before| known.call.started_at < before);
            (known.lease_until.is_none() && (is_excess || has_expired)).then(|| known.call.id.clone())
        };
        let old: Vec<String> = self.calls.values().enumerate().filter_map(is_old).take(limit as usize).collect();
        for id in &old {
            self.calls.remove(id);
        }
        old.len() as u64
    }
}

impl StoreState {
    pub(super) fn begin_proxied_call(&mut self, call: ProxiedCall, at_risk: Option<AttemptCharge>, until: Timestamp) {
        let known = KnownCall { at_risk, lease_until: Some(until), call };
        self.proxied_calls.calls.insert(known.call.id.clone(), known);
    }

    pub(super) fn renew_proxied_call(&mut self, id: &str, until: Timestamp) {
        if let Some(known) = self.proxied_calls.calls.get_mut(id).filter(|known| known.lease_until.is_some()) {
            known.lease_until = Some(until);
        }
        self.submit_slots.renew_lease(&owner_of_call(id), until);
    }

    pub(super) fn end_proxied_call(&mut self, call: ProxiedCall, charge: Option<AttemptCharge>, now: Timestamp) {
        let calls = &mut self.proxied_calls.calls;
        if calls.get(&call.id).is_some_and(|known| known.lease_until.is_none()) {
            return;
        }
        let owner = owner_of_call(&call.id);
        self.submit_slots.end_slots(&owner, None, now);
        self.spending.end_reservations(&owner, None);
        let subjects = ChargedSubjects { user: Some(call.user.clone()), workflow: None };
        self.spending.add_charges(&subjects, call.finished_at.unwrap_or(now), charge);
        calls.insert(call.id.clone(), KnownCall { call, at_risk: None, lease_until: None });
    }

    /// Ends calls whose lease ended before `now` of the store's clock.
    pub(super) fn end_lost_proxied_calls(&mut self, at: Timestamp, now: Timestamp) -> u64 {
        let known = self.proxied_calls.calls.values();
        let lost = known.filter(|known| known.lease_until.is_some_and(|until| until <= now));
        let lost: Vec<(ProxiedCall, Option<AttemptCharge>)> =
            lost.map(|known| (known.call.clone(), known.at_risk.clone())).collect();
        let count = lost.len() as u64;
        for (call, at_risk) in lost {
            let cost = at_risk.as_ref().map(|charge| Cost::of_attempt(&charge.cost));
            let error = Some(ProxiedCall::LOST.to_owned());
            self.end_proxied_call(ProxiedCall { finished_at: Some(at), cost, error, ..call }, at_risk, now);
        }
        count
    }
}
