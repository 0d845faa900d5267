//! A job to be created, with an input of the test's choice.

use apiflow_core::ports::{EventRow, JobBundle, NewJob, Timestamp};
use serde_json::{Value, json};

/// Describes a job without a document, user or concurrency key; `input` is the value of its first event.
pub(super) fn new_job(id: &str, input: Value) -> NewJob {
    NewJob {
        id: id.to_owned(),
        name: String::new(),
        workflow_id: None,
        workflow_version: None,
        node_id: None,
        rerun_of: None,
        created_by: None,
        created_at: Timestamp(1),
        bundle: JobBundle::default().into(),
        priority: 0,
        concurrency: None,
        events: vec![EventRow { seq: 1, at: Timestamp(1), body: json!({}), value: Some(input), item: None }],
        idempotency: None,
        max_bytes_in_flight: None,
        webhook: None,
    }
}
