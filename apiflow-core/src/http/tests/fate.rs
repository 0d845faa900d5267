//! The fate of requests without a reply, and that none is sent twice.

use super::*;

async fn post(http: &Http, url: &str) -> Result<HttpReply, HttpError> {
    let mut sent = request("POST", url);
    sent.body = RequestBody::Text("{\"prompt\":\"a hat\"}".to_owned());
    sent.timeout = Duration::from_millis(600);
    send(http, &sent).await
}

/// Starts a server that does not speak TLS; returns its port.
async fn no_tls() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"220 smtp.example ESMTP\r\n").await.unwrap_or_default();
        }
    });
    port
}

#[tokio::test]
async fn no_connection_means_that_nothing_was_sent() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
    let port = gone.local_addr().expect("a bound socket has an address").port();
    drop(gone);
    let plain = no_tls().await;
    let names = &[("nowhere.example", "127.0.0.1")];
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://nowhere.example:{port}/"),
        "http://unknown.example/".to_owned(),
        format!("https://127.0.0.1:{plain}/"),
    ] {
        let reply = post(&client("127.0.0.0/8", names, StaticSecrets::new()), &url).await;
        assert!(matches!(reply, Err(HttpError::Connect(_))), "{url}: {reply:?}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_in_time_is_no_connection() {
    let lookup: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
    let limits = HttpLimits { connect_timeout: Duration::from_millis(50), ..LIMITS };
    let http = Http::with_lookup(OutgoingPolicy::default(), Arc::new(StaticSecrets::new()), limits, lookup);
    let reply = post(&http.expect("this system has root certificates"), "http://slow.example/").await;
    assert!(matches!(reply, Err(HttpError::Connect(_))), "{reply:?}");
}

#[tokio::test]
async fn a_lost_connection_leaves_the_fate_unknown_and_the_request_is_not_repeated() {
    for (case, answer) in [
        ("closed", (|| Answer::Close) as fn() -> Answer),
        ("silent", || Answer::Hang(String::new())),
        ("half a head", || Answer::Hang("HTTP/1.1 200 OK\r\nconte".to_owned())),
        ("half a body", || Answer::Hang("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_owned())),
        ("not HTTP", || Answer::Hang("220 smtp.example ESMTP\r\n".to_owned())),
    ] {
        let server = Server::start(move |_| answer()).await;
        let reply = post(&local(), &server.url("/")).await;
        assert!(matches!(reply, Err(HttpError::Unknown(_))), "{case}: {reply:?}");
        assert_eq!(server.connections().await, 1, "{case}");
        let posts = server.requests().iter().filter(|request| request.starts_with("POST")).count();
        assert_eq!(posts, 1, "{case}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_dies_under_a_request_leaves_its_fate_unknown() {
    let server = Server::start(|request| if request.starts_with("GET") { ok("") } else { Answer::Close }).await;
    let http = local();
    send(&http, &request("GET", &server.url("/"))).await.expect("it answers");
    let reply = post(&http, &server.url("/")).await;
    assert!(matches!(reply, Err(HttpError::Unknown(_))), "{reply:?}");
    assert_eq!(server.connections().await, 1, "both requests went over one connection");
    let posts = server.requests().iter().filter(|request| request.starts_with("POST")).count();
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn a_safe_request_says_when_the_reply_is_not_http() {
    let server = Server::start(|_| Answer::Hang("220 smtp.example ESMTP\r\n".to_owned())).await;
    let reply = send(&local(), &request("GET", &server.url("/"))).await;
    assert!(matches!(reply, Err(HttpError::Reply(_))), "{reply:?}");
}

#[tokio::test]
async fn a_reply_over_the_limit_is_an_error_and_one_at_the_limit_is_whole() {
    let chunked = |size: usize| {
        let body = "x".repeat(size);
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n")
    };
    for (whole, fits) in [(1_000, true), (1_001, false)] {
        for encoding in ["length", "chunked"] {
            let server = Server::start(move |_| match encoding {
                "length" => ok(&"x".repeat(whole)),
                _ => Answer::Write(chunked(whole)),
            })
            .await;
            match post(&local(), &server.url("/")).await {
                Ok(reply) => assert_eq!((reply.body.len(), fits), (whole, true), "{encoding}"),
                Err(HttpError::TooLarge(reason)) => assert!(!fits && reason.contains("1000 bytes"), "{reason}"),
                Err(other) => panic!("{encoding} {whole}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_reply_is_handed_over_as_it_came() {
    let server = Server::start(|_| {
        let head = "HTTP/1.1 422 Unprocessable Content\r\nX-Twice: a\r\nX-Twice: b\r\ncontent-length: 4\r\n\r\n";
        Answer::Write(format!("{head}nope"))
    })
    .await;
    let mut sent = request("PATCH", &server.url("/v1?a=b#fragment"));
    sent.headers = vec![("X-Many".to_owned(), "1".to_owned()), ("X-Many".to_owned(), "2".to_owned())];
    let reply = send(&local(), &sent).await.expect("it answers");
    assert_eq!((reply.status, reply.body.as_slice(), &reply.url), (422, b"nope".as_slice(), &sent.url));
    let twice: Vec<_> = reply.headers.iter().filter(|(name, _)| name == "x-twice").collect();
    assert_eq!(twice.len(), 2);
    let request = server.requests().pop().expect("it arrived");
    assert!(request.starts_with("PATCH /v1?a=b HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("x-many: 1\r\nx-many: 2\r\n"), "{request}");
}
