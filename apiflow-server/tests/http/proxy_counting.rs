//! Requests through the raw proxy count for limits and budgets, and are listed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use apiflow_core::ports::{Clock as _, ProxiedCall};
use apiflow_core::runtime::clock::SystemClock;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::proxy::open;
use crate::recording_client::RecordingClient;

/// A provider that counts what it is asked to do.
#[derive(Clone, Default)]
struct Meter {
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    total: Arc<AtomicUsize>,
}

impl Meter {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/v1", listener.local_addr().expect("it has an address"));
        let router = Router::new()
            .route("/v1/work", any(work))
            .route("/v1/models/{model}/work", any(work))
            .route("/v1/status/{status}", any(answer))
            .route("/v1/endless", post(endless))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn total(&self) -> usize {
        self.total.load(Ordering::SeqCst)
    }
}

/// Works for a while; the reply says what it cost.
async fn work(State(meter): State<Meter>) -> impl axum::response::IntoResponse {
    meter.total.fetch_add(1, Ordering::SeqCst);
    let open = meter.open.fetch_add(1, Ordering::SeqCst) + 1;
    meter.most.fetch_max(open, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(20)).await;
    meter.open.fetch_sub(1, Ordering::SeqCst);
    (StatusCode::CREATED, Json(json!({"cost": "0.25"})))
}

async fn answer(State(meter): State<Meter>, Path(status): Path<u16>) -> Response {
    meter.total.fetch_add(1, Ordering::SeqCst);
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [("retry-after", "60")], "no").into_response()
}

/// Says something at once, and never ends.
async fn endless(State(meter): State<Meter>) -> Response {
    meter.total.fetch_add(1, Ordering::SeqCst);
    let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"first"))]);
    Body::from_stream(first.chain(stream::pending())).into_response()
}

/// A server with the connector `meter`, with these `data`.
async fn start(data: Value) -> (RecordingClient, Meter) {
    let (client, meter) = (RecordingClient::admin().await, Meter::default());
    let connector = json!({"id": "meter", "name": "Meter", "base_url": meter.start().await, "data": data});
    let saved = client.raw("POST", "/connectors", &[], Some(connector)).await;
    assert_eq!(saved.status, StatusCode::CREATED, "{}", saved.text);
    (client, meter)
}

async fn add_node(client: &RecordingClient, id: &str, path: &str, price: Value) {
    let node = json!({"id": id, "name": id, "connector_id": "meter",
        "data": {"method": "POST", "path": path, "price": price},
        "input": [{"name": "model", "type": "string"}], "output": []});
    let saved = client.raw("POST", "/nodes", &[], Some(node)).await;
    assert_eq!(saved.status, StatusCode::CREATED, "{}", saved.text);
}

async fn put_budget(client: &RecordingClient, budget: Value) {
    let put = client.raw("PUT", "/budgets/b", &[], Some(budget)).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text);
}

async fn send(client: &RecordingClient, path: &str) -> (u16, String) {
    let reply = client.raw("POST", path, &[], Some(json!({}))).await;
    let code = serde_json::from_str::<Value>(&reply.text).ok();
    let code = code.and_then(|body| Some(body.get("code")?.as_str()?.to_owned())).unwrap_or_default();
    (reply.status.as_u16(), code)
}

/// The calls that match a query, newest first.
async fn calls(client: &RecordingClient, query: &str) -> Vec<Value> {
    let reply = client.raw("GET", &format!("/calls{query}"), &[], None).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    reply.json()["items"].as_array().expect("a list").clone()
}

