//! Diagnostic codes are written once: as constants in one file.

use super::read_sources;

/// The file that declares them, in core.
const DECLARED_IN: &str = "diagnostic/codes.rs";

#[test]
fn codes_are_constants_and_never_literals() {
    let core = read_sources("apiflow-core");
    let declared = core.iter().find(|source| source.path == DECLARED_IN).expect("core declares the codes");
    let codes: Vec<&str> = declared.code.lines().filter_map(declared_code).collect();
    assert!(codes.len() > 40, "{codes:?}");
    let mut literals = Vec::new();
    for krate in ["apiflow-core", "apiflow-server", "apiflow-wasm"] {
        for source in read_sources(krate).iter().filter(|source| source.path != DECLARED_IN) {
            for (line, code) in source.code.lines().flat_map(|line| codes.iter().map(move |code| (line, *code))) {
                if names_code(line, code) {
                    literals.push(format!("{krate}/src/{}: {}", source.path, line.trim()));
                }
            }
        }
    }
    assert!(literals.is_empty(), "write the constant of `diagnostic::codes` instead:\n{}", literals.join("\n"));
}

/// The code of a line `NAME = "code";`.
fn declared_code(line: &str) -> Option<&str> {
    let (name, value) = line.trim().split_once(" = \"")?;
    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_').then(|| value.strip_suffix("\";")).flatten()
}

/// Returns whether a line has a code as a literal. A code of one word is one only where a diagnostic is made of it.
fn names_code(line: &str, code: &str) -> bool {
    let literal = format!("\"{code}\"");
    if code.contains('-') {
        return line.contains(&literal);
    }
    ["error(", "warning(", "fault(", "code == ", "code: "]
        .iter()
        .any(|before| line.contains(&format!("{before}{literal}")))
}
