//! The committed OpenAPI document is the routes' own.

use std::path::Path;

/// Regenerate with `cargo run -p apiflow-server -- openapi > apiflow-server/openapi.json`.
#[test]
fn committed_document_is_that_of_the_routes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let committed = std::fs::read_to_string(&path).expect("the document is committed");
    let generated = apiflow_server::openapi_document().to_pretty_json().expect("the document is JSON");
    assert!(
        committed.trim_end() == generated.trim_end(),
        "openapi.json is old; regenerate it with `cargo run -p apiflow-server -- openapi > apiflow-server/openapi.json`"
    );
}
