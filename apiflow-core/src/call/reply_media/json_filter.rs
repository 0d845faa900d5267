//! Takes long strings of base64 and data URIs out of JSON that arrives in pieces of any size.

use super::base64_decoder::Base64Decoder;
use super::{ReplyParts, split_data_uri};

/// Maximum length of what precedes the content of a data URI, in bytes.
const MAX_DATA_URI_HEAD_BYTES: usize = 1024;

/// Replaces long strings of base64 in JSON by markers; everything else passes through unchanged.
#[derive(Debug)]
pub(crate) struct JsonFilter {
    /// Maximum size of strings that are not looked at, in bytes.
    limit: usize,
    state: State,
    /// The current string without its opening quote, as long as it is undecided.
    held: Vec<u8>,
    decoded: Vec<u8>,
}

#[derive(Debug)]
enum State {
    /// The position is outside of strings.
    Outside,
    /// In a string that may become too long.
    Undecided { is_escaped: bool },
    /// In a long string that is not base64.
    Passing { is_escaped: bool },
    /// In a long string of base64.
    Taking { decoder: Base64Decoder, escape: Escape, is_faulty: bool },
}

/// How much of an escape has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    Backslash,
    /// `\u`, with the number and the value of the digits so far.
    Unicode(u8, u32),
}

impl JsonFilter {
    /// Creates a filter that takes out strings of base64 longer than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, state: State::Outside, held: Vec::new(), decoded: Vec::new() }
    }

    /// Takes the next bytes of the document; appends what remains of it to `kept`.
    pub(crate) fn push(&mut self, mut chunk: &[u8], kept: &mut Vec<u8>, parts: &mut ReplyParts) {
        while !chunk.is_empty() {
            chunk = match &mut self.state {
                State::Outside => {
                    let end = chunk.iter().position(|byte| *byte == b'"').map_or(chunk.len(), |at| at + 1);
                    kept.extend_from_slice(&chunk[..end]);
                    if chunk[end - 1] == b'"' {
                        self.state = State::Undecided { is_escaped: false };
                    }
                    &chunk[end..]
                }
                State::Undecided { is_escaped } => {
                    let room = self.limit + 1 - self.held.len();
                    let (end, is_over) = end_of_string(&chunk[..room.min(chunk.len())], is_escaped);
                    self.held.extend_from_slice(&chunk[..end]);
                    if is_over {
                        kept.append(&mut self.held);
                        self.state = State::Outside;
                    } else if self.held.len() > self.limit {
                        self.decide(kept, parts);
                    }
                    &chunk[end..]
                }
                State::Passing { is_escaped } => {
                    let (end, is_over) = end_of_string(chunk, is_escaped);
                    kept.extend_from_slice(&chunk[..end]);
                    if is_over {
                        self.state = State::Outside;
                    }
                    &chunk[end..]
                }
                State::Taking { .. } => self.take(chunk, kept, parts),
            };
        }
    }

    /// Takes the end of the document.
    pub(crate) fn finish(&mut self, kept: &mut Vec<u8>, parts: &mut ReplyParts) {
        kept.append(&mut self.held);
        if let State::Taking { .. } = self.state {
            parts.fail_part("the reply ends in the middle of it");
            kept.extend_from_slice(parts.end_part().as_bytes());
        }
        self.state = State::Outside;
    }

    /// Decides what a string is that has become too long.
    fn decide(&mut self, kept: &mut Vec<u8>, parts: &mut ReplyParts) {
        let held = std::mem::take(&mut self.held);
        let is_escaped = matches!(self.state, State::Undecided { is_escaped: true });
        let Some(start) = content_start(&held) else {
            kept.extend_from_slice(&held);
            self.state = State::Passing { is_escaped };
            return;
        };
        let mime = start.mime;
        parts.begin_part(mime, None);
        self.state = State::Taking { decoder: Base64Decoder::default(), escape: Escape::None, is_faulty: false };
        // It contains no quote that ends the string.
        let rest = self.take(&held[start.at..], kept, parts);
        debug_assert!(rest.is_empty(), "the held part of a string does not end it");
    }

    /// Decodes up to the end of the string; returns what follows it.
    fn take<'a>(&mut self, chunk: &'a [u8], kept: &mut Vec<u8>, parts: &mut ReplyParts) -> &'a [u8] {
        let State::Taking { decoder, escape, is_faulty } = &mut self.state else { return chunk };
        let mut at = 0;
        let mut fault = None;
        let mut is_over = false;
        while at < chunk.len() && !is_over {
            let byte = chunk[at];
            at += 1;
            let letter = match (*escape, byte) {
                (Escape::None, b'\\') => {
                    *escape = Escape::Backslash;
                    continue;
                }
                (Escape::None, b'"') => {
                    is_over = true;
                    continue;
                }
                (Escape::None, _) => {
                    let run = &chunk[at - 1..];
                    let end = run.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(run.len());
                    at += end - 1;
                    if fault.is_none() && !*is_faulty {
                        fault = decoder.decode_into(&run[..end], &mut self.decoded).err();
                    }
                    continue;
                }
                (Escape::Backslash, b'u') => {
                    *escape = Escape::Unicode(0, 0);
                    continue;
                }
                (Escape::Backslash, _) => unescape(byte),
                (Escape::Unicode(digits, value), _) => {
                    let value = value << 4 | char::from(byte).to_digit(16).unwrap_or(0xffff);
                    if digits < 3 {
                        *escape = Escape::Unicode(digits + 1, value);
                        continue;
                    }
                    u8::try_from(value).unwrap_or(0)
                }
            };
            *escape = Escape::None;
            if fault.is_none() && !*is_faulty {
                fault = decoder.decode_into(&[letter], &mut self.decoded).err();
            }
        }
        if is_over && fault.is_none() && !*is_faulty {
            fault = decoder.finish(&mut self.decoded).err();
        }
        parts.push_bytes(&self.decoded);
        self.decoded.clear();
        if let Some(fault) = fault {
            parts.fail_part(fault);
            *is_faulty = true;
        }
        if is_over {
            kept.extend_from_slice(parts.end_part().as_bytes());
            kept.push(b'"');
            self.state = State::Outside;
        }
        &chunk[at..]
    }
}

