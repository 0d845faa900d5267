//! A client with a server of its own that records requests and replies.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use apiflow_core::artifacts::{ArtifactSettings, StoredArtifacts};
use apiflow_core::http::{Http, HttpLimits, OutgoingPolicy};
use apiflow_core::ports::Clock;
use apiflow_core::runtime::boa_evaluator::BoaEvaluator;
use apiflow_core::runtime::clock::SystemClock;
use apiflow_core::runtime::secrets::EnvSecrets;
use apiflow_core::runtime::{Runtime, RuntimeParts, RuntimeSettings};
use apiflow_server::http::local_url::is_local;
use apiflow_server::record_cache::{CachedStores, DocumentReader, cache_records};
use apiflow_server::secrets::{Sealer, SecretBook, SecretsWithWebhooks};
use apiflow_server::settings::WebSettings;
use apiflow_server::users::bootstrap_admin::ensure_first_admin;
use apiflow_server::{AppState, Parts};
use apiflow_store::Stores;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// The admin's password on servers that are not local.
pub(crate) const LONG_PASSWORD: &str = "correct horse battery staple";

/// Headers that a transcript shows.
const SHOWN: [&str; 9] = [
    "location",
    "etag",
    "allow",
    "retry-after",
    "set-cookie",
    "www-authenticate",
    "preference-applied",
    "access-control-allow-origin",
    "content-type",
];

/// A server, and a transcript of the requests to it and of its replies.
pub(crate) struct RecordingClient {
    pub(crate) router: Router,
    pub(crate) stores: Stores,
    pub(crate) secrets: Arc<SecretBook>,
    pub(crate) stop: CancellationToken,
    /// Where its requests come from.
    pub(crate) peer: SocketAddr,
    pub(crate) artifacts: Arc<StoredArtifacts>,
    runtime: Runtime,
    cached_documents: Arc<DocumentReader>,
    token: Option<String>,
    transcript: String,
    known: Vec<(String, String)>,
    folder: TempDir,
}

/// A reply.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the reply is JSON")
    }

    pub(crate) fn string(&self, pointer: &str) -> String {
        let body = self.json();
        body.pointer(pointer).and_then(Value::as_str).expect("the reply has this string").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }
}

impl RecordingClient {
    /// A server with the admin `admin`, whose password is `admin`; nobody is logged in.
    pub(crate) async fn new() -> Self {
        Self::with(WebSettings::default(), "ENV_KEY,BOUND_KEY@bound.example").await
    }

    pub(crate) async fn with(settings: WebSettings, from_env: &str) -> Self {
        Self::on(None, settings, from_env).await
    }

    /// The same with its own schema in the Postgres under test; `None` where the tests go without one.
    pub(crate) async fn on_postgres() -> Option<Self> {
        let url = Self::postgres_schema().await?;
        let mut client = Self::on(Some(url), WebSettings::default(), "").await;
        client.log_in("admin", "admin").await;
        Some(client)
    }

    /// Two servers on the same schema in the Postgres under test; `None` where the tests go without one.
    pub(crate) async fn two_on_postgres() -> Option<(Self, Self)> {
        let url = Self::postgres_schema().await?;
        let mut first = Self::on(Some(url.clone()), WebSettings::default(), "").await;
        let mut second = Self::on(Some(url), WebSettings::default(), "").await;
        first.log_in("admin", "admin").await;
        second.log_in("admin", "admin").await;
        Some((first, second))
    }

    /// The URL of a new schema in the Postgres under test.
    async fn postgres_schema() -> Option<String> {
        let Ok(url) = std::env::var("APIFLOW_TEST_POSTGRES") else {
            let skipped = std::env::var("APIFLOW_SKIP_POSTGRES").is_ok_and(|skip| skip == "1");
            assert!(skipped, "there is no Postgres to test on: `cargo xtask test` starts one");
            return None;
        };
        let schema = format!("apiflow_http_{}", uuid::Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&url).await.expect("the test database is reached");
        connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.expect("a schema is made");
        let mark = if url.contains('?') { '&' } else { '?' };
        Some(format!("{url}{mark}options=-c%20search_path%3D{schema}"))
    }

    /// The same, whose outgoing requests may reach only these private addresses.
    pub(crate) async fn with_outgoing(settings: WebSettings, allowed: &str) -> Self {
        Self::build(None, settings, "", allowed).await
    }

    /// The same on a database of its own.
    pub(crate) async fn on(database: Option<String>, settings: WebSettings, from_env: &str) -> Self {
        Self::build(database, settings, from_env, "127.0.0.1").await
    }

