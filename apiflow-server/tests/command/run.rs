//! What `apiflow run` does and prints.

use fake_providers::{Behaviour, Delivery, Replicate};
use serde_json::{Value, json};

use crate::talk::{Folder, Outcome};

const CONNECTOR: &str = r#"{"id": "pictures", "name": "Pictures", "base_url": "https://api.example.org/v1",
  "header": {"Authorization": "Bearer $PICTURES_KEY"}}"#;

const NODE: &str = r#"{"id": "draw", "name": "Draw", "connector_id": "pictures",
  "input": [{"name": "prompt", "type": "string", "required": true}],
  "output": [{"name": "url", "type": "image"}],
  "data": {"path": "/draw"}}"#;

/// A choice, a drawing that is retried, and a loop around another one.
const POSTER: &str = r#"{
  "id": "poster",
  "name": "Poster",
  "nodes": {
    "summary": "Poster",
    "schema": {"type": "object", "required": ["prompt"],
      "properties": {"prompt": {"type": "string"}, "styles": {"type": "array", "default": ["oil", "ink"]}}},
    "value": {"modules": [
      {"id": "choose", "value": {"type": "branchone", "default": [],
        "branches": [{"expr": "flow_input.prompt.length > 100", "modules": [{"id": "cut", "value": {"type": "identity"}}]},
          {"expr": "true", "modules": [{"id": "keep", "value": {"type": "identity"}}]}]}},
      {"id": "draw", "retry": {"constant": {"attempts": 2, "seconds": 30}},
        "value": {"type": "script", "path": "node/draw", "input_transforms": {
          "prompt": {"type": "javascript", "expr": "flow_input.prompt"}}}},
      {"id": "styles", "value": {"type": "forloopflow",
        "iterator": {"type": "javascript", "expr": "flow_input.styles"}, "modules": [
          {"id": "paint", "value": {"type": "script", "path": "node/draw", "input_transforms": {
            "prompt": {"type": "javascript", "expr": "`${results.draw.url} in ${flow_input.iter.value}`"}}}}]}}
    ]}
  }
}"#;

const DECLARED: [&str; 4] = ["--connector", "pictures.json", "--node", "draw.json"];

fn folder() -> Folder {
    Folder::with(&[("pictures.json", CONNECTOR), ("draw.json", NODE), ("poster.json", POSTER)])
}

fn dry(folder: &Folder, arguments: &[&str]) -> Outcome {
    folder.run(&[&["run", "poster.json", "--dry-run"][..], &DECLARED, arguments].concat())
}

