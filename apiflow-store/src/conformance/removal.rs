//! Removing documents that others may refer to.

use std::sync::Arc;

use super::documents::{new_connector, new_document, save_document};
use crate::{DocumentKind, Documents, Precondition, RecordError};

type Subject = Arc<dyn Documents>;

super::list_cases![dyn Documents:
    a_document_in_use_is_not_removed_and_its_users_are_named,
    a_document_that_refers_to_itself_is_removed,
    of_many_users_twenty_are_named,
    a_save_and_a_removal_at_once_leave_no_broken_reference_behind,
];

async fn remove(store: &Subject, kind: DocumentKind, id: &str) -> Result<(), RecordError> {
    store.remove(kind, id, Precondition::None).await
}

fn in_use(kind: DocumentKind, id: &str, by: Vec<(DocumentKind, String)>) -> Result<(), RecordError> {
    Err(RecordError::InUse { kind: kind.as_str(), id: id.to_owned(), by })
}

async fn a_document_in_use_is_not_removed_and_its_users_are_named(store: Subject) {
    let used = (DocumentKind::Connector, "c");
    save_document(&store, new_connector("c", 1_000)).await;
    save_document(&store, new_document(DocumentKind::Workflow, "w", 1_000, &[used, (DocumentKind::Node, "n"), used]))
        .await;
    save_document(&store, new_document(DocumentKind::Node, "n", 1_000, &[used])).await;
    let named = |kind, id: &str| (kind, id.to_owned());
    let by = vec![named(DocumentKind::Node, "n"), named(DocumentKind::Workflow, "w")];
    assert_eq!(remove(&store, used.0, used.1).await, in_use(used.0, used.1, by));
    assert!(store.read_document(used.0, used.1).await.is_ok_and(|found| found.is_some()));
    let by = vec![named(DocumentKind::Workflow, "w")];
    assert_eq!(remove(&store, DocumentKind::Node, "n").await, in_use(DocumentKind::Node, "n", by));
    assert_eq!(remove(&store, DocumentKind::Workflow, "w").await, Ok(()));
    save_document(&store, new_document(DocumentKind::Node, "n", 2_000, &[])).await;
    assert_eq!(remove(&store, used.0, used.1).await, Ok(()), "nobody refers to it any more");
}

async fn a_document_that_refers_to_itself_is_removed(store: Subject) {
    save_document(&store, new_document(DocumentKind::Workflow, "w", 1_000, &[(DocumentKind::Workflow, "w")])).await;
    assert_eq!(remove(&store, DocumentKind::Workflow, "w").await, Ok(()));
    assert_eq!(store.read_document(DocumentKind::Workflow, "w").await, Ok(None));
}

async fn of_many_users_twenty_are_named(store: Subject) {
    save_document(&store, new_connector("c", 1_000)).await;
    for index in 0..25 {
        let references = [(DocumentKind::Connector, "c")];
        save_document(&store, new_document(DocumentKind::Node, &format!("n{index:02}"), 1_000, &references)).await;
    }
    let by = (0..20).map(|index| (DocumentKind::Node, format!("n{index:02}"))).collect();
    assert_eq!(remove(&store, DocumentKind::Connector, "c").await, in_use(DocumentKind::Connector, "c", by));
}

/// In either order: a removal succeeds only if no document that refers to the removed one was saved before it.
async fn a_save_and_a_removal_at_once_leave_no_broken_reference_behind(store: Subject) {
    for round in 0..10 {
        let (used, user) = (format!("c{round}"), format!("n{round}"));
        save_document(&store, new_connector(&used, 1_000)).await;
        let node = new_document(DocumentKind::Node, &user, 2_000, &[(DocumentKind::Connector, &used)]);
        let (saving, removing, used_id) = (store.clone(), store.clone(), used.clone());
        let saved = tokio::spawn(async move { saving.save_document(node, Precondition::None).await });
        let removed = tokio::spawn(async move { remove(&removing, DocumentKind::Connector, &used_id).await });
        let (saved, removed) = (saved.await.expect("no panic"), removed.await.expect("no panic"));
        assert!(saved.is_ok(), "{saved:?}");
        let left = store.read_document(DocumentKind::Connector, &used).await.expect("a document is read").is_some();
        let by = vec![(DocumentKind::Node, user)];
        assert_eq!(removed, if left { in_use(DocumentKind::Connector, &used, by) } else { Ok(()) });
    }
}
