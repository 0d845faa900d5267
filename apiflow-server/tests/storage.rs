//! The binary while its database cannot do its work: what is asked is refused with the cause, what was paid for is
//! recorded as soon as it can be, and nothing is paid twice.

#[path = "../../apiflow-store/tests/common/cluster.rs"]
mod cluster;
#[path = "../../apiflow-store/tests/common/disk.rs"]
mod disk;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cluster::Cluster;
use disk::SmallDisk;
use fake_providers::{Behaviour, Replicate};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_mins(1);
/// How long a prediction takes: longer than it takes to fill a database or to stop one.
const DELAY_MS: u64 = 3_000;

/// A server process; killed when it is dropped.
struct Server {
    child: Child,
    address: String,
    client: reqwest::Client,
    token: String,
}

impl Server {
    /// Starts it with its data in `folder`, and logs in.
    async fn start(folder: &Path, database: &str, provider: &Replicate) -> Self {
        // A write beyond a limit on the size of files is an error then, and does not end the process.
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; exec \"$0\" serve", env!("CARGO_BIN_EXE_apiflow")])
            .env_clear()
            .env("APIFLOW_LISTEN", "127.0.0.1:0")
            .env("APIFLOW_DATA", folder)
            .env("DATABASE_URL", database)
            .env("ADMIN_PASSWORD", "correct horse")
            .env("APIFLOW_ALLOW_HOSTS", provider.address().to_string())
            .env("APIFLOW_SECRETS_FROM_ENV", "REPLICATE_API_TOKEN")
            .env("REPLICATE_API_TOKEN", "r8_token")
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .stdout(Stdio::piped());
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
        let mut server = Self { child, address, client: reqwest::Client::new(), token: String::new() };
        let login = json!({"username": "admin", "password": "correct horse"});
        let token = server.done("POST", "/login", login).await["token"].take();
        token.as_str().expect("a token").clone_into(&mut server.token);
        server
    }

    /// Sends a request; gives the status and the body.
    async fn send(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, format!("{}{path}", self.address));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let reply = request.send().await.expect("the server answers");
        let status = reply.status().as_u16();
        (status, reply.json().await.unwrap_or_default())
    }

    /// The body of a request to the API that is answered as it should be.
    async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.send(method, &format!("/api/v1{path}"), body).await;
        assert!((200..300).contains(&status), "{path}: {status} {reply}");
        reply
    }

    /// Waits until a job is as it should be.
    async fn job_where(&self, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (status, job) = self.send("GET", &format!("/api/v1/jobs/{id}"), Value::Null).await;
            if status == 200 && holds(&job) {
                return job;
            }
            assert!(Instant::now() < deadline, "the job stays {job}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until `/readyz` answers with a status, and a code if it refuses.
    async fn ready_with(&self, status: u16, code: Option<&str>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (found, body) = self.send("GET", "/readyz", Value::Null).await;
            if found == status && body["code"].as_str() == code {
                return;
            }
            assert!(Instant::now() < deadline, "/readyz stays {found} {body}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Runs a workflow that holds an input of so many bytes and does nothing with it.
    async fn run_ballast(&self, bytes: usize) -> (u16, Value) {
        let document = json!({"value": {"modules": [{"id": "a", "value": {"type": "identity"}}]}});
        let input = json!({"text": "x".repeat(bytes)});
        self.send("POST", "/api/v1/workflows/run", json!({"document": document, "input": input})).await
    }

    /// A ballast that has ended, to be removed later.
    async fn ended_ballast(&self, bytes: usize) -> String {
        let (status, job) = self.run_ballast(bytes).await;
        assert_eq!(status, 202, "{job}");
        let id = job["id"].as_str().expect("an id").to_owned();
        self.job_where(&id, is_final).await;
        id
    }

    /// Takes jobs until not even a small one fits.
    async fn fill(&self) {
        for bytes in [400_000, 50_000, 5_000, 500, 1] {
            loop {
                let (status, reply) = self.run_ballast(bytes).await;
                if status != 202 {
                    assert_eq!((status, reply["code"].as_str()), (507, Some("storage_full")), "{reply}");
                    break;
                }
            }
        }
    }

    /// Sets how large files may become that the server writes to; says whether this machine can.
    fn limit_file_size(&self, bytes: &str) -> bool {
        let pid = self.child.id().to_string();
        let limited = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status();
        limited.is_ok_and(|status| status.success())
    }

    async fn active_jobs(&self) -> usize {
        let mut active = 0;
        for status in ["pending", "running", "suspended"] {
            let page = self.done("GET", &format!("/jobs?status={status}&limit=500"), Value::Null).await;
            active += page["items"].as_array().expect("a page").len();
        }
        active
    }

    /// Waits until no job is left that has not ended.
    async fn all_end(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.active_jobs().await > 0 {
            assert!(Instant::now() < deadline, "{} jobs have not ended", self.active_jobs().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_final(job: &Value) -> bool {
    matches!(job["status"].as_str(), Some("completed" | "failed" | "cancelled"))
}

fn founding(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/founding").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).expect("the file is there")).expect("JSON")
}

/// Declares the founding documents and runs the workflow of two paid steps; gives the job's id once the first one's
/// prediction was accepted and is waited for.
async fn begin(server: &Server, provider: &Replicate) -> String {
    let mut connector = founding("connector.json");
    connector["id"] = json!("replicate_connector_id");
    connector["base_url"] = json!(provider.base_url());
    server.done("POST", "/connectors", connector).await;
    let mut node = founding("node.json");
    node["id"] = json!("replicate_flux_kontext_pro_node_id");
    node["data"] = json!({
        "path": "/models/black-forest-labs/flux-kontext-pro/predictions",
        "body": {"input": "{{ input }}"},
        "operation": "replicate",
    });
    server.done("POST", "/nodes", node).await;
    let mut workflow = founding("workflow.json");
    workflow["id"] = json!("hat");
    server.done("POST", "/workflows", workflow).await;
    let job = server.done("POST", "/workflow/hat/run", founding("run_workflow.json")).await;
    let id = job["id"].as_str().expect("an id").to_owned();
    server.job_where(&id, |job| !job["steps"][0]["provider_id"].is_null()).await;
    id
}

async fn provider() -> Replicate {
    Replicate::start(Behaviour { delay_ms: DELAY_MS, ..Behaviour::default() }).await.expect("it starts")
}

/// Waits until the provider has said that its first prediction has ended.
async fn told_the_end(provider: &Replicate) {
    let succeeded = |stats: &fake_providers::Stats| stats.predictions.iter().any(|made| made["status"] == "succeeded");
    assert!(provider.until(PATIENCE, succeeded).await.is_some(), "the server asks until the prediction has ended");
}

/// Waits until the first prediction has ended at the provider, whether or not the server can ask about it.
async fn has_ended(provider: &Replicate) {
    let deadline = Instant::now() + PATIENCE;
    while !provider.stats().predictions.iter().any(|made| made["status"] == "succeeded") {
        assert!(Instant::now() < deadline, "the prediction does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The job ends well, and each of its steps was paid for once.
async fn completes(server: &Server, provider: &Replicate, job: &str) {
    let ended = server.job_where(job, is_final).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(provider.creates().len(), 2);
    let attempts: Vec<&Value> = ended["steps"].as_array().expect("steps").iter().map(|step| &step["attempt"]).collect();
    assert_eq!(attempts, [&json!(1), &json!(1)]);
    server.all_end().await;
    server.ready_with(200, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_quota_is_survived_without_a_restart() {
    let provider = provider().await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let database = format!("sqlite:{}?max_page_count=1500", folder.path().join("apiflow.db").display());
    let server = Server::start(folder.path(), &database, &provider).await;
    let ballast = [server.ended_ballast(900_000).await, server.ended_ballast(900_000).await];
    let job = begin(&server, &provider).await;
    server.fill().await;
    server.ready_with(503, Some("storage_full")).await;
    told_the_end(&provider).await;
    let waiting = server.job_where(&job, |_| true).await;
    assert_eq!(waiting["status"], "running", "its answer waits for room: {waiting}");
    for id in ballast {
        server.done("DELETE", &format!("/jobs/{id}"), Value::Null).await;
    }
    completes(&server, &provider, &job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_file_system_is_survived_without_a_restart() {
    let Some(disk) = SmallDisk::mount(8 * 1024) else { return };
    let provider = provider().await;
    let database = format!("sqlite:{}", disk.path().join("apiflow.db").display());
    let server = Server::start(disk.path(), &database, &provider).await;
    let job = begin(&server, &provider).await;
    disk.fill();
    for _ in 0..3 {
        let (status, reply) = server.run_ballast(2_000_000).await;
        assert_eq!((status, reply["code"].as_str()), (507, Some("storage_full")), "{reply}");
    }
    // Nothing can be written here, not even that somebody asks the provider.
    has_ended(&provider).await;
    disk.free();
    completes(&server, &provider, &job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_to_write_is_survived_without_a_restart() {
    let provider = provider().await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let database = format!("sqlite:{}", folder.path().join("apiflow.db").display());
    let server = Server::start(folder.path(), &database, &provider).await;
    let job = begin(&server, &provider).await;
    if !server.limit_file_size("4096") {
        eprintln!("skipped without prlimit");
        return;
    }
    for _ in 0..3 {
        let (status, reply) = server.run_ballast(100_000).await;
        assert_eq!((status, reply["code"].as_str()), (503, Some("storage_io_error")), "{reply}");
    }
    server.ready_with(503, Some("storage_io_error")).await;
    has_ended(&provider).await;
    assert!(server.limit_file_size("unlimited"), "the limit is raised again");
    completes(&server, &provider, &job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_postgres_in_the_middle_of_a_run_is_survived() {
    let Some(mut cluster) = Cluster::start() else { return };
    let provider = provider().await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), &cluster.url(), &provider).await;
    let job = begin(&server, &provider).await;
    tokio::task::block_in_place(|| cluster.stop());
    server.ready_with(503, Some("storage_unreachable")).await;
    let (status, reply) = server.run_ballast(10).await;
    assert_eq!(status, 503, "{reply}");
    has_ended(&provider).await;
    tokio::task::block_in_place(|| cluster.resume());
    completes(&server, &provider, &job).await;
}
