//! Every code has a page, every example has its diagnostic, and every fixed example has none.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use apiflow_core::diagnostic::codes;
use serde_json::Value;

use crate::talk::Folder;

/// The only code without an example, which would be too long for a page. Its own test is below.
const WITHOUT_EXAMPLE: &str = "too-many-findings";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs/errors").join(format!("{name}.md"))).expect("a page can be read")
}

/// The JSON code blocks of a page.
fn blocks(page: &str) -> Vec<&str> {
    let parts = page.split("```json\n").skip(1);
    parts.map(|part| part.split("```").next().unwrap_or_default()).collect()
}

/// A folder with the declarations that the examples refer to.
fn declarations() -> Folder {
    let folder = Folder::with(&[]);
    for (number, block) in blocks(&page("README")).into_iter().enumerate() {
        folder.write(&format!("declared/{number}.json"), block);
    }
    folder
}

/// The codes of the diagnostics of a document.
fn found(folder: &Folder, text: &str) -> BTreeSet<String> {
    folder.write("example.json", text);
    let arguments =
        ["validate", "--format", "json", "--catalog", "declared", "--secret", "PICTURES_KEY", "example.json"];
    let outcome = folder.run(&arguments);
    let log: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{}", outcome.told()));
    let findings = log["files"].as_array().into_iter().flatten().filter_map(|file| file["diagnostics"].as_array());
    findings.flatten().filter_map(|one| one["code"].as_str().map(str::to_owned)).collect()
}

#[test]
fn every_code_has_a_page_and_no_page_is_stale() {
    let entries = fs::read_dir(root().join("docs/errors")).expect("the pages are there").flatten();
    let names = entries.filter_map(|entry| entry.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    let pages: BTreeSet<String> = names.filter(|name| name != "README").collect();
    let codes: BTreeSet<String> = codes::ALL.iter().map(|code| (*code).to_owned()).collect();
    assert_eq!(pages, codes);
    let contents = page("README");
    for code in &codes {
        let summary = page(code).lines().nth(2).map(str::to_owned).unwrap_or_default();
        assert!(page(code).starts_with(&format!("# {code}\n\n")), "{code} has its title");
        assert!(contents.contains(&format!("| [{code}]({code}.md) | {summary} |\n")), "README lists {code}");
    }
}

#[test]
fn every_code_in_the_sources_is_one_of_the_list() {
    let mut found = BTreeSet::new();
    for folder in ["apiflow-core/src", "apiflow-server/src", "apiflow-wasm/src"] {
        gather(&root().join(folder), &mut found);
    }
    let unknown: Vec<_> = found.iter().filter(|code| !codes::ALL.contains(&code.as_str())).collect();
    assert!(unknown.is_empty(), "add {unknown:?} to validate/codes.rs and a page for it to docs/errors");
}

/// Adds the codes that are string literals in calls that create diagnostics.
fn gather(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the sources can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source can be read");
        for made in ["Diagnostic::error(", "Diagnostic::warning(", "fields.fault(", "code: "] {
            for (at, _) in text.match_indices(made) {
                let rest = text[at + made.len()..].trim_start();
                let code = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
                let shaped = |code: &&str| code.chars().all(|c| c.is_ascii_lowercase() || c == '-');
                found.extend(code.filter(shaped).map(str::to_owned));
            }
        }
    }
}

#[test]
fn every_example_has_its_diagnostic_and_the_fixed_one_has_none() {
    let folder = declarations();
    let mut wrong = Vec::new();
    for code in codes::ALL.iter().filter(|code| **code != WITHOUT_EXAMPLE) {
        let text = page(code);
        let [bad, good] = blocks(&text)[..] else { panic!("{code} has an example and a fixed one") };
        let (bad, good) = (found(&folder, bad), found(&folder, good));
        if !bad.contains(*code) || !good.is_empty() {
            wrong.push(format!("{code}: the example has {bad:?}, the fixed one {good:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn diagnostics_over_the_limit_are_counted() {
    let modules = "{\"value\": {\"type\": \"identity\"}},".repeat(1100);
    let text = format!("{{\"summary\": \"s\", \"value\": {{\"modules\": [{}]}}}}", modules.trim_end_matches(','));
    let codes = found(&declarations(), &text);
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), ["missing-id", WITHOUT_EXAMPLE]);
}

#[test]
fn a_page_is_printed() {
    let folder = Folder::with(&[]);
    for code in codes::ALL {
        let outcome = folder.run(&["explain", code]);
        assert_eq!((outcome.status, outcome.stdout.trim_end()), (Some(0), page(code).trim_end()), "{code}");
    }
    let listed = folder.run(&["explain"]);
    assert_eq!(listed.stdout.lines().count(), codes::ALL.len());
    insta::assert_snapshot!(listed.told());
    insta::assert_snapshot!(folder.run(&["explain", "unknown-nod"]).told());
    insta::assert_snapshot!(folder.run(&["explain", "../README"]).told());
}
