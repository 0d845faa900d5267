//! Has the crate built again after the page was built, or the pages about diagnostics
//! or the library changed.
//!
//! It runs no npm: a Rust toolchain alone must be able to build the server. `cargo xtask build` builds the page into
//! `page/`; without it the server says at its root address how to build it. The folder is created empty, because cargo
//! can't watch one that does not exist.

use std::fs;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=errors");
    println!("cargo::rerun-if-changed=library");
    // In the folder of a registry or of a package that is verified, nothing may be created.
    let is_repository = Path::new("../frontend").is_dir();
    if Path::new("page").is_dir() || (is_repository && fs::create_dir_all("page").is_ok()) {
        println!("cargo::rerun-if-changed=page");
    }
}
