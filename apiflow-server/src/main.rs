//! The `apiflow` command.
fn main() {}
