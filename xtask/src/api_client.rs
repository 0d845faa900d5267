//! A minimal client of the REST API.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Result;
use crate::http::{HttpReply, HttpRequest};

/// Timeout of a request.
const EXCHANGE_TIMEOUT: Duration = Duration::from_mins(1);

/// Maximum silence of an event stream; the server's heartbeats are more frequent.
const SILENCE_TIMEOUT: Duration = Duration::from_mins(1);

/// A user of the REST API.
pub struct ApiClient {
    base_url: String,
    token: String,
}

impl ApiClient {
    /// Returns a client of this server that is not logged in yet.
    #[must_use]
    pub fn new(server_url: &str) -> Self {
        Self { base_url: format!("{server_url}/api/v1"), token: String::new() }
    }

    /// Logs in for all requests that follow.
    ///
    /// # Errors
    /// The name or the password is wrong.
    pub async fn log_in(&mut self, username: &str, password: &str) -> Result {
        let reply = self.post("/login", &json!({"username": username, "password": password})).await?;
        reply["token"].as_str().ok_or("the reply to the login has no `token`")?.clone_into(&mut self.token);
        Ok(())
    }

    /// The token of the session; empty before the login.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Reads an object of the API.
    ///
    /// # Errors
    /// The server refuses it.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.get_url(&format!("{}{path}", self.base_url)).await
    }

    /// Reads JSON from any URL.
    ///
    /// # Errors
    /// The server refuses it.
    pub async fn get_url(&self, url: &str) -> Result<Value> {
        self.exchange("GET", url, None).await
    }

    /// Reads a file of the API.
    ///
    /// # Errors
    /// The server refuses it.
    pub async fn get_file(&self, path: &str) -> Result<Vec<u8>> {
        self.get_file_of_url(&format!("{}{path}", self.base_url)).await
    }

    /// Reads a file from any URL.
    ///
    /// # Errors
    /// The server refuses it.
    pub async fn get_file_of_url(&self, url: &str) -> Result<Vec<u8>> {
        self.receive("GET", url, None).await
    }

    /// Posts an object to the API.
    ///
    /// # Errors
    /// The server refuses it.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.exchange("POST", &format!("{}{path}", self.base_url), Some(body)).await
    }

    /// Opens a job's event stream at its first event.
    ///
    /// # Errors
    /// There is no such job.
    pub async fn follow_job(&self, job_id: &str) -> Result<EventStream> {
        let reply = self.send("GET", &format!("{}/jobs/{job_id}/events", self.base_url), None).await?;
        Ok(EventStream { reply, buffer: Vec::new(), last_heard: Instant::now() })
    }

    async fn exchange(&self, method: &str, url: &str, body: Option<&Value>) -> Result<Value> {
        let body = self.receive(method, url, body).await?;
        serde_json::from_slice(&body).map_err(|error| format!("the reply of `{url}` is not JSON: {error}"))
    }

    /// Sends a request and reads the body of the reply.
    async fn receive(&self, method: &str, url: &str, body: Option<&Value>) -> Result<Vec<u8>> {
        let exchange = async { self.send(method, url, body).await?.read_bytes().await };
        let reply = tokio::time::timeout(EXCHANGE_TIMEOUT, exchange).await;
        reply.map_err(|_| format!("`{url}` did not answer within {} s", EXCHANGE_TIMEOUT.as_secs()))?
    }

    async fn send(&self, method: &str, url: &str, body: Option<&Value>) -> Result<HttpReply> {
        let reply = HttpRequest { method, url, token: &self.token, body }.send().await?;
        if reply.is_success() {
            return Ok(reply);
        }
        let status = reply.status;
        Err(format!("`{url}` answered {status}: {}", reply.read_text().await.unwrap_or_default()))
    }
}

/// A stream of server-sent events.
pub struct EventStream {
    reply: HttpReply,
    buffer: Vec<u8>,
    /// When the last bytes arrived.
    last_heard: Instant,
}

impl EventStream {
    /// Returns the next event's data; `None` if the stream has ended. Comments, including heartbeats, are skipped. Cancel
    /// safe.
    ///
    /// # Errors
    /// The connection broke, or was silent for too long.
    pub async fn next_event(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(block) = self.take_block() {
                let data: Vec<_> =
                    block.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
                if !data.is_empty() {
                    return Ok(Some(data.join("\n")));
                }
                continue;
            }
            let deadline = self.last_heard + SILENCE_TIMEOUT;
            let chunk = tokio::time::timeout_at(deadline, self.reply.read_chunk(&mut self.buffer)).await;
            match chunk.map_err(|_| format!("no event and no heartbeat within {} s", SILENCE_TIMEOUT.as_secs()))?? {
                0 => return Ok(None),
                _ => self.last_heard = Instant::now(),
            }
        }
    }

    /// Removes a complete block from the buffer, up to its blank line.
    fn take_block(&mut self) -> Option<String> {
        let end = self.buffer.windows(2).position(|pair| pair == b"\n\n")?;
        let block = self.buffer.drain(..end + 2).collect::<Vec<_>>();
        Some(String::from_utf8_lossy(&block).into_owned())
    }
}
