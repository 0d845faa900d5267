//! Decides which data of an ended job is erased, and when (`delete_after_use`, `delete_after_secs`).
//!
//! A step is erased with everything inside it; if the document's own flow is erased, everything is. The values that the
//! job's output consists of are kept until the flow itself is erased. The journal still replays to the same control
//! state: events keep their form, but lose their values and the text of errors that come from erased steps.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::program::ModuleDef;
use super::{Event, Program, Run};
use crate::ports::{JobState, ReusedResult, StepRow, Timestamp, ValueRef};

/// Processes the journal of an ended job from its first event on, and decides what is erased.
#[derive(Debug)]
pub(crate) struct Eraser {
    run: Run,
    /// Delays up to this number of seconds have passed.
    due_s: u64,
    /// Whether the flow itself is erased.
    whole: bool,
    /// Events whose values are kept for the job's output.
    spared: BTreeSet<u64>,
    /// Ordinals of erased steps, as far as the journal was processed.
    steps: BTreeSet<u64>,
    step_ids: BTreeSet<String>,
    /// Events whose values were taken over from an earlier run.
    reused: BTreeSet<u64>,
}

/// The effect of an erasure on an event.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Erased {
    /// Events whose values are erased: this one, or earlier ones.
    pub values: Vec<u64>,
    /// The event without erased data, if it changes.
    pub event: Option<Event>,
}

impl Eraser {
    /// Creates the eraser for what is due at `due` of a job that ended at `end`. `spared` are the events whose values
    /// its output consists of.
    pub(crate) fn new(program: Arc<Program>, end: Timestamp, due: Timestamp, spared: BTreeSet<u64>) -> Self {
        let due_s = due.since_ms(end) / 1_000;
        let flow = program.flows.first().and_then(|flow| flow.erase_after_s);
        let whole = flow.is_some_and(|after| after <= due_s);
        Self {
            run: Run::new(program),
            due_s,
            whole,
            spared: if whole { BTreeSet::new() } else { spared },
            steps: BTreeSet::new(),
            step_ids: BTreeSet::new(),
            reused: BTreeSet::new(),
        }
    }

    /// Returns whether an event's value is kept for the job's output.
    pub(crate) fn is_kept_for_output(&self, seq: u64) -> bool {
        self.spared.contains(&seq)
    }

    /// Processes the next event.
    pub(crate) fn erase_event(&mut self, seq: u64, at: Timestamp, event: &Event) -> Erased {
        let is_erased = self.whole || self.is_in_erased_step(event);
        if is_erased {
            self.note_step(seq, event);
        }
        let mut values = if is_erased { self.values_of_event(seq, event) } else { Vec::new() };
        values.retain(|seq| !self.is_kept_for_output(*seq));
        let event_left = self.without_errors(event, is_erased);
        if let Event::ResultReused { .. } = event {
            self.reused.insert(seq);
        }
        self.run.apply_event(seq, at, event);
        Erased { values, event: event_left }
    }

    /// Returns whether an event belongs to a step that is erased.
    fn is_in_erased_step(&self, event: &Event) -> bool {
        if let Event::OperationAccepted { effect, .. } = event
            && let Some(orphan) = self.run.control.orphans.get(effect)
        {
            return self.steps.contains(&orphan.step);
        }
        event.changed_frames().next().is_some_and(|frame| self.is_inside(frame))
    }

    /// Returns whether the module that a list is at, or an enclosing one, is erased.
    fn is_inside(&self, frame: u64) -> bool {
        let mut next = Some(frame);
        let mut handles = false;
        while let Some((id, state)) = next.and_then(|id| Some((id, self.run.control.frames.get(&id)?))) {
            if !handles && self.run.module_at(id).is_some_and(|definition| self.is_due(definition)) {
                return true;
            }
            let parent = state.parent.and_then(|id| self.run.control.frames.get(&id));
            // An error handler does not belong to the step whose error it handles.
            handles = state.handler && parent.is_some_and(|parent| !parent.handler);
            next = state.parent;
        }
        false
    }

    fn is_due(&self, definition: &ModuleDef) -> bool {
        let flow =
            definition.flow.and_then(|flow| self.run.program.flows.get(flow)).and_then(|flow| flow.erase_after_s);
        definition.module.erase_after_s().into_iter().chain(flow).any(|after| after <= self.due_s)
    }

