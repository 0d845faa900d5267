//! The real server as a process of its own, that can be killed and started again.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fake_providers::Replicate;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// The provider's key: it may be seen by the provider alone.
pub(crate) const CANARY: &str = "r8_canary_4f1d";

pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A server process; killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    address: String,
    client: reqwest::Client,
    pub(crate) token: String,
    /// Every reply so far.
    pub(crate) seen: std::sync::Mutex<String>,
}

impl Server {
    pub(crate) async fn start(folder: &Path, database: Option<&str>, provider: &Replicate) -> Self {
        let mut server = Self::start_again(folder, database, provider, String::new());
        let login = json!({"username": "admin", "password": "correct horse"});
        let token = server.send("POST", "/login", Some(login)).await["token"].take();
        token.as_str().expect("a token").clone_into(&mut server.token);
        server
    }

    /// Starts a server on data that one had before, whose token is used still.
    pub(crate) fn start_again(folder: &Path, database: Option<&str>, provider: &Replicate, token: String) -> Self {
        // A write beyond a limit on the size of files is an error then, and does not end the process.
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; exec \"$0\" serve", env!("CARGO_BIN_EXE_apiflow")])
            .env_clear()
            .env("APIFLOW_LISTEN", "127.0.0.1:0")
            .env("APIFLOW_DATA", folder)
            .env("ADMIN_PASSWORD", "correct horse")
            .env("APIFLOW_ALLOW_HOSTS", format!("{},127.0.0.1", provider.address()))
            .env("APIFLOW_SECRETS_FROM_ENV", "REPLICATE_API_TOKEN")
            .env("REPLICATE_API_TOKEN", CANARY)
            .env("RUST_LOG", "debug")
            .envs(database.map(|url| ("DATABASE_URL", url)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("server.log"));
        command.stderr(log.expect("the log can be written"));
        let mut child = command.spawn().expect("the binary starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(output.read_line(&mut line).is_ok_and(|length| length > 0), "the server ended");
            if let Some(address) = line.trim_end().strip_prefix("apiflow listens on ") {
                break address.trim().to_owned();
            }
        };
        // The first client installs nothing that a later one could not use too.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { child, address, client: reqwest::Client::new(), token, seen: std::sync::Mutex::default() }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, format!("{}/api/v1{path}", self.address));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let reply = request.send().await.expect("the server answers");
        let status = reply.status();
        let text = reply.text().await.expect("the reply is text");
        self.seen.lock().expect("no test thread panicked").push_str(&text);
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Sends a request that is to be refused; returns the status and the problem.
    pub(crate) async fn refused(&self, path: &str, body: Value) -> (u16, Value) {
        self.exchange("POST", &format!("/api/v1{path}"), Some(body)).await
    }

    /// Reads the metrics, as text.
    pub(crate) async fn read_metrics(&self) -> String {
        let reply = self.client.get(format!("{}/metrics", self.address)).send().await.expect("the server answers");
        reply.text().await.expect("the reply is text")
    }

    /// Sends a request to any path; returns the status and the JSON of the reply.
    pub(crate) async fn exchange(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, format!("{}{path}", self.address)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let reply = request.send().await.expect("the server answers");
        (reply.status().as_u16(), reply.json().await.expect("the reply is JSON"))
    }

    /// Sets how large files may become that the server writes to; says whether this machine can.
    pub(crate) fn limit_file_size(&self, bytes: &str) -> bool {
        let pid = self.child.id().to_string();
        let limited = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status();
        limited.is_ok_and(|status| status.success())
    }

    /// Runs the workflow `hat` for a picture, once however often it is asked; nothing if the server dies meanwhile.
    pub(crate) async fn try_run(&self, picture: &str) -> Option<String> {
        self.try_start("hat", picture, json!({"input_image": picture})).await
    }

    /// Runs a workflow, once for each key however often it is asked; nothing if the server dies meanwhile.
    pub(crate) async fn try_start(&self, workflow: &str, key: &str, input: Value) -> Option<String> {
        let url = format!("{}/api/v1/workflow/{workflow}/run", self.address);
        let request = self.client.post(url).bearer_auth(&self.token).header("idempotency-key", key);
        let job: Value = request.json(&json!({"input": input})).send().await.ok()?.json().await.ok()?;
        Some(job["id"].as_str()?.to_owned())
    }

    /// Runs the founding node for a picture, once however often it is asked; nothing if the server dies meanwhile.
    pub(crate) async fn try_run_node(&self, picture: &str) -> Option<String> {
        let url = format!("{}/api/v1/node/replicate_flux_kontext_pro_node_id/run", self.address);
        let request = self.client.post(url).bearer_auth(&self.token).header("idempotency-key", picture);
        let request = request.json(&json!({"input": {"prompt": "a hat", "input_image": picture}}));
        let job: Value = request.send().await.ok()?.json().await.ok()?;
        Some(job["id"].as_str()?.to_owned())
    }

    /// Sends a request in the background, whose reply nobody reads.
    pub(crate) fn begin_post(&self, path: &str, body: &Value) -> tokio::task::JoinHandle<()> {
        let request = self.client.post(format!("{}/api/v1{path}", self.address)).bearer_auth(&self.token).json(body);
        tokio::spawn(async move { drop(request.send().await) })
    }

    /// SIGKILL: no chance to say goodbye.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it can be waited for");
    }

    /// SIGTERM: waits for a good end.
    pub(crate) fn stop(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()));
        assert!(self.child.wait().is_ok_and(|status| status.success()), "SIGTERM is a good end");
    }

    pub(crate) async fn job_where(&self, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let job = self.send("GET", &format!("/jobs/{id}"), None).await;
            if holds(&job) {
                return job;
            }
            assert!(Instant::now() < deadline, "the job stays {job}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn founding(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/founding").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).expect("the file is there")).expect("JSON")
}

