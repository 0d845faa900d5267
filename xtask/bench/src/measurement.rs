//! Measured values, their targets and the table of both.

/// A value that was measured, beside its floor and its target.
#[derive(Debug, Clone)]
pub(crate) struct Measurement {
    /// Name of the row.
    pub(crate) row: &'static str,
    /// Name of the database.
    pub(crate) store: &'static str,
    /// The quantity with its unit.
    pub(crate) quantity: &'static str,
    /// The same quantity of the floor.
    pub(crate) floor: Option<f64>,
    /// The measured value; `None` if this server does not report it.
    pub(crate) value: Option<f64>,
    /// The value that it should have.
    pub(crate) target: Option<TargetBound>,
}

/// A bound on a measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TargetBound {
    /// The value should be at most this.
    AtMost(f64),
    /// The value should be at least this.
    AtLeast(f64),
    /// The value divided by its floor should be at most this.
    RatioAtMost(f64),
    /// The value divided by its floor should be at least this.
    RatioAtLeast(f64),
}

impl Measurement {
    fn ratio(&self) -> Option<f64> {
        Some(self.value? / self.floor.filter(|floor| *floor > 0.0)?)
    }

    /// Whether the target is met; `None` if there is none, or nothing was measured.
    fn meets_target(&self) -> Option<bool> {
        match self.target? {
            TargetBound::AtMost(bound) => Some(self.value? <= bound),
            TargetBound::AtLeast(bound) => Some(self.value? >= bound),
            TargetBound::RatioAtMost(bound) => Some(self.ratio()? <= bound),
            TargetBound::RatioAtLeast(bound) => Some(self.ratio()? >= bound),
        }
    }
}

impl TargetBound {
    fn describe(self) -> String {
        match self {
            Self::AtMost(bound) => format!("≤ {}", format_number(bound)),
            Self::AtLeast(bound) => format!("≥ {}", format_number(bound)),
            Self::RatioAtMost(bound) => format!("≤ {} × floor", format_number(bound)),
            Self::RatioAtLeast(bound) => format!("≥ {} × floor", format_number(bound)),
        }
    }
}

/// Formats measurements as a Markdown table.
pub(crate) fn format_table(measurements: &[Measurement]) -> String {
    let optional = |number: Option<f64>| number.map_or_else(|| "–".to_owned(), format_number);
    let lines = measurements.iter().map(|one| {
        let verdict = match one.meets_target() {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        };
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {verdict} |",
            one.row,
            one.store,
            one.quantity,
            optional(one.floor),
            optional(one.value),
            optional(one.ratio()),
            one.target.map(TargetBound::describe).unwrap_or_default(),
        )
    });
    let head =
        "| row | database | quantity | floor | apiflow | ratio | target | |\n|---|---|---|---:|---:|---:|---|---|";
    std::iter::once(head.to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}

/// Three significant digits, or all digits of a large number.
fn format_number(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 || size.fract() < f64::EPSILON => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_compare_values_or_ratios() {
        let cases = [
            (Some(2.0), Some(5.0), TargetBound::RatioAtMost(3.0), Some(true)),
            (Some(2.0), Some(7.0), TargetBound::RatioAtMost(3.0), Some(false)),
            (Some(1000.0), Some(450.0), TargetBound::RatioAtLeast(0.45), Some(true)),
            (None, Some(450.0), TargetBound::RatioAtLeast(0.45), None),
            (None, Some(450.0), TargetBound::AtMost(450.0), Some(true)),
            (None, Some(450.0), TargetBound::AtLeast(451.0), Some(false)),
            (None, None, TargetBound::AtMost(1.0), None),
        ];
        for (floor, value, target, expected) in cases {
            let one = Measurement { row: "", store: "", quantity: "", floor, value, target: Some(target) };
            assert_eq!(one.meets_target(), expected, "{one:?}");
        }
    }

    #[test]
    fn a_value_that_is_not_reported_is_a_dash() {
        let one = Measurement {
            row: "one-step",
            store: "SQLite",
            quantity: "statements",
            floor: None,
            value: None,
            target: None,
        };
        assert!(format_table(&[one]).ends_with("| one-step | SQLite | statements | – | – | – |  |  |"));
    }
}
