//! Turns a stream of server-sent events into one JSON document: `{"events": [{"data": …, "event": …}, …]}`.
//!
//! Source: WHATWG HTML §9.2.6, "Interpreting an event stream".

use serde_json::Value;

use super::{JsonFilter, ReplyParts};

/// Maximum size of the name of an event, in bytes; the rest is cut off.
const MAX_NAME_BYTES: usize = 256;
/// What ends a stream, although it is no event.
///
/// Source: the streams of OpenAI, and of those that imitate it.
const END: &[u8] = b"[DONE]";

/// Reads events that arrive in pieces of any size. Data that is an object or an array is JSON, all other data a string.
#[derive(Debug)]
pub(crate) struct EventStreamFilter {
    limit: usize,
    line: Line,
    /// Whether the last byte was a carriage return, so that a line feed belongs to it.
    is_after_return: bool,
    is_begun: bool,
    is_over: bool,
    events: usize,
    name: Vec<u8>,
    /// Where the data of the current event begins in what is kept.
    data_at: Option<usize>,
    data: JsonFilter,
}

/// Where in a line the stream is.
#[derive(Debug)]
enum Line {
    /// In the name of the field.
    Field(Vec<u8>),
    /// Before the value, where one space is skipped.
    BeforeValue(Field),
    Value(Field),
}

/// The fields that are read; identifiers, retry times and comments are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Event,
    Data,
    Other,
}

impl Field {
    fn from_name(name: &[u8]) -> Self {
        match name {
            b"event" => Self::Event,
            b"data" => Self::Data,
            _ => Self::Other,
        }
    }
}

