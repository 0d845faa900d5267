//! A client for HTTP/1.0 on the loopback interface.
//!
//! With HTTP/1.0 each reply ends with its connection, so reading a reply or an event stream means reading a socket. A
//! library would take longer to compile than all of xtask.

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::Result;

/// A request to a server on this machine.
pub struct HttpRequest<'a> {
    /// The HTTP method, such as `GET`.
    pub method: &'a str,
    /// The URL, as `http://host:port/path`.
    pub url: &'a str,
    /// The token of the `authorization` header; none is sent if it is empty.
    pub token: &'a str,
    /// The JSON body.
    pub body: Option<&'a Value>,
}

/// A reply whose head has been read.
pub struct HttpReply {
    /// The status code.
    pub status: u16,
    stream: BufReader<TcpStream>,
}

impl HttpRequest<'_> {
    /// Sends the request and reads the head of the reply.
    ///
    /// # Errors
    /// The server can't be reached, or does not speak HTTP.
    pub async fn send(&self) -> Result<HttpReply> {
        let wrong = |error: std::io::Error| format!("`{}` gave no reply: {error}", self.url);
        let (host, head, body) = self.encode()?;
        let mut stream = TcpStream::connect(host).await.map_err(wrong)?;
        stream.write_all(head.as_bytes()).await.map_err(wrong)?;
        stream.write_all(body.as_bytes()).await.map_err(wrong)?;
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await.map_err(wrong)?;
        let status =
            parse_status(&line).ok_or_else(|| format!("`{}` answered `{}`, not HTTP", self.url, line.trim()))?;
        while line.trim_end() != "" {
            line.clear();
            stream.read_line(&mut line).await.map_err(wrong)?;
        }
        Ok(HttpReply { status, stream })
    }

    /// Returns the host, the head and the body, as they are sent.
    fn encode(&self) -> Result<(&str, String, String)> {
        let rest = self.url.strip_prefix("http://").ok_or_else(|| format!("`{}` is not an http URL", self.url))?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let token = Some(self.token).filter(|token| !token.is_empty());
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let body = self.body.map(Value::to_string);
        let content =
            body.as_ref().map(|body| format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        let head = format!(
            "{} {path} HTTP/1.0\r\nhost: {host}\r\n{authorization}{}\r\n",
            self.method,
            content.unwrap_or_default()
        );
        Ok((host, head, body.unwrap_or_default()))
    }
}

fn parse_status(line: &str) -> Option<u16> {
    line.strip_prefix("HTTP/1.")?.split_whitespace().nth(1)?.parse().ok()
}

impl HttpReply {
    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Reads the rest of the body.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn read_bytes(mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        self.stream.read_to_end(&mut body).await.map_err(|error| format!("the reply broke off: {error}"))?;
        Ok(body)
    }

    /// Reads the rest of the body as text.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn read_text(self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.read_bytes().await?).into_owned())
    }

    /// Appends the part of the body that has arrived; returns 0 at its end.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn read_chunk(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        self.stream.read_buf(buffer).await.map_err(|error| format!("the reply broke off: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_request_is_sent_and_its_reply_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/a/b?c=d", listener.local_addr().expect("its address"));
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.expect("a request");
            stream.write_all(b"HTTP/1.0 201 Created\r\nx-a: b\r\n\r\n{\"e\":\"f\"}").await.expect("it listens");
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let request = HttpRequest { method: "POST", url: &url, token: "secret", body: Some(&json!({"g": 1})) };
        let reply = request.send().await.expect("a reply");
        assert_eq!((reply.status, reply.is_success()), (201, true));
        assert_eq!(reply.read_text().await.expect("a body"), "{\"e\":\"f\"}");
        let sent = server.await.expect("the server ends");
        assert!(sent.starts_with("POST /a/b?c=d HTTP/1.0\r\nhost: 127.0.0.1:"), "{sent}");
        assert!(sent.contains("\r\nauthorization: Bearer secret\r\n"), "{sent}");
    }
}
