//! The story that a journal tells, followed without the engine.

mod attempts;
mod gates;
mod sights;

use std::collections::{BTreeMap, BTreeSet};

use apiflow_core::engine::{Event, Recorded, Start};
use apiflow_core::ports::{Timestamp, ValueRef};

use super::super::fate::{CallKey, Place};
use super::super::history::{Violation, ensure};
use attempts::{Attempts, Outcome};
use gates::Gates;

pub(super) const ONE_OUTCOME: &str = "an attempt has one outcome";
/// How long a call has been put off at least when it is too late for it, in milliseconds: calls have 20 s, and the pauses
/// between two tries are short.
const LATE_MS: u64 = 15_000;
pub(super) const AFTER_END: &str = "nothing happens after the end";
pub(super) const STORY: &str = "events tell one story";

/// What the events so far have said.
#[derive(Default)]
pub(super) struct Observer {
    frames: BTreeMap<u64, Seen>,
    pub(super) attempts: Attempts,
    pub(super) gates: Gates,
    /// Which branch won a race.
    winners: BTreeMap<CallKey, usize>,
    /// Steps that passed in no time, by the event that holds their result.
    passed: BTreeMap<(Place, String), ValueRef>,
    entered: BTreeMap<Place, u64>,
    seq: u64,
    at: Timestamp,
    /// Whether the flow has ended, and calls are only called off.
    is_ending: bool,
    has_ended: bool,
    has_timed_out: bool,
}

/// A list of modules at work.
#[derive(Default)]
struct Seen {
    place: Place,
    step: Option<SeenStep>,
    /// The attempt that is out.
    open: Option<u64>,
    wait: Option<Timestamp>,
    /// Lists at work inside it.
    inner: BTreeSet<u64>,
}

struct SeenStep {
    id: String,
    /// The event that it began with.
    ordinal: u64,
    /// Failed attempts so far.
    failures: u32,
    is_call: bool,
    /// The event that brought its arguments.
    args: u64,
    /// Lists at the same time, at most.
    limit: Option<u64>,
    /// Whether each list inside has a scope of its own, and how long.
    own_scopes: Option<Lifetime>,
    /// Lists opened by this attempt.
    opened: usize,
    /// How long an attempt may take, where it holds lists, and until when the one under way may.
    bound_ms: Option<u64>,
    until: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lifetime {
    UntilItsEnd,
    UntilAllHaveEnded,
}

impl Observer {
    pub(super) fn observe(&mut self, events: &[Recorded]) -> Result<(), Violation> {
        for recorded in events {
            ensure(!self.has_ended, AFTER_END, || format!("{recorded:?}"))?;
            let follows = recorded.seq == self.seq + 1 && recorded.at >= self.at;
            ensure(follows, STORY, || format!("{recorded:?} follows #{} at {:?}", self.seq, self.at))?;
            (self.seq, self.at) = (recorded.seq, recorded.at);
            self.take(recorded)?;
        }
        self.gates.wait_for_more()
    }

