//! Artifacts in the real process: memory, a killed upload, and a bucket on a real S3 server.

use std::path::Path;
use std::time::Duration;

use apiflow_core::artifacts::{ArtifactSettings, StoredArtifacts};
use apiflow_core::runtime::clock::SystemClock;
use reqwest::Body;
use serde_json::{Value, json};

use crate::server::Server;

/// One piece of a generated upload.
const PIECE_BYTES: usize = 64 * 1024;

/// Most memory that a large artifact may take on top of what the idle server has.
#[cfg(target_os = "linux")]
const MAX_ADDED_BYTES: u64 = 32 * 1024 * 1024;

/// A user of the server.
struct User {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl User {
    async fn log_in(server: &Server) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("http://{}/api/v1", server.address);
        let client = reqwest::Client::new();
        let login = json!({"username": "admin", "password": "correct horse"});
        let reply = client.post(format!("{url}/login")).json(&login).send().await.expect("a login");
        let reply: Value = reply.json().await.expect("JSON");
        Self { client, url, token: reply["token"].as_str().expect("a token").to_owned() }
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    async fn upload(&self, body: Body) -> Value {
        let reply = self.request(reqwest::Method::POST, "/artifacts?name=a.bin").body(body).send().await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.status(), 201);
        reply.json().await.expect("JSON")
    }

    #[cfg(feature = "clouds")]
    async fn read(&self, path: &str, range: Option<&str>) -> (u16, Vec<u8>) {
        let mut request = self.request(reqwest::Method::GET, path);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let reply = request.send().await.expect("an answer");
        (reply.status().as_u16(), reply.bytes().await.expect("the content").to_vec())
    }
}

fn generated_body(pieces: usize) -> Body {
    let piece = |index: usize| Ok::<_, std::io::Error>(vec![(index % 251) as u8; PIECE_BYTES]);
    Body::wrap_stream(futures_util::stream::iter((0..pieces).map(piece)))
}

/// A figure of `/proc/<pid>/status`, in bytes.
#[cfg(target_os = "linux")]
fn memory_of(server: &Server, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field is there");
    let kilobytes: u64 = line.split_whitespace().next().and_then(|text| text.parse().ok()).expect("a number");
    kilobytes * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_public_url_links_lead_to_the_port_that_the_server_listens_on() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), &[("ADMIN_PASSWORD", "correct horse")]);
    let user = User::log_in(&server).await;
    let artifact = user.upload(Body::from("hello")).await;
    let url = artifact["url"].as_str().expect("a URL");
    let port = server.address.rsplit(':').next().expect("a port");
    assert!(url.starts_with(&format!("http://localhost:{port}/api/v1/artifacts/")), "{url}");
    let reply = user.client.get(url).bearer_auth(&user.token).send().await.expect("an answer");
    assert_eq!(reply.text().await.expect("the content"), "hello");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_megabytes_take_little_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), &[("ADMIN_PASSWORD", "correct horse")]);
    let user = User::log_in(&server).await;
    user.upload(generated_body(1)).await;
    let idle = memory_of(&server, "VmRSS:");
    // Resets the peak.
    std::fs::write(format!("/proc/{}/clear_refs", server.id()), "5").expect("the own process may be watched");
    let size_bytes = 300 * 1024 * 1024;
    let artifact = user.upload(generated_body(size_bytes / PIECE_BYTES)).await;
    assert_eq!(artifact["size_bytes"], json!(size_bytes));
    let path = format!("/artifacts/{}", artifact["artifact"].as_str().expect("an id"));
    let mut reply = user.request(reqwest::Method::GET, &path).send().await.expect("an answer");
    let mut read = 0;
    while let Some(chunk) = reply.chunk().await.expect("the content") {
        read += chunk.len();
    }
    let added = memory_of(&server, "VmHWM:").saturating_sub(idle);
    eprintln!("300 MiB up and down added {} KiB to {} KiB", added / 1024, idle / 1024);
    assert_eq!(read, size_bytes);
    assert!(added < MAX_ADDED_BYTES, "{added} bytes more than {idle}");
}

