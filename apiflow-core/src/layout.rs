//! Where the cards and edges of a workflow are drawn.
//!
//! A workflow is a tree of lists, so its picture needs no general graph layout: a list is a line of
//! blocks on one axis, a branch is a fan of lists between its card and a join, a loop is a group with
//! a way back. Edges run only through gaps that the blocks leave free.
//!
//! Architecture invariant: the picture is derived from the document alone and holds no state; equal
//! documents give equal pictures.

mod blocks;
mod draw;
mod edge_path;
mod metrics;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::openflow::parse_leniently;
use blocks::Picture;
use draw::Drawing;
use metrics::Metrics;

/// Width of a card in pixels.
pub const DEFAULT_CARD_WIDTH_PX: i32 = 220;
/// Height of a card in pixels.
pub const DEFAULT_CARD_HEIGHT_PX: i32 = 64;

/// Where the first step is and where the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From top to bottom.
    Down,
    /// From left to right.
    Right,
}

/// How the picture is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LayoutOptions {
    /// The direction; if absent, the one that fits `aspect` better.
    pub direction: Option<Direction>,
    /// Width of the pane divided by its height; if absent, the direction is down.
    pub aspect: Option<f64>,
}

/// A picture of a workflow. All numbers are pixels, from the top left corner, absolute also in groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// The direction that was taken.
    pub direction: Direction,
    /// Width of the whole.
    pub width: i32,
    /// Height of the whole.
    pub height: i32,
    /// Cards, markers and groups in the order of the document; a group comes before what is in it.
    pub nodes: Vec<LayoutNode>,
    /// The ways between them, by the order of the nodes where they start, then of those where they end.
    pub edges: Vec<LayoutEdge>,
}

/// A rectangle of the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayoutNode {
    /// The module's id if it has one of its own, else its pointer; markers and groups begin with
    /// the id of their module and end with `@join`, `@end` or `@group`; `@start` and `@end` are the
    /// workflow's own.
    pub id: String,
    /// JSON Pointer of the module.
    pub pointer: String,
    /// The module's type, or `start`, `end`, `join`, `loop_end`, `group`, or `unknown` if the
    /// module can't be read.
    pub kind: String,
    /// The summary, else the id, else the type.
    pub label: String,
    /// Id of the innermost group that it is in.
    pub parent: Option<String>,
    /// Left edge, in pixels.
    pub x: i32,
    /// Upper edge, in pixels.
    pub y: i32,
    /// Width, in pixels.
    pub width: i32,
    /// Height, in pixels.
    pub height: i32,
}

/// A way from one rectangle to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayoutEdge {
    /// Unique among the edges.
    pub id: String,
    /// Id of the node where it starts.
    pub source: String,
    /// Id of the node where it ends.
    pub target: String,
    /// `next`, `branch`, `join`, `loop` (back to the loop's card) or `failure`.
    pub kind: String,
    /// SVG path data, around all cards.
    pub path: String,
    /// The branch's summary or predicate.
    pub label: Option<String>,
    /// Where the label's middle is.
    pub label_x: i32,
    /// Where the label's middle is.
    pub label_y: i32,
}

/// Lays out a document, also one that is broken or not yet written: what can't be read has no card.
pub fn layout_document(document: &Value, options: &LayoutOptions) -> Layout {
    let reading = parse_leniently(document);
    let picture = Picture::from_document(&reading);
    let direction = options.direction.unwrap_or_else(|| fitting_direction(&picture, options.aspect));
    let metrics = Metrics::for_direction(direction);
    Drawing::new(metrics).draw_picture(&picture)
}

/// The direction in which the whole can be shown larger.
fn fitting_direction(picture: &Picture, aspect: Option<f64>) -> Direction {
    let Some(aspect) = aspect.filter(|aspect| aspect.is_finite() && *aspect > 0.0) else {
        return Direction::Down;
    };
    let scale = |direction| {
        let (width, height) = picture.size(&Metrics::for_direction(direction));
        (aspect / f64::from(width)).min(1.0 / f64::from(height))
    };
    if scale(Direction::Right) > scale(Direction::Down) { Direction::Right } else { Direction::Down }
}

#[cfg(test)]
mod tests;
