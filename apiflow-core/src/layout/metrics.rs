//! Sizes along the direction of the flow (main) and across it (cross).

use super::{DEFAULT_CARD_HEIGHT_PX, DEFAULT_CARD_WIDTH_PX, Direction};

/// A size in the flow's own directions. All sizes are even, so that middles are whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Along the flow.
    pub(super) main: i32,
    /// Extent across the flow.
    pub(super) cross: i32,
}

/// The measures of one direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Metrics {
    pub(super) direction: Direction,
    /// A module's card.
    pub(super) card: Size,
    /// Start, end and the end of a loop.
    pub(super) marker: Size,
    /// Where branches meet again.
    pub(super) join: Size,
    /// Between two blocks of a list.
    pub(super) gap: i32,
    /// Between a branch's card or join and its lists.
    pub(super) fan: i32,
    /// Between two lists side by side.
    pub(super) lane_gap: i32,
    /// Across a list without modules.
    pub(super) empty_lane: i32,
    /// Inside a group along the flow.
    pub(super) pad: i32,
    /// Inside a group across the flow; the way back of a loop runs in its middle.
    pub(super) side: i32,
}

impl Metrics {
    pub(super) fn for_direction(direction: Direction) -> Self {
        let size = |width: i32, height: i32| match direction {
            Direction::Down => Size { main: height, cross: width },
            Direction::Right => Size { main: width, cross: height },
        };
        let pick = |down: i32, right: i32| match direction {
            Direction::Down => down,
            Direction::Right => right,
        };
        Self {
            direction,
            card: size(DEFAULT_CARD_WIDTH_PX, DEFAULT_CARD_HEIGHT_PX),
            marker: size(120, 40),
            join: size(24, 24),
            gap: pick(48, 64),
            fan: pick(72, 120),
            lane_gap: pick(40, 32),
            empty_lane: pick(120, 40),
            pad: 24,
            side: 48,
        }
    }

    /// Turns a point in the flow's directions into x and y.
    pub(super) fn xy_of(&self, main: i32, cross: i32) -> (i32, i32) {
        match self.direction {
            Direction::Down => (cross, main),
            Direction::Right => (main, cross),
        }
    }
}
