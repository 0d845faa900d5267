//! The versions that saves of workflows keep.

use std::sync::Arc;

use apiflow_core::ports::Timestamp;
use serde_json::{Value, json};

use super::documents::{new_document, save_document};
use crate::{Document, DocumentKind, Documents, MAX_WORKFLOW_VERSIONS, Precondition, WorkflowVersion};

type Subject = Arc<dyn Documents>;

super::list_cases![dyn Documents:
    each_save_of_a_workflow_keeps_a_version,
    a_save_that_changes_nothing_keeps_no_version,
    a_refused_save_keeps_no_version,
    versions_are_paged_newest_first,
    the_oldest_versions_are_deleted,
    versions_end_with_their_workflow,
    connectors_and_nodes_have_no_versions,
];

/// Saves a workflow whose body has this text, as `user`.
async fn save(store: &Subject, id: &str, text: &str, user: &str) -> u64 {
    let at = 1_000 * i64::try_from(text.len()).expect("texts are short");
    let workflow = new_document(DocumentKind::Workflow, id, at, &[]);
    let document = Document { body: json!({"name": text, "a": 1}), saved_by: Some(user.to_owned()), ..workflow };
    save_document(store, document).await.version
}

async fn list_numbers(store: &Subject, id: &str, before: Option<u64>, limit: u32) -> Vec<u64> {
    let versions = store.list_workflow_versions(id, before, limit).await.expect("versions are listed");
    versions.into_iter().map(|version| version.number).collect()
}

async fn read_body(store: &Subject, id: &str, number: u64) -> Option<Value> {
    store.read_workflow_version(id, number).await.expect("a version is read").map(|(_, body)| body)
}

async fn each_save_of_a_workflow_keeps_a_version(store: Subject) {
    assert_eq!(save(&store, "w", "a", "ann").await, 1);
    assert_eq!(save(&store, "w", "bb", "bob").await, 2);
    let version =
        |number, user: &str, at| WorkflowVersion { number, saved_by: Some(user.to_owned()), saved_at: Timestamp(at) };
    let expected = [version(2, "bob", 2_000), version(1, "ann", 1_000)];
    assert_eq!(store.list_workflow_versions("w", None, 10).await, Ok(expected.to_vec()));
    let first = store.read_workflow_version("w", 1).await.expect("a version is read").expect("it is there");
    assert_eq!((first.0, first.1.to_string()), (version(1, "ann", 1_000), r#"{"name":"a","a":1}"#.to_owned()));
    let saved = store.read_document(DocumentKind::Workflow, "w").await.expect("a document is read");
    assert_eq!(saved.and_then(|document| document.saved_by), Some("bob".to_owned()));
}

async fn a_save_that_changes_nothing_keeps_no_version(store: Subject) {
    for (text, number) in [("a", 1), ("a", 2), ("b", 3), ("a", 4)] {
        assert_eq!(save(&store, "w", text, "ann").await, number);
    }
    assert_eq!(list_numbers(&store, "w", None, 10).await, [4, 3, 1]);
    assert_eq!(read_body(&store, "w", 2).await, read_body(&store, "w", 1).await, "it had this body then, too");
    assert_eq!(read_body(&store, "w", 0).await, None);
    assert_eq!(read_body(&store, "w", 5).await, None, "the workflow has had no such version");
}

async fn a_refused_save_keeps_no_version(store: Subject) {
    save(&store, "w", "a", "ann").await;
    let other = Document { body: json!({}), ..new_document(DocumentKind::Workflow, "w", 9_000, &[]) };
    assert!(store.save_document(other, Precondition::Version(7)).await.is_err());
    assert_eq!(list_numbers(&store, "w", None, 10).await, [1]);
}

async fn versions_are_paged_newest_first(store: Subject) {
    for text in ["a", "b", "c", "d"] {
        save(&store, "w", text, "ann").await;
        save(&store, "other", text, "ann").await;
    }
    assert_eq!(list_numbers(&store, "w", None, 2).await, [4, 3]);
    assert_eq!(list_numbers(&store, "w", Some(3), 2).await, [2, 1]);
    assert_eq!(list_numbers(&store, "w", Some(1), 2).await, [0; 0]);
    assert_eq!(list_numbers(&store, "nobody", None, 2).await, [0; 0]);
}

async fn the_oldest_versions_are_deleted(store: Subject) {
    let last = u64::from(MAX_WORKFLOW_VERSIONS) + 2;
    for number in 1..=last {
        save(&store, "w", if number % 2 == 0 { "even" } else { "odd" }, "ann").await;
    }
    let numbers = list_numbers(&store, "w", None, 500).await;
    assert_eq!((numbers.first(), numbers.last()), (Some(&last), Some(&3)));
    assert_eq!(numbers.len(), MAX_WORKFLOW_VERSIONS as usize);
    assert_eq!(read_body(&store, "w", 2).await, None);
}

async fn versions_end_with_their_workflow(store: Subject) {
    save(&store, "w", "a", "ann").await;
    save(&store, "w2", "a", "ann").await;
    assert_eq!(store.remove(DocumentKind::Workflow, "w", Precondition::None).await, Ok(()));
    assert_eq!(list_numbers(&store, "w", None, 10).await, [0; 0]);
    assert_eq!(list_numbers(&store, "w2", None, 10).await, [1]);
    save(&store, "w", "b", "bob").await;
    assert_eq!(list_numbers(&store, "w", None, 10).await, [1]);
    assert_eq!(read_body(&store, "w", 1).await.map(|body| body["name"].clone()), Some(json!("b")));
}

async fn connectors_and_nodes_have_no_versions(store: Subject) {
    for kind in [DocumentKind::Connector, DocumentKind::Node] {
        save_document(&store, new_document(kind, "same", 1_000, &[])).await;
    }
    assert_eq!(list_numbers(&store, "same", None, 10).await, [0; 0]);
    assert_eq!(read_body(&store, "same", 1).await, None);
}
