//! Findings as SARIF 2.1.0, which code hosts and editors read.
//!
//! Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use apiflow_core::diagnostic::{Diagnostic, Severity};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use crate::command::explain::CodePage;
use crate::command::validate::findings::{Finding, Region, Report};

/// What must be escaped in the path of a URI.
const IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'[')
    .add(b']')
    .add(b'\\')
    .add(b'^')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The log of one run.
pub(super) fn sarif_log(reports: &[Report<'_>]) -> String {
    let mut rules = BTreeMap::new();
    for finding in reports.iter().flat_map(|report| &report.findings) {
        let count = rules.len();
        rules.entry(finding.diagnostic.code.as_str()).or_insert((count, finding.diagnostic.severity));
    }
    let mut results = Vec::new();
    for report in reports {
        for finding in &report.findings {
            results.push(sarif_result(report, finding, rules[finding.diagnostic.code.as_str()].0));
        }
    }
    let mut listed: Vec<_> = rules.into_iter().collect();
    listed.sort_by_key(|(_, (index, _))| *index);
    let rules: Vec<Value> = listed.into_iter().map(|(code, (_, severity))| sarif_rule(code, severity)).collect();
    let driver = json!({
        "name": "apiflow",
        "version": env!("CARGO_PKG_VERSION"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "informationUri": env!("CARGO_PKG_REPOSITORY"),
        "rules": rules,
    });
    let artifacts: Vec<Value> = reports.iter().map(|report| json!({"location": sarif_location(report)})).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "columnKind": "unicodeCodePoints",
            "artifacts": artifacts,
            "results": results,
        }],
    });
    format!("{log:#}")
}

fn sarif_rule(code: &str, severity: Severity) -> Value {
    let mut rule = json!({"id": code, "defaultConfiguration": {"level": sarif_level(severity)}});
    if let Some(page) = CodePage::for_code(code) {
        rule["shortDescription"] = json!({"text": page.summary()});
        rule["help"] = json!({"text": page.text(), "markdown": page.text()});
    }
    rule
}

fn sarif_result(report: &Report<'_>, finding: &Finding, rule: usize) -> Value {
    let Diagnostic { code, severity, pointer, message, help, fix, .. } = &finding.diagnostic;
    let text = match help {
        Some(help) => format!("{message} ({help})"),
        None => message.clone(),
    };
    let place = json!({
        "physicalLocation": {"artifactLocation": sarif_location(report), "region": sarif_region(report, &finding.at)},
        "logicalLocations": [{"fullyQualifiedName": pointer, "kind": "value"}],
    });
    let mut result = json!({
        "ruleId": code,
        "ruleIndex": rule,
        "level": sarif_level(*severity),
        "message": {"text": text},
        "locations": [place],
    });
    if let (Some(fix), false) = (fix, finding.edits.is_empty()) {
        let replacements: Vec<Value> = finding
            .edits
            .iter()
            .map(
                |edit| json!({"deletedRegion": sarif_region(report, &edit.at), "insertedContent": {"text": edit.text}}),
            )
            .collect();
        result["fixes"] = json!([{
            "description": {"text": fix.label},
            "artifactChanges": [{"artifactLocation": sarif_location(report), "replacements": replacements}],
        }]);
    }
    result
}

fn sarif_level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "note",
    }
}

fn sarif_region(report: &Report<'_>, at: &Range<usize>) -> Value {
    serde_json::to_value(Region::from_range(&report.source.text, at)).expect("a region is plain data")
}

/// Returns the file as a URI, relative if its path is.
fn sarif_location(report: &Report<'_>) -> Value {
    let path = &report.source.path;
    if path == Path::new("-") {
        return json!({"uri": "stdin"});
    }
    let encoded = utf8_percent_encode(&path.to_string_lossy(), IN_PATH).to_string();
    let uri = if path.is_absolute() { format!("file://{encoded}") } else { encoded };
    json!({"uri": uri})
}
