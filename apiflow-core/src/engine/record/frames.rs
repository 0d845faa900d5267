//! Records lists inside modules: opened and closed.

use super::job::give_up;
use super::{set_stage, step_of};
use crate::engine::control_state::{Failure, Frame, ResultScope, Stage};
use crate::engine::{Run, Start};
use crate::openflow::Nesting;
use crate::ports::{Args, JobStatus, Timestamp, ValueRef};

/// Records the end of the preprocessor: its result, converted to an object, is the flow's input.
pub(super) fn finish_preprocessing(run: &mut Run, frame: u64) {
    let program = run.program.clone();
    let Some(state) = run.control.frames.get_mut(&frame) else { return };
    let Some(flow) = program.flows.get(state.flow) else { return };
    // Arguments are always an object, whatever the preprocessor returned.
    let input = ValueRef::Args(Args::without_loop(state.previous.clone()));
    state.args = Args::without_loop(input.clone());
    state.previous = input;
    state.preprocessing = false;
    state.list = flow.list;
    state.cursor = 0;
    state.entered = !flow.has_entry_questions();
}

/// Records the start of a branch, an iteration, a sub-flow or an error handler.
pub(super) fn open_frame(run: &mut Run, parent: u64, child: u64, slot: u64, handler: bool) {
    run.control.next_frame = child + 1;
    let Some(module) = run.module_at(parent) else { return };
    let (module_id, flow) = (module.module.id.clone(), module.flow);
    // Without copying all branches, of which there may be many.
    let list_of = |index: usize| module.children.get(index).copied().unwrap_or_default();
    let Some(state) = run.control.frames.get(&parent) else { return };
    let Some(step) = &state.step else { return };
    // Without copying the parent, whose step contains all open children.
    let mut frame = Frame {
        flow: state.flow,
        env: state.env,
        list: state.list,
        cursor: 0,
        parent: Some(parent),
        slot,
        depth: state.depth + 1,
        handler: state.handler || handler,
        entered: true,
        preprocessing: false,
        cache: None,
        resumes: Vec::new(),
        step: None,
        path: child_path(&state.path, &module_id, slot, handler),
        args: state.args.clone(),
        previous: state.previous.clone(),
        scope: state.scope,
    };
    if handler {
        frame.list = run.program.flows.get(state.flow).and_then(|flow| flow.failure).unwrap_or_default();
        frame.previous = step.result.clone();
        set_stage(run, parent, Stage::Handling { result: None });
    } else {
        let own_scope = match &step.start {
            Start::Call { .. } | Start::Nothing | Start::Code => return,
            Start::Branch { chosen } => {
                let default = module.children.len().saturating_sub(1);
                frame.list = list_of(chosen.map_or(default, |chosen| chosen as usize));
                false
            }
            Start::Branches { sequential, .. } => {
                frame.list = list_of(slot as usize);
                !*sequential
            }
            Start::Loop { length, sequential, .. } => {
                frame.list = list_of(0);
                let value = match (length, &step.row.input) {
                    (Some(_), Some(items)) => ValueRef::Item(Box::new(items.clone()), slot),
                    _ => ValueRef::Index(slot),
                };
                frame.args = state.args.with_iter(slot, value);
                !*sequential
            }
            Start::Flow => {
                frame.flow = flow.unwrap_or_default();
                let definition = run.program.flows.get(frame.flow);
                frame.list = definition.map_or(0, |flow| flow.list);
                // A sub-flow has its own error handler, even if an error handler calls it.
                frame.handler = false;
                frame.entered = definition.is_none_or(|flow| !flow.has_entry_questions());
                if definition.is_some_and(|flow| flow.env.is_some()) {
                    frame.env = frame.flow;
                }
                frame.args = Args::without_loop(step.row.input.clone().unwrap_or(ValueRef::Null));
                true
            }
        };
        frame.previous = frame.args.to_value_ref();
        if own_scope {
            frame.scope = child;
            run.control.scopes.insert(child, ResultScope { parent: Some(state.scope), ..ResultScope::default() });
        }
        set_stage(run, parent, Stage::Children);
        if let Some(children) = step_of(run, parent).and_then(|step| step.children.as_mut()) {
            children.next = slot + 1;
            children.open.insert(child);
        }
    }
    run.control.frames.insert(child, frame);
}

