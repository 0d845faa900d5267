//! Providers that are out while an attempt of unknown fate is settled, and users who ask for it again.

use fake_providers::{Behaviour, Replicate};
use serde_json::json;

use crate::process::{PATIENCE, Server, begin, declare, founding, is_final, schema};

/// A server killed in the middle of a create, whose provider is out when it starts again.
async fn out_while_settling(database: Option<&str>) {
    let behaviour = Behaviour { hold_create_ms: 300_000, delay_ms: 200, ..Behaviour::default() };
    let provider = Replicate::start(behaviour).await.expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), database, &provider).await;
    let job = begin(&server, &provider).await;
    assert!(provider.until(PATIENCE, |stats| stats.held == 1).await.is_some(), "the first create is held open");
    server.kill();
    provider.adjust(|behaviour| {
        behaviour.outage = true;
        behaviour.hold_create_ms = 0;
    });
    let server = Server::start(folder.path(), database, &provider).await;
    let asked =
        |wanted: u64| provider.until(PATIENCE, move |stats| stats.by_path.get("GET /v1/predictions") >= Some(&wanted));
    assert!(asked(4).await.is_some(), "the provider is asked again and again");
    let known = server.send("GET", &format!("/jobs/{job}"), None).await;
    assert!(!is_final(&known), "nothing is settled by a list that cannot be read: {known}");
    provider.adjust(|behaviour| behaviour.outage = false);
    // Somebody is impatient.
    server.send("POST", &format!("/jobs/{job}/steps/add_hat_step/recover"), None).await;
    let ended = server.job_where(&job, is_final).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(provider.creates().len(), 2, "one create a step");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_while_settling_only_delays_the_job() {
    out_while_settling(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_too_an_outage_while_settling_only_delays_the_job() {
    let Some(database) = schema("outage").await else { return };
    out_while_settling(Some(&database)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_ended_as_unknown_is_guarded_and_can_be_recovered() {
    let behaviour = Behaviour { drop_after_accept: 1, fail_lists: 1_000, delay_ms: 200, ..Behaviour::default() };
    let provider = Replicate::start(behaviour).await.expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), None, &provider).await;
    declare(&server, &provider, json!({"timeout_s": 1})).await;
    let job = server.send("POST", "/workflow/hat/run", Some(founding("run_workflow.json"))).await;
    let job = job["id"].as_str().expect("an id").to_owned();
    let lost = server.job_where(&job, is_final).await;
    assert_eq!(lost["error"]["name"], "submit_unknown", "{lost}");
    let (status, problem) = server.refused(&format!("/jobs/{job}/rerun"), json!({"from": "add_hat_step"})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("confirm_unknown")), "{problem}");
    let (status, problem) = server.refused(&format!("/jobs/{job}/steps/nobody/recover"), json!({})).await;
    assert_eq!(status, 404, "{problem}");
    provider.adjust(|behaviour| behaviour.fail_lists = 0);
    server.send("POST", &format!("/jobs/{job}/steps/add_hat_step/recover"), None).await;
    let found = server.job_where(&job, is_final).await;
    assert_eq!(found["status"], "completed", "{found}");
    assert_eq!(provider.creates().len(), 2, "one create a step");
    let (status, problem) = server.refused(&format!("/jobs/{job}/steps/add_hat_step/recover"), json!({})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("went_on")), "{problem}");
}
