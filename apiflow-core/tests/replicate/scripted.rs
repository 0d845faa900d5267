//! A provider that answers as a script says, over real HTTP.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use apiflow_core::catalog::{parse_connector, parse_node};
use apiflow_core::ports::JobBundle;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A reply: status, headers, body.
pub(crate) type Reply = (u16, Vec<(&'static str, String)>, String);

/// A reply in JSON.
pub(crate) fn reply(status: u16, body: &Value) -> Reply {
    (status, vec![("content-type", "application/json".to_owned())], body.to_string())
}

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method and path: `POST /v1/x`.
    pub(crate) what: String,
    pub(crate) at: Instant,
}

/// The provider: per `METHOD /path` the replies one after the other, the last for all that follow. `{address}` in a body is
/// the provider's own address.
pub(crate) struct Scripted {
    pub(crate) address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Receiver<usize>,
}

impl Scripted {
    pub(crate) async fn start(script: Vec<(&str, Vec<Reply>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it has an address").to_string();
        let script: BTreeMap<String, Vec<Reply>> =
            script.into_iter().map(|(what, replies)| (what.to_owned(), replies)).collect();
        let (script, seen) = (Arc::new(script), Arc::<Mutex<Vec<Seen>>>::default());
        let (counted, count) = watch::channel(0);
        let shared = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, script.clone(), shared.clone(), counted.clone()));
            }
        });
        Self { address, seen, count }
    }

    pub(crate) fn seen(&self, what: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|seen| seen.what == what).cloned().collect()
    }

    /// Waits until so many requests have arrived, whatever they are.
    pub(crate) async fn until(&self, requests: usize) {
        let mut count = self.count.clone();
        let arrived = tokio::time::timeout(Duration::from_mins(1), count.wait_for(|count| *count >= requests)).await;
        arrived.expect("the requests arrive").expect("the provider lives");
    }

    /// A node `n` of this provider with this `data` and these outputs, and a document.
    pub(crate) fn bundle(&self, data: &Value, output: &Value, document: Value) -> JobBundle {
        let connector = json!({"id": "c", "name": "Acme", "base_url": format!("http://{}/v1", self.address)});
        let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": data, "output": output});
        let mut bundle = JobBundle { document, ..JobBundle::default() };
        bundle.catalog.connectors.insert("c".to_owned(), parse_connector(&connector).expect("a connector"));
        bundle.catalog.nodes.insert("n".to_owned(), parse_node(&node).expect("a node"));
        bundle
    }
}

async fn answer(
    mut stream: TcpStream,
    script: Arc<BTreeMap<String, Vec<Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    counted: watch::Sender<usize>,
) {
    while let Some(what) = read(&mut stream).await {
        let nth = {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let nth = seen.iter().filter(|seen| seen.what == what).count();
            seen.push(Seen { what: what.clone(), at: Instant::now() });
            nth
        };
        let missing = reply(404, &json!({"detail": format!("the script has no {what}")}));
        let (status, headers, body) = match script.get(&what) {
            Some(replies) => &replies[nth.min(replies.len() - 1)],
            None => &missing,
        };
        let address = stream.local_addr().map(|address| address.to_string()).unwrap_or_default();
        let body = &body.replace("{address}", &address);
        let mut text = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.extend(["\r\n", body]);
        stream.write_all(text.as_bytes()).await.unwrap_or_default();
        counted.send_modify(|count| *count += 1);
    }
}

/// Reads a request; gives its method and path.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let shown = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = shown.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length: ").map(|length| length.parse::<usize>().expect("a number"))
            });
            if body.len() >= length.unwrap_or(0) {
                let mut words = head.split(' ');
                return Some(format!("{} {}", words.next()?, words.next()?));
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => text.extend_from_slice(&buffer[..count]),
        }
    }
}
