//! What must hold after each turn, whatever the shell did.

mod observer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apiflow_core::engine::{Answer, Effect, Event, Fact, Input, Program, Recorded, Run};
use apiflow_core::ports::{JobStatus, StepRow, StepStatus, Timestamp};
use serde_json::Value;

use super::fate::CallKey;
use super::history::{Violation, ensure};
use super::journal::Journal;
use super::provider::Provider;
use super::reference::Observed;
use super::values::Values;
use observer::Observer;

/// Bytes of control state, at most: a base, per open list, per result that a scope may hold, and per attempt that is
/// out or approval that waits.
const BASE_BYTES: usize = 700;
const FRAME_BYTES: usize = 1_100;
const RESULT_BYTES: usize = 30;
const WAITING_BYTES: usize = 380;

/// Watches one world.
pub(crate) struct Watch {
    /// Number of modules in the document.
    modules: usize,
    /// Whether the costly checks are made at every turn.
    is_thorough: bool,
    /// The fold of what was committed, event by event.
    fold: Option<Run>,
    observer: Observer,
}

impl Watch {
    pub(crate) fn new(modules: usize, is_thorough: bool) -> Self {
        Self { modules, is_thorough, fold: None, observer: Observer::default() }
    }

    pub(crate) fn begin(&mut self, program: &Arc<Program>, created: &[Recorded]) -> Result<(), Violation> {
        let mut fold = Run::new(program.clone());
        apply(&mut fold, created);
        self.fold = Some(fold);
        self.observer.observe(created)
    }

    fn fold(&self) -> &Run {
        self.fold.as_ref().expect("the watch has begun")
    }

    /// A worker restores the job: from the snapshot and from the whole journal it is the same.
    pub(crate) fn claimed(&self, journal: &Journal, program: &Arc<Program>) -> Result<(), Violation> {
        if !self.is_thorough {
            return Ok(());
        }
        let rule = "a state is the fold of its events, from any snapshot";
        let fold = self.fold().take_snapshot();
        let restored = journal.restore(program, false).take_snapshot();
        ensure(restored == fold, rule, || difference(&restored.state, &fold.state))?;
        let whole = journal.restore(program, true).take_snapshot();
        ensure(whole == fold, rule, || difference(&whole.state, &fold.state))
    }

    /// What a run decides, asked of a copy of it, and of a copy that went through a snapshot.
    pub(crate) fn foreseen(
        &self,
        run: &Run,
        now: Timestamp,
        input: &Input,
    ) -> Result<Option<Vec<Recorded>>, Violation> {
        if !self.is_thorough || !run.seq().is_multiple_of(3) {
            return Ok(None);
        }
        let decided = run.decide_events(now, input.clone());
        let copy =
            Run::restore_snapshot(run.program().clone(), &run.take_snapshot()).expect("what was written can be read");
        let again = copy.decide_events(now, input.clone());
        let rule = "the engine is pure: the same state and input give the same events";
        ensure(decided == again, rule, || format!("{decided:?}\nbut after a snapshot {again:?}"))?;
        Ok(Some(decided))
    }

    pub(crate) fn decides_as_foreseen(
        &self,
        foreseen: Option<Vec<Recorded>>,
        events: &[Recorded],
    ) -> Result<(), Violation> {
        let rule = "the engine is pure: the same state and input give the same events";
        let same = foreseen.as_ref().is_none_or(|foreseen| foreseen == events);
        ensure(same, rule, || format!("{foreseen:?}\nbut then {events:?}"))
    }

    /// An answer that nobody waits for decides nothing.
    pub(crate) fn inert(&self, events: &[Recorded], fact: &Fact) -> Result<(), Violation> {
        let rule = "an attempt has one outcome";
        ensure(events.is_empty(), rule, || format!("{fact:?} came after the outcome and led to {events:?}"))
    }

