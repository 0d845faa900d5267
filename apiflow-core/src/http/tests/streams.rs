//! Bodies that are read as they arrive.

use bytes::Bytes;
use futures_util::StreamExt as _;

use super::*;
use crate::ports::BodyFilter;

/// A filter that keeps every byte but `A`, which it counts.
#[derive(Default)]
struct WithoutA {
    counted: usize,
    is_finished: bool,
}

#[async_trait::async_trait]
impl BodyFilter for WithoutA {
    fn accepts_head(&mut self, status: u16, _: &[(String, String)]) -> bool {
        status == 200
    }

    async fn filter_chunk(&mut self, chunk: Bytes, kept: &mut Vec<u8>) -> Result<(), HttpError> {
        let before = kept.len();
        kept.extend(chunk.iter().filter(|byte| **byte != b'A'));
        self.counted += chunk.len() - (kept.len() - before);
        Ok(())
    }

    async fn finish_body(&mut self, kept: &mut Vec<u8>) -> Result<(), HttpError> {
        self.is_finished = true;
        kept.push(b'.');
        Ok(())
    }
}

fn secret_request(server: &Server) -> (Http, HttpRequest) {
    let http = client("127.0.0.0/8", &[], StaticSecrets::new().with_secret("KEY", "canary-1234", &[]));
    let mut request = request("GET", &server.url("/"));
    request.headers.push(("authorization".to_owned(), "Bearer @1".to_owned()));
    request.secrets.push(SecretUse { marker: "@1".to_owned(), name: "KEY".to_owned(), place: SecretPlace::Header });
    request.credential_origins = vec![server.url("").parse().expect("an origin")];
    (http, request)
}

#[tokio::test]
async fn a_stream_begins_with_its_head_and_has_no_limit_of_size() {
    let body = "A".repeat(300_000);
    let sent = body.clone();
    let server = Server::start(move |_| {
        let head = format!("HTTP/1.1 200 OK\r\nx-echo: canary-1234\r\ncontent-length: {}\r\n\r\n", sent.len());
        Answer::Write(format!("{head}{sent}"))
    })
    .await;
    let (http, request) = secret_request(&server);
    let mut stream = http.open_stream(&request).await.expect("a head");
    assert_eq!(stream.status, 200);
    assert!(stream.headers.contains(&("x-echo".to_owned(), "$KEY".to_owned())), "{:?}", stream.headers);
    assert!(server.requests()[0].contains("Bearer canary-1234"), "the secret was sent");
    let mut read = Vec::new();
    while let Some(part) = stream.body.next().await {
        read.extend_from_slice(&part.expect("bytes"));
    }
    assert_eq!(read, body.as_bytes());
}

#[tokio::test]
async fn a_stream_that_ends_early_or_stalls_is_an_error() {
    for (answer, is_closed) in [("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", false), ("", true)] {
        let server =
            Server::start(move |_| if is_closed { Answer::Close } else { Answer::Hang(answer.to_owned()) }).await;
        let request = HttpRequest { timeout: Duration::from_millis(300), ..request("GET", &server.url("/")) };
        let outcome = match local().open_stream(&request).await {
            Ok(stream) => stream.body.collect::<Vec<_>>().await.pop().expect("a part"),
            Err(error) => Err(error),
        };
        assert!(matches!(outcome, Err(HttpError::Unknown(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn only_what_a_filter_keeps_is_the_reply_and_counts() {
    let body = format!("{{\"media\":\"{}\",\"key\":\"canary-1234\"}}", "A".repeat(500_000));
    let server = Server::start(move |_| ok(&body)).await;
    let (http, request) = secret_request(&server);
    let mut filter = WithoutA::default();
    let reply = http.send_filtered(&request, &mut filter).await.expect("a reply");
    assert_eq!(String::from_utf8_lossy(&reply.body), "{\"media\":\"\",\"key\":\"$KEY\"}.", "masked, and short");
    assert_eq!((filter.counted, filter.is_finished), (500_000, true));
    drop(reply);
    let error = http.send(&request).await.expect_err("without a filter it is too large");
    assert!(matches!(error, HttpError::TooLarge(_)), "{error:?}");
    assert_eq!(http.reply_memory_bytes().0, 0);
}

#[tokio::test]
async fn what_a_filter_keeps_is_limited_and_an_error_status_is_read_as_always() {
    let server = Server::start(|request| {
        if request.starts_with("GET /large") {
            ok(&"B".repeat(5_000))
        } else {
            Answer::Write("HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nAB".to_owned())
        }
    })
    .await;
    let mut filter = WithoutA::default();
    let large = local().send_filtered(&request("GET", &server.url("/large")), &mut filter).await;
    assert!(matches!(large, Err(HttpError::TooLarge(_))), "{large:?}");
    let failed = local().send_filtered(&request("GET", &server.url("/")), &mut filter).await.expect("a reply");
    assert_eq!((failed.status, failed.body.as_slice(), filter.counted), (500, &b"AB"[..], 0));
}
