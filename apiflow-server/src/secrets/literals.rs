//! Credentials that people write into a connector or node itself.

use std::collections::BTreeSet;

use apiflow_core::catalog::LiteralCredential;
use apiflow_core::diagnostic::codes;
use apiflow_core::diagnostic::{Diagnostic, Severity};
use apiflow_core::origin::Origin;
use apiflow_store::{Declaration, DocumentKind, SecretRow};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::hex::encode_hex;
use crate::http::problem::Problem;
use crate::secrets::{LEAST_BYTES, SecretBook};

/// Credentials that were taken out of a declaration. Has no `Debug`: it holds them.
pub(crate) struct Literals {
    origin: String,
    values: Vec<(String, String)>,
    /// Places and names.
    places: Vec<(String, String)>,
}

/// Takes literal credentials out of the declaration of `kind` and `id`; `body` is its JSON, whose texts then name
/// generated secrets. They may go to the origin of `base_url`.
pub(crate) fn take_literals(
    (kind, id): (DocumentKind, &str),
    base_url: &str,
    found: Vec<LiteralCredential>,
    body: &mut Value,
) -> Result<Literals, Problem> {
    let origin = Origin::of_url(base_url)
        .ok_or_else(|| Problem::fault("/base_url", "base_url must be an absolute http or https URL"))?;
    let (mut values, mut places) = (Vec::new(), Vec::new());
    for literal in found {
        if literal.value.len() < LEAST_BYTES {
            let message = format!(
                "this credential has fewer than {LEAST_BYTES} bytes, too few to be told from other texts and kept out \
                 of replies; use a longer one"
            );
            return Err(Problem::fault(literal.pointer, message));
        }
        let name = generated_name(kind, id, &literal.pointer);
        let place = body
            .pointer_mut(&literal.pointer)
            .ok_or_else(|| Problem::internal(format!("no text at {}", literal.pointer)))?;
        *place = Value::String(format!("{}${name}{}", literal.prefix, literal.suffix));
        places.push((literal.pointer, name.clone()));
        values.push((name, literal.value));
    }
    Ok(Literals { origin: origin.to_string(), values, places })
}

impl Literals {
    /// The names of the secrets that are generated.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.values.iter().map(|(name, _)| name.clone()).collect()
    }

    /// A remark for each credential on where it is now.
    pub(crate) fn findings(&self) -> Vec<Diagnostic> {
        let remark = |(pointer, name): &(String, String)| {
            let message = format!("this credential was moved into the secret `{name}`, which goes nowhere else");
            let found = Diagnostic::warning(codes::CREDENTIAL_IN_CLEAR, pointer, message);
            Diagnostic { severity: Severity::Hint, ..found }
        };
        self.places.iter().map(remark).collect()
    }

    /// The credentials as secrets of a declaration, sealed.
    pub(crate) fn seal(self, book: &SecretBook, declaration: &Declaration) -> Result<Vec<SecretRow>, Problem> {
        let sealed = self
            .values
            .into_iter()
            .map(|(name, value)| book.seal_generated(name, &value, self.origin.clone(), declaration.clone()));
        sealed.collect()
    }
}

/// The name of the generated secret of a place: the same for the same declaration and place, so that writing it again
/// replaces it; the hash keeps it apart from names that people choose.
pub(crate) fn generated_name(kind: DocumentKind, id: &str, pointer: &str) -> String {
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
        assert!(crate::secrets::is_name(&first));
        assert_ne!(name("a.b", "/header/x-key"), name("a_b", "/header/x-key"));
    }
}
