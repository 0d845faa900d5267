//! `apiflow serve --demo`: all of the library against the stand-ins, without a key.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::server::{Server, command};

/// A node of each provider, an input, and the output that is media of this type.
const NODES: [(&str, &str, &str, &str); 6] = [
    ("replicate-flux-schnell", r#"{"prompt": "a fox"}"#, "images", "image/png"),
    ("fal-flux-schnell", r#"{"prompt": "a fox"}"#, "images", "image/png"),
    ("openai-images-generate", r#"{"prompt": "a fox"}"#, "images", "image/png"),
    ("stability-core", r#"{"prompt": "a fox"}"#, "image", "image/png"),
    ("elevenlabs-text-to-speech", r#"{"text": "Hello there."}"#, "audio", "audio/mpeg"),
    ("bfl-flux-pro-1.1", r#"{"prompt": "a fox"}"#, "image", "image/png"),
];

/// The user whose name and password the demo printed.
struct Visitor {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Visitor {
    async fn log_in(server: &Server) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("http://{}/api/v1", server.address);
        let client = reqwest::Client::new();
        let login = json!({"username": "admin", "password": password_of(server)});
        let reply = client.post(format!("{url}/login")).json(&login).send().await.expect("a login");
        let reply: Value = reply.json().await.expect("JSON");
        Self { client, url, token: reply["token"].as_str().expect("a token").to_owned() }
    }

    async fn read(&self, path: &str) -> Value {
        let reply = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await;
        reply.expect("an answer").json().await.expect("JSON")
    }

    async fn run(&self, path: &str, input: Value) -> Value {
        let request = self.client.post(format!("{}/{path}/run", self.url)).bearer_auth(&self.token);
        let request = request.header("prefer", "wait=60").json(&json!({"input": input}));
        let job: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(job["status"], "completed", "{path}: {job}");
        job
    }

    /// Reads an artifact and checks its type.
    async fn expect_media(&self, media: &Value, mime: &str) {
        let id = media["artifact"].as_str().expect("the output is an artifact");
        let reply = self.client.get(format!("{}/artifacts/{id}", self.url)).bearer_auth(&self.token).send().await;
        let reply = reply.expect("an answer");
        assert_eq!(
            reply.headers().get("content-type").map(reqwest::header::HeaderValue::as_bytes),
            Some(mime.as_bytes())
        );
        assert!(reply.bytes().await.expect("the content").len() > 100);
    }

    /// Runs the example and checks that its two pictures are kept.
    async fn run_example(&self) {
        let input = json!({"input_image": "https://replicate.delivery/pbxt/example/portrait.png"});
        let job = self.run("workflow/replicate_flux_kontext_pro_workflow", input).await;
        let id = job["id"].as_str().expect("an id");
        let kept = self.read(&format!("/artifacts?job={id}")).await;
        assert_eq!(kept["items"].as_array().map(Vec::len), Some(2), "{kept}");
        self.expect_media(&job["output"]["output_image"], "image/png").await;
    }
}

fn password_of(server: &Server) -> &str {
    let line = server.greeting.lines().find(|line| line.trim_start().starts_with("password"));
    line.and_then(|line| line.split_whitespace().nth(1)).expect("the password is printed")
}

fn refused(folder: &Path, settings: &[(&str, &str)]) -> String {
    let demo = command(folder, settings).arg("--demo").stderr(Stdio::piped()).output();
    let Output { status, stderr, .. } = demo.expect("the binary starts");
    assert!(!status.success());
    String::from_utf8_lossy(&stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_tried_without_a_key() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let settings = [("APIFLOW_DATA", "demo"), ("APIFLOW_SECRETS_FROM_ENV", "FAL_KEY"), ("FAL_KEY", "canary")];
    let server = Server::start_demo(folder.path(), &settings);
    assert!(server.greeting.contains(&server.address), "{}", server.greeting);
    let password = password_of(&server).to_owned();
    let visitor = Visitor::log_in(&server).await;
    let library = visitor.read("/library?limit=500").await["items"].as_array().expect("a list").len();
    let nodes = visitor.read("/nodes?limit=500").await;
    assert_eq!(nodes["items"].as_array().map(Vec::len), Some(library + 1), "all of the library, and the example");
    for node in nodes["items"].as_array().into_iter().flatten() {
        assert_eq!(node["diagnostics"], json!([]), "{node}");
    }
    let runs = NODES.map(|(node, input, output, mime)| {
        let (visitor, input) = (&visitor, serde_json::from_str(input).expect("the input is JSON"));
        async move {
            let job = visitor.run(&format!("node/{node}"), input).await;
            let media = &job["output"][output];
            visitor.expect_media(if media.is_array() { &media[0] } else { media }, mime).await;
        }
    });
    futures_util::future::join_all(runs).await;
    visitor.run_example().await;
    let changed = json!({"name": "My own name"});
    let change = visitor.client.patch(format!("{}/nodes/fal-flux-schnell", visitor.url)).bearer_auth(&visitor.token);
    assert_eq!(change.json(&changed).send().await.expect("an answer").status(), 200);
    server.signal("TERM");
    assert!(server.end().0);

    let again = Server::start_demo(folder.path(), &[("APIFLOW_DATA", "demo")]);
    assert_eq!(password_of(&again), password, "it is printed at each start");
    let visitor = Visitor::log_in(&again).await;
    let jobs = visitor.read("/jobs").await;
    assert_eq!(jobs["items"].as_array().map(Vec::len), Some(NODES.len() + 1), "the jobs are kept");
    assert_eq!(visitor.read("/nodes/fal-flux-schnell").await["name"], "My own name");
    visitor.run("node/fal-flux-schnell", json!({"prompt": "a fox"})).await;
    visitor.run_example().await;
}

#[test]
fn a_demo_uses_no_data_of_others() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let real = Server::start(folder.path(), &[("APIFLOW_DATA", "real")]);
    real.signal("TERM");
    assert!(real.end().0);
    let database = folder.path().join("real/apiflow.db");
    let before = std::fs::read(&database).expect("the database is there");
    let said = refused(folder.path(), &[("APIFLOW_DATA", "real")]);
    assert!(said.contains("real contains data that are not of a demo"), "{said}");
    assert_eq!(std::fs::read(&database).expect("the database is there"), before);
    for (name, value) in
        [("DATABASE_URL", "sqlite:x.db"), ("APIFLOW_ARTIFACTS", "s3://bucket"), ("APIFLOW_ROLE", "worker")]
    {
        let said = refused(folder.path(), &[(name, value)]);
        assert!(said.contains(&format!("{name} must not be set")), "{said}");
    }
    assert!(!folder.path().join("x.db").exists());
}

#[test]
fn a_demo_without_a_folder_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).expect("it can be created");
    let server = Server::start_demo(folder.path(), &[("TMPDIR", temporary.to_str().expect("the path is text"))]);
    assert_eq!(std::fs::read_dir(&temporary).expect("it is read").count(), 1);
    server.signal("INT");
    assert!(server.end().0);
    assert_eq!(std::fs::read_dir(&temporary).expect("it is read").count(), 0);
    assert!(!folder.path().join("apiflow-data").exists());
}