    async fn build(database: Option<String>, settings: WebSettings, from_env: &str, allowed: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let url = database.unwrap_or_else(|| format!("sqlite:{}", folder.path().join("apiflow.db").display()));
        let opened = apiflow_store::open(&url).await.expect("the database opens");
        let CachedStores { stores, cached_documents, records } = cache_records(&opened, &url);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let lookup = |name: &str| Some(format!("canary-of-{name}"));
        let environment = EnvSecrets::from_list(from_env, lookup).expect("the list is well formed");
        let sealer = Sealer::new(&[1; 32]);
        let secrets = Arc::new(SecretBook::new(stores.secrets.clone(), environment, sealer, clock.clone()));
        let password = if is_local(&settings.public_url) { "admin" } else { LONG_PASSWORD };
        ensure_first_admin(&*stores.accounts, &*clock, "admin", Some(password), &settings.public_url)
            .await
            .expect("the first admin is made");
        let http = Http::new(
            OutgoingPolicy::parse(allowed).expect("the list is well formed"),
            Arc::new(SecretsWithWebhooks::new(secrets.clone(), settings.public_url.as_str())),
            HttpLimits { max_reply_bytes: 1 << 20, connect_timeout: Duration::from_secs(1), ..HttpLimits::default() },
        )
        .expect("TLS can be set up");
        let artifact_settings = ArtifactSettings {
            max_artifact_bytes: 12 << 20,
            quota_bytes: Some(30 << 20),
            ..ArtifactSettings::new(format!("{}/api/v1/artifacts/", settings.public_url))
        };
        let artifacts = StoredArtifacts::in_folder(
            &folder.path().join("artifacts"),
            stores.artifacts.clone(),
            clock.clone(),
            artifact_settings,
        );
        let artifacts = Arc::new(artifacts.expect("a folder is opened"));
        let parts = RuntimeParts {
            store: stores.store.clone(),
            artifacts: artifacts.clone(),
            http: Arc::new(http.with_artifacts(artifacts.clone())),
            evaluator: Arc::new(BoaEvaluator::new()),
            clock: clock.clone(),
        };
        let stop = CancellationToken::new();
        let runtime = Runtime::new(
            parts,
            RuntimeSettings { webhooks: settings.public_url.starts_with("https://"), ..RuntimeSettings::new("test") },
        );
        let state = AppState::new(Parts {
            runtime: runtime.clone(),
            store: stores.store.clone(),
            documents: stores.documents.clone(),
            cached_documents: cached_documents.clone(),
            records,
            accounts: stores.accounts.clone(),
            artifacts: artifacts.clone(),
            statements: stores.statements.clone(),
            secrets: secrets.clone(),
            clock,
            settings,
            stop: stop.clone(),
        });
        Self {
            router: apiflow_server::router(state),
            stores,
            secrets,
            stop,
            peer: SocketAddr::from(([127, 0, 0, 1], 40_000)),
            artifacts,
            runtime,
            cached_documents,
            token: None,
            transcript: String::new(),
            known: Vec::new(),
            folder,
        }
    }

    /// The same, logged in as the admin.
    pub(crate) async fn admin() -> Self {
        let mut client = Self::new().await;
        client.log_in("admin", "admin").await;
        client
    }

    /// Runs a worker until the client is dropped.
    pub(crate) fn work(&self) {
        self.work_until(self.stop.clone());
    }

    /// Has jobs worked on from now on, until `stop`.
    pub(crate) fn work_until(&self, stop: CancellationToken) -> tokio::task::JoinHandle<()> {
        let runtime = self.runtime.clone();
        tokio::spawn(async move { runtime.run_worker(stop.cancelled_owned()).await })
    }

    /// Goes on as this user, without writing the login down.
    pub(crate) async fn log_in(&mut self, username: &str, password: &str) -> String {
        self.token = None;
        let reply = self.raw("POST", "/login", &[], Some(json!({"username": username, "password": password}))).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let token = reply.string("/token");
        self.token = Some(token.clone());
        self.note(&format!("as {username}"));
        token
    }

    /// Makes a plain user and goes on as that user.
    pub(crate) async fn as_new_user(&mut self, username: &str) -> String {
        let new = json!({"username": username, "password": "correct horse"});
        let reply = self.raw("POST", "/users", &[], Some(new)).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
        let id = reply.string("/id");
        self.know(&id, &format!("<id of {username}>"));
        self.log_in(username, "correct horse").await;
        id
    }

    /// Goes on with this token, or without one.
    pub(crate) fn token(&mut self, token: Option<&str>) {
        self.token = token.map(str::to_owned);
    }

    /// How often runs have read a document so far, cached or not.
    pub(crate) fn document_reads(&self) -> u64 {
        self.cached_documents.reads()
    }

    /// Shows a text by another name from now on.
    pub(crate) fn know(&mut self, text: &str, name: &str) {
        self.known.push((text.to_owned(), name.to_owned()));
    }

