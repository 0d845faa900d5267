//! A provider that answers at once, or after exactly 100 ms, and serves pictures and films of a known size.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Result;

/// The time after which `/slow` answers.
pub(crate) const SLOW_ANSWER_DELAY: Duration = Duration::from_millis(100);

/// Size of a picture, in bytes.
pub(crate) const PICTURE_SIZE_BYTES: usize = 1024 * 1024;

/// Size of a film, in bytes.
pub(crate) const FILM_SIZE_BYTES: usize = 300 * 1024 * 1024;

/// Size of the parts in which a film is sent, in bytes.
const FILM_PART_SIZE_BYTES: usize = 64 * 1024;

/// The beginning of a PNG file of 1024 × 1024 pixels: its signature and its first chunk.
const PNG_HEAD: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x04\0\0\0\x04\0\x08\x02\0\0\0\x26\x85\x29\x15";

/// The beginning of an MP4 file: its `ftyp` box, and a `mdat` box that reaches to the end of the file.
const MP4_HEAD: &[u8] = b"\0\0\0\x18ftypisom\0\0\x02\0isommp41\0\0\0\0mdat";

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
        let router = Router::new()
            .route("/step", post(answer_at_once))
            .route("/slow", post(answer_slowly))
            .route("/picture", post(answer_with_picture))
            .route("/film", post(answer_with_film))
            .route("/pictures/{number}", get(send_picture))
            .route("/films/{number}", get(send_film));
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

/// Answers with a link to a picture that no other call gets, relative to the provider's address.
async fn answer_with_picture(State(call_count): State<Arc<AtomicUsize>>) -> Json<Value> {
    Json(json!({"media": format!("/pictures/{}", call_count.fetch_add(1, Ordering::SeqCst))}))
}

async fn answer_with_film(State(call_count): State<Arc<AtomicUsize>>) -> Json<Value> {
    Json(json!({"media": format!("/films/{}", call_count.fetch_add(1, Ordering::SeqCst))}))
}

async fn send_picture(Path(number): Path<usize>) -> Response {
    let mut picture = Vec::with_capacity(PICTURE_SIZE_BYTES);
    picture.extend_from_slice(PNG_HEAD);
    // Different for each number, so that two pictures are never stored as one.
    picture.extend_from_slice(&number.to_be_bytes());
    picture.resize(PICTURE_SIZE_BYTES, 0x5a);
    ([(CONTENT_TYPE, "image/png")], picture).into_response()
}

async fn send_film(Path(number): Path<usize>) -> Response {
    let mut head = MP4_HEAD.to_vec();
    head.extend_from_slice(&number.to_be_bytes());
    head.resize(FILM_PART_SIZE_BYTES, 0x5a);
    let parts = (0..FILM_SIZE_BYTES / FILM_PART_SIZE_BYTES).map(move |at| {
        let part = if at == 0 { head.clone() } else { vec![0x5a; FILM_PART_SIZE_BYTES] };
        Ok::<_, std::convert::Infallible>(part)
    });
    let headers = [(CONTENT_TYPE, "video/mp4".to_owned()), (CONTENT_LENGTH, FILM_SIZE_BYTES.to_string())];
    (headers, Body::from_stream(stream::iter(parts))).into_response()
}

impl Drop for InstantProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}
