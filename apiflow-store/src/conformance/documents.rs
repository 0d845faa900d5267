//! Saving and reading documents.

use std::sync::Arc;

use apiflow_core::ports::Timestamp;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{Document, DocumentKind, Documents, Precondition, RecordError};

type Subject = Arc<dyn Documents>;

super::list_cases![dyn Documents:
    a_document_reads_back_as_it_was_saved,
    saving_again_replaces_the_whole_and_raises_the_version,
    an_id_is_unique_within_its_kind,
    preconditions_are_kept,
    documents_are_paged_newest_first,
    a_page_after_a_missing_document_is_refused,
    of_creations_at_once_one_wins,
    of_saves_at_once_of_one_version_one_wins,
];

pub(super) fn new_document(kind: DocumentKind, id: &str, at: i64, references: &[(DocumentKind, &str)]) -> Document {
    Document {
        kind,
        id: id.to_owned(),
        body: json!({"name": id, "base_url": "https://example.com"}),
        references: references.iter().map(|(kind, id)| (*kind, (*id).to_owned())).collect(),
        author: Some("ann".to_owned()),
        by_admin: false,
        saved_by: Some("bob".to_owned()),
        created_at: Timestamp(1),
        updated_at: Timestamp(at),
        version: 77,
    }
}

pub(super) fn new_connector(id: &str, at: i64) -> Document {
    new_document(DocumentKind::Connector, id, at, &[])
}

pub(super) async fn save_document(store: &Subject, document: Document) -> Document {
    store.save_document(document, Precondition::None).await.expect("a document is saved")
}

async fn a_document_reads_back_as_it_was_saved(store: Subject) {
    let references = [(DocumentKind::Node, "z"), (DocumentKind::Workflow, "a"), (DocumentKind::Node, "b")];
    let body = json!({"zeta": {"y": [1, 2.5, null], "b": "ü\u{0}🦀"}, "alpha": ""});
    let asked = Document { body: body.clone(), ..new_document(DocumentKind::Workflow, "w", 5_000, &references) };
    let saved = save_document(&store, asked.clone()).await;
    assert_eq!(saved, Document { created_at: Timestamp(5_000), version: 1, ..asked });
    let read =
        store.read_document(DocumentKind::Workflow, "w").await.expect("a document is read").expect("it is there");
    assert_eq!(read, saved);
    assert_eq!(read.body.to_string(), body.to_string(), "the order of keys is kept");
    assert_eq!(store.read_document(DocumentKind::Workflow, "v").await, Ok(None));
}

async fn saving_again_replaces_the_whole_and_raises_the_version(store: Subject) {
    save_document(&store, new_document(DocumentKind::Node, "n", 5_000, &[(DocumentKind::Connector, "a")])).await;
    let second = Document {
        body: json!({"name": "other"}),
        author: None,
        by_admin: true,
        ..new_document(
            DocumentKind::Node,
            "n",
            6_000,
            &[(DocumentKind::Connector, "b"), (DocumentKind::Connector, "c")],
        )
    };
    let saved = save_document(&store, second.clone()).await;
    assert_eq!(saved, Document { created_at: Timestamp(5_000), version: 2, ..second });
    assert_eq!(store.read_document(DocumentKind::Node, "n").await, Ok(Some(saved)));
}

async fn an_id_is_unique_within_its_kind(store: Subject) {
    for kind in [DocumentKind::Connector, DocumentKind::Node, DocumentKind::Workflow] {
        let saved = save_document(&store, new_document(kind, "same", 5_000, &[])).await;
        assert_eq!((saved.kind, saved.version), (kind, 1));
    }
    let gone = store.remove(DocumentKind::Node, "same", Precondition::None).await;
    assert_eq!(gone, Ok(()));
    assert_eq!(store.read_document(DocumentKind::Node, "same").await, Ok(None));
    assert!(store.read_document(DocumentKind::Connector, "same").await.is_ok_and(|found| found.is_some()));
}

