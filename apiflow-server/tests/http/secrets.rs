//! Provider keys: who sets them, where they may go, and that they never come back.

use std::sync::Arc;

use apiflow_core::ports::{Clock, Secrets as _};
use apiflow_core::runtime::clock::SystemClock;
use apiflow_core::runtime::secrets::EnvSecrets;
use apiflow_server::secrets::{Sealer, SecretBook};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::{RecordingClient, settle};

fn connector(id: &str, host: &str, authorization: &str) -> Value {
    json!({"id": id, "name": id, "base_url": format!("https://{host}/v1"), "header": {"Authorization": authorization}})
}

/// Where a secret may go; nothing where it may go nowhere.
async fn origins(client: &RecordingClient, name: &str) -> Vec<String> {
    let secret = client.secrets.get(name).await.expect("it can be read").expect("it is there");
    secret.origins.expect("there is a list").iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn admins_set_secrets_and_everybody_sees_their_names() {
    let mut client = RecordingClient::admin().await;
    client.put("/secrets/MY_KEY", json!({"value": "canary-1", "origins": ["API.example.com", "localhost:8188"]})).await;
    client.put("/secrets/1BAD", json!({"value": "x"})).await;
    client.put("/secrets/SHORT", json!({"value": "short_1"})).await;
    client
        .put("/secrets/ODD", json!({"value": "long enough", "origins": ["https://a.example/v1", "a.example", "*"]}))
        .await;
    client.put("/secrets/ODD", json!({"value": "long enough", "host": "a.example"})).await;
    client.delete("/secrets/ENV_KEY").await;
    client.delete("/secrets/NOBODY").await;
    client.as_new_user("ann").await;
    client.get("/secrets").await;
    client.put("/secrets/MY_KEY", json!({"value": "mine"})).await;
    client.delete("/secrets/MY_KEY").await;
    client.log_in("admin", "admin").await;
    client.delete("/secrets/MY_KEY").await;
    settle!(client);
    assert!(!client.transcript().replace("{\"value\":\"canary-1\"", "").contains("canary-1"));
}

#[tokio::test]
async fn an_admins_connector_says_where_a_secret_may_go() {
    let mut client = RecordingClient::admin().await;
    client.raw("PUT", "/secrets/MY_KEY", &[], Some(json!({"value": "canary-1"}))).await;
    assert_eq!(origins(&client, "MY_KEY").await, [""; 0]);

    client.as_new_user("eve").await;
    client.raw("POST", "/connectors", &[], Some(connector("evil", "evil.example", "Bearer $MY_KEY"))).await;
    client.raw("PATCH", "/connectors/evil", &[], Some(json!({"name": "Evil"}))).await;
    assert_eq!(origins(&client, "MY_KEY").await, [""; 0], "a plain user's connector says nothing");

    client.log_in("admin", "admin").await;
    client.raw("POST", "/connectors", &[], Some(connector("good", "good.example", "Bearer $MY_KEY"))).await;
    client.raw("PATCH", "/connectors/evil", &[], Some(json!({"name": "Renamed"}))).await;
    assert_eq!(origins(&client, "MY_KEY").await, ["https://good.example"]);

    client.log_in("eve", "correct horse").await;
    client.raw("PATCH", "/connectors/good", &[], Some(json!({"base_url": "https://evil.example"}))).await;
    assert_eq!(origins(&client, "MY_KEY").await, ["https://good.example"]);
    client.get("/secrets").await;

    client.log_in("admin", "admin").await;
    let moved = client.raw("GET", "/connectors/good", &[], None).await.json();
    client.raw("PUT", "/connectors/good", &[], Some(moved)).await;
    let expected = ["https://good.example"];
    assert_eq!(origins(&client, "MY_KEY").await, expected, "saving what another changed is no word on it");
    client.raw("PUT", "/secrets/MY_KEY", &[], Some(json!({"value": "canary-1", "origins": ["only.example"]}))).await;
    assert_eq!(origins(&client, "MY_KEY").await, ["https://only.example"]);
    settle!(client);
}

#[tokio::test]
async fn origins_go_with_the_connector_that_gave_them() {
    let client = RecordingClient::admin().await;
    let key = |host: &str| connector("c", host, "Bearer $MY_KEY");
    let given = |hosts: &[&str]| hosts.iter().map(|host| format!("https://{host}")).collect::<Vec<_>>();
    client.raw("PUT", "/secrets/MY_KEY", &[], Some(json!({"value": "canary-1"}))).await;
    client.raw("PUT", "/connectors/c", &[], Some(key("c.example"))).await;
    client.raw("PUT", "/connectors/d", &[], Some(connector("d", "d.example", "$MY_KEY"))).await;
    assert_eq!(origins(&client, "MY_KEY").await, given(&["c.example", "d.example"]));
    client.raw("PUT", "/connectors/c", &[], Some(key("moved.example"))).await;
    assert_eq!(origins(&client, "MY_KEY").await, given(&["d.example", "moved.example"]));
    client.raw("PATCH", "/connectors/c", &[], Some(json!({"name": "C"}))).await;
    assert_eq!(origins(&client, "MY_KEY").await, given(&["d.example", "moved.example"]));
    client.raw("PATCH", "/connectors/c", &[], Some(json!({"header": {}}))).await;
    assert_eq!(origins(&client, "MY_KEY").await, given(&["d.example"]));
    let gone = client.raw("DELETE", "/connectors/d", &[], None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(origins(&client, "MY_KEY").await, [""; 0]);
}

#[tokio::test]
async fn generated_secrets_go_with_what_they_were_taken_from() {
    let client = RecordingClient::admin().await;
    let literal = connector("c", "c.example", "Bearer canary-literal-1234");
    client.raw("PUT", "/connectors/c", &[], Some(literal.clone())).await;
    let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": {"query": {"api_key": "canary-of-a-node"}}});
    client.raw("PUT", "/nodes/n", &[], Some(node)).await;
    let names = async || {
        let list = client.raw("GET", "/secrets", &[], None).await.json();
        let items = list["items"].as_array().expect("a list").iter();
        let names = items.filter_map(|item| item["name"].as_str()).filter(|name| !name.ends_with("_KEY"));
        names.map(|name| name.split('_').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["CONNECTOR", "NODE"]);
    // Naming the generated secret keeps it.
    let read = client.raw("GET", "/nodes/n", &[], None).await.json();
    client.raw("PUT", "/nodes/n", &[], Some(read)).await;
    assert_eq!(names().await, ["CONNECTOR", "NODE"]);
    client.raw("PATCH", "/connectors/c", &[], Some(json!({"header": {"Authorization": "Bearer $MY_KEY"}}))).await;
    assert_eq!(names().await, ["NODE"]);
    assert_eq!(client.raw("DELETE", "/nodes/n", &[], None).await.status, StatusCode::NO_CONTENT);
    assert!(names().await.is_empty());
    client.raw("PUT", "/connectors/c", &[], Some(literal)).await;
    assert_eq!(names().await, ["CONNECTOR"]);
    assert_eq!(client.raw("DELETE", "/connectors/c", &[], None).await.status, StatusCode::NO_CONTENT);
    assert!(names().await.is_empty());
}

#[tokio::test]
async fn literals_of_nodes_and_queries_become_secrets_too() {
    let mut client = RecordingClient::admin().await;
    let plain = json!({"id": "c", "name": "C", "base_url": "https://c.example/v1",
        "data": {"query": {"key": "canary-of-a-query", "q": "canary"}}});
    let made = client.raw("POST", "/connectors", &[], Some(plain)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    client.as_new_user("ann").await;
    let node = |key: &str| {
        json!({"id": "n", "name": "N", "connector_id": "c", "data": {"header": {"Authorization": key},
            "query": {"api_key": "canary-of-a-node-2"}}})
    };
    let made = client.raw("PUT", "/nodes/n", &[], Some(node("Bearer canary-of-a-node-1"))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    client.get("/connectors/c").await;
    client.get("/nodes/n").await;
    client.get("/secrets").await;
    client.put("/nodes/n", node("Bearer tiny")).await;
    settle!(client);
    assert!(!client.is_on_disk("canary-of"));
    let name = made.string("/data/header/Authorization").trim_start_matches("Bearer $").to_owned();
    let secret = client.secrets.get(&name).await.expect("it can be read").expect("it is there");
    assert_eq!(secret.value, "canary-of-a-node-1");
    assert_eq!(origins(&client, &name).await, ["https://c.example"]);
}

#[tokio::test]
async fn credentials_in_clear_become_secrets_wherever_they_stand() {
    let client = RecordingClient::admin().await;
    let plain = json!({"id": "c", "name": "C", "base_url": "https://c.example/v1?key=canary%2Fof-a-base-url&version=2",
        "header": {"X-Functions-Key": "canary-of-functions", "Ocp-Apim-Subscription-Key": "canary-of-azure",
            "X-Custom": "sk-canary-1234567890", "Idempotency-Key": "a-key-of-data"},
        "body": {"settings": {"api_key": "canary-of-a-body"}, "key": "C sharp minor"}});
    let made = client.raw("POST", "/connectors", &[], Some(plain)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let node = json!({"id": "n", "name": "N", "connector_id": "c", "data": {"method": "GET", "path": null,
        "header": {"Key": "canary-of-a-node"}, "body": {"client_secret": "canary-of-its-body"}}});
    let made_node = client.raw("POST", "/nodes", &[], Some(node)).await;
    assert_eq!(made_node.status, StatusCode::CREATED, "{}", made_node.text);
    let path = json!({"id": "p", "name": "P", "connector_id": "c", "data": {"path": "v1?key=canary-of-a-path&x=1"}});
    let made_path = client.raw("POST", "/nodes", &[], Some(path)).await;
    assert_eq!(made_path.status, StatusCode::CREATED, "{}", made_path.text);
    for reply in [&made, &made_node, &made_path] {
        assert!(!reply.text.contains("canary"), "{}", reply.text);
        assert!(
            reply.text.contains(r#"{"code":"credential-in-clear","severity":"hint","pointer":"/"#),
            "{}",
            reply.text
        );
    }
    assert!(!client.is_on_disk("canary"));
    let read = client.raw("GET", "/connectors/c", &[], None).await;
    assert!(!read.text.contains("credential-in-clear"), "{}", read.text);
    assert_eq!(made.string("/base_url"), "https://c.example/v1?version=2");
    assert_eq!(made.string("/header/Idempotency-Key"), "a-key-of-data");
    assert_eq!(made.string("/body/key"), "C sharp minor");
    let path = made_path.string("/data/path");
    assert!(path.starts_with("v1?key=$NODE_P_PATH_") && path.ends_with("&x=1"), "{path}");
    for (reply, pointer, value) in [
        (&made, "/data/query/key", "canary/of-a-base-url"),
        (&made, "/header/X-Functions-Key", "canary-of-functions"),
        (&made, "/header/Ocp-Apim-Subscription-Key", "canary-of-azure"),
        (&made, "/header/X-Custom", "sk-canary-1234567890"),
        (&made, "/body/settings/api_key", "canary-of-a-body"),
        (&made_node, "/data/header/Key", "canary-of-a-node"),
        (&made_node, "/data/body/client_secret", "canary-of-its-body"),
    ] {
        let name = reply.string(pointer).trim_start_matches('$').to_owned();
        let secret = client.secrets.get(&name).await.expect("it can be read").expect("it is there");
        assert_eq!(secret.value, value, "{pointer}");
        assert_eq!(origins(&client, &name).await, ["https://c.example"], "{pointer}");
    }
    let twice = json!({"id": "d", "name": "D", "base_url": "https://d.example?key=canary-one",
        "data": {"query": {"key": "canary-two"}}});
    let refused = client.raw("POST", "/connectors", &[], Some(twice)).await;
    assert_eq!(
        (refused.status, refused.string("/errors/0/pointer").as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "/base_url")
    );
}

#[tokio::test]
async fn another_key_is_told_before_anything_fails() {
    let client = RecordingClient::admin().await;
    client.raw("PUT", "/secrets/MY_KEY", &[], Some(json!({"value": "canary-1"}))).await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let book = |key: u8| {
        let none = EnvSecrets::from_list("", |_| None).expect("an empty list");
        SecretBook::new(client.stores.secrets.clone(), none, Sealer::new(&[key; 32]), clock.clone())
    };
    let says = async |key: u8| book(key).check_key().await.map_err(|error| error.to_string());
    assert!(says(2).await.is_err_and(|error| error.contains("sealed with another key")), "a secret tells it");
    assert_eq!(says(1).await, Ok(()));
    client.raw("DELETE", "/secrets/MY_KEY", &[], None).await;
    assert!(says(2).await.is_err_and(|error| error.contains("--forget-secrets")), "the sample tells it");
    book(2).forget_sealed().await.expect("all can be removed");
    assert_eq!((says(2).await, says(1).await.is_err()), (Ok(()), true));
}

#[tokio::test]
async fn listed_variables_are_secrets_bound_in_the_same_way() {
    let client = RecordingClient::admin().await;
    assert_eq!(origins(&client, "BOUND_KEY").await, ["https://bound.example"]);
    assert_eq!(origins(&client, "ENV_KEY").await, [""; 0]);
    assert_eq!(client.secrets.get("PATH").await.map(|secret| secret.is_none()), Ok(true));
    client.raw("POST", "/connectors", &[], Some(connector("c", "c.example", "Key $ENV_KEY"))).await;
    assert_eq!(origins(&client, "ENV_KEY").await, ["https://c.example"]);
}

#[tokio::test]
async fn a_literal_credential_becomes_a_secret_of_its_host() {
    let mut client = RecordingClient::admin().await;
    client.as_new_user("ann").await;
    let made =
        client.raw("POST", "/connectors", &[], Some(connector("c", "c.example", "Bearer canary-literal-1234"))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    client.get("/connectors/c").await;
    client.get("/secrets").await;
    let read = client.raw("GET", "/connectors/c", &[], None).await;
    let name = read.string("/header/Authorization").trim_start_matches("Bearer $").to_owned();
    let secret = client.secrets.get(&name).await.expect("it can be read").expect("it is there");
    assert_eq!(secret.value, "canary-literal-1234");
    assert_eq!(origins(&client, &name).await, ["https://c.example"]);

    let again = client.raw("PUT", "/connectors/c", &[], Some(read.json())).await;
    assert_eq!(again.string("/header/Authorization"), read.string("/header/Authorization"));
    assert!(!client.transcript().contains("canary"));
    settle!(client);
}

#[tokio::test]
async fn a_refused_connector_leaves_no_secret_behind() {
    let client = RecordingClient::admin().await;
    let body = connector("c", "c.example", "Bearer canary-literal-1234");
    assert_eq!(client.raw("POST", "/connectors", &[], Some(body.clone())).await.status, StatusCode::CREATED);
    let before = client.raw("GET", "/secrets", &[], None).await.json();
    let mut other = body.clone();
    other["header"]["Authorization"] = Value::from("Bearer canary-literal-5678");
    assert_eq!(client.raw("POST", "/connectors", &[], Some(other.clone())).await.status, StatusCode::CONFLICT);
    let stale = [("if-match", "\"99\"")];
    assert_eq!(client.raw("PUT", "/connectors/c", &stale, Some(other)).await.status, StatusCode::PRECONDITION_FAILED);
    let mut wrong = body;
    wrong["id"] = Value::from("d");
    wrong["surplus"] = Value::from(1);
    assert_eq!(client.raw("POST", "/connectors", &[], Some(wrong)).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(client.raw("GET", "/secrets", &[], None).await.json(), before);
}

#[tokio::test]
async fn credentials_of_auth_may_go_to_the_token_endpoint_alone() {
    let mut client = RecordingClient::admin().await;
    client.raw("PUT", "/secrets/CLIENT_SECRET", &[], Some(json!({"value": "canary-1"}))).await;
    let with_auth = |id: &str, token_url: &str, secret: &str| {
        let auth = json!({
            "kind": "oauth2_client_credentials", "token_url": token_url, "client_id": "id", "client_secret": secret,
        });
        json!({"id": id, "name": id, "base_url": "https://api.example/v1", "data": {"auth": auth}})
    };
    let shared = with_auth("shared", "https://auth.example/t", "$CLIENT_SECRET");
    client.raw("POST", "/connectors", &[], Some(shared)).await;
    assert_eq!(origins(&client, "CLIENT_SECRET").await, ["https://auth.example"]);

    let literal = with_auth("literal", "https://auth.example/t", "canary-literal");
    let saved = client.raw("POST", "/connectors", &[], Some(literal)).await.json();
    let reference = saved["data"]["auth"]["client_secret"].as_str().expect("it is a text").to_owned();
    let name = reference.strip_prefix('$').expect("the credential was moved into a secret");
    assert_eq!(origins(&client, name).await, ["https://auth.example"]);

    client.as_new_user("eve").await;
    let stolen = with_auth("stolen", "https://evil.example/t", "$CLIENT_SECRET");
    client.raw("POST", "/connectors", &[], Some(stolen)).await;
    let mut moved = client.raw("GET", "/connectors/shared", &[], None).await.json();
    moved["data"]["auth"]["token_url"] = json!("https://evil.example/t");
    client.raw("PUT", "/connectors/shared", &[], Some(moved)).await;
    assert_eq!(origins(&client, "CLIENT_SECRET").await, ["https://auth.example"], "only an admin says where it may go");
}
