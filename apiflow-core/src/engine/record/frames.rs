//! Lists of modules inside a module: opened and closed.

use super::{set_stage, step_of};
use crate::engine::control::{Failure, Frame, Scope, Stage};
use crate::engine::{Args, Run, Start, ValueRef};
use crate::openflow::ModuleValue;

/// A branch, an iteration, a sub-flow or an error handler begins.
pub(super) fn opened(run: &mut Run, parent: u64, child: u64, slot: u64, handler: bool) {
    run.control.next_frame = child + 1;
    let Some(module) = run.module_at(parent) else { return };
    let (module_id, children, flow) = (module.module.id.clone(), module.children.clone(), module.flow);
    let Some(state) = run.control.frames.get(&parent) else { return };
    let Some(step) = &state.step else { return };
    let mut frame = Frame {
        cursor: 0,
        parent: Some(parent),
        slot,
        depth: state.depth + 1,
        handler: state.handler || handler,
        entered: true,
        step: None,
        path: child_path(&state.path, &module_id, slot, handler),
        ..state.clone()
    };
    if handler {
        frame.list = run.program.flows.get(state.flow).and_then(|flow| flow.failure).unwrap_or_default();
        frame.previous = step.result.clone();
        set_stage(run, parent, Stage::Handling { result: None });
    } else {
        let own_scope = match &step.start {
            Start::Call { .. } | Start::Nothing => return,
            Start::Branch { chosen } => {
                let default = children.len().saturating_sub(1);
                let index = chosen.map_or(default, |chosen| chosen as usize);
                frame.list = children.get(index).copied().unwrap_or_default();
                false
            }
            Start::Branches { sequential, .. } => {
                frame.list = children.get(slot as usize).copied().unwrap_or_default();
                !*sequential
            }
            Start::Loop { length, sequential, .. } => {
                frame.list = children.first().copied().unwrap_or_default();
                let items = step.row.input.as_ref().and_then(|input| serde_json::from_value(input.clone()).ok());
                let value = match (length, items) {
                    (Some(_), Some(items)) => ValueRef::Item(Box::new(items), slot),
                    _ => ValueRef::Index(slot),
                };
                frame.args = state.args.with_iter(slot, value);
                !*sequential
            }
            Start::Flow => {
                frame.flow = flow.unwrap_or_default();
                let definition = run.program.flows.get(frame.flow);
                frame.list = definition.map_or(0, |flow| flow.list);
                // Its own error handler is its own affair, also where it is called by one.
                frame.handler = false;
                frame.entered = definition.is_none_or(|flow| flow.skip_expr.is_none());
                if definition.is_some_and(|flow| flow.env.is_some()) {
                    frame.env = frame.flow;
                }
                let input = step.row.input.as_ref().and_then(|input| serde_json::from_value(input.clone()).ok());
                frame.args = Args::of(input.unwrap_or(ValueRef::Null));
                true
            }
        };
        frame.previous = frame.args.value();
        if own_scope {
            frame.scope = child;
            run.control.scopes.insert(child, Scope { parent: Some(state.scope), ..Scope::default() });
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

/// A branch, an iteration, a sub-flow or an error handler ends.
pub(super) fn closed(run: &mut Run, parent: u64, child: u64, slot: u64, result: &ValueRef, failure: Option<Failure>) {
    let Some(closed) = run.control.frames.remove(&child) else { return };
    let keeps_scope = run.module_at(parent).is_some_and(|def| matches!(def.module.value, ModuleValue::BranchAll(_)));
    let own_scope = closed.scope == child;
    if own_scope && !keeps_scope {
        run.control.scopes.remove(&child);
    }
    let Some(step) = step_of(run, parent) else { return };
    if let Stage::Handling { result: handled } = &mut step.stage {
        *handled = Some(result.clone());
        if let Some(failure) = failure {
            // The handler's own failure takes the place of the one that it was to handle.
            step.error = Some(failure.error);
            step.result = failure.result;
            step.handled = true;
            step.stage = Stage::Lost;
        }
        return;
    }
    if let Some(children) = &mut step.children {
        children.open.remove(&child);
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
