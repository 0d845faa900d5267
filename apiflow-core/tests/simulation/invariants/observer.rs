//! The story that a journal tells, followed without the engine.

use std::collections::{BTreeMap, BTreeSet};

use apiflow_core::engine::{Event, Recorded, Start};
use apiflow_core::ports::Timestamp;
use serde_json::Value;

use super::super::fate::CallKey;
use super::super::history::{Violation, ensure};
use super::super::values::Values;

/// What the events so far have said.
#[derive(Default)]
pub(super) struct Observer {
    frames: BTreeMap<u64, Seen>,
    attempts: BTreeMap<u64, Attempt>,
    /// How many calls each place has made.
    counts: BTreeMap<(String, String), u32>,
    seq: u64,
    at: Timestamp,
    /// Whether the flow has ended, and calls are only called off.
    is_ending: bool,
    has_ended: bool,
}

/// A list of modules at work.
#[derive(Default)]
struct Seen {
    path: String,
    step: Option<SeenStep>,
    /// The attempt that is out.
    open: Option<u64>,
    wait: Option<Timestamp>,
    /// Lists at work inside it.
    inner: BTreeSet<u64>,
}

struct SeenStep {
    id: String,
    is_call: bool,
    /// The event that brought its arguments.
    args: u64,
    /// Lists at the same time, at most.
    limit: Option<u64>,
    /// Whether each list inside has a scope of its own, and whether that outlives the list until all have ended.
    own_scopes: Option<Lifetime>,
    /// Lists opened by this attempt.
    opened: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lifetime {
    UntilItsEnd,
    UntilAllHaveEnded,
}

struct Attempt {
    key: CallKey,
    args: u64,
    /// The work that the provider took.
    work: Option<String>,
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Completed,
    Failed,
    Unknown,
    Repeated,
    CalledOff,
}

const ONE_OUTCOME: &str = "an attempt has one outcome";
const AFTER_END: &str = "nothing happens after the end";
const STORY: &str = "events tell one story";

impl Observer {
    pub(super) fn observe(&mut self, events: &[Recorded]) -> Result<(), Violation> {
        for recorded in events {
            ensure(!self.has_ended, AFTER_END, || format!("{recorded:?}"))?;
            let follows = recorded.seq == self.seq + 1 && recorded.at >= self.at;
            ensure(follows, STORY, || format!("{recorded:?} follows #{} at {:?}", self.seq, self.at))?;
            (self.seq, self.at) = (recorded.seq, recorded.at);
            self.take(recorded)?;
        }
        Ok(())
    }

    fn take(&mut self, recorded: &Recorded) -> Result<(), Violation> {
        let seq = recorded.seq;
        match &recorded.event {
            Event::Created { .. } => {
                self.frames.insert(0, Seen::default());
                Ok(())
            }
            Event::Entered { frame } => self.frame(*frame).map(drop),
            Event::StepStarted { frame, step_id, path, start } => self.step_started(seq, *frame, step_id, path, start),
            Event::StepPassed { frame, .. } => {
                let seen = self.begins(*frame)?;
                seen.step = None;
                Ok(())
            }
            Event::AttemptStarted { frame, .. } => self.attempt_started(seq, *frame),
            Event::OperationAccepted { effect, .. } => {
                let work = recorded.value.as_ref().and_then(|value| value["id"].as_str()).unwrap_or_default();
                self.accepted(*effect, work)
            }
            Event::AttemptFailed { frame, error, .. } => {
                let is_unknown = error["name"] == "submit_unknown";
                self.ends(*frame, if is_unknown { Outcome::Unknown } else { Outcome::Failed })
            }
            Event::StepCompleted { frame, .. } => self.ends(*frame, Outcome::Completed),
            Event::StepFailed { frame, .. } => self.frame(*frame).map(drop),
            Event::RetryScheduled { frame, at: until } | Event::SleepStarted { frame, until } => {
                self.frame(*frame)?.wait = Some(*until);
                Ok(())
            }
            Event::Advanced { frame } => self.waited(*frame),
            Event::FrameOpened { frame, child, handler, .. } => self.opened(*frame, *child, *handler, recorded),
            Event::FrameClosed { frame, child, .. } => self.closed(*frame, *child),
            Event::CancelRequested { .. } | Event::FlowEnded { .. } => {
                ensure(!self.is_ending, AFTER_END, || format!("{recorded:?}"))?;
                self.is_ending = true;
                self.frames.clear();
                Ok(())
            }
            Event::OrphanSettled { effect } => {
                ensure(self.is_ending, STORY, || format!("#{effect} is called off, but the flow goes on"))?;
                self.settle(*effect, Outcome::CalledOff)
            }
            Event::JobFinished { .. } => {
                self.has_ended = true;
                self.frames.clear();
                let open = self.open();
                ensure(open.is_empty(), ONE_OUTCOME, || format!("the job ended and attempts {open:?} have none"))
            }
        }
    }

