//! The run of one job.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::control_state::{Control, Frame, Gate, Stage};
use super::decide::Turn;
use super::{Effect, Event, Input, OpenWork, Program, Recorded, decide};
use crate::ports::{JobState, JobStatus, SnapshotRow, StepRow, Timestamp, ValueRef};

/// Limits of a run. They only influence new decisions, not how a journal is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunLimits {
    /// Maximum number of iterations of a while loop, after which the loop fails.
    pub max_loop_iterations: u64,
    /// Maximum number of events, after which the job fails.
    pub max_events: u64,
}

impl Default for RunLimits {
    /// Returns limits of 10,000 iterations and 1,000,000 events.
    fn default() -> Self {
        Self { max_loop_iterations: 10_000, max_events: 1_000_000 }
    }
}

/// The run of one job: its program and its control state.
#[derive(Debug, Clone)]
pub struct Run {
    pub(super) limits: RunLimits,
    pub(super) program: Arc<Program>,
    pub(super) control: Control,
    /// Steps that changed since they were last taken, by ordinal.
    pub(super) rows: BTreeMap<u64, StepRow>,
    /// The frames that may need a free effect: those that an event changed since they last needed none. Derived, never
    /// journalled.
    touched: BTreeSet<u64>,
}

impl Run {
    /// Creates a run without events; its first event must be [`Event::Created`].
    pub fn new(program: Arc<Program>) -> Self {
        Self {
            limits: RunLimits::default(),
            program,
            control: Control::new(),
            rows: BTreeMap::new(),
            touched: BTreeSet::new(),
        }
    }

    /// Returns the first events of a new job, of which the first contains its input. With `preprocess`, the document's
    /// `preprocessor_module`, if it has one, first converts it to the flow's input.
    pub fn create(seed: u64, preprocess: bool, input: Value, at: Timestamp) -> Vec<Recorded> {
        vec![Recorded { seq: 1, at, event: Event::Created { seed, preprocess, fresh: false }, value: Some(input) }]
    }

    /// Makes a run that was just created ([`Run::create`]) ignore results that earlier runs have cached; its own results
    /// replace them.
    pub fn ignore_cached_results(created: &mut [Recorded]) {
        for recorded in created {
            if let Event::Created { fresh, .. } = &mut recorded.event {
                *fresh = true;
            }
        }
    }

    /// Restores a run from a snapshot.
    ///
    /// # Errors
    /// A description of what is invalid in the snapshot.
    pub fn restore_snapshot(program: Arc<Program>, snapshot: &SnapshotRow) -> Result<Self, String> {
        let control = Control::deserialize(&snapshot.state).map_err(|error| error.to_string())?;
        let touched = control.frames.keys().copied().collect();
        Ok(Self { limits: RunLimits::default(), program, control, rows: BTreeMap::new(), touched })
    }

    /// Returns the run with other limits.
    #[cfg(feature = "runtime")]
    pub(crate) fn with_limits(self, limits: RunLimits) -> Self {
        Self { limits, ..self }
    }

    /// Returns a snapshot of the control state.
    pub fn take_snapshot(&self) -> SnapshotRow {
        let state = serde_json::to_value(&self.control).expect("control state is plain data");
        SnapshotRow { seq: self.control.seq, state }
    }

    /// Decides what follows from an input. Pure: does not change the run.
    pub fn decide_events(&self, now: Timestamp, input: Input) -> Vec<Recorded> {
        self.clone().decide_and_apply(now, input)
    }

    /// Decides what follows from an input and records it: [`Run::decide_events`], then [`Run::apply_event`] for each
    /// event.
    pub fn decide_and_apply(&mut self, now: Timestamp, input: Input) -> Vec<Recorded> {
        let mut turn = Turn::new(self, now);
        decide::take_input(&mut turn, input);
        turn.events
    }

    /// Records an event. Never fails: an event that does not fit changes only the position.
    pub fn apply_event(&mut self, seq: u64, at: Timestamp, event: &Event) {
        super::record::apply_event(self, seq, at, event);
        self.touched.extend(event.changed_frames());
    }

    /// Returns all effects that are pending.
    pub fn pending_effects(&self) -> Vec<Effect> {
        let mut effects: Vec<Effect> = self.orphans().map(Effect::from).collect();
        for (&frame, state) in self.live_frames() {
            effects.extend(open_work_of(frame, state).map(Effect::from));
            effects.extend(decide::free_effect_of(self, frame));
        }
        effects
    }

