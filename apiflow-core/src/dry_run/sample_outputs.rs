//! Sample values of the outputs that a node declares.

use serde_json::{Map, Value, json};

use crate::catalog::{Node, NodeOutput, ValueType};
use crate::digest::hash_text;

/// Returns a plausible result of the node: each output's default if it is not empty, else a value of its type that
/// contains the output's name.
///
/// Media is an object like that of an artifact. Links lead to `example.com`, which is reserved for examples. A list has two elements, so that a loop over it is
/// visible as one. A node that declares no outputs returns its provider's reply, about which nothing is known: its
/// sample is the input of the call.
pub(super) fn sample_outputs(node: &Node, input: &Value) -> Value {
    if node.output.is_empty() {
        return input.clone();
    }
    Value::Object(node.output.iter().map(|output| (output.name.clone(), of_output(node, output))).collect())
}

fn of_output(node: &Node, output: &NodeOutput) -> Value {
    let says_something = |default: &&Value| !default.is_null() && default.as_str() != Some("");
    if let Some(default) = output.default.as_ref().filter(says_something) {
        return default.clone();
    }
    let several = output.pick.as_deref() == Some("all") && output.r#type != ValueType::Array;
    let value = |suffix: &str| of_type(output.r#type, &node.id, &format!("{}{suffix}", output.name));
    if several { json!([value("-1"), value("-2")]) } else { value("") }
}

fn of_type(value_type: ValueType, node: &str, name: &str) -> Value {
    // No real artifact has such an id.
    let artifact = |ending: &str, mime: &str| {
        json!({
            "artifact": format!("sample-{}", &hash_text(&format!("{node}/{name}"))[..12]),
            "url": format!("https://example.com/{node}/{name}.{ending}"),
            "mime": mime,
            "size_bytes": 1024,
            "sha256": "0".repeat(64),
        })
    };
    match value_type {
        ValueType::String => json!(format!("sample of {name}")),
        ValueType::Number => json!(1.5),
        ValueType::Integer => json!(1),
        ValueType::Boolean => json!(true),
        ValueType::Object => Value::Object(Map::new()),
        ValueType::Array => {
            let item = |number: u8| json!(format!("https://example.com/{node}/{name}-{number}"));
            json!([item(1), item(2)])
        }
        ValueType::Image => artifact("png", "image/png"),
        ValueType::Video => artifact("mp4", "video/mp4"),
        ValueType::Audio => artifact("mp3", "audio/mpeg"),
        ValueType::File => artifact("bin", "application/octet-stream"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{ReplyReading, compile_call};
    use crate::catalog::Connector;
    use crate::ports::{HttpReply, MemoryHold};

    fn node(output: Value) -> Node {
        serde_json::from_value(json!({"id": "n", "name": "N", "connector_id": "c", "output": output})).expect("a node")
    }

    #[test]
    fn a_sample_is_what_a_real_reply_could_give() {
        use ValueType::{Array, Audio, Boolean, File, Image, Integer, Number, Object, String, Video};
        let connector: Connector =
            serde_json::from_value(json!({"id": "c", "name": "C", "base_url": "https://c.test", "method": "POST"}))
                .expect("a connector");
        for value_type in [String, Number, Integer, Boolean, Object, Array, Image, Video, Audio, File] {
            for pick in [Value::Null, json!("all")] {
                let node = node(json!([{"name": "x", "type": value_type, "pick": pick}]));
                let made = sample_outputs(&node, &json!({}));
                let link = |made: &Value| made.get("url").unwrap_or(made).clone();
                let mut replied = made.clone();
                if value_type.is_media() {
                    let links = made["x"].as_array().map(|items| items.iter().map(link).collect::<Value>());
                    replied["x"] = links.unwrap_or_else(|| link(&made["x"]));
                }
                let reply = HttpReply {
                    status: 200,
                    headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                    body: replied.to_string().into_bytes(),
                    url: "https://c.test".to_owned(),
                    memory: MemoryHold::default(),
                };
                let read = compile_call(&node, &connector).expect("a call").read_submit(&reply);
                if value_type.is_media() {
                    assert!(matches!(read, ReplyReading::Download(_)), "{value_type:?}, pick {pick}: {read:?}");
                } else {
                    assert_eq!(read, ReplyReading::Done(made), "{value_type:?}, pick {pick}");
                }
            }
        }
    }

    #[test]
    fn defaults_and_undeclared_outputs_are_respected() {
        let input = json!({"prompt": "a cat"});
        let check = |output: Value, expected: Value| assert_eq!(sample_outputs(&node(output), &input), expected);
        check(json!([]), input.clone());
        check(json!([{"name": "seed", "type": "integer", "default": 7}]), json!({"seed": 7}));
        check(json!([{"name": "text", "type": "string", "default": ""}]), json!({"text": "sample of text"}));
        let made = sample_outputs(&node(json!([{"name": "image", "type": "image", "pick": "all"}])), &input);
        let urls: Vec<&Value> = made["image"].as_array().expect("a list").iter().map(|one| &one["url"]).collect();
        assert_eq!(urls, ["https://example.com/n/image-1.png", "https://example.com/n/image-2.png"]);
    }
}