    /// Records the step that an event starts.
    fn note_step(&mut self, seq: u64, event: &Event) {
        if let Event::StepStarted { frame, step_id, .. } | Event::StepPassed { frame, step_id, .. } = event {
            let step = self.run.control.frames.get(frame).and_then(|frame| frame.step.as_ref());
            self.steps.insert(step.map_or(seq, |step| step.ordinal));
            self.step_ids.insert(step_id.clone());
        }
    }

    /// Returns the events whose values are erased together with an event.
    fn values_of_event(&self, seq: u64, event: &Event) -> Vec<u64> {
        let reused = event.outcome_row().filter(|row| self.reused.contains(row));
        std::iter::once(seq).chain(event.taken_approvals().iter().copied()).chain(reused).collect()
    }

    /// Returns the event with its error redacted, if that changes it. The end of the job is only changed with the flow
    /// itself.
    fn without_errors(&self, event: &Event, is_erased: bool) -> Option<Event> {
        let mut left = event.clone();
        if let Event::JobReopened { state } = &mut left {
            self.redact_errors(state);
            return (left != *event).then_some(left);
        }
        let is_jobs = left.job_error_mut().is_some();
        let error = if is_jobs { left.job_error_mut().filter(|_| self.whole) } else { left.step_error_mut() }?;
        if !is_erased && !self.came_from_erased(error) {
            return None;
        }
        *error = redact_error(error);
        (left != *event).then_some(left)
    }

