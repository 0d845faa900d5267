//! Request and reply bodies that report when they wait for the client.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use crate::http::serving::activity::{Activity, WaitsFor};

/// A request whose reply has not been sent; ends with the reply's body.
pub(super) struct OpenRequest(Arc<Activity>);

impl OpenRequest {
    /// Notes that the head of a request is complete.
    pub(super) fn from_head(activity: &Arc<Activity>, is_http2: bool) -> Self {
        activity.begin_request(is_http2);
        Self(Arc::clone(activity))
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.end_request(Instant::now());
    }
}

/// A body of a connection, until it is dropped.
struct BodyMark {
    activity: Arc<Activity>,
    number: u64,
}

impl BodyMark {
    fn new(activity: Arc<Activity>) -> Self {
        let number = activity.add_body();
        Self { activity, number }
    }

    fn mark_waiting(&self, waits_for: WaitsFor) {
        self.activity.body_waits(self.number, waits_for, Instant::now());
    }

    fn goes_on(&self) {
        self.activity.body_goes_on(self.number);
    }
}

impl Drop for BodyMark {
    fn drop(&mut self) {
        self.goes_on();
    }
}

/// The body of a request: it waits for the client while the server wants more of it.
pub(super) struct RequestBody {
    inner: Body,
    mark: BodyMark,
}

impl RequestBody {
    pub(super) fn new(inner: Body, activity: &Arc<Activity>) -> Self {
        Self { inner, mark: BodyMark::new(Arc::clone(activity)) }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        match &frame {
            Poll::Pending => self.mark.mark_waiting(WaitsFor::Sending),
            Poll::Ready(_) => self.mark.goes_on(),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The body of a reply: it waits for the client from one part until the next one is wanted.
pub(super) struct ReplyBody {
    inner: Body,
    mark: BodyMark,
    _request: OpenRequest,
}

impl ReplyBody {
    pub(super) fn new(inner: Body, activity: &Arc<Activity>, request: OpenRequest) -> Self {
        Self { inner, mark: BodyMark::new(Arc::clone(activity)), _request: request }
    }
}

impl HttpBody for ReplyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.mark.goes_on();
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(_))) = &frame {
            self.mark.mark_waiting(WaitsFor::Reading);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