    /// Returns the effects of [`Run::pending_effects`] that are not free, by reference.
    pub(crate) fn open_work(&self) -> impl Iterator<Item = OpenWork<'_>> {
        self.orphans().chain(self.live_frames().flat_map(|(&frame, state)| open_work_of(frame, state)))
    }

    /// Returns the attempts that have not ended, including those that are no longer waited for.
    #[cfg(feature = "runtime")]
    pub(crate) fn open_attempts(&self) -> impl Iterator<Item = &super::Call> {
        let of_frame = |frame: &u64| {
            let step = self.control.frames.get(frame)?.step.as_ref()?;
            if let Stage::Call(open) = &step.stage { Some(open) } else { None }
        };
        self.control.effects.values().filter_map(of_frame).chain(self.control.orphans.values())
    }

    /// Returns an attempt that has not ended.
    #[cfg(feature = "runtime")]
    pub(crate) fn open_attempt(&self, effect: u64) -> Option<&super::Call> {
        let frame = self.control.effects.get(&effect);
        let of_frame = |frame: &u64| {
            let step = self.control.frames.get(frame)?.step.as_ref()?;
            if let Stage::Call(open) = &step.stage { Some(open) } else { None }
        };
        frame.and_then(of_frame).or_else(|| self.control.orphans.get(&effect))
    }

    fn orphans(&self) -> impl Iterator<Item = OpenWork<'_>> {
        self.control.orphans.values().map(OpenWork::Cancel)
    }

    /// Returns the frames that still matter: none once the flow has ended.
    fn live_frames(&self) -> impl Iterator<Item = (&u64, &Frame)> {
        let has_ended = self.control.ending.is_some();
        self.control.frames.iter().take_while(move |_| !has_ended)
    }

    /// Returns one of the pending free effects. Unlike that of [`Run::pending_effects`], the cost does not grow with
    /// the number of open branches.
    pub fn next_free_effect(&mut self) -> Option<Effect> {
        if self.control.ending.is_some() {
            return None;
        }
        while let Some(&frame) = self.touched.first() {
            let free = decide::free_effect_of(self, frame);
            if free.is_some() {
                return free;
            }
            self.touched.remove(&frame);
        }
        None
    }

    /// Returns the current row of the job.
    pub fn job_state(&self) -> JobState {
        let finished = self.control.status.is_final();
        let ending = self.control.ending.as_ref().filter(|_| finished);
        JobState {
            status: self.shown_status(),
            priority: self.priority(),
            retry_count: self.control.retry_count,
            cost: self.control.cost.clone(),
            started_at: self.control.started_at,
            finished_at: self.control.finished_at,
            output: ending.and_then(|ending| ending.output.clone()),
            error: ending.and_then(|ending| ending.error.clone()),
            erase_at: self
                .control
                .finished_at
                .filter(|_| finished)
                .and_then(|end| self.program.next_erasure(end, None)),
        }
    }

    /// Returns the status that the job shows: suspended if nothing is running and a gate waits for approvals.
    fn shown_status(&self) -> JobStatus {
        let stages = || self.control.frames.values().filter_map(|frame| frame.step.as_ref()).map(|step| &step.stage);
        // A module with running children is as busy as they are.
        let holds = |stage: &Stage| matches!(stage, Stage::Children | Stage::Handling { .. });
        let waits = |stage: &Stage| matches!(stage, Stage::Suspended(_));
        let suspended = stages().any(waits) && stages().all(|stage| waits(stage) || holds(stage));
        if self.control.status == JobStatus::Running && suspended { JobStatus::Suspended } else { self.control.status }
    }

    /// Returns the highest priority of the current modules, else the flow's own.
    fn priority(&self) -> i32 {
        let at = self.control.frames.keys().filter_map(|frame| self.module_at(*frame)?.module.priority);
        queue_priority(at.max(), self.program.flows.first().and_then(|flow| flow.priority))
    }

    /// Returns when the first step started, or when the job was created if none has.
    pub(crate) fn began_at(&self) -> Timestamp {
        self.control.started_at.unwrap_or(self.control.created_at)
    }

    /// Returns the status of the job.
    pub fn status(&self) -> JobStatus {
        self.control.status
    }

    /// Returns the sequence number of the last event.
    pub fn seq(&self) -> u64 {
        self.control.seq
    }

    /// Takes the steps that changed since the last call.
    pub fn take_rows(&mut self) -> Vec<StepRow> {
        std::mem::take(&mut self.rows).into_values().collect()
    }

    /// Returns the program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Returns the result of a step that is visible in a scope; inner scopes are searched first.
    pub fn visible_result(&self, scope: u64, step_id: &str) -> Option<&ValueRef> {
        let mut next = Some(scope);
        while let Some(scope) = next.and_then(|id| self.control.scopes.get(&id)) {
            if let Some(result) = scope.results.get(step_id) {
                return Some(result);
            }
            next = scope.parent;
        }
        None
    }

    /// Returns all results that are visible in a scope.
    pub(crate) fn visible_all(&self, scope: u64) -> BTreeMap<&str, &ValueRef> {
        let mut all = BTreeMap::new();
        let mut next = Some(scope);
        while let Some(scope) = next.and_then(|id| self.control.scopes.get(&id)) {
            for (step_id, result) in &scope.results {
                all.entry(step_id.as_str()).or_insert(result);
            }
            next = scope.parent;
        }
        all
    }

    /// Returns whether the flow has ended and was stopped as skipped.
    pub fn was_skipped(&self) -> bool {
        self.control.ending.as_ref().is_some_and(|ending| ending.skipped)
    }
}

