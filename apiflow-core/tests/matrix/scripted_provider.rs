//! A provider that follows a script.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::row::{Reply, Routes};

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Method and path with query: `GET /v1/tasks/7`.
    pub(crate) route: String,
    /// Headers, names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body.
    pub(crate) body: Bytes,
}

/// The server; stops when dropped.
pub(crate) struct ScriptedProvider {
    /// Its address with port.
    pub(crate) address: std::net::SocketAddr,
    script: Arc<Script>,
    server: JoinHandle<()>,
}

struct Script {
    routes: Routes,
    port: u16,
    received: Mutex<Vec<Received>>,
    count: watch::Sender<usize>,
}

impl ScriptedProvider {
    /// Starts it on a free port of the loopback interface.
    pub(crate) async fn start(routes: &Routes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let script = Arc::new(Script {
            routes: routes.clone(),
            port: address.port(),
            received: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, script, server }
    }

    /// Returns the requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.script.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns once a request to a route has arrived.
    pub(crate) async fn wait_for(&self, route: &str) {
        let mut count = self.script.count.subscribe();
        while !self.received().iter().any(|one| one.route == route) {
            count.changed().await.expect("the script lives");
        }
    }
}

impl Drop for ScriptedProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let route = format!("{} {}", head.method, head.uri.path_and_query().map_or("/", |path| path.as_str()));
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let headers: BTreeMap<String, String> = headers.collect();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap_or_default();
    let reply = {
        let mut received = script.received.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = received.iter().filter(|one| one.route == route).count();
        received.push(Received { route: route.clone(), headers: headers.clone(), body });
        script.routes.get(&route).and_then(|replies| replies.get(earlier).or(replies.last())).cloned()
    };
    script.count.send_modify(|count| *count += 1);
    let Some(reply) = reply else {
        return build(404, &BTreeMap::new(), format!("no route `{route}` in the script").into());
    };
    if let Some((name, value)) = reply.needs.as_ref().and_then(|needs| needs.split_once(": "))
        && headers.get(name).map(String::as_str) != Some(value)
    {
        return build(401, &BTreeMap::new(), format!("{name} must be {value}").into());
    }
    script.write_reply(&reply)
}

impl Script {
    fn write_reply(&self, reply: &Reply) -> Response {
        let mut headers: BTreeMap<String, String> =
            reply.headers.iter().map(|(name, value)| (name.clone(), self.fill(value))).collect();
        let mut declare = |mime: &str| {
            headers.entry("content-type".to_owned()).or_insert_with(|| mime.to_owned());
        };
        let body = if let Some(json) = &reply.json {
            declare("application/json");
            Body::from(self.fill(&json.to_string()))
        } else if let Some(file) = &reply.file {
            let sample = sample(file);
            declare(sample.mime);
            Body::from(sample.bytes)
        } else {
            declare("text/plain");
            Body::from(self.fill(reply.text.as_deref().unwrap_or_default()))
        };
        build(reply.status, &headers, body)
    }

    fn fill(&self, text: &str) -> String {
        fill_in(text, self.port)
    }
}

/// Replaces `{base}` and `{other}` by the two names of the provider, and `{png_base64}` and others by a sample.
pub(crate) fn fill_in(text: &str, port: u16) -> String {
    let mut filled = text
        .replace("{base}", &format!("http://127.0.0.1:{port}"))
        .replace("{other}", &format!("http://localhost:{port}"))
        .replace("{other_host}", &format!("localhost:{port}"));
    for name in SAMPLES {
        let mark = format!("{{{name}_base64}}");
        if filled.contains(&mark) {
            filled = filled.replace(&mark, &STANDARD.encode(sample(name).bytes));
        }
    }
    filled
}

/// The names of all samples.
const SAMPLES: [&str; 4] = ["png", "wav", "mp3", "mp4"];

fn build(status: u16, headers: &BTreeMap<String, String>, body: Body) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body).expect("a reply is valid")
}

/// A file that providers make.
pub(crate) struct Sample {
    /// Its MIME type.
    pub(crate) mime: &'static str,
    /// Its content: more than fits into a journal.
    pub(crate) bytes: Vec<u8>,
}

/// Returns a sample; the file is large enough that its base64 must not become a JSON value.
pub(crate) fn sample(name: &str) -> Sample {
    let (mime, head): (_, &[u8]) = match name {
        "png" => ("image/png", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x01\0\0\0\x01\0\x08\x02\0\0\0\xd3\x10\x3f\x31"),
        "wav" => (
            "audio/wav",
            b"RIFF\x24\x60\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\x60\0\0",
        ),
        "mp3" => ("audio/mpeg", b"ID3\x04\0\0\0\0\0\0\xff\xfb\x90\x64"),
        "mp4" => ("video/mp4", b"\0\0\0\x18ftypisom\0\0\x02\0isommp41\0\0\0\0mdat"),
        other => panic!("there is no sample `{other}`"),
    };
    let mut bytes = head.to_vec();
    // Bytes of all values, so that an encoding that loses some is noticed.
    bytes.extend((0..24 * 1024_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8));
    Sample { mime, bytes }
}