async fn preconditions_are_kept(store: Subject) {
    let (kind, id) = ("connector", "c".to_owned());
    let missing = RecordError::NotFound { kind, id: id.clone() };
    let attempt = |must| store.save_document(new_connector("c", 5_000), must);
    assert_eq!(attempt(Precondition::Present).await, Err(missing.clone()));
    assert_eq!(attempt(Precondition::Version(1)).await, Err(missing.clone()));
    assert_eq!(store.remove(DocumentKind::Connector, "c", Precondition::None).await, Err(missing.clone()));
    assert_eq!(store.remove(DocumentKind::Connector, "c", Precondition::Version(1)).await, Err(missing));
    assert_eq!(store.read_document(DocumentKind::Connector, "c").await, Ok(None), "what is refused saves nothing");
    assert_eq!(attempt(Precondition::Absent).await.map(|saved| saved.version), Ok(1));
    assert_eq!(attempt(Precondition::Absent).await, Err(RecordError::Exists { kind, id: id.clone() }));
    assert_eq!(attempt(Precondition::Present).await.map(|saved| saved.version), Ok(2));
    assert_eq!(attempt(Precondition::Version(2)).await.map(|saved| saved.version), Ok(3));
    let changed = RecordError::Changed { kind, id, version: 3 };
    assert_eq!(attempt(Precondition::Version(2)).await, Err(changed.clone()));
    assert_eq!(store.remove(DocumentKind::Connector, "c", Precondition::Version(2)).await, Err(changed));
    assert_eq!(store.remove(DocumentKind::Connector, "c", Precondition::Version(3)).await, Ok(()));
}

async fn list_ids(store: &Subject, after: Option<&str>, limit: u32) -> Vec<String> {
    let page = store.list_documents(DocumentKind::Connector, after, limit).await.expect("a page is read");
    page.into_iter().map(|document| document.id).collect()
}

async fn documents_are_paged_newest_first(store: Subject) {
    for (id, at) in [("b", 1_000), ("a", 3_000), ("d", 2_000), ("c", 2_000), ("B", 2_000)] {
        save_document(&store, new_connector(id, at)).await;
    }
    save_document(&store, new_connector("b", 9_000)).await;
    save_document(&store, new_document(DocumentKind::Node, "n", 5_000, &[(DocumentKind::Connector, "a")])).await;
    assert_eq!(list_ids(&store, None, 10).await, ["a", "d", "c", "B", "b"], "by first save, then id, byte by byte");
    assert_eq!(list_ids(&store, None, 2).await, ["a", "d"]);
    assert_eq!(list_ids(&store, Some("d"), 2).await, ["c", "B"]);
    assert_eq!(list_ids(&store, Some("b"), 2).await, [""; 0]);
    let nodes = store.list_documents(DocumentKind::Node, None, 10).await.expect("a page is read");
    assert_eq!(nodes[0].references, [(DocumentKind::Connector, "a".to_owned())]);
}

async fn a_page_after_a_missing_document_is_refused(store: Subject) {
    save_document(&store, new_connector("a", 1_000)).await;
    let page = store.list_documents(DocumentKind::Connector, Some("gone"), 10).await;
    assert_eq!(page, Err(RecordError::NotFound { kind: "connector", id: "gone".to_owned() }));
}

async fn at_once(store: &Subject, must: Precondition) -> Vec<Result<Document, RecordError>> {
    let mut saves = JoinSet::new();
    for index in 0..8 {
        let store = store.clone();
        saves.spawn(async move { store.save_document(new_connector("c", 5_000 + index), must).await });
    }
    saves.join_all().await
}

async fn of_creations_at_once_one_wins(store: Subject) {
    let done = at_once(&store, Precondition::Absent).await;
    let exists = Err(RecordError::Exists { kind: "connector", id: "c".to_owned() });
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
    assert_eq!(done.iter().filter(|done| **done == exists).count(), 7, "{done:?}");
}

async fn of_saves_at_once_of_one_version_one_wins(store: Subject) {
    save_document(&store, new_connector("c", 1_000)).await;
    let done = at_once(&store, Precondition::Version(1)).await;
    let changed = Err(RecordError::Changed { kind: "connector", id: "c".to_owned(), version: 2 });
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
    assert_eq!(done.iter().filter(|done| **done == changed).count(), 7, "{done:?}");
}
