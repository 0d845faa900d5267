//! What `apiflow validate --format sarif` writes.

use serde_json::Value;

use crate::talk::Folder;

const FLOW: &str = r#"{
  "summary": "S",
  "value": {
    "modules": [
      {"id": "a b", "value": {"type": "identity"}, "retyr": {"constant": {"attempts": "2", "seconds": 1}}},
      {"id": "c", "value": {"type": "forloop"}, "skip_if": {"expr": "\n results.aé"}}
    ]
  }
}"#;

fn log(arguments: &[&str]) -> Value {
    let folder = Folder::with(&[("a flow.json", FLOW), ("bad.json", "{")]);
    let outcome = folder.run(&[&["validate", "--format", "sarif"], arguments].concat());
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{}", outcome.told()))
}

#[test]
fn a_log_keeps_to_the_standard() {
    let schema = include_str!("sarif-2.1.0.json");
    // The standard's own slip: one bracket too many for a regular expression.
    let schema = schema.replace("-[a-zA-Z]{2}]?$", "-[a-zA-Z]{2}$");
    let schema: Value = serde_json::from_str(&schema).expect("the standard's schema is JSON");
    let schema = jsonschema::validator_for(&schema).expect("the standard's schema is one");
    for arguments in [&["a flow.json", "bad.json"][..], &["a flow.json"]] {
        let log = log(arguments);
        let faults: Vec<String> =
            schema.iter_errors(&log).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
    let mut broken = log(&["a flow.json"]);
    broken["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!schema.is_valid(&broken), "the schema is a real one");
}

#[test]
fn a_result_has_its_rule_its_region_and_its_fix() {
    let mut log = log(&["a flow.json", "bad.json"]);
    let rules = log["runs"][0]["tool"]["driver"]["rules"].take();
    for rule in rules.as_array().into_iter().flatten() {
        let id = rule["id"].as_str().unwrap_or_default();
        assert!(rule["help"]["markdown"].as_str().is_some_and(|page| page.starts_with(&format!("# {id}\n"))), "{rule}");
    }
    let ids: Vec<&str> = rules.as_array().into_iter().flatten().filter_map(|rule| rule["id"].as_str()).collect();
    for result in log["runs"][0]["results"].as_array().into_iter().flatten() {
        let index = result["ruleIndex"].as_u64().and_then(|index| ids.get(usize::try_from(index).ok()?));
        assert_eq!(index.copied(), result["ruleId"].as_str(), "{result}");
    }
    log["runs"][0]["tool"]["driver"]["version"] = "0.0.0".into();
    log["runs"][0]["tool"]["driver"]["semanticVersion"] = "0.0.0".into();
    insta::assert_json_snapshot!(log);
}
