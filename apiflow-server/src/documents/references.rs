//! What documents refer to, and the catalog that a run of them needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apiflow_core::catalog::{Catalog, Connector, Node, parse_connector, parse_node};
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::json::pointer_push;
use apiflow_core::openflow::{DocumentReference, list_references};
use apiflow_core::ports::Timestamp;
use apiflow_store::{Document, DocumentKind, Documents, RecordError};
use serde_json::{Map, Value};

use crate::http::problem::Problem;
use crate::record_cache::DocumentReader;
use crate::secrets::access::SecretRefusal;
use crate::secrets::directory::SecretDirectory;

/// Maximum number of documents of a kind that are read for their names.
const MAX_NAMES: u32 = 200;

/// Returns the nodes and workflows that an OpenFlow document refers to, as far as they can be read.
pub(crate) fn of_workflow(document: &Value) -> Vec<(DocumentKind, String)> {
    let references = list_references(document).into_iter();
    references
        .map(|reference| match reference {
            DocumentReference::Node(id) => (DocumentKind::Node, id),
            DocumentReference::Workflow(id) => (DocumentKind::Workflow, id),
        })
        .collect()
}

/// Identifies the content of a saved document: it changes with every save, even if the document was deleted in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DocumentVersion {
    kind: DocumentKind,
    id: String,
    created_at: Timestamp,
    version: u64,
}

impl DocumentVersion {
    /// The version of a document that was read.
    pub(crate) fn of_document(document: &Document) -> Self {
        let Document { kind, created_at, version, .. } = document;
        Self { kind: *kind, id: document.id.clone(), created_at: *created_at, version: *version }
    }
}

/// The connectors, nodes and sub-flows that documents refer to, as they are declared and saved.
#[derive(Default)]
pub(crate) struct SavedDeclarations {
    /// The declarations; references to users' own secrets include the owner.
    pub(crate) catalog: Catalog,
    /// The versions of all documents that were read.
    pub(crate) versions: Vec<DocumentVersion>,
    /// The saved connectors and nodes.
    saved: BTreeMap<(DocumentKind, String), Arc<Document>>,
}

impl SavedDeclarations {
    /// Returns the findings that prevent runs of nodes, by the nodes' ids.
    pub(crate) fn refusals_of_nodes(&self, directory: &SecretDirectory) -> BTreeMap<String, Vec<Diagnostic>> {
        let refused = |node: &String| {
            self.refusals_of_node(directory, node).into_iter().map(SecretRefusal::into_diagnostic).collect()
        };
        self.catalog.nodes.keys().map(|node| (node.clone(), refused(node))).collect()
    }

    /// Returns the secret references of a node and its connector that prevent a run.
    fn refusals_of_node(&self, directory: &SecretDirectory, node: &str) -> Vec<SecretRefusal> {
        let node_document = self.saved.get(&(DocumentKind::Node, node.to_owned()));
        let Some((document, node)) = node_document.zip(self.catalog.nodes.get(node)) else { return Vec::new() };
        let id = &node.connector_id;
        let connector = self.saved.get(&(DocumentKind::Connector, id.clone())).map(Arc::as_ref);
        let connector = connector.zip(self.catalog.connectors.get(id));
        refusals_of_run(directory, (document, node), connector)
    }

    /// Returns a finding for each node of a document that must not be run, at the first module that runs it.
    pub(crate) fn findings_of_nodes(&self, directory: &SecretDirectory, document: &Value) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for node in self.catalog.nodes.keys() {
            let refusals = self.refusals_of_node(directory, node).into_iter().map(SecretRefusal::into_diagnostic);
            let pointer = module_of_node(document, node).unwrap_or_default();
            found.extend(refusals.map(|refusal| Diagnostic {
                message: format!("node `{node}`: {}", refusal.message),
                pointer: pointer.clone(),
                ..refusal
            }));
        }
        found
    }
}

/// Returns the references that prevent a run of a node; those of the connector are reported where the node names it.
pub(crate) fn refusals_of_run(
    directory: &SecretDirectory,
    (document, node): (&Document, &Node),
    connector: Option<(&Document, &Connector)>,
) -> Vec<SecretRefusal> {
    let mut refusals = directory.refused_references(document);
    if let Some((saved, connector)) = connector {
        let of_connector = directory.refused_references(saved).into_iter();
        refusals.extend(of_connector.map(|refusal| refusal.at_pointer("/connector_id", &saved.id)));
        refusals.extend(directory.refusals_of_node((document, node), (saved, connector)));
    }
    refusals
}