/// The number of files below a folder.
fn count_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.map(|path| if path.is_dir() { count_files(&path) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_upload_leaves_nothing_after_the_collector() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let blobs = folder.path().join("apiflow-data/artifacts/blobs");
    let server = Server::start(folder.path(), &[("ADMIN_PASSWORD", "correct horse")]);
    let user = User::log_in(&server).await;
    user.upload(generated_body(1)).await;
    let endless = futures_util::stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Some((Ok::<_, std::io::Error>(vec![1; PIECE_BYTES]), ()))
    });
    let upload = user.request(reqwest::Method::PUT, "/artifacts").body(Body::wrap_stream(endless)).send();
    let upload = tokio::spawn(upload);
    while count_files(&blobs) < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.signal("KILL");
    server.end();
    assert!(upload.await.expect("no panic").is_err());
    assert_eq!(count_files(&blobs), 2);
    let url = format!("sqlite:{}", folder.path().join("apiflow-data/apiflow.db").display());
    let stores = apiflow_store::open(&url).await.expect("the database opens");
    let artifacts = StoredArtifacts::in_folder(
        &folder.path().join("apiflow-data/artifacts"),
        stores.artifacts,
        std::sync::Arc::new(SystemClock),
        ArtifactSettings::new("x/"),
    );
    let artifacts = artifacts.expect("the folder is opened");
    let collected = artifacts.collect_garbage(Duration::ZERO).await.expect("garbage is collected");
    assert_eq!((collected.files, count_files(&blobs)), (1, 1));
}

/// The S3 server of `APIFLOW_TEST_S3`; `None` where there is none.
#[cfg(feature = "clouds")]
fn s3_server() -> Option<String> {
    let url = std::env::var("APIFLOW_TEST_S3").ok();
    if url.is_none() {
        eprintln!("skipped without an S3 server: `cargo xtask test` starts one, APIFLOW_TEST_S3=http://… names one");
    }
    url
}

/// The keys in a bucket.
#[cfg(feature = "clouds")]
async fn list_keys(client: &reqwest::Client, bucket: &str) -> Vec<String> {
    let listed = client.get(format!("{bucket}?list-type=2")).send().await.expect("a list");
    let listed = listed.text().await.expect("a text");
    listed.split("<Key>").skip(1).filter_map(|rest| Some(rest.split_once('<')?.0.to_owned())).collect()
}

#[cfg(feature = "clouds")]
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_artifacts_as_a_folder_does() {
    let Some(s3) = s3_server() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let name = format!("apiflow-{}", std::process::id());
    let bucket = format!("{s3}/{name}");
    let settings = [
        ("ADMIN_PASSWORD", "correct horse"),
        ("APIFLOW_ARTIFACTS", &format!("s3://{name}/media/here")),
        ("AWS_ENDPOINT", &s3),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "made-up"),
        ("AWS_SECRET_ACCESS_KEY", "made-up"),
    ];
    let server = Server::start(folder.path(), &settings);
    let user = User::log_in(&server).await;
    let made = user.client.put(&bucket).send().await.expect("an answer");
    assert!(made.status().is_success(), "a bucket is created");
    // Several parts, the last one short.
    let pieces = 20 * 1024 * 1024 / PIECE_BYTES + 1;
    let first = user.upload(generated_body(pieces)).await;
    let second = user.upload(generated_body(pieces)).await;
    let keys = list_keys(&user.client, &bucket).await;
    assert!(keys.len() == 1 && keys[0].starts_with("media/here/blobs/"), "equal contents are kept once: {keys:?}");
    let path = |artifact: &Value| format!("/artifacts/{}", artifact["artifact"].as_str().expect("an id"));
    let (status, content) = user.read(&path(&second), None).await;
    assert_eq!((status, content.len()), (200, pieces * PIECE_BYTES));
    let range = format!("bytes={}-{}", PIECE_BYTES - 1, PIECE_BYTES);
    assert_eq!(user.read(&path(&first), Some(&range)).await, (206, vec![0, 1]));
    for artifact in [&first, &second] {
        let gone = user.request(reqwest::Method::DELETE, &path(artifact)).send().await.expect("an answer");
        assert_eq!(gone.status(), 204);
    }
    assert_eq!(list_keys(&user.client, &bucket).await, [""; 0]);
}
