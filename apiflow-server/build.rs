//! Has the crate built again when the frontend was, or the pages about findings.
//!
//! It runs no npm: a Rust toolchain alone must be able to build the server. `frontend/build` is made empty where the
//! frontend's sources are there but not built, for cargo can't watch a folder that does not exist.

use std::fs;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The pages about findings are part of the binary.
    if Path::new("../docs/errors").is_dir() {
        println!("cargo::rerun-if-changed=../docs/errors");
    }
    let frontend = Path::new("../frontend");
    let built = frontend.join("build");
    if frontend.is_dir() && fs::create_dir_all(&built).is_ok() {
        println!("cargo::rerun-if-changed={}", built.display());
    }
}
