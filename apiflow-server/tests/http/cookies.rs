//! The session cookie: for pages of this origin alone.

use apiflow_server::settings::WebSettings;
use axum::http::StatusCode;
use serde_json::json;

use crate::recording_client::RecordingClient;

async fn cookie(client: &RecordingClient) -> String {
    let reply = client.raw("POST", "/login", &[], Some(json!({"username": "admin", "password": "admin"}))).await;
    reply.header("set-cookie")
}

async fn check(method: &str, site: Option<&str>, expected: StatusCode) {
    let client = RecordingClient::new().await;
    let cookie = cookie(&client).await;
    let pair = cookie.split(';').next().expect("a cookie has a value");
    let sent = format!("theme=dark; {pair}; other=1");
    let mut headers = vec![("cookie", sent.as_str())];
    headers.extend(site.map(|site| ("sec-fetch-site", site)));
    let body = (method == "PATCH").then(|| json!({"email": "a@example.com"}));
    let reply = client.raw(method, "/user", &headers, body).await;
    assert_eq!(reply.status, expected, "{method} from {site:?}: {}", reply.text);
}

#[tokio::test]
async fn reads_are_for_this_origin_and_the_user() {
    check("GET", Some("same-origin"), StatusCode::OK).await;
    check("GET", Some("none"), StatusCode::OK).await;
    check("GET", None, StatusCode::OK).await;
    check("GET", Some("same-site"), StatusCode::FORBIDDEN).await;
    check("GET", Some("cross-site"), StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn writes_are_for_this_origin_alone() {
    check("PATCH", Some("same-origin"), StatusCode::OK).await;
    check("PATCH", Some("none"), StatusCode::FORBIDDEN).await;
    check("PATCH", None, StatusCode::FORBIDDEN).await;
    check("PATCH", Some("same-site"), StatusCode::FORBIDDEN).await;
    check("PATCH", Some("cross-site"), StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_of_scripts_and_secure_on_https() {
    let client = RecordingClient::new().await;
    let plain = cookie(&client).await;
    assert!(plain.contains("; HttpOnly; SameSite=Strict; Max-Age=2592000"), "{plain}");
    assert!(!plain.contains("Secure"), "{plain}");
    let settings = WebSettings { public_url: "https://apiflow.localhost".to_owned(), ..WebSettings::default() };
    let secure = cookie(&RecordingClient::with(settings, "").await).await;
    assert!(secure.ends_with("; Secure"), "{secure}");
}

#[tokio::test]
async fn logging_out_takes_the_cookie_away() {
    let client = RecordingClient::new().await;
    let pair = cookie(&client).await.split(';').next().map(str::to_owned).expect("a cookie has a value");
    let headers = [("cookie", pair.as_str()), ("sec-fetch-site", "same-origin")];
    let out = client.raw("POST", "/logout", &headers, None).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.header("set-cookie").starts_with("apiflow_session=; "), "{}", out.header("set-cookie"));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(client.raw("GET", "/user", &headers, None).await.status, StatusCode::UNAUTHORIZED);
}
