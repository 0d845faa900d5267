//! Limits on names and sizes of secrets.

use apiflow_core::ports::own_secret;
use apiflow_store::DocumentKind;
use sha2::{Digest, Sha256};

use crate::hex::encode_hex;
use crate::http::problem::Problem;

/// Shortest value of a secret: replies are searched for values to mask, and shorter ones occur in any text.
pub(super) const MIN_VALUE_BYTES: usize = 8;

/// Longest value of a secret.
const MAX_VALUE_BYTES: usize = 64 * 1024;

/// The name that a secret is sealed and referred to by.
pub(super) fn reference_of(owner: Option<&str>, name: &str) -> String {
    owner.map_or_else(|| name.to_owned(), |owner| own_secret(owner, name))
}

/// Whether a string is a valid name of a secret.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 128
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Refuses an invalid name, and a value that is too short or too long.
pub(super) fn check_name_and_value(name: &str, value: &str) -> Result<(), Problem> {
    if !is_name(name) {
        return Err(Problem::invalid(
            format!(
                "`{name}` is not a valid secret name: use at most 128 letters, digits and `_`, not starting with a digit"
            ),
            Vec::new(),
        ));
    }
    if !(MIN_VALUE_BYTES..=MAX_VALUE_BYTES).contains(&value.len()) {
        let message = format!(
            "the value must have {MIN_VALUE_BYTES} to {MAX_VALUE_BYTES} bytes: shorter values cannot be masked in replies"
        );
        return Err(Problem::single_fault("/value", message));
    }
    Ok(())
}

/// Returns the name of the secret that is generated for a place: always the same for one declaration and place, so that
/// writing it again replaces it; the hash distinguishes it from names that users choose.
pub(super) fn generated_name(kind: DocumentKind, id: &str, pointer: &str) -> String {
    let key = pointer.rsplit('/').next().unwrap_or_default();
    let plain = |text: &str| -> String {
        let letters = text.chars().take(40);
        letters.map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' }).collect()
    };
    let digest = encode_hex(&Sha256::digest(format!("{id}\n{pointer}").as_bytes()));
    format!("{}_{}_{}_{}", plain(kind.as_str()), plain(id), plain(key), digest[..8].to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_and_apart() {
        let name = |id, pointer| generated_name(DocumentKind::Connector, id, pointer);
        let first = name("replicate", "/header/Authorization");
        assert_eq!(first, name("replicate", "/header/Authorization"));
        assert!(first.starts_with("CONNECTOR_REPLICATE_AUTHORIZATION_"), "{first}");
        assert!(is_name(&first));
        assert_ne!(name("a.b", "/header/x-key"), name("a_b", "/header/x-key"));
    }
}
