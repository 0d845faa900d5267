//! The workflows of the conformance folder are read without error and come back with the same meaning,
//! and no change of them makes the reader panic or disagree with serde.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::path::PathBuf;
use std::sync::LazyLock;

use apiflow_core::diagnostic::has_errors;
use apiflow_core::openflow::{OpenFlow, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

fn conformance(path: &str) -> Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    serde_json::from_str(&std::fs::read_to_string(folder.join(path)).unwrap()).unwrap()
}

static DOCUMENTS: LazyLock<Vec<(String, Value)>> = LazyLock::new(documents);

fn documents() -> Vec<(String, Value)> {
    let mut documents: Vec<(String, Value)> = Vec::new();
    for name in ["workflow", "workflow_conditional", "workflow_parallel", "workflow_retry", "template_workflow"] {
        let declared = conformance(&format!("founding/{name}.json"));
        documents.push((name.to_owned(), declared["nodes"].clone()));
    }
    for case in conformance("openflow_cases.json").as_array().unwrap() {
        documents.push((case["name"].as_str().unwrap().to_owned(), case["flow"].clone()));
    }
    documents
}

/// The document without what may come and go: nulls, flags that are false, empty texts and lists.
fn essence(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (if key == "input_transform" { "input_transforms" } else { key }, value))
            .filter(|(_, value)| {
                !matches!(value, Value::Null | Value::Bool(false)) && *value != &json!("") && *value != &json!({})
            })
            .map(|(key, value)| (key.to_owned(), essence(value)))
            .collect(),
        Value::Array(items) => items.iter().map(essence).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[test]
fn every_workflow_is_read_and_comes_back() {
    let documents = documents();
    assert_eq!(documents.len(), 98 + 5);
    for (name, document) in documents {
        let (flow, diagnostics) = parse(&document);
        assert!(!has_errors(&diagnostics), "{name}: {diagnostics:#?}");
        let flow = flow.unwrap();
        assert_eq!(flow, serde_json::from_value::<OpenFlow>(document.clone()).unwrap(), "{name}");
        let written = serde_json::to_value(&flow).unwrap();
        assert_eq!(essence(&written), essence(&document), "{name}");
        assert_eq!(parse(&written).0.unwrap(), flow, "{name}");
    }
}

/// Something that does not belong where it is put.
fn stranger() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{}])),
        Just(json!({"type": "static"})),
        Just(json!({"type": "forloopflow", "modules": [{"id": "x", "value": {"type": "identity"}}]})),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ]
}

/// Changes the value that is reached by going down as `steps` say.
fn mutate(value: &mut Value, steps: &[u8], stranger: &Value, remove: bool) {
    let Some((step, rest)) = steps.split_first() else {
        *value = stranger.clone();
        return;
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            let key = map.keys().nth(usize::from(*step) % map.len()).unwrap().clone();
            if remove && rest.is_empty() {
                map.remove(&key);
            } else {
                mutate(map.get_mut(&key).unwrap(), rest, stranger, remove);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let index = usize::from(*step) % items.len();
            mutate(&mut items[index], rest, stranger, remove);
        }
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            *value = stranger.clone();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn a_changed_workflow_is_read_or_refused_with_places_that_exist(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..9), stranger(), any::<bool>()), 1..4),
    ) {
        let mut document = which.get(&DOCUMENTS).1.clone();
        for (steps, stranger, remove) in &edits {
            mutate(&mut document, steps, stranger, *remove);
        }
        let (flow, diagnostics) = parse(&document);
        prop_assert_eq!(flow.is_none(), has_errors(&diagnostics));
        for found in &diagnostics {
            prop_assert!(document.pointer(&found.pointer).is_some(), "{:?}", found);
        }
        if let Some(flow) = flow {
            prop_assert_eq!(serde_json::from_value::<OpenFlow>(document).ok(), Some(flow));
        }
    }
}
