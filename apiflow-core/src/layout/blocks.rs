//! Builds the tree of blocks from a workflow and measures them: lists, loops and fans of lists.

use std::collections::BTreeSet;

use serde_json::Value;

use super::metrics::{Metrics, Size};
use crate::openflow::{Module, Nesting, ParsedDocument, Place, StepGroup, find_groups};

/// The card of a module.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) id: String,
    pub(super) pointer: String,
    pub(super) kind: &'static str,
    pub(super) label: String,
}

/// A part of the diagram with one entry and one exit, both on its axis.
#[derive(Debug)]
pub(super) enum Block {
    /// A module without lists.
    Step(Card),
    /// A loop around a list.
    Loop(Card, StepList),
    /// A branch and its lists.
    Fork(Card, Vec<BranchLane>),
    /// A group: a frame around steps of a list, with a header whose text takes some space.
    Group(Card, StepList, GroupHeader),
}

/// What the header of a group shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupHeader {
    Title,
    TitleAndNote,
}

/// The blocks of one list of modules, or of a part of it.
#[derive(Debug, Default)]
pub(super) struct StepList {
    /// JSON Pointer of the list; empty if the document has no such list.
    pub(super) pointer: String,
    pub(super) blocks: Vec<Block>,
    /// Indices in the document's list at which the blocks begin, and that of the end; `None` for the preprocessor.
    pub(super) indices: Vec<Option<usize>>,
}

impl StepList {
    /// Returns the JSON Pointer at which a module has to be inserted to stand before the block with this index, or at
    /// the end.
    pub(super) fn insertion_pointer(&self, block: usize) -> Option<String> {
        let index = (*self.indices.get(block)?)?;
        (!self.pointer.is_empty()).then(|| format!("{}/{index}", self.pointer))
    }

    /// Puts the blocks from one index of the document's list to another into a group. Groups inside it are built
    /// before, so that none of its blocks is only partly in it.
    fn wrap_group(&mut self, card: Card, header: GroupHeader, first: usize, last: usize) {
        let find = |index: usize| self.indices.iter().position(|found| *found == Some(index));
        let (Some(from), Some(until)) = (find(first), find(last + 1)) else { return };
        let blocks: Vec<Block> = self.blocks.drain(from..until).collect();
        let indices = self.indices[from..=until].to_vec();
        self.indices.drain(from + 1..until);
        self.blocks.insert(from, Block::Group(card, Self { pointer: self.pointer.clone(), blocks, indices }, header));
    }
}

/// One list of a branch.
#[derive(Debug)]
pub(super) struct BranchLane {
    pub(super) label: String,
    pub(super) list: StepList,
}

/// The whole diagram as blocks.
#[derive(Debug)]
pub(super) struct Picture {
    /// The program between start and end.
    pub(super) main: StepList,
    /// The failure handler, beside the program.
    pub(super) failure: Option<Block>,
    /// Pointer of what the start marker stands for.
    pub(super) start_pointer: &'static str,
}