/// Declares the founding documents and runs the workflow; gives the job's id.
pub(crate) async fn begin(server: &Server, provider: &Replicate) -> String {
    declare(server, provider, json!({})).await;
    let job = server.send("POST", "/workflow/hat/run", Some(founding("run_workflow.json"))).await;
    job["id"].as_str().expect("an id").to_owned()
}

/// Declares the founding documents, with further keys in the node's `data`.
pub(crate) async fn declare(server: &Server, provider: &Replicate, further: Value) {
    let mut connector = founding("connector.json");
    connector["id"] = json!("replicate_connector_id");
    connector["base_url"] = json!(provider.base_url());
    server.send("POST", "/connectors", Some(connector)).await;
    let mut node = founding("node.json");
    node["id"] = json!("replicate_flux_kontext_pro_node_id");
    node["data"] = json!({
        "path": "/models/black-forest-labs/flux-kontext-pro/predictions",
        "body": {"input": "{{ input }}"},
        "operation": "replicate",
    });
    for (key, value) in further.as_object().into_iter().flatten() {
        node["data"][key] = value.clone();
    }
    server.send("POST", "/nodes", Some(node)).await;
    let mut workflow = founding("workflow.json");
    workflow["id"] = json!("hat");
    // An attempt counts as lost soon after its bound.
    for module in workflow["nodes"]["value"]["modules"].as_array_mut().expect("modules") {
        module["timeout"] = json!(20);
    }
    server.send("POST", "/workflows", Some(workflow)).await;
}

pub(crate) fn is_final(job: &Value) -> bool {
    matches!(job["status"].as_str(), Some("completed" | "failed" | "cancelled"))
}

/// A schema of its own in the Postgres under test; `None` where the tests go without one.
pub(crate) async fn schema(name: &str) -> Option<String> {
    let Ok(url) = std::env::var("APIFLOW_TEST_POSTGRES") else {
        let skipped = std::env::var("APIFLOW_SKIP_POSTGRES").is_ok_and(|skip| skip == "1");
        assert!(skipped, "there is no Postgres to test on: `cargo xtask test` starts one");
        return None;
    };
    let schema = format!("apiflow_restart_{name}_{}", std::process::id());
    let mut connection = PgConnection::connect(&url).await.expect("the test database is reached");
    connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.expect("a schema is made");
    let mark = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{mark}options=-c%20search_path%3D{schema}"))
}
