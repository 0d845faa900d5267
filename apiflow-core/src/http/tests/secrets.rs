//! Where secrets are sent, and where they never appear.

use super::*;

const VALUE: &str = "canary-5f2c/\"+x";
const NAMES: &[(&str, &str)] = &[("one.example", "127.0.0.1"), ("two.example", "127.0.0.1")];

fn with_secret(origins: &[&str]) -> Http {
    client("127.0.0.0/8", NAMES, StaticSecrets::new().with_secret("TOKEN", VALUE, origins))
}

/// Builds a request with the secret in its `Authorization` header.
fn authorized(method: &str, url: &str, credential_origins: &[&str]) -> HttpRequest {
    let mut request = request(method, url);
    request.headers.push(("Authorization".to_owned(), "Bearer <1>".to_owned()));
    request.secrets.push(used("<1>", SecretPlace::Header));
    let origins = credential_origins.iter().map(|origin| origin.parse().expect("an origin"));
    request.credential_origins = origins.collect();
    request
}

fn used(marker: &str, place: SecretPlace) -> SecretUse {
    SecretUse { marker: marker.to_owned(), name: "TOKEN".to_owned(), place }
}

#[tokio::test]
async fn a_secret_goes_to_its_origins_only() {
    let server = Server::start(|_| ok("")).await;
    let port = server.port;
    let [here, elsewhere, encrypted, short] = [
        format!("http://one.example:{port}"),
        format!("http://one.example:{}", port ^ 1),
        format!("https://one.example:{port}"),
        format!("one.example:{port}"),
    ];
    for (origins, credential_origins, expected) in [
        (vec![here.as_str()], vec![], true),
        (vec!["two.example", &here], vec![], true),
        (vec![], vec![here.as_str()], true),
        (vec![], vec![], false),
        (vec!["two.example"], vec![here.as_str()], false),
        (vec![elsewhere.as_str()], vec![], false),
        (vec!["example"], vec![], false),
        // A secret for https is never sent over http, however the URL is written.
        (vec![encrypted.as_str()], vec![], false),
        (vec![short.as_str()], vec![], false),
        (vec!["http://one.example"], vec![], false),
    ] {
        let before = server.requests().len();
        let sent = authorized("POST", &format!("http://one.example:{port}/v1"), &credential_origins);
        match send(&with_secret(&origins), &sent).await {
            Ok(_) => {
                assert!(expected, "{origins:?} {credential_origins:?}");
                let request = server.requests().pop().expect("it arrived");
                assert!(request.contains(&format!("authorization: Bearer {VALUE}\r\n")), "{request}");
            }
            Err(HttpError::Secret(reason)) => {
                assert!(!expected, "{origins:?} {credential_origins:?}: {reason}");
                assert!(reason.contains("`TOKEN`") && reason.contains(&format!("`{here}`")), "{reason}");
                assert_eq!(server.requests().len(), before, "nothing is sent");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_unknown_secret_is_named_and_nothing_is_sent() {
    let server = Server::start(|_| ok("")).await;
    let error = send(&local(), &authorized("POST", &server.url("/"), &["127.0.0.1"])).await.expect_err("no secret");
    assert!(matches!(&error, HttpError::Secret(reason) if reason.contains("`TOKEN` is not set")), "{error:?}");
    assert_eq!(server.connections().await, 0);
}

#[tokio::test]
async fn a_value_is_written_for_its_place_and_what_only_looks_like_a_reference_stays() {
    let server = Server::start(|_| ok("")).await;
    let mut sent = authorized("POST", &server.url("/bot<2>/send?key=<2>"), &[]);
    sent.body = RequestBody::Text(r#"{"key":"<3>","text":"$TOKEN <4>"}"#.to_owned());
    sent.secrets.extend([used("<2>", SecretPlace::Url), used("<3>", SecretPlace::Json)]);
    send(&with_secret(&["127.0.0.1"]), &sent).await.expect("it answers");
    let request = server.requests().pop().expect("it arrived");
    let encoded = "canary-5f2c%2F%22%2Bx";
    assert!(request.starts_with(&format!("POST /bot{encoded}/send?key={encoded} HTTP/1.1\r\n")), "{request}");
    assert!(request.ends_with(r#"{"key":"canary-5f2c/\"+x","text":"$TOKEN <4>"}"#), "{request}");
}

#[tokio::test]
async fn a_secret_can_not_choose_the_host_or_break_a_header() {
    let server = Server::start(|_| ok("")).await;
    let mut sent = request("GET", &format!("http://127.0.0.1<1>:{}/", server.port));
    sent.secrets.push(used("<1>", SecretPlace::Url));
    let reply = send(&with_secret(&["127.0.0.1"]), &sent).await;
    assert!(matches!(reply, Err(HttpError::Refused(_) | HttpError::Secret(_))), "{reply:?}");

    let broken = StaticSecrets::new().with_secret("TOKEN", "a\r\nx-evil: 1", &["127.0.0.1"]);
    let reply = send(&client("127.0.0.0/8", NAMES, broken), &authorized("GET", &server.url("/"), &[])).await;
    assert!(matches!(&reply, Err(HttpError::Secret(reason)) if !reason.contains("evil")), "{reply:?}");
    assert_eq!(server.connections().await, 0);
}

#[tokio::test]
async fn a_redirect_to_another_origin_leaves_credentials_behind() {
    for (host, second, expected) in [
        ("two.example", None, false),
        ("one.example", None, false),
        ("two.example", Some("http"), true),
        ("two.example", Some("https"), false),
    ] {
        let end = Server::start(|_| ok("")).await;
        let location = format!("http://{host}:{}/end", end.port);
        let start = Server::start(move |_| redirect(302, &location)).await;
        let mut origins = vec![format!("http://one.example:{}", start.port)];
        origins.extend(second.map(|scheme| format!("{scheme}://two.example:{}", end.port)));
        let mut sent = authorized("GET", &format!("http://one.example:{}/", start.port), &[]);
        sent.headers.push(("Cookie".to_owned(), "session=1".to_owned()));
        sent.headers.push(("X-Plain".to_owned(), "kept".to_owned()));
        let origins: Vec<&str> = origins.iter().map(String::as_str).collect();
        send(&with_secret(&origins), &sent).await.expect("it answers");
        let (first, last) = (start.requests().pop().expect("sent"), end.requests().pop().expect("sent on"));
        assert!(first.contains(VALUE) && first.contains("cookie"), "{first}");
        assert_eq!(last.contains(VALUE), expected, "{last}");
        assert!(last.contains("x-plain: kept") && !last.contains("cookie"), "{last}");
    }
}

#[tokio::test]
async fn a_redirect_within_the_origin_keeps_credentials() {
    let server =
        Server::start(|request| if request.starts_with("GET /end") { ok("") } else { redirect(308, "/end") }).await;
    send(&with_secret(&["127.0.0.1"]), &authorized("GET", &server.url("/"), &[])).await.expect("it answers");
    let last = server.requests().pop().expect("it arrived");
    assert!(last.starts_with("GET /end") && last.contains(VALUE), "{last}");
}

#[tokio::test]
async fn no_redirect_is_followed_whose_url_contains_a_secret() {
    for copied in [
        "canary-5f2c/%22+x",
        "canary-5f2c%2F%22%2Bx",
        "canary-5f2c%2f%22%2bx",
        "canary-5f2c%252F%2522%252Bx",
        "%63anary-5f2c%2F%22%2Bx",
        // The whole header, as Basic authorization would write it.
        "dTpjYW5hcnktNWYyYy8iK3g=",
        "YTpjYW5hcnktNWYyYy8iK3g6Yg",
    ] {
        let end = Server::start(|_| ok("")).await;
        for host in ["two.example", "one.example"] {
            let location = format!("http://{host}:{}/?from=x{copied}", end.port);
            let start = Server::start(move |_| redirect(302, &location)).await;
            let sent = authorized("GET", &format!("http://one.example:{}/", start.port), &[]);
            let origins = [start.port, end.port].map(|port| format!("http://one.example:{port}"));
            let error = send(&with_secret(&[&origins[0], &origins[1]]), &sent).await.expect_err("it is refused");
            let HttpError::Refused(reason) = &error else { panic!("{error:?}") };
            assert_eq!(reason, "a redirect was not followed: its URL contains the value of the secret `TOKEN`");
        }
        assert_eq!(end.connections().await, 0, "{copied}");
    }
}

#[tokio::test]
async fn an_echoed_secret_reads_as_its_name() {
    let server = Server::start(|request| {
        let head = format!("HTTP/1.1 200 OK\r\nx-echo: {VALUE}\r\ncontent-length: {}\r\n\r\n", request.len());
        Answer::Write(head + request)
    })
    .await;
    let mut sent = authorized("GET", &server.url("/echo/<2>"), &[]);
    sent.secrets.push(used("<2>", SecretPlace::Url));
    let reply = send(&with_secret(&["127.0.0.1"]), &sent).await.expect("it answers");
    let body = String::from_utf8_lossy(&reply.body);
    assert!(body.contains("authorization: Bearer $TOKEN\r\n"), "{body}");
    assert_eq!(reply.url, server.url("/echo/$TOKEN"));
    assert!(reply.headers.contains(&("x-echo".to_owned(), "$TOKEN".to_owned())), "{:?}", reply.headers);
    assert!(!format!("{reply:?}").contains("canary"), "{reply:?}");
}

#[tokio::test]
async fn an_escaped_echo_reads_as_its_name() {
    for (echo, shown) in [
        (r#"{"detail": "canary-5f2c\/\"\u002bx"}"#, r#"{"detail":"$TOKEN"}"#),
        (r#"{"canary-5f2c%2f%22%2bx": 1}"#, r#"{"$TOKEN":1}"#),
        ("<p>canary-5f2c/&quot;+x</p>", "<p>$TOKEN</p>"),
    ] {
        let server = Server::start(move |_| ok(echo)).await;
        let reply = send(&with_secret(&["127.0.0.1"]), &authorized("GET", &server.url("/"), &[])).await;
        assert_eq!(String::from_utf8_lossy(&reply.expect("it answers").body), shown);
    }
}

#[tokio::test]
async fn a_secret_that_an_earlier_request_sent_is_masked_in_later_replies() {
    let server = Server::start(|_| ok(&format!("{{\"input\": {}}}", serde_json::Value::from(VALUE)))).await;
    let mut sent = request("GET", &server.url("/predictions/1"));
    sent.masked_secrets = vec!["TOKEN".to_owned(), "FORGOTTEN".to_owned()];
    // Also where the secret may not be sent.
    let reply = send(&with_secret(&["two.example"]), &sent).await.expect("it answers");
    assert_eq!(String::from_utf8_lossy(&reply.body), r#"{"input":"$TOKEN"}"#);
}

#[tokio::test]
async fn what_another_call_sent_to_an_origin_is_masked_in_its_replies() {
    for (origins, expected) in [(vec!["127.0.0.1"], "$TOKEN"), (vec!["two.example"], VALUE), (vec![], "$TOKEN")] {
        let server = Server::start(|_| ok(&serde_json::Value::from(VALUE).to_string())).await;
        let reply = send(&with_secret(&origins), &request("GET", &server.url("/list"))).await.expect("it answers");
        let body: String = serde_json::from_slice(&reply.body).expect("it is JSON");
        assert_eq!(body, expected, "{origins:?}");
    }
}

#[tokio::test]
async fn no_error_shows_a_value() {
    let server = Server::start(|_| Answer::Close).await;
    let http = with_secret(&["127.0.0.1"]);
    let mut sent = authorized("POST", &server.url("/<2>"), &[]);
    sent.secrets.push(used("<2>", SecretPlace::Url));
    let error = send(&http, &sent).await.expect_err("the server closes");
    for text in [format!("{error}"), format!("{error:?}"), format!("{http:?}"), format!("{sent:?}")] {
        assert!(!text.contains("canary"), "{text}");
    }
}
