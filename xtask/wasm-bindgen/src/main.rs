//! `xtask-wasm-bindgen MODULE FOLDER`: writes a WebAssembly module and the JavaScript that loads it into a folder.
//!
//! The same as `wasm-bindgen --target web`, whose program no registry has prebuilt for every platform. It is a crate of
//! its own because its dependencies take longer to compile than all other tasks together.

use std::error::Error;
use std::path::PathBuf;

use wasm_bindgen_cli_support::Bindgen;

/// Does not call wasm-opt: it gains nothing in compressed size, and versions that distributions ship break the module.
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(module), Some(folder), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: xtask-wasm-bindgen MODULE FOLDER".into());
    };
    std::fs::create_dir_all(&folder)?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).web(true)?.typescript(true);
    bindgen.remove_name_section(true).remove_producers_section(true);
    Ok(bindgen.generate(folder)?)
}
