//! Files that reach a provider: in the request, and by an upload before it.

use apiflow_core::catalog::ValueType;
use apiflow_core::catalog::{parse_connector, parse_node};
use apiflow_core::ports::{JobBundle, JobRecords as _, JobStatus, NewArtifact};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

use super::{Bench, fast, founding, one_step, three_equal_branches};

/// The bytes of the artifact: binary, and long enough that their base64 would be noticed anywhere.
fn content() -> Vec<u8> {
    (0..3_000_u32).map(|number| (number * 7 % 251) as u8).collect()
}

async fn store_hat(bench: &Bench) {
    let new = NewArtifact {
        id: "hat".to_owned(),
        value_type: ValueType::File,
        mime: Some("image/png".to_owned()),
        name: Some("hat.png".to_owned()),
        owner: None,
        provenance: None,
    };
    let bytes = stream::iter([Ok(Bytes::from(content()))]);
    bench.parts.artifacts.put(new, Box::pin(bytes)).await.expect("it is stored");
}

/// The founding node, whose image is sent in this way.
fn bundle(bench: &Bench, document: Value, sent_as: &str) -> JobBundle {
    bundle_with(bench, document, sent_as, json!("replicate"))
}

/// The same, with another rule of uploads.
fn bundle_with(bench: &Bench, document: Value, sent_as: &str, upload: Value) -> JobBundle {
    let mut bundle = bench.bundle(document);
    let mut connector = founding("connector.json");
    connector["id"] = json!("replicate_connector_id");
    connector["base_url"] = json!(bench.provider.base_url());
    connector["data"] = json!({"upload": upload});
    let connector = parse_connector(&connector).expect("the connector is sound");
    let mut node = founding("node.json");
    node["id"] = json!("replicate_flux_kontext_pro_node_id");
    node["data"] = json!({
        "path": "/models/black-forest-labs/flux-kontext-pro/predictions",
        "body": {"input": "{{ input }}"},
        "operation": "replicate",
    });
    for input in node["input"].as_array_mut().expect("inputs") {
        if input["name"] == "input_image" {
            input["as"] = json!(sent_as);
        }
    }
    let node = parse_node(&node).expect("the node is sound");
    bundle.catalog.connectors.insert(connector.id.clone(), connector);
    bundle.catalog.nodes.insert(node.id.clone(), node);
    bundle
}

/// The purposes and requests of a job's calls, as the store shows them.
async fn shown_calls(bench: &Bench, job: &str) -> String {
    let mut shown = String::new();
    for step in bench.store.list_steps(job, 0, 500).await.expect("the store answers") {
        let calls = bench.store.list_calls(job, step.ordinal).await.expect("the store answers");
        let requests = calls.iter().map(|call| format!("{:?} {}\n", call.purpose, call.request));
        shown.extend(requests);
    }
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_is_sent_inside_the_request_and_named_in_its_record() {
    use base64::Engine as _;
    let bench = Bench::start(fast()).await;
    store_hat(&bench).await;
    bench.submit_as("job", bundle(&bench, one_step(), "data_uri"), json!({"input_image": {"artifact": "hat"}})).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    let encoded = base64::engine::general_purpose::STANDARD.encode(content());
    let [create] = &bench.provider.creates()[..] else { panic!("one prediction is made") };
    assert_eq!(create.body["input"]["input_image"], format!("data:image/png;base64,{encoded}"));
    let shown = shown_calls(&bench, "job").await;
    assert!(shown.contains("<artifact hat: image/png, 3000 bytes>"), "{shown}");
    assert!(!shown.contains(&encoded[..100]), "{shown}");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_uploaded_once_however_many_calls_refer_to_it() {
    let bench = Bench::start(fast()).await;
    store_hat(&bench).await;
    let given = json!({"input_image": {"artifact": "hat"}});
    bench.submit_as("job", bundle(&bench, three_equal_branches(), "upload"), given.clone()).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    let bench = bench.restarted().await;
    bench.submit_as("job2", bundle(&bench, one_step(), "upload"), given).await;
    let wait = bench.runtime.wait_for_job("job2", std::time::Duration::from_mins(2)).await;
    let job = wait.expect("the store answers").expect("the job is there");
    assert_eq!(job.state.status, JobStatus::Completed, "{:?}", job.state.error);
    let creates = bench.provider.creates();
    let links: Vec<&str> = creates.iter().filter_map(|create| create.body["input"]["input_image"].as_str()).collect();
    assert_eq!(links.len(), 4);
    assert!(links[0].starts_with(&format!("{}/files/", bench.provider.base_url())), "{links:?}");
    assert!(links.iter().all(|link| *link == links[0]), "one upload serves all: {links:?}");
    let shown = shown_calls(&bench, "job").await;
    assert!(shown.contains("\"upload\"") && shown.contains("<artifact hat: image/png, 3000 bytes>"), "{shown}");
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_not_sent_if_its_file_cannot_be_uploaded() {
    let bench = Bench::start(fast()).await;
    store_hat(&bench).await;
    let given = json!({"input_image": {"artifact": "hat"}});
    let rule = json!({"preset": "replicate", "value": "urls.nowhere"});
    bench.submit_as("job", bundle_with(&bench, one_step(), "upload", rule), given).await;
    let job = bench.ended().await;
    assert_eq!(job.state.status, JobStatus::Failed, "{:?}", job.state);
    let error = job.state.error.expect("it failed").to_string();
    assert!(error.contains("unavailable") && error.contains("not sent: "), "{error}");
    assert!(bench.provider.creates().is_empty());
    let steps = bench.store.list_steps("job", 0, 10).await.expect("the store answers");
    let calls = bench.store.list_calls("job", steps[0].ordinal).await.expect("the store answers");
    let submit = calls.iter().find(|call| call.purpose == "submit").expect("the submit has a record");
    assert!(submit.reply["error"].as_str().is_some_and(|reason| reason.starts_with("not sent: ")), "{submit:?}");
    bench.finish().await;
}