/// Waits until the newest call has ended.
async fn last_ended_call(client: &RecordingClient) -> Value {
    for _ in 0..500 {
        let call = calls(client, "?limit=1").await.remove(0);
        if !call["finished_at"].is_null() {
            return call;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the call never ends");
}

fn post_headers() -> HeaderMap {
    HeaderMap::from_iter([("content-type".parse().expect("a name"), "application/json".parse().expect("a value"))])
}

#[tokio::test]
async fn no_more_requests_are_at_work_than_the_limit_and_all_get_their_turn() {
    let (client, meter) = start(json!({"limits": {"in_flight": 3}})).await;
    let sent = join_all((0..12).map(|_| send(&client, "/proxy/meter/work"))).await;
    assert!(sent.iter().all(|(status, _)| *status == 201), "{sent:?}");
    assert_eq!((meter.total(), meter.most.load(Ordering::SeqCst)), (12, 3));
    assert_eq!(calls(&client, "?status=201&connector=meter").await.len(), 12);
}

#[tokio::test]
async fn jobs_and_requests_share_the_slots() {
    let (client, meter) = start(json!({"limits": {"in_flight": 2}})).await;
    client.work();
    add_node(&client, "job", "/work", Value::Null).await;
    let run = |_| client.raw("POST", "/node/job/run", &[("prefer", "wait=60")], Some(json!({"input": {}})));
    let (jobs, requests) =
        tokio::join!(join_all((0..6).map(run)), join_all((0..6).map(|_| send(&client, "/proxy/meter/work"))));
    assert!(jobs.iter().all(|job| job.string("/status") == "completed"));
    assert!(requests.iter().all(|(status, _)| *status == 201), "{requests:?}");
    assert_eq!((meter.total(), meter.most.load(Ordering::SeqCst)), (12, 2));
}

#[tokio::test]
async fn a_request_without_a_slot_is_refused_after_a_while_and_reads_need_none() {
    let (client, meter) = start(json!({"timeout_s": 0.3, "limits": {"requests": {"count": 1, "window_s": 60}}})).await;
    assert_eq!(send(&client, "/proxy/meter/work").await.0, 201);
    let reply = client.raw("POST", "/proxy/meter/work", &[], Some(json!({}))).await;
    assert_eq!((reply.status, reply.string("/code")), (StatusCode::TOO_MANY_REQUESTS, "rate_limited".into()));
    assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=60).contains(&seconds)));
    assert_eq!(client.raw("GET", "/proxy/meter/work", &[], None).await.status, StatusCode::CREATED);
    assert_eq!(meter.total(), 2);
    let refused = calls(&client, "?status=4xx").await;
    assert_eq!(refused.len(), 1);
    assert!(refused[0]["error"].as_str().is_some_and(|error| error.contains("`limits`")), "{}", refused[0]);
}

#[tokio::test]
async fn a_429_of_the_provider_pauses_the_requests_and_jobs_after_it() {
    let (client, meter) = start(json!({})).await;
    let reply = client.raw("POST", "/proxy/meter/status/429", &[], Some(json!({}))).await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::TOO_MANY_REQUESTS, "no"), "it is passed on");
    let reply = client.raw("POST", "/proxy/meter/work", &[], Some(json!({}))).await;
    assert_eq!((reply.status, reply.string("/code")), (StatusCode::TOO_MANY_REQUESTS, "rate_limited".into()));
    assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| (50..=60).contains(&seconds)));
    assert_eq!(meter.total(), 1, "nothing was sent");
    client.work();
    add_node(&client, "job", "/work", Value::Null).await;
    let job = client.raw("POST", "/node/job/run", &[("prefer", "wait=1")], Some(json!({"input": {}}))).await;
    assert_eq!((job.string("/status"), meter.total()), ("running".to_owned(), 1));
}

#[tokio::test]
async fn requests_cost_what_their_node_or_connector_says() {
    let (mut client, meter) = start(json!({"price": {"currency": "USD", "per_call": 0.4}})).await;
    let reported = json!({"currency": "USD", "from": {"path": "cost"}, "max": 0.3});
    add_node(&client, "any-model", "/models/{{ input.model }}/work", reported).await;
    add_node(&client, "flux", "/models/flux/work", json!({"currency": "USD", "per_call": 0.01})).await;
    let user = client.as_new_user("ann").await;
    for (path, node, cost) in [
        ("work", Value::Null, json!({"amounts": {"USD": "0.4"}, "unknown": 0})),
        ("models/sdxl/work", json!("any-model"), json!({"amounts": {"USD": "0.25"}, "unknown": 0})),
        ("models/flux/work", json!("flux"), json!({"amounts": {"USD": "0.01"}, "unknown": 0})),
        ("models/%66lux/work", json!("flux"), json!({"amounts": {"USD": "0.01"}, "unknown": 0})),
        ("status/503", Value::Null, json!({"amounts": {}, "unknown": 0})),
    ] {
        send(&client, &format!("/proxy/meter/{path}")).await;
        let call = calls(&client, "?limit=1").await.remove(0);
        assert_eq!((&call["node_id"], &call["cost"], &call["user_id"]), (&node, &cost, &json!(user)), "{path}");
    }
    client.raw("GET", "/proxy/meter/work", &[], None).await;
    assert_eq!(calls(&client, "?limit=1").await[0]["cost"], Value::Null, "reads have no price");
    let usage = client.raw("GET", "/usage?by=node", &[], None).await.json();
    let expected = json!([
        {"key": "any-model", "amounts": {"USD": "0.25"}, "attempts": 1, "unknown": 0},
        {"key": "flux", "amounts": {"USD": "0.02"}, "attempts": 2, "unknown": 0},
        {"key": "proxy/meter", "amounts": {"USD": "0.4"}, "attempts": 1, "unknown": 0},
    ]);
    assert_eq!(usage["items"], expected);
    assert_eq!(meter.total(), 6);
}

