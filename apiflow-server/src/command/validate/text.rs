//! Findings as text, in the style of a compiler.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use anstream::{AutoStream, ColorChoice};
use apiflow_core::diagnostic::{Diagnostic, Severity};

use crate::command::validate::findings::{Finding, Region, Report};

/// The longest excerpt that is shown completely, in bytes.
const MAX_LINE: usize = 2_000;

/// Number of bytes that are shown before and after a position in a longer one.
const MAX_CONTEXT_BYTES: usize = 80;

/// Returns the findings and a summary line; coloured if standard output is a terminal that supports it.
pub(super) fn write(reports: &[Report<'_>]) -> String {
    let plain = AutoStream::choice(&std::io::stdout()) == ColorChoice::Never;
    let renderer = if plain { Renderer::plain() } else { Renderer::styled() };
    let mut said: Vec<String> = Vec::new();
    for report in reports {
        for finding in &report.findings {
            said.push(renderer.render(&[message_group(report, finding)]));
            said.push(String::new());
        }
    }
    said.push(summary_line(reports));
    said.join("\n")
}

fn message_group<'r>(report: &'r Report<'_>, finding: &'r Finding) -> Group<'r> {
    let Diagnostic { code, severity, message, help, fix, .. } = &finding.diagnostic;
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Hint => Level::INFO.with_name("hint"),
    };
    let text = &report.source.text;
    let region = Region::from_range(text, &finding.at);
    let (lines, at, whole) = line_excerpt(text, &finding.at);
    let snippet = Snippet::source(lines).line_start(region.start_line);
    let title = level.primary_title(message).id(code);
    // The column is counted in the excerpt, which is not all of a very long line.
    let group = if whole {
        title.element(snippet.path(report.source.display_name()).annotation(AnnotationKind::Primary.span(at)))
    } else {
        let origin =
            Origin::path(report.source.display_name()).line(region.start_line).char_column(region.start_column);
        title.element(origin).element(snippet.annotation(AnnotationKind::Primary.span(at)))
    };
    let help = help.as_deref().map(|help| Level::HELP.message(help));
    let fix = fix.as_ref().map(|fix| Level::HELP.with_name("fix").message(&fix.label));
    group.elements(help).elements(fix)
}

/// Returns the line or lines that contain a range, the range in them, and whether they are complete: of a very long
/// line it is the part around the range.
fn line_excerpt<'t>(text: &'t str, at: &Range<usize>) -> (&'t str, Range<usize>, bool) {
    let line_start = text[..at.start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[at.end..].find('\n').map_or(text.len(), |newline| at.end + newline);
    if line_end - line_start < MAX_LINE {
        return (&text[line_start..line_end], at.start - line_start..at.end - line_start, true);
    }
    let start = line_start.max(text.floor_char_boundary(at.start.saturating_sub(MAX_CONTEXT_BYTES)));
    let end = line_end.min(text.ceil_char_boundary((at.start + MAX_CONTEXT_BYTES).min(text.len())));
    (&text[start..end], at.start - start..at.end.min(end) - start, false)
}

fn summary_line(reports: &[Report<'_>]) -> String {
    let count = |severity| reports.iter().map(|report| report.count_severity(severity)).sum::<usize>();
    let files = format_count(reports.len(), "file");
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if errors + warnings + count(Severity::Hint) == 0 {
        return format!("{files} checked, no problems found");
    }
    let most = if errors > 0 { Severity::Error } else { Severity::Warning };
    let findings = reports.iter().flat_map(|report| &report.findings);
    let example = findings.map(|finding| &finding.diagnostic).find(|found| found.severity == most);
    let explained =
        example.map(|found| format!("; run `apiflow explain {}` for details", found.code)).unwrap_or_default();
    format!("{files} checked: {}, {}{explained}", format_count(errors, "error"), format_count(warnings, "warning"))
}

fn format_count(number: usize, name: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {name}{plural}")
}
