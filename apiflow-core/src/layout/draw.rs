//! Places the blocks and draws the edges between them.

use std::collections::BTreeSet;

use super::blocks::{Block, BranchLane, Card, Picture, StepList, lanes_size, list_size};
use super::edge_path::{Point, svg_path};
use super::metrics::{Metrics, Size};
use super::{Layout, LayoutEdge, LayoutNode};

/// A drawn node on an axis: its index, and its start and end along the flow.
#[derive(Debug, Clone, Copy)]
struct Spot {
    node: usize,
    begin: i32,
    end: i32,
    axis: i32,
    half: i32,
}

impl Spot {
    fn middle_axis(&self) -> i32 {
        i32::midpoint(self.begin, self.end)
    }
}

/// What an edge is, apart from its points.
struct EdgeLabels<'l> {
    kind: &'l str,
    label: Option<&'l str>,
    insert_at: Option<String>,
}

pub(super) struct Drawing {
    metrics: Metrics,
    nodes: Vec<LayoutNode>,
    /// The edges, with the indices of the nodes that they connect.
    edges: Vec<((usize, usize), LayoutEdge)>,
    edge_ids: BTreeSet<String>,
}

impl Drawing {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, nodes: Vec::new(), edges: Vec::new(), edge_ids: BTreeSet::new() }
    }

    pub(super) fn draw_picture(mut self, picture: &Picture) -> Layout {
        let metrics = self.metrics;
        let (body, whole) = picture.measure_flow(&metrics);
        let axis = body.cross / 2;
        let marker = |id: &str, kind: &'static str, pointer: &str, label: &str| Card {
            id: id.to_owned(),
            pointer: pointer.to_owned(),
            kind,
            label: label.to_owned(),
        };
        let start = marker("@start", "start", picture.start_pointer, "start");
        let start = self.draw_node(&start, metrics.marker, 0, axis, None);
        let (last, main) = self.draw_list(&picture.main, 0, (start, start.end), axis, None);
        let end = marker("@end", "end", "", "end");
        let end = self.draw_node(&end, metrics.marker, main + metrics.gap, axis, None);
        let gap = (main, end.begin);
        self.draw_next_edge((last, end), gap, picture.main.insertion_pointer(picture.main.blocks.len()));
        if let Some(block) = &picture.failure {
            let column = body.cross + metrics.lane_gap;
            let axis = column + metrics.lane_gap + block.size(&metrics).cross / 2;
            let (first, _) = self.draw_block(block, 0, axis, None);
            let way = [
                (start.middle_axis(), start.axis + start.half),
                (start.middle_axis(), column),
                (first.middle_axis(), column),
                (first.middle_axis(), first.axis - first.half),
            ];
            let labels = EdgeLabels { kind: "failure", label: Some("on failure"), insert_at: None };
            self.draw_edge((start, first), labels, &way, way[2]);
        }
        self.edges.sort_by_key(|(nodes, _)| *nodes);
        let (width, height) = metrics.xy_of(whole.main, whole.cross);
        Layout {
            direction: metrics.direction,
            width,
            height,
            nodes: self.nodes,
            edges: self.edges.into_iter().map(|(_, edge)| edge).collect(),
        }
    }

    /// Draws the blocks of a list from an index on, one after the other behind a spot and the end of its block; returns
    /// the last spot and the end of the last block.
    fn draw_list(
        &mut self,
        list: &StepList,
        from: usize,
        before: (Spot, i32),
        axis: i32,
        parent: Option<&str>,
    ) -> (Spot, i32) {
        let (mut last, mut main) = before;
        for (index, block) in list.blocks.iter().enumerate().skip(from) {
            let begin = main + self.metrics.gap;
            let (first, exit) = self.draw_block(block, begin, axis, parent);
            self.draw_next_edge((last, first), (main, begin), list.insertion_pointer(index));
            last = exit;
            main = begin + block.size(&self.metrics).main;
        }
        (last, main)
    }

    /// Draws a block that starts at `main`; returns its first and its last spot.
    fn draw_block(&mut self, block: &Block, main: i32, axis: i32, parent: Option<&str>) -> (Spot, Spot) {
        match block {
            Block::Step(card) => {
                let spot = self.draw_node(card, self.metrics.card, main, axis, parent);
                (spot, spot)
            }
            Block::Loop(card, body) => self.draw_loop(card, body, block.size(&self.metrics), main, axis, parent),
            Block::Fork(card, lanes) => self.draw_fork(card, lanes, main, axis, parent),
            Block::Group(card, body, header) => {
                self.draw_node(card, block.size(&self.metrics), main, axis, parent);
                let begin = main + self.metrics.group_header(*header);
                self.draw_blocks(body, begin, axis, Some(&card.id))
            }
        }
    }

    /// Draws a list that is not empty; returns its first and its last spot.
    fn draw_blocks(&mut self, list: &StepList, begin: i32, axis: i32, parent: Option<&str>) -> (Spot, Spot) {
        let (first, exit) = self.draw_block(&list.blocks[0], begin, axis, parent);
        let end = begin + list.blocks[0].size(&self.metrics).main;
        let (last, _) = self.draw_list(list, 1, (exit, end), axis, parent);
        (first, last)
    }

    fn draw_loop(
        &mut self,
        card: &Card,
        body: &StepList,
        size: Size,
        main: i32,
        axis: i32,
        parent: Option<&str>,
    ) -> (Spot, Spot) {
        let metrics = self.metrics;
        let group = card_part(card, "@group", "group");
        self.draw_node(&group, size, main, axis, parent);
        let inside = Some(group.id.as_str());
        let head = self.draw_node(card, metrics.card, main + metrics.pad, axis, inside);
        let (last, inner_end) = self.draw_list(body, 0, (head, head.end), axis, inside);
        let end = card_part(card, "@end", "loop_end");
        let end = self.draw_node(&end, metrics.marker, inner_end + metrics.gap, axis, inside);
        self.draw_next_edge((last, end), (inner_end, end.begin), body.insertion_pointer(body.blocks.len()));
        let lane = axis + size.cross / 2 - metrics.side / 2;
        let way = [
            (end.middle_axis(), end.axis + end.half),
            (end.middle_axis(), lane),
            (head.middle_axis(), lane),
            (head.middle_axis(), head.axis + head.half),
        ];
        let middle = (i32::midpoint(head.middle_axis(), end.middle_axis()), lane);
        let labels = EdgeLabels { kind: "loop", label: None, insert_at: None };
        self.draw_edge((end, head), labels, &way, middle);
        (head, end)
    }

    fn draw_fork(
        &mut self,
        card: &Card,
        lanes: &[BranchLane],
        main: i32,
        axis: i32,
        parent: Option<&str>,
    ) -> (Spot, Spot) {
        let metrics = self.metrics;
        let head = self.draw_node(card, metrics.card, main, axis, parent);
        let fan = lanes_size(lanes, &metrics);
        let join_at = head.end + 2 * metrics.fan + fan.main;
        let mut open: Vec<(Option<Spot>, i32, &BranchLane)> = Vec::new();
        let mut cross = axis - fan.cross / 2;
        for lane in lanes {
            let width = list_size(&lane.list.blocks, &metrics).cross;
            let lane_axis = cross + width / 2;
            let last = self.draw_lane(lane, head, lane_axis, parent);
            open.push((last, lane_axis, lane));
            cross += width + metrics.lane_gap;
        }
        let join = self.draw_node(&card_part(card, "@join", "join"), metrics.join, join_at, axis, parent);
        for (last, lane_axis, lane) in open {
            let insert_at = lane.list.insertion_pointer(lane.list.blocks.len());
            let (fan_out, fan_in) = (head.end + metrics.fan / 2, join.begin - metrics.fan / 2);
            match last {
                Some(last) => {
                    let way = [(last.end, lane_axis), (fan_in, lane_axis), (fan_in, axis), (join.begin, axis)];
                    let labels = EdgeLabels { kind: "join", label: None, insert_at };
                    self.draw_edge((last, join), labels, &way, way[1]);
                }
                None => {
                    let way = [
                        (head.end, axis),
                        (fan_out, axis),
                        (fan_out, lane_axis),
                        (fan_in, lane_axis),
                        (fan_in, axis),
                        (join.begin, axis),
                    ];
                    let labels = EdgeLabels { kind: "branch", label: Some(&lane.label), insert_at };
                    self.draw_edge((head, join), labels, &way, way[2]);
                }
            }
        }
        if lanes.is_empty() {
            self.draw_straight_edge(head, join, EdgeLabels { kind: "join", label: None, insert_at: None });
        }
        (head, join)
    }

    /// Draws one list of a branch with the edge to it; returns its last spot.
    fn draw_lane(&mut self, lane: &BranchLane, head: Spot, axis: i32, parent: Option<&str>) -> Option<Spot> {
        let metrics = self.metrics;
        if lane.list.blocks.is_empty() {
            return None;
        }
        let (first, last) = self.draw_blocks(&lane.list, head.end + metrics.fan, axis, parent);
        let turn = head.end + metrics.fan / 2;
        let way = [(head.end, head.axis), (turn, head.axis), (turn, axis), (first.begin, axis)];
        let insert_at = lane.list.insertion_pointer(0);
        self.draw_edge((head, first), EdgeLabels { kind: "branch", label: Some(&lane.label), insert_at }, &way, way[2]);
        Some(last)
    }

    fn draw_node(&mut self, card: &Card, size: Size, main: i32, axis: i32, parent: Option<&str>) -> Spot {
        let (x, y) = self.metrics.xy_of(main, axis - size.cross / 2);
        let (width, height) = self.metrics.xy_of(size.main, size.cross);
        self.nodes.push(LayoutNode {
            id: card.id.clone(),
            pointer: card.pointer.clone(),
            kind: card.kind.to_owned(),
            label: card.label.clone(),
            parent: parent.map(str::to_owned),
            x,
            y,
            width,
            height,
        });
        Spot { node: self.nodes.len() - 1, begin: main, end: main + size.main, axis, half: size.cross / 2 }
    }

    /// Draws the edge between two spots of a list; a step is inserted in the gap between their blocks.
    fn draw_next_edge(&mut self, (from, to): (Spot, Spot), gap: (i32, i32), insert_at: Option<String>) {
        let way = [(from.end, from.axis), (to.begin, to.axis)];
        let middle = (i32::midpoint(gap.0, gap.1), from.axis);
        self.draw_edge((from, to), EdgeLabels { kind: "next", label: None, insert_at }, &way, middle);
    }

    fn draw_straight_edge(&mut self, from: Spot, to: Spot, labels: EdgeLabels<'_>) {
        let way = [(from.end, from.axis), (to.begin, to.axis)];
        let middle = (i32::midpoint(from.end, to.begin), from.axis);
        self.draw_edge((from, to), labels, &way, middle);
    }

    /// Adds an edge, whose points are given in the flow's directions.
    fn draw_edge(&mut self, ends: (Spot, Spot), labels: EdgeLabels<'_>, way: &[Point], middle: Point) {
        let points: Vec<Point> = way.iter().map(|&(main, cross)| self.metrics.xy_of(main, cross)).collect();
        let source = self.nodes[ends.0.node].id.clone();
        let target = self.nodes[ends.1.node].id.clone();
        let (label_x, label_y) = self.metrics.xy_of(middle.0, middle.1);
        let mut id = format!("{source}>{target}");
        while !self.edge_ids.insert(id.clone()) {
            id.push('+');
        }
        let edge = LayoutEdge {
            id,
            source,
            target,
            kind: labels.kind.to_owned(),
            path: svg_path(&points),
            label: labels.label.map(str::to_owned),
            insert_at: labels.insert_at,
            label_x,
            label_y,
        };
        self.edges.push(((ends.0.node, ends.1.node), edge));
    }
}

/// Creates a marker or group that belongs to a module's card.
fn card_part(card: &Card, suffix: &str, kind: &'static str) -> Card {
    Card { id: format!("{}{suffix}", card.id), pointer: card.pointer.clone(), kind, label: card.label.clone() }
}
