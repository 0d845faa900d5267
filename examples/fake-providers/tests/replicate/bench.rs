//! A stand-in and a client to call it with.

use std::time::{Duration, Instant};

use fake_providers::{Behaviour, Replicate, Stats};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// Maximum time that a test waits for an event.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// The route that most tests create predictions with.
pub(crate) const KONTEXT: &str = "/models/black-forest-labs/flux-kontext-pro/predictions";

/// A running stand-in and a client.
pub(crate) struct Bench {
    pub(crate) replicate: Replicate,
    pub(crate) http: reqwest::Client,
}

/// A reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// The body; null if it is not JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Returns a header; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("the stand-in sends ASCII"))
    }
}

/// Returns the default behaviour with a merge patch applied.
pub(crate) fn behaviour(patch: Value) -> Behaviour {
    Behaviour::default().merge_patch(&patch).expect("the test's patch is in order")
}

impl Bench {
    /// Starts a stand-in with the default behaviour and `patch` applied.
    pub(crate) async fn start(patch: Value) -> Self {
        // Fails only if another test of this process has done it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(LIMIT).build().expect("a plain client can be built");
        let replicate = Replicate::start(behaviour(patch)).await.expect("a free port can be bound");
        Self { replicate, http }
    }

    /// Calls a path below `/v1` with a token and additional headers.
    pub(crate) fn request(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.replicate.base_url())).bearer_auth("r8_test");
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        receive(self.request(Method::GET, path, &[])).await.expect("the stand-in answers")
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: Value) -> Reply {
        receive(self.request(Method::POST, path, headers).json(&body)).await.expect("the stand-in answers")
    }

    /// Sends a create with a prompt.
    pub(crate) async fn create(&self, headers: &[(&str, &str)]) -> Reply {
        self.post(KONTEXT, headers, prompt("a hat")).await
    }

    /// Reads a prediction until `test` is true.
    pub(crate) async fn read_until(&self, id: &Value, test: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/predictions/{}", id.as_str().expect("an id is a text"));
        let start = Instant::now();
        loop {
            let object = self.get(&path).await.json();
            if test(&object) {
                return object;
            }
            assert!(start.elapsed() < LIMIT, "the prediction never got there: {object}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Reads a prediction until it has ended.
    pub(crate) async fn ended(&self, id: &Value) -> Value {
        self.read_until(id, |object| !object["completed_at"].is_null()).await
    }

    /// Waits until calls have made `test` true.
    pub(crate) async fn until(&self, test: impl Fn(&Stats) -> bool) -> Stats {
        self.replicate.until(LIMIT, test).await.expect("the calls arrive in time")
    }
}

/// Sends a call and reads the whole reply.
pub(crate) async fn receive(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Reply { status, headers, text: response.text().await? })
}

/// Returns a create body with a prompt.
pub(crate) fn prompt(text: &str) -> Value {
    json!({"input": {"prompt": text}})
}

/// Asserts that a call ended with a reset connection, not with an orderly close.
pub(crate) fn assert_reset(result: reqwest::Result<Reply>) {
    let error = result.expect_err("the connection is broken");
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if kind == Some(std::io::ErrorKind::ConnectionReset) {
            return;
        }
        cause = error.source();
    }
    panic!("not a reset: {error:?}");
}
