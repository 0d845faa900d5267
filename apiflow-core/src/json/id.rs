//! The rule for ids of connectors, nodes, workflows and everything else that paths name.

/// Maximum length of an id, in characters.
pub const MAX_ID_CHARS: usize = 64;

/// The rule for ids in words, as the end of a sentence: `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`.
pub const ID_RULE: &str = "must begin with a letter or digit and have at most 64 letters, digits, `_`, `.` or `-`";

/// Returns whether a string is a valid id: `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`.
pub fn is_valid_id(text: &str) -> bool {
    text.len() <= MAX_ID_CHARS
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::{ID_RULE, MAX_ID_CHARS, is_valid_id};

    #[test]
    fn ids_are_short_and_plain() {
        for id in ["a", "0", "gpt-4.1_mini", &"x".repeat(MAX_ID_CHARS)] {
            assert!(is_valid_id(id), "{id}");
        }
        for other in ["", "-a", ".a", "_a", "a b", "a/b", "é", "a\n", &"x".repeat(MAX_ID_CHARS + 1)] {
            assert!(!is_valid_id(other), "{other}");
        }
        assert!(ID_RULE.contains(&MAX_ID_CHARS.to_string()));
    }
}
