//! JSON Pointers (RFC 6901).

/// Appends an escaped token to a JSON Pointer (RFC 6901: `~` is `~0`, `/` is `~1`).
pub fn pointer_push(pointer: &str, token: &str) -> String {
    format!("{pointer}/{}", token.replace('~', "~0").replace('/', "~1"))
}
