//! A small client of the REST API, such as any program could have.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Result;

/// Bound on one exchange.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Bound on the silence of a stream of events; the server's heartbeat comes more often.
const SILENCE: Duration = Duration::from_mins(1);

/// The REST API of a server.
pub(crate) struct Api {
    client: Client,
    base: String,
    token: String,
}

impl Api {
    /// Nobody is logged in yet.
    pub(crate) fn new(url: &str) -> Result<Self> {
        let client = Client::builder().no_proxy().build().map_err(|error| format!("no HTTP client: {error}"))?;
        Ok(Self { client, base: format!("{url}/api/v1"), token: String::new() })
    }

    /// Logs in for all that follows.
    pub(crate) async fn login(&mut self, username: &str, password: &str) -> Result {
        let reply = self.post("/login", &json!({"username": username, "password": password})).await?;
        reply["token"].as_str().ok_or("the login gave no token")?.clone_into(&mut self.token);
        Ok(())
    }

    /// Gets an object.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.get_json(&format!("{}{path}", self.base)).await
    }

    /// Gets JSON from any address.
    pub(crate) async fn get_json(&self, url: &str) -> Result<Value> {
        read(self.send(self.client.get(url).timeout(TIMEOUT)).await?).await
    }

    /// Posts an object.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        read(self.send(self.client.post(format!("{}{path}", self.base)).timeout(TIMEOUT).json(body)).await?).await
    }

    /// Starts a run and waits for its end, in one exchange.
    #[cfg(feature = "bench")]
    pub(crate) async fn run_and_wait(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.client.post(format!("{}{path}", self.base)).timeout(TIMEOUT).json(body);
        read(self.send(request.header("prefer", "wait=30")).await?).await
    }

    /// Follows a job from its first event.
    pub(crate) async fn follow(&self, job: &str) -> Result<Events> {
        let url = format!("{}/jobs/{job}/events", self.base);
        let stream = self.send(self.client.get(url).header("accept", "text/event-stream")).await?;
        Ok(Events { stream, buffer: Vec::new(), heard: Instant::now() })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let request = if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        let reply = request.send().await.map_err(|error| format!("no reply: {error}"))?;
        let status = reply.status();
        if status.is_success() {
            return Ok(reply);
        }
        let url = reply.url().clone();
        let said = reply.text().await.unwrap_or_default();
        Err(format!("{url} answered {status}: {said}"))
    }
}

async fn read(reply: Response) -> Result<Value> {
    reply.json().await.map_err(|error| format!("the reply is no JSON: {error}"))
}

/// A stream of server-sent events.
pub(crate) struct Events {
    stream: Response,
    buffer: Vec<u8>,
    /// When anything last came.
    heard: Instant,
}

impl Events {
    /// The next event's data; `None` where the stream has ended. Comments, the heartbeat among them, are passed over.
    /// Nothing is lost where the wait for it is given up.
    pub(crate) async fn next(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(block) = self.block() {
                let data: Vec<_> =
                    block.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
                if !data.is_empty() {
                    return Ok(Some(data.join("\n")));
                }
                continue;
            }
            let chunk = tokio::time::timeout_at(self.heard + SILENCE, self.stream.chunk()).await;
            let chunk = chunk.map_err(|_| format!("no event and no heartbeat within {} s", SILENCE.as_secs()))?;
            match chunk.map_err(|error| format!("the stream of events broke: {error}"))? {
                Some(bytes) => {
                    self.heard = Instant::now();
                    self.buffer.extend_from_slice(&bytes);
                }
                None => return Ok(None),
            }
        }
    }

    /// Takes a whole block off the buffer, up to its blank line.
    fn block(&mut self) -> Option<String> {
        let end = self.buffer.windows(2).position(|pair| pair == b"\n\n")?;
        let block = self.buffer.drain(..end + 2).collect::<Vec<_>>();
        Some(String::from_utf8_lossy(&block).into_owned())
    }
}
