//! Queries of RFC 9535.
//!
//! Without the feature `runtime`, as in a browser, no reply is ever read: queries are accepted as they are, because
//! their parser, with its regular expressions, would be a large part of the WebAssembly module.

use serde_json::Value;

/// A query, which matches any number of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    #[cfg(feature = "runtime")]
    path: serde_json_path::JsonPath,
}

#[cfg(feature = "runtime")]
impl Query {
    /// Parses a query; the error message says what is wrong at which position.
    pub(super) fn parse(source: &str) -> Result<Self, String> {
        match serde_json_path::JsonPath::parse(source) {
            Ok(path) => Ok(Self { path }),
            Err(fault) => {
                let at = source.get(fault.position()..).filter(|rest| !rest.is_empty());
                let place = at.map(|rest| format!(" before `{rest}`")).unwrap_or_default();
                Err(format!("{}{place}", fault.message()))
            }
        }
    }

    /// Returns the values that the query matches, in order.
    pub(super) fn find_all<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.path.query(value).all()
    }
}

#[cfg(not(feature = "runtime"))]
impl Query {
    /// Accepts a query.
    #[expect(clippy::unnecessary_wraps, reason = "with the feature `runtime` it may fail")]
    pub(super) fn parse(_: &str) -> Result<Self, String> {
        Ok(Self {})
    }

    /// Returns nothing: no reply is read.
    #[expect(clippy::unused_self, reason = "with the feature `runtime` the query is used")]
    pub(super) fn find_all<'a>(&self, _: &'a Value) -> Vec<&'a Value> {
        Vec::new()
    }
}