    /// A turn has decided: what it recorded is what its events say, and nothing free is owed.
    pub(crate) fn decided(&self, run: &mut Run, events: &[Recorded]) -> Result<(), Violation> {
        let free =
            run.pending_effects().into_iter().find(|effect| matches!(effect, Effect::Prepare(_) | Effect::Conclude(_)));
        ensure(free.is_none(), "a turn leaves nothing free owed", || format!("{free:?}"))?;
        if !self.is_thorough || events.is_empty() {
            return Ok(());
        }
        let mut fold = self.fold().clone();
        if fold.seq() + events.len() as u64 != run.seq() {
            // The worker has lost the job to another; its commit will be refused.
            return Ok(());
        }
        apply(&mut fold, events);
        let (fold, live) = (fold.take_snapshot(), run.take_snapshot());
        let rule = "a state is the fold of its events, from any snapshot";
        ensure(fold == live, rule, || difference(&live.state, &fold.state))
    }

    /// A turn was committed.
    pub(crate) fn committed(&mut self, events: &[Recorded], run: &Run, journal: &Journal) -> Result<(), Violation> {
        self.observer.observe(events)?;
        let fold = self.fold.as_mut().expect("the watch has begun");
        apply(fold, events);
        self.owed(run)?;
        if self.is_thorough {
            self.bounded(run)?;
        }
        let rule = "a state is the fold of its events, from any snapshot";
        ensure(journal.state == self.fold().job_state(), rule, || format!("the job's row is {:?}", journal.state))
    }

    /// What is owed is what the journal says: each open attempt once, and nothing else.
    fn owed(&self, run: &Run) -> Result<(), Violation> {
        let rule = "what is owed belongs to a journalled attempt, and every open attempt is owed";
        let mut owed = BTreeSet::new();
        for effect in run.pending_effects() {
            let (call, is_cancelled) = match &effect {
                Effect::Call(call) | Effect::Poll(call) | Effect::Recover(call) | Effect::Download(call) => {
                    (call, false)
                }
                Effect::Cancel(call) => (call, true),
                Effect::Wait { frame, until } => {
                    let waits = self.observer.waits(*frame, *until);
                    ensure(waits, rule, || format!("frame {frame} does not wait until {until:?}"))?;
                    continue;
                }
                Effect::Prepare(_) | Effect::Conclude(_) => continue,
            };
            let fits = self.observer.attempts.is_open(call.effect, is_cancelled, call.operation.is_some());
            ensure(fits && owed.insert(call.effect), rule, || format!("nothing is known of {effect:?}"))?;
        }
        let open = self.observer.attempts.open();
        ensure(owed == open, rule, || format!("attempts {open:?} are open, but {owed:?} are owed"))
    }

    /// Control state is bounded by what is open, whatever has ended.
    fn bounded(&self, run: &Run) -> Result<(), Violation> {
        let rule = "control state does not grow with what has ended";
        let state = run.take_snapshot().state;
        let count = |part: &str| state[part].as_object().map_or(0, serde_json::Map::len);
        let (frames, scopes) = (self.observer.frames(), self.observer.scopes());
        ensure(count("frames") == frames, rule, || format!("{} frames instead of {frames}", count("frames")))?;
        ensure(count("scopes") <= scopes, rule, || format!("{} scopes instead of {scopes}", count("scopes")))?;
        let bytes = state.to_string().len();
        let waiting = self.observer.attempts.open().len() + self.observer.gates.waiting();
        let most = BASE_BYTES + frames * FRAME_BYTES + scopes * self.modules * RESULT_BYTES + waiting * WAITING_BYTES;
        ensure(bytes <= most, rule, || format!("{bytes} bytes for {frames} frames: {state}"))
    }

    /// A submit is about to arrive at its provider; gives the call that it is of.
    pub(crate) fn sent(&self, effect: u64) -> Result<CallKey, Violation> {
        let key = self.observer.attempts.key(effect);
        key.ok_or_else(|| Violation::new("an attempt is journalled before it is sent", format!("#{effect} is not")))
    }

    /// The attempts that have their outcome.
    pub(crate) fn settled(&self) -> Vec<u64> {
        self.observer.attempts.settled()
    }

