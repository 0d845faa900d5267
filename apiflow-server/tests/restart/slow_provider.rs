//! A front of the stand-in for Replicate that is slow in each phase of a call, and knows which phases are under way.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use fake_providers::Replicate;
use futures_util::{StreamExt as _, stream};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// A prediction is being created.
    Submit,
    /// A prediction is being read.
    Poll,
    /// An output is being downloaded.
    Download,
    /// A file is being uploaded before a call.
    Upload,
    /// A call with a file in its multipart body is being made, whose reply is a file.
    Multipart,
}

impl Phase {
    pub(crate) const ALL: [Self; 5] = [Self::Submit, Self::Poll, Self::Download, Self::Upload, Self::Multipart];

    fn of_request(method: &Method, path: &str) -> Option<Self> {
        match (method == Method::POST, path) {
            (true, "/v1/files") => Some(Self::Upload),
            (true, "/v1/restyle") => Some(Self::Multipart),
            (true, path) if path.ends_with("/predictions") => Some(Self::Submit),
            (false, path) if path.starts_with("/v1/predictions/") => Some(Self::Poll),
            (false, path) if path.starts_with("/delivery/") => Some(Self::Download),
            _ => None,
        }
    }
}

/// The number of calls that are under way, by phase.
pub(crate) type UnderWay = [usize; Phase::ALL.len()];

/// Pause before each part of what is sent or read.
const PAUSE: Duration = Duration::from_millis(25);
/// Size to which files are filled up: more than the store of artifacts writes at once.
const FILE_BYTES: usize = 1_300_000;
/// Number of parts in which a file is sent.
const FILE_PARTS: usize = 4;

/// A running front; its calls end when the runtime does.
pub(crate) struct SlowProvider {
    address: String,
    front: Arc<Front>,
}

struct Front {
    /// Address of the stand-in.
    stand_in: String,
    client: reqwest::Client,
    under_way: watch::Sender<UnderWay>,
    /// What each multipart call said about its attempt.
    restyled: Mutex<Vec<String>>,
}

/// Counts a call as under way until it is dropped: at its end, or when the caller is gone.
struct CountedCall(Arc<Front>, Phase);

impl CountedCall {
    fn begin(front: &Arc<Front>, phase: Phase) -> Self {
        front.under_way.send_modify(|counts| counts[phase as usize] += 1);
        Self(Arc::clone(front), phase)
    }
}

impl Drop for CountedCall {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|counts| counts[self.1 as usize] -= 1);
    }
}

impl SlowProvider {
    pub(crate) async fn start(stand_in: &Replicate) -> Self {
        // A client needs one, and other clients of this process may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let front = Arc::new(Front {
            stand_in: stand_in.origin(),
            client: reqwest::Client::new(),
            under_way: watch::Sender::new(UnderWay::default()),
            restyled: Mutex::default(),
        });
        let router = Router::new().fallback(handle_call).with_state(Arc::clone(&front));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, front }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn watch_calls(&self) -> watch::Receiver<UnderWay> {
        self.front.under_way.subscribe()
    }

    /// Returns the attempts that made a multipart call, once for each call.
    pub(crate) async fn restyled(&self) -> Vec<String> {
        self.front.restyled.lock().await.clone()
    }
}

async fn handle_call(State(front): State<Arc<Front>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let phase = Phase::of_request(&parts.method, path);
    let counted = phase.map(|phase| CountedCall::begin(&front, phase));
    let body = if matches!(phase, Some(Phase::Upload | Phase::Multipart)) {
        read_slowly(body).await
    } else {
        to_bytes(body, usize::MAX).await.ok()
    };
    // An incomplete request is none.
    let Some(body) = body else { return StatusCode::BAD_REQUEST.into_response() };
    if phase.is_some() {
        tokio::time::sleep(PAUSE).await;
    }
    if phase == Some(Phase::Multipart) {
        let attempt = parts.headers.get("x-attempt").and_then(|value| value.to_str().ok()).unwrap_or_default();
        front.restyled.lock().await.push(attempt.to_owned());
        assert!(body.len() > FILE_BYTES, "the multipart body contains a file");
        return send_file_slowly(fill_up(PICTURE, attempt), counted);
    }
    let url = format!("{}{}", front.stand_in, parts.uri.path_and_query().map_or(path, |path| path.as_str()));
    let (status, headers, reply) = forward(&front, parts.method, url, parts.headers, body).await;
    if phase == Some(Phase::Download) && status == StatusCode::OK {
        return send_file_slowly(fill_up(&reply, path), counted);
    }
    if phase.is_some() {
        tokio::time::sleep(PAUSE).await;
    }
    drop(counted);
    let mut response = reply.into_response();
    *response.status_mut() = status;
    for name in [header::CONTENT_TYPE, header::LOCATION] {
        if let Some(value) = headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// Passes a call on; once begun it happens, whether the caller waits for it or not.
async fn forward(
    front: &Arc<Front>,
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, Bytes) {
    let front = Arc::clone(front);
    let sent = tokio::spawn(async move {
        let reply = front.client.request(method, url).headers(headers).body(body).send().await;
        let reply = reply.expect("the stand-in answers");
        (reply.status(), reply.headers().clone(), reply.bytes().await.expect("the stand-in sends its reply"))
    });
    sent.await.expect("no call panics")
}

async fn read_slowly(body: Body) -> Option<Bytes> {
    let mut stream = body.into_data_stream();
    let mut all = Vec::new();
    let mut next_pause = 0;
    while let Some(part) = stream.next().await {
        all.extend_from_slice(&part.ok()?);
        if all.len() >= next_pause {
            tokio::time::sleep(PAUSE).await;
            next_pause += FILE_BYTES / FILE_PARTS;
        }
    }
    Some(all.into())
}

/// The smallest part of a picture by which its type is recognized.
const PICTURE: &[u8] = &[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R'];

/// Makes a picture as large as [`FILE_BYTES`], and different for each name.
fn fill_up(picture: &[u8], name: &str) -> Vec<u8> {
    let mut content = [picture, name.as_bytes()].concat();
    content.resize(FILE_BYTES, 0);
    content
}

fn send_file_slowly(content: Vec<u8>, counted: Option<CountedCall>) -> Response {
    let size = content.len();
    let content = Bytes::from(content);
    let part_bytes = size.div_ceil(FILE_PARTS);
    let parts = stream::unfold((0, counted), move |(start, counted)| {
        let content = content.clone();
        async move {
            if start >= size {
                return None;
            }
            tokio::time::sleep(PAUSE).await;
            let end = (start + part_bytes).min(size);
            Some((Ok::<_, std::io::Error>(content.slice(start..end)), (end, counted)))
        }
    });
    let headers = [(header::CONTENT_TYPE, "image/png".to_owned()), (header::CONTENT_LENGTH, size.to_string())];
    (headers, Body::from_stream(parts)).into_response()
}
