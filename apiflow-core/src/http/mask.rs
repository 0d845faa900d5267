//! Masks secrets in replies, in every encoding in which they may occur.
//!
//! Providers, frameworks and proxies echo a value as it is, inside a JSON string (`\/`, `\u0026`), percent-encoded,
//! HTML-escaped, in base64, and in combinations (Go's `encoding/json` writes an HTML-escaped `&#47;` as `\u0026#47;`).
//! So values are not searched for as bytes: at each position, every possible decoding of the text is compared with the
//! value.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::call::without_byte_order_mark;

/// Minimum length of a value that is searched for in replies, in bytes: shorter ones would occur by chance.
const MIN_MASKED_BYTES: usize = 8;

/// Minimum length of a value's beginning that is masked at the end of a truncated body, in bytes.
const MIN_PART_BYTES: usize = 4;

/// Maximum number of backslashes before an escape: a JSON string in a JSON string has two or three, the next level up
/// to seven.
const MAX_BACKSLASHES: usize = 15;

/// Maximum length of an HTML entity, including leading zeros.
const MAX_ENTITY_BYTES: usize = 12;

/// Entities of the characters that occur in keys.
const ENTITIES: [(&[u8], u8); 18] = [
    (b"amp", b'&'),
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"quot", b'"'),
    (b"apos", b'\''),
    (b"sol", b'/'),
    (b"bsol", b'\\'),
    (b"plus", b'+'),
    (b"equals", b'='),
    (b"colon", b':'),
    (b"semi", b';'),
    (b"period", b'.'),
    (b"comma", b','),
    (b"lowbar", b'_'),
    (b"hyphen", b'-'),
    (b"percnt", b'%'),
    (b"dollar", b'$'),
    (b"num", b'#'),
];

/// Searches for the values of some secrets. Not `Debug`, so that no value can be printed.
pub(super) struct Masker {
    /// Longest first, so that a value is not masked as a shorter one that is a part of it.
    needles: Vec<Needle>,
    /// Whether a value may begin with a byte; the first byte of an escape may begin any.
    may_begin: [bool; 256],
}

/// Returns whether an escape begins with a byte.
fn begins_escape(byte: u8) -> bool {
    matches!(byte, b'\\' | b'%' | b'&' | b'+')
}

struct Needle {
    bytes: Vec<u8>,
    /// The text that replaces the value.
    label: String,
}

