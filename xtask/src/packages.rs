//! The crates' packages, as they would be published.

use std::collections::BTreeSet;

use crate::build::BUILD_PART_COUNT;
use crate::output::{PartCounter, print_line};
use crate::tool::tool;
use crate::{Result, build};

/// A crate that is meant to be published, and files that its package must contain.
struct PublishedCrate {
    name: &'static str,
    /// Paths of files, or prefixes of several paths.
    required_files: &'static [&'static str],
}

/// The packages, dependencies first.
const PUBLISHED_CRATES: [PublishedCrate; 4] = [
    PublishedCrate { name: "apiflow-fake-providers", required_files: &["src/lib.rs", "src/models.json"] },
    PublishedCrate { name: "apiflow-core", required_files: &["src/lib.rs"] },
    PublishedCrate {
        name: "apiflow-store",
        required_files: &["src/lib.rs", "migrations/postgres/", "migrations/sqlite/"],
    },
    PublishedCrate {
        name: "apiflow-server",
        required_files: &[
            "src/main.rs",
            "build.rs",
            "openapi.json",
            "errors/unknown-step.md",
            "page/index.html",
            "demo/workflow.json",
        ],
    },
];

/// Files that every package must contain.
const COMMON_FILES: [&str; 4] = ["Cargo.toml", "README.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// Builds the page and checks the contents of the packages; with `verify` also compiles each package against the others.
///
/// # Errors
/// A file is missing, or a package does not compile.
pub async fn run(verify: bool) -> Result {
    let mut parts = PartCounter::new(BUILD_PART_COUNT);
    build::build_page(&mut parts).await?;
    parts.print_next("checking the packages");
    for published in &PUBLISHED_CRATES {
        published.check_contents().await?;
    }
    let mut arguments = vec!["package", "--allow-dirty"];
    arguments.extend(PUBLISHED_CRATES.iter().flat_map(|published| ["--package", published.name]));
    if !verify {
        arguments.push("--no-verify");
    }
    tool("cargo").args(arguments).run().await
}

impl PublishedCrate {
    async fn check_contents(&self) -> Result {
        let arguments = ["package", "--list", "--allow-dirty", "--package", self.name];
        let listing = tool("cargo").args(arguments).read_output().await?;
        let files: BTreeSet<&str> = listing.lines().collect();
        let missing = find_missing_files(&files, self.required_files.iter().chain(&COMMON_FILES));
        if !missing.is_empty() {
            return Err(format!("the package of `{}` lacks {}", self.name, missing.join(", ")));
        }
        print_line(format!("the package of `{}` has {} files", self.name, files.len()));
        Ok(())
    }
}

fn find_missing_files<'a>(
    files: &BTreeSet<&str>,
    required: impl Iterator<Item = &'a &'static str>,
) -> Vec<&'static str> {
    let is_there = |name: &str| {
        if name.ends_with('/') { files.iter().any(|file| file.starts_with(name)) } else { files.contains(name) }
    };
    required.copied().filter(|name| !is_there(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_files_and_empty_folders_are_named() {
        let files = BTreeSet::from(["src/lib.rs", "migrations/sqlite/1.sql"]);
        let required = ["src/lib.rs", "migrations/sqlite/", "migrations/postgres/", "README.md"];
        assert_eq!(find_missing_files(&files, required.iter()), ["migrations/postgres/", "README.md"]);
    }
}