#[test]
fn a_dry_run_tells_steps_requests_and_the_output() {
    let mock = r#"draw={"attempts": [{"error": "busy"}, {"url": "https://example.com/mocked.png"}]}"#;
    let told = dry(&folder(), &["--input", r#"{"prompt": "a fox"}"#, "--mock", mock]);
    insta::assert_snapshot!(told.told());
}

#[test]
fn a_dry_run_is_one_json_value_where_it_is_asked_for() {
    let told = dry(&folder(), &["--input", r#"{"prompt": "a fox"}"#, "--format", "json", "--until", "draw"]);
    let report: Value = serde_json::from_str(&told.stdout).expect("one value");
    assert_eq!((told.status, &report["status"]), (Some(0), &json!("completed")));
    let steps: Vec<_> = report["steps"].as_array().expect("steps").iter().map(|step| step["id"].clone()).collect();
    assert_eq!(steps, ["choose", "keep", "draw"]);
    assert_eq!(report["steps"][2]["requests"][0]["request"]["headers"]["Authorization"], "Bearer $PICTURES_KEY");
}

#[test]
fn a_run_that_fails_ends_with_1_and_wrong_usage_with_2() {
    let folder = folder();
    folder.write("input.json", r#"{"prompt": "a fox"}"#);
    let input = ["--input", "@input.json"];
    let check = |arguments: &[&str], status: i32, text: &str| {
        let told = folder.run(&[&["run", "poster.json"][..], arguments].concat());
        assert_eq!(told.status, Some(status), "{arguments:?}: {}", told.told());
        assert!(told.told().contains(text), "{arguments:?}: {}", told.told());
    };
    let with = |arguments: &[&'static str]| [&DECLARED[..], &input, arguments].concat();
    check(&with(&["--dry-run"]), 0, "dry run: completed");
    check(&with(&["--dry-run", "--mock", r#"styles={"error": "no"}"#]), 2, "step `styles` makes no call");
    check(
        &with(&["--dry-run", "--mock", r#"draw={"error": {"name": "payment", "message": "no money"}}"#]),
        1,
        "no money (payment) in step `draw`",
    );
    check(&with(&["--dry-run", "--mock", "drow=1"]), 2, "--mock: there is no step `drow` (did you mean `draw`?)");
    check(&with(&["--dry-run", "--mock", "draw=fox"]), 2, "--mock draw: invalid JSON");
    check(&with(&["--dry-run", "--approval", "draw={}"]), 2, "--approval: step `draw` does not wait for an approval");
    check(&with(&["--dry-run", "--until", "drow"]), 2, "there is no step `drow`");
    check(&with(&["--approval", "draw={}"]), 2, "--dry-run");
    check(&with(&["--mock", r#"draw={"error": "no"}"#]), 2, "which only a dry run supports");
    check(&with(&[]), 2, "the workflow needs the secret `PICTURES_KEY`: pass it with --secret-from-env PICTURES_KEY");
    check(&with(&["--secret-from-env", "PICTURES_KEY"]), 2, "the environment variable is not set");
    check(&[&DECLARED[..], &["--dry-run"]].concat(), 2, "/input: \"prompt\" is a required property");
    check(&["--dry-run", "--input", "[]"], 2, "the inputs must be a JSON object with their names as keys");
    check(&["--dry-run", "--input", r#"{"prompt": "x"}"#], 1, "error[unknown-node]");
    check(&["--dry-run", "--node", "none.json"], 2, "none.json cannot be read");
}

#[test]
fn what_is_mocked_or_left_out_need_not_be_finished() {
    let folder = Folder::with(&[(
        "unfinished.json",
        r#"{"summary": "x", "value": {"modules": [
        {"id": "agent", "value": {"type": "aiagent", "input_transforms": {}, "tools": []}},
        {"id": "same", "value": {"type": "identity"}},
        {"id": "later", "value": {"type": "script", "path": "node/missing", "input_transforms": {}}}]}}"#,
    )]);
    let run = |arguments: &[&str]| folder.run(&[&["run", "unfinished.json"][..], arguments].concat());
    let mocked = ["--mock", r#"agent="hello""#, "--until", "same"];
    assert_eq!(run(&["--dry-run"]).status, Some(1));
    assert_eq!(run(&[&mocked[..], &["--dry-run"]].concat()).status, Some(0));
    let told = run(&mocked);
    assert_eq!((told.status, told.stdout.as_str()), (Some(0), "\"hello\"\n"), "{}", told.told());
}

/// Declarations of the stand-in, and a workflow that calls it twice.
pub(crate) fn in_earnest(url: &str) -> Folder {
    let connector = json!({"id": "replicate", "name": "Replicate", "base_url": format!("{url}/v1"),
        "header": {"Authorization": "Bearer $STAND_IN_KEY"}});
    let node = json!({"id": "flux", "name": "Flux", "connector_id": "replicate",
        "input": [{"name": "prompt", "type": "string", "required": true}],
        "output": [{"name": "image", "type": "string", "mapping": "output"}],
        "data": {"path": "/models/black-forest-labs/flux-kontext-pro/predictions", "operation": "replicate",
            "body": {"input": {"prompt": "{{ input.prompt }}"}}}});
    let step = |id: &str, prompt: &str| {
        json!({"id": id, "value": {"type": "script", "path": "node/flux",
            "input_transforms": {"prompt": {"type": "javascript", "expr": prompt}}}})
    };
    let workflow = json!({"summary": "twice", "value": {"modules": [
        step("first", "flow_input.prompt"), step("second", "'again: ' + results.first.image")]}});
    let text = |value: Value| value.to_string();
    let (connector, node, workflow) = (text(connector), text(node), text(workflow));
    Folder::with(&[("catalog/replicate.json", &connector), ("catalog/flux.json", &node), ("twice.json", &workflow)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_earnest_sends_its_calls_and_tells_its_progress() {
    let provider = Replicate::start(Behaviour { delay_ms: 50, ..Behaviour::default() }).await.expect("it starts");
    let folder = in_earnest(&provider.origin());
    let arguments = ["run", "twice.json", "--catalog", "catalog", "--input", r#"{"prompt": "a fox"}"#];
    let allowed = ["--allow-host", "127.0.0.1", "--secret-from-env", "STAND_IN_KEY"];
    let run = move |more: &[&str]| {
        folder.run_with(&[&arguments[..], more].concat(), "", &[("STAND_IN_KEY", "r8_test_canary")])
    };
    let (refused, told) =
        tokio::task::spawn_blocking(move || (run(&allowed[2..]), run(&allowed[..]))).await.expect("it ends");
    assert_eq!((refused.status, provider.creates().len()), (Some(1), 2), "{}", refused.told());
    assert!(refused.stderr.contains("127.0.0.1"), "{}", refused.told());
    assert_eq!(told.status, Some(0), "{}", told.told());
    let output: Value = serde_json::from_str(&told.stdout).expect("the output is JSON");
    assert!(output["image"].as_str().is_some_and(|link| link.starts_with("http")), "{output}");
    for line in ["first: completed in ", "second: running", "second: completed in "] {
        assert!(told.stderr.contains(line), "{}", told.told());
    }
    let whole = format!("{}{}", told.told(), refused.told());
    assert!(!whole.contains("r8_test_canary"), "{whole}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_steps_make_are_saved_in_a_folder() {
    let behaviour = Behaviour { delivery: Delivery::Local, ..Behaviour::default() };
    let provider = Replicate::start(behaviour).await.expect("it starts");
    let folder = in_earnest(&provider.origin());
    folder.write(
        "catalog/flux.json",
        &folder
            .read("catalog/flux.json")
            .replace(r#""type":"string","mapping":"output""#, r#""type":"image","mapping":"output""#),
    );
    folder.write("twice.json", &folder.read("twice.json").replace("results.first.image", "results.first.image.mime"));
    let arguments = ["run", "twice.json", "--catalog", "catalog", "--input", r#"{"prompt": "a fox"}"#];
    let more = ["--allow-host", "127.0.0.1", "--secret-from-env", "STAND_IN_KEY"];
    let run = |media: &[&str]| {
        let arguments = [&arguments[..], &more, media].concat();
        tokio::task::block_in_place(|| folder.run_with(&arguments, "", &[("STAND_IN_KEY", "r8_test_canary")]))
    };
    let told = run(&[]);
    assert!(told.stderr.contains("the run made 2 files, which are deleted now"), "{}", told.told());
    for expected in [["media/first.png", "media/second.png"], ["media/first-2.png", "media/second-2.png"]] {
        let told = run(&["--media-folder", "media"]);
        assert_eq!(told.status, Some(0), "{}", told.told());
        let output: Value = serde_json::from_str(&told.stdout).expect("the output is JSON");
        assert_eq!(output["image"]["path"], expected[1], "{output}");
        for path in expected {
            assert!(told.stderr.contains(&format!("saved {path}")), "{}", told.told());
            assert!(folder.read_bytes(path).starts_with(b"\x89PNG"), "{path}");
        }
    }
    folder.write("file", "");
    let told = run(&["--media-folder", "file/media"]);
    assert_eq!((told.status, provider.creates().len()), (Some(2), 6), "nothing is sent: {}", told.told());
}

#[test]
fn large_data_uris_become_artifacts() {
    let folder = Folder::with(&[(
        "same.json",
        r#"{"summary": "x", "schema": {"type": "object", "properties": {"image": {"type": "string"}}},
            "value": {"modules": [{"id": "same", "value": {"type": "identity"}}]}}"#,
    )]);
    let png = format!("data:image/png;base64,iVBORw0KGgoAAAAN{}", "A".repeat(16 * 1024));
    folder.write("input.json", &json!({"image": png, "small": "data:text/plain,hi"}).to_string());
    let told = folder.run(&["run", "same.json", "--input", "@input.json"]);
    let output: Value = serde_json::from_str(&told.stdout).expect("the output is JSON");
    assert_eq!((&output["image"]["mime"], &output["small"]), (&json!("image/png"), &json!("data:text/plain,hi")));
    assert!(output["image"]["artifact"].is_string(), "{output}");
    folder.write("input.json", &json!({"image": png.replace("AAAA", "A!")}).to_string());
    let told = folder.run(&["run", "same.json", "--input", "@input.json"]);
    assert_eq!(told.status, Some(2));
    assert!(told.stderr.contains("/input/image: invalid data URI"), "{}", told.told());
}