/// Returns the end of what belongs to a string, its closing quote included, and whether it contains that.
fn end_of_string(chunk: &[u8], is_escaped: &mut bool) -> (usize, bool) {
    for (at, byte) in chunk.iter().enumerate() {
        match byte {
            _ if *is_escaped => *is_escaped = false,
            b'\\' => *is_escaped = true,
            b'"' => return (at + 1, true),
            _ => {}
        }
    }
    (chunk.len(), false)
}

/// Returns the character that follows a backslash; 0 for one that does not occur in base64.
fn unescape(byte: u8) -> u8 {
    match byte {
        b'/' => b'/',
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => 0,
    }
}

/// Where the base64 of a string begins.
struct ContentStart {
    at: usize,
    mime: Option<String>,
}

/// Returns where the base64 begins in the first bytes of a string; `None` if it is none.
fn content_start(held: &[u8]) -> Option<ContentStart> {
    let mut start = ContentStart { at: 0, mime: None };
    if held.starts_with(b"data:") {
        let comma = held.iter().take(MAX_DATA_URI_HEAD_BYTES).position(|byte| *byte == b',')?;
        // The slash of the MIME type may be escaped.
        let head: String = serde_json::from_slice(&[b"\"", &held[..=comma], b"\""].concat()).ok()?;
        let (mime, is_base64, _) = split_data_uri(&head)?;
        if !is_base64 {
            return None;
        }
        start = ContentStart { at: comma + 1, mime: mime.map(str::to_owned) };
    }
    is_base64(&held[start.at..]).then_some(start)
}