/// Returns what a list waits for outside of the run.
fn open_work_of(frame: u64, state: &Frame) -> impl Iterator<Item = OpenWork<'_>> {
    let step = state.step.as_ref();
    let bound = step.and_then(|step| step.until).map(|until| OpenWork::Wait { frame, until });
    let work = match step.map(|step| &step.stage) {
        Some(Stage::Call(open)) if open.download.is_some() => Some(OpenWork::Download(open)),
        Some(Stage::Call(open)) if open.operation.is_some() => Some(OpenWork::Poll(open)),
        Some(Stage::Call(open)) if open.recovery.is_some() => Some(OpenWork::Recover(open)),
        Some(Stage::Call(open)) => Some(OpenWork::Call(open)),
        Some(Stage::Retrying { at }) => Some(OpenWork::Wait { frame, until: *at }),
        Some(Stage::Sleeping { until } | Stage::Suspended(Gate { until, .. })) => {
            Some(OpenWork::Wait { frame, until: *until })
        }
        None
        | Some(
            Stage::Begin
            | Stage::Children
            | Stage::Iterated
            | Stage::Failed
            | Stage::Lost
            | Stage::Handling { .. }
            | Stage::Done,
        ) => None,
    };
    bound.into_iter().chain(work)
}

/// Returns a job's priority: its step's own, else the flow's, in OpenFlow's range (16 bits).
pub(crate) fn queue_priority(step: Option<i32>, flow: Option<i32>) -> i32 {
    step.or(flow).unwrap_or_default().clamp(i16::MIN.into(), i16::MAX.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::{Answer, Fact, PreparationKind, PreparedStep};
    use crate::ports::JobBundle;

    const NOW: Timestamp = Timestamp(0);

    fn call(id: &str, priority: Option<i32>) -> Value {
        json!({"id": id, "value": {"type": "script", "path": "node/n"}, "priority": priority})
    }

    fn start(value: Value) -> Run {
        let bundle = JobBundle { document: json!({"value": value}), ..JobBundle::default() };
        let mut run = Run::new(Arc::new(Program::compile_bundle(&bundle).expect("a document")));
        for Recorded { seq, at, event, .. } in Run::create(1, false, json!({}), NOW) {
            run.apply_event(seq, at, &event);
        }
        run.decide_and_apply(NOW, Input::Tick);
        run
    }

    /// Starts all steps that can start.
    fn begin(run: &mut Run) {
        while let Some(Effect::Prepare(asked)) = run.next_free_effect() {
            let prepared = if matches!(asked.ask, PreparationKind::Items { .. }) {
                PreparedStep::Items { items: vec![json!(1), json!(2)], limit: None }
            } else {
                PreparedStep::Inputs { args: json!({}), cache: None, timeout_ms: 1_000, bound_ms: None }
            };
            run.decide_and_apply(NOW, Input::Prepared { frame: asked.frame, prepared, bound_ms: None });
        }
    }

    fn call_of(effect: Effect) -> Option<u64> {
        if let Effect::Call(call) = effect { Some(call.effect) } else { None }
    }

    fn answer_first(run: &mut Run) {
        let open = run.pending_effects().into_iter().find_map(call_of);
        let effect = open.expect("a call is open");
        run.decide_and_apply(NOW, Input::Fact(Fact::Answered { effect, answer: Answer::Done { result: json!(1) } }));
        begin(run);
    }

    #[test]
    fn a_steps_own_priority_beats_the_flows_while_the_step_is_the_current_one() {
        let mut run =
            start(json!({"priority": 2, "modules": [call("a", Some(-5)), call("b", None), call("c", Some(9))]}));
        assert_eq!(run.job_state().priority, -5, "before its first step began");
        begin(&mut run);
        assert_eq!(run.job_state().priority, -5);
        for expected in [2, 9, 2] {
            answer_first(&mut run);
            assert_eq!(run.job_state().priority, expected);
        }
        assert!(run.status().is_final());
    }

    #[test]
    fn the_highest_priority_of_the_steps_at_work_counts() {
        let body = json!({"type": "forloopflow", "parallel": true, "iterator": {"type": "static", "value": []},
            "modules": [call("a", Some(40_000)), call("b", Some(3))]});
        let mut run = start(json!({"modules": [{"id": "loop", "value": body, "priority": 1}]}));
        begin(&mut run);
        for expected in [32_767, 32_767, 32_767, 3] {
            assert_eq!(run.job_state().priority, expected);
            answer_first(&mut run);
        }
        assert_eq!((run.job_state().priority, run.status()), (0, JobStatus::Completed));
    }
}
