//! Announcements of jobs by the real binary to real receivers: some that fail, are down or do not answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fake_providers::{Behaviour, Replicate};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::process::{PATIENCE, Server, schema};

/// How a receiver answers.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Accept,
    Fail,
    Gone,
    Redirect,
    /// Takes the request, and never answers.
    Hang,
}

/// A message as it arrived.
#[derive(Clone)]
struct Arrival {
    id: String,
    headers: HeaderMap,
    body: String,
    accepted: bool,
}

/// A user's own server.
#[derive(Clone)]
struct Receiver {
    url: String,
    manner: Arc<Mutex<Manner>>,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    /// How often the place was called that redirects lead to.
    strayed: Arc<AtomicUsize>,
}

impl Receiver {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let receiver =
            Self { url, manner: Arc::new(Mutex::new(manner)), arrivals: Arc::default(), strayed: Arc::default() };
        let stray = |State(receiver): State<Self>| async move {
            receiver.strayed.fetch_add(1, Ordering::Relaxed);
        };
        let router =
            Router::new().route("/hook", post(take)).route("/elsewhere", post(stray)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    fn behave(&self, manner: Manner) {
        *self.manner.lock().expect("not poisoned") = manner;
    }

    fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().expect("not poisoned").clone()
    }

    /// Waits until so many messages have arrived.
    async fn arrived(&self, count: usize) -> Vec<Arrival> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let arrivals = self.arrivals();
            if arrivals.len() >= count {
                return arrivals;
            }
            assert!(Instant::now() < deadline, "{} of {count} messages arrived", arrivals.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How often each message was accepted.
    fn accepted(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for arrival in self.arrivals().into_iter().filter(|arrival| arrival.accepted) {
            *counts.entry(arrival.id).or_default() += 1;
        }
        counts
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let manner = *receiver.manner.lock().expect("not poisoned");
    let id = headers["webhook-id"].to_str().expect("text").to_owned();
    let body = String::from_utf8(body.to_vec()).expect("text");
    let accepted = manner == Manner::Accept;
    receiver.arrivals.lock().expect("not poisoned").push(Arrival { id, headers, body, accepted });
    match manner {
        Manner::Accept => StatusCode::NO_CONTENT.into_response(),
        Manner::Fail => (StatusCode::INTERNAL_SERVER_ERROR, "out of order\u{0}").into_response(),
        Manner::Gone => StatusCode::GONE.into_response(),
        Manner::Redirect => (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]).into_response(),
        Manner::Hang => std::future::pending().await,
    }
}

/// A server with its data.
struct Bench {
    server: Server,
    provider: Replicate,
    folder: TempDir,
}

impl Bench {
    async fn start(database: Option<&str>) -> Self {
        let provider = Replicate::start(Behaviour::default()).await.expect("it starts");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let server = Server::start(folder.path(), database, &provider).await;
        Self { server, provider, folder }
    }

    /// Kills the server and starts it again on the same data.
    fn kill_and_restart(self, database: Option<&str>) -> Self {
        let Self { server, provider, folder } = self;
        let token = server.token.clone();
        server.kill();
        let server = Server::start_again(folder.path(), database, &provider, token);
        Self { server, provider, folder }
    }

    /// Runs a document that calls nobody; returns the job's id.
    async fn run(&self, module: &Value, receiver: &str) -> String {
        let document = json!({"summary": "Plain", "value": {"modules": [module]}});
        let body = json!({"document": document, "input": {"text": "hello"}, "webhook": receiver});
        let job = self.server.send("POST", "/workflows/run", Some(body)).await;
        job["id"].as_str().expect("an id").to_owned()
    }

    async fn run_plain(&self, receiver: &str) -> String {
        self.run(&json!({"id": "a", "value": {"type": "identity"}}), receiver).await
    }