    /// Redacts the errors of erased steps in a control state.
    fn redact_errors(&self, state: &mut Value) {
        match state {
            Value::Object(fields) => {
                for (key, value) in fields {
                    if key == "error" && value.is_object() && (self.whole || self.came_from_erased(value)) {
                        *value = redact_error(value);
                    } else {
                        self.redact_errors(value);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_errors(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn came_from_erased(&self, error: &Value) -> bool {
        error.get("step_id").and_then(Value::as_str).is_some_and(|id| self.step_ids.contains(id))
    }

    /// Returns whether a step's calls are erased; valid after its events have been processed.
    pub(crate) fn has_step(&self, ordinal: u64) -> bool {
        self.whole || self.steps.contains(&ordinal)
    }

    /// Returns the row of a step without erased data, if it changes; valid after its events have been processed.
    pub(crate) fn erase_step(&self, row: &StepRow) -> Option<StepRow> {
        let mut left = row.clone();
        let is_erased = self.has_step(row.ordinal);
        if is_erased {
            left.input = left.input.map(|_| ValueRef::Erased);
            left.output = left.output.map(|_| ValueRef::Erased);
        }
        left.error = left.error.map(|error| {
            let goes = is_erased || self.came_from_erased(&error);
            if goes { redact_error(&error) } else { error }
        });
        (left != *row).then_some(left)
    }

    /// Returns the outcome of a step that was taken over from an earlier run, without erased data; valid after all
    /// events have been processed.
    pub(crate) fn erase_reused_result(&self, reused: &ReusedResult, step_id: &str) -> ReusedResult {
        let goes = self.whole || self.step_ids.contains(step_id);
        ReusedResult {
            error: reused.error.as_ref().map(|error| if goes { redact_error(error) } else { error.clone() }),
            ..*reused
        }
    }

    /// Returns the job's row without erased data.
    pub(crate) fn redact_state(&self, state: JobState) -> JobState {
        if !self.whole {
            return state;
        }
        JobState {
            output: state.output.map(|_| ValueRef::Erased),
            error: state.error.as_ref().map(redact_error),
            ..state
        }
    }
}

/// Removes everything from an error object that may contain values: its name and its step are kept.
fn redact_error(error: &Value) -> Value {
    let mut left = json!({"name": error.get("name").cloned().unwrap_or_default(), "message": "erased"});
    if let Some(step_id) = error.get("step_id") {
        left["step_id"] = step_id.clone();
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Operation;
    use crate::engine::{Answer, Effect, Fact, Input, PreparedStep, Recorded};
    use crate::ports::JobBundle;

    const NOW: Timestamp = Timestamp(0);

    fn program(value: Value) -> Arc<Program> {
        let bundle = JobBundle { document: json!({"value": value}), ..JobBundle::default() };
        Arc::new(Program::compile_bundle(&bundle).expect("a document"))
    }

    /// Returns the journal of a call that is cancelled during its submit and accepted after that.
    fn cancelled_journal(program: Arc<Program>) -> Vec<Recorded> {
        let mut run = Run::new(program);
        let mut journal = Run::create(1, false, json!({"text": "input"}), NOW);
        run.apply_event(1, NOW, &journal[0].event);
        let mut take = |run: &mut Run, input| journal.extend(run.decide_and_apply(NOW, input));
        take(&mut run, Input::Tick);
        let Some(Effect::Prepare(asked)) = run.next_free_effect() else { panic!("a step can begin") };
        let prepared = PreparedStep::Inputs { args: json!({"a": 1}), cache: None, timeout_ms: 1_000, bound_ms: None };
        take(&mut run, Input::Prepared { frame: asked.frame, prepared, bound_ms: None });
        let Some(Effect::Call(call)) = run.pending_effects().into_iter().next() else { panic!("a call is open") };
        let effect = call.effect;
        take(&mut run, Input::Fact(Fact::Cancel { reason: String::new(), by: None }));
        let operation = Box::new(Operation { id: Some("p-1".to_owned()), ..Operation::default() });
        let accepted = Answer::Accepted { operation, provider_id: None, poll_at: NOW, deadline: NOW };
        for answer in [accepted, Answer::Cancelled] {
            take(&mut run, Input::Fact(Fact::Answered { effect, answer }));
        }
        assert!(run.status().is_final());
        journal
    }

    /// Returns the events that lose their values.
    fn erased_value(value: Value, spared: BTreeSet<u64>) -> Vec<&'static str> {
        let program = program(value);
        let journal = cancelled_journal(program.clone());
        let mut eraser = Eraser::new(program, NOW, NOW, spared);
        let mut gone = BTreeSet::new();
        for recorded in &journal {
            gone.extend(eraser.erase_event(recorded.seq, recorded.at, &recorded.event).values);
        }
        let values = journal.iter().filter(|recorded| recorded.value.is_some() && gone.contains(&recorded.seq));
        let names = [("created", "input"), ("step_started", "arguments"), ("operation_accepted", "operation")];
        let name = |recorded: &Recorded| {
            let body = serde_json::to_value(&recorded.event).expect("an event is plain data");
            names.iter().find(|(word, _)| body["type"] == *word).map_or("output", |(_, name)| name)
        };
        values.map(name).collect()
    }

    #[test]
    fn an_operation_that_was_accepted_after_the_cancellation_is_erased_with_its_step() {
        let modules = |marked: bool| json!([{"id": "a", "value": {"type": "script", "path": "node/n"}, "delete_after_use": marked}]);
        let check = |value: Value, expected: &[&str]| assert_eq!(erased_value(value, BTreeSet::new()), expected);
        check(json!({"modules": modules(false)}), &[]);
        check(json!({"modules": modules(true)}), &["arguments", "operation"]);
        check(json!({"modules": modules(false), "delete_after_secs": 1}), &[]);
        let whole = json!({"modules": modules(false), "delete_after_use": true});
        check(whole.clone(), &["input", "arguments", "operation", "output"]);
        assert_eq!(erased_value(whole, BTreeSet::from([1])).len(), 4, "nothing is spared where everything goes");
        assert_eq!(erased_value(json!({"modules": modules(true)}), BTreeSet::from([2])), ["operation"]);
    }

    #[test]
    fn moments_of_erasure_follow_each_other() {
        let module =
            |id: &str, after: Value| json!({"id": id, "value": {"type": "identity"}, "delete_after_secs": after});
        let value = json!({"delete_after_secs": 9, "modules": [
            module("a", json!(5)), module("b", json!(0)), module("c", json!(5)), module("d", Value::Null)]});
        let program = program(value);
        let end = Timestamp(1_000);
        let mut moments = Vec::new();
        let mut done = None;
        while let Some(next) = program.next_erasure(end, done) {
            moments.push(next.0);
            done = Some(next);
        }
        assert_eq!(moments, [1_000, 6_000, 10_000]);
    }

    #[test]
    fn the_newer_field_beats_the_older() {
        let check = |module: Value, expected: Option<i64>| {
            let mut with = json!({"id": "a", "value": {"type": "identity"}});
            with.as_object_mut().expect("an object").extend(module.as_object().expect("an object").clone());
            let next = program(json!({"modules": [with]})).next_erasure(NOW, None);
            assert_eq!(next.map(|moment| moment.0), expected, "{module}");
        };
        check(json!({}), None);
        check(json!({"delete_after_use": false}), None);
        check(json!({"delete_after_use": null, "delete_after_secs": null}), None);
        check(json!({"delete_after_use": true}), Some(0));
        check(json!({"delete_after_use": true, "delete_after_secs": 7}), Some(7_000));
        check(json!({"delete_after_use": false, "delete_after_secs": 7}), Some(7_000));
    }
}
