//! Users, roles, sessions and tokens.

use axum::http::StatusCode;
use serde_json::json;

use crate::talk::{Talk, settle};

#[tokio::test]
async fn a_login_gives_a_token_and_a_cookie() {
    let mut talk = Talk::new().await;
    talk.get("/user").await;
    talk.post("/login", json!({"username": "admin", "password": "wrong"})).await;
    talk.post("/login", json!({"username": "nobody", "password": "admin"})).await;
    talk.post("/login", json!({"username": "admin"})).await;
    let token = talk.post("/login", json!({"username": "Admin", "password": "admin"})).await.string("/token");
    talk.token(Some(&token));
    talk.get("/user").await;
    talk.post("/logout", json!({})).await;
    talk.get("/user").await;
    talk.token(Some("af_made_up"));
    talk.get("/user").await;
    talk.token(None);
    talk.say("GET", "/user", &[("authorization", "Basic YWRtaW46YWRtaW4=")], None).await;
    settle!(talk);
}

#[tokio::test]
async fn admins_manage_users() {
    let mut talk = Talk::admin().await;
    let ann = json!({"username": "ann", "password": "correct horse", "email": "ann@example.com"});
    let id = talk.post("/users", ann.clone()).await.string("/id");
    talk.know(&id, "<id of ann>");
    talk.post("/users", json!({"username": "ANN", "password": "correct horse"})).await;
    talk.post("/users", json!({"username": "bob", "password": "short"})).await;
    talk.post("/users", json!({"username": " bob", "password": "correct horse"})).await;
    talk.post("/users", json!({"username": "bob", "password": "correct horse", "admin": true})).await;
    talk.get("/users").await;
    talk.get(&format!("/user/{id}")).await;
    talk.patch(&format!("/user/{id}"), json!({"role": "admin", "email": null})).await;
    talk.patch(&format!("/user/{id}"), json!({"password": "battery staple"})).await;
    talk.delete(&format!("/user/{id}")).await;
    talk.get(&format!("/user/{id}")).await;
    settle!(talk);
}

#[tokio::test]
async fn others_are_for_admins() {
    let mut talk = Talk::admin().await;
    let admin = talk.raw("GET", "/user", &[], None).await.string("/id");
    talk.know(&admin, "<id of admin>");
    let ann = talk.as_new_user("ann").await;
    talk.get("/users").await;
    talk.post("/users", json!({"username": "eve", "password": "correct horse"})).await;
    talk.get(&format!("/user/{admin}")).await;
    talk.patch(&format!("/user/{admin}"), json!({"username": "eve"})).await;
    talk.delete(&format!("/user/{admin}")).await;
    talk.post(&format!("/user/{admin}/reset_token"), json!({})).await;
    talk.patch("/user", json!({"role": "admin"})).await;
    talk.note("but everybody sees and changes the own account");
    talk.get(&format!("/user/{ann}")).await;
    talk.patch("/user", json!({"username": "anna", "id": "ignored"})).await;
    talk.patch("/user", json!({"username": "admin"})).await;
    talk.delete("/user").await;
    talk.get("/user").await;
    settle!(talk);
}

#[tokio::test]
async fn the_last_admin_stays() {
    let mut talk = Talk::admin().await;
    talk.delete("/user").await;
    talk.patch("/user", json!({"role": "user"})).await;
    settle!(talk);
}

#[tokio::test]
async fn a_new_password_needs_the_one_so_far_and_ends_sessions() {
    let mut talk = Talk::admin().await;
    talk.as_new_user("ann").await;
    talk.patch("/user", json!({"password": "battery staple"})).await;
    talk.patch("/user", json!({"password": "battery staple", "current_password": "wrong"})).await;
    talk.patch("/user", json!({"password": "battery staple", "current_password": "correct horse"})).await;
    talk.get("/user").await;
    talk.post("/login", json!({"username": "ann", "password": "correct horse"})).await;
    talk.log_in("ann", "battery staple").await;
    settle!(talk);
}

#[tokio::test]
async fn a_reset_ends_the_old_token_and_sessions_but_not_named_tokens() {
    let mut talk = Talk::admin().await;
    let ann = talk.as_new_user("ann").await;
    let session = talk.log_in("ann", "correct horse").await;
    let named = talk.post("/user/tokens", json!({"name": "ci"})).await.string("/token");
    let reset = talk.post(&format!("/user/{ann}/reset_token"), json!({})).await.string("/token");
    for (token, expected) in [(&session, StatusCode::UNAUTHORIZED), (&named, StatusCode::OK), (&reset, StatusCode::OK)]
    {
        talk.token(Some(token));
        assert_eq!(talk.raw("GET", "/user", &[], None).await.status, expected);
    }
    talk.log_in("admin", "admin").await;
    let again = talk.raw("POST", &format!("/user/{ann}/reset_token"), &[], None).await.string("/token");
    for (token, expected) in [(&reset, StatusCode::UNAUTHORIZED), (&again, StatusCode::OK)] {
        talk.token(Some(token));
        assert_eq!(talk.raw("GET", "/user", &[], None).await.status, expected);
    }
    settle!(talk);
}

#[tokio::test]
async fn named_tokens_are_listed_without_their_secret_and_ended() {
    let mut talk = Talk::admin().await;
    let made = talk.post("/user/tokens", json!({"name": "ci", "expires_at": "2999-01-31T12:00:00+01:00"})).await;
    talk.get("/user/tokens").await;
    talk.post("/user/tokens", json!({"name": ""})).await;
    talk.post("/user/tokens", json!({"name": "old", "expires_at": "2001-01-31T12:00:00Z"})).await;
    talk.post("/user/tokens", json!({"name": "odd", "expires_at": "tomorrow"})).await;
    let path = format!("/user/tokens/{}", made.string("/id"));
    talk.token(Some(&made.string("/token")));
    talk.post("/logout", json!({})).await;
    talk.get("/user").await;
    talk.delete(&path).await;
    talk.get("/user").await;
    talk.log_in("admin", "admin").await;
    talk.delete(&path).await;
    settle!(talk);
}

#[tokio::test]
async fn guessing_passwords_is_slowed() {
    let mut talk = Talk::new().await;
    let wrong = || json!({"username": "admin", "password": "wrong"});
    for _ in 0..6 {
        let reply = talk.raw("POST", "/login", &[], Some(wrong())).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    }
    talk.post("/login", wrong()).await;
    talk.post("/login", json!({"username": "admin", "password": "admin"})).await;
    settle!(talk);
}

#[tokio::test]
async fn nothing_but_login_and_health_is_open() {
    let talk = Talk::new().await;
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
            let reply = talk.raw(&method.to_uppercase(), &path, &[], body).await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{method} {path}: {}", reply.text);
            closed += 1;
        }
    }
    assert!(closed > 40, "{closed}");
}
