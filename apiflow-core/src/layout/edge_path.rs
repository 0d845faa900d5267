//! Formats edges with right angles as SVG path data.

use std::fmt::Write;

/// Maximum distance from a corner at which its curve begins, in pixels.
const MAX_CORNER_RADIUS_PX: i32 = 8;

/// A point in pixels.
pub(super) type Point = (i32, i32);

/// Formats path data through points, each of which differs from the previous one in one coordinate; corners are
/// rounded.
pub(super) fn svg_path(points: &[Point]) -> String {
    let points = without_needless(points);
    let mut data = String::new();
    for (index, &(x, y)) in points.iter().enumerate() {
        let corner = points.get(index + 1).filter(|_| index > 0).map(|&after| (points[index - 1], after));
        let written = match corner {
            None if index == 0 => write!(data, "M{x} {y}"),
            None => write!(data, "L{x} {y}"),
            Some((before, after)) => {
                let room = (distance_between(before, (x, y)) / 2)
                    .min(distance_between((x, y), after) / 2)
                    .min(MAX_CORNER_RADIUS_PX);
                let (from_x, from_y) = point_towards((x, y), before, room);
                let (to_x, to_y) = point_towards((x, y), after, room);
                write!(data, "L{from_x} {from_y}Q{x} {y} {to_x} {to_y}")
            }
        };
        written.expect("a string takes any text");
    }
    data
}

/// Removes repeated points, and those in the middle of a straight line.
fn without_needless(points: &[Point]) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    for &point in points {
        if kept.last() == Some(&point) {
            continue;
        }
        if let [.., before, last] = kept[..]
            && ((before.0 == last.0 && last.0 == point.0) || (before.1 == last.1 && last.1 == point.1))
        {
            kept.pop();
        }
        kept.push(point);
    }
    kept
}

fn distance_between(a: Point, b: Point) -> i32 {
    (a.0 - b.0).abs() + (a.1 - b.1).abs()
}

/// Returns the point at `distance` from `start` in the direction of `end`.
fn point_towards(start: Point, end: Point, distance: i32) -> Point {
    let step = |from: i32, to: i32| from + (to - from).signum() * distance;
    (step(start.0, end.0), step(start.1, end.1))
}

#[cfg(test)]
mod tests {
    use super::svg_path;

    fn check(points: &[(i32, i32)], expected: &str) {
        assert_eq!(svg_path(points), expected);
    }

    #[test]
    fn ways_are_straight_or_have_round_corners() {
        check(&[(0, 0), (0, 40)], "M0 0L0 40");
        check(&[(0, 0), (0, 20), (0, 20), (0, 40)], "M0 0L0 40");
        check(&[(0, 0), (0, 20), (50, 20), (50, 40)], "M0 0L0 12Q0 20 8 20L42 20Q50 20 50 28L50 40");
        check(&[(0, 0), (0, 4), (-50, 4)], "M0 0L0 2Q0 4 -2 4L-50 4");
    }
}