#[tokio::test]
async fn a_node_of_another_user_changes_no_price() {
    let (mut client, _meter) = start(json!({"price": {"currency": "USD", "per_call": 0.4}})).await;
    client.as_new_user("eve").await;
    add_node(&client, "free", "/work", json!({"currency": "USD", "per_call": 0})).await;
    client.log_in("admin", "admin").await;
    client.as_new_user("ann").await;
    send(&client, "/proxy/meter/work").await;
    assert_eq!(calls(&client, "").await[0]["cost"]["amounts"], json!({"USD": "0.4"}));
}

#[tokio::test]
async fn a_request_over_a_budget_is_refused_before_anything_is_sent() {
    let (mut client, meter) = start(json!({"price": {"currency": "USD", "per_call": 0.4}})).await;
    let user = client.as_new_user("ann").await;
    client.log_in("admin", "admin").await;
    put_budget(&client, json!({"scope": "user", "subject": user, "period": "day", "currency": "USD", "amount": "1"}))
        .await;
    client.log_in("ann", "correct horse").await;
    let sent = join_all((0..6).map(|_| send(&client, "/proxy/meter/work"))).await;
    let refused = (402, "budget_exceeded".to_owned());
    assert_eq!(sent.iter().filter(|end| **end == refused).count(), 4, "{sent:?}");
    assert_eq!(meter.total(), 2);
    assert_eq!(calls(&client, "?status=402").await.len(), 4);
    assert_eq!(client.raw("GET", "/proxy/meter/work", &[], None).await.status, StatusCode::CREATED);
    client.log_in("admin", "admin").await;
    assert_eq!(send(&client, "/proxy/meter/work").await.0, 201, "the budget is another user's");
    let budgets = client.raw("GET", "/budgets", &[], None).await.json();
    assert_eq!((&budgets["items"][0]["spent"], &budgets["items"][0]["reserved"]), (&json!("0.8"), &json!("0")));
}

#[tokio::test]
async fn a_request_without_a_price_is_refused_by_a_budget_unless_it_allows_that() {
    let (client, meter) = start(json!({})).await;
    let budget = json!({"scope": "all", "period": "month", "currency": "USD", "amount": "1"});
    put_budget(&client, budget.clone()).await;
    assert_eq!(send(&client, "/proxy/meter/work").await, (402, "budget_exceeded".to_owned()));
    let mut allowing = budget;
    allowing["unknown_price"] = json!("allow");
    put_budget(&client, allowing).await;
    assert_eq!((send(&client, "/proxy/meter/work").await.0, meter.total()), (201, 1));
}

#[tokio::test]
async fn a_caller_who_goes_away_frees_the_slot_and_pays_what_the_rule_says() {
    let price = json!({"currency": "USD", "per_call": 0.4});
    let (mut client, _meter) = start(json!({"price": price, "limits": {"in_flight": 1}})).await;
    let token = client.log_in("admin", "admin").await;
    let reply = open(&client, &token, "/proxy/meter/endless", post_headers(), Body::from("{}")).await;
    let mut body = reply.into_body().into_data_stream();
    assert_eq!(body.next().await.expect("a part").expect("it arrives"), "first");
    let call = calls(&client, "").await.remove(0);
    assert_eq!((&call["finished_at"], &call["status"]), (&Value::Null, &Value::Null), "it is at work");
    drop(body);
    let call = last_ended_call(&client).await;
    assert_eq!((&call["status"], &call["error"]), (&json!(200), &json!("the caller went away")));
    assert_eq!((&call["bytes_sent"], &call["bytes_received"]), (&json!(2), &json!(5)));
    assert_eq!(call["cost"]["amounts"], json!({"USD": "0.4"}));
    assert_eq!(send(&client, "/proxy/meter/work").await.0, 201, "the slot is free");
}

