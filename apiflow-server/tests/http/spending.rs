//! Usage and budgets: who sees them, what they sum up, and what budgets refuse.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::provider::Provider;
use crate::recording_client::{RecordingClient, Reply};

/// A server with a connector, two priced nodes and a workflow of one of them.
async fn start() -> RecordingClient {
    let client = RecordingClient::admin().await;
    client.work();
    let provider = Provider::start().await;
    provider.mended.store(true, Ordering::Relaxed);
    let connector = json!({"id": "c", "name": "C", "base_url": provider.url(),
        "data": {"price": {"currency": "USD", "per_call": 0.5}}});
    create(&client, "/connectors", connector).await;
    for (id, path, price) in [
        ("cheap", "/mirror", json!({"currency": "USD", "per_call": 0.1})),
        ("credits", "/moody", json!({"currency": "credits", "per_call": 3})),
        ("reported", "/mirror", json!({"currency": "USD", "from": {"header": "x-cost"}, "max": 0.2})),
        ("refused", "/broken", json!({"currency": "USD", "per_call": 0.1})),
    ] {
        let node = json!({"id": id, "name": id, "connector_id": "c", "output": [], "input": [],
            "data": {"method": "POST", "path": path, "price": price}});
        create(&client, "/nodes", node).await;
    }
    let modules = json!([{"id": "a", "value": {"type": "script", "path": "node/cheap", "input_transforms": {}}}]);
    let workflow = json!({"id": "flow", "name": "Flow", "nodes": {"summary": "flow", "value": {"modules": modules}}});
    create(&client, "/workflows", workflow).await;
    client
}

async fn create(client: &RecordingClient, path: &str, body: Value) {
    let saved = client.raw("POST", path, &[], Some(body)).await;
    assert_eq!(saved.status, StatusCode::CREATED, "{}", saved.text);
}

async fn run(client: &RecordingClient, path: &str) -> Value {
    let reply = client.raw("POST", path, &[("prefer", "wait=60")], Some(json!({"input": {}}))).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    reply.json()
}

async fn put(client: &RecordingClient, id: &str, body: Value) -> Reply {
    client.raw("PUT", &format!("/budgets/{id}"), &[], Some(body)).await
}

/// The items of `/usage` with this query, without zeros.
async fn usage(client: &RecordingClient, query: &str) -> Vec<(String, Value, u64, u64)> {
    let reply = client.raw("GET", &format!("/usage?{query}"), &[], None).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let items = reply.json()["items"].as_array().expect("a list").clone();
    let number = |item: &Value, key: &str| item[key].as_u64().expect("a number");
    let text = |item: &Value| item["key"].as_str().expect("a key").to_owned();
    items
        .iter()
        .map(|item| (text(item), item["amounts"].clone(), number(item, "attempts"), number(item, "unknown")))
        .collect()
}

fn row(key: &str, amounts: Value, attempts: u64, unknown: u64) -> (String, Value, u64, u64) {
    (key.to_owned(), amounts, attempts, unknown)
}

#[tokio::test]
async fn usage_is_summed_up_by_workflow_node_user_and_day() {
    let mut client = start().await;
    let ann = client.as_new_user("ann").await;
    let cost = run(&client, "/workflow/flow/run").await["cost"].clone();
    assert_eq!(cost, json!({"amounts": {"USD": "0.1"}, "unknown": 0}));
    for node in ["cheap", "credits", "reported", "refused"] {
        run(&client, &format!("/node/{node}/run")).await;
    }
    let bob = client.as_bob().await;
    run(&client, "/workflow/flow/run").await;
    client.raw("POST", "/proxy/c/mirror", &[], Some(json!({}))).await;
    client.raw("POST", "/proxy/c/say", &[], Some(json!({}))).await;

    client.log_in("ann", "correct horse").await;
    let own = [
        row("cheap", json!({"USD": "0.2"}), 2, 0),
        row("credits", json!({"credits": "3"}), 1, 0),
        row("reported", json!({}), 1, 1),
    ];
    assert_eq!(usage(&client, "by=node").await, own, "her own; a refused call costs nothing");
    assert_eq!(usage(&client, &format!("by=node&user={ann}")).await, own);
    let other = client.raw("GET", &format!("/usage?user={bob}"), &[], None).await;
    assert_eq!((other.status, other.string("/code")), (StatusCode::FORBIDDEN, "forbidden".to_owned()));

    client.log_in("admin", "admin").await;
    let flows = usage(&client, "").await;
    assert_eq!(flows[1], row("flow", json!({"USD": "0.2"}), 2, 0), "by workflow unless asked otherwise");
    assert_eq!(flows[0].0, "", "single nodes and requests through the proxy have none");
    let users = usage(&client, "by=user").await;
    let of = |user: &str| users.iter().find(|row| row.0 == user).cloned().expect("a row");
    assert_eq!(of(&ann), row(&ann, json!({"USD": "0.2", "credits": "3"}), 4, 1));
    // Bob's request matches two nodes with different prices: it costs at most the higher one.
    assert_eq!((of(&bob).2, of(&bob).3), (3, 1));
    assert_eq!(of(&bob).1, json!({"USD": "0.6"}));
    let nodes = usage(&client, &format!("by=node&user={bob}")).await;
    assert_eq!(nodes[0], row("cheap", json!({"USD": "0.1"}), 1, 0));
    assert!(nodes.contains(&row("reported", json!({}), 1, 1)), "{nodes:?}");
    assert!(nodes.contains(&row("proxy/c", json!({"USD": "0.5"}), 1, 0)), "{nodes:?}");
    let days = usage(&client, "by=day").await;
    assert_eq!((days.len(), days[0].2), (1, 7));
    assert_eq!(usage(&client, &format!("by=day&from={0}&to={0}", days[0].0)).await, days);
    assert_eq!(usage(&client, "by=day&from=2000-01-01&to=2000-01-31").await, []);
    for query in ["by=job", "from=yesterday", "to=2026-13-01", "month=1"] {
        let reply = client.raw("GET", &format!("/usage?{query}"), &[], None).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}: {}", reply.text);
    }
    client.token(None);
    assert_eq!(client.raw("GET", "/usage", &[], None).await.status, StatusCode::UNAUTHORIZED);
}

