//! Turns a multipart body into one JSON document: `{"parts": [{"type": …, "name": …, "content": …}, …]}`.
//!
//! Source: RFC 2046 §5.1.

use serde_json::Value;

use super::{JsonFilter, ReplyParts};
use crate::call::reply_form::{file_name_of, mime_of, specific_mime};
use crate::call::retry_after::header_value;

/// Maximum size of the headers of a part, in bytes.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Reads parts that arrive in pieces of any size. A part of a JSON type is JSON, of a text type a string; any other
/// part is taken out.
#[derive(Debug)]
pub(crate) struct MultipartFilter {
    limit: usize,
    /// What separates parts, with the line break before it.
    delimiter: Vec<u8>,
    /// Bytes that may belong to a delimiter or to incomplete headers.
    held: Vec<u8>,
    state: PartState,
    count: usize,
}

#[derive(Debug)]
enum PartState {
    /// Before the first delimiter.
    Preamble,
    /// In the line of a delimiter.
    Delimiter,
    Headers,
    Content(Content),
    /// After the last part.
    Epilogue,
}

/// How the content of a part is read; a document or a text begins at this position in what is kept.
#[derive(Debug)]
enum Content {
    Json(JsonFilter, usize),
    Text(usize),
    Bytes,
}

impl MultipartFilter {
    /// Creates a filter for a boundary that takes out strings of base64 longer than `limit` bytes.
    pub(crate) fn new(boundary: &str, limit: usize) -> Self {
        // The first delimiter may be at the beginning, without a line break.
        let (held, delimiter) = (b"\r\n".to_vec(), format!("\r\n--{boundary}").into_bytes());
        Self { limit, delimiter, held, state: PartState::Preamble, count: 0 }
    }

    /// Takes the next bytes of the body; appends the document to `kept`.
    ///
    /// # Errors
    /// What is wrong with the body.
    pub(crate) fn push(&mut self, chunk: &[u8], kept: &mut Vec<u8>, parts: &mut ReplyParts) -> Result<(), String> {
        if kept.is_empty() {
            kept.extend_from_slice(b"{\"parts\":[");
        }
        self.held.extend_from_slice(chunk);
        while self.advance(kept, parts)? {}
        Ok(())
    }

    /// Takes the end of the body.
    ///
    /// # Errors
    /// The body is incomplete.
    pub(crate) fn finish(&mut self, kept: &mut Vec<u8>, parts: &mut ReplyParts) -> Result<(), String> {
        // Without a line break after it, the last delimiter is complete, too.
        self.push(b"\r\n", kept, parts)?;
        match self.state {
            PartState::Epilogue => kept.extend_from_slice(b"]}"),
            PartState::Preamble | PartState::Delimiter | PartState::Headers | PartState::Content(_) => {
                return Err("the multipart body ends before its last boundary".to_owned());
            }
        }
        Ok(())
    }

    /// Reads as much as is known; returns whether there may be more to read.
    fn advance(&mut self, kept: &mut Vec<u8>, parts: &mut ReplyParts) -> Result<bool, String> {
        match &mut self.state {
            PartState::Preamble => match find(&self.held, &self.delimiter) {
                Some(at) => {
                    self.held.drain(..at + self.delimiter.len());
                    self.state = PartState::Delimiter;
                    Ok(true)
                }
                None => {
                    let kept_from = self.held.len().saturating_sub(self.delimiter.len());
                    self.held.drain(..kept_from);
                    Ok(false)
                }
            },
            PartState::Delimiter => {
                if self.held.starts_with(b"--") {
                    self.state = PartState::Epilogue;
                    return Ok(true);
                }
                let Some(end) = find(&self.held, b"\r\n") else { return self.wait_for_line() };
                // The headers may be missing, so that their last line break is that of the delimiter.
                self.held.drain(..end);
                self.state = PartState::Headers;
                Ok(true)
            }
            PartState::Headers => {
                let Some(end) = find(&self.held, b"\r\n\r\n") else { return self.wait_for_line() };
                let head = String::from_utf8_lossy(&self.held[..end]).into_owned();
                self.held.drain(..end + 4);
                self.begin_part(&head, kept, parts);
                Ok(true)
            }
            PartState::Content(content) => {
                let found = find(&self.held, &self.delimiter);
                let end = found.unwrap_or(self.held.len().saturating_sub(self.delimiter.len() - 1));
                let taken: Vec<u8> = self.held.drain(..end).collect();
                match content {
                    Content::Json(filter, _) => filter.push(&taken, kept, parts),
                    Content::Text(_) => kept.extend_from_slice(&taken),
                    Content::Bytes => parts.push_bytes(&taken),
                }
                if found.is_some() {
                    self.held.drain(..self.delimiter.len());
                    self.end_part(kept, parts);
                }
                Ok(found.is_some())
            }
            PartState::Epilogue => {
                self.held.clear();
                Ok(false)
            }
        }
    }

