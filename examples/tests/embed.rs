//! The examples work as described.

use std::process::Command;

#[test]
fn the_embedded_workflow_prints_its_picture() {
    let output = Command::new(env!("CARGO_BIN_EXE_embed")).output().expect("the example starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("it prints text");
    assert!(text.starts_with(r#"{"image":"https://replicate.delivery/"#), "{text}");
}
