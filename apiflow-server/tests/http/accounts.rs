//! Users, roles, sessions and tokens.

use axum::http::StatusCode;
use serde_json::json;

use crate::recording_client::{RecordingClient, settle};

#[tokio::test]
async fn a_login_gives_a_token_and_a_cookie() {
    let mut client = RecordingClient::new().await;
    client.get("/user").await;
    client.post("/login", json!({"username": "admin", "password": "wrong"})).await;
    client.post("/login", json!({"username": "nobody", "password": "admin"})).await;
    client.post("/login", json!({"username": "admin"})).await;
    let token = client.post("/login", json!({"username": "Admin", "password": "admin"})).await.string("/token");
    client.token(Some(&token));
    client.get("/user").await;
    client.post("/logout", json!({})).await;
    client.get("/user").await;
    client.token(Some("af_made_up"));
    client.get("/user").await;
    client.token(None);
    client.say("GET", "/user", &[("authorization", "Basic YWRtaW46YWRtaW4=")], None).await;
    settle!(client);
}

#[tokio::test]
async fn admins_manage_users() {
    let mut client = RecordingClient::admin().await;
    let ann = json!({"username": "ann", "password": "correct horse", "email": "ann@example.com"});
    let id = client.post("/users", ann.clone()).await.string("/id");
    client.know(&id, "<id of ann>");
    client.post("/users", json!({"username": "ANN", "password": "correct horse"})).await;
    client.post("/users", json!({"username": "bob", "password": "short"})).await;
    client.post("/users", json!({"username": " bob", "password": "correct horse"})).await;
    client.post("/users", json!({"username": "bob", "password": "correct horse", "admin": true})).await;
    client.get("/users").await;
    client.get(&format!("/user/{id}")).await;
    client.patch(&format!("/user/{id}"), json!({"role": "admin", "email": null})).await;
    client.patch(&format!("/user/{id}"), json!({"password": "battery staple"})).await;
    client.delete(&format!("/user/{id}")).await;
    client.get(&format!("/user/{id}")).await;
    settle!(client);
}

#[tokio::test]
async fn others_are_for_admins() {
    let mut client = RecordingClient::admin().await;
    let admin = client.raw("GET", "/user", &[], None).await.string("/id");
    client.know(&admin, "<id of admin>");
    let ann = client.as_new_user("ann").await;
    client.get("/users").await;
    client.post("/users", json!({"username": "eve", "password": "correct horse"})).await;
    client.get(&format!("/user/{admin}")).await;
    client.patch(&format!("/user/{admin}"), json!({"username": "eve"})).await;
    client.delete(&format!("/user/{admin}")).await;
    client.post(&format!("/user/{admin}/reset_token"), json!({})).await;
    client.patch("/user", json!({"role": "admin"})).await;
    client.note("but everybody sees and changes the own account");
    client.get(&format!("/user/{ann}")).await;
    client.patch("/user", json!({"username": "anna", "id": "ignored"})).await;
    client.patch("/user", json!({"username": "admin"})).await;
    client.delete("/user").await;
    client.get("/user").await;
    settle!(client);
}

#[tokio::test]
async fn the_last_admin_stays() {
    let mut client = RecordingClient::admin().await;
    client.delete("/user").await;
    client.patch("/user", json!({"role": "user"})).await;
    settle!(client);
}

#[tokio::test]
async fn a_new_password_needs_the_one_so_far_and_ends_sessions() {
    let mut client = RecordingClient::admin().await;
    client.as_new_user("ann").await;
    client.patch("/user", json!({"password": "battery staple"})).await;
    client.patch("/user", json!({"password": "battery staple", "current_password": "wrong"})).await;
    client.patch("/user", json!({"password": "battery staple", "current_password": "correct horse"})).await;
    client.get("/user").await;
    client.post("/login", json!({"username": "ann", "password": "correct horse"})).await;
    client.log_in("ann", "battery staple").await;
    settle!(client);
}

#[tokio::test]
async fn a_reset_ends_the_old_token_and_sessions_but_not_named_tokens() {
    let mut client = RecordingClient::admin().await;
    let ann = client.as_new_user("ann").await;
    let session = client.log_in("ann", "correct horse").await;
    let named = client.post("/user/tokens", json!({"name": "ci"})).await.string("/token");
    let reset = client.post(&format!("/user/{ann}/reset_token"), json!({})).await.string("/token");
    for (token, expected) in [(&session, StatusCode::UNAUTHORIZED), (&named, StatusCode::OK), (&reset, StatusCode::OK)]
    {
        client.token(Some(token));
        assert_eq!(client.raw("GET", "/user", &[], None).await.status, expected);
    }
    client.log_in("admin", "admin").await;
    let again = client.raw("POST", &format!("/user/{ann}/reset_token"), &[], None).await.string("/token");
    for (token, expected) in [(&reset, StatusCode::UNAUTHORIZED), (&again, StatusCode::OK)] {
        client.token(Some(token));
        assert_eq!(client.raw("GET", "/user", &[], None).await.status, expected);
    }
    settle!(client);
}

#[tokio::test]
async fn named_tokens_are_listed_without_their_secret_and_ended() {
    let mut client = RecordingClient::admin().await;
    let made = client.post("/user/tokens", json!({"name": "ci", "expires_at": "2999-01-31T12:00:00+01:00"})).await;
    client.get("/user/tokens").await;
    client.post("/user/tokens", json!({"name": ""})).await;
    client.post("/user/tokens", json!({"name": "old", "expires_at": "2001-01-31T12:00:00Z"})).await;
    client.post("/user/tokens", json!({"name": "odd", "expires_at": "tomorrow"})).await;
    let path = format!("/user/tokens/{}", made.string("/id"));
    client.token(Some(&made.string("/token")));
    client.post("/logout", json!({})).await;
    client.get("/user").await;
    client.delete(&path).await;
    client.get("/user").await;
    client.log_in("admin", "admin").await;
    client.delete(&path).await;
    settle!(client);
}

#[tokio::test]
async fn guessing_passwords_is_slowed() {
    let mut client = RecordingClient::new().await;
    let wrong = || json!({"username": "admin", "password": "wrong"});
    for _ in 0..6 {
        let reply = client.raw("POST", "/login", &[], Some(wrong())).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    }
    client.post("/login", wrong()).await;
    client.post("/login", json!({"username": "admin", "password": "admin"})).await;
    settle!(client);
}

#[tokio::test]
async fn nothing_but_login_and_health_is_open() {
    let client = RecordingClient::new().await;
    let document = serde_json::to_value(apiflow_server::openapi_document()).expect("the document is JSON");
    let paths = document["paths"].as_object().expect("the document has paths");
    let mut closed = 0;
    for (path, item) in paths {
        for (method, operation) in item.as_object().into_iter().flatten() {
            // Where a token may be left out, others see to it who comes.
            if operation["security"].as_array().is_some_and(|ways| ways.contains(&json!({}))) {
                continue;
            }
            let path = format!("!{}", path.replace("{id}", "x").replace("{name}", "X").replace("{step}", "1"));
            let body = operation.get("requestBody").map(|_| json!({}));
            let reply = client.raw(&method.to_uppercase(), &path, &[], body).await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{method} {path}: {}", reply.text);
            closed += 1;
        }
    }
    assert!(closed > 40, "{closed}");
}