impl Masker {
    /// Creates a masker of these values, each with the name that replaces it.
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut needles: Vec<Needle> = Vec::new();
        for (name, value) in secrets {
            for form in encoded_forms(value).into_iter().filter(|form| !form.is_empty()) {
                let known = needles.iter().any(|needle| needle.bytes == form);
                if !known {
                    needles.push(Needle { bytes: form, label: format!("${name}") });
                }
            }
        }
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.bytes.len()));
        let mut may_begin = [false; 256];
        for byte in needles.iter().map(|needle| needle.bytes[0]).chain(*b"\\%&+") {
            may_begin[usize::from(byte)] = true;
        }
        Self { needles, may_begin }
    }

    /// Masks values of any length, in URLs and errors.
    pub(super) fn mask_text(&self, text: String) -> String {
        match self.replace_secrets(text.as_bytes(), 1, false) {
            Some(masked) => String::from_utf8_lossy(&masked).into_owned(),
            None => text,
        }
    }

    /// Masks the value of a reply's header.
    pub(super) fn mask_header(&self, value: &[u8]) -> String {
        let masked = self.replace_secrets(value, MIN_MASKED_BYTES, false);
        String::from_utf8_lossy(masked.as_deref().unwrap_or(value)).into_owned()
    }

    /// Masks a reply's body. JSON stays valid: strings, keys and numbers are masked one by one.
    pub(super) fn mask_body(&self, body: Vec<u8>) -> Vec<u8> {
        let Some(masked) = self.replace_secrets(&body, MIN_MASKED_BYTES, true) else { return body };
        match serde_json::from_slice(without_byte_order_mark(&body)) {
            Ok(json) => self.mask_json(json).to_string().into_bytes(),
            Err(_) => masked,
        }
    }

    /// Returns the name of a secret whose value occurs in the text.
    pub(super) fn find_secret(&self, text: &str) -> Option<&str> {
        let text = text.as_bytes();
        let at_any = |needle: &&Needle| (0..text.len()).any(|at| end_of_match(text, at, &needle.bytes, 0).is_some());
        self.needles.iter().find(at_any).map(|needle| needle.label.trim_start_matches('$'))
    }

    fn mask_json(&self, json: Value) -> Value {
        let masked = |text: &str| self.replace_secrets(text.as_bytes(), MIN_MASKED_BYTES, false);
        let lossy = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match json {
            Value::String(text) => Value::String(masked(&text).map_or(text, lossy)),
            Value::Number(number) => match masked(&number.to_string()) {
                Some(bytes) => Value::String(lossy(bytes)),
                None => Value::Number(number),
            },
            Value::Array(items) => items.into_iter().map(|item| self.mask_json(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.into_iter();
                fields.map(|(key, item)| (masked(&key).map_or(key, lossy), self.mask_json(item))).collect()
            }
            Value::Null | Value::Bool(_) => json,
        }
    }

    /// Masks values of at least `min_bytes`; `None` if there are none. If the text may be truncated, the beginning of a
    /// value at its end is masked, too.
    fn replace_secrets(&self, text: &[u8], min_bytes: usize, may_be_cut: bool) -> Option<Vec<u8>> {
        // The shorter ones come last.
        let count = self.needles.partition_point(|needle| needle.bytes.len() >= min_bytes);
        let needles = &self.needles[..count];
        if needles.is_empty() {
            return None;
        }
        let mut written: Option<Vec<u8>> = None;
        let (mut at, mut copied) = (0, 0);
        while at < text.len() {
            let first = text[at];
            if !self.may_begin[usize::from(first)] {
                at += 1;
                continue;
            }
            let mut candidates = needles.iter().filter(|needle| needle.bytes[0] == first || begins_escape(first));
            let found = candidates.find_map(|needle| {
                let max_missing = if may_be_cut { needle.bytes.len().saturating_sub(MIN_PART_BYTES) } else { 0 };
                Some((end_of_match(text, at, &needle.bytes, max_missing)?, needle))
            });
            let Some((end, needle)) = found else {
                at += 1;
                continue;
            };
            let out = written.get_or_insert_default();
            out.extend_from_slice(&text[copied..at]);
            out.extend_from_slice(needle.label.as_bytes());
            (at, copied) = (end, end);
        }
        let mut out = written?;
        out.extend_from_slice(&text[copied..]);
        Some(out)
    }
}

/// Returns a value, its base64 forms at every alignment within a longer text, and, if it is base64 itself, the decoded
/// value: both parts of `Authorization: Basic`.
fn encoded_forms(value: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![value.as_bytes().to_vec()];
    if value.len() < MIN_MASKED_BYTES {
        return forms;
    }
    for shift in 0..3 {
        let shifted = [&vec![0; shift], value.as_bytes()].concat();
        // Characters that share bits with the neighbouring bytes are unknown.
        let (skipped, whole) = ((shift * 8).div_ceil(6), shifted.len() * 8 / 6);
        for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            forms.push(encoded.as_bytes()[skipped..whole].to_vec());
        }
    }
    if let Some(pair) = STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok())
        && let Some((_, password)) = pair.split_once(':')
    {
        forms.push(pair.as_bytes().to_vec());
        forms.extend((password.len() >= MIN_MASKED_BYTES).then(|| password.as_bytes().to_vec()));
    }
    forms
}

/// Returns the end of an occurrence of a value at `at`, in any encoding; at the end of the text, up to `max_missing`
/// bytes of the value may be missing.
fn end_of_match(text: &[u8], at: usize, needle: &[u8], max_missing: usize) -> Option<usize> {
    if needle.is_empty() {
        return Some(at);
    }
    let whole = each_reading(text, at, &mut |bytes, next| {
        let rest = needle.strip_prefix(bytes)?;
        end_of_match(text, next, rest, max_missing)
    });
    whole.or_else(|| (needle.len() <= max_missing && ends_unfinished(text, at)).then_some(text.len()))
}

