use apiflow_core::catalog::Catalog;
use serde_json::{Value, json};
use std::time::Instant;
fn large(modules: usize, deep: usize) -> Value {
    let mut left = modules;
    let mut list: Vec<Value> = Vec::new();
    for level in 0..deep {
        let share = (left / (deep - level)).max(1);
        let mut inner: Vec<Value> = (1..share).map(|n| {
            let before = if n > 1 { format!("results.s{level}_{}.url", n - 1) } else { "flow_input.image".to_owned() };
            json!({"id": format!("s{level}_{n}"), "summary": "one step", "value": {"type": "script", "path": "node/edit", "input_transforms": {
                "prompt": {"type": "javascript", "expr": format!("`${{flow_input.prompt}}, in the manner of ${{{before} ?? 'nobody'}}`")},
                "image": {"type": "javascript", "expr": before},
                "style": {"type": "static", "value": "cartoon"}}},
                "retry": {"constant": {"attempts": 2, "seconds": 5}}})
        }).collect();
        left = left.saturating_sub(share);
        inner.push(json!({"id": format!("l{level}"), "value": {"type": "forloopflow", "skip_failures": false,
            "iterator": {"type": "javascript", "expr": "flow_input.pages"}, "modules": list}}));
        list = inner;
    }
    json!({"summary": "", "schema": {"type":"object","properties":{"prompt":{"type":"string"},"image":{"type":"string"},"pages":{"type":"array"}}}, "value": {"modules": list}})
}
fn main() {
    let catalog: Catalog = serde_json::from_value(json!({
        "connectors": {"c": {"id": "c", "name": "c", "base_url": "https://example.org", "method": "POST"}},
        "nodes": {"edit": {"id": "edit", "name": "e", "connector_id": "c", "input": [{"name": "prompt", "type": "string", "required": true},{"name":"image","type":"image"},
            {"name": "style", "type": "string", "enum": ["cartoon", "vintage"]}], "output": [{"name":"url","type":"string"}]}}})).unwrap();
    let n: usize = std::env::args().nth(1).map_or(200, |a| a.parse().unwrap());
    let document = large(1000, 10);
    let text = document.to_string();
    let best = |f: &dyn Fn()| {
        (0..n)
            .map(|_| {
                let s = Instant::now();
                f();
                s.elapsed()
            })
            .min()
            .unwrap()
    };
    let found = apiflow_core::validate::workflow(&document, &catalog);
    println!("{} bytes, {} findings {:?}", text.len(), found.len(), found.first());
    let p = best(&|| drop(serde_json::from_str::<Value>(&text).unwrap()));
    let r = best(&|| drop(apiflow_core::openflow::parse(&document)));
    let v = best(&|| drop(apiflow_core::validate::workflow(&document, &catalog)));
    println!("parse {p:?} read {r:?} validate {v:?} ratio {:.2}", v.as_secs_f64() / p.as_secs_f64());
}
