//! Proves that the core's pure modules touch nothing of the world.

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

/// What a pure module must not name: it would make a run differ between two machines or two moments.
const FORBIDDEN: [&str; 14] = [
    "HashMap",
    "HashSet",
    "RandomState",
    "SystemTime",
    "Instant",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "tokio::",
    "reqwest::",
    "boa_engine::",
    "rand::",
];

/// Modules behind features, which are the world's side.
const IMPURE: [&str; 5] = ["runtime", "http", "boa", "sandbox", "tests"];

fn pure_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the core's sources can be read").flatten() {
        let path = entry.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // `ports/http.rs` is the port, not the client.
        let port = folder.ends_with("ports");
        if IMPURE.contains(&name.as_str()) && !port {
            continue;
        }
        if path.is_dir() {
            pure_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn faults(text: &str) -> Vec<String> {
    let tested = text.find("#[cfg(test)]").unwrap_or(text.len());
    let lines = text[..tested].lines().enumerate();
    let code = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    let faults = code.flat_map(|(at, line)| {
        let found = FORBIDDEN.iter().filter(|word| line.contains(*word));
        found.map(move |word| format!("line {}: {word}", at + 1))
    });
    faults.collect()
}

#[test]
fn pure_modules_name_nothing_of_the_world() {
    let mut files = Vec::new();
    pure_files(&root().join("apiflow-core/src"), &mut files);
    assert!(files.len() > 10, "the core's sources are found");
    for file in files {
        let text = fs::read_to_string(&file).expect("the core's sources can be read");
        assert_eq!(faults(&text), Vec::<String>::new(), "{}", file.display());
    }
}

#[test]
fn a_clock_in_code_is_found_and_one_in_a_comment_is_not() {
    assert_eq!(faults("use std::time::SystemTime;"), ["line 1: SystemTime"]);
    assert_eq!(faults("// SystemTime is the runtime's\nfn f() {}\n#[cfg(test)]\nuse std::fs;"), Vec::<String>::new());
}
