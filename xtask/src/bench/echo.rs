//! A provider that answers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Result;

/// A server in this process; stops when dropped.
pub(crate) struct Echo {
    /// Where it is called.
    pub(crate) url: String,
    /// Calls so far.
    calls: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Echo {
    /// Starts it on a free port of the loopback interface.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| format!("no free port: {error}"))?;
        let address = listener.local_addr().map_err(|error| format!("no free port: {error}"))?;
        let calls = Arc::new(AtomicUsize::new(0));
        let router = Router::new().route("/step", post(answer)).with_state(Arc::clone(&calls));
        let server = tokio::spawn(async move {
            // Serving ends with an error or never; a caller notices by its own failing calls.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url: format!("http://{address}"), calls, server })
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

async fn answer(State(calls): State<Arc<AtomicUsize>>, Json(body): Json<Value>) -> Json<Value> {
    calls.fetch_add(1, Ordering::SeqCst);
    Json(json!({"value": body["value"].as_i64().unwrap_or_default() + 1}))
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.server.abort();
    }
}
