//! Validates files and collects the findings.

use std::collections::{BTreeMap, BTreeSet};

use apiflow_core::catalog::{Catalog, Node, check_call, check_connector, parse_connector, parse_node};
use apiflow_core::diagnostic::{Diagnostic, Fix};
use apiflow_core::diagnostic::{codes, nearest_name};
use apiflow_core::json::pointer_push;
use serde_json::{Map, Value};

use crate::command::validate::findings::{Finding, Report};
use crate::command::validate::kind::Kind;
use crate::command::validate::source::{Source, SourceRole};
use crate::command::validate::spans::Spans;
use crate::documents::references::place_of_secret;
use crate::documents::schema::SchemaCache;
use crate::documents::validation;

/// Validates the files, each with all of them as the declarations that it may refer to.
///
/// Files that are only declarations have a report only if they cannot be used.
pub(super) fn check_sources(sources: &[Source], secrets: Option<BTreeSet<String>>) -> Vec<Report<'_>> {
    let mut all = Declared { catalog: Catalog { secrets, ..Catalog::default() }, ids: BTreeMap::new() };
    let declared: Vec<_> = sources.iter().map(|source| all.add_declaration(source)).collect();
    let reports = sources.iter().zip(declared).filter_map(|(source, mut found)| {
        let kind = source.declared_kind();
        let checked = match source.role {
            SourceRole::Checked => true,
            SourceRole::Found => kind.is_some() || source.content.is_err(),
            SourceRole::Declared(_) => false,
        };
        if checked {
            found.extend(all.check_references(source, kind));
        }
        let report = match &source.content {
            Ok(_) => Report::place_findings(source, kind, found),
            Err(fault) => {
                let end = source.text[fault.at..].chars().next().map_or(0, char::len_utf8);
                let diagnostic = Diagnostic::new_error(codes::MALFORMED_JSON, "", fault.message.clone());
                let at = fault.at..fault.at + end;
                Report { source, kind, findings: vec![Finding { diagnostic, at, edits: Vec::new() }] }
            }
        };
        (checked || report.has_errors()).then_some(report)
    });
    reports.collect()
}

/// Returns the declarations of files that have been validated.
pub(super) fn declared_catalog(sources: &[Source]) -> Catalog {
    let mut all = Declared { catalog: Catalog::default(), ids: BTreeMap::new() };
    for source in sources {
        // Reported by the validation.
        drop(all.add_declaration(source));
    }
    all.catalog
}

/// The declarations of the files.
struct Declared {
    catalog: Catalog,
    /// The files that ids come from.
    ids: BTreeMap<(&'static str, String), String>,
}

impl Declared {
    /// Adds the declaration of a file; returns the findings about the declaration itself.
    fn add_declaration(&mut self, source: &Source) -> Vec<Diagnostic> {
        let Ok(content) = &source.content else { return Vec::new() };
        let Some(kind) = source.declared_kind() else {
            // A folder may contain other files too.
            if source.role != SourceRole::Checked {
                return Vec::new();
            }
            let message = "the file contains no workflow, node or connector";
            let help = "a workflow has `value` or `nodes`, a node `connector_id`, a connector `base_url`";
            return vec![Diagnostic::new_error(codes::UNKNOWN_DOCUMENT, "", message).with_help(help)];
        };
        let mut found = repeated_keys(source);
        let id = source.declared_id();
        if let Some(first) = self.ids.insert((kind.name(), id.clone()), source.display_name()) {
            let message = format!("duplicate id `{id}`: it is already used by the {} in {first}", kind.name());
            let pointer = if content.get("id").is_some() { "/id" } else { "" };
            found.push(Diagnostic::new_error(codes::DUPLICATE_ID, pointer, message));
        }
        let with_id = with_id(content, &id);
        match kind {
            Kind::Connector => match parse_connector(&with_id) {
                Ok(connector) => drop(self.catalog.connectors.insert(id, connector)),
                Err(faults) => found.extend(faults),
            },
            Kind::Node => match parse_node(&with_id) {
                Ok(node) => drop(self.catalog.nodes.insert(id, node)),
                Err(faults) => found.extend(faults),
            },
            Kind::Workflow => {
                found.extend(check_wrapper(content));
                let document = content.get("nodes").cloned().unwrap_or_default();
                self.catalog.workflows.insert(id, document);
            }
            Kind::Document => drop(self.catalog.workflows.insert(id, content.clone())),
        }
        found
    }

