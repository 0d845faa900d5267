//! Estimates how much memory the JSON of a reply takes once it is parsed.

use serde_json::Value;

use super::without_byte_order_mark;

/// Memory of an element of an array: arrays grow by doubling.
const ELEMENT_BYTES: usize = 2 * size_of::<Value>();
/// Memory of an object without its fields.
const OBJECT_BYTES: usize = 256;
/// Memory of a field without its value: hash, key and index, which grow by doubling, too.
const FIELD_BYTES: usize = 192;
/// Memory of a string without its bytes: allocations are rounded up.
const TEXT_BYTES: usize = 32;

/// Returns an upper bound, in bytes, of the memory that a body takes once it is parsed: more than 70 times its own size
/// for `[0,0,…]`. Scans the body without parsing it.
pub(crate) fn json_memory_bytes(body: &[u8]) -> usize {
    let body = without_byte_order_mark(body).trim_ascii_start();
    if !matches!(body.first(), Some(b'{' | b'[')) {
        return body.len();
    }
    let (mut elements, mut objects, mut fields, mut texts) = (1, 0, 0, 0);
    let (mut is_text, mut is_escaped) = (false, false);
    for byte in body {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => {
                texts += usize::from(!is_text);
                is_text = !is_text;
            }
            _ if is_text => {}
            b',' | b'[' => elements += 1,
            b'{' => {
                elements += 1;
                objects += 1;
            }
            b':' => fields += 1,
            _ => {}
        }
    }
    body.len() + elements * ELEMENT_BYTES + objects * OBJECT_BYTES + fields * FIELD_BYTES + texts * TEXT_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a lower bound of the memory that a value takes.
    fn taken(value: &Value) -> usize {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.capacity(),
            Value::Array(items) => items.capacity() * size_of::<Value>() + items.iter().map(taken).sum::<usize>(),
            Value::Object(fields) => {
                let entry = size_of::<(usize, String, Value)>();
                fields.iter().map(|(key, value)| entry + key.capacity() + taken(value)).sum()
            }
        }
    }

    #[test]
    fn values_take_no_more_than_is_counted() {
        let many = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
        let documents = [
            many("0", 5_000),
            many("[]", 4_097),
            many("{}", 1_000),
            many("{\"a\":0}", 1_000),
            many("{\"a\":{\"b\":[1,2]},\"c\":\"\\\\\\\"[,{:\"}", 100),
            many("\"\"", 3_000),
            many("\"some text, with: commas [and] {brackets}\"", 100),
            format!("{{{}}}", (0..1_000).map(|n| format!("\"k{n}\":{n}")).collect::<Vec<_>>().join(",")),
            format!("\u{feff} {}", many("1.5", 10)),
        ];
        for document in documents {
            let value: Value = serde_json::from_slice(without_byte_order_mark(document.as_bytes())).expect("JSON");
            let (counted, taken) = (json_memory_bytes(document.as_bytes()), taken(&value));
            let shown: String = document.chars().take(40).collect();
            assert!(counted >= taken, "{shown}: {counted} are counted, {taken} are taken");
            assert!(counted <= 20 * taken.max(document.len()), "{shown}: {counted} are counted, {taken} are taken");
        }
    }

    #[test]
    fn what_is_no_document_takes_its_own_size() {
        assert_eq!(json_memory_bytes(b"hello, [0,0]"), 12);
        assert_eq!(json_memory_bytes(b""), 0);
        let text = format!("[\"{}\"]", "A".repeat(1_000_000));
        assert!(json_memory_bytes(text.as_bytes()) < 1_001_000, "media in a text takes its own size");
    }
}