    /// All calls with their arguments.
    pub(crate) fn calls(&self, values: &Values) -> BTreeMap<CallKey, Value> {
        self.observer.calls(values)
    }

    /// What the journal says of things that depend on time.
    pub(crate) fn observed(&self, values: &Values) -> Observed {
        self.observer.observed(values)
    }

    /// The job has ended.
    pub(crate) fn ended(
        &self,
        journal: &Journal,
        run: &Run,
        provider: &Provider,
        now: Timestamp,
    ) -> Result<(), Violation> {
        let owed = run.pending_effects();
        ensure(owed.is_empty(), "after the end nothing is owed", || format!("{owed:?}"))?;
        self.told(provider)?;
        let mut run = run.clone();
        let written: Vec<&StepRow> = journal.steps.values().collect();
        self.rows_are_closed(journal.state.status, &written, &run.take_rows())?;
        for effect in 0..=run.seq() {
            let answer = Answer::Done { result: Value::Null };
            let answered = Fact::Answered { effect, answer };
            nothing_follows(&mut run, now, Input::Fact(answered))?;
        }
        nothing_follows(&mut run, now.plus_ms(1 << 40), Input::Tick)?;
        nothing_follows(&mut run, now, Input::Fact(Fact::Cancel { reason: String::new(), by: None }))
    }

    /// Each operation that was accepted ended, or its provider was told.
    fn told(&self, provider: &Provider) -> Result<(), Violation> {
        for (effect, work) in self.observer.attempts.operations() {
            let over = provider.work(&work).is_some_and(|work| work.known || work.told);
            let rule = "every accepted operation is followed to its end, or its provider is told";
            ensure(over, rule, || format!("{work} of #{effect} is still at work"))?;
        }
        Ok(())
    }

    /// The rows of the steps are those of a replay, and no step is left at work.
    pub(crate) fn rows_are_closed(
        &self,
        job: JobStatus,
        written: &[&StepRow],
        replayed: &[StepRow],
    ) -> Result<(), Violation> {
        let rule = "a state is the fold of its events, from any snapshot";
        let same = written.iter().copied().eq(replayed);
        ensure(same, rule, || format!("{written:#?}\ninstead of {replayed:#?}"))?;
        for row in written {
            let over = row.finished_at.is_some()
                && match row.status {
                    StepStatus::Running | StepStatus::Retrying | StepStatus::Suspended => false,
                    StepStatus::Completed | StepStatus::Failed | StepStatus::Skipped => true,
                    StepStatus::Cancelled => job == JobStatus::Cancelled || self.observer.has_cut(),
                };
            ensure(over, "after the end no step is at work", || format!("{row:?}"))?;
        }
        Ok(())
    }

    /// Follows a journal from its beginning; gives the run that it folds to.
    pub(crate) fn retell(&mut self, program: &Arc<Program>, events: &[Recorded]) -> Result<Run, Violation> {
        self.observer.observe(events)?;
        let mut run = Run::new(program.clone());
        for recorded in events {
            run.apply_event(recorded.seq, recorded.at, &recorded.event);
        }
        Ok(run)
    }

    /// The work that providers took, by attempt.
    pub(crate) fn operations(&self) -> Vec<(u64, String)> {
        self.observer.attempts.operations()
    }
}

fn nothing_follows(run: &mut Run, now: Timestamp, input: Input) -> Result<(), Violation> {
    let events = run.decide_and_apply(now, input.clone());
    ensure(events.is_empty(), "nothing happens after the end", || format!("{input:?} led to {events:?}"))
}

/// Applies events as they come out of a database.
fn apply(run: &mut Run, events: &[Recorded]) {
    for recorded in events {
        let body = serde_json::to_value(&recorded.event).expect("an event is plain data");
        let event: Event = serde_json::from_value(body).expect("what was written can be read");
        run.apply_event(recorded.seq, recorded.at, &event);
    }
    let _rows = run.take_rows();
}

fn difference(found: &Value, expected: &Value) -> String {
    format!("the state is\n{found:#}\nbut its events fold to\n{expected:#}")
}
