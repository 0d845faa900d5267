//! Tables of fields in the documentation.

use std::fs;

use xtask::docs::{Schemas, update_page};
use xtask::workspace_root;

fn schemas() -> Schemas {
    Schemas::read(workspace_root()).expect("the schemas are read")
}

/// Returns the page that has these lines after it was updated.
fn updated(lines: &[&str]) -> String {
    update_page(&lines.join("\n"), &schemas()).expect("the page is updated")
}

#[test]
fn the_pages_have_current_tables() {
    xtask::docs::run(true).expect("`cargo xtask docs` updates them");
}

#[test]
fn a_table_is_replaced_between_its_markers() {
    let page = updated(&["Before.", "<!-- fields of RequestWindow -->", "old", "<!-- end of fields -->", "After."]);
    let expected = [
        "Before.",
        "<!-- fields of RequestWindow -->",
        "| field | type | default | meaning |",
        "|---|---|---|---|",
        "| `count` | whole number, at least 1 | required | Number of submits. |",
        "| `window_s` | whole number from 1 to 86400 | required | Length of the window, in seconds. |",
        "<!-- end of fields -->",
        "After.",
    ];
    assert_eq!(page, expected.join("\n"));
    assert_eq!(update_page(&page, &schemas()), Ok(page), "a second time changes nothing");
}

#[test]
fn fields_are_selected_and_have_types_in_words() {
    let page = updated(&["<!-- fields of NodeInput: as, type, accept, default -->", "<!-- end of fields -->"]);
    let types: Vec<&str> = page.lines().skip(3).filter_map(|line| line.split(" | ").nth(1)).collect();
    let value_types = "`string`, `number`, `integer`, `boolean`, `object`, `array`, `image`, `video`, `audio`, `file`";
    assert_eq!(
        types,
        ["`url`, `data_uri`, `base64`, `multipart`, `upload`", value_types, "list of strings", "any value"]
    );
}

#[test]
fn what_is_unknown_is_refused() {
    for (wanted, reason) in
        [("Nodes", "no definition `Nodes`"), ("Node: nome", "no field `nome`"), ("api:X", "`api:X`")]
    {
        let refused = update_page(&format!("<!-- fields of {wanted} -->\n<!-- end of fields -->"), &schemas());
        assert!(refused.as_ref().is_err_and(|error| error.contains(reason)), "{refused:?}");
    }
    assert!(update_page("<!-- fields of Node -->", &schemas()).is_err_and(|error| error.contains("no end marker")));
}

#[test]
fn every_described_object_is_on_a_page() {
    let folder = workspace_root().join("docs");
    let pages = fs::read_dir(folder)
        .expect("the folder is read")
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    let text: String = pages.collect();
    let schema = fs::read_to_string(workspace_root().join("apiflow-core/src/catalog/declarations.json"));
    let schema: serde_json::Value = serde_json::from_str(&schema.expect("it is read")).expect("it is JSON");
    let definitions = schema["$defs"].as_object().expect("definitions");
    let is_shown =
        |name: &str| text.contains(&format!("fields of {name} ")) || text.contains(&format!("fields of {name}:"));
    // Shown beside what they are an alternative or the result of.
    let besides = ["Link", "Items", "ShortBearerAuth"];
    let described = definitions.iter().filter(|(_, schema)| schema["properties"].is_object());
    let missing: Vec<&str> =
        described.map(|(name, _)| name.as_str()).filter(|name| !is_shown(name) && !besides.contains(name)).collect();
    assert_eq!(missing, [""; 0]);
}
