//! Groups of steps, which editors draw as one. They are stored in `value.groups` and have no effect on runs.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{FlowValue, Module};

/// Steps that follow one another in one list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepGroup<'d> {
    /// Id of the step that is named as the first.
    pub start: &'d str,
    /// The list.
    pub list: &'d [Module],
    /// Index of the first step.
    pub first: usize,
    /// Index of the last step.
    pub last: usize,
    /// The group in the document.
    pub fields: &'d Map<String, Value>,
}

/// Why a group does not contain steps that follow one another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GroupFault<'d> {
    /// A field names no step; it is missing if the id is empty. `other` is what the other field names.
    UnknownStep { field: &'static str, id: &'d str, other: Option<&'d str> },
    /// The first and the last step are in different lists.
    DifferentLists { start: &'d str, end: &'d str },
    /// It contains only a part of the group with the index `other`.
    Overlap { start: &'d str, other: usize },
}

/// Returns the groups of a workflow with their indices; those that are no objects are left out.
pub(crate) fn find_groups(flow: &FlowValue) -> Vec<(usize, Result<StepGroup<'_>, GroupFault<'_>>)> {
    let Some(Value::Array(groups)) = flow.extra.get("groups") else { return Vec::new() };
    let mut steps = Positions::default();
    steps.add_list(&flow.modules);
    for module in [&flow.preprocessor_module, &flow.failure_module].into_iter().flatten() {
        steps.add_lists_within(module);
    }
    let mut found: Vec<(usize, Result<StepGroup<'_>, GroupFault<'_>>)> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let Value::Object(fields) = group else { continue };
        let group = steps.place_group(fields).and_then(|group| {
            let others = found.iter().filter_map(|(index, other)| Some((*index, other.as_ref().ok()?)));
            match others.into_iter().find(|(_, other)| other.cuts(&group)) {
                Some((other, _)) => Err(GroupFault::Overlap { start: group.start, other }),
                None => Ok(group),
            }
        });
        found.push((index, group));
    }
    found
}

impl StepGroup<'_> {
    /// Returns whether the groups have steps in common, and each of them others too.
    fn cuts(&self, other: &Self) -> bool {
        let (low, high) = if self.first <= other.first { (self, other) } else { (other, self) };
        std::ptr::eq(self.list, other.list) && low.first < high.first && high.first <= low.last && low.last < high.last
    }
}

/// Where the steps are.
#[derive(Default)]
struct Positions<'d> {
    /// The place of the step with an id in `places`.
    by_id: BTreeMap<&'d str, usize>,
    /// The list of each step, and its index there.
    places: Vec<(&'d [Module], usize)>,
}

impl<'d> Positions<'d> {
    fn add_list(&mut self, list: &'d [Module]) {
        for (index, module) in list.iter().enumerate() {
            self.by_id.entry(&module.id).or_insert(self.places.len());
            self.places.push((list, index));
            self.add_lists_within(module);
        }
    }

    fn add_lists_within(&mut self, module: &'d Module) {
        for list in module.value.child_lists() {
            self.add_list(list.modules);
        }
    }

    fn place_group(&self, fields: &'d Map<String, Value>) -> Result<StepGroup<'d>, GroupFault<'d>> {
        let read = |field: &str| fields.get(field).and_then(Value::as_str);
        let place = |field: &'static str, other: &str| {
            let id = read(field).unwrap_or_default();
            let found = self.by_id.get(id).filter(|_| !id.is_empty()).map(|&place| self.places[place]);
            found.ok_or(GroupFault::UnknownStep { field, id, other: read(other) }).map(|place| (id, place))
        };
        let (start, (list, first)) = place("start_id", "end_id")?;
        let (end, (other, last)) = place("end_id", "start_id")?;
        if !std::ptr::eq(list, other) {
            return Err(GroupFault::DifferentLists { start, end });
        }
        Ok(StepGroup { start, list, first: first.min(last), last: first.max(last), fields })
    }
}
