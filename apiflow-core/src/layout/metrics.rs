//! Sizes along the direction of the flow (main) and across it (cross).

use super::blocks::GroupHeader;
use super::{DEFAULT_CARD_HEIGHT_PX, DEFAULT_CARD_WIDTH_PX, Direction};

/// A size in the flow's own directions. All sizes are even, so that centers are whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Extent along the flow.
    pub(super) main: i32,
    /// Extent across the flow.
    pub(super) cross: i32,
}

/// The sizes and distances of one direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Metrics {
    pub(super) direction: Direction,
    /// Size of a module's card.
    pub(super) card: Size,
    /// Size of the markers of start, end and the end of a loop.
    pub(super) marker: Size,
    /// Size of the marker where branches join.
    pub(super) join: Size,
    /// Distance between two blocks of a list.
    pub(super) gap: i32,
    /// Distance between a branch's card or join and its lists.
    pub(super) fan: i32,
    /// Distance between two lists side by side.
    pub(super) lane_gap: i32,
    /// Extent of an empty list across the flow.
    pub(super) empty_lane: i32,
    /// Padding of a group along the flow.
    pub(super) pad: i32,
    /// Padding of a group across the flow; a loop's edge back runs in its middle.
    pub(super) side: i32,
    /// Padding of a group of steps behind its last block.
    pub(super) group_pad: i32,
    /// Padding of a group of steps across the flow.
    pub(super) group_side: i32,
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
            group_pad: 16,
            group_side: pick(16, 36),
        }
    }

    /// Returns the space of a group before its first block: its header, unless that is above the whole flow.
    pub(super) fn group_header(&self, header: GroupHeader) -> i32 {
        match (self.direction, header) {
            (Direction::Down, GroupHeader::Title) => 44,
            (Direction::Down, GroupHeader::TitleAndNote) => 80,
            (Direction::Right, _) => self.group_pad,
        }
    }

    /// Converts a point from the flow's directions to x and y.
    pub(super) fn xy_of(&self, main: i32, cross: i32) -> (i32, i32) {
        match self.direction {
            Direction::Down => (cross, main),
            Direction::Right => (main, cross),
        }
    }
}
