//! The binary is killed in the middle of a run, and started again: nothing is paid twice.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fake_providers::{Behaviour, Replicate};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// The provider's key: it may be seen by the provider alone.
const CANARY: &str = "r8_canary_4f1d";

const PATIENCE: Duration = Duration::from_mins(1);

/// A server process; killed when it is dropped.
struct Server {
    child: Child,
    address: String,
    client: reqwest::Client,
    token: String,
    /// Every reply so far.
    seen: std::sync::Mutex<String>,
}

impl Server {
    async fn start(folder: &Path, database: Option<&str>, provider: &Replicate) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apiflow"));
        command
            .arg("serve")
            .env_clear()
            .env("APIFLOW_LISTEN", "127.0.0.1:0")
            .env("APIFLOW_DATA", folder)
            .env("ADMIN_PASSWORD", "correct horse")
            .env("APIFLOW_ALLOW_HOSTS", provider.address().to_string())
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
        let mut server = Self {
            child,
            address,
            client: reqwest::Client::new(),
            token: String::new(),
            seen: std::sync::Mutex::default(),
        };
        let login = json!({"username": "admin", "password": "correct horse"});
        let token = server.send("POST", "/login", Some(login)).await["token"].take();
        token.as_str().expect("a token").clone_into(&mut server.token);
        server
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Value {
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

    /// SIGKILL: no chance to say goodbye.
    fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it can be waited for");
    }

    /// SIGTERM: waits for a good end.
    fn stop(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()));
        assert!(self.child.wait().is_ok_and(|status| status.success()), "SIGTERM is a good end");
    }

    async fn job_where(&self, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
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

fn founding(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/founding").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).expect("the file is there")).expect("JSON")
}

/// Declares the founding documents and runs the workflow; gives the job's id.
async fn begin(server: &Server, provider: &Replicate) -> String {
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
    server.send("POST", "/nodes", Some(node)).await;
    let mut workflow = founding("workflow.json");
    workflow["id"] = json!("hat");
    // An attempt counts as lost soon after its bound.
    for module in workflow["nodes"]["value"]["modules"].as_array_mut().expect("modules") {
        module["timeout"] = json!(20);
    }
    server.send("POST", "/workflows", Some(workflow)).await;
    let job = server.send("POST", "/workflow/hat/run", Some(founding("run_workflow.json"))).await;
    job["id"].as_str().expect("an id").to_owned()
}

fn is_final(job: &Value) -> bool {
    matches!(job["status"].as_str(), Some("completed" | "failed" | "cancelled"))
}

/// The prompts of the predictions that were made.
fn prompts(provider: &Replicate) -> Vec<String> {
    let creates = provider.creates();
    let made = creates.iter().filter(|create| create.prediction.is_some());
    made.map(|create| create.body["input"]["prompt"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The files of a folder and of the folders in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Asserts that the provider's key is in no file (database and log among them) and was in no reply.
async fn hides_the_key(server: &Server, folder: &Path, job: &Value) {
    let id = job["id"].as_str().expect("an id");
    for step in job["steps"].as_array().expect("steps") {
        let calls = server.send("GET", &format!("/jobs/{id}/steps/{}/calls", step["ordinal"]), None).await;
        assert!(calls.to_string().contains("$REPLICATE_API_TOKEN"), "a call shows the secret's name: {calls}");
    }
    for path in ["/connectors", "/nodes", "/workflows", "/jobs", "/secrets"] {
        server.send("GET", path, None).await;
    }
    assert!(!server.seen.lock().expect("no test thread panicked").contains(CANARY), "a reply holds the key");
    let holds = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
    let files = files(folder);
    assert!(files.iter().any(|file| file.ends_with("server.log")), "{files:?}");
    for file in files {
        assert!(!holds(&std::fs::read(&file).expect("the file can be read")), "{} holds the key", file.display());
    }
}

/// A schema of its own in the Postgres under test; `None` where the tests go without one.
async fn schema(name: &str) -> Option<String> {
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

const BOTH: [&str; 2] = ["Add a Hat to person", "Make this a 90s cartoon"];

async fn killed_while_polling(database: Option<&str>) {
    let provider = Replicate::start(Behaviour { delay_ms: 1500, ..Behaviour::default() }).await.expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), database, &provider).await;
    let job = begin(&server, &provider).await;
    // The second prediction was accepted, and is being asked about.
    server.job_where(&job, |job| !job["steps"][1]["provider_id"].is_null()).await;
    server.kill();
    let server = Server::start(folder.path(), database, &provider).await;
    let ended = server.job_where(&job, is_final).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(prompts(&provider), BOTH);
    assert_eq!(provider.creates().len(), 2);
    hides_the_key(&server, folder.path(), &ended).await;
}

async fn killed_while_submitting(database: Option<&str>) {
    let behaviour = Behaviour { skip_creates: 1, hold_create_ms: 120_000, delay_ms: 200, ..Behaviour::default() };
    let provider = Replicate::start(behaviour).await.expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), database, &provider).await;
    let job = begin(&server, &provider).await;
    let held = provider.until(PATIENCE, |stats| stats.held == 1).await;
    assert!(held.is_some(), "the second create is held open");
    server.kill();
    let server = Server::start(folder.path(), database, &provider).await;
    let ended = server.job_where(&job, is_final).await;
    assert_eq!(prompts(&provider), BOTH);
    assert_eq!(provider.creates().len(), 2, "nothing was sent again");
    assert_eq!(ended["status"], "completed", "the provider's list has the prediction: {ended}");
    assert_eq!(ended["steps"][1]["attempt"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_while_polling_goes_on_with_the_same_prediction() {
    killed_while_polling(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_while_submitting_finds_its_prediction() {
    killed_while_submitting(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_too_a_run_killed_while_polling_goes_on_with_the_same_prediction() {
    let Some(database) = schema("polling").await else { return };
    killed_while_polling(Some(&database)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_too_a_run_killed_while_submitting_finds_its_prediction() {
    let Some(database) = schema("submitting").await else { return };
    killed_while_submitting(Some(&database)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_while_the_server_stops_is_kept() {
    let behaviour = Behaviour { skip_creates: 1, hold_create_ms: 2_000, delay_ms: 200, ..Behaviour::default() };
    let provider = Replicate::start(behaviour).await.expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), None, &provider).await;
    let job = begin(&server, &provider).await;
    assert!(provider.until(PATIENCE, |stats| stats.held == 1).await.is_some(), "the second create is held open");
    tokio::task::block_in_place(|| server.stop());
    let server = Server::start(folder.path(), None, &provider).await;
    let ended = server.job_where(&job, is_final).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(provider.creates().len(), 2);
    let calls = server.send("GET", &format!("/jobs/{job}/steps/cartoon_step/calls"), None).await;
    let purposes = calls["items"].as_array().expect("calls").iter().map(|call| call["purpose"].clone());
    assert!(!purposes.collect::<Vec<_>>().contains(&json!("recover")), "the reply was not lost: {calls}");
}