    fn frame(&mut self, frame: u64) -> Result<&mut Seen, Violation> {
        let found = self.frames.get_mut(&frame);
        found.ok_or_else(|| Violation::new(STORY, format!("frame {frame} is not at work")))
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

    fn step_started(&mut self, seq: u64, frame: u64, id: &str, path: &str, start: &Start) -> Result<(), Violation> {
        let (is_call, limit, own_scopes) = match start {
            Start::Call { .. } => (true, None, None),
            Start::Nothing | Start::Branch { .. } => (false, None, None),
            Start::Flow => (false, None, Some(Lifetime::UntilItsEnd)),
            Start::Branches { sequential, limit } => {
                (false, *limit, (!sequential).then_some(Lifetime::UntilAllHaveEnded))
            }
            Start::Loop { sequential, limit, .. } => (false, *limit, (!sequential).then_some(Lifetime::UntilItsEnd)),
        };
        let step = SeenStep { id: id.to_owned(), is_call, args: seq, limit, own_scopes, opened: 0 };
        let seen = self.begins(frame)?;
        seen.step = Some(step);
        path.clone_into(&mut seen.path);
        if is_call { self.call(seq, frame, None) } else { Ok(()) }
    }

    fn attempt_started(&mut self, seq: u64, frame: u64) -> Result<(), Violation> {
        ensure(!self.is_ending, AFTER_END, || format!("an attempt begins in frame {frame}"))?;
        let repeated = self.frame(frame)?.open;
        if let Some(effect) = repeated {
            self.ends(frame, Outcome::Repeated)?;
            return self.call(seq, frame, Some(effect));
        }
        let seen = self.begins(frame)?;
        let Some(step) = &mut seen.step else {
            return Err(Violation::new(STORY, format!("frame {frame} tries again what it never began")));
        };
        step.opened = 0;
        if step.is_call { self.call(seq, frame, None) } else { Ok(()) }
    }

    /// A call is journalled: a new one, or another attempt of one of unknown fate.
    fn call(&mut self, effect: u64, frame: u64, repeats: Option<u64>) -> Result<(), Violation> {
        let seen = self.frame(frame)?;
        let Some(step) = &seen.step else { return Ok(()) };
        let (place, args) = ((seen.path.clone(), step.id.clone()), step.args);
        seen.open = Some(effect);
        let key = match repeats.and_then(|repeated| self.attempts.get(&repeated)) {
            Some(repeated) => repeated.key.clone(),
            None => {
                let count = self.counts.entry(place.clone()).or_default();
                *count += 1;
                CallKey { path: place.0, step_id: place.1, nth: *count - 1 }
            }
        };
        self.attempts.insert(effect, Attempt { key, args, work: None, outcome: None });
        Ok(())
    }

    fn accepted(&mut self, effect: u64, work: &str) -> Result<(), Violation> {
        let attempt = self.attempts.get_mut(&effect).filter(|attempt| attempt.outcome.is_none());
        let Some(attempt) = attempt else {
            return Err(Violation::new(ONE_OUTCOME, format!("#{effect} is not open, but its work was accepted")));
        };
        attempt.work = Some(work.to_owned());
        Ok(())
    }

    /// The attempt that is out in a frame, if any, has its outcome.
    fn ends(&mut self, frame: u64, outcome: Outcome) -> Result<(), Violation> {
        match self.frame(frame)?.open.take() {
            Some(effect) => self.settle(effect, outcome),
            None => Ok(()),
        }
    }

    fn settle(&mut self, effect: u64, outcome: Outcome) -> Result<(), Violation> {
        let Some(attempt) = self.attempts.get_mut(&effect) else {
            return Err(Violation::new(ONE_OUTCOME, format!("#{effect} is no attempt")));
        };
        let before = attempt.outcome.replace(outcome);
        ensure(before.is_none(), ONE_OUTCOME, || format!("#{effect} had {before:?} and has {outcome:?} now"))
    }

    fn opened(&mut self, frame: u64, child: u64, handler: bool, recorded: &Recorded) -> Result<(), Violation> {
        ensure(!self.is_ending, AFTER_END, || format!("{recorded:?}"))?;
        let seen = self.frame(frame)?;
        seen.inner.insert(child);
        let (most, open) = (seen.step.as_ref().and_then(|step| step.limit), seen.inner.len() as u64);
        if let Some(step) = seen.step.as_mut().filter(|_| !handler) {
            step.opened += 1;
        }
        ensure(handler || most.is_none_or(|most| open <= most), "no more lists are at work than the limit", || {
            format!("{open} in frame {frame}, whose limit is {most:?}")
        })?;
        self.frames.insert(child, Seen::default());
        Ok(())
    }

    fn closed(&mut self, frame: u64, child: u64) -> Result<(), Violation> {
        let seen = self.frame(frame)?;
        ensure(seen.inner.remove(&child), STORY, || format!("frame {child} ends twice"))?;
        let closed = self.frames.remove(&child);
        let idle = closed.is_some_and(|seen| seen.open.is_none() && seen.inner.is_empty());
        ensure(idle, STORY, || format!("frame {child} ends while something in it is at work"))
    }

    /// The attempts without an outcome.
    pub(super) fn open(&self) -> BTreeSet<u64> {
        self.attempts.iter().filter(|(_, attempt)| attempt.outcome.is_none()).map(|(effect, _)| *effect).collect()
    }

    pub(super) fn is_open(&self, effect: u64, is_cancelled: bool, is_accepted: bool) -> bool {
        self.attempts.get(&effect).is_some_and(|attempt| {
            attempt.outcome.is_none() && is_cancelled == self.is_ending && is_accepted == attempt.work.is_some()
        })
    }

    pub(super) fn waits(&self, frame: u64) -> Option<Timestamp> {
        self.frames.get(&frame)?.wait
    }

    pub(super) fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Scopes that may be needed: the outermost, and those that open lists have or leave for the join.
    pub(super) fn scopes(&self) -> usize {
        let own = self.frames.values().map(|seen| {
            let lifetime = seen.step.as_ref().and_then(|step| Some((step.own_scopes?, step.opened)));
            match lifetime {
                Some((Lifetime::UntilAllHaveEnded, opened)) => opened,
                Some((Lifetime::UntilItsEnd, _)) => seen.inner.len(),
                None => 0,
            }
        });
        1 + own.sum::<usize>()
    }

    pub(super) fn key(&self, effect: u64) -> Option<CallKey> {
        self.attempts.get(&effect).map(|attempt| attempt.key.clone())
    }

    pub(super) fn settled(&self) -> Vec<u64> {
        self.attempts.iter().filter(|(_, attempt)| attempt.outcome.is_some()).map(|(effect, _)| *effect).collect()
    }

    pub(super) fn calls(&self, values: &Values) -> BTreeMap<CallKey, Value> {
        let row = |attempt: &Attempt| values.resolve(&apiflow_core::engine::ValueRef::Row(attempt.args));
        self.attempts.values().map(|attempt| (attempt.key.clone(), row(attempt))).collect()
    }

    pub(super) fn unknown(&self) -> BTreeSet<CallKey> {
        let unknown = self.attempts.values().filter(|attempt| attempt.outcome == Some(Outcome::Unknown));
        unknown.map(|attempt| attempt.key.clone()).collect()
    }

    /// The work that providers took, by attempt.
    pub(super) fn operations(&self) -> Vec<(u64, String)> {
        let works = self.attempts.iter().filter_map(|(effect, attempt)| Some((*effect, attempt.work.clone()?)));
        works.collect()
    }
}