#[tokio::test]
async fn what_may_have_been_paid_is_held() {
    let (client, meter) = start(json!({"price": {"currency": "USD", "from": {"header": "cost"}, "max": 0.7}})).await;
    put_budget(&client, json!({"scope": "all", "period": "day", "currency": "USD", "amount": "1"})).await;
    assert_eq!(send(&client, "/proxy/meter/work").await.0, 201);
    let call = calls(&client, "").await.remove(0);
    assert_eq!(call["cost"], json!({"amounts": {}, "unknown": 1}), "the reply has no such header");
    assert_eq!(send(&client, "/proxy/meter/work").await, (402, "budget_exceeded".to_owned()));
    let budgets = client.raw("GET", "/budgets", &[], None).await.json();
    assert_eq!((&budgets["items"][0]["reserved"], meter.total()), (&json!("0.7"), 1));
}

#[tokio::test]
async fn calls_are_listed_to_their_users_and_admins_with_filters_and_pages() {
    let (mut client, _meter) = start(json!({})).await;
    let ann = client.as_new_user("ann").await;
    send(&client, "/proxy/meter/work?key=canary-of-a-query&x").await;
    send(&client, "/proxy/meter/status/404").await;
    send(&client, "/proxy/meter/%2e%2e/x").await;
    let own = calls(&client, "").await;
    let shown: Vec<(&str, u64)> = own
        .iter()
        .map(|call| (call["path"].as_str().expect("a path"), call["status"].as_u64().expect("a status")))
        .collect();
    assert_eq!(shown, [("/%2e%2e/x", 400), ("/status/404", 404), ("/work?key=…&…", 201)]);
    assert!(own[0]["error"].as_str().is_some_and(|error| error.contains("`..`")), "{}", own[0]);
    let work = &own[2];
    assert_eq!((&work["method"], &work["connector_id"]), (&json!("POST"), &json!("meter")));
    assert_eq!((&work["bytes_sent"], &work["bytes_received"]), (&json!(2), &json!(15)));
    assert!(work["duration_ms"].as_u64().is_some_and(|ms| (20..30_000).contains(&ms)), "{work}");
    client.log_in("admin", "admin").await;
    send(&client, "/proxy/meter/work").await;
    for (query, count) in [
        ("", 4),
        ("?connector=meter", 4),
        ("?connector=other", 0),
        (&*format!("?user={ann}"), 3),
        ("?status=201", 2),
        ("?status=4xx", 2),
        ("?from=2000-01-01T00:00:00Z", 4),
        ("?to=2000-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(calls(&client, query).await.len(), count, "{query}");
    }
    let page = client.raw("GET", "/calls?limit=3", &[], None).await.json();
    let next = page["next"].as_str().expect("there are more");
    assert_eq!(calls(&client, &format!("?cursor={next}")).await.len(), 1);
    for query in ["?status=9xxx", "?status=ok", "?from=today", "?limit=0", "?job=1"] {
        assert_eq!(client.raw("GET", &format!("/calls{query}"), &[], None).await.status, 400, "{query}");
    }
    client.as_new_user("eve").await;
    assert_eq!(calls(&client, "").await.len(), 0);
    assert_eq!(client.raw("GET", &format!("/calls?user={ann}"), &[], None).await.status, StatusCode::FORBIDDEN);
    client.token(None);
    assert_eq!(client.raw("GET", "/calls", &[], None).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_call_whose_process_died_ends_with_its_lease() {
    let (mut client, _meter) = start(json!({"limits": {"in_flight": 1}})).await;
    let token = client.log_in("admin", "admin").await;
    let started = Instant::now();
    let reply = open(&client, &token, "/proxy/meter/endless", post_headers(), Body::from("{}")).await;
    let store = &client.stores.store;
    let id = calls(&client, "").await[0]["id"].as_str().expect("an id").to_owned();
    // As if its process had not renewed it: then it is lost, and a late end changes nothing.
    store.renew_proxied_call(&id, Duration::ZERO).await.expect("a lease is changed");
    assert_eq!(store.end_lost_proxied_calls(SystemClock.now()).await, Ok(1));
    drop(reply);
    let call = last_ended_call(&client).await;
    assert_eq!(call["error"], json!(ProxiedCall::LOST), "after {:?}", started.elapsed());
    assert_eq!(send(&client, "/proxy/meter/work").await.0, 201, "its slot is free");
}
