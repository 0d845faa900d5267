//! All steps of a workflow by id, with their position in its tree of lists.

use std::collections::BTreeMap;

use crate::openflow::{Module, OpenFlow, Place, each_list};

/// Index of the list `modules` of the workflow, which no module contains.
pub(super) const MAIN_LIST: usize = 0;
/// Index of the list that contains only the failure handler.
pub(super) const FAILURE_LIST: usize = 1;
/// Index of the list that contains only the preprocessor.
pub(super) const PREPROCESSOR_LIST: usize = 2;

/// Key of a list of modules: the step that contains it, and its index there.
pub(super) type ListKey = (Option<usize>, usize);

/// A module and its position.
#[derive(Debug)]
pub(super) struct CheckedStep<'f> {
    pub(super) module: &'f Module,
    pub(super) pointer: String,
    pub(super) list: ListKey,
    pub(super) position: usize,
}

/// All steps, each before the steps that it contains.
#[derive(Debug, Default)]
pub(super) struct Steps<'f> {
    pub(super) all: Vec<CheckedStep<'f>>,
    /// The first step with each id.
    by_id: BTreeMap<&'f str, usize>,
    /// The step of each module, by the module's address in memory.
    by_address: BTreeMap<usize, usize>,
}

impl<'f> Steps<'f> {
    pub(super) fn of_flow(flow: &'f OpenFlow) -> Self {
        let mut steps = Self::default();
        let root = Place::ROOT;
        let value = root.key("value");
        if let Some(module) = &flow.value.preprocessor_module {
            steps.add_module(module, &value.key("preprocessor_module"), (None, PREPROCESSOR_LIST), 0);
            steps.by_id.entry("preprocessor").or_insert(steps.all.len() - 1);
        }
        steps.list(&flow.value.modules, &value.key("modules"), (None, MAIN_LIST));
        if let Some(module) = &flow.value.failure_module {
            let index = steps.all.len();
            steps.add_module(module, &value.key("failure_module"), (None, FAILURE_LIST), 0);
            steps.by_id.entry("failure").or_insert(index);
        }
        steps
    }

    /// Returns the step with an id; the first one if there are several.
    pub(super) fn find_step(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Returns the step of a module of the workflow.
    pub(super) fn of_module(&self, module: &Module) -> usize {
        self.by_address.get(&module_address(module)).copied().unwrap_or_default()
    }

    /// Returns the previous step in the same list.
    pub(super) fn step_before(&self, step: usize) -> Option<usize> {
        let list = self.all[step].list;
        (0..step).rev().take_while(|_| self.all[step].position > 0).find(|&before| self.all[before].list == list)
    }

    /// Returns the ids of all steps, sorted.
    pub(super) fn step_ids(&self) -> impl Iterator<Item = &'f str> + '_ {
        self.by_id.keys().copied()
    }

    /// Returns the steps that contain a step, outermost first, and the step itself.
    pub(super) fn path_to(&self, step: usize) -> Vec<usize> {
        let mut path = vec![step];
        let mut last = step;
        while let Some(holder) = self.all[last].list.0 {
            path.push(holder);
            last = holder;
        }
        path.reverse();
        path
    }

    fn list(&mut self, modules: &'f [Module], place: &Place<'_>, list: ListKey) {
        for (position, module) in modules.iter().enumerate() {
            self.add_module(module, &place.index(position), list, position);
        }
    }

    fn add_module(&mut self, module: &'f Module, place: &Place<'_>, list: ListKey, position: usize) {
        let index = self.all.len();
        let pointer = place.pointer();
        self.by_address.insert(module_address(module), index);
        self.all.push(CheckedStep { module, pointer, list, position });
        if !module.id.is_empty() {
            self.by_id.entry(&module.id).or_insert(index);
        }
        each_list(&module.value, &place.key("value"), &mut |number, modules, place| {
            self.list(modules, place, (Some(index), number));
        });
    }
}

fn module_address(module: &Module) -> usize {
    std::ptr::from_ref(module).addr()
}