    fn take(&mut self, recorded: &Recorded) -> Result<(), Violation> {
        let seq = recorded.seq;
        match &recorded.event {
            Event::Created { .. } => {
                self.frames.insert(0, Seen::default());
                Ok(())
            }
            Event::ResultReused { .. } => Ok(()),
            Event::Preprocessed { frame } => self.frame(*frame).map(drop),
            Event::Entered { frame, .. } => self.entered(*frame, recorded),
            Event::StepStarted { frame, step_id, path, start, bound_ms, cache: _ } => {
                self.step_started(seq, *frame, (step_id, path), start, *bound_ms)
            }
            Event::StepPassed { frame, step_id, path, skipped, result } => {
                self.passed(seq, *frame, (step_id, path), *skipped, result)
            }
            Event::AttemptStarted { frame, .. } => self.attempt_started(seq, *frame),
            Event::OperationAccepted { effect, .. } => {
                let work = recorded.value.as_ref().and_then(|value| value["id"].as_str()).unwrap_or_default();
                self.attempts.accepted(*effect, work)
            }
            Event::DownloadStarted { effect, .. } => self.attempts.downloading(*effect),
            Event::RecoveryStarted { effect, .. } => self.attempts.sought(*effect),
            Event::JobReopened { .. } => Err(Violation::new(AFTER_END, "nobody has asked for it")),
            Event::AttemptFailed { frame, error, .. } => {
                let outcome = match error["name"].as_str() {
                    Some("submit_unknown") => Outcome::Unknown,
                    Some("internal_error") => Outcome::NotSent,
                    Some("rate_limited") if self.is_late(*frame)? => Outcome::RefusedTooLong,
                    Some(_) | None => Outcome::Failed,
                };
                self.ends(*frame, outcome)?;
                let step = self.step(*frame)?;
                step.failures += 1;
                step.until = None;
                Ok(())
            }
            Event::StepCompleted { frame, .. } => {
                self.step(*frame)?.until = None;
                self.ends(*frame, Outcome::Completed)
            }
            Event::TimedOut { frame } => self.timed_out(*frame),
            Event::StepFailed { frame, caught } => {
                let seen = self.frame(*frame)?;
                seen.step = seen.step.take().filter(|_| !caught);
                Ok(())
            }
            Event::CallPostponed { frame, until, .. } => {
                self.ends(*frame, Outcome::NotAccepted)?;
                self.frame(*frame)?.wait = Some(*until);
                Ok(())
            }
            Event::RetryScheduled { frame, at: until } | Event::SleepStarted { frame, until } => {
                self.frame(*frame)?.wait = Some(*until);
                Ok(())
            }
            Event::ApprovalReceived { target, approver, counts_for, disapproves } => {
                self.gates.received(seq, target, (approver.clone(), counts_for.clone()), *disapproves);
                Ok(())
            }
            Event::GateClosed { frame, required, until, .. } => {
                let step = self.step(*frame)?;
                let (id, ordinal) = (step.id.clone(), step.ordinal);
                let seen = self.frame(*frame)?;
                seen.wait = Some(*until);
                let place = seen.place.clone();
                self.gates.closed(*frame, (place, id), ordinal, *required)
            }
            Event::GatePassed { frame, taken, faulty } => {
                let until = self.frame(*frame)?.wait.take();
                let is_late = until.is_none_or(|until| until <= recorded.at);
                self.gates.passed(*frame, taken, faulty.then_some(seq), is_late)
            }
            Event::GateFailed { frame, taken, error } => {
                let until = self.frame(*frame)?.wait.take();
                let is_late = until.is_none_or(|until| until <= recorded.at);
                self.gates.failed(*frame, taken, error, is_late)
            }
            Event::RaceWon { frame, slot } => self.won(*frame, *slot),
            Event::Advanced { frame } => {
                self.waited(*frame)?;
                self.frame(*frame)?.step = None;
                Ok(())
            }
            Event::FrameOpened { frame, child, slot, handler } => self.opened(*frame, *child, *slot, *handler),
            Event::FrameClosed { frame, child, .. } => self.closed(*frame, *child),
            Event::CancelRequested { .. } | Event::FlowEnded(_) => {
                ensure(!self.is_ending, AFTER_END, || format!("{recorded:?}"))?;
                self.is_ending = true;
                self.frames.clear();
                self.attempts.give_up(|_| true);
                Ok(())
            }
            Event::CostRecorded { .. } | Event::SlotGranted { .. } | Event::FallbackStarted { .. } => Ok(()),
            Event::OrphanSettled { effect } => self.attempts.called_off(*effect),
            Event::JobFinished(_) => {
                self.has_ended = true;
                self.frames.clear();
                let open = self.attempts.open();
                ensure(open.is_empty(), ONE_OUTCOME, || format!("the job ended and attempts {open:?} have none"))
            }
        }
    }

    fn frame(&mut self, frame: u64) -> Result<&mut Seen, Violation> {
        let found = self.frames.get_mut(&frame);
        found.ok_or_else(|| Violation::new(STORY, format!("frame {frame} is not at work")))
    }

    fn step(&mut self, frame: u64) -> Result<&mut SeenStep, Violation> {
        let step = self.frame(frame)?.step.as_mut();
        step.ok_or_else(|| Violation::new(STORY, format!("no step is at work in frame {frame}")))
    }

