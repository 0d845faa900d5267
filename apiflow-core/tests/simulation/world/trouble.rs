//! What goes wrong between two things: deaths, thefts, cancellations, stale answers.

use apiflow_core::call::Operation;
use apiflow_core::engine::{Answer, Event, Fact, GateSelector, Recorded};
use serde_json::json;

use super::super::decisions::Point;
use super::super::fate::error;
use super::super::history::Violation;
use super::World;
use super::network::Load;

impl World {
    /// Decides what goes wrong now, if anything.
    pub(super) fn trouble(&mut self) -> Result<(), Violation> {
        if self.decisions.happens(Point::Cancel) && !self.cancelled {
            self.cancelled = true;
            self.history.tell(self.now, || "a user asks for the job's end".to_owned());
            let fact = Fact::Cancel { reason: "not needed".to_owned(), by: None };
            self.send(0, Load::Message { key: "cancel".to_owned(), fact, inert: false });
        }
        if self.decisions.happens(Point::Stale) {
            self.stale();
        }
        if self.decisions.happens(Point::Early) {
            self.answer_early();
        }
        let Some(busy) = self.workers.iter().position(|worker| worker.drive.is_some()) else { return Ok(()) };
        if self.decisions.happens(Point::Crash) {
            self.crash(busy);
            return Ok(());
        }
        let idle = self.workers.iter().position(|worker| worker.drive.is_none());
        if let Some(idle) = idle
            && self.journal.owner.is_some()
            && self.decisions.happens(Point::Steal)
        {
            self.history.tell(self.now, || format!("the lease of worker {busy} is lost"));
            self.claim(idle)?;
        }
        Ok(())
    }

    /// People see a gate close: they approve as often as it wants, and now and then they do not.
    pub(crate) fn people_see(&mut self, events: &[Recorded]) {
        for recorded in events {
            let Event::GateClosed { required, .. } = &recorded.event else { continue };
            let (approvals, disapprovals, people) = match self.decisions.way(Point::Gate, 6) {
                0 => (*required, 0, 3),
                1 => (0, 0, 3),
                2 => (required - 1, 1, 3),
                3 => (required + 1, 0, 3),
                4 => (required + 1, 0, 1),
                _ => (required - 1, 0, 3),
            };
            for number in 0..approvals {
                self.answer(GateSelector::Any, person(number % people), false);
            }
            for _ in 0..disapprovals {
                self.answer(GateSelector::Any, None, true);
            }
        }
    }

    /// Somebody answers a gate that may not have closed yet, by its step's id, its ordinal or without naming it.
    fn answer_early(&mut self) {
        let steps = self.gated_steps.len();
        let target = match self.decisions.way(Point::Early, 2 + steps) {
            0 => GateSelector::Any,
            1 => GateSelector::Ordinal(2),
            step => GateSelector::Step(self.gated_steps[step - 2].clone()),
        };
        let who = self.decisions.way(Point::Early, 4);
        let disapproves = self.decisions.way(Point::Early, 8) == 7;
        self.answer(target, u32::try_from(who).ok().and_then(person), disapproves);
    }

    fn answer(&mut self, target: GateSelector, who: Option<&str>, disapproves: bool) {
        let number = self.next_flight;
        let counts_for = who.map(|who| format!("user-{who}"));
        let approver = who.map(str::to_owned);
        let fact = Fact::Approval { target, approver, counts_for, disapproves, payload: json!({"n": number % 4}) };
        self.send(400, Load::Message { key: format!("approval-{number}"), fact, inert: false });
    }

    /// A process dies. What it was sending may arrive all the same; what comes back to it is lost.
    pub(crate) fn crash(&mut self, place: usize) {
        self.history.tell(self.now, || format!("worker {place} dies"));
        let worker = &mut self.workers[place];
        let process = worker.process;
        worker.process += 1;
        worker.drive = None;
        let sent: Vec<u64> = self
            .flights
            .iter()
            .filter(|(_, flight)| match &flight.load {
                Load::Request { owner, .. } => *owner == (place, process),
                Load::Reply { .. } | Load::Message { .. } => false,
            })
            .map(|(id, _)| *id)
            .collect();
        for id in sent {
            if !self.decisions.happens(Point::Arrives) {
                self.flights.remove(&id);
            }
        }
    }

    /// Something answers an attempt that has its outcome, or that never was.
    fn stale(&mut self) {
        let known = self.watch.settled();
        let kind = self.decisions.way(Point::Stale, 4);
        let effect = if known.is_empty() { 1 } else { known[self.decisions.way(Point::Stale, known.len())] };
        let answer = match kind {
            0 => Answer::Done { result: json!("stale") },
            1 => Answer::Failed { error: error("unavailable") },
            2 => Answer::Repeat,
            _ => Answer::Accepted {
                operation: Box::new(Operation { id: Some("stale".to_owned()), ..Operation::default() }),
                provider_id: None,
                poll_at: self.now,
                deadline: self.now,
            },
        };
        let key = format!("stale-{}", self.next_flight);
        self.history.tell(self.now, || format!("a stale answer to #{effect} is on its way: {answer:?}"));
        self.send(0, Load::Message { key, fact: Fact::Answered { effect, answer }, inert: true });
    }
}

/// Somebody who answers gates; `None`: somebody who is not known, and counts always.
fn person(number: u32) -> Option<&'static str> {
    match number {
        0 => Some("ada"),
        1 => Some("ben"),
        _ => None,
    }
}
