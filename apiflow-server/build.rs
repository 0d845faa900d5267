//! Has the crate built again when the frontend was.
//!
//! It runs no npm: a Rust toolchain alone must be able to build the server. `frontend/build` is made empty where the
//! frontend's sources are there but not built, for cargo can't watch a folder that does not exist.

use std::fs;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let frontend = Path::new("../frontend");
    let built = frontend.join("build");
    if frontend.is_dir() && fs::create_dir_all(&built).is_ok() {
        println!("cargo::rerun-if-changed={}", built.display());
    }
}
