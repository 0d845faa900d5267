//! Adds a node of the library with its connector, without ever changing what exists.

use apiflow_store::DocumentKind;
use serde_json::Value;

use super::cog_schema::build_node;
use crate::api::{ImportModelRequest, LibraryAddition, LibraryChange, LibraryEntry};
use crate::documents::crud::{Insertion, insert_document};
use crate::documents::references::saved_document;
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::Caller;

/// Adds the connector and the node that do not exist yet, and says how existing ones differ.
pub(crate) async fn add_entry(
    state: &AppState,
    caller: &Caller,
    entry: &LibraryEntry,
) -> Result<LibraryAddition, Problem> {
    let mut changes = Vec::new();
    let connector = insert_document(state, caller, DocumentKind::Connector, entry.connector.clone()).await?;
    let is_connector_added = note_changes("connector", connector, &mut changes);
    let node = insert_document(state, caller, DocumentKind::Node, entry.node.clone()).await?;
    let is_node_added = note_changes("node", node, &mut changes);
    Ok(LibraryAddition {
        node_id: entry.item.id.clone(),
        connector_id: entry.item.provider.clone(),
        is_node_added,
        is_connector_added,
        changes,
    })
}

/// Adds a node for a model of Replicate, unless it exists; the connector must exist.
pub(crate) async fn add_model(
    state: &AppState,
    caller: &Caller,
    request: &ImportModelRequest,
) -> Result<LibraryAddition, Problem> {
    let connector_id = request.connector_id.clone();
    saved_document(&*state.documents, DocumentKind::Connector, &connector_id).await?;
    let node = build_node(&request.model, &connector_id).map_err(|reason| Problem::single_fault("/model", reason))?;
    let node_id = node["id"].as_str().unwrap_or_default().to_owned();
    let mut changes = Vec::new();
    let insertion = insert_document(state, caller, DocumentKind::Node, node).await?;
    let is_node_added = note_changes("node", insertion, &mut changes);
    Ok(LibraryAddition { node_id, connector_id, is_node_added, is_connector_added: false, changes })
}

/// Notes how an existing document differs; returns whether it was inserted.
fn note_changes(document: &'static str, insertion: Insertion, changes: &mut Vec<LibraryChange>) -> bool {
    match insertion {
        Insertion::Inserted => true,
        Insertion::Exists { saved, given } => {
            compare_values(document, "", Some(&saved), Some(&given), changes);
            false
        }
    }
}

/// Lists the places where two values differ: objects key by key, anything else as a whole.
fn compare_values(
    document: &'static str,
    pointer: &str,
    saved: Option<&Value>,
    library: Option<&Value>,
    changes: &mut Vec<LibraryChange>,
) {
    if saved == library {
        return;
    }
    if let (Some(Value::Object(saved)), Some(Value::Object(library))) = (saved, library) {
        let further = library.keys().filter(|key| !saved.contains_key(*key));
        for key in saved.keys().chain(further) {
            let pointer = apiflow_core::json::pointer_push(pointer, key);
            compare_values(document, &pointer, saved.get(key), library.get(key), changes);
        }
        return;
    }
    let (saved, library) = (saved.cloned(), library.cloned());
    changes.push(LibraryChange { document, pointer: pointer.to_owned(), saved, library });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_listed_by_place() {
        let mut changes = Vec::new();
        let saved = json!({"a": 1, "b": {"c": [1], "d": 2}, "e": 3});
        let library = json!({"a": 1, "b": {"c": [2], "d": 2}, "f": 4});
        compare_values("node", "", Some(&saved), Some(&library), &mut changes);
        let found: Vec<_> = changes.into_iter().map(|change| (change.pointer, change.saved, change.library)).collect();
        let expected =
            [("/b/c", Some(json!([1])), Some(json!([2]))), ("/e", Some(json!(3)), None), ("/f", None, Some(json!(4)))];
        assert_eq!(found, expected.map(|(pointer, saved, library)| (pointer.to_owned(), saved, library)));
    }
}
