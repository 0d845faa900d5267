//! The outputs of models: a small real PNG that differs for each prediction, in the form of the model's schema.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Width and height of the image in pixels.
const SIDE_SIZE_PX: u32 = 8;

/// Returns a valid RGB image of 8 × 8 pixels whose colour is derived from `seed`.
pub(crate) fn draw_png(seed: &str) -> Vec<u8> {
    let colour = compute_crc32(seed.as_bytes()).to_be_bytes();
    let row = std::iter::once(0).chain(colour[..3].iter().copied().cycle().take(SIDE_SIZE_PX as usize * 3));
    let pixels: Vec<u8> = (0..SIDE_SIZE_PX).flat_map(|_| row.clone()).collect();

    let mut header = [SIDE_SIZE_PX.to_be_bytes(), SIDE_SIZE_PX.to_be_bytes()].concat();
    // Eight bits, RGB, and the only compression, filter and interlace methods that small files need.
    header.extend([8, 2, 0, 0, 0]);

    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    write_chunk(&mut file, *b"IHDR", &header);
    write_chunk(&mut file, *b"IDAT", &stored_zlib(&pixels));
    write_chunk(&mut file, *b"IEND", &[]);
    file
}

/// Returns the same image as a `data:` URI.
pub(crate) fn png_data_uri(seed: &str) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(draw_png(seed)))
}

/// Returns an output that matches a model's output schema: one file, a list of one file, tokens, or a string.
pub(crate) fn output_for(schema: &Value, uri: &str, prompt: &str) -> Value {
    let text = format!("You said: {prompt}");
    match (schema["type"].as_str(), schema["items"]["format"].as_str(), schema["format"].as_str()) {
        (Some("array"), Some("uri"), _) => json!([uri]),
        (Some("array"), _, _) => text.split_inclusive(' ').collect(),
        (_, _, Some("uri")) => json!(uri),
        _text => json!(text),
    }
}

/// Returns `template` with `{name}` replaced in each of its strings.
pub(crate) fn fill_template(template: &Value, names: &[(&str, &str)]) -> Value {
    match template {
        Value::String(text) => {
            json!(
                names.iter().fold(text.clone(), |text, (name, value)| { text.replace(&format!("{{{name}}}"), value) })
            )
        }
        Value::Array(items) => items.iter().map(|item| fill_template(item, names)).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), fill_template(value, names))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
    }
}

fn write_chunk(file: &mut Vec<u8>, kind: [u8; 4], body: &[u8]) {
    file.extend((body.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(body);
    let sum = compute_crc32(&file[start..]);
    file.extend(sum.to_be_bytes());
}

/// Returns a zlib stream of one stored block. The data must be smaller than 64 KiB.
fn stored_zlib(data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    let mut stream = vec![0x78, 0x01, 0x01];
    stream.extend(length.to_le_bytes());
    stream.extend((!length).to_le_bytes());
    stream.extend(data);
    let (low, high) = data.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    stream.extend((high << 16 | low).to_be_bytes());
    stream
}

fn compute_crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_agree_with_their_published_vectors() {
        assert_eq!(compute_crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(stored_zlib(b"Wikipedia")[16..], 0x11E6_0398_u32.to_be_bytes());
    }

    #[test]
    fn each_prediction_has_an_image_of_its_own() {
        assert!(draw_png("a").starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x08\0\0\0\x08\x08\x02"));
        assert_ne!(draw_png("a"), draw_png("b"));
    }

    #[test]
    fn an_output_has_the_form_of_its_schema() {
        let check = |schema: Value, expected: Value| {
            assert_eq!(output_for(&schema, "u:1", "hi"), expected, "{schema}");
        };
        check(json!({"type": "string", "format": "uri"}), json!("u:1"));
        check(json!({"type": "array", "items": {"type": "string", "format": "uri"}}), json!(["u:1"]));
        check(json!({"type": "array", "items": {"type": "string"}}), json!(["You ", "said: ", "hi"]));
        check(json!({"type": "string"}), json!("You said: hi"));
    }

    #[test]
    fn templates_are_filled_in_texts_at_any_depth() {
        let filled = fill_template(&json!({"a": ["{id}.png", 1], "b": "{host}/{id}"}), &[("id", "x"), ("host", "h")]);
        assert_eq!(filled, json!({"a": ["x.png", 1], "b": "h/x"}));
    }
}
