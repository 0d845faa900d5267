//! Findings about documents: stored until they, or documents that they refer to, change.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use super::documents::{new_connector, new_document, save_document};
use crate::{DocumentCheck, DocumentKind, Documents, Precondition};

type Subject = Arc<dyn Documents>;

super::list_cases![dyn Documents:
    findings_are_kept_until_what_a_workflow_leads_to_changes,
    findings_of_what_has_changed_meanwhile_are_not_kept,
    findings_go_with_their_document,
    saves_at_once_of_what_many_lead_to_all_succeed,
];

async fn check_of(store: &Subject, id: &str) -> DocumentCheck {
    let checks = store.list_checks(DocumentKind::Workflow, &[id.to_owned()]).await.expect("checks are read");
    checks.into_iter().next().expect("a workflow has a row")
}

/// Records findings as of now.
async fn record_check(store: &Subject, id: &str) {
    let check = DocumentCheck { secrets: "s".to_owned(), findings: json!([id]), ..check_of(store, id).await };
    store.record_check(DocumentKind::Workflow, &check).await.expect("findings are kept");
}

/// A workflow that calls another one, which calls a node of a connector; and an unrelated workflow.
async fn save_chain(store: &Subject) {
    save_document(store, new_connector("c", 1_000)).await;
    save_document(store, new_document(DocumentKind::Node, "n", 1_000, &[(DocumentKind::Connector, "c")])).await;
    save_document(store, new_document(DocumentKind::Workflow, "inner", 1_000, &[(DocumentKind::Node, "n")])).await;
    save_document(store, new_document(DocumentKind::Workflow, "outer", 1_000, &[(DocumentKind::Workflow, "inner")]))
        .await;
    save_document(store, new_document(DocumentKind::Workflow, "other", 1_000, &[(DocumentKind::Node, "missing")]))
        .await;
}

async fn current_checks(store: &Subject) -> Vec<&'static str> {
    let mut current = Vec::new();
    for id in ["inner", "other", "outer"] {
        let check = check_of(store, id).await;
        if check.is_current {
            assert_eq!((check.secrets.as_str(), check.findings), ("s", json!([id])));
            current.push(id);
        }
    }
    current
}

async fn findings_are_kept_until_what_a_workflow_leads_to_changes(store: Subject) {
    save_chain(&store).await;
    assert_eq!(current_checks(&store).await, [""; 0], "nothing was checked yet");
    for (changed, left) in [
        (new_connector("c", 2_000), vec!["other"]),
        (new_document(DocumentKind::Workflow, "inner", 2_000, &[(DocumentKind::Node, "n")]), vec!["other"]),
        (new_document(DocumentKind::Workflow, "outer", 2_000, &[]), vec!["inner", "other"]),
        (new_document(DocumentKind::Node, "missing", 2_000, &[]), vec!["inner", "outer"]),
        (new_connector("unused", 2_000), vec!["inner", "other", "outer"]),
    ] {
        for id in ["inner", "other", "outer"] {
            record_check(&store, id).await;
        }
        save_document(&store, changed).await;
        assert_eq!(current_checks(&store).await, left);
    }
    let none = store.list_checks(DocumentKind::Node, &["n".to_owned()]).await.expect("checks are read");
    assert_eq!(none, [], "only workflows are checked against others");
}

async fn findings_of_what_has_changed_meanwhile_are_not_kept(store: Subject) {
    save_chain(&store).await;
    let before = check_of(&store, "outer").await;
    save_document(&store, new_connector("c", 2_000)).await;
    let late = DocumentCheck { findings: json!(["late"]), ..before };
    store.record_check(DocumentKind::Workflow, &late).await.expect("it is no error");
    assert!(!check_of(&store, "outer").await.is_current);
}

async fn findings_go_with_their_document(store: Subject) {
    save_chain(&store).await;
    record_check(&store, "other").await;
    store.remove(DocumentKind::Workflow, "other", Precondition::None).await.expect("nobody refers to it");
    let gone = store.list_checks(DocumentKind::Workflow, &["other".to_owned()]).await.expect("checks are read");
    assert_eq!(gone, []);
    save_document(&store, new_document(DocumentKind::Workflow, "other", 3_000, &[])).await;
    assert!(!check_of(&store, "other").await.is_current, "a new one of that name was not checked");
}

async fn saves_at_once_of_what_many_lead_to_all_succeed(store: Subject) {
    for id in ["a", "b", "c"] {
        save_document(&store, new_connector(id, 1_000)).await;
    }
    for number in 0..10 {
        let references = ["a", "b", "c"].map(|id| (DocumentKind::Connector, id));
        save_document(&store, new_document(DocumentKind::Workflow, &format!("w{number}"), 1_000, &references)).await;
    }
    let mut saves = JoinSet::new();
    for round in 0..10 {
        for id in ["a", "b", "c"] {
            let store = store.clone();
            saves.spawn(async move { drop(save_document(&store, new_connector(id, 2_000 + round)).await) });
        }
    }
    let saved = saves.join_all().await;
    assert_eq!(saved.len(), 30);
}
