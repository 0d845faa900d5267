//! JSON of callers, read without loss: duplicate keys and integers beyond 64 bits are refused. A lenient parser would keep
//! one of the values, and round.

use std::borrow::Cow;
use std::collections::BTreeSet;

use apiflow_core::call::without_byte_order_mark;
use apiflow_core::json::pointer_push;
use serde_json::Value;

use crate::api::Fault;
use crate::http::problem::Problem;

/// Maximum number of faults that are reported at once.
const MAX_FAULTS: usize = 50;

/// Reads a JSON text.
///
/// # Errors
/// 400 if it is not JSON; 422 with the positions of values that would be lost.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    let bytes = without_byte_order_mark(bytes);
    let value =
        serde_json::from_slice(bytes).map_err(|error| Problem::malformed(format!("the body is not JSON: {error}")))?;
    let faults = find_losses(bytes);
    if faults.is_empty() {
        Ok(value)
    } else {
        Err(Problem::invalid("the body has duplicate keys or numbers that would be rounded", faults))
    }
}

/// Returns the faults of a text that is known to be JSON.
pub(crate) fn find_losses(json: &[u8]) -> Vec<Fault> {
    let mut scan = Scan { json, at: 0, open: Vec::new(), faults: Vec::new() };
    while scan.faults.len() < MAX_FAULTS && scan.scan_token() {}
    scan.faults
}

/// An open object or array.
enum Open<'j> {
    Object {
        keys: BTreeSet<Cow<'j, str>>,
        /// The key whose value comes next, or was read last.
        key: Cow<'j, str>,
        wants_key: bool,
    },
    Array {
        index: usize,
    },
}

struct Scan<'j> {
    json: &'j [u8],
    at: usize,
    open: Vec<Open<'j>>,
    faults: Vec<Fault>,
}

impl<'j> Scan<'j> {
    /// Reads the next token; returns whether there was one.
    fn scan_token(&mut self) -> bool {
        let Some(&byte) = self.json.get(self.at) else { return false };
        match byte {
            b'{' => self.open.push(Open::Object { keys: BTreeSet::new(), key: Cow::Borrowed(""), wants_key: true }),
            b'[' => self.open.push(Open::Array { index: 0 }),
            b'}' | b']' => drop(self.open.pop()),
            b',' => match self.open.last_mut() {
                Some(Open::Object { wants_key, .. }) => *wants_key = true,
                Some(Open::Array { index }) => *index += 1,
                None => {}
            },
            b'"' => {
                let text = self.scan_string();
                self.take_key(text);
                return true;
            }
            b'-' | b'0'..=b'9' => {
                self.scan_number();
                return true;
            }
            _ => {}
        }
        self.at += 1;
        true
    }

    /// Reads the string that starts here, with its quotes.
    fn scan_string(&mut self) -> &'j [u8] {
        let begin = self.at;
        self.at += 1;
        while let Some(&byte) = self.json.get(self.at) {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        self.json.get(begin..self.at).unwrap_or_default()
    }

    /// Uses a string as a key if one is expected.
    fn take_key(&mut self, text: &'j [u8]) {
        let Some(Open::Object { keys, key, wants_key: wants_key @ true }) = self.open.last_mut() else { return };
        *wants_key = false;
        let plain = text.get(1..text.len().saturating_sub(1)).and_then(|inner| std::str::from_utf8(inner).ok());
        *key = match plain {
            Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
            Some(_) | None => Cow::Owned(serde_json::from_slice(text).unwrap_or_default()),
        };
        if !keys.insert(key.clone()) {
            let message = format!("duplicate key `{key}`: one of the two values would be lost");
            self.note_fault(message);
        }
    }

    fn scan_number(&mut self) {
        let begin = self.at;
        let ends = |byte: &u8| !matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
        let length = self.json[begin..].iter().position(ends).unwrap_or(self.json.len() - begin);
        self.at += length;
        let text = std::str::from_utf8(&self.json[begin..self.at]).unwrap_or_default();
        let is_integer = !text.contains(['.', 'e', 'E']);
        if is_integer && text.parse::<i64>().is_err() && text.parse::<u64>().is_err() {
            self.note_fault("the number has more than 64 bits and would be rounded: send it as a string".to_owned());
        }
    }

    fn note_fault(&mut self, message: String) {
        let pointer = self.open.iter().fold(String::new(), |pointer, open| match open {
            Open::Object { key, .. } => pointer_push(&pointer, key),
            Open::Array { index } => format!("{pointer}/{index}"),
        });
        self.faults.push(Fault { pointer, message, code: None, help: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &[&str]) {
        serde_json::from_str::<Value>(json).expect("it is JSON");
        let found: Vec<String> = find_losses(json.as_bytes()).into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(found, expected, "{json}");
    }

    #[test]
    fn nothing_is_lost_of_plain_json() {
        check(r#"{"a": {"a": [1, {"a": "a", "b": "{\"a\":1,\"a\":2}"}]}, "b": [], "": {}}"#, &[]);
        check(r#"[{"a": 1}, {"a": 1}]"#, &[]);
        check("[18446744073709551615, -9223372036854775808, 1e25, 0.1, -0, 12345678901234567890.5]", &[]);
        check(r#""\\""#, &[]);
    }

    #[test]
    fn keys_that_are_given_twice_have_their_place() {
        check(r#"{"a": 1, "a": 2}"#, &["/a"]);
        check(r#"{"x/y": [0, {"k": {}, "\u006b": 1}]}"#, &["/x~1y/1/k"]);
        check(r#"{"a": {"b": 1, "b": 2}, "a": 3}"#, &["/a/b", "/a"]);
    }

    #[test]
    fn integers_beyond_64_bits_have_their_place() {
        check("18446744073709551616", &[""]);
        check(r#"{"id": [1, -9223372036854775809]}"#, &["/id/1"]);
    }

    #[test]
    fn faults_are_few_however_many_there_are() {
        let json = format!("[{}0]", r#"{"a":1,"a":1},"#.repeat(1_000));
        assert_eq!(find_losses(json.as_bytes()).len(), MAX_FAULTS);
    }
}
