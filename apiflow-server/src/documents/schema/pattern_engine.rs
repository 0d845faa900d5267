//! The engine of patterns in JSON Schemas: linear in time, with a bound on memory.

use jsonschema::PatternOptions;
use serde_json::json;

/// Bytes that a compiled pattern may take.
const MAX_PATTERN_BYTES: usize = 8 * 1024 * 1024;

/// Returns the settings of the engine.
pub(super) fn pattern_options() -> PatternOptions<jsonschema::Regex> {
    PatternOptions::regex().size_limit(MAX_PATTERN_BYTES).dfa_size_limit(MAX_PATTERN_BYTES)
}

/// Returns whether the engine compiles a translated pattern.
pub(super) fn pattern_compiles(pattern: &str) -> bool {
    jsonschema::options().with_pattern_options(pattern_options()).build(&json!({"pattern": pattern})).is_ok()
}