/// Returns whether `at` is the end of the text, or a truncated escape.
fn ends_unfinished(text: &[u8], at: usize) -> bool {
    if text.len() - at > MAX_ENTITY_BYTES {
        return false;
    }
    match text.get(at) {
        None => true,
        Some(b'\\') => decode_json_escape(text, at).is_none(),
        Some(b'%') => percent_encoded(text, at + 1).is_none(),
        Some(b'&') => decode_html_entity(text, at + 1).is_none(),
        Some(_) => false,
    }
}

/// Calls `accept` with each decoding of the text at `at` (its bytes, and the position after it) until it returns true.
fn each_reading(text: &[u8], at: usize, accept: &mut dyn FnMut(&[u8], usize) -> Option<usize>) -> Option<usize> {
    let first = *text.get(at)?;
    if let Some(end) = accept(&[first], at + 1) {
        return Some(end);
    }
    match first {
        b'\\' => read_backslashes(text, at, accept),
        b'+' => accept(b" ", at + 1),
        b'%' => percent_encoded(text, at + 1).and_then(|(byte, next)| accept(&[byte], next)),
        b'&' => decode_html_entity(text, at + 1).and_then(|(letter, next)| accept_letter(letter, next, accept)),
        _ => None,
    }
}

/// Decodes a run of backslashes: a backslash at some level of nested strings, or an escape.
fn read_backslashes(text: &[u8], at: usize, accept: &mut dyn FnMut(&[u8], usize) -> Option<usize>) -> Option<usize> {
    let run = text[at..].iter().take(MAX_BACKSLASHES).take_while(|byte| **byte == b'\\').count();
    for length in [2, 4, 8].into_iter().filter(|length| *length <= run) {
        if let Some(end) = accept(b"\\", at + length) {
            return Some(end);
        }
    }
    let (letter, next) = decode_json_escape(text, at)?;
    if let Some(end) = accept_letter(letter, next, accept) {
        return Some(end);
    }
    match letter {
        '%' => percent_encoded(text, next).and_then(|(byte, next)| accept(&[byte], next)),
        '&' => decode_html_entity(text, next).and_then(|(letter, next)| accept_letter(letter, next, accept)),
        _ => None,
    }
}

fn accept_letter(letter: char, next: usize, accept: &mut dyn FnMut(&[u8], usize) -> Option<usize>) -> Option<usize> {
    accept(letter.encode_utf8(&mut [0; 4]).as_bytes(), next)
}

/// Decodes a JSON escape after any number of backslashes.
fn decode_json_escape(text: &[u8], at: usize) -> Option<(char, usize)> {
    let run = text[at..].iter().take(MAX_BACKSLASHES).take_while(|byte| **byte == b'\\').count();
    let kind = at + run;
    if run == 0 {
        return None;
    }
    let letter = match text.get(kind)? {
        b'u' => return unicode_escape(text, at, kind),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        plain @ (b'"' | b'/' | b'\'') => char::from(*plain),
        _ => return None,
    };
    Some((letter, kind + 1))
}

fn unicode_escape(text: &[u8], at: usize, kind: usize) -> Option<(char, usize)> {
    let unit = |from: usize| fixed_digits(text.get(from..from + 4)?, 16);
    let (high, end) = (unit(kind + 1)?, kind + 5);
    if let Some(letter) = char::from_u32(high) {
        return Some((letter, end));
    }
    // The second half of a pair is preceded by the same number of backslashes.
    let low = end + (kind - at) + 1;
    if text.get(end..low)? != &text[at..=kind] {
        return None;
    }
    let pair = [u16::try_from(high).ok()?, u16::try_from(unit(low)?).ok()?];
    let letter = char::decode_utf16(pair).next()?.ok()?;
    Some((letter, low + 4))
}

/// Decodes an ASCII character, as it is or as a JSON escape.
fn decode_ascii(text: &[u8], at: usize) -> Option<(u8, usize)> {
    match text.get(at)? {
        b'\\' => decode_json_escape(text, at).and_then(|(letter, next)| Some((u8::try_from(letter).ok()?, next))),
        byte => Some((*byte, at + 1)),
    }
}

