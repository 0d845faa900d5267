//! Counts of requests and responses since the process started.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

/// Counts of requests and responses; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResponseCounters(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Responses by the first digit of their status, from 1.
    by_class: [AtomicU64; 5],
    open_requests: AtomicI64,
}

impl ResponseCounters {
    /// Returns the number of responses by class: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub(crate) fn responses_by_class(&self) -> [u64; 5] {
        self.0.by_class.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Returns the number of requests that have no response yet.
    pub(crate) fn open_requests(&self) -> i64 {
        self.0.open_requests.load(Ordering::Relaxed)
    }
}

/// Middleware that counts a request and its response.
pub(crate) async fn count_response(State(counters): State<ResponseCounters>, request: Request, next: Next) -> Response {
    let open = CountedRequest::count_request(&counters.0.open_requests);
    let response = next.run(request).await;
    drop(open);
    let class = usize::from(response.status().as_u16() / 100).clamp(1, 5) - 1;
    counters.0.by_class[class].fetch_add(1, Ordering::Relaxed);
    response
}

/// A request without a response; it leaves the count also if its client disconnects.
struct CountedRequest<'a>(&'a AtomicI64);

impl<'a> CountedRequest<'a> {
    fn count_request(count: &'a AtomicI64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for CountedRequest<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
