//! Rules about the sources of all crates that the compiler does not know.

#[path = "sources/diagnostic_codes.rs"]
mod diagnostic_codes;
#[path = "sources/import_cycles.rs"]
mod import_cycles;

use std::path::{Path, PathBuf};

/// A Rust source file of a crate.
struct Source {
    /// Its path below the crate's `src`, with `/` between folders.
    path: String,
    /// Its text without line comments and without its inline module of tests.
    code: String,
}

/// Reads all sources of a crate but those of its tests.
fn read_sources(krate: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(krate).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(read_source(&root, &path));
            }
        }
    }
    sources.retain(|source| !source.path.split('/').any(|part| matches!(part, "tests" | "tests.rs")));
    sources.sort_by(|left, right| left.path.cmp(&right.path));
    assert!(!sources.is_empty(), "{krate} has no sources");
    sources
}

fn read_source(root: &Path, path: &PathBuf) -> Source {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let code: Vec<&str> = text[..end].lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let below = path.strip_prefix(root).expect("it was found below the root");
    Source { path: below.to_string_lossy().replace('\\', "/"), code: code.join("\n") }
}