/// Returns the pointer of the first module that runs a node.
fn module_of_node(document: &Value, node: &str) -> Option<String> {
    match document {
        Value::Object(fields) => {
            let value = fields.get("value");
            let path = value.and_then(|value| value.get("path")).and_then(Value::as_str);
            let is_script = value.and_then(|value| value.get("type")).and_then(Value::as_str) == Some("script");
            if is_script && path.and_then(|path| path.split_once('/')).is_some_and(|(_, id)| id == node) {
                return Some(String::new());
            }
            fields.iter().find_map(|(key, value)| {
                module_of_node(value, node).map(|rest| format!("{}{rest}", pointer_push("", key)))
            })
        }
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| module_of_node(item, node).map(|rest| format!("/{index}{rest}")))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Loads what documents refer to, including through sub-flows. Missing documents are left out; the validator reports them.
pub(crate) async fn load_declarations(
    documents: &DocumentReader,
    directory: &SecretDirectory,
    roots: &[&Value],
) -> Result<SavedDeclarations, Problem> {
    let mut declarations = SavedDeclarations::default();
    let mut wanted: Vec<_> = roots.iter().flat_map(|document| of_workflow(document)).collect();
    let mut seen = BTreeSet::new();
    while let Some((kind, id)) = wanted.pop() {
        if !seen.insert((kind, id.clone())) {
            continue;
        }
        let Some(document) = documents.read_document(kind, &id).await? else { continue };
        declarations.versions.push(DocumentVersion::of_document(&document));
        wanted.extend(add_document(&mut declarations.catalog, directory, &document)?);
        if kind != DocumentKind::Workflow {
            declarations.saved.insert((kind, id), document);
        }
    }
    Ok(declarations)
}

/// The message about an id that [`control_in_id`] finds.
pub(crate) const CONTROL_IN_ID: &str = "the id must not contain control characters, such as line breaks";

/// Returns the pointer of a module's id with control characters, which databases do not accept in text columns.
pub(crate) fn control_in_id(document: &Value) -> Option<String> {
    match document {
        Value::Object(fields) => {
            let is_module = fields.contains_key("value");
            let id = fields.get("id").and_then(Value::as_str).filter(|_| is_module).unwrap_or_default();
            if id.chars().any(char::is_control) {
                return Some("/id".to_owned());
            }
            fields
                .iter()
                .find_map(|(key, value)| control_in_id(value).map(|rest| format!("{}{rest}", pointer_push("", key))))
        }
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| control_in_id(item).map(|rest| format!("/{index}{rest}")))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Adds the newest nodes, connectors and workflows to a catalog, for suggestions of names.
pub(crate) async fn add_names(documents: &dyn Documents, catalog: &mut Catalog) -> Result<(), Problem> {
    for kind in [DocumentKind::Connector, DocumentKind::Node, DocumentKind::Workflow] {
        for document in documents.list_documents(kind, None, MAX_NAMES).await? {
            add_document(catalog, &SecretDirectory::default(), &document)?;
        }
    }
    Ok(())
}

/// Returns the pointer of the first string in a declaration that refers to a secret.
pub(crate) fn place_of_secret(declaration: &Value, name: &str) -> Option<String> {
    let below = |token: String, value: &Value| {
        place_of_secret(value, name).map(|rest| format!("{}{rest}", pointer_push("", &token)))
    };
    match declaration {
        Value::String(text) => {
            let mentioned = text.match_indices('$').any(|(at, _)| {
                let rest = text[at + 1..].strip_prefix(name);
                rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_'))
            });
            mentioned.then(String::new)
        }
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| below(index.to_string(), item)),
        Value::Object(fields) => fields.iter().find_map(|(key, value)| below(key.clone(), value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Adds a document to a catalog; returns the documents that it refers to in turn.
fn add_document(
    catalog: &mut Catalog,
    directory: &SecretDirectory,
    document: &Document,
) -> Result<Vec<(DocumentKind, String)>, Problem> {
    match document.kind {
        DocumentKind::Connector => {
            let mut connector = saved_connector(document)?;
            connector.own_secrets = directory.own_secrets(document);
            catalog.connectors.insert(document.id.clone(), connector);
            Ok(Vec::new())
        }
        DocumentKind::Node => {
            let mut node = saved_node(document)?;
            node.own_secrets = directory.own_secrets(document);
            let connector = (DocumentKind::Connector, node.connector_id.clone());
            catalog.nodes.insert(document.id.clone(), node);
            Ok(vec![connector])
        }
        DocumentKind::Workflow => {
            let nodes = document.body.get("nodes").cloned().unwrap_or_default();
            let references = of_workflow(&nodes);
            catalog.workflows.insert(document.id.clone(), nodes);
            Ok(references)
        }
    }
}

/// Returns the connector of a document.
pub(crate) fn saved_connector(document: &Document) -> Result<Connector, Problem> {
    parse_connector(&with_id(document)).map_err(|found| unreadable_document(document, &found))
}

/// Returns the node of a document.
pub(crate) fn saved_node(document: &Document) -> Result<Node, Problem> {
    parse_node(&with_id(document)).map_err(|found| unreadable_document(document, &found))
}

/// Returns a saved document, or 404.
pub(crate) async fn saved_document(
    documents: &dyn Documents,
    kind: DocumentKind,
    id: &str,
) -> Result<Document, Problem> {
    require_document(documents.read_document(kind, id).await?, kind, id)
}

/// Returns a document that was looked up, or 404 if there is none.
pub(crate) fn require_document<D>(found: Option<D>, kind: DocumentKind, id: &str) -> Result<D, Problem> {
    found.ok_or_else(|| RecordError::NotFound { kind: kind.as_str(), id: id.to_owned() }.into())
}

fn with_id(document: &Document) -> Value {
    let mut object = Map::from_iter([("id".to_owned(), Value::from(document.id.as_str()))]);
    if let Value::Object(fields) = &document.body {
        object.extend(fields.clone());
    }
    Value::Object(object)
}

fn unreadable_document(document: &Document, found: &[Diagnostic]) -> Problem {
    let error = found.iter().map(|found| format!("{} {}", found.pointer, found.message)).collect::<Vec<_>>().join("; ");
    Problem::internal(format!("saved {} `{}` cannot be read: {error}", document.kind.as_str(), document.id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: Value, expected: &[(DocumentKind, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(kind, id)| (*kind, (*id).to_owned())).collect();
        assert_eq!(of_workflow(&json!({ "value": value })), expected, "{value}");
    }

    fn script(path: &str) -> Value {
        json!({"id": "a", "value": {"type": "script", "path": path}})
    }

    #[test]
    fn references_are_found_at_any_depth() {
        check(
            json!({"modules": [script("node/n"), script("c/m"), script("node/n")]}),
            &[(DocumentKind::Node, "m"), (DocumentKind::Node, "n")],
        );
        check(
            json!({"modules": [
                {"value": {"type": "forloopflow", "modules": [
                    {"value": {"type": "branchone", "branches": [{"modules": [script("node/b")]}], "default": [script("node/d")]}}
                ]}},
                {"value": {"type": "flow", "path": "workflow/w"}},
            ], "failure_module": script("node/f")}),
            &[
                (DocumentKind::Node, "b"),
                (DocumentKind::Node, "d"),
                (DocumentKind::Node, "f"),
                (DocumentKind::Workflow, "w"),
            ],
        );
    }

    #[test]
    fn ids_of_modules_have_no_control_characters() {
        let document = |id: &str| json!({"value": {"modules": [{"id": "a", "value": {}}, {"id": id, "value": {}}]}});
        assert_eq!(control_in_id(&document("a\u{0}")).as_deref(), Some("/value/modules/1/id"));
        assert_eq!(control_in_id(&document("b")), None);
        assert_eq!(control_in_id(&json!({"schema": {"default": {"id": "x\n"}}})), None);
    }

    #[test]
    fn a_secret_is_found_where_it_is_named() {
        let declaration =
            json!({"name": "$KEY2", "header": {"a/b": "Key $KEY"}, "body": ["$OTHER", {"x": "{{ y }}$LAST."}]});
        for (name, expected) in [("KEY", Some("/header/a~1b")), ("LAST", Some("/body/1/x")), ("NONE", None)] {
            assert_eq!(place_of_secret(&declaration, name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn values_that_look_like_modules_are_none() {
        check(
            json!({"modules": [{"value": {"type": "identity", "input_transforms": {
                "x": {"type": "static", "value": {"type": "script", "path": "node/no"}}}}}]}),
            &[],
        );
        check(json!({"modules": "none"}), &[]);
        check(json!({"modules": [script("no_slash"), {"value": 5}, null]}), &[]);
    }
}
