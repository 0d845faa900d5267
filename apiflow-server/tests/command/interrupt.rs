//! Ctrl-C during `apiflow run`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::routing::{get, post};
use axum::{Json, Router};
use fake_providers::{Behaviour, Replicate};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::run::in_earnest;
use crate::talk::Folder;

const PATIENCE: Duration = Duration::from_secs(30);

/// A run under way.
struct Run {
    child: Child,
    errors: BufReader<ChildStderr>,
    told: String,
    _folder: Folder,
}

impl Run {
    /// Runs the workflow `twice` at a stand-in.
    fn start(url: &str) -> Self {
        let folder = in_earnest(url);
        let arguments = ["run", "twice.json", "--catalog", "catalog", "--input", r#"{"prompt": "a fox"}"#];
        let allowed = ["--allow-host", "127.0.0.1", "--secret-from-env", "STAND_IN_KEY"];
        let mut child = folder.spawn(&[&arguments[..], &allowed].concat(), &[("STAND_IN_KEY", "r8_test_canary")]);
        let errors = BufReader::new(child.stderr.take().expect("it is piped"));
        Self { child, errors, told: String::new(), _folder: folder }
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(done.is_ok_and(|status| status.success()));
    }

    /// Reads what it tells, up to a line with this text.
    fn wait_for(&mut self, text: &str) {
        loop {
            let mut line = String::new();
            assert!(self.errors.read_line(&mut line).is_ok_and(|length| length > 0), "it ended: {}", self.told);
            self.told.push_str(&line);
            if line.contains(text) {
                return;
            }
        }
    }

    /// Its exit status and all that it told.
    fn end(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().expect("it can be waited for") {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    self.child.kill().expect("it can be ended");
                    panic!("it does not end: {}", self.told);
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        self.errors.read_to_string(&mut self.told).expect("it tells text");
        assert!(!self.told.contains("r8_test_canary"), "{}", self.told);
        (status.code(), std::mem::take(&mut self.told))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_ctrl_c_cancels_the_work_and_names_it() {
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let provider =
            Replicate::start(Behaviour { delay_ms: 600_000, ..Behaviour::default() }).await.expect("it starts");
        let run = Run::start(&provider.origin());
        let polled = provider.until(PATIENCE, |stats| stats.by_path.contains_key("GET /v1/predictions/{id}")).await;
        let id = polled.expect("the work is followed").predictions[0]["id"].as_str().expect("an id").to_owned();
        run.signal(signal);
        let (code, told) = tokio::task::spawn_blocking(|| run.end()).await.expect("it ends");
        assert_eq!(code, Some(status), "{told}");
        let link = format!("{}/v1/predictions/{id}", provider.origin());
        assert!(told.contains(&format!("first: `{id}` is running at the provider: {link}")), "{told}");
        assert!(told.contains(&format!("first: `{id}` was cancelled at the provider: {link}")), "{told}");
        assert!(told.contains("the workflow cancelled"), "{told}");
        let stats = provider.stats();
        assert_eq!((stats.creates, &stats.predictions[0]["status"]), (1, &json!("canceled")), "{told}");
    }
}

/// Presses Ctrl-C twice; returns what the command wrote until it ended.
async fn interrupt_twice(mut run: Run) -> String {
    let ended = tokio::task::spawn_blocking(move || {
        run.signal("INT");
        run.wait_for("interrupted");
        run.signal("INT");
        run.end()
    });
    let (code, told) = ended.await.expect("it ends");
    assert_eq!(code, Some(130), "{told}");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_ctrl_c_leaves_a_call_without_an_answer() {
    let provider =
        Replicate::start(Behaviour { hold_create_ms: 600_000, ..Behaviour::default() }).await.expect("it starts");
    let run = Run::start(&provider.origin());
    provider.until(PATIENCE, |stats| stats.held == 1).await.expect("the call is under way");
    let told = interrupt_twice(run).await;
    let sent_to = format!("{}/v1/models/black-forest-labs/flux-kontext-pro/predictions", provider.origin());
    let line = format!("first: sent to {sent_to} but not answered: whether the provider accepted it is unknown");
    assert!(told.contains(&format!("this work may still be running:\n{line}")), "{told}");
    assert_eq!(provider.creates().len(), 1, "nothing else was sent");
}

/// A provider that never answers a cancellation; gives its origin, and tells when it is polled.
async fn deaf_provider() -> (String, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let origin = format!("http://{}", listener.local_addr().expect("it has an address"));
    let polled = Arc::new(Notify::new());
    let of = |status: &str, origin: &str| -> Value {
        let link = format!("{origin}/v1/predictions/p-1");
        json!({"id": "p-1", "status": status, "urls": {"get": link, "cancel": format!("{link}/cancel")}})
    };
    let (made, running, tell) = (of("starting", &origin), of("processing", &origin), Arc::clone(&polled));
    let router = Router::new()
        .route("/v1/models/{owner}/{name}/predictions", post(async || (axum::http::StatusCode::CREATED, Json(made))))
        .route(
            "/v1/predictions/{id}",
            get(async move || {
                tell.notify_one();
                Json(running)
            }),
        )
        .route("/v1/predictions/{id}/cancel", post(std::future::pending::<()>));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (origin, polled)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_ctrl_c_says_what_is_still_at_work() {
    let (origin, polled) = deaf_provider().await;
    let run = Run::start(&origin);
    polled.notified().await;
    let told = interrupt_twice(run).await;
    let link = format!("{origin}/v1/predictions/p-1");
    let (_, left) = told.split_once("this work may still be running:\n").expect("it says what it leaves");
    // It may be quicker than its own cancellation.
    assert!(left.starts_with("first: `p-1` ") && left.trim_end().ends_with(&link), "{told}");
}