/// Decodes the byte after a `%`, even if it was encoded again (`%252F`).
fn percent_encoded(text: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        let (high, next) = decode_ascii(text, at)?;
        let (low, next) = decode_ascii(text, next)?;
        let byte = u8::try_from(fixed_digits(&[high, low], 16)?).ok()?;
        let again = decode_ascii(text, next).and_then(|(high, next)| Some((high, decode_ascii(text, next)?.0)));
        let is_inner = again.is_some_and(|(high, low)| fixed_digits(&[high, low], 16).is_some());
        if byte != b'%' || !is_inner {
            return Some((byte, next));
        }
        at = next;
    }
}

/// Decodes the HTML entity after a `&`, even if it was escaped again (`&amp;#47;`).
fn decode_html_entity(text: &[u8], mut at: usize) -> Option<(char, usize)> {
    loop {
        let (letter, next) = one_entity(text, at)?;
        if letter != '&' || one_entity(text, next).is_none() {
            return Some((letter, next));
        }
        at = next;
    }
}

fn one_entity(text: &[u8], at: usize) -> Option<(char, usize)> {
    let (mut name, mut next) = (Vec::new(), at);
    loop {
        let (byte, after) = decode_ascii(text, next)?;
        next = after;
        if byte == b';' {
            break;
        }
        name.push(byte);
        if name.len() > MAX_ENTITY_BYTES {
            return None;
        }
    }
    let letter = match name.strip_prefix(b"#") {
        Some(digits) => match digits.strip_prefix(b"x").or_else(|| digits.strip_prefix(b"X")) {
            Some(digits) => char::from_u32(fixed_digits(digits, 16)?)?,
            None => char::from_u32(fixed_digits(digits, 10)?)?,
        },
        None => char::from(ENTITIES.iter().find(|(known, _)| *known == name)?.1),
    };
    Some((letter, next))
}

