//! Connections that a handler can break during a call, like a failing network.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A TCP listener whose connections all end when `stop` is cancelled.
pub(crate) struct Listener {
    pub(crate) tcp: TcpListener,
    pub(crate) stop: CancellationToken,
}

impl axum::serve::Listener for Listener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        // axum's accept retries temporary failures.
        let (tcp, address) = axum::serve::Listener::accept(&mut self.tcp).await;
        // A delayed small packet would only make tests slower.
        let _ = tcp.set_nodelay(true);
        let cut = self.stop.child_token();
        let woken = Box::pin(cut.clone().cancelled_owned());
        (Stream { tcp, cut, woken }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A connection, as handlers see it.
#[derive(Clone)]
pub(crate) struct Connection {
    cut: CancellationToken,
}

impl Connection {
    /// Resets the connection: the client gets `ECONNRESET`, not an orderly close.
    pub(crate) fn cut_off(&self) {
        self.cut.cancel();
    }
}

impl Connected<IncomingStream<'_, Listener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Self { cut: stream.io().cut.clone() }
    }
}

/// A TCP stream that fails once its token is cancelled.
pub(crate) struct Stream {
    tcp: TcpStream,
    cut: CancellationToken,
    woken: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Stream {
    fn broken_pipe_error(&self) -> io::Error {
        // Closing with a linger time of zero makes the kernel send a reset instead of an orderly close.
        let _ = self.tcp.set_zero_linger();
        io::ErrorKind::ConnectionReset.into()
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Polled here so that a cancelled token wakes the server, which always waits for more to read.
        if self.woken.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(self.broken_pipe_error()));
        }
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.cut.is_cancelled() {
            return Poll::Ready(Err(self.broken_pipe_error()));
        }
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cut.is_cancelled() {
            return Poll::Ready(Err(self.broken_pipe_error()));
        }
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