impl Picture {
    pub(super) fn from_document(reading: &ParsedDocument) -> Self {
        let Some(flow) = &reading.flow else {
            return Self { main: StepList::default(), failure: None, start_pointer: "" };
        };
        let mut groups: Vec<(usize, StepGroup<'_>)> = Vec::new();
        for (index, group) in find_groups(&flow.value) {
            let Ok(group) = group else { continue };
            // Those that may be inside others come first; of two with the same steps, the later one is inside.
            let at = groups.partition_point(|(_, other)| other.last - other.first < group.last - group.first);
            groups.insert(at, (index, group));
        }
        let mut builder = Builder { broken: &reading.broken, groups, used: BTreeSet::new() };
        let root = Place::ROOT;
        let value = root.key("value");
        let preprocessor = &flow.value.preprocessor_module;
        let preprocessor =
            preprocessor.as_ref().map(|module| builder.build_block(module, &value.key("preprocessor_module")));
        let mut main = builder.build_list(&flow.value.modules, &value.key("modules"));
        if let Some(block) = preprocessor {
            main.blocks.insert(0, block);
            main.indices.insert(0, None);
        }
        let failure = flow
            .value
            .failure_module
            .as_deref()
            .map(|module| builder.build_block(module, &value.key("failure_module")));
        Self { main, failure, start_pointer: if flow.schema.is_some() { "/schema" } else { "" } }
    }

    /// Returns the size along and across the flow, without and with the failure handler.
    pub(super) fn measure_flow(&self, metrics: &Metrics) -> (Size, Size) {
        let list = list_size(&self.main.blocks, metrics);
        let inner = if self.main.blocks.is_empty() { metrics.gap } else { list.main + 2 * metrics.gap };
        let body = Size { main: inner + 2 * metrics.marker.main, cross: list.cross.max(metrics.marker.cross) };
        let whole = match &self.failure {
            None => body,
            Some(block) => {
                let size = block.size(metrics);
                Size { main: body.main.max(size.main), cross: body.cross + 2 * metrics.lane_gap + size.cross }
            }
        };
        (body, whole)
    }

    /// Returns the width and height of the diagram.
    pub(super) fn size(&self, metrics: &Metrics) -> (i32, i32) {
        let (_, whole) = self.measure_flow(metrics);
        metrics.xy_of(whole.main, whole.cross)
    }
}

impl Block {
    /// Returns the size of the block with its contents.
    pub(super) fn size(&self, metrics: &Metrics) -> Size {
        match self {
            Block::Step(_) => metrics.card,
            Block::Loop(_, body) => {
                let list = list_size(&body.blocks, metrics);
                let inner = if body.blocks.is_empty() { metrics.gap } else { list.main + 2 * metrics.gap };
                Size {
                    main: 2 * metrics.pad + metrics.card.main + inner + metrics.marker.main,
                    cross: list.cross.max(metrics.card.cross) + 2 * metrics.side,
                }
            }
            Block::Fork(_, lanes) => {
                let fan = lanes_size(lanes, metrics);
                Size {
                    main: metrics.card.main + 2 * metrics.fan + fan.main + metrics.join.main,
                    cross: fan.cross.max(metrics.card.cross),
                }
            }
            Block::Group(_, body, header) => {
                let list = list_size(&body.blocks, metrics);
                Size {
                    main: metrics.group_header(*header) + list.main + metrics.group_pad,
                    cross: list.cross + 2 * metrics.group_side,
                }
            }
        }
    }
}

/// Returns the size of a list of blocks.
pub(super) fn list_size(blocks: &[Block], metrics: &Metrics) -> Size {
    let gaps = metrics.gap * i32::try_from(blocks.len().saturating_sub(1)).unwrap_or(0);
    let start = Size { main: gaps, cross: metrics.empty_lane };
    blocks.iter().fold(start, |sum, block| {
        let size = block.size(metrics);
        Size { main: sum.main + size.main, cross: sum.cross.max(size.cross) }
    })
}

/// Returns the size of lists side by side.
pub(super) fn lanes_size(lanes: &[BranchLane], metrics: &Metrics) -> Size {
    let gaps = metrics.lane_gap * i32::try_from(lanes.len().saturating_sub(1)).unwrap_or(0);
    let start = Size { main: 0, cross: gaps };
    lanes.iter().fold(start, |sum, lane| {
        let size = list_size(&lane.list.blocks, metrics);
        Size { main: sum.main.max(size.main), cross: sum.cross + size.cross }
    })
}

struct Builder<'r> {
    broken: &'r BTreeSet<String>,
    /// The groups with their indices, inner ones first.
    groups: Vec<(usize, StepGroup<'r>)>,
    used: BTreeSet<String>,
}

impl Builder<'_> {
    fn build_list(&mut self, modules: &[Module], place: &Place<'_>) -> StepList {
        let blocks: Vec<Block> =
            modules.iter().enumerate().map(|(index, module)| self.build_block(module, &place.index(index))).collect();
        let mut list = StepList { pointer: place.pointer(), blocks, indices: (0..=modules.len()).map(Some).collect() };
        for (index, group) in &self.groups {
            if std::ptr::eq(group.list, modules) {
                let text = |field: &str| group.fields.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
                let pointer = Place::ROOT.key("value").key("groups").index(*index).pointer();
                let card = Card { id: pointer.clone(), pointer, kind: "step_group", label: text("summary") };
                let header =
                    if text("note").trim().is_empty() { GroupHeader::Title } else { GroupHeader::TitleAndNote };
                list.wrap_group(card, header, group.first, group.last);
            }
        }
        list
    }

    fn build_block(&mut self, module: &Module, place: &Place<'_>) -> Block {
        let card = self.build_card(module, place);
        let value = place.key("value");
        let lists = module.value.child_lists().into_iter().enumerate();
        let mut lanes = lists.map(|(index, list)| BranchLane {
            label: list.label.map_or_else(|| format!("branch {}", index + 1), str::to_owned),
            list: list.visit_at(&value, |place| self.build_list(list.modules, place)),
        });
        match module.value.nesting() {
            Nesting::None => Block::Step(card),
            Nesting::Loop { .. } => Block::Loop(card, lanes.next().map(|lane| lane.list).unwrap_or_default()),
            Nesting::OneBranch | Nesting::AllBranches { .. } => Block::Fork(card, lanes.collect()),
        }
    }

    fn build_card(&mut self, module: &Module, place: &Place<'_>) -> Card {
        let pointer = place.pointer();
        let broken = self.broken.contains(&pointer) || self.broken.contains(&place.key("value").pointer());
        let kind = if broken { "unknown" } else { module.value.kind_name() };
        let own = !module.id.is_empty() && !module.id.starts_with('@') && !self.used.contains(&module.id);
        let id = if own { module.id.clone() } else { pointer.clone() };
        self.used.insert(id.clone());
        let said = [module.summary.as_deref(), Some(&module.id)];
        let label = said.into_iter().flatten().find(|text| !text.trim().is_empty());
        Card { id, pointer, kind, label: label.unwrap_or(kind).to_owned() }
    }
}
