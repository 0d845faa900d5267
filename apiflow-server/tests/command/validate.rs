//! What `apiflow validate` prints.

use crate::talk::Folder;

const CONNECTOR: &str = r#"{"id": "pictures", "name": "Pictures", "base_url": "https://api.example.org/v1",
  "header": {"Authorization": "Bearer $PICTURES_KEY"}}"#;

const NODE: &str = r#"{
  "id": "draw", "name": "Draw", "connector_id": "pictures",
  "input": [
    {"name": "prompt", "type": "string", "required": true},
    {"name": "style", "type": "string", "enum": ["cartoon", "vintage"]}
  ],
  "output": [{"name": "url", "type": "string"}],
  "data": {"path": "/draw"}
}"#;

const RIGHT: &str = r#"{
  "id": "poster",
  "name": "Poster",
  "nodes": {
    "summary": "Poster",
    "value": {"modules": [
      {"id": "draw", "value": {"type": "script", "path": "node/draw", "input_transforms": {
        "prompt": {"type": "static", "value": "a fox"}}}}
    ]}
  }
}"#;

const WRONG: &str = r#"{
  "id": "two",
  "name": "Two pictures",
  "nodes": {
    "summary": "Two pictures",
    "schema": {"type": "object", "properties": {"prompt": {"type": "string"}}},
    "value": {
      "modules": [
        {
          "id": "draw",
          "value": {
            "type": "script",
            "path": "node/draw",
            "input_transforms": {
              "prompt": {"type": "javascript", "expr": "const é = \"\u00e9\\\"\";\nreturn `${flow_input.promt} ${results.drow.url}`"},
              "styl": {"type": "static", "value": "cartoons"}
            }
          }
        },
        {
          "value": {
            "type": "identity"
          },
          "retyr": {"constant": {"attempts": 2, "seconds": 1}}
        },
        {"id": "last", "value": {"type": "script", "path": "node/darw", "input_transforms": {}}, "timeout": -3}
      ]
    }
  }
}"#;

fn folder() -> Folder {
    Folder::with(&[("c.json", CONNECTOR), ("n.json", NODE), ("right.json", RIGHT), ("wrong.json", WRONG)])
}

#[test]
fn findings_are_printed_as_a_compiler_does() {
    let outcome = folder().run(&["validate", "--connector", "c.json", "--node", "n.json", "wrong.json"]);
    insta::assert_snapshot!(outcome.told());
}

#[test]
fn a_right_workflow_is_left_alone() {
    let outcome = folder().run(&["validate", "--connector", "c.json", "--node", "n.json", "right.json"]);
    insta::assert_snapshot!(outcome.told());
}

#[test]
fn a_file_is_checked_as_what_it_declares() {
    let folder = folder();
    folder.write("c.json", &CONNECTOR.replace("\"header\"", "\"headers\""));
    folder.write("n.json", &NODE.replace("\"string\", \"enum\"", "\"text\", \"enum\""));
    folder.write("other.json", "{\"hello\": 1}");
    folder.write("document.json", "{\"summary\": \"s\", \"vaule\": {\"modules\": []}}");
    let outcome = folder.run(&["validate", "c.json", "n.json", "right.json", "other.json", "document.json"]);
    insta::assert_snapshot!(outcome.told());
}

#[test]
fn a_folder_is_checked_as_a_whole() {
    let folder = folder();
    folder.write("deeper/run.json", "{\"input\": {\"prompt\": \"x\"}}");
    folder.write("deeper/again.json", RIGHT);
    folder.write("deeper/note.txt", "not looked at");
    let caller =
        r#"{"summary": "s", "value": {"modules": [{"id": "a", "value": {"type": "flow", "path": "workflow/two"}}]}}"#;
    folder.write("deeper/caller.json", caller);
    insta::assert_snapshot!(folder.run(&["validate", "--secret", "OTHER_KEY", "."]).told());
}

#[test]
fn sub_flows_and_secrets_are_taken_from_arguments() {
    let folder = folder();
    let caller = r#"{"summary": "s", "value": {"modules": [{"id": "a", "value": {"type": "flow", "path": "workflow/poster"}},
      {"id": "b", "value": {"type": "flow", "path": "workflow/right"}}]}}"#;
    folder.write("caller.json", caller);
    let arguments =
        ["validate", "--workflow", "right.json", "--node", "n.json", "--connector", "c.json", "caller.json"];
    insta::assert_snapshot!(folder.run(&[&arguments[..], &["--secret", "NONE"]].concat()).told());
}

#[test]
fn a_text_that_is_no_json_has_its_place() {
    let folder = Folder::with(&[
        ("comma.json", "{\n  \"summary\": \"é\",\n  \"value\": {\"modules\": [],}\n}\n"),
        ("open.json", "{\"summary\": \"x\""),
        ("empty.json", ""),
        ("twice.json", "{\"summary\": \"x\", \"value\": {\"modules\": [], \"modules\": []}}"),
    ]);
    insta::assert_snapshot!(folder.run(&["validate", "comma.json", "open.json", "empty.json", "twice.json"]).told());
}

#[test]
fn long_lines_are_cut_around_the_place() {
    let padding = "x".repeat(5000);
    let text =
        format!("{{\"summary\": \"{padding}\", \"value\": {{\"modules\": \"none\"}}, \"description\": \"{padding}\"}}");
    insta::assert_snapshot!(Folder::with(&[("long.json", &text)]).run(&["validate", "long.json"]).told());
}

#[test]
fn standard_input_is_a_file_too() {
    let outcome = Folder::with(&[]).run_with(&["validate", "-"], "{\"summary\": 1, \"value\": {\"modules\": []}}", &[]);
    insta::assert_snapshot!(outcome.told());
}

#[test]
fn wrong_usage_has_a_status_of_its_own() {
    let folder = folder();
    let status = |arguments: &[&str]| folder.run(arguments).status;
    assert_eq!(status(&["validate"]), Some(2));
    assert_eq!(status(&["validate", "--format", "xml", "right.json"]), Some(2));
    assert_eq!(status(&["validate", "nowhere.json"]), Some(2));
    assert_eq!(
        folder.run(&["validate", "nowhere.json"]).stderr,
        "apiflow: nowhere.json cannot be read: No such file or directory (os error 2)\n"
    );
    assert_eq!(status(&["validate", "--catalog", ".", "right.json"]), Some(0));
    assert_eq!(status(&["validate", "wrong.json"]), Some(1));
}

#[test]
fn colours_are_for_those_who_ask() {
    let folder = folder();
    let coloured = |variables: &[(&str, &str)]| {
        folder.run_with(&["validate", "wrong.json"], "", variables).stdout.contains('\u{1b}')
    };
    assert!(!coloured(&[]), "standard output is no terminal");
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn findings_are_written_as_json() {
    let outcome =
        folder().run(&["validate", "--format", "json", "--catalog", "c.json", "--catalog", "n.json", "wrong.json"]);
    insta::assert_snapshot!(outcome.told());
}
