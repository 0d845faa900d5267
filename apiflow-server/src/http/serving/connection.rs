//! One connection: HTTP/1 or HTTP/2 on a stream, under deadlines.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Version};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::Service as _;
use tower_http::timeout::TimeoutBody;

use crate::http::serving::ServingLimits;
use crate::http::serving::activity::Activity;
use crate::http::serving::body::{OpenRequest, ReplyBody, RequestBody};
use crate::http::serving::stream::RecordedStream;

/// Largest head of a request, and the buffer for parts of its body, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Concurrent requests of one HTTP/2 connection.
const MAX_HTTP2_STREAMS: u32 = 128;

/// An HTTP/2 client that does not answer a ping within the timeout is considered gone.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(30);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Answers the requests of a connection until it ends, keeps the server waiting too long, or `stop`.
pub(super) async fn serve_connection<S>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    activity: Arc<Activity>,
    limits: &ServingLimits,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stall_timeout = limits.stall_timeout;
    let requests = Arc::clone(&activity);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let open = OpenRequest::from_head(&requests, request.version() == Version::HTTP_2);
        let activity = Arc::clone(&requests);
        let mut router = router.clone();
        let mut request = request.map(|body| {
            let paced = Body::new(TimeoutBody::new(stall_timeout, body));
            Body::new(RequestBody::new(paced, &activity))
        });
        request.extensions_mut().insert(ConnectInfo(peer));
        async move {
            let response = router.call(request).await?;
            Ok::<_, Infallible>(response.map(|body| ReplyBody::new(body, &activity, open)))
        }
    });
    let builder = connection_builder();
    let io = TokioIo::new(RecordedStream::new(stream, Arc::clone(&activity)));
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut stopping = None;
    loop {
        let deadline = activity.next_deadline(limits, stopping);
        if let Some((at, closing)) = deadline
            && at <= Instant::now()
        {
            tracing::debug!(%peer, ?closing, "closing a connection");
            return;
        }
        let due = async {
            match deadline {
                Some((at, _)) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "a connection failed");
                }
                return;
            }
            () = activity.wait_for_change() => {}
            () = due => {}
            () = stop.cancelled(), if stopping.is_none() => {
                stopping = Some(Instant::now());
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn connection_builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Heads are timed by the connection's activity, which can tell them from a connection that is idle.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_HTTP2_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .keep_alive_interval(HTTP2_PING_INTERVAL)
        .keep_alive_timeout(HTTP2_PING_TIMEOUT);
    builder
}