fn fixed_digits(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "r8_a/b&c+d\"e\\f ü<g>";

    fn masker() -> Masker {
        Masker::new([
            ("KEY", KEY),
            ("NUMBER", "12345678901"),
            ("PAIR", "aWQ6Y2FuYXJ5LXBhc3N3b3Jk"),
            ("LONG", "12345678901-long"),
        ])
    }

    /// Checks how a body that contains the key in some encoding is masked.
    fn check(body: &str, expected: &str) {
        let masked = masker().mask_body(body.as_bytes().to_vec());
        assert_eq!(String::from_utf8(masked).as_deref(), Ok(expected), "{body}");
    }

    fn in_json(written: &str) -> String {
        format!("{{\"detail\": \"bad key {written}.\", \"{written}\": [1.50]}}")
    }

    #[test]
    fn a_key_in_json_is_masked_however_it_is_escaped() {
        let expected = r#"{"detail":"bad key $KEY.","$KEY":[1.5]}"#;
        for written in [
            // As serde, JavaScript, Python, PHP and Go write it.
            r#"r8_a/b&c+d\"e\\f ü<g>"#,
            r#"r8_a\/b&c+d\"e\\f \u00fc<g>"#,
            r#"r8_a\/b\u0026c+d\"e\\f \u00FC\u003cg\u003e"#,
            r"\u0072\u0038\u005F\u0061\u002F\u0062\u0026\u0063\u002b\u0064\u0022\u0065\u005c\u0066\u0020\u00fc\u003c\u0067\u003e",
            // Percent-encoded in either case, and twice.
            "r8_a%2Fb%26c%2Bd%22e%5Cf%20%C3%BC%3Cg%3E",
            "r8_a%2fb%26c%2bd%22e%5cf+%c3%bc%3cg%3e",
            "r8_a%252Fb%2526c%252Bd%2522e%255Cf%2520%25C3%25BC%253Cg%253E",
            r"r8_a\u00252Fb\u002526c\u0025\u0032Bd%22e%5Cf%20%C3%BC%3Cg%3E",
            // HTML-escaped, also inside Go's JSON, and twice.
            r"r8_a/b&amp;c+d&quot;e\\f ü&lt;g&gt;",
            r"r8_a&#47;b\u0026amp;c+d\u0026#34;e\\f \u0026#xfc;&lt;g&gt;",
            r"r8_a&#x0002F;b&amp;amp;c&plus;d&amp;quot;e&#92;f&#32;&#252;&amp;lt;g&amp;gt;",
            // A JSON string inside a JSON string.
            r#"r8_a\\\/b&c+d\\\"e\\\\f \\u00fc<g>"#,
        ] {
            check(&in_json(written), expected);
        }
    }

    #[test]
    fn a_key_in_other_text_is_masked_too() {
        check(
            "data: {\"a\": \"r8_a\\/b\\u0026c+d\\\"e\\\\f \\u00fc<g>\"}\n\ndata: [DO",
            "data: {\"a\": \"$KEY\"}\n\ndata: [DO",
        );
        check("<p>r8_a/b&amp;c+d&quot;e\\f ü&lt;g&gt;</p>", "<p>$KEY</p>");
        check("key=r8_a%2fb%26c%2bd%22e%5cf+%c3%bc%3cg%3e&x=1", "key=$KEY&x=1");
    }

    #[test]
    fn keys_in_base64_are_masked_from_both_sides() {
        for (before, after) in [("", ""), ("u:", ""), ("id:", "!"), ("user:", "??")] {
            let encoded = STANDARD.encode(format!("{before}{KEY}{after}"));
            let masked = String::from_utf8(masker().mask_body(encoded.clone().into_bytes())).expect("text");
            assert!(masked.contains("$KEY") && masked.len() < "$KEY".len() + 12, "{encoded}: {masked}");
        }
        check("user id:canary-password", "user $PAIR");
        check("{\"password\":\"canary-password\"}", "{\"password\":\"$PAIR\"}");
    }

    #[test]
    fn json_stays_json() {
        check(r#"{"account": 12345678901, "z": 1, "a": [2]}"#, r#"{"account":"$NUMBER","z":1,"a":[2]}"#);
        check("{\"a\": \"12345678901-long\"}", "{\"a\":\"$LONG\"}");
    }

    #[test]
    fn what_holds_no_key_keeps_its_bytes() {
        for body in
            [r#"{"a" : "r8_a\/b%26 \u00fc", "n": 1.50}"#, "100% & <b>", "", "\\", "\\u", "%", "%2", "&#", "&;&amp"]
        {
            check(body, body);
        }
    }

    #[test]
    fn no_part_of_a_key_is_left_where_a_body_was_cut() {
        for whole in ["{\"a\": \"r8_a\\/b\\u0026c+d\\\"e\\\\f \\u00fc<g>", "<p>r8_a/b&amp;c+d&quot;e\\f ü&lt;g&gt;"] {
            let start = whole.find("r8_a").expect("the key is there");
            for cut in (start + 4..=whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
                let masked = String::from_utf8(masker().mask_body(whole.as_bytes()[..cut].to_vec())).expect("text");
                assert!(masked.ends_with("$KEY") && !masked.contains("r8_a"), "{masked}");
            }
        }
        check("the key is r8_", "the key is r8_");
    }

    #[test]
    fn short_values_are_found_in_urls_alone() {
        let masker = Masker::new([("PIN", "a1b2")]);
        assert_eq!(masker.mask_body(b"a1b2".to_vec()), b"a1b2");
        assert_eq!(masker.mask_text("https://h/?pin=a1%62%32".to_owned()), "https://h/?pin=$PIN");
        assert_eq!(masker.find_secret("https://h/?pin=%61%31%62%32"), Some("PIN"));
        assert_eq!(masker.find_secret("https://h/?pin=a1b"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic(text: Vec<u8>) {
            masker().mask_body(text);
        }

        #[test]
        fn any_value_is_found_in_any_json(value in ".{8,20}", before: String, after: String) {
            let masker = Masker::new([("ANY", value.as_str())]);
            let escaped: String = value.encode_utf16().fold(String::new(), |text, unit| format!("{text}\\u{unit:04x}"));
            for written in [json!(format!("{before}{value}{after}")).to_string(), format!("\"{escaped}\"")] {
                let masked = masker.mask_body(written.into_bytes());
                let text: String = serde_json::from_slice(&masked).expect("it stays JSON");
                proptest::prop_assert!(text.contains("$ANY"));
                proptest::prop_assert!(!text.contains(value.as_str()) || "$ANY".contains(value.as_str()));
            }
        }
    }
}