/// Returns whether the beginning of a string in JSON is base64; an escape at its end may be incomplete.
fn is_base64(mut text: &[u8]) -> bool {
    while let Some((first, rest)) = text.split_first() {
        text = match (first, rest) {
            (b'\\', []) => rest,
            (b'\\', [b'u', rest @ ..]) => {
                let digits = &rest[..rest.len().min(4)];
                let code = std::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let letter = code.and_then(|code| u8::try_from(code).ok());
                if digits.len() == 4 && !letter.is_some_and(Base64Decoder::is_expected) {
                    return false;
                }
                &rest[digits.len()..]
            }
            (b'\\', [escaped, rest @ ..]) => {
                if !Base64Decoder::is_expected(unescape(*escaped)) {
                    return false;
                }
                rest
            }
            (byte, _) => {
                if !Base64Decoder::is_expected(*byte) {
                    return false;
                }
                rest
            }
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    const LIMIT: usize = 40;

    fn filter(pieces: &[&[u8]]) -> (String, ReplyParts) {
        let mut parts = ReplyParts::new("0123456789abcdef".to_owned());
        let mut kept = Vec::new();
        let mut filter = JsonFilter::new(LIMIT);
        for piece in pieces {
            filter.push(piece, &mut kept, &mut parts);
        }
        filter.finish(&mut kept, &mut parts);
        (String::from_utf8(kept).expect("text stays text"), parts)
    }

    /// Puts the decoded bytes back in the place of markers, as base64.
    fn restore(value: Value, parts: &ReplyParts, bytes: &[u8]) -> Value {
        match value {
            Value::String(text) => match parts.part_at(&text) {
                Some(part) => {
                    assert_eq!(part.fault, None);
                    let content = STANDARD.encode(&bytes[part.start as usize..(part.start + part.size) as usize]);
                    json!(match &part.mime {
                        Some(mime) => format!("data:{mime};base64,{content}"),
                        None => content,
                    })
                }
                None => Value::String(text),
            },
            Value::Array(items) => items.into_iter().map(|item| restore(item, parts, bytes)).collect(),
            Value::Object(fields) => Value::Object(
                fields.into_iter().map(|(key, item)| (key, restore(item, parts, bytes))).collect::<Map<_, _>>(),
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    /// Writes a string as JSON; `style` chooses how slashes, plus signs and letters are escaped.
    fn write(text: &str, style: u8) -> String {
        match style {
            0 => json!(text).to_string(),
            1 => json!(text).to_string().replace('/', "\\/"),
            2 => json!(text).to_string().replace('+', "\\u002B").replace('=', "\\u003d"),
            _ => json!(text).to_string().replace('A', "\\u0041").replace('/', "\\u002f"),
        }
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| STANDARD.encode(bytes)),
            prop::collection::vec(any::<u8>(), 0..200)
                .prop_map(|bytes| format!("data:image/png;base64,{}", STANDARD.encode(bytes))),
            ".{0,80}",
            "[a-z \"\\\\/]{30,120}",
            "data:[a-z;,/]{0,60}",
        ]
    }

    proptest! {
        #[test]
        fn a_document_stays_the_same_but_for_its_media(
            texts in prop::collection::vec((text(), 0_u8..4), 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let fields = texts.iter().enumerate().map(|(index, (text, style))| {
                format!("\"k{index}\": [{}, 1.5, null, {{}}]", write(text, *style))
            });
            let document = format!("{{{}}}", fields.collect::<Vec<_>>().join(" ,"));
            let bytes = document.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
            let (kept, mut parts) = filter(&pieces);
            let decoded = parts.take_bytes();
            let expected: Value = serde_json::from_str(&document).expect("the test writes JSON");
            let found: Value = serde_json::from_str(&kept).expect("it is still JSON");
            prop_assert_eq!(restore(found, &parts, &decoded), expected);
            let longest = kept.split('"').filter(|text| !text.starts_with("<media")).map(str::len).max();
            let long = texts.iter().any(|(text, _)| STANDARD.decode(text).is_ok() && text.len() > LIMIT);
            prop_assert!(!long || parts.len() > 0 && longest < Some(bytes.len()));
        }
    }

    #[test]
    fn every_boundary_gives_the_same_result() {
        let media = STANDARD.encode((0..=255).collect::<Vec<u8>>());
        let document = format!(
            "{{\"a\": \"{}\", \"b\\\"\": \"data:image\\/png;base64,{}\", \"c\": \"{}\\n\\\\\\\"\"}}",
            media.replace('/', "\\/"),
            media.replace('+', "\\u002b"),
            "some text ".repeat(10),
        );
        let whole = filter(&[document.as_bytes()]).0;
        assert_eq!(whole.matches("<media ").count(), 2, "{whole}");
        for at in 0..document.len() {
            let (first, second) = document.as_bytes().split_at(at);
            let (kept, mut parts) = filter(&[first, second]);
            assert_eq!(kept, whole, "split at {at}");
            assert_eq!(parts.take_bytes().len(), 512, "split at {at}");
        }
    }

    #[test]
    fn what_begins_as_base64_and_is_none_is_a_fault_of_its_part() {
        for (content, fault) in [
            (format!("{}*", "A".repeat(100)), "it contains a character that is not base64"),
            (format!("{}\\u2020", "A".repeat(100)), "it contains a character that is not base64"),
            ("A".repeat(101), "the base64 is cut off"),
            (format!("{}==AAAA", "A".repeat(98)), "its base64 continues after the padding"),
        ] {
            let (kept, parts) = filter(&[format!("[\"{content}\"]").as_bytes()]);
            let kept: Value = serde_json::from_str(&kept).expect("it is still JSON");
            let part = parts.part_at(kept[0].as_str().expect("a marker")).expect("its part");
            assert_eq!(part.fault.as_deref(), Some(fault), "{content}");
        }
        let (kept, parts) = filter(&[format!("[\"{}", "A".repeat(100)).as_bytes()]);
        assert!(serde_json::from_str::<Value>(&kept).is_err(), "{kept}");
        assert_eq!(parts.len(), 1);
    }
}
