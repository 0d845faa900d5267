//! Authentication of requests: what arrives at the provider and at token endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use super::{Answer, Server, client, ok, redirect, request, send};
use crate::http::{AuthProvider, Http};
use crate::ports::{HttpError, HttpRequest, RequestAuth, SecretPiece, SecretText};
use crate::runtime::secrets::StaticSecrets;

const SECRET: &str = "canary-7d41/+secret";
/// A key that was made for these tests, in the JSON form of Google's, and its public half.
const ACCOUNT: &str = include_str!("service_account.json");
const ACCOUNT_PUBLIC_KEY: &str = "MIIBCgKCAQEA1DmdY7bw9b4uKLwoyyT+f5eoOA1ZIcHc5bs3VEcfVboXeQ+xjhcT/poiPvMEM2xJht9nAD3GMoRZz48Sn2z7VHRLPuhjvg+X8qU4cgoSErI+b4wEaqhIeEB2u+RVRw+2p6Lssh65RIS6f5DUpCOu2MUGzeaUH0SavFqMa1SRGCrttEXK5gYbh4wJ5Ut76xfaGovDGkjGXvfPLUjsx1goCaoD3zistC+qrifPVS52qF17Ru3Vpl8efWu7XM7vscIGFUxQm0XZEDqvQMuiCqDKvXnLJCJCnXNeP0sFhOSfzyXHoCsTHKDMw2PuLxBQ9dBSXqiHqGjnlQReDc7jZ5RWjwIDAQAB";

fn secret(name: &str) -> SecretText {
    SecretText(vec![SecretPiece::Secret(name.to_owned())])
}

fn text(text: &str) -> SecretText {
    SecretText(vec![SecretPiece::Text(text.to_owned())])
}

fn http_with(origins: &[&str]) -> Http {
    let secrets = StaticSecrets::new().with_secret("CLIENT_SECRET", SECRET, origins);
    client("127.0.0.0/8", &[], secrets.with_secret("ACCOUNT", ACCOUNT, origins))
}

fn with_auth(url: &str, auth: RequestAuth) -> HttpRequest {
    let origin = crate::origin::Origin::of_url(url).expect("a test's URL is sound");
    HttpRequest { auth: Some(auth), credential_origins: vec![origin.into()], ..request("POST", url) }
}

fn client_credentials(token_url: &str, in_body: bool) -> RequestAuth {
    RequestAuth::Oauth2ClientCredentials {
        token_url: token_url.to_owned(),
        client_id: text("client 1"),
        client_secret: secret("CLIENT_SECRET"),
        scope: Some("images write".to_owned()),
        audience: None,
        in_body,
    }
}

