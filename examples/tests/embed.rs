//! The examples work as described.

use std::process::Command;

#[test]
fn the_embedded_workflow_prints_its_picture() {
    let output = Command::new(env!("CARGO_BIN_EXE_embed")).output().expect("the example starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("it prints text");
    assert!(text.starts_with(r#"{"image":"https://replicate.delivery/"#), "{text}");
}

#[test]
fn kept_pictures_are_files_in_the_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let output = Command::new(env!("CARGO_BIN_EXE_keep")).arg(folder.path()).output().expect("the example starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    let image = &output["image"];
    assert_eq!((&image["mime"], &image["width"]), (&"image/png".into(), &256.into()), "{output}");
    let contents = list_files(&folder.path().join("contents"));
    let is_png = |path: &std::path::PathBuf| std::fs::read(path).is_ok_and(|file| file.starts_with(b"\x89PNG"));
    assert_eq!(contents.iter().filter(|path| is_png(path)).count(), 2, "{contents:?}");
}

fn list_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder exists");
    let paths = entries.map(|entry| entry.expect("an entry can be read").path());
    paths.flat_map(|path| if path.is_dir() { list_files(&path) } else { vec![path] }).collect()
}
