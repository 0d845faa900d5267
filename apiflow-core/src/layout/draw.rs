//! Draws blocks at their places and the ways between them.

use std::collections::BTreeSet;

use super::blocks::{Block, Card, Lane, Picture, lanes_size, list_size};
use super::edge_path::{Point, path};
use super::metrics::{Metrics, Size};
use super::{Layout, LayoutEdge, LayoutNode};

/// A drawn node on an axis: its index, and where it begins and ends along the flow.
#[derive(Debug, Clone, Copy)]
struct Spot {
    node: usize,
    begin: i32,
    end: i32,
    axis: i32,
    half: i32,
}

impl Spot {
    fn middle(&self) -> i32 {
        i32::midpoint(self.begin, self.end)
    }
}

pub(super) struct Drawing {
    metrics: Metrics,
    nodes: Vec<LayoutNode>,
    /// The ways, with the indices of the nodes that they join.
    edges: Vec<((usize, usize), LayoutEdge)>,
    edge_ids: BTreeSet<String>,
}

impl Drawing {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, nodes: Vec::new(), edges: Vec::new(), edge_ids: BTreeSet::new() }
    }

    pub(super) fn draw(mut self, picture: &Picture) -> Layout {
        let metrics = self.metrics;
        let (body, whole) = picture.measure(&metrics);
        let axis = body.cross / 2;
        let marker = |id: &str, kind: &'static str, pointer: &str, label: &str| Card {
            id: id.to_owned(),
            pointer: pointer.to_owned(),
            kind,
            label: label.to_owned(),
        };
        let start = marker("@start", "start", picture.start_pointer, "start");
        let start = self.node(&start, metrics.marker, 0, axis, None);
        let (last, main) = self.list(&picture.main, (start, start.end), axis, None);
        let end = marker("@end", "end", "", "end");
        let end = self.node(&end, metrics.marker, main + metrics.gap, axis, None);
        self.straight(last, end, "next", None);
        if let Some(block) = &picture.failure {
            let column = body.cross + metrics.lane_gap;
            let axis = column + metrics.lane_gap + block.size(&metrics).cross / 2;
            let (first, _) = self.block(block, 0, axis, None);
            let way = [
                (start.middle(), start.axis + start.half),
                (start.middle(), column),
                (first.middle(), column),
                (first.middle(), first.axis - first.half),
            ];
            self.edge((start, first), "failure", Some("on failure"), &way, way[2]);
        }
        self.edges.sort_by_key(|(nodes, _)| *nodes);
        let (width, height) = metrics.point(whole.main, whole.cross);
        Layout {
            direction: metrics.direction,
            width,
            height,
            nodes: self.nodes,
            edges: self.edges.into_iter().map(|(_, edge)| edge).collect(),
        }
    }

    /// Draws blocks one after the other behind a spot and the end of its block; gives the last of both.
    fn list(&mut self, blocks: &[Block], before: (Spot, i32), axis: i32, parent: Option<&str>) -> (Spot, i32) {
        let (mut last, mut main) = before;
        for block in blocks {
            let begin = main + self.metrics.gap;
            let (first, exit) = self.block(block, begin, axis, parent);
            self.straight(last, first, "next", None);
            last = exit;
            main = begin + block.size(&self.metrics).main;
        }
        (last, main)
    }

    /// Draws a block that begins at `main` and gives its first and its last spot.
    fn block(&mut self, block: &Block, main: i32, axis: i32, parent: Option<&str>) -> (Spot, Spot) {
        match block {
            Block::Step(card) => {
                let spot = self.node(card, self.metrics.card, main, axis, parent);
                (spot, spot)
            }
            Block::Loop(card, body) => self.looped(card, body, block.size(&self.metrics), main, axis, parent),
            Block::Fork(card, lanes) => self.fork(card, lanes, main, axis, parent),
        }
    }

    fn looped(
        &mut self,
        card: &Card,
        body: &[Block],
        size: Size,
        main: i32,
        axis: i32,
        parent: Option<&str>,
    ) -> (Spot, Spot) {
        let metrics = self.metrics;
        let group = part(card, "@group", "group");
        self.node(&group, size, main, axis, parent);
        let inside = Some(group.id.as_str());
        let head = self.node(card, metrics.card, main + metrics.pad, axis, inside);
        let (last, inner_end) = self.list(body, (head, head.end), axis, inside);
        let end = part(card, "@end", "loop_end");
        let end = self.node(&end, metrics.marker, inner_end + metrics.gap, axis, inside);
        self.straight(last, end, "next", None);
        let lane = axis + size.cross / 2 - metrics.side / 2;
        let way = [
            (end.middle(), end.axis + end.half),
            (end.middle(), lane),
            (head.middle(), lane),
            (head.middle(), head.axis + head.half),
        ];
        let middle = (i32::midpoint(head.middle(), end.middle()), lane);
        self.edge((end, head), "loop", None, &way, middle);
        (head, end)
    }

    fn fork(&mut self, card: &Card, lanes: &[Lane], main: i32, axis: i32, parent: Option<&str>) -> (Spot, Spot) {
        let metrics = self.metrics;
        let head = self.node(card, metrics.card, main, axis, parent);
        let fan = lanes_size(lanes, &metrics);
        let join_at = head.end + 2 * metrics.fan + fan.main;
        let mut open: Vec<(Option<Spot>, i32, &str)> = Vec::new();
        let mut cross = axis - fan.cross / 2;
        for lane in lanes {
            let width = list_size(&lane.blocks, &metrics).cross;
            let lane_axis = cross + width / 2;
            let last = self.lane(lane, head, lane_axis, parent);
            open.push((last, lane_axis, &lane.label));
            cross += width + metrics.lane_gap;
        }
        let join = self.node(&part(card, "@join", "join"), metrics.join, join_at, axis, parent);
        for (last, lane_axis, label) in open {
            let (fan_out, fan_in) = (head.end + metrics.fan / 2, join.begin - metrics.fan / 2);
            match last {
                Some(last) => {
                    let way = [(last.end, lane_axis), (fan_in, lane_axis), (fan_in, axis), (join.begin, axis)];
                    self.edge((last, join), "join", None, &way, way[1]);
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
                    self.edge((head, join), "branch", Some(label), &way, way[2]);
                }
            }
        }
        if lanes.is_empty() {
            self.straight(head, join, "join", None);
        }
        (head, join)
    }

    /// Draws one list of a branch with the way to it, and gives its last spot.
    fn lane(&mut self, lane: &Lane, head: Spot, axis: i32, parent: Option<&str>) -> Option<Spot> {
        let metrics = self.metrics;
        let (block, rest) = lane.blocks.split_first()?;
        let begin = head.end + metrics.fan;
        let (first, exit) = self.block(block, begin, axis, parent);
        let turn = head.end + metrics.fan / 2;
        let way = [(head.end, head.axis), (turn, head.axis), (turn, axis), (first.begin, axis)];
        self.edge((head, first), "branch", Some(&lane.label), &way, way[2]);
        let end = begin + block.size(&metrics).main;
        let (last, _) = self.list(rest, (exit, end), axis, parent);
        Some(last)
    }

    fn node(&mut self, card: &Card, size: Size, main: i32, axis: i32, parent: Option<&str>) -> Spot {
        let (x, y) = self.metrics.point(main, axis - size.cross / 2);
        let (width, height) = self.metrics.point(size.main, size.cross);
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

    fn straight(&mut self, from: Spot, to: Spot, kind: &str, label: Option<&str>) {
        let way = [(from.end, from.axis), (to.begin, to.axis)];
        let middle = (i32::midpoint(from.end, to.begin), from.axis);
        self.edge((from, to), kind, label, &way, middle);
    }

    /// Adds a way given in the flow's directions.
    fn edge(&mut self, ends: (Spot, Spot), kind: &str, label: Option<&str>, way: &[Point], middle: Point) {
        let points: Vec<Point> = way.iter().map(|&(main, cross)| self.metrics.point(main, cross)).collect();
        let source = self.nodes[ends.0.node].id.clone();
        let target = self.nodes[ends.1.node].id.clone();
        let (label_x, label_y) = self.metrics.point(middle.0, middle.1);
        let mut id = format!("{source}>{target}");
        while !self.edge_ids.insert(id.clone()) {
            id.push('+');
        }
        let edge = LayoutEdge {
            id,
            source,
            target,
            kind: kind.to_owned(),
            path: path(&points),
            label: label.map(str::to_owned),
            label_x,
            label_y,
        };
        self.edges.push(((ends.0.node, ends.1.node), edge));
    }
}

/// A marker or group that belongs to a module's card.
fn part(card: &Card, suffix: &str, kind: &'static str) -> Card {
    Card { id: format!("{}{suffix}", card.id), pointer: card.pointer.clone(), kind, label: card.label.clone() }
}