    pub(crate) fn note(&mut self, text: &str) {
        writeln!(self.transcript, "--- {text}\n").expect("writing to a string cannot fail");
    }

    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.say("GET", path, &[], None).await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> Reply {
        self.say("DELETE", path, &[], None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: Value) -> Reply {
        self.say("POST", path, &[], Some(body)).await
    }

    pub(crate) async fn put(&mut self, path: &str, body: Value) -> Reply {
        self.say("PUT", path, &[], Some(body)).await
    }

    pub(crate) async fn patch(&mut self, path: &str, body: Value) -> Reply {
        self.say("PATCH", path, &[], Some(body)).await
    }

    /// Sends a request and writes it down with its reply.
    pub(crate) async fn say(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Reply {
        let shown = body.as_ref().map(|body| format!(" {}", cut(&body.to_string()))).unwrap_or_default();
        let reply = self.raw(method, path, headers, body).await;
        let told: Vec<_> = headers.iter().map(|(name, value)| format!(" [{name}: {value}]")).collect();
        writeln!(self.transcript, "{method} {path}{}{shown}", told.concat()).expect("writing cannot fail");
        self.write_reply(&reply);
        reply
    }

    fn write_reply(&mut self, reply: &Reply) {
        writeln!(self.transcript, "{}", reply.status).expect("writing cannot fail");
        for name in SHOWN {
            let value = reply.header(name);
            if !value.is_empty() && value != "application/json" {
                writeln!(self.transcript, "{name}: {value}").expect("writing cannot fail");
            }
        }
        let body: Option<Value> = serde_json::from_str(&reply.text).ok();
        let body = body.and_then(|body| serde_json::to_string_pretty(&body).ok()).unwrap_or(reply.text.clone());
        writeln!(self.transcript, "{body}\n").expect("writing cannot fail");
    }

    /// Follows a job as the caller with this token; returns the stream, unless the token is invalid.
    pub(crate) async fn open_stream(&self, job: &str, token: &str) -> Option<Body> {
        let request = Request::builder()
            .uri(format!("/api/v1/jobs/{job}/events"))
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty())
            .expect("the request is well formed");
        let response = self.router.clone().oneshot(request).await.expect("a router always answers");
        if response.status() == StatusCode::UNAUTHORIZED {
            return None;
        }
        assert_eq!(response.status(), StatusCode::OK);
        Some(response.into_body())
    }

    /// Sends a request without writing anything down.
    pub(crate) async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Reply {
        let is_typed = headers.iter().any(|(name, _)| *name == "content-type");
        let json = [("content-type", "application/json")];
        let headers = [headers, if body.is_some() && !is_typed { &json } else { &[] }].concat();
        let body = match body {
            None => Body::empty(),
            // A text stands for itself, so that bodies that are no JSON can be sent.
            Some(Value::String(text)) => Body::from(text),
            Some(body) => Body::from(body.to_string()),
        };
        let (status, headers, bytes) = self.exchange(method, path, &headers, body).await;
        Reply { status, headers, text: String::from_utf8(bytes).expect("the reply is text") }
    }

    /// Sends any body; returns status, headers and the bytes of the reply.
    pub(crate) async fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> (StatusCode, HeaderMap, Vec<u8>) {
        let path = path.strip_prefix('!').map_or_else(|| format!("/api/v1{path}"), str::to_owned);
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body).expect("the request is well formed");
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let response = self.router.clone().oneshot(request).await.expect("a router always answers");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("the reply can be read");
        (parts.status, parts.headers, bytes.to_vec())
    }

    /// Whether a text stands in any file of the database.
    pub(crate) fn is_on_disk(&self, text: &str) -> bool {
        let files = std::fs::read_dir(self.folder.path()).expect("the folder is there");
        files
            .map(|file| file.expect("a file is there").path())
            .filter(|path| path.is_file())
            .map(|path| std::fs::read(path).expect("it can be read"))
            .any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    }

    /// The transcript, the same at each run.
    pub(crate) fn transcript(&self) -> String {
        let known = self.known.iter().fold(self.transcript.clone(), |text, (known, name)| text.replace(known, name));
        redacted(&known)
    }
}

fn cut(text: &str) -> String {
    if text.len() <= 600 { text.to_owned() } else { format!("{} bytes", text.len()) }
}

/// Replaces ids, times and tokens by what they are.
fn redacted(text: &str) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | ':' | '.');
    let mut written = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_part) {
        written.push_str(&rest[..at]);
        let end = rest[at..].find(|letter| !is_part(letter)).map_or(rest.len(), |length| at + length);
        let word = &rest[at..end];
        if let Some(version) = version_of_tag(word) {
            written.push_str("<made>-");
            written.push_str(version);
        } else {
            written.push_str(kind_of(word).unwrap_or(word));
        }
        rest = &rest[end..];
    }
    written + rest
}

/// What a word is that differs at each run.
fn kind_of(word: &str) -> Option<&'static str> {
    if is_uuid(word) {
        Some("<uuid>")
    } else if is_time(word) {
        Some("<time>")
    } else if word.starts_with("af_") && word.len() == 46 {
        Some("<token>")
    } else {
        None
    }
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36
        && word.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The version in an ETag, which begins with the moment that the document was made.
fn version_of_tag(word: &str) -> Option<&str> {
    let (made, version) = word.split_once('-')?;
    let is_moment = made.len() == 11 && made.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_moment && version.bytes().all(|byte| byte.is_ascii_digit())).then_some(version)
}

fn is_time(word: &str) -> bool {
    word.len() == 24 && word.starts_with("20") && word.ends_with('Z') && word.as_bytes()[10] == b'T'
}

/// Compares the transcript of a client with its snapshot.
macro_rules! settle {
    ($client:expr) => {
        insta::assert_snapshot!($client.transcript());
    };
}
pub(crate) use settle;