    /// Waits until this is true of a job's only message.
    async fn delivery_where(&self, job: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut list = self.server.send("GET", &format!("/jobs/{job}/webhooks"), None).await;
            let delivery = list["items"][0].take();
            if !delivery.is_null() && holds(&delivery) {
                return delivery;
            }
            assert!(Instant::now() < deadline, "the message stays {delivery}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn secret(&self) -> Vec<u8> {
        let shown = self.server.send("GET", "/user/webhook_secret", None).await;
        let secret = shown["secret"].as_str().expect("a secret").strip_prefix("whsec_").expect("its prefix");
        STANDARD.decode(secret).expect("base64")
    }
}

/// The signature that a message must have.
fn signature(secret: &[u8], arrival: &Arrival) -> String {
    let seconds = arrival.headers["webhook-timestamp"].to_str().expect("text");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let tag = ring::hmac::sign(&key, format!("{}.{seconds}.{}", arrival.id, arrival.body).as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

async fn killed_before_delivery(database: Option<&str>) {
    let receiver = Receiver::start(Manner::Fail).await;
    let bench = Bench::start(database).await;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        jobs.push(bench.run_plain(&receiver.url).await);
    }
    let first = receiver.arrived(1).await.remove(0);
    // Others may have been committed and not sent yet.
    let bench = bench.kill_and_restart(database);
    receiver.behave(Manner::Accept);
    for job in &jobs {
        let delivery = bench.delivery_where(job, |delivery| delivery["state"] == "delivered").await;
        assert!(delivery["tries"].as_u64() >= Some(1) && delivery["last_try"]["status"] == 204, "{delivery}");
        let id = delivery["id"].as_str().expect("an id");
        assert_eq!(receiver.accepted().get(id), Some(&1), "accepted once");
    }
    let again = receiver.arrivals().into_iter().rfind(|arrival| arrival.id == first.id).expect("it was sent again");
    assert_eq!(again.body, first.body, "the same message");
    assert_eq!(again.headers["webhook-signature"].to_str().expect("text"), signature(&bench.secret().await, &again));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_commit_and_delivery_loses_no_message() {
    killed_before_delivery(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_too_a_kill_between_commit_and_delivery_loses_no_message() {
    let Some(database) = schema("webhooks").await else { return };
    killed_before_delivery(Some(&database)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_cut_off_by_a_kill_is_sent_again_with_its_id() {
    let receiver = Receiver::start(Manner::Hang).await;
    let bench = Bench::start(None).await;
    let job = bench.run_plain(&receiver.url).await;
    let first = receiver.arrived(1).await.remove(0);
    let bench = bench.kill_and_restart(None);
    receiver.behave(Manner::Accept);
    bench.delivery_where(&job, |delivery| delivery["state"] == "delivered").await;
    assert_eq!(receiver.accepted(), BTreeMap::from([(first.id, 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_is_tried_again_until_it_accepts() {
    let receiver = Receiver::start(Manner::Fail).await;
    let bench = Bench::start(None).await;
    let job = bench.run_plain(&receiver.url).await;
    let failed = bench.delivery_where(&job, |delivery| delivery["last_try"] != Value::Null).await;
    assert_eq!((&failed["state"], &failed["last_try"]["status"]), (&json!("pending"), &json!(500)));
    assert_eq!(failed["last_try"]["reply"], "out of order ");
    assert!(failed["last_try"]["error"].as_str().is_some_and(|error| error.contains("status 500")), "{failed}");
    assert!(failed["next_try_at"].is_string(), "{failed}");
    // The second try is its own, after 5 to 6 seconds.
    receiver.arrived(2).await;
    receiver.behave(Manner::Accept);
    // The third would follow after 30 s.
    let id = failed["id"].as_str().expect("an id");
    bench
        .delivery_where(&job, |delivery| {
            delivery["tries"] == 2 && delivery["last_try"]["at"] != failed["last_try"]["at"]
        })
        .await;
    bench.server.send("POST", &format!("/jobs/{job}/webhooks/{id}/send"), None).await;
    let done = bench.delivery_where(&job, |delivery| delivery["state"] == "delivered").await;
    assert_eq!(
        (&done["tries"], &done["next_try_at"], &done["last_try"]["reply"]),
        (&json!(3), &Value::Null, &Value::Null)
    );
    let arrivals = receiver.arrivals();
    assert!(arrivals.iter().all(|arrival| arrival.id == id && arrival.body == arrivals[0].body), "one id, one body");
    let metrics = bench.server.read_metrics().await;
    assert!(metrics.contains("apiflow_webhook_tries_total{outcome=\"retry\"} 2"), "{metrics}");
    assert!(metrics.contains("apiflow_webhooks_pending 0"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_are_down_gone_redirect_or_hang_delay_nobody() {
    let bench = Bench::start(None).await;
    let (hanging, gone) = (Receiver::start(Manner::Hang).await, Receiver::start(Manner::Gone).await);
    let (redirecting, good) = (Receiver::start(Manner::Redirect).await, Receiver::start(Manner::Accept).await);
    for _ in 0..60 {
        bench.run_plain(&hanging.url).await;
    }
    // Nobody listens at this address.
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let down = format!("http://{}/", free.local_addr().expect("an address"));
    drop(free);
    let down = bench.run_plain(&down).await;
    let private = bench
        .server
        .refused(
            "/workflows/run",
            json!({"document": {"value": {"modules": []}},
        "webhook": "https://10.0.0.1/"}),
        )
        .await;
    assert_eq!((private.0, &private.1["errors"][0]["pointer"]), (422, &json!("/webhook")), "{private:?}");
    let (gone_job, redirected) = (bench.run_plain(&gone.url).await, bench.run_plain(&redirecting.url).await);
    let begun = Instant::now();
    let job = bench.run_plain(&good.url).await;
    good.arrived(1).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "it took {:?} beside a receiver that hangs", begun.elapsed());
    bench.delivery_where(&job, |delivery| delivery["state"] == "delivered").await;
    assert!(hanging.arrivals().len() <= 4, "{} at once to one host", hanging.arrivals().len());
    let down = bench.delivery_where(&down, |delivery| delivery["last_try"] != Value::Null).await;
    assert_eq!((&down["state"], &down["last_try"]["status"]), (&json!("pending"), &Value::Null), "{down}");
    let gone = bench.delivery_where(&gone_job, |delivery| delivery["state"] == "failed").await;
    assert_eq!((&gone["tries"], &gone["last_try"]["status"]), (&json!(1), &json!(410)), "{gone}");
    let moved = bench.delivery_where(&redirected, |delivery| delivery["last_try"] != Value::Null).await;
    assert_eq!((&moved["state"], &moved["last_try"]["status"]), (&json!("pending"), &json!(307)), "{moved}");
    assert_eq!(redirecting.strayed.load(Ordering::Relaxed), 0, "a redirect is not followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_is_announced_with_what_answers_it_and_then_the_end() {
    let receiver = Receiver::start(Manner::Accept).await;
    let bench = Bench::start(None).await;
    let form = json!({"schema": {"type": "object", "properties": {"ok": {"type": "boolean"}}}});
    let module = json!({"id": "draft", "value": {"type": "identity"},
        "suspend": {"required_events": 1, "resume_form": form}});
    let job = bench.run(&module, &receiver.url).await;
    let waiting: Value = serde_json::from_str(&receiver.arrived(1).await[0].body).expect("JSON");
    assert_eq!((&waiting["type"], &waiting["data"]["id"]), (&json!("job.approval"), &json!(job)), "{waiting}");
    assert_eq!((&waiting["data"]["status"], &waiting["data"]["steps"]), (&json!("suspended"), &Value::Null));
    let step = &waiting["data"]["step"];
    assert_eq!((&step["id"], &step["open"], &step["form"]), (&json!("draft"), &json!(true), &form["schema"]));
    let link = step["approval"]["urls"][0].as_str().expect("a link");
    let path = link.split_once("/api/").map(|(_, path)| format!("/api/{path}")).expect("a link of the server");
    let (status, answered) =
        bench.server.exchange("POST", &path, Some(json!({"action": "resume", "payload": {"ok": true}}))).await;
    assert_eq!(status, 200, "{answered}");
    let ended: Value = serde_json::from_str(&receiver.arrived(2).await[1].body).expect("JSON");
    assert_eq!((&ended["type"], &ended["data"]["status"]), (&json!("job.completed"), &json!("completed")), "{ended}");
    assert_eq!((&ended["data"]["input"], &ended["data"]["omitted"]), (&json!({"text": "hello"}), &Value::Null));
    assert!(ended["timestamp"].is_string() && ended["data"].get("step").is_none(), "{ended}");
}