    fn wait_for_line(&self) -> Result<bool, String> {
        if self.held.len() > MAX_HEADER_BYTES {
            return Err(format!("a part of the multipart body has more than {MAX_HEADER_BYTES} bytes of headers"));
        }
        Ok(false)
    }

    fn begin_part(&mut self, head: &str, kept: &mut Vec<u8>, parts: &mut ReplyParts) {
        let headers: Vec<(String, String)> = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        let content_type = header_value(&headers, "content-type");
        let mime = content_type.map_or_else(|| "text/plain".to_owned(), mime_of);
        let name = header_value(&headers, "content-disposition").and_then(file_name_of);
        if self.count > 0 {
            kept.push(b',');
        }
        self.count += 1;
        let (shown, named) = (Value::from(mime.as_str()), name.clone().map_or(Value::Null, Value::from));
        kept.extend_from_slice(format!("{{\"type\":{shown},\"name\":{named},\"content\":").as_bytes());
        let content = if mime == "application/json" || mime.ends_with("+json") {
            Content::Json(JsonFilter::new(self.limit), kept.len())
        } else if mime.starts_with("text/") {
            Content::Text(kept.len())
        } else {
            parts.begin_part(specific_mime(content_type), name);
            Content::Bytes
        };
        self.state = PartState::Content(content);
    }

    fn end_part(&mut self, kept: &mut Vec<u8>, parts: &mut ReplyParts) {
        let PartState::Content(content) = std::mem::replace(&mut self.state, PartState::Delimiter) else { return };
        match content {
            Content::Json(mut filter, at) => {
                filter.finish(kept, parts);
                if serde_json::from_slice::<serde::de::IgnoredAny>(&kept[at..]).is_err() {
                    quote_text(kept, at);
                }
            }
            Content::Text(at) => quote_text(kept, at),
            Content::Bytes => kept.extend_from_slice(Value::from(parts.end_part()).to_string().as_bytes()),
        }
        kept.push(b'}');
    }
}

/// Converts the end of a document to a string of JSON.
fn quote_text(kept: &mut Vec<u8>, at: usize) {
    let text = String::from_utf8_lossy(&kept[at..]).into_owned();
    kept.truncate(at);
    kept.extend_from_slice(Value::from(text).to_string().as_bytes());
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| *byte == wanted[0]) {
        if text[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<(Value, Vec<u8>), String> {
        let mut parts = ReplyParts::new("0123456789abcdef".to_owned());
        let mut kept = Vec::new();
        let mut filter = MultipartFilter::new("b-1", 40);
        for piece in pieces {
            filter.push(piece, &mut kept, &mut parts)?;
        }
        filter.finish(&mut kept, &mut parts)?;
        let document: Value =
            serde_json::from_slice(&kept).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&kept)));
        Ok((document["parts"].clone(), parts.take_bytes()))
    }

    const BODY: &[u8] = b"ignored\r\n--b-1\r\nContent-Type: application/json\r\n\r\n{\"a\": [1]}\r\n--b-1 \r\n\
        content-type: audio/mpeg\r\ncontent-disposition: attachment; filename=\"../x.mp3\"\r\n\r\n\
        \0\r\n--b-\r\n\xff\r\n--b-1\r\n\r\nplain\r\n--b-1--\r\nepilogue";

    #[test]
    fn parts_become_a_list_whatever_the_boundaries_of_chunks_are() {
        let marker = "<media 0, 10 bytes, 0123456789abcdef>";
        let expected = json!([
            {"type": "application/json", "name": null, "content": {"a": [1]}},
            {"type": "audio/mpeg", "name": "x.mp3", "content": marker},
            {"type": "text/plain", "name": null, "content": "plain"},
        ]);
        let bytes = b"\0\r\n--b-\r\n\xff".to_vec();
        for at in 0..=BODY.len() {
            let (first, second) = BODY.split_at(at);
            assert_eq!(read(&[first, second]), Ok((expected.clone(), bytes.clone())), "split at {at}");
        }
        let single: Vec<&[u8]> = BODY.chunks(1).collect();
        assert_eq!(read(&single), Ok((expected, bytes)));
    }

    #[test]
    fn broken_bodies_are_errors() {
        for body in [
            &b""[..],
            b"--b-1\r\n\r\nx",
            b"--b-2\r\n\r\nx\r\n--b-2--",
            &[b"--b-1\r\n", &vec![b'a'; 20_000][..]].concat(),
        ] {
            assert!(read(&[body]).is_err(), "{}", String::from_utf8_lossy(&body[..body.len().min(40)]));
        }
        assert_eq!(read(&[b"--b-1--"]).map(|(parts, _)| parts), Ok(json!([])));
        let broken = b"--b-1\r\ncontent-type: application/json\r\n\r\n{\"a\r\n--b-1--";
        assert_eq!(read(&[broken]).map(|(parts, _)| parts[0]["content"].clone()), Ok(json!("{\"a")));
    }
}
