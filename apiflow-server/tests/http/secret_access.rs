//! Who may point a secret where: what a user without the rights of an admin tries, and what comes of it.

use std::sync::{Arc, Mutex};

use apiflow_core::ports::Secrets as _;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::recording_client::{RecordingClient, Reply};

/// The admins' key.
const SHARED: &str = "canary-of-the/admins";
const EVES: &str = "canary-of-eve";
const BOBS: &str = "canary-of-bob";

/// A provider that keeps whatever reaches it. `/leave?to=PORT` redirects there with the query copied, `/echo` writes the
/// Authorization header as PHP's JSON does, `/said` its query, anything else is an empty object.
#[derive(Clone, Default)]
struct Recorder {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let recorder = Self { port: listener.local_addr().expect("it has an address").port(), ..Self::default() };
        let router = Router::new().fallback(answer).with_state(recorder.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        recorder
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All that reached it, as text.
    fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("nothing panics while it holds the requests").clone()
    }
}

async fn answer(State(recorder): State<Recorder>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("the body is read");
    let text = format!("{} {} {:?}\n{}", parts.method, parts.uri, parts.headers, String::from_utf8_lossy(&body));
    recorder.requests.lock().expect("nothing panics while it holds the requests").push(text);
    let sent = |headers: &HeaderMap| {
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().replace('/', "\\/")
    };
    let query = parts.uri.query().unwrap_or_default();
    match (parts.uri.path(), query.split_once("to=")) {
        ("/leave", Some((_, to))) => {
            let port = to.split('&').next().unwrap_or_default();
            let location = format!("http://127.0.0.1:{port}/landed?{query}");
            (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
        }
        ("/said", _) => axum::Json(json!({"said": query})).into_response(),
        ("/echo", _) => {
            let body = format!("{{\"said\": \"{}\"}}", sent(&parts.headers));
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        _ => axum::Json(json!({})).into_response(),
    }
}

/// A server with workers and a shared secret in an admin's connector `c`, in its header and query, on a real provider;
/// eve and bob are users. The admin is logged in.
async fn furnished() -> (RecordingClient, Recorder) {
    let provider = Recorder::start().await;
    let mut client = RecordingClient::admin().await;
    client.work();
    for name in ["eve", "bob"] {
        client.as_new_user(name).await;
        client.log_in("admin", "admin").await;
    }
    put(&client, "/secrets/SHARED", json!({"value": SHARED})).await;
    put(&client, "/connectors/c", connector(&provider)).await;
    put(&client, "/connectors/plain", json!({"name": "P", "base_url": provider.url()})).await;
    (client, provider)
}

fn connector(provider: &Recorder) -> Value {
    json!({"id": "c", "name": "C", "base_url": provider.url(), "header": {"Authorization": "Bearer $SHARED"},
        "data": {"query": {"key": "$SHARED"}}})
}

fn node(data: Value) -> Value {
    json!({"name": "N", "connector_id": "c", "data": data})
}

async fn as_user(client: &mut RecordingClient, name: &str) {
    let password = if name == "admin" { "admin" } else { "correct horse" };
    client.log_in(name, password).await;
}

async fn put(client: &RecordingClient, path: &str, body: Value) -> Reply {
    let reply = client.raw("PUT", path, &[], Some(body)).await;
    assert!(reply.status.is_success(), "{path}: {}", reply.text);
    reply
}

/// Asserts that a request is 403 for the sake of a secret.
async fn refused(client: &RecordingClient, method: &str, path: &str, body: Option<Value>, code: &str) -> Reply {
    let shown = format!("{method} {path} {body:?}");
    let reply = client.raw(method, path, &[], body).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{shown}: {}", reply.text);
    assert_eq!(reply.string("/code"), code, "{shown}");
    assert!(!reply.text.contains("canary"), "{}", reply.text);
    reply
}

/// Asserts that a run is refused before anything is sent, for the sake of a secret.
async fn not_run(client: &RecordingClient, path: &str) -> Reply {
    let reply = client.raw("POST", path, &[("prefer", "wait=30")], Some(json!({"input": {}}))).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {}", reply.text);
    assert_eq!(reply.string("/diagnostics/0/code"), "unresolved-secret", "{}", reply.text);
    reply
}

async fn run(client: &RecordingClient, node: &str) -> Reply {
    let path = format!("/node/{node}/run");
    let job = client.raw("POST", &path, &[("prefer", "wait=30")], Some(json!({"input": {}}))).await;
    assert_eq!(job.status, StatusCode::OK, "{}", job.text);
    assert!(!job.text.contains("canary"), "{}", job.text);
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_to_a_shared_secret_is_for_admins_to_write() {
    let (mut client, provider) = furnished().await;
    as_user(&mut client, "eve").await;
    for name in ["$SHARED", "x {{ input.x }}$SHARED.", "$ENV_KEY"] {
        for (body, pointer) in [
            (json!({"header": {"X-Other": name}}), "/header/X-Other"),
            (json!({"body": {"webhook": [{"url": format!("https://evil.example/?k={name}")}]}}), "/body/webhook/0/url"),
            (json!({"data": {"path": name}}), "/data/path"),
            (json!({"data": {"query": {"callback": name}}}), "/data/query/callback"),
            (json!({"data": {"body": name}}), "/data/body"),
            (
                json!({"data": {"operation": {"preset": "replicate", "ack": {"header": {"X": name}}}}}),
                "/data/operation/ack/header/X",
            ),
            (json!({"data": {"limits": {"a": name}}}), "/data/limits/a"),
            (json!({"data": {"errors": {"message": name}}}), "/data/errors/message"),
            (json!({"data": {"price": {"currency": name}}}), "/data/price/currency"),
        ] {
            let mut whole = json!({"id": "e", "name": "E", "base_url": provider.url()});
            whole.as_object_mut().expect("an object").extend(body.as_object().expect("an object").clone());
            for (method, path, body) in [
                ("POST", "/connectors", whole.clone()),
                ("PUT", "/connectors/e", whole),
                ("PATCH", "/connectors/plain", body.clone()),
            ] {
                let reply = client.raw(method, path, &[], Some(body)).await;
                // What is no template is refused for another reason, or for this one.
                let is_template =
                    !["/data/errors", "/data/limits", "/data/price"].iter().any(|at| pointer.starts_with(at));
                if !is_template && reply.status == StatusCode::UNPROCESSABLE_ENTITY {
                    continue;
                }
                assert_eq!(reply.status, StatusCode::FORBIDDEN, "{method} {path} {pointer}: {}", reply.text);
                assert_eq!(reply.string("/errors/0/pointer"), pointer, "{}", reply.text);
                assert!(reply.string("/errors/0/help").contains("node of a connector that has it"), "{}", reply.text);
            }
            let not_of_nodes = ["limits", "errors", "price"].iter().any(|key| pointer.contains(key));
            let Some(data) = body.get("data").filter(|_| !not_of_nodes) else { continue };
            let declared = json!({"name": "N", "connector_id": "plain", "data": data});
            let reply = refused(&client, "PUT", "/nodes/e", Some(declared), "shared_secret").await;
            assert_eq!(reply.string("/errors/0/pointer"), pointer);
        }
    }
    // Nothing was saved, and what only looks like a reference is one nowhere.
    assert_eq!(client.raw("GET", "/connectors/e", &[], None).await.status, StatusCode::NOT_FOUND);
    put(&client, "/connectors/e", json!({"name": "$SHARED", "base_url": provider.url(), "body": "$$SHARED costs $5"}))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_refers_to_a_shared_secret_is_for_admins_to_change() {
    let (mut client, _provider) = furnished().await;
    put(&client, "/nodes/admins", json!({"name": "A", "connector_id": "plain", "data": {"header": {"X": "$SHARED"}}}))
        .await;
    as_user(&mut client, "eve").await;
    for path in ["/connectors/c", "/nodes/admins"] {
        let read = client.raw("GET", path, &[], None).await;
        let etag = read.header("etag");
        let without = json!({"name": "Mine", "base_url": "https://evil.example", "connector_id": "plain"});
        let mut without = without.as_object().expect("an object").clone();
        without.remove(if path.starts_with("/nodes") { "base_url" } else { "connector_id" });
        for (method, body) in [
            ("PUT", Some(read.json())),
            ("PUT", Some(Value::Object(without))),
            ("PATCH", Some(json!({"name": "Renamed"}))),
            ("PATCH", Some(json!({"data": null}))),
            ("PATCH", Some(json!({}))),
            ("DELETE", None),
        ] {
            refused(&client, method, path, body.clone(), "shared_secret").await;
            for headers in [[("if-match", etag.as_str())], [("if-match", "*")]] {
                let reply = client.raw(method, path, &headers, body.clone()).await;
                assert_eq!(reply.status, StatusCode::FORBIDDEN, "{method} {path} {headers:?}: {}", reply.text);
            }
        }
        assert_eq!(client.raw("GET", path, &[], None).await.text, read.text);
    }
    as_user(&mut client, "admin").await;
    for path in ["/nodes/admins", "/connectors/c"] {
        let changed = client.raw("PATCH", path, &[], Some(json!({"name": "Renamed"}))).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
        assert_eq!(client.raw("DELETE", path, &[], None).await.status, StatusCode::NO_CONTENT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_declares_nodes_of_a_connector_with_a_shared_secret() {
    let (mut client, provider) = furnished().await;
    as_user(&mut client, "eve").await;
    let data = json!({"method": "POST", "path": "/draw", "query": {"q": "1"}, "header": {"X-Mine": "1"}, "body": {"a": "$$SHARED"}});
    put(&client, "/nodes/n", node(data)).await;
    let job = run(&client, "n").await;
    assert_eq!(job.string("/status"), "completed", "{}", job.text);
    let [request] = &provider.requests()[..] else { panic!("one call") };
    assert!(request.contains(&format!("Bearer {SHARED}")), "{request}");
    assert!(request.starts_with("POST /draw?key=canary-of-the%2Fadmins&q=1 "), "{request}");
    assert!(request.ends_with(r#"{"a":"$SHARED"}"#), "{request}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_neither_overrides_what_carries_the_secret_nor_leads_elsewhere() {
    let (mut client, provider) = furnished().await;
    let evil = Recorder::start().await;
    as_user(&mut client, "eve").await;
    let poll = |url: &str| json!({"operation": {"preset": "replicate", "poll": {"url": url}}});
    for (data, pointer) in [
        (json!({"header": {"AUTHORIZATION": "Bearer mine-all-mine"}}), "/data/header/AUTHORIZATION"),
        (json!({"header": {"authorization": null}}), "/data/header/authorization"),
        (json!({"idempotency_header": "Authorization"}), "/data/idempotency_header"),
        (json!({"query": {"key": "mine"}}), "/data/query/key"),
        (json!({"query": null}), "/data/query"),
        (
            json!({"operation": {"preset": "replicate", "hold": {"header": {"authorization": null}}}}),
            "/data/operation/hold/header/authorization",
        ),
        (poll(&format!("{}/steal", evil.url())), "/data/operation/poll/url"),
        (poll("http{{ reply.rest }}"), "/data/operation/poll/url"),
        (poll("https://evil.example/{{ reply.id }}"), "/data/operation/poll/url"),
    ] {
        let reply = refused(&client, "PUT", "/nodes/n", Some(node(data)), "shared_secret").await;
        assert_eq!(reply.string("/errors/0/pointer"), pointer);
    }
    for (data, pointer) in [
        (json!({"hosts": [{"host": "evil.example", "credentials": true}]}), "/data/hosts"),
        (json!({"base_url": evil.url()}), "/data/base_url"),
        (json!({"media_hosts": ["evil.example"]}), "/data/media_hosts"),
    ] {
        let reply = client.raw("PUT", "/nodes/n", &[], Some(node(data))).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", reply.text);
        assert_eq!(reply.string("/errors/0/pointer"), pointer);
    }
    // A link to elsewhere that only the reply tells is not followed with credentials.
    let data = json!({"path": "/start", "operation": {"preset": "replicate", "poll": {"url": "urls.get"}}});
    put(&client, "/nodes/n", node(data)).await;
    // The path stays below the connector's base.
    for path in ["//127.0.0.1:1/x", "@127.0.0.1:1/x", "https://evil.example/x", "\\\\evil.example/x"] {
        put(&client, "/nodes/p", node(json!({"path": path}))).await;
        run(&client, "p").await;
    }
    assert_eq!(provider.requests().len(), 4);
    assert!(evil.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_does_not_carry_a_secret_away() {
    let (mut client, provider) = furnished().await;
    let evil = Recorder::start().await;
    as_user(&mut client, "eve").await;
    let data = json!({"method": "GET", "path": "/leave", "query": {"to": evil.port.to_string()}});
    put(&client, "/nodes/n", node(data)).await;
    let job = run(&client, "n").await;
    assert_eq!(job.string("/status"), "failed", "{}", job.text);
    let message = job.string("/error/message");
    assert!(message.contains("its URL contains the value of the secret `SHARED`"), "{message}");
    assert_eq!((provider.requests().len(), evil.requests().len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_is_masked_however_it_is_written() {
    let (mut client, _provider) = furnished().await;
    as_user(&mut client, "eve").await;
    put(&client, "/nodes/n", node(json!({"path": "/echo"}))).await;
    let job = run(&client, "n").await;
    assert_eq!(job.json()["output"], json!({"said": "Bearer $SHARED"}), "{}", job.text);
    let id = job.string("/id");
    for path in [format!("/jobs/{id}/steps/2/calls"), format!("/jobs/{id}/steps"), format!("/jobs/{id}/events")] {
        let reply = client.raw("GET", &path, &[], None).await;
        assert!(!reply.text.contains("canary") && !reply.text.contains("admins"), "{path}: {}", reply.text);
    }
    assert!(!client.is_on_disk("canary-of-the"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_call_left_at_a_provider_is_not_fetched_from_there() {
    let (mut client, provider) = furnished().await;
    put(&client, "/secrets/HOOK", json!({"value": "canary-hook", "origins": [provider.url()]})).await;
    put(&client, "/nodes/submits", node(json!({"path": "/submit", "body": {"webhook_secret": "$HOOK"}}))).await;
    run(&client, "submits").await;
    as_user(&mut client, "eve").await;
    // The provider lists what it was given; here the node says itself what the list holds.
    put(&client, "/nodes/lists", node(json!({"method": "GET", "path": "/said", "query": {"said": "canary-%68ook"}})))
        .await;
    let job = run(&client, "lists").await;
    assert_eq!(job.json()["output"], json!({"said": "key=$SHARED&said=$HOOK"}), "{}", job.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_saved_before_a_secret_was_shared_waits_for_an_admin() {
    let (mut client, provider) = furnished().await;
    let evil = Recorder::start().await;
    as_user(&mut client, "eve").await;
    put(&client, "/connectors/evil", json!({"name": "E", "base_url": evil.url(), "header": {"X": "$FUTURE"}})).await;
    put(&client, "/nodes/evil", json!({"name": "E", "connector_id": "evil"})).await;
    put(&client, "/nodes/n", node(json!({"body": {"webhook": "https://evil.example/$FUTURE"}}))).await;
    let workflow = json!({"name": "W", "nodes": {"value": {"modules": [
        {"id": "a", "value": {"type": "identity"}}, {"id": "b", "value": {"type": "script", "path": "node/n"}}]}}});
    put(&client, "/workflows/w", workflow.clone()).await;

    as_user(&mut client, "admin").await;
    let early = client.raw("PATCH", "/nodes/n", &[], Some(json!({"name": "Renamed before"}))).await;
    assert_eq!(early.status, StatusCode::OK, "{}", early.text);
    put(&client, "/secrets/FUTURE", json!({"value": "canary-of-the-future", "origins": [provider.url()]})).await;
    // Renaming it vouches for nothing, before and after.
    for path in ["/connectors/evil", "/nodes/n"] {
        let renamed = client.raw("PATCH", path, &[], Some(json!({"name": "Renamed"}))).await;
        assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.text);
        assert!(renamed.text.contains("only declarations that an admin saved may refer to it"), "{}", renamed.text);
    }
    for user in ["admin", "eve"] {
        as_user(&mut client, user).await;
        not_run(&client, "/node/evil/run").await;
        let direct = not_run(&client, "/node/n/run").await;
        assert_eq!(direct.string("/diagnostics/0/pointer"), "/data/body/webhook");
        let found = not_run(&client, "/workflow/w/run").await;
        assert_eq!(found.string("/diagnostics/0/pointer"), "/data/body/webhook");
        let document = json!({"document": workflow["nodes"]});
        for path in ["/workflows/run", "/workflows/dry_run"] {
            let reply = client.raw("POST", path, &[], Some(document.clone())).await;
            assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {}", reply.text);
        }
        let checked = client.raw("POST", "/workflows/validate", &[], Some(document)).await;
        assert_eq!(checked.string("/diagnostics/0/pointer"), "/value/modules/1", "{}", checked.text);
    }
    refused(&client, "PATCH", "/nodes/n", Some(json!({"name": "Mine"})), "shared_secret").await;
    // An admin who saves the whole of it vouches for it.
    as_user(&mut client, "admin").await;
    let read = client.raw("GET", "/nodes/n", &[], None).await.json();
    put(&client, "/nodes/n", read).await;
    assert_eq!(run(&client, "n").await.string("/status"), "completed");
    assert!(provider.requests()[0].contains("https://evil.example/canary-of-the-future"));
    assert!(evil.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn own_secrets_are_used_in_their_owners_declarations_alone() {
    let (mut client, provider) = furnished().await;
    as_user(&mut client, "eve").await;
    put(&client, "/user/secrets/MINE", json!({"value": EVES})).await;
    assert!(!client.is_on_disk(EVES));
    let own = json!({"id": "eves", "name": "E", "base_url": provider.url(), "header": {"X-Key": "$MINE"}});
    put(&client, "/connectors/eves", own.clone()).await;
    let of_eve = json!({"name": "E", "connector_id": "eves", "data": {"path": "/eves"}});
    put(&client, "/nodes/eves", of_eve.clone()).await;
    let listed = client.raw("GET", "/secrets", &[], None).await;
    assert!(
        listed.text.contains(&format!("\"name\":\"MINE\",\"origins\":[\"{}\"]", provider.url())),
        "{}",
        listed.text
    );

    // Bob has a secret of that name too, and neither sees, moves nor redirects Eve's.
    as_user(&mut client, "bob").await;
    assert!(!client.raw("GET", "/secrets", &[], None).await.text.contains("MINE"));
    for body in [json!({"base_url": "https://evil.example"}), json!({"name": "Bob's"}), json!({"body": {"w": "$MINE"}})]
    {
        refused(&client, "PATCH", "/connectors/eves", Some(body), "secret_of_another").await;
    }
    refused(&client, "PUT", "/connectors/eves", Some(own.clone()), "secret_of_another").await;
    refused(&client, "DELETE", "/connectors/eves", None, "secret_of_another").await;
    let reply = refused(&client, "PUT", "/nodes/bobs", Some(of_eve), "shared_secret").await;
    assert_eq!(reply.string("/errors/0/pointer"), "/connector_id");
    put(&client, "/user/secrets/MINE", json!({"value": BOBS})).await;
    // Whoever runs what Eve declared runs it with Eve's secret.
    assert_eq!(run(&client, "eves").await.string("/status"), "completed");
    let request = provider.requests().pop().expect("it was sent");
    assert!(request.contains(EVES) && !request.contains(BOBS), "{request}");
    // In what Bob declares the name means Bob's, which goes where Bob saved it.
    let of_bob = json!({"name": "B", "connector_id": "c", "data": {"path": "/bobs", "body": {"k": "$MINE"}}});
    put(&client, "/nodes/bobs", of_bob.clone()).await;
    assert_eq!(run(&client, "bobs").await.string("/status"), "completed");
    let request = provider.requests().pop().expect("it was sent");
    assert!(request.contains(BOBS) && !request.contains(EVES), "{request}");
    // But not through a connector that another user could change under it.
    as_user(&mut client, "eve").await;
    put(&client, "/connectors/trap", json!({"name": "T", "base_url": provider.url()})).await;
    as_user(&mut client, "bob").await;
    let mut through_trap = of_bob;
    through_trap["connector_id"] = json!("trap");
    let reply = refused(&client, "PUT", "/nodes/trapped", Some(through_trap), "shared_secret").await;
    assert_eq!(reply.string("/errors/0/pointer"), "/connector_id");

    // An admin sees all, and may change it; it stays Eve's.
    as_user(&mut client, "admin").await;
    assert_eq!(client.raw("GET", "/secrets", &[], None).await.text.matches("\"name\":\"MINE\"").count(), 2);
    let renamed = client.raw("PATCH", "/connectors/eves", &[], Some(json!({"name": "Renamed"}))).await;
    assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.text);
    assert_eq!(run(&client, "eves").await.string("/status"), "completed");
    assert!(provider.requests().pop().expect("it was sent").contains(EVES));
    as_user(&mut client, "eve").await;
    assert_eq!(client.raw("DELETE", "/user/secrets/MINE", &[], None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(client.raw("DELETE", "/user/secrets/MINE", &[], None).await.status, StatusCode::NOT_FOUND);
    not_run(&client, "/node/eves/run").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobodys_own_secret_takes_the_place_of_a_shared_one() {
    let (mut client, provider) = furnished().await;
    put(&client, "/nodes/n", node(json!({"path": "/n"}))).await;
    as_user(&mut client, "eve").await;
    let taken = client.raw("PUT", "/user/secrets/SHARED", &[], Some(json!({"value": EVES}))).await;
    assert_eq!((taken.status, taken.string("/code").as_str()), (StatusCode::CONFLICT, "exists"));
    let from_env = client.raw("PUT", "/user/secrets/ENV_KEY", &[], Some(json!({"value": EVES}))).await;
    assert_eq!(from_env.status, StatusCode::CONFLICT, "{}", from_env.text);
    // Hers were there first, then an admin shares one of that name.
    put(&client, "/user/secrets/LATER", json!({"value": EVES})).await;
    put(&client, "/nodes/eves", node(json!({"body": {"k": "$LATER"}}))).await;
    as_user(&mut client, "admin").await;
    put(&client, "/secrets/LATER", json!({"value": "canary-shared-later"})).await;
    put(&client, "/nodes/later", node(json!({"path": "/later", "header": {"X-Later": "$LATER"}}))).await;
    assert_eq!(run(&client, "later").await.string("/status"), "completed");
    assert!(provider.requests()[0].contains("canary-shared-later"));
    as_user(&mut client, "eve").await;
    not_run(&client, "/node/eves/run").await;
    // The shared one goes, and she makes one of that name: what the admin declared does not take hers.
    as_user(&mut client, "admin").await;
    assert_eq!(client.raw("DELETE", "/secrets/SHARED", &[], None).await.status, StatusCode::NO_CONTENT);
    as_user(&mut client, "eve").await;
    put(&client, "/user/secrets/SHARED", json!({"value": EVES, "origins": [provider.url()]})).await;
    for user in ["eve", "admin"] {
        as_user(&mut client, user).await;
        not_run(&client, "/node/n/run").await;
    }
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_was_taken_out_stays_in_its_place() {
    let (mut client, provider) = furnished().await;
    let evil = Recorder::start().await;
    let admins = json!({"id": "lit", "name": "L", "base_url": provider.url(), "header": {"Authorization": "Bearer canary-literal-1"}});
    let made = put(&client, "/connectors/lit", admins).await;
    let reference = made.string("/header/Authorization").trim_start_matches("Bearer ").to_owned();

    as_user(&mut client, "eve").await;
    let of_lit = |data: Value| json!({"name": "N", "connector_id": "lit", "data": data});
    for data in [
        json!({"body": {"webhook": format!("https://evil.example/{reference}")}}),
        json!({"query": {"x": reference}}),
        json!({"header": {"X-Copy": reference}}),
        json!({"header": {"Authorization": format!("Bearer {reference}")}}),
    ] {
        refused(&client, "PUT", "/nodes/n", Some(of_lit(data)), "shared_secret").await;
    }
    let elsewhere = json!({"name": "E", "base_url": evil.url(), "header": {"Authorization": reference}});
    refused(&client, "PUT", "/connectors/e", Some(elsewhere), "shared_secret").await;
    refused(&client, "PATCH", "/connectors/lit", Some(json!({"base_url": evil.url()})), "secret_of_another").await;
    refused(&client, "DELETE", "/connectors/lit", None, "secret_of_another").await;
    put(&client, "/nodes/n", of_lit(json!({"path": "/plain"}))).await;
    assert_eq!(run(&client, "n").await.string("/status"), "completed");

    // Her own she may not move to another place either, and it does not follow to another origin.
    let own = json!({"name": "O", "base_url": provider.url(), "header": {"X-Api-Key": "canary-literal-2"}});
    let made = put(&client, "/connectors/own", own).await;
    let reference = made.string("/header/X-Api-Key");
    let moved = json!({"header": {"X-Api-Key": reference, "X-Copy": reference}});
    refused(&client, "PATCH", "/connectors/own", Some(moved), "shared_secret").await;
    put(&client, "/nodes/own", json!({"name": "O", "connector_id": "own"})).await;
    assert_eq!(run(&client, "own").await.string("/status"), "completed");
    let kept = client.raw("PATCH", "/connectors/own", &[], Some(json!({"base_url": evil.url()}))).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.text);
    let job = run(&client, "own").await;
    assert!(job.string("/error/message").contains("may not be sent to"), "{}", job.text);
    assert_eq!((provider.requests().len(), evil.requests().len()), (2, 0));
    // Whoever has the id again does not have the credential.
    for path in ["/nodes/own", "/connectors/own"] {
        assert_eq!(client.raw("DELETE", path, &[], None).await.status, StatusCode::NO_CONTENT);
    }
    let name = reference.trim_start_matches('$');
    assert!(client.secrets.get(name).await.expect("it can be read").is_none());
    as_user(&mut client, "bob").await;
    let again = json!({"name": "O", "base_url": provider.url(), "header": {"X-Api-Key": reference}});
    put(&client, "/connectors/own", again).await;
    put(&client, "/nodes/own", json!({"name": "O", "connector_id": "own"})).await;
    not_run(&client, "/node/own/run").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_has_no_references() {
    let (mut client, _provider) = furnished().await;
    as_user(&mut client, "eve").await;
    let document = json!({"value": {"modules": [{"id": "a", "value": {"type": "identity",
        "input_transforms": {"k": {"type": "static", "value": "$SHARED"}}}}]}});
    let body = json!({"document": document, "input": {"k": "$SHARED"}});
    let job = client.raw("POST", "/workflows/run", &[("prefer", "wait=30")], Some(body)).await;
    assert_eq!(job.string("/status"), "completed", "{}", job.text);
    assert!(!job.text.contains("canary"), "{}", job.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_covers_the_hosts_that_an_admin_lists_for_credentials_and_ends_with_them() {
    let client = RecordingClient::admin().await;
    put(&client, "/secrets/KEY", json!({"value": SHARED})).await;
    let save = async |hosts: Value| {
        let connector = json!({"id": "c", "name": "C", "base_url": "https://api.a.example/v1",
            "header": {"x-key": "$KEY"}, "data": {"hosts": hosts}});
        put(&client, "/connectors/c", connector).await;
        let secrets = client.raw("GET", "/secrets", &[], None).await.json();
        let own = secrets["items"].as_array().expect("a list").iter().find(|secret| secret["name"] == "KEY").cloned();
        own.expect("the secret is listed")["origins"].clone()
    };
    let listed = json!(["cdn.a.example", {"host": "eu.a.example", "credentials": true},
        {"host": "*.b.example", "credentials": true}]);
    assert_eq!(save(listed).await, json!(["https://api.a.example", "https://eu.a.example"]));
    assert_eq!(save(json!(["eu.a.example"])).await, json!(["https://api.a.example"]), "only for links now");
    // A credential that is written into the connector goes to the same origins.
    let literal = json!({"id": "d", "name": "D", "base_url": "https://api.a.example/v1",
        "header": {"x-key": "literal-canary-1"}, "data": {"hosts": [{"host": "eu.a.example", "credentials": true}]}});
    put(&client, "/connectors/d", literal).await;
    let secrets = client.raw("GET", "/secrets", &[], None).await.json();
    let is_of_connector =
        |secret: &&Value| secret["name"].as_str().is_some_and(|name| name.starts_with("CONNECTOR_D_"));
    let generated = secrets["items"].as_array().expect("a list").iter().find(is_of_connector).cloned();
    let origins = generated.expect("the credential was moved")["origins"].clone();
    assert_eq!(origins, json!(["https://api.a.example", "https://eu.a.example"]));
}
