//! Records how a job starts, is reopened, and ends.

use serde::Deserialize as _;
use serde_json::Value;

use crate::engine::control_state::{Control, Frame, ResultScope, Stage};
use crate::engine::{Ending, Run};
use crate::money::Cost;
use crate::ports::{Args, JobStatus, StepStatus, Timestamp, ValueRef};

impl Control {
    pub(in crate::engine) fn new() -> Self {
        Self {
            status: JobStatus::Pending,
            seq: 0,
            seed: 0,
            next_frame: 0,
            retry_count: 0,
            created_at: Timestamp(0),
            started_at: None,
            finished_at: None,
            frames: std::collections::BTreeMap::new(),
            scopes: std::collections::BTreeMap::new(),
            effects: std::collections::BTreeMap::new(),
            orphans: std::collections::BTreeMap::new(),
            approvals: Vec::new(),
            ending: None,
            cost: Cost::default(),
            fresh: false,
        }
    }
}

pub(super) fn record_creation(run: &mut Run, seq: u64, at: Timestamp, seed: u64, preprocess: bool) {
    let args = Args::without_loop(ValueRef::Row(seq));
    let flow = run.program.flows.first();
    let preprocessor = flow.and_then(|flow| flow.preprocessor).filter(|_| preprocess);
    run.control.seed = seed;
    run.control.created_at = at;
    run.control.next_frame = 1;
    run.control.scopes.insert(0, ResultScope::default());
    let frame = Frame {
        flow: 0,
        env: 0,
        list: preprocessor.or(flow.map(|flow| flow.list)).unwrap_or_default(),
        cursor: 0,
        parent: None,
        slot: 0,
        depth: 0,
        handler: false,
        entered: preprocessor.is_some() || flow.is_none_or(|flow| !flow.has_entry_questions()),
        preprocessing: preprocessor.is_some(),
        cache: None,
        resumes: Vec::new(),
        previous: args.to_value_ref(),
        args,
        scope: 0,
        path: String::new(),
        step: None,
    };
    run.control.frames.insert(0, frame);
}

pub(super) fn mark_started(run: &mut Run, at: Timestamp) {
    run.control.status = JobStatus::Running;
    run.control.started_at.get_or_insert(at);
}

/// Restores an earlier control state; counters continue from their current values.
pub(super) fn record_reopening(run: &mut Run, seq: u64, state: &Value) {
    let Ok(earlier) = Control::deserialize(state) else { return };
    let next_frame = run.control.next_frame.max(earlier.next_frame);
    let retry_count = run.control.retry_count.max(earlier.retry_count);
    // What was counted stays counted.
    let cost = std::mem::take(&mut run.control.cost);
    run.control = Control { seq, next_frame, retry_count, cost, ..earlier };
    for step in run.control.frames.values_mut().filter_map(|frame| frame.step.as_mut()) {
        // The search without a result is over; another one starts.
        if let Stage::Call(open) = &mut step.stage {
            open.recovery = None;
        }
    }
    for row in run.control.frames.values().filter_map(|frame| frame.step.as_ref()).map(|step| &step.row) {
        run.rows.insert(row.ordinal, row.clone());
    }
}

pub(super) fn record_cancel_request(run: &mut Run, at: Timestamp) {
    end_job(run, at, Ending::new(JobStatus::Cancelled, None));
}

pub(super) fn end_job(run: &mut Run, at: Timestamp, ending: Ending) {
    for frame in std::mem::take(&mut run.control.frames).into_values() {
        give_up(run, at, frame, ending.status);
    }
    run.control.effects.clear();
    run.control.scopes.clear();
    run.control.approvals.clear();
    run.control.ending = Some(ending);
}

/// Removes a frame from the run: a call in flight becomes an orphan, a running step ends as cancelled.
pub(super) fn give_up(run: &mut Run, at: Timestamp, frame: Frame, status: JobStatus) {
    let Some(step) = frame.step else { return };
    if let Stage::Call(open) = step.stage {
        run.control.effects.remove(&open.effect);
        run.control.orphans.insert(open.effect, open);
    }
    let mut row = step.row;
    if row.is_over() {
        return;
    }
    let failed = status == JobStatus::Failed && row.error.is_some();
    row.status = if failed { StepStatus::Failed } else { StepStatus::Cancelled };
    row.finished_at.get_or_insert(at);
    row.retry_at = None;
    row.approval = None;
    run.rows.insert(row.ordinal, row);
}
