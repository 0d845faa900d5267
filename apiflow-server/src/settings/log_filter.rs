//! The log filter (`RUST_LOG`).

use apiflow_core::diagnostic::nearest_name;
use tracing_subscriber::EnvFilter;

/// The levels, from least to most verbose.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The filter if none is set.
const DEFAULT: &str = "info";

/// Reads a filter in the syntax of [`EnvFilter`]; an empty one is the default.
///
/// A single word must be a level or one of our own crates: `EnvFilter` itself reads `inof` as the name of a crate, and
/// nothing would be logged.
pub(crate) fn parse_log_filter(text: &str) -> Result<EnvFilter, String> {
    let text = if text.trim().is_empty() { DEFAULT } else { text };
    for directive in text.split(',').map(str::trim) {
        let is_word = directive.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        let is_level = LEVELS.iter().any(|level| level.eq_ignore_ascii_case(directive));
        if is_word && !directive.is_empty() && !is_level && !directive.starts_with("apiflow") {
            let meant =
                nearest_name(directive, LEVELS).map(|level| format!("; did you mean `{level}`?")).unwrap_or_default();
            return Err(format!(
                "`{directive}` is not a level (`{}`); write `{directive}=debug` if it is a crate's name{meant}",
                LEVELS.join("`, `")
            ));
        }
    }
    EnvFilter::try_new(text).map_err(|error| {
        format!(
            "`{text}` is invalid: {error}; use a level (`info`) or `crate=level`, separated by commas (`info,sqlx=warn`)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(), &str>) {
        let found = parse_log_filter(text).map(|_| ());
        match expected {
            Ok(()) => assert_eq!(found, Ok(()), "{text}"),
            Err(words) => assert!(found.as_ref().is_err_and(|error| error.contains(words)), "{text}: {found:?}"),
        }
    }

    #[test]
    fn filters_are_read_as_written() {
        for text in
            ["", "info", "WARN", "off", "apiflow_server", "info,sqlx=warn", "apiflow_core::runtime=trace", "a[b]=info"]
        {
            check(text, Ok(()));
        }
    }

    #[test]
    fn a_mistyped_filter_is_an_error() {
        check("inof", Err("did you mean `info`?"));
        check("verbose", Err("`verbose` is not a level"));
        check("info,wran", Err("did you mean `warn`?"));
        check("apiflow_server=loud", Err("`apiflow_server=loud` is invalid"));
        check("sqlx==warn", Err("is invalid"));
    }
}
