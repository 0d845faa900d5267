//! The memory limit of replies.

use std::sync::Arc;
use std::time::Duration;

use super::{Answer, LIMITS, Server, client_within, ok, request};
use crate::http::{Http, HttpLimits};
use crate::ports::{HttpClient as _, HttpError, HttpRequest};
use crate::runtime::secrets::StaticSecrets;

const MIB: usize = 1024 * 1024;

/// Returns `[0,0,…]` of the given size.
fn zeros(bytes: usize) -> String {
    format!("[0{}]", ",0".repeat(bytes / 2 - 1))
}

fn local_within(limits: HttpLimits) -> Http {
    client_within("127.0.0.0/8", &[], StaticSecrets::new(), limits)
}

/// Builds a request with a timeout that is sufficient for large replies in a debug build.
fn get(server: &Server, path: &str) -> HttpRequest {
    HttpRequest { timeout: Duration::from_mins(2), ..request("GET", &server.url(path)) }
}

fn chunked(body: &str) -> Answer {
    Answer::Write(format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_megabytes_of_zeros_take_no_memory_to_speak_of() {
    let body = zeros(60 * MIB);
    let server =
        Server::start(move |request| if request.contains("chunked") { chunked(&body) } else { ok(&body) }).await;
    // With the default limits the body is not read; with larger ones there is no memory for its values.
    for limits in [HttpLimits::default(), HttpLimits { max_reply_bytes: 64 * MIB, ..HttpLimits::default() }] {
        let client = Arc::new(local_within(limits));
        let sent: Vec<_> = ["/whole", "/chunked", "/whole"]
            .into_iter()
            .map(|path| {
                let (client, request) = (Arc::clone(&client), get(&server, path));
                tokio::spawn(async move {
                    let outcome = client.send(&request).await;
                    (outcome, client.reply_memory_bytes())
                })
            })
            .collect();
        for sent in sent {
            let (outcome, (used, room)) = sent.await.expect("it does not panic");
            assert!(matches!(&outcome, Err(HttpError::TooLarge(_))), "{outcome:?}");
            assert!(used <= room && room <= 256 * MIB, "{used} of {room}");
        }
        assert_eq!(client.reply_memory_bytes().0, 0, "all of it is given back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_wait_for_room_and_none_is_lost() {
    // Memory for one body of 90 kB at a time; the values of a plain text take its own size.
    let limits = HttpLimits { max_reply_bytes: 100_000, max_memory_bytes: 400_000, ..LIMITS };
    let body = format!("\"{}\"", "A".repeat(90_000));
    let sent = body.clone();
    let server = Server::start(move |request| if request.contains("/0") { chunked(&sent) } else { ok(&sent) }).await;
    let client = Arc::new(local_within(limits));
    let tasks: Vec<_> = (0..12)
        .map(|nth| {
            let (client, request) = (Arc::clone(&client), get(&server, &format!("/{}", nth % 2)));
            tokio::spawn(async move {
                let reply = client.send(&request).await.expect("there is room in the end");
                // The reply is held while the memory is read.
                (client.reply_memory_bytes(), reply.body.len())
            })
        })
        .collect();
    for task in tasks {
        let ((used, room), length) = task.await.expect("it does not panic");
        assert!(used <= room && room <= 402_000, "{used} of {room}");
        assert!(used > length, "it is counted while it is held");
        assert_eq!(length, body.len());
    }
    assert_eq!(client.reply_memory_bytes().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_counted_by_what_they_take() {
    let limits = HttpLimits { max_reply_bytes: MIB, max_memory_bytes: 8 * MIB, ..LIMITS };
    for (body, fits) in [
        (zeros(40_000), true),
        (zeros(200_000), false),
        (format!("[\"{}\"]", "A".repeat(200_000)), true),
        (format!("[{}0]", "{\"a\":0},".repeat(20_000)), false),
    ] {
        let sent = body.clone();
        let server = Server::start(move |_| ok(&sent)).await;
        let client = local_within(limits);
        let outcome = client.send(&get(&server, "/")).await;
        assert_eq!(outcome.is_ok(), fits, "{} bytes: {outcome:?}", body.len());
        drop(outcome);
        assert_eq!(client.reply_memory_bytes().0, 0);
    }
}

#[tokio::test]
async fn an_error_that_is_too_large_keeps_its_status() {
    let server = Server::start(|_| {
        let body = zeros(2 * MIB);
        Answer::Write(format!("HTTP/1.1 503 Busy\r\nretry-after: 3\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    })
    .await;
    let client = local_within(HttpLimits { max_reply_bytes: MIB, ..LIMITS });
    let reply = client.send(&get(&server, "/")).await.expect("an answer");
    assert_eq!(reply.status, 503);
    assert!(reply.body.len() <= MIB && reply.headers.iter().any(|(name, _)| name == "retry-after"));
}