    /// Returns the findings about what a file refers to.
    fn check_references(&self, source: &Source, kind: Option<Kind>) -> Vec<Diagnostic> {
        let (Ok(content), Some(kind)) = (&source.content, kind) else { return Vec::new() };
        match kind {
            Kind::Connector => {
                let Some(connector) = self.catalog.connectors.get(&source.declared_id()) else { return Vec::new() };
                let mut found = check_connector(connector);
                found.extend(self.check_secrets(&connector.secret_names(), content));
                found
            }
            Kind::Node => {
                let Some(node) = self.catalog.nodes.get(&source.declared_id()) else { return Vec::new() };
                let mut found = self.check_node(node);
                found.extend(self.check_secrets(&node.secret_names(), content));
                found
            }
            Kind::Workflow => {
                let Some(document) = content.get("nodes").filter(|nodes| nodes.is_object()) else { return Vec::new() };
                self.check_workflow(document).into_iter().map(|found| with_prefix("/nodes", found)).collect()
            }
            Kind::Document => self.check_workflow(content),
        }
    }

    /// Returns the secrets of a declaration that are not set, each at its first position.
    fn check_secrets(&self, names: &BTreeSet<String>, content: &Value) -> Vec<Diagnostic> {
        let Some(set) = &self.catalog.secrets else { return Vec::new() };
        let missing = names.difference(set).map(|name| {
            let pointer = place_of_secret(content, name).unwrap_or_default();
            let found =
                Diagnostic::new_error(codes::UNRESOLVED_SECRET, pointer, format!("there is no secret `{name}`"));
            found.with_help(match nearest_name(name, set.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("if it is set, pass `--secret {name}`"),
            })
        });
        missing.collect()
    }

    fn check_node(&self, node: &Node) -> Vec<Diagnostic> {
        match self.catalog.connectors.get(&node.connector_id) {
            Some(connector) => check_call(node, connector),
            None => {
                let message = format!("there is no connector `{}`", node.connector_id);
                let found = Diagnostic::new_error(codes::UNKNOWN_CONNECTOR, "/connector_id", message);
                vec![found.with_help("pass its file too, or with --connector")]
            }
        }
    }

    fn check_workflow(&self, document: &Value) -> Vec<Diagnostic> {
        validation::validate_with_schemas(document, &self.catalog, &SchemaCache::default())
    }
}

/// Returns the findings about the fields around a workflow's document.
fn check_wrapper(content: &Value) -> Vec<Diagnostic> {
    const KNOWN: [&str; 8] =
        ["id", "name", "description", "nodes", "webhook", "webhook_events_filter", "created_at", "updated_at"];
    let mut found = Vec::new();
    let Some(fields) = content.as_object() else { return found };
    for (name, value) in fields {
        let at = pointer_push("", name);
        let expected = match name.as_str() {
            "id" | "name" if !value.is_string() => "a string",
            "description" | "webhook" if !value.is_string() && !value.is_null() => "a string",
            "webhook_events_filter" if !value.is_array() && !value.is_null() => "a list of events",
            "nodes" if !value.is_object() => "an OpenFlow document, an object",
            known if KNOWN.contains(&known) => continue,
            _ => {
                let message = format!("unknown field `{name}`");
                found.push(Diagnostic::new_error(codes::UNKNOWN_FIELD, at, message).with_help(
                    "a workflow has `id`, `name`, `description`, `nodes`, `webhook` and `webhook_events_filter`",
                ));
                continue;
            }
        };
        found.push(Diagnostic::new_error(codes::WRONG_TYPE, at, format!("`{name}` must be {expected}")));
    }
    if !fields.contains_key("name") {
        found.push(Diagnostic::new_error(codes::MISSING_FIELD, "", "`name` is missing"));
    }
    found
}

/// Returns the duplicate keys of an object: the first value is lost.
fn repeated_keys(source: &Source) -> Vec<Diagnostic> {
    let repeated = Spans::from_text(&source.text).repeated_keys();
    let found = repeated.into_iter().map(|(pointer, _, first)| {
        let line = source.text[..first.start].matches('\n').count() + 1;
        let key = pointer.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
        let message = format!("duplicate key `{key}`: the value on line {line} is lost");
        Diagnostic::new_error(codes::DUPLICATE_KEY, pointer, message).with_help("remove one of the two, or rename it")
    });
    found.collect()
}

fn with_id(content: &Value, id: &str) -> Value {
    let mut fields = Map::from_iter([("id".to_owned(), Value::from(id))]);
    match content {
        Value::Object(own) => fields.extend(own.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => return content.clone(),
    }
    Value::Object(fields)
}

/// Moves a finding of a document that is a part of the file.
fn with_prefix(prefix: &str, found: Diagnostic) -> Diagnostic {
    let pointer = format!("{prefix}{}", found.pointer);
    let fix = found.fix.map(|fix| Fix { pointer: format!("{prefix}{}", fix.pointer), ..fix });
    Diagnostic { pointer, fix, ..found }
}
