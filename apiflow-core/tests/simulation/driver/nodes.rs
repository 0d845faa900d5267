//! The nodes of random documents, as the real call builder takes them.

use apiflow_core::catalog::{Connector, Node};
use apiflow_core::ports::JobBundle;
use serde_json::{Value, json};

use super::super::document::Document;
use super::super::fate::{Kind, MEDIA};

/// How long work may take before it is given up, in seconds.
const PATIENCE_S: u64 = 20;

/// A document with all that the driver needs of it.
pub(super) fn bundle(document: &Document) -> JobBundle {
    let mut bundle = document.bundle();
    let connector = json!({
        "id": "provider", "name": "Provider", "base_url": "http://provider.test", "method": "POST", "header": {},
    });
    let connector: Connector = serde_json::from_value(connector).expect("a connector");
    bundle.catalog.connectors.insert("provider".to_owned(), connector);
    for kind in Kind::ALL {
        let node: Node = serde_json::from_value(node(kind)).expect("a node");
        bundle.catalog.nodes.insert(node.id.clone(), node);
    }
    bundle
}

fn node(kind: Kind) -> Value {
    let id = kind.path().strip_prefix("node/").expect("nodes are named so");
    let mut data = json!({
        "path": format!("/{id}"),
        "body": {"step": "{{ step.id }}", "attempt": "{{ step.attempt }}", "input": "{{ input }}"},
        "timeout_s": PATIENCE_S,
    });
    if kind.has_operation() {
        data["operation"] = json!({
            "id": "id",
            "state": {"path": "status", "done": ["done"], "failed": ["failed"], "cancelled": ["cancelled"]},
            "error": {"message": "error"},
            "poll": {"url": "/works/{{ reply.id }}", "interval_s": 0.5, "growth": 1.5, "max_interval_s": 5},
            "cancel": {"method": "POST", "url": "/works/{{ reply.id }}/cancel"},
        });
    }
    match kind {
        Kind::Plain | Kind::Operation => {}
        Kind::Repeatable => data["idempotent"] = json!(true),
        Kind::Keyed => data["idempotency_header"] = json!("Idempotency-Key"),
        Kind::Listed => {
            data["operation"]["recover"] = json!({
                "url": "/works", "items": "items", "id": "id", "created_at": "created_at", "input": "input",
                "mentions": ["step"],
            });
        }
    }
    json!({
        "id": id, "name": id, "connector_id": "provider", "data": data,
        "output": [
            {"name": "n", "type": "integer"}, {"name": "got", "type": "string"},
            {"name": MEDIA, "type": "file", "default": null},
        ],
    })
}
