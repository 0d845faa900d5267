mod arguments;
mod auth;
mod bodies;
mod failures;
mod fal;
mod headers;
mod media;
mod outputs;
mod overrides;
mod presets;
mod replicate;
mod uploads;
mod urls;
#[cfg(feature = "runtime")]
mod work_reports;

use serde_json::{Map, Value, json};

use super::{CallContext, CallError, CallPlan, KnownArtifacts, Operation, ReplyReading, compile_call};
use crate::catalog::{Connector, Node, parse_connector, parse_node};
use crate::ports::{HttpReply, HttpRequest, MemoryHold};
use crate::template::display_request;

const CONTEXT: CallContext<'static> = CallContext {
    job_id: "job-1",
    step_id: "step-1",
    attempt: 2,
    idempotency_key: "key-1",
    artifacts: &NO_ARTIFACTS,
    timeout_ms: None,
    webhook: None,
};

static NO_ARTIFACTS: KnownArtifacts = KnownArtifacts::NONE;

/// Returns the connector and node of the founding document, unchanged except for the connector's id.
fn founding() -> (Value, Value) {
    let read = |text: &str| serde_json::from_str::<Value>(text).expect("the founding documents are JSON");
    let connector = read(include_str!("../../tests/conformance/founding/connector.json"));
    let connector = with(connector, &json!({"id": "replicate_connector_id"}));
    (connector, read(include_str!("../../tests/conformance/founding/node.json")))
}

/// Compiles the founding node with the `data` that it needs, and changes to that.
fn working(changes: &Value) -> CallPlan {
    let (connector, node) = founding();
    let data = json!({
        "path": "/models/black-forest-labs/flux-kontext-pro/predictions",
        "body": {"input": "{{ input }}"},
        "operation": "replicate",
    });
    planned(&connector, &with(node, &json!({"data": with(data, changes)})))
}

/// Compiles a node with this `data`, of a connector with these fields.
fn call(connector: &Value, data: &Value) -> CallPlan {
    let base = json!({"id": "c", "name": "Acme", "base_url": "https://api.example.com/v1"});
    planned(&with(base, connector), &json!({"id": "n", "name": "N", "connector_id": "c", "data": data}))
}

fn planned(connector: &Value, node: &Value) -> CallPlan {
    let (connector, node) = declared(connector, node);
    compile_call(&node, &connector).unwrap_or_else(|found| panic!("{found:#?}"))
}

fn declared(connector: &Value, node: &Value) -> (Connector, Node) {
    let connector = parse_connector(connector).unwrap_or_else(|faults| panic!("{faults:#?}"));
    (connector, parse_node(node).unwrap_or_else(|faults| panic!("{faults:#?}")))
}

/// Replaces top-level fields of a document.
fn with(mut document: Value, changes: &Value) -> Value {
    document.as_object_mut().expect("an object").extend(object(changes));
    document
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

/// Builds the submit for given inputs.
fn submitted(plan: &CallPlan, given: &Value) -> HttpRequest {
    let arguments = plan.fill_arguments(&object(given)).unwrap_or_else(|error| panic!("{error}"));
    plan.submit_request(&arguments, &CONTEXT).unwrap_or_else(|error| panic!("{error}"))
}

/// Describes a request, with secrets as `$NAME`: `{"method", "url", "headers", "body"}`.
fn sent(plan: &CallPlan, given: &Value) -> Value {
    display_request(&submitted(plan, given))
}

fn reply(status: u16, body: &Value) -> HttpReply {
    text_reply(status, &[("content-type", "application/json")], &body.to_string())
}

fn text_reply(status: u16, headers: &[(&str, &str)], body: &str) -> HttpReply {
    HttpReply {
        status,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.as_bytes().to_vec(),
        url: "https://api.example.com/v1/x?signature=s".to_owned(),
        memory: MemoryHold::default(),
    }
}

fn done(reading: ReplyReading) -> Value {
    match reading {
        ReplyReading::Done(value) => value,
        other @ (ReplyReading::Running(_)
        | ReplyReading::Fetch(_)
        | ReplyReading::Download(_)
        | ReplyReading::Again(_)
        | ReplyReading::Failed(_)) => {
            panic!("{other:?}")
        }
    }
}

fn running(reading: ReplyReading) -> Operation {
    match reading {
        ReplyReading::Running(operation) => operation,
        other @ (ReplyReading::Done(_)
        | ReplyReading::Fetch(_)
        | ReplyReading::Download(_)
        | ReplyReading::Again(_)
        | ReplyReading::Failed(_)) => {
            panic!("{other:?}")
        }
    }
}

fn failed(reading: ReplyReading) -> CallError {
    match reading {
        ReplyReading::Failed(error) => error,
        other @ (ReplyReading::Done(_)
        | ReplyReading::Running(_)
        | ReplyReading::Fetch(_)
        | ReplyReading::Download(_)
        | ReplyReading::Again(_)) => {
            panic!("{other:?}")
        }
    }
}

fn again(reading: ReplyReading) -> CallError {
    match reading {
        ReplyReading::Again(error) => error,
        other @ (ReplyReading::Done(_)
        | ReplyReading::Running(_)
        | ReplyReading::Fetch(_)
        | ReplyReading::Download(_)
        | ReplyReading::Failed(_)) => {
            panic!("{other:?}")
        }
    }
}
