//! Bodies that are made while they are sent: files of any size, whole or cut off, and JSON with base64 in it.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;

use crate::connection::Connection;

/// The largest part that is made at once, in bytes; a multiple of three, so that the base64 of parts can be joined.
const MAX_PART_BYTES: u64 = 3 * 16 * 1024;

/// A file's content: its beginning, and zeros up to its size.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) start: Bytes,
    pub(crate) size: u64,
}

impl Content {
    /// Creates a file of at least `size` bytes.
    pub(crate) fn new(start: Bytes, size: Option<u64>) -> Self {
        let size = size.unwrap_or(0).max(start.len() as u64);
        Self { start, size }
    }

    fn read(&self, from: u64, to: u64) -> Bytes {
        let known = self.start.len() as u64;
        if to <= known {
            return self.start.slice(from as usize..to as usize);
        }
        let mut part = self.start.slice(from.min(known) as usize..).to_vec();
        part.resize((to - from) as usize, 0);
        part.into()
    }
}

/// How a file is sent.
pub(crate) struct Sending {
    pub(crate) mime: String,
    /// Pause before each part; with a pause the file is sent in eight parts.
    pub(crate) pause: Duration,
    /// The connection to reset in the middle of the body.
    pub(crate) cut: Option<Connection>,
}

/// Replies with a file.
pub(crate) fn reply_with_file(content: Content, sending: Sending) -> Response {
    let part_size = if sending.pause.is_zero() { MAX_PART_BYTES } else { (content.size / 8).max(1) };
    let size = content.size;
    let state = (content, 0_u64, sending.cut);
    let pause = sending.pause;
    let body = stream::unfold(state, move |(content, sent, cut)| async move {
        if let Some(connection) = cut.as_ref().filter(|_| sent >= content.size / 2) {
            // What was sent is given time to leave, so that the client sees a part of the body.
            tokio::time::sleep(Duration::from_millis(20)).await;
            connection.cut_off();
            return Some((Err(io::ErrorKind::ConnectionReset.into()), (content, sent, cut)));
        }
        if sent >= content.size {
            return None;
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let to = (sent + part_size).min(content.size);
        let to = if cut.is_some() { to.min((content.size / 2).max(1)) } else { to };
        Some((Ok::<_, io::Error>(content.read(sent, to)), (content, to, cut)))
    });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, size.into());
    if let Ok(mime) = HeaderValue::try_from(sending.mime) {
        headers.insert(header::CONTENT_TYPE, mime);
    }
    response
}

/// A part of a JSON document.
pub(crate) enum JsonPart {
    Text(String),
    /// A file's content in base64.
    Base64(Content),
}

impl JsonPart {
    fn size(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Base64(content) => content.size.div_ceil(3) * 4,
        }
    }
}

/// Replies with a JSON document whose parts are sent one after the other.
pub(crate) fn reply_with_json_parts(parts: Vec<JsonPart>) -> Response {
    let size: u64 = parts.iter().map(JsonPart::size).sum();
    let state = (VecDeque::from(parts), 0_u64);
    let body = stream::unfold(state, |(mut parts, sent)| async move {
        let (text, next) = match parts.front()? {
            JsonPart::Text(text) => (text.clone(), None),
            JsonPart::Base64(content) => {
                let to = (sent + MAX_PART_BYTES).min(content.size);
                (STANDARD.encode(content.read(sent, to)), (to < content.size).then_some(to))
            }
        };
        if next.is_none() {
            parts.pop_front();
        }
        Some((Ok::<_, io::Error>(Bytes::from(text)), (parts, next.unwrap_or(0))))
    });
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static("application/json")), (header::CONTENT_LENGTH, size.into())];
    (StatusCode::OK, headers, Body::from_stream(body)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[tokio::test]
    async fn base64_that_is_sent_in_parts_is_one_text() {
        let content = Content::new(Bytes::from_static(b"hello"), Some(100_000));
        let expected = [b"hello".as_slice(), &vec![0; 99_995]].concat();
        let parts = vec![JsonPart::Text("<".into()), JsonPart::Base64(content), JsonPart::Text(">".into())];
        let reply = reply_with_json_parts(parts);
        let announced = reply.headers()[header::CONTENT_LENGTH].to_str().map(str::to_owned).expect("a number");
        let body = to_bytes(reply.into_body(), usize::MAX).await.expect("the body is whole");
        assert_eq!(body, format!("<{}>", STANDARD.encode(expected)));
        assert_eq!(announced, body.len().to_string());
    }

    #[tokio::test]
    async fn a_file_has_its_size() {
        let sending = Sending { mime: "image/png".into(), pause: Duration::from_millis(1), cut: None };
        let reply = reply_with_file(Content::new(Bytes::from_static(b"hello"), Some(1000)), sending);
        let body = to_bytes(reply.into_body(), usize::MAX).await.expect("the body is whole");
        assert_eq!((body.len(), &body[..6]), (1000, b"hello\0".as_slice()));
    }
}
