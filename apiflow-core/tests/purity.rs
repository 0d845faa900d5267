//! The pure modules know nothing of the world: what they need arrives through ports.

use std::path::{Path, PathBuf};

/// Rooms that are allowed to know the world.
const OPEN: [&str; 8] = ["artifacts", "artifacts.rs", "boa", "boa.rs", "http", "http.rs", "runtime", "runtime.rs"];

/// Clocks, randomness, environment, files, network, runtimes, engines, and maps whose order depends on the process.
const FORBIDDEN: [&str; 16] = [
    "SystemTime",
    "Instant",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "HashMap",
    "HashSet",
    "RandomState",
    "tokio",
    "reqwest",
    "boa_engine",
    "rand",
    "getrandom",
    "println!",
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if OPEN.contains(&name) || name == "tests" || name == "tests.rs" {
            continue;
        }
        if path.is_dir() { found.extend(sources(&path)) } else { found.push(path) }
    }
    found
}

/// The lines of a file that are neither comments nor tests.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(path).expect("the file can be read");
    let lines = text.lines().enumerate().take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
    let lines = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines.map(|(number, line)| (number + 1, line.to_owned())).collect()
}

/// Whether a word stands in a line, and not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |found: Option<char>| found.is_some_and(|found| found.is_alphanumeric() || found == '_');
    line.match_indices(word)
        .any(|(at, _)| !is_name(line[..at].chars().next_back()) && !is_name(line[at + word.len()..].chars().next()))
}

#[test]
fn pure_modules_name_nothing_of_the_world() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&root);
    assert!(files.len() > 60, "the sources are not where they were: {files:?}");
    let mut found = Vec::new();
    for file in files {
        for (number, line) in code(&file) {
            let words = FORBIDDEN.iter().filter(|word| has_word(&line, word));
            found.extend(words.map(|word| format!("{}:{number}: {word}", file.display())));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
