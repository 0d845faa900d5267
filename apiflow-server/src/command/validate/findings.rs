//! The findings about each file, with their positions in the text.

use std::ops::Range;

use apiflow_core::diagnostic::codes;
use apiflow_core::diagnostic::{Diagnostic, Severity, has_errors};
use serde::Serialize;

use crate::command::validate::edits::{Edit, edits_of_fix};
use crate::command::validate::kind::Kind;
use crate::command::validate::source::Source;
use crate::command::validate::spans::Spans;

/// The findings about a file.
pub(super) struct Report<'s> {
    pub(super) source: &'s Source,
    pub(super) kind: Option<Kind>,
    /// The findings, ordered by position.
    pub(super) findings: Vec<Finding>,
}

/// A finding with its position in a text.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) diagnostic: Diagnostic,
    /// The range of its bytes in the text.
    pub(super) at: Range<usize>,
    /// The edits of the text that fix it.
    pub(super) edits: Vec<Edit>,
}

/// Codes of findings about a key rather than its value.
const OF_KEYS: [&str; 6] = [
    codes::DUPLICATE_KEY,
    codes::MISSPELT_FIELD,
    codes::UNKNOWN_FIELD,
    codes::UNKNOWN_INPUT,
    codes::DUPLICATE_FIELD,
    codes::IGNORED_FIELD,
];

impl<'s> Report<'s> {
    /// Locates findings in the text of their file.
    pub(super) fn place_findings(source: &'s Source, kind: Option<Kind>, found: Vec<Diagnostic>) -> Self {
        let spans = Spans::from_text(&source.text);
        let mut findings: Vec<Finding> = found
            .into_iter()
            .map(|diagnostic| Finding {
                at: finding_range(&source.text, &spans, &diagnostic),
                edits: diagnostic.fix.as_ref().map(|fix| edits_of_fix(source, &spans, fix)).unwrap_or_default(),
                diagnostic,
            })
            .collect();
        let last = |finding: &Finding| finding.diagnostic.code == codes::TOO_MANY_FINDINGS;
        findings.sort_by_key(|finding| (last(finding), finding.at.start, finding.diagnostic.severity));
        Self { source, kind, findings }
    }

    pub(super) fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| has_errors(std::slice::from_ref(&finding.diagnostic)))
    }

    pub(super) fn count_severity(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.diagnostic.severity == severity).count()
    }
}

/// Returns the bytes that a finding is about.
fn finding_range(text: &str, spans: &Spans<'_>, found: &Diagnostic) -> Range<usize> {
    let Some(spot) = spans.spot_at(&found.pointer) else { return 0..0 };
    if let Some(span) = found.span.filter(|_| spot.is_text && spot.exact) {
        return spans.range_inside(&spot.value, span);
    }
    match spot.key {
        Some(key) if spot.exact && OF_KEYS.contains(&found.code.as_str()) => key,
        // A list or object over several lines is shown by its key, or its first line.
        key => match text[spot.value.clone()].find('\n') {
            Some(end) => key.unwrap_or(spot.value.start..spot.value.start + end.max(1)),
            None => spot.value,
        },
    }
}

/// A region of a text: lines and columns from 1, columns in Unicode scalar values; the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Region {
    pub(super) start_line: usize,
    pub(super) start_column: usize,
    pub(super) end_line: usize,
    pub(super) end_column: usize,
}

impl Region {
    pub(super) fn from_range(text: &str, bytes: &Range<usize>) -> Self {
        let (start_line, start_column) = line_and_column(text, bytes.start);
        let (end_line, end_column) = line_and_column(text, bytes.end);
        Self { start_line, start_column, end_line, end_column }
    }
}

fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..byte];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

#[derive(Serialize)]
struct JsonLog<'r> {
    files: Vec<JsonFile<'r>>,
    errors: usize,
    warnings: usize,
}

#[derive(Serialize)]
struct JsonFile<'r> {
    path: String,
    kind: Option<&'static str>,
    diagnostics: Vec<JsonFinding<'r>>,
}

#[derive(Serialize)]
struct JsonFinding<'r> {
    #[serde(flatten)]
    diagnostic: &'r Diagnostic,
    region: Region,
}

/// Returns the findings as one JSON object: the diagnostics of the REST API, each with its `region` in the text.
pub(super) fn findings_json(reports: &[Report<'_>]) -> String {
    let count = |severity| reports.iter().map(|report| report.count_severity(severity)).sum();
    let log = JsonLog {
        files: reports.iter().map(json_file).collect(),
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
    };
    serde_json::to_string_pretty(&log).expect("findings are plain data")
}

fn json_file<'r>(report: &'r Report<'_>) -> JsonFile<'r> {
    let finding = |finding: &'r Finding| JsonFinding {
        diagnostic: &finding.diagnostic,
        region: Region::from_range(&report.source.text, &finding.at),
    };
    JsonFile {
        path: report.source.display_name(),
        kind: report.kind.map(Kind::name),
        diagnostics: report.findings.iter().map(finding).collect(),
    }
}