impl EventStreamFilter {
    /// Creates a filter that takes out strings of base64 longer than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Line::Field(Vec::new()),
            is_after_return: false,
            is_begun: false,
            is_over: false,
            events: 0,
            name: Vec::new(),
            data_at: None,
            data: JsonFilter::new(limit),
        }
    }

    /// Takes the next bytes of the stream; appends the document to `kept`.
    pub(crate) fn push(&mut self, mut chunk: &[u8], kept: &mut Vec<u8>, parts: &mut ReplyParts) {
        self.begin(kept);
        if std::mem::take(&mut self.is_after_return) && chunk.first() == Some(&b'\n') {
            chunk = &chunk[1..];
        }
        while !chunk.is_empty() && !self.is_over {
            let end = chunk.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            self.take_part(&chunk[..end.unwrap_or(chunk.len())], kept, parts);
            let Some(end) = end else { return };
            self.end_line(kept, parts);
            let is_pair = chunk[end] == b'\r' && chunk.get(end + 1) == Some(&b'\n');
            self.is_after_return = chunk[end] == b'\r' && end + 1 == chunk.len();
            chunk = &chunk[end + 1 + usize::from(is_pair)..];
        }
    }

    /// Takes the end of the stream. An event that is not followed by an empty line counts, because some providers omit
    /// the last one.
    pub(crate) fn finish(&mut self, kept: &mut Vec<u8>, parts: &mut ReplyParts) {
        self.begin(kept);
        self.end_line(kept, parts);
        self.end_event(kept, parts);
        kept.extend_from_slice(b"]}");
    }

    fn begin(&mut self, kept: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.is_begun, true) {
            kept.extend_from_slice(b"{\"events\":[");
        }
    }

    /// Takes bytes of one line.
    fn take_part(&mut self, part: &[u8], kept: &mut Vec<u8>, parts: &mut ReplyParts) {
        let mut rest = part;
        if let Line::Field(name) = &mut self.line {
            let colon = rest.iter().position(|byte| *byte == b':');
            let end = colon.unwrap_or(rest.len());
            let room = MAX_NAME_BYTES.saturating_sub(name.len());
            name.extend_from_slice(&rest[..end.min(room)]);
            if colon.is_none() {
                return;
            }
            let field = Field::from_name(name.strip_prefix("\u{feff}".as_bytes()).unwrap_or(name));
            self.begin_value(field, kept, parts);
            rest = &rest[end + 1..];
        }
        if let Line::BeforeValue(field) = self.line {
            let Some(first) = rest.first() else { return };
            self.line = Line::Value(field);
            rest = &rest[usize::from(*first == b' ')..];
        }
        match self.line {
            Line::Value(Field::Data) => self.data.push(rest, kept, parts),
            Line::Value(Field::Event) => {
                let room = MAX_NAME_BYTES.saturating_sub(self.name.len());
                self.name.extend_from_slice(&rest[..rest.len().min(room)]);
            }
            Line::Value(Field::Other) | Line::Field(_) | Line::BeforeValue(_) => {}
        }
    }

    fn begin_value(&mut self, field: Field, kept: &mut Vec<u8>, parts: &mut ReplyParts) {
        self.line = Line::BeforeValue(field);
        match field {
            Field::Event => self.name.clear(),
            // Further lines of data belong to the same event.
            Field::Data if self.data_at.is_some() => self.data.push(b"\n", kept, parts),
            Field::Data => {
                if self.events > 0 {
                    kept.push(b',');
                }
                kept.extend_from_slice(b"{\"data\":");
                self.data_at = Some(kept.len());
                self.data = JsonFilter::new(self.limit);
            }
            Field::Other => {}
        }
    }

    fn end_line(&mut self, kept: &mut Vec<u8>, parts: &mut ReplyParts) {
        let line = std::mem::replace(&mut self.line, Line::Field(Vec::new()));
        match line {
            Line::Field(name) if name.is_empty() => self.end_event(kept, parts),
            // A line without a colon is a field with an empty value.
            Line::Field(name) => {
                self.begin_value(Field::from_name(&name), kept, parts);
                self.line = Line::Field(Vec::new());
            }
            Line::BeforeValue(_) | Line::Value(_) => {}
        }
    }

    fn end_event(&mut self, kept: &mut Vec<u8>, parts: &mut ReplyParts) {
        let name = std::mem::take(&mut self.name);
        let Some(at) = self.data_at.take() else { return };
        self.data.finish(kept, parts);
        let separator = usize::from(self.events > 0);
        if &kept[at..] == END {
            kept.truncate(at - "{\"data\":".len() - separator);
            self.is_over = true;
            return;
        }
        // Deltas such as `5` and `true` are text.
        let is_document = matches!(kept.get(at), Some(b'{' | b'['));
        if !is_document || serde_json::from_slice::<serde::de::IgnoredAny>(&kept[at..]).is_err() {
            let text = String::from_utf8_lossy(&kept[at..]).into_owned();
            kept.truncate(at);
            kept.extend_from_slice(Value::from(text).to_string().as_bytes());
        }
        if !name.is_empty() {
            let name = Value::from(String::from_utf8_lossy(&name).into_owned());
            kept.extend_from_slice(format!(",\"event\":{name}").as_bytes());
        }
        kept.push(b'}');
        self.events += 1;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Value {
        let mut parts = ReplyParts::new("0123456789abcdef".to_owned());
        let mut kept = Vec::new();
        let mut filter = EventStreamFilter::new(40);
        for piece in pieces {
            filter.push(piece, &mut kept, &mut parts);
        }
        filter.finish(&mut kept, &mut parts);
        let document: Value =
            serde_json::from_slice(&kept).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&kept)));
        document["events"].clone()
    }

    fn check(stream: &str, expected: &Value) {
        assert_eq!(&read(&[stream.as_bytes()]), expected, "{stream}");
        for at in 0..=stream.len() {
            let (first, second) = stream.as_bytes().split_at(at);
            assert_eq!(&read(&[first, second]), expected, "{stream} split at {at}");
        }
        let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(&read(&single), expected, "{stream} in single bytes");
    }

    #[test]
    fn events_become_a_list() {
        check("", &json!([]));
        check("data: {\"a\": 1}\n\ndata: [2]\n\n", &json!([{"data": {"a": 1}}, {"data": [2]}]));
        check(
            "event: output\r\nid: 7\r\ndata:  world\r\n\r\nevent: done\r\ndata: {}\r\n\r\n",
            &json!([{"data": " world", "event": "output"}, {"data": {}, "event": "done"}]),
        );
        check("data: 5\r\rdata: true\r\r", &json!([{"data": "5"}, {"data": "true"}]));
        check(": a comment\nretry: 5\ndata: one\ndata: two\n\n", &json!([{"data": "one\ntwo"}]));
        check("data: {\"a\":\ndata: 1}\n\n", &json!([{"data": {"a": 1}}]));
        check("\u{feff}data: x\n\n", &json!([{"data": "x"}]));
        check("data\n\nevent: ping\n\nevent: x\ndata: y", &json!([{"data": ""}, {"data": "y", "event": "x"}]));
        check("data: {broken\n\ndata: say \"hi\" \\\n\n", &json!([{"data": "{broken"}, {"data": "say \"hi\" \\"}]));
        check("data: {\"x\": 1}\n\ndata: [DONE]\n\ndata: late\n\n", &json!([{"data": {"x": 1}}]));
        check("data: [DONE]\n\n", &json!([]));
    }

    #[test]
    fn base64_in_events_is_taken_out() {
        let delta = "QUJD".repeat(20);
        let stream = format!("data: {{\"audio\": \"{delta}\"}}\n\n").repeat(3);
        let mut parts = ReplyParts::new("0123456789abcdef".to_owned());
        let mut kept = Vec::new();
        let mut filter = EventStreamFilter::new(40);
        filter.push(stream.as_bytes(), &mut kept, &mut parts);
        filter.finish(&mut kept, &mut parts);
        assert_eq!((parts.len(), parts.take_bytes()), (3, b"ABC".repeat(60)));
        assert!(!String::from_utf8_lossy(&kept).contains("QUJD"));
    }
}