impl RecordingClient {
    async fn as_bob(&mut self) -> String {
        self.log_in("admin", "admin").await;
        self.as_new_user("bob").await
    }
}

#[tokio::test]
async fn budgets_are_created_replaced_listed_and_deleted_by_admins() {
    let mut client = start().await;
    let budget = json!({"scope": "workflow", "subject": "flow", "period": "day", "currency": "USD", "amount": "5.00"});
    let created = put(&client, "flows", budget.clone()).await;
    let expected = json!({"id": "flows", "scope": "workflow", "subject": "flow", "period": "day", "currency": "USD",
        "amount": "5", "unknown_price": "refuse", "spent": "0", "reserved": "0"});
    assert_eq!((created.status, created.json()), (StatusCode::OK, expected.clone()));
    let all = json!({"scope": "all", "period": "month", "currency": "USD", "amount": 9, "unknown_price": "allow"});
    assert_eq!(put(&client, "all", all).await.status, StatusCode::OK);
    let listed = client.raw("GET", "/budgets", &[], None).await.json();
    assert_eq!((&listed["items"][1], listed["items"].as_array().map(Vec::len)), (&expected, Some(2)));
    run(&client, "/workflow/flow/run").await;
    let lower = json!({"scope": "workflow", "subject": "flow", "period": "day", "currency": "USD", "amount": "0.15"});
    let replaced = put(&client, "flows", lower).await.json();
    assert_eq!((&replaced["amount"], &replaced["spent"]), (&json!("0.15"), &json!("0.1")), "it was spent already");
    let refused = run(&client, "/workflow/flow/run").await;
    assert_eq!(refused["error"]["name"], "budget_exceeded");
    assert!(refused["error"]["message"].as_str().is_some_and(|text| text.contains("budget `flows`")), "{refused}");
    assert_eq!(run(&client, "/node/cheap/run").await["status"], "completed", "it is no run of the workflow");

    for (id, body, pointer) in [
        ("b", json!({"scope": "all", "subject": "x", "period": "day", "currency": "USD", "amount": 1}), "/subject"),
        ("b", json!({"scope": "user", "period": "day", "currency": "USD", "amount": 1}), "/subject"),
        ("b", json!({"scope": "all", "period": "day", "currency": "US dollars", "amount": 1}), "/currency"),
    ] {
        let reply = put(&client, id, body.clone()).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", reply.text);
        assert_eq!(reply.string("/errors/0/pointer"), pointer, "{body}");
    }
    for (id, body) in [
        ("b", json!({"scope": "all", "period": "day", "currency": "USD", "amount": -1})),
        ("b", json!({"scope": "all", "period": "year", "currency": "USD", "amount": 1})),
        ("b", json!({"scope": "all", "period": "day", "currency": "USD"})),
        ("b", json!({"scope": "all", "period": "day", "currency": "USD", "amount": 1, "limit": 1})),
        ("-b", json!({"scope": "all", "period": "day", "currency": "USD", "amount": 1})),
    ] {
        let status = put(&client, id, body.clone()).await.status;
        assert!([StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY].contains(&status), "{body}: {status}");
    }
    assert_eq!(client.raw("DELETE", "/budgets/flows", &[], None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(client.raw("DELETE", "/budgets/flows", &[], None).await.status, StatusCode::NOT_FOUND);

    client.as_new_user("eve").await;
    assert_eq!(put(&client, "mine", budget).await.status, StatusCode::FORBIDDEN);
    for (method, path) in [("GET", "/budgets"), ("DELETE", "/budgets/all")] {
        assert_eq!(client.raw(method, path, &[], None).await.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
}
