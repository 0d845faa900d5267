//! The calls that stand-ins make themselves: input images and webhooks, over plain HTTP to this machine.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Maximum duration of a call.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of a reply, in bytes.
const MAX_REPLY_BYTES: usize = 64 * 1024 * 1024;

/// Reads a file; `None` if it can't be read.
pub(crate) async fn fetch(url: &str) -> Option<Vec<u8>> {
    let (status, body) = send(Method::GET, url, &[], Bytes::new()).await?;
    (status == 200).then(|| body.to_vec())
}

/// Sends a request to a loopback address, without following redirects; returns status and body. `None` for other
/// addresses and if there is no reply.
pub(crate) async fn send(method: Method, url: &str, headers: &[(&str, String)], body: Bytes) -> Option<(u16, Bytes)> {
    tokio::time::timeout(TIMEOUT, exchange(method, url, headers, body)).await.ok()?
}

async fn exchange(method: Method, url: &str, headers: &[(&str, String)], body: Bytes) -> Option<(u16, Bytes)> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"))?;
    let port = authority.port_u16().unwrap_or(80);
    let host = authority.host().trim_matches(['[', ']']);
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await.ok()?.collect();
    let address = addresses.into_iter().find(|address| address.ip().is_loopback())?;
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::builder().method(method).uri(path).header(header::HOST, authority.as_str());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    let reply = sender.send_request(request.body(Body::from(body)).ok()?).await.ok()?;
    let status = reply.status().as_u16();
    Some((status, to_bytes(Body::new(reply.into_body()), MAX_REPLY_BYTES).await.ok()?))
}
