//! Making jobs.

use futures_util::future::join_all;
use serde_json::json;

use super::fixtures::{FAR, PAST, Subject, create, event, event_with, ids, keyed_job, new_job, row};
use crate::catalog::{Catalog, Connector};
use crate::ports::{Created, JobBundle, JobFilter, JobStatus, NewJob, Timestamp};

super::list_cases![
    a_job_reads_back_as_it_was_made,
    a_job_id_is_taken_once,
    a_repeated_key_finds_the_first_job,
    an_expired_key_is_free_again,
    one_of_many_creations_at_once_with_one_key_wins,
];

async fn a_job_reads_back_as_it_was_made(store: Subject) {
    let mut catalog = Catalog::default();
    let connector: Connector =
        serde_json::from_value(json!({"id": "c", "name": "C", "base_url": "https://example.com", "method": "POST"}))
            .expect("a connector");
    catalog.connectors.insert("c".to_owned(), connector);
    let asked = NewJob {
        workflow_id: Some("portrait".to_owned()),
        node_id: Some("flux".to_owned()),
        created_by: Some("ada".to_owned()),
        bundle: JobBundle {
            document: json!({"zeta": 1, "alpha": {"y": 1, "b": [2.5, null, "ü"]}}),
            catalog,
            ..JobBundle::default()
        },
        events: vec![event_with(1, json!({"z": 1, "a": 2})), event(2)],
        ..new_job("a")
    };
    assert_eq!(store.create_job(asked.clone()).await, Ok(Created::New));
    let job = row(&store, "a").await;
    assert_eq!(
        (job.id, job.name, job.workflow_id, job.node_id, job.created_by),
        (asked.id, asked.name, asked.workflow_id, asked.node_id, asked.created_by)
    );
    assert_eq!((job.created_at, job.updated_at, job.last_seq), (Timestamp(4_000), Timestamp(4_000), 2));
    assert_eq!(job.patch, super::fixtures::patch(JobStatus::Pending));
    let loaded = store.load("a").await.expect("the job is loaded");
    assert_eq!(loaded.job, row(&store, "a").await);
    assert_eq!(loaded.bundle, asked.bundle);
    let text = |value: &serde_json::Value| value.to_string();
    assert_eq!(text(&loaded.bundle.document), text(&asked.bundle.document), "the order of keys is kept");
    assert_eq!((loaded.snapshot, loaded.inbox), (None, Vec::new()));
    assert_eq!(loaded.events, [event(1), event(2)], "events are loaded without their values");
    let values = store.values("a", &[1]).await.expect("values are read");
    assert_eq!(values[0].as_ref().map(text), Some(r#"{"z":1,"a":2}"#.to_owned()));
    assert_eq!(store.job("b").await, Ok(None));
}

async fn a_job_id_is_taken_once(store: Subject) {
    create(&store, "a").await;
    let again = NewJob { name: "another".to_owned(), ..new_job("a") };
    assert!(store.create_job(again).await.is_err(), "an id is taken once");
    assert_eq!(row(&store, "a").await.name, "job a");
}

async fn a_repeated_key_finds_the_first_job(store: Subject) {
    let make = |id, key, print| store.create_job(keyed_job(id, key, print, FAR));
    assert_eq!(store.job_of_key("ada:1").await, Ok(None));
    assert_eq!(make("a", "ada:1", "x").await, Ok(Created::New));
    assert_eq!(store.job_of_key("ada:1").await, Ok(Some(("a".to_owned(), "x".to_owned()))));
    let first = Ok(Created::Existing { job: "a".to_owned(), fingerprint: "x".to_owned() });
    assert_eq!(make("b", "ada:1", "x").await, first);
    assert_eq!(make("c", "ada:1", "y").await, first, "the first fingerprint is given");
    assert_eq!(make("d", "ada:2", "x").await, Ok(Created::New));
    assert_eq!(ids(&store, &JobFilter::default(), None, 10).await, ["d", "a"]);
}

async fn an_expired_key_is_free_again(store: Subject) {
    assert_eq!(store.create_job(keyed_job("a", "ada:1", "x", PAST)).await, Ok(Created::New));
    assert_eq!(store.job_of_key("ada:1").await, Ok(None));
    assert_eq!(store.create_job(keyed_job("b", "ada:1", "y", FAR)).await, Ok(Created::New));
    let second = Ok(Created::Existing { job: "b".to_owned(), fingerprint: "y".to_owned() });
    assert_eq!(store.create_job(keyed_job("c", "ada:1", "z", FAR)).await, second);
}

async fn one_of_many_creations_at_once_with_one_key_wins(store: Subject) {
    let asked = (0..8).map(|index| store.create_job(keyed_job(&format!("job-{index}"), "ada:1", "x", FAR)));
    let created: Vec<Created> = join_all(asked).await.into_iter().collect::<Result<_, _>>().expect("no creation fails");
    assert_eq!(created.iter().filter(|created| **created == Created::New).count(), 1);
    let made = ids(&store, &JobFilter::default(), None, 10).await;
    assert_eq!(made.len(), 1);
    for found in created {
        assert!(match found {
            Created::New => true,
            Created::Existing { job, .. } => job == made[0],
        });
    }
}