fn child_path(path: &str, module_id: &str, slot: u64, handler: bool) -> String {
    let slash = if path.is_empty() { "" } else { "/" };
    if handler { format!("{path}{slash}{module_id}[failure]") } else { format!("{path}{slash}{module_id}[{slot}]") }
}

/// Records the end of a branch, an iteration, a sub-flow or an error handler.
pub(super) fn close_frame(
    run: &mut Run,
    parent: u64,
    child: u64,
    slot: u64,
    result: &ValueRef,
    failure: Option<Failure>,
) {
    let Some(closed) = run.control.frames.remove(&child) else { return };
    let keeps_scope =
        run.module_at(parent).is_some_and(|def| matches!(def.module.value.nesting(), Nesting::AllBranches { .. }));
    let own_scope = closed.scope == child;
    if own_scope && !keeps_scope {
        run.control.scopes.remove(&child);
    }
    let Some(step) = step_of(run, parent) else { return };
    if let Stage::Handling { result: handled } = &mut step.stage {
        *handled = Some(result.clone());
        if let Some(failure) = failure {
            // The handler's own failure replaces the one that it should have handled.
            step.error = Some(failure.error);
            step.result = failure.result;
            step.handled = true;
            step.stage = Stage::Lost;
        }
        return;
    }
    if let Some(children) = &mut step.children {
        children.open.remove(&child);
        if children.race && failure.is_none() {
            children.winner = Some(slot);
        }
        children.last = Some(result.clone());
        if own_scope && keeps_scope {
            children.scopes.insert(slot, child);
        }
        if let Some(failure) = failure
            && children.failure.as_ref().is_none_or(|(known, _)| slot < *known)
        {
            children.failure = Some((slot, failure));
        }
    }
    if matches!(step.start, Start::Loop { sequential: true, .. }) {
        step.stage = Stage::Iterated;
    }
}

/// Records the winner of a race: the open work of other branches is dropped, and their results are not visible.
pub(super) fn drop_race_losers(run: &mut Run, at: Timestamp, frame: u64, slot: u64) {
    let Some(children) = step_of(run, frame).and_then(|step| step.children.as_mut()) else { return };
    let losers = std::mem::take(&mut children.open);
    let winner = children.scopes.remove(&slot);
    let unseen = std::mem::take(&mut children.scopes);
    children.scopes.extend(winner.map(|scope| (slot, scope)));
    for scope in unseen.values() {
        run.control.scopes.remove(scope);
    }
    for child in losers {
        drop_frame(run, at, child);
    }
}

/// Records a timeout of a module that contains others: its open work is dropped.
pub(super) fn drop_slow_children(run: &mut Run, at: Timestamp, frame: u64) {
    let Some(step) = step_of(run, frame) else { return };
    step.until = None;
    let Some(children) = step.children.as_mut() else { return };
    for child in std::mem::take(&mut children.open) {
        drop_frame(run, at, child);
    }
}

/// Drops a frame with everything inside it.
fn drop_frame(run: &mut Run, at: Timestamp, frame: u64) {
    let Some(state) = run.control.frames.remove(&frame) else { return };
    for child in child_frames(run, frame, &state) {
        drop_frame(run, at, child);
    }
    if let Some(children) = state.step.as_ref().and_then(|step| step.children.as_ref()) {
        for scope in children.scopes.values() {
            run.control.scopes.remove(scope);
        }
    }
    if state.scope == frame {
        run.control.scopes.remove(&frame);
    }
    give_up(run, at, state, JobStatus::Cancelled);
}

/// Returns the frames that run inside a frame's current module.
fn child_frames(run: &Run, frame: u64, state: &Frame) -> Vec<u64> {
    let Some(step) = &state.step else { return Vec::new() };
    let mut inside: Vec<u64> = step.children.iter().flat_map(|children| children.open.iter().copied()).collect();
    if matches!(step.stage, Stage::Handling { .. }) {
        let handler = run.control.frames.iter().find(|(_, child)| child.parent == Some(frame) && child.handler);
        inside.extend(handler.map(|(&child, _)| child));
    }
    inside
}