    fn entered(&mut self, frame: u64, recorded: &Recorded) -> Result<(), Violation> {
        let place = self.frame(frame)?.place.clone();
        if recorded.value.is_some() {
            self.entered.insert(place, recorded.seq);
        }
        Ok(())
    }

    /// A module begins in a frame whose last attempt is over.
    fn begins(&mut self, frame: u64) -> Result<&mut Seen, Violation> {
        ensure(!self.is_ending, AFTER_END, || format!("a module begins in frame {frame}"))?;
        self.waited(frame)?;
        let seen = self.frame(frame)?;
        ensure(seen.open.is_none() && seen.inner.is_empty(), STORY, || {
            format!("frame {frame} begins another module, and one is at work")
        })?;
        Ok(seen)
    }

    /// A wait, if there was one, is over.
    fn waited(&mut self, frame: u64) -> Result<(), Violation> {
        let now = self.at;
        let wait = self.frame(frame)?.wait.take();
        ensure(wait.is_none_or(|until| until <= now), "a wait is waited", || {
            format!("frame {frame} waits until {wait:?}, and goes on at {now:?}")
        })
    }

    fn step_started(
        &mut self,
        seq: u64,
        frame: u64,
        (id, path): (&str, &str),
        start: &Start,
        bound_ms: Option<u64>,
    ) -> Result<(), Violation> {
        let holds_lists = !matches!(start, Start::Call { .. } | Start::Nothing | Start::Code);
        let bound_ms = bound_ms.filter(|_| holds_lists);
        let until = bound_ms.map(|bound| self.at.plus_ms(bound));
        let (is_call, limit, own_scopes) = match start {
            Start::Call { .. } => (true, None, None),
            Start::Nothing | Start::Code | Start::Branch { .. } => (false, None, None),
            Start::Flow => (false, None, Some(Lifetime::UntilItsEnd)),
            Start::Branches { sequential, limit, race: _ } => {
                (false, *limit, (!sequential).then_some(Lifetime::UntilAllHaveEnded))
            }
            Start::Loop { sequential, limit, .. } => (false, *limit, (!sequential).then_some(Lifetime::UntilItsEnd)),
        };
        let seen = self.begins(frame)?;
        // Its inputs could not be evaluated before: this is the same step still.
        let (failures, ordinal) = seen.step.as_ref().map_or((0, seq), |step| (step.failures, step.ordinal));
        let step = SeenStep {
            id: id.to_owned(),
            ordinal,
            failures,
            is_call,
            args: seq,
            limit,
            own_scopes,
            opened: 0,
            bound_ms,
            until,
        };
        seen.step = Some(step);
        let place = seen.place.path();
        ensure(place == path, STORY, || format!("`{id}` begins at `{path}` instead of `{place}`"))?;
        if is_call { self.call(seq, frame, None) } else { Ok(()) }
    }

    fn passed(
        &mut self,
        seq: u64,
        frame: u64,
        (id, path): (&str, &str),
        skipped: bool,
        result: &ValueRef,
    ) -> Result<(), Violation> {
        let seen = self.begins(frame)?;
        let ordinal = seen.step.as_ref().map_or(seq, |step| step.ordinal);
        let step = SeenStep {
            id: id.to_owned(),
            ordinal,
            failures: 0,
            is_call: false,
            args: 0,
            limit: None,
            own_scopes: None,
            opened: 0,
            bound_ms: None,
            until: None,
        };
        seen.step = (!skipped).then_some(step);
        let place = seen.place.clone();
        ensure(place.path() == path, STORY, || format!("`{id}` passes at `{path}` instead of `{}`", place.path()))?;
        if !skipped {
            self.passed.insert((place, id.to_owned()), result.clone());
        }
        Ok(())
    }

    fn attempt_started(&mut self, seq: u64, frame: u64) -> Result<(), Violation> {
        ensure(!self.is_ending, AFTER_END, || format!("an attempt begins in frame {frame}"))?;
        if let Some(effect) = self.frame(frame)?.open {
            self.ends(frame, Outcome::Repeated)?;
            return self.call(seq, frame, Some(effect));
        }
        self.begins(frame)?;
        let now = self.at;
        let step = self.step(frame)?;
        step.opened = 0;
        step.until = step.bound_ms.map(|bound| now.plus_ms(bound));
        if step.is_call { self.call(seq, frame, None) } else { Ok(()) }
    }

