//! The body of a download, counted; one that is shorter than its head says is an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt as _, stream};

use crate::ports::{ByteStream, HttpError, HttpStream};

/// How many bytes of a body have arrived.
pub(super) struct ReceivedBytes(Arc<AtomicU64>);

impl ReceivedBytes {
    /// Returns the number of bytes so far.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Returns the body of a reply and the number of its bytes that have arrived.
pub(super) fn measure_body(reply: HttpStream) -> (ByteStream, ReceivedBytes) {
    let expected = declared_length(&reply.headers);
    let received = Arc::new(AtomicU64::new(0));
    let counter = received.clone();
    let counted = reply.body.inspect(move |part| {
        if let Ok(bytes) = part {
            counter.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
    });
    let total = received.clone();
    let end = stream::once(async move {
        let count = total.load(Ordering::Relaxed);
        let is_short = expected.is_some_and(|expected| count < expected);
        let message = || format!("the body ended after {count} of {} bytes", expected.unwrap_or_default());
        is_short.then(|| Err(HttpError::Unknown(message())))
    });
    (Box::pin(counted.chain(end.filter_map(std::future::ready))), ReceivedBytes(received))
}

/// Returns the length of the body that the head states, unless an encoding changes it.
fn declared_length(headers: &[(String, String)]) -> Option<u64> {
    let value =
        |wanted: &str| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
    if value("content-encoding").is_some() {
        return None;
    }
    value("content-length")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    async fn collect(headers: &[(&str, &str)], parts: &[&'static [u8]]) -> (Result<usize, HttpError>, u64) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let parts: Vec<_> = parts.iter().map(|part| Ok(Bytes::from_static(part))).collect();
        let body: ByteStream = Box::pin(stream::iter(parts));
        let (mut body, received) = measure_body(HttpStream { status: 200, headers, url: String::new(), body });
        let mut size = 0;
        while let Some(part) = body.next().await {
            match part {
                Ok(bytes) => size += bytes.len(),
                Err(error) => return (Err(error), received.count()),
            }
        }
        (Ok(size), received.count())
    }

    #[tokio::test]
    async fn a_body_that_ends_early_is_an_error() {
        assert_eq!(collect(&[("content-length", "4")], &[b"ab", b"cd"]).await, (Ok(4), 4));
        assert_eq!(collect(&[], &[b"ab"]).await, (Ok(2), 2));
        let (outcome, received) = collect(&[("Content-Length", "4")], &[b"ab"]).await;
        assert_eq!((outcome.is_err(), received), (true, 2));
        let gzip = [("content-length", "9"), ("content-encoding", "gzip")];
        assert_eq!(collect(&gzip, &[b"ab"]).await.0, Ok(2));
    }
}
