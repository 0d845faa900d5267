//! A provider that answers at once, or after exactly 100 ms.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Result;

/// The time after which `/slow` answers.
pub(crate) const SLOW_ANSWER_DELAY: Duration = Duration::from_millis(100);

/// A server in this process; stops when dropped.
pub(crate) struct InstantProvider {
    /// Base URL, without a path.
    pub(crate) url: String,
    call_count: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl InstantProvider {
    /// Starts it on a free port of the loopback interface.
    pub(crate) async fn start() -> Result<Self> {
        let no_port = |error: std::io::Error| format!("there is no free port: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(no_port)?;
        let address = listener.local_addr().map_err(no_port)?;
        let call_count = Arc::new(AtomicUsize::new(0));
        let router = Router::new().route("/step", post(answer_at_once)).route("/slow", post(answer_slowly));
        let router = router.with_state(Arc::clone(&call_count));
        let server = tokio::spawn(async move {
            // Serving ends with an error or never; callers notice by their own failing calls.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url: format!("http://{address}"), call_count, server })
    }

    /// The number of calls so far.
    pub(crate) fn call_count(&self) -> usize {
        self.call_count.load(Ordering::SeqCst)
    }
}

async fn answer_at_once(State(call_count): State<Arc<AtomicUsize>>, Json(body): Json<Value>) -> Json<Value> {
    call_count.fetch_add(1, Ordering::SeqCst);
    Json(json!({"value": body["value"].as_i64().unwrap_or_default() + 1}))
}

async fn answer_slowly(state: State<Arc<AtomicUsize>>, body: Json<Value>) -> Json<Value> {
    tokio::time::sleep(SLOW_ANSWER_DELAY).await;
    answer_at_once(state, body).await
}

impl Drop for InstantProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}
