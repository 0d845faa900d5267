//! Bodies whose bytes are counted while they are passed on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use apiflow_core::ports::{ByteStream, RequestStream};
use apiflow_core::runtime::{OpenCall, PassedEnd};
use axum::body::Body;
use futures_util::{StreamExt as _, stream};

/// Counts the bytes of a request's body.
pub(super) fn count_sent(upload: RequestStream, sent: Arc<AtomicU64>) -> RequestStream {
    let bytes = upload.bytes.inspect(move |part| {
        if let Ok(part) = part {
            sent.fetch_add(part.len() as u64, Ordering::Relaxed);
        }
    });
    RequestStream { size: upload.size, bytes: Box::pin(bytes) }
}

/// What is still to be passed on of a reply.
enum Rest {
    /// The call has not ended.
    Counted(Box<OpenCall>, ByteStream),
    /// The call has ended with the last byte that the head announced.
    Tail(ByteStream),
    Nothing,
}

/// Passes the body of a reply on, and ends its call with it: before the last bytes, so that a caller who has them finds
/// the call recorded and its slot free.
pub(super) fn count_reply(call: OpenCall, body: ByteStream) -> Body {
    let parts = stream::unfold(Rest::Counted(Box::new(call), body), |rest| async move {
        match rest {
            Rest::Counted(mut call, mut body) => match body.next().await {
                Some(Ok(part)) => {
                    if !call.note_received(&part) {
                        return Some((Ok(part), Rest::Counted(call, body)));
                    }
                    call.finish(PassedEnd::Replied(None)).await;
                    Some((Ok(part), Rest::Tail(body)))
                }
                Some(Err(error)) => {
                    call.finish(PassedEnd::Replied(Some(error.to_string()))).await;
                    Some((Err(error), Rest::Nothing))
                }
                None => {
                    call.finish(PassedEnd::Replied(None)).await;
                    None
                }
            },
            Rest::Tail(mut body) => body.next().await.map(|part| (part, Rest::Tail(body))),
            Rest::Nothing => None,
        }
    });
    Body::from_stream(parts)
}