    /// A call is journalled: a new one, or another attempt of one of unknown fate.
    fn call(&mut self, effect: u64, frame: u64, repeats: Option<u64>) -> Result<(), Violation> {
        let place = self.frame(frame)?.place.clone();
        let step = self.step(frame)?;
        let key = CallKey { place, step_id: step.id.clone(), nth: step.failures };
        let args = step.args;
        self.frame(frame)?.open = Some(effect);
        self.attempts.begin(effect, key, args, repeats, self.at)
    }

    /// Whether the call that is out in a frame was begun so long ago that it may not be put off any more.
    fn is_late(&mut self, frame: u64) -> Result<bool, Violation> {
        let since = self.frame(frame)?.open.and_then(|effect| self.attempts.since(effect));
        Ok(since.is_some_and(|since| self.at.since_ms(since) >= LATE_MS))
    }

    /// The attempt that is out in a frame, if any, has its outcome.
    fn ends(&mut self, frame: u64, outcome: Outcome) -> Result<(), Violation> {
        match self.frame(frame)?.open.take() {
            Some(effect) => self.attempts.settle(effect, outcome),
            None => Ok(()),
        }
    }

    fn opened(&mut self, frame: u64, child: u64, slot: u64, handler: bool) -> Result<(), Violation> {
        ensure(!self.is_ending, AFTER_END, || format!("a list begins in frame {frame}"))?;
        let step = self.step(frame)?;
        let (id, failures, most) = (step.id.clone(), step.failures, step.limit);
        step.opened += usize::from(!handler);
        let seen = self.frame(frame)?;
        seen.inner.insert(child);
        let open = seen.inner.len() as u64;
        ensure(handler || most.is_none_or(|most| open <= most), "no more lists are at work than the limit", || {
            format!("{open} in frame {frame}, whose limit is {most:?}")
        })?;
        let place = if handler { seen.place.handler(&id) } else { seen.place.inside(&id, failures, slot as usize) };
        self.frames.insert(child, Seen { place, ..Seen::default() });
        Ok(())
    }

    fn closed(&mut self, frame: u64, child: u64) -> Result<(), Violation> {
        let seen = self.frame(frame)?;
        ensure(seen.inner.remove(&child), STORY, || format!("frame {child} ends twice"))?;
        let closed = self.frames.remove(&child);
        let idle = closed.is_some_and(|seen| seen.open.is_none() && seen.inner.is_empty());
        ensure(idle, STORY, || format!("frame {child} ends while something in it is at work"))
    }

    /// A branch won a race: what the others have at work is given up.
    fn won(&mut self, frame: u64, slot: u64) -> Result<(), Violation> {
        let place = self.frame(frame)?.place.clone();
        let step = self.step(frame)?;
        let key = CallKey { place, step_id: step.id.clone(), nth: step.failures };
        self.winners.insert(key, slot as usize);
        self.give_up(frame)
    }

    /// A module that holds lists took too long: what it has at work is given up.
    fn timed_out(&mut self, frame: u64) -> Result<(), Violation> {
        let now = self.at;
        let until = self.step(frame)?.until.take();
        ensure(until.is_some_and(|until| until <= now), "a wait is waited", || {
            format!("the module in frame {frame} may take until {until:?}, and times out at {now:?}")
        })?;
        self.has_timed_out = true;
        self.give_up(frame)
    }

    /// What is at work inside a frame is given up.
    fn give_up(&mut self, frame: u64) -> Result<(), Violation> {
        let mut lost: Vec<u64> = std::mem::take(&mut self.frame(frame)?.inner).into_iter().collect();
        while let Some(child) = lost.pop() {
            let Some(seen) = self.frames.remove(&child) else { continue };
            self.attempts.give_up(|effect| seen.open == Some(effect));
            self.gates.give_up(child);
            lost.extend(seen.inner);
        }
        Ok(())
    }
}
