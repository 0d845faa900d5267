//! A call as it arrived: its body in each of the forms in which clients send one.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::records::MediaCall;
use crate::world::World;

/// A call that the stand-in received.
#[derive(axum::extract::FromRequest)]
#[from_request(state(Arc<World>))]
pub(crate) struct Call {
    #[from_request(via(ConnectInfo))]
    pub(crate) connection: Connection,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A part of a multipart body.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) bytes: Bytes,
}

/// A multipart body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    pub(crate) parts: Vec<Part>,
}

impl Form {
    /// Returns the text of a part.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let part = self.parts.iter().find(|part| part.name == name && part.file_name.is_none())?;
        std::str::from_utf8(&part.bytes).ok()
    }

    /// Returns the first file with one of these names.
    pub(crate) fn file(&self, names: &[&str]) -> Option<&Part> {
        self.parts.iter().find(|part| names.contains(&part.name.as_str()) && part.file_name.is_some())
    }

    /// Describes the parts: texts in full, files by size and digest.
    pub(crate) fn describe(&self) -> Value {
        let part = |part: &Part| {
            let mut shown = json!({"name": part.name, "size_bytes": part.bytes.len()});
            match (&part.file_name, std::str::from_utf8(&part.bytes)) {
                (None, Ok(text)) => shown["text"] = json!(text),
                (file_name, _) => {
                    shown["file_name"] = json!(file_name);
                    shown["content_type"] = json!(part.content_type);
                    shown["sha256"] = json!(hash_bytes(&part.bytes));
                }
            }
            shown
        };
        json!({"multipart": self.parts.iter().map(part).collect::<Vec<_>>()})
    }
}

/// Returns the SHA-256 of bytes as hexadecimal digits.
pub(crate) fn hash_bytes(bytes: &[u8]) -> String {
    encode_hex(digest(&SHA256, bytes).as_ref())
}

/// Returns bytes as hexadecimal digits.
pub(crate) fn encode_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// Returns a short text without special characters that differs for each `serial`.
pub(crate) fn build_id(salt: u64, serial: u64) -> String {
    let bytes = digest(&SHA256, &[salt.to_be_bytes(), serial.to_be_bytes()].concat());
    // Ids must not begin with a dash.
    format!("t{}", URL_SAFE_NO_PAD.encode(&bytes.as_ref()[..15]).replace(['-', '_'], "x"))
}

impl Call {
    /// Returns the body as JSON; null if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Returns a header; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns a value of the query, with escapes.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let pairs = self.uri.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
        Some(decode_percent(value))
    }

    /// Parses a multipart body; the error says what is wrong.
    pub(crate) async fn read_form(&self) -> Result<Form, String> {
        read_form(self.header("content-type"), self.body.clone()).await
    }

    /// Returns the record of the call; `body` is its description.
    pub(crate) fn to_record(&self, body: Value) -> MediaCall {
        let hidden = [header::AUTHORIZATION.as_str(), "xi-api-key", "x-key"];
        let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: BTreeMap<String, String> = self
            .headers
            .iter()
            .filter(|(name, _)| !hidden.contains(&name.as_str()))
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect();
        MediaCall {
            method: self.method.to_string(),
            path: self.uri.path().to_owned(),
            query: self.uri.query().map(str::to_owned),
            headers,
            body,
            at: SystemTime::now(),
            task: None,
        }
    }
}

/// Parses a multipart body; the error says what is wrong.
pub(crate) async fn read_form(content_type: &str, body: Bytes) -> Result<Form, String> {
    let boundary = multer::parse_boundary(content_type).map_err(|error| error.to_string())?;
    let mut multipart = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let mut form = Form::default();
    while let Some(field) = multipart.next_field().await.map_err(|error| error.to_string())? {
        let name = field.name().ok_or("a part has no name")?.to_owned();
        let file_name = field.file_name().map(str::to_owned);
        let content_type = field.content_type().map(ToString::to_string);
        let bytes = field.bytes().await.map_err(|error| error.to_string())?;
        form.parts.push(Part { name, file_name, content_type, bytes });
    }
    Ok(form)
}

/// Decodes `%41` and `+`.
fn decode_percent(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
}
