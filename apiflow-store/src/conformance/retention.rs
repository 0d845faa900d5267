//! How long jobs and artifacts are kept.

use std::sync::Arc;

use apiflow_core::ports::{ArtifactFilter, ArtifactRow, NewJob, Timestamp};
use serde_json::{Value, json};

use super::artifacts::{add, end_jobs, list, new_job, new_output, new_row};
use crate::{Document, DocumentKind, Precondition, Stores, WorkflowRetention};

type Subject = Arc<Stores>;

super::list_cases![Stores:
    the_retention_of_a_workflow_is_saved_and_deleted_with_it,
    jobs_of_a_workflow_with_jobs_days_expire_by_them_alone,
    outputs_of_a_workflow_with_artifacts_days_expire_by_them_alone,
];

async fn save_workflow(store: &Subject, id: &str, retention: Value) {
    let document = Document {
        kind: DocumentKind::Workflow,
        id: id.to_owned(),
        body: json!({"name": id, "nodes": {}, "retention": retention}),
        references: Vec::new(),
        author: None,
        by_admin: false,
        saved_by: None,
        created_at: Timestamp(1),
        updated_at: Timestamp(1),
        version: 0,
    };
    store.documents.save_document(document, Precondition::None).await.expect("a workflow is saved");
}

async fn create_job(store: &Subject, id: &str, workflow: Option<&str>) {
    let job = NewJob { workflow_id: workflow.map(str::to_owned), ..new_job(id) };
    store.store.create_job(job, None).await.expect("a job is created");
}

async fn retentions(store: &Subject) -> Vec<WorkflowRetention> {
    store.housekeeping.list_workflow_retentions().await.expect("they are listed")
}

async fn the_retention_of_a_workflow_is_saved_and_deleted_with_it(store: Subject) {
    let retention = |workflow: &str, artifacts_days: Option<u64>, jobs_days: Option<u64>| WorkflowRetention {
        workflow: workflow.to_owned(),
        artifacts_days,
        jobs_days,
    };
    save_workflow(&store, "a", json!({"artifacts_days": 3})).await;
    save_workflow(&store, "b", json!({"artifacts_days": 1, "jobs_days": 2})).await;
    save_workflow(&store, "c", Value::Null).await;
    assert_eq!(retentions(&store).await, [retention("a", Some(3), None), retention("b", Some(1), Some(2))]);
    save_workflow(&store, "a", json!({"jobs_days": 5})).await;
    save_workflow(&store, "b", json!({})).await;
    assert_eq!(retentions(&store).await, [retention("a", None, Some(5))]);
    store.documents.remove(DocumentKind::Workflow, "a", Precondition::Present).await.expect("it is deleted");
    assert_eq!(retentions(&store).await, []);
}

async fn jobs_of_a_workflow_with_jobs_days_expire_by_them_alone(store: Subject) {
    save_workflow(&store, "own", json!({"jobs_days": 1})).await;
    save_workflow(&store, "other", json!({"artifacts_days": 1})).await;
    for (id, workflow) in [("a", Some("own")), ("b", Some("other")), ("c", None), ("d", Some("own"))] {
        create_job(&store, id, workflow).await;
    }
    end_jobs(&store).await;
    create_job(&store, "active", Some("own")).await;
    let end = Timestamp(i64::MAX);
    let expired = store.housekeeping.list_expired_jobs(Some(end), None, 10).await;
    assert_eq!(expired.as_deref(), Ok(&["b".to_owned(), "c".to_owned()][..]));
    let excess = store.housekeeping.list_expired_jobs(None, Some(1), 10).await;
    assert_eq!(excess.map(|jobs| jobs.len()), Ok(3), "the number of jobs counts those of all workflows");
    let of_workflow = async |workflow: &str, before: Timestamp, limit: u32| {
        store.housekeeping.list_expired_jobs_of_workflow(workflow, before, limit).await.expect("they are listed")
    };
    assert_eq!(of_workflow("own", end, 10).await, ["a", "d"]);
    assert_eq!(of_workflow("own", end, 1).await, ["a"]);
    assert_eq!(of_workflow("own", Timestamp(2), 10).await, [""; 0], "the moment is exact");
    assert_eq!(of_workflow("gone", end, 10).await, [""; 0]);
}

async fn outputs_of_a_workflow_with_artifacts_days_expire_by_them_alone(store: Subject) {
    save_workflow(&store, "own", json!({"artifacts_days": 1})).await;
    for (id, workflow) in [("j", Some("own")), ("k", Some("other")), ("l", None), ("later", Some("other"))] {
        create_job(&store, id, workflow).await;
    }
    for (id, job) in [("a", "j"), ("b", "j"), ("c", "k"), ("d", "l")] {
        add(&store, new_output(id, job, 1)).await;
    }
    add(&store, new_row("upload", "upload", None)).await;
    add(&store, ArtifactRow { last_used_at: Timestamp(9_000), ..new_row("used", "used", None) }).await;
    let delete = async |workflow: Option<&str>, before: i64, limit: u32| {
        let deleted = store.housekeeping.delete_expired_artifacts(workflow, Timestamp(before), limit).await;
        let mut left = list(&store, ArtifactFilter::default()).await;
        left.sort();
        (deleted.expect("they are deleted"), left.concat())
    };
    assert_eq!(delete(None, 9_000, 10).await, (1, "abcdused".to_owned()), "the jobs are active");
    end_jobs(&store).await;
    assert_eq!(delete(Some("own"), 5_000, 10).await, (0, "abcdused".to_owned()), "the moment is exact");
    assert_eq!(delete(None, 9_000, 10).await, (2, "abused".to_owned()));
    assert_eq!(delete(Some("own"), 9_000, 1).await, (1, "bused".to_owned()));
    assert_eq!(delete(Some("own"), 9_000, 10).await, (1, "used".to_owned()));
}
