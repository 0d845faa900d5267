//! Computes the positions of the cards and edges of a workflow's diagram.
//!
//! A workflow is a tree of lists, so its diagram needs no general graph layout: a list is a line of blocks on one axis,
//! a branch is a fan of lists between its card and a join, a loop is a group with an edge back. Edges only run through
//! the gaps between blocks.
//!
//! Architecture invariant: the diagram is derived from the document alone and holds no state; equal documents have
//! equal diagrams.

mod blocks;
mod draw;
mod edge_path;
mod metrics;

use serde::Serialize;
use serde_json::Value;

use crate::openflow::{ParsedDocument, parse_leniently};
use blocks::Picture;
use draw::Drawing;
use metrics::Metrics;

/// Default width of a card, in pixels.
pub const DEFAULT_CARD_WIDTH_PX: i32 = 220;
/// Default height of a card, in pixels.
pub const DEFAULT_CARD_HEIGHT_PX: i32 = 64;

/// The direction from the first step to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From top to bottom.
    Down,
    /// From left to right.
    Right,
}

/// Options of a layout.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LayoutOptions {
    /// The direction; if absent, the one that fits `aspect` better.
    pub direction: Option<Direction>,
    /// Width of the pane divided by its height; if absent, the direction is down.
    pub aspect: Option<f64>,
}

impl LayoutOptions {
    /// Reads `{"direction": "down" | "right", "aspect": number}`, both optional; `None` if it is anything else.
    pub fn from_json(value: &Value) -> Option<Self> {
        let field = |name: &str| value.as_object()?.get(name).filter(|field| !field.is_null());
        value.as_object()?;
        let direction = match field("direction") {
            None => None,
            Some(word) => Some(match word.as_str()? {
                "down" => Direction::Down,
                "right" => Direction::Right,
                _ => return None,
            }),
        };
        let aspect = match field("aspect") {
            None => None,
            Some(number) => Some(number.as_f64()?),
        };
        Some(Self { direction, aspect })
    }
}

/// The diagram of a workflow. All coordinates are in pixels and absolute, also within groups, with the origin in the
/// top left corner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// The direction that was used.
    pub direction: Direction,
    /// Width of the diagram, in pixels.
    pub width: i32,
    /// Height of the diagram, in pixels.
    pub height: i32,
    /// Cards, markers and groups in the order of the document; a group precedes its contents.
    pub nodes: Vec<LayoutNode>,
    /// The edges, in the order of their source nodes, then of their target nodes.
    pub edges: Vec<LayoutEdge>,
}

/// A rectangle of the diagram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayoutNode {
    /// The module's id if it is unique, else its pointer; ids of markers and frames of loops begin with that of their
    /// module and end with `@join`, `@end` or `@group`; `@start` and `@end` belong to the workflow. The id of a group of
    /// steps is its pointer.
    pub id: String,
    /// JSON Pointer of the module or group of steps.
    pub pointer: String,
    /// The module's type, or `start`, `end`, `join`, `loop_end`, `group` (the frame of a loop), `step_group` (the frame
    /// of a group of steps), or `unknown` if the module is invalid.
    pub kind: String,
    /// The module's summary, else its id, else its type; of a group of steps the summary.
    pub label: String,
    /// Id of the innermost group that contains the rectangle.
    pub parent: Option<String>,
    /// Left edge, in pixels.
    pub x: i32,
    /// Top edge, in pixels.
    pub y: i32,
    /// Width, in pixels.
    pub width: i32,
    /// Height, in pixels.
    pub height: i32,
}

/// An edge from one rectangle to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayoutEdge {
    /// Unique among the edges.
    pub id: String,
    /// Id of the node at its start.
    pub source: String,
    /// Id of the node at its end.
    pub target: String,
    /// `next`, `branch`, `join`, `loop` (back to the loop's card) or `failure`.
    pub kind: String,
    /// SVG path data, which avoids all cards.
    pub path: String,
    /// The branch's summary or predicate.
    pub label: Option<String>,
    /// JSON Pointer at which a module inserted on this edge belongs (`/value/modules/2`); `None` if none can be.
    pub insert_at: Option<String>,
    /// Horizontal center of the label, in pixels.
    pub label_x: i32,
    /// Vertical center of the label, in pixels.
    pub label_y: i32,
}

/// Lays out a document, which may be invalid or incomplete: modules that cannot be read have no card.
pub fn layout_document(document: &Value, options: &LayoutOptions) -> Layout {
    layout_parsed(&parse_leniently(document), options)
}

/// Does the same with a document that has been parsed already.
pub fn layout_parsed(reading: &ParsedDocument, options: &LayoutOptions) -> Layout {
    let picture = Picture::from_document(reading);
    let direction = options.direction.unwrap_or_else(|| fitting_direction(&picture, options.aspect));
    let metrics = Metrics::for_direction(direction);
    Drawing::new(metrics).draw_picture(&picture)
}

/// Returns the direction in which the diagram can be shown at a larger scale.
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