/// Starts a token endpoint that grants `token-1`, `token-2` and so on.
async fn start_token_server(lifetime_s: u32) -> Server {
    let granted = AtomicUsize::new(0);
    Server::start(move |_| {
        let number = granted.fetch_add(1, Ordering::SeqCst) + 1;
        ok(&json!({"access_token": format!("token-{number}-canary"), "expires_in": lifetime_s}).to_string())
    })
    .await
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn user_and_password_are_sent_as_basic_credentials_and_masked() {
    let server = Server::start(|request| ok(header(request, "authorization").unwrap_or_default())).await;
    let auth = RequestAuth::Basic { user: text("me"), password: secret("CLIENT_SECRET") };
    let reply = send(&http_with(&["127.0.0.1"]), &with_auth(&server.url("/"), auth)).await.expect("it answers");
    let sent = server.requests().pop().expect("it arrived");
    let encoded = STANDARD.encode(format!("me:{SECRET}"));
    assert_eq!(header(&sent, "authorization"), Some(format!("Basic {encoded}").as_str()));
    assert_eq!(String::from_utf8_lossy(&reply.body), "Basic $basic_credentials");
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all_calls_that_wait_for_it() {
    let (tokens, api) = (start_token_server(3600).await, Server::start(|_| ok("")).await);
    let http = http_with(&["127.0.0.1"]);
    let call = with_auth(&api.url("/x"), client_credentials(&tokens.url("/token"), false));
    let calls = join_all((0..50).map(|_| send(&http, &call))).await;
    assert!(calls.iter().all(Result::is_ok), "{calls:?}");
    send(&http, &call).await.expect("the token is still good");
    let [asked] = &tokens.requests()[..] else { panic!("{:?}", tokens.requests()) };
    assert!(asked.starts_with("POST /token HTTP/1.1\r\n"), "{asked}");
    let credentials = STANDARD.encode("client%201:canary-7d41%2F%2Bsecret");
    assert_eq!(header(asked, "authorization"), Some(format!("Basic {credentials}").as_str()));
    assert!(asked.ends_with("\r\n\r\ngrant_type=client_credentials&scope=images%20write"), "{asked}");
    let sent = api.requests();
    assert_eq!(sent.len(), 51);
    assert!(sent.iter().all(|request| header(request, "authorization") == Some("Bearer token-1-canary")), "{sent:?}");
    assert!(!sent.concat().contains("canary-7d41"), "the client's secret goes to the token endpoint alone");
}

#[tokio::test]
async fn credentials_in_the_body_and_an_expired_token() {
    let (tokens, api) = (start_token_server(0).await, Server::start(|_| ok("")).await);
    let http = http_with(&["127.0.0.1"]);
    let call = with_auth(&api.url("/x"), client_credentials(&tokens.url("/token"), true));
    for number in 1..=3 {
        send(&http, &call).await.expect("it answers");
        let expected = format!("Bearer token-{number}-canary");
        assert_eq!(header(&api.requests()[number - 1], "authorization"), Some(expected.as_str()));
    }
    let asked = tokens.requests().pop().expect("it arrived");
    let expected = "scope=images%20write&client_id=client%201&client_secret=canary-7d41%2F%2Bsecret";
    assert!(asked.ends_with(expected) && header(&asked, "authorization").is_none(), "{asked}");
}

#[tokio::test]
async fn a_refused_token_is_forgotten_and_not_repeated() {
    let refuse =
        |_: &str| Answer::Write("HTTP/1.1 401 No\r\ncontent-length: 21\r\n\r\nno: token-1-canary,...".to_owned());
    let (tokens, api) = (start_token_server(3600).await, Server::start(refuse).await);
    let http = http_with(&["127.0.0.1"]);
    let call = with_auth(&api.url("/x"), client_credentials(&tokens.url("/token"), false));
    let reply = send(&http, &call).await.expect("a refusal is a reply");
    assert_eq!((reply.status, api.requests().len(), tokens.requests().len()), (401, 1, 1));
    assert!(!String::from_utf8_lossy(&reply.body).contains("token-1"), "{:?}", reply.body);
    send(&http, &call).await.expect("a refusal is a reply");
    assert_eq!(header(&api.requests()[1], "authorization"), Some("Bearer token-2-canary"));
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_all_that_waited_know_why() {
    let api = Server::start(|_| ok("")).await;
    let denied = r#"{"error":"invalid_client","error_description":"bad canary-7d41/+secret"}"#;
    let denied = format!("HTTP/1.1 401 No\r\ncontent-length: {}\r\n\r\n{denied}", denied.len());
    let tokens = Server::start(move |_| Answer::Write(denied.clone())).await;
    let http = http_with(&["127.0.0.1"]);
    let call = with_auth(&api.url("/x"), client_credentials(&tokens.url("/token"), false));
    for error in join_all((0..20).map(|_| send(&http, &call))).await {
        let error = error.expect_err("there is no token");
        let HttpError::Secret(reason) = &error else { panic!("{error:?}") };
        assert!(reason.contains("invalid_client: bad $CLIENT_SECRET") && !reason.contains("canary"), "{reason}");
    }
    assert_eq!((tokens.requests().len(), api.connections().await), (1, 0));
    for answer in ["HTTP/1.1 503 Down\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"] {
        let tokens = Server::start(move |_| Answer::Write(answer.to_owned())).await;
        let call = with_auth(&api.url("/x"), client_credentials(&tokens.url("/token"), false));
        let error = send(&http, &call).await.expect_err("there is no token");
        assert!(matches!(&error, HttpError::Connect(_)), "it may be repeated: {error:?}");
    }
}

#[tokio::test]
async fn credentials_go_only_where_they_may() {
    let (tokens, api) = (start_token_server(3600).await, Server::start(|_| ok("")).await);
    let elsewhere = http_with(&["https://api.example.com"]);
    let by_token = with_auth(&api.url("/x"), client_credentials(&tokens.url("/token"), false));
    let basic = RequestAuth::Basic { user: text("me"), password: secret("CLIENT_SECRET") };
    for call in [by_token.clone(), with_auth(&api.url("/x"), basic)] {
        let error = send(&elsewhere, &call).await.expect_err("the secret may not go there");
        assert!(matches!(&error, HttpError::Secret(reason) if reason.contains("may not be sent to")), "{error:?}");
    }
    let untrusted = HttpRequest { credential_origins: Vec::new(), ..by_token };
    let error = send(&http_with(&["127.0.0.1"]), &untrusted).await.expect_err("the token may not go there");
    assert!(matches!(&error, HttpError::Secret(reason) if reason.contains("token may not be sent")), "{error:?}");
    assert_eq!((tokens.connections().await, api.connections().await), (0, 0));

    let end = Server::start(|_| ok("")).await;
    let location = end.url("/end");
    let start = Server::start(move |_| redirect(307, &location)).await;
    let call = with_auth(&start.url("/x"), client_credentials(&tokens.url("/token"), false));
    let call = HttpRequest { method: "GET".to_owned(), ..call };
    send(&http_with(&["127.0.0.1"]), &call).await.expect("it answers");
    assert!(header(&start.requests()[0], "authorization").is_some());
    assert_eq!(header(&end.requests()[0], "authorization"), None, "another origin gets no token");
}

#[tokio::test]
async fn a_service_account_signs_for_its_token() {
    let (tokens, api) = (start_token_server(3600).await, Server::start(|_| ok("")).await);
    let auth = RequestAuth::GoogleServiceAccount {
        key: secret("ACCOUNT"),
        token_url: tokens.url("/token"),
        scope: "https://www.googleapis.com/auth/cloud-platform".to_owned(),
    };
    let call = with_auth(&api.url("/x"), auth);
    let http = http_with(&["127.0.0.1"]);
    join_all((0..5).map(|_| send(&http, &call))).await.into_iter().for_each(|sent| drop(sent.expect("it answers")));
    let [asked] = &tokens.requests()[..] else { panic!("{:?}", tokens.requests()) };
    let (_, form) = asked.split_once("\r\n\r\n").expect("it has a body");
    let prefix = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let assertion = form.strip_prefix(prefix).expect("it is an assertion");
    let (signed, signature) = assertion.rsplit_once('.').expect("it has a signature");
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("it is base64");
    let key = STANDARD.decode(ACCOUNT_PUBLIC_KEY).expect("it is base64");
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
    key.verify(signed.as_bytes(), &decode(signature)).expect("the public key accepts the signature");
    let (head, claims) = signed.split_once('.').expect("it has two parts");
    let head: Value = serde_json::from_slice(&decode(head)).expect("it is JSON");
    let claims: Value = serde_json::from_slice(&decode(claims)).expect("it is JSON");
    assert_eq!(head, json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"}));
    assert_eq!(claims["iss"], "robot@project.iam.gserviceaccount.com");
    assert_eq!(claims["aud"], tokens.url("/token"));
    assert_eq!(claims["exp"].as_u64(), claims["iat"].as_u64().map(|at| at + 3600));
    assert_eq!(header(&api.requests()[0], "authorization"), Some("Bearer token-1-canary"));
}

#[tokio::test]
async fn what_is_no_key_of_a_service_account_is_refused() {
    let tokens = start_token_server(3600).await;
    for key in [
        "no json",
        "{}",
        r#"{"client_email":"a","private_key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}"#,
    ] {
        let http = client("127.0.0.0/8", &[], StaticSecrets::new().with_secret("ACCOUNT", key, &[]));
        let (key, token_url, scope) = (secret("ACCOUNT"), tokens.url("/token"), String::new());
        let call = with_auth(&tokens.url("/x"), RequestAuth::GoogleServiceAccount { key, token_url, scope });
        let error = send(&http, &call).await.expect_err("it is no key");
        assert!(matches!(&error, HttpError::Secret(reason) if reason.contains("JSON file")), "{error:?}");
    }
    assert_eq!(tokens.connections().await, 0);
}

#[tokio::test]
async fn a_request_is_signed_as_it_is_sent() {
    let server = Server::start(|_| ok("")).await;
    let auth = RequestAuth::AwsSigv4 {
        region: "eu-central-1".to_owned(),
        service: "bedrock".to_owned(),
        access_key: text("AKIDEXAMPLE"),
        secret_key: secret("CLIENT_SECRET"),
        session_token: Some(text("session")),
    };
    let mut call = with_auth(&server.url("/model/a%3Ab/invoke?x=1"), auth);
    call.body = crate::ports::RequestBody::Text("{}".to_owned());
    call.headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    send(&http_with(&["127.0.0.1"]), &call).await.expect("it answers");
    let sent = server.requests().pop().expect("it arrived");
    let authorization = header(&sent, "authorization").expect("it is signed");
    let names = "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token";
    assert!(authorization.contains(&format!("/eu-central-1/bedrock/aws4_request, SignedHeaders={names}, Signature=")));
    assert_eq!(header(&sent, "x-amz-content-sha256"), Some(crate::digest::hash_text("{}").as_str()));
    assert_eq!(header(&sent, "x-amz-security-token"), Some("session"));
    assert!(!sent.contains("canary"), "{sent}");
}

struct Kling;

#[async_trait]
impl AuthProvider for Kling {
    async fn authenticate(
        &self,
        settings: &BTreeMap<String, String>,
        method: &str,
        _: &str,
    ) -> Result<Vec<(String, String)>, String> {
        let key = settings.get("key").ok_or("the setting `key` is missing")?;
        Ok(vec![("X-Signature".to_owned(), format!("{method}:{key}:computed"))])
    }
}

#[tokio::test]
async fn a_host_adds_an_authentication_of_its_own() {
    let server = Server::start(|request| ok(header(request, "x-signature").unwrap_or_default())).await;
    let custom = |settings: &[&str]| RequestAuth::Custom {
        provider: "kling".to_owned(),
        settings: settings.iter().map(|name| ((*name).to_owned(), secret("CLIENT_SECRET"))).collect(),
    };
    let http = http_with(&["127.0.0.1"]);
    let error = send(&http, &with_auth(&server.url("/"), custom(&["key"]))).await.expect_err("it is unknown");
    assert!(matches!(&error, HttpError::Refused(reason) if reason.contains("`kling`")), "{error:?}");
    let http = http.with_auth("kling", Arc::new(Kling));
    let error = send(&http, &with_auth(&server.url("/"), custom(&[]))).await.expect_err("it has no key");
    assert_eq!(error, HttpError::Secret("the setting `key` is missing".to_owned()));
    let reply = send(&http, &with_auth(&server.url("/"), custom(&["key"]))).await.expect("it answers");
    let sent = server.requests().pop().expect("it arrived");
    assert_eq!(header(&sent, "x-signature"), Some(format!("POST:{SECRET}:computed").as_str()));
    assert_eq!(String::from_utf8_lossy(&reply.body), "$kling_credentials");
}
