//! Credentials that users write into a connector or node itself.

use std::collections::BTreeSet;

use apiflow_core::catalog::LiteralCredential;
use apiflow_core::diagnostic::codes;
use apiflow_core::diagnostic::{Diagnostic, Severity};
use apiflow_core::origin::Origin;
use apiflow_store::{Declaration, DocumentKind, SecretRow};
use serde_json::Value;

use crate::http::problem::Problem;
use crate::secrets::book::SecretBook;
use crate::secrets::names::{MIN_VALUE_BYTES, generated_name};

/// Credentials that were moved out of a declaration. Has no `Debug`, because it contains their values.
pub(crate) struct Literals {
    origin: String,
    values: Vec<(String, String)>,
    /// Their pointers and names.
    places: Vec<(String, String)>,
}

/// Moves literal credentials out of the declaration of `kind` and `id`; `body` is its JSON, whose strings then refer to
/// generated secrets. They may be sent to the origin of `base_url`.
pub(crate) fn take_literals(
    (kind, id): (DocumentKind, &str),
    base_url: &str,
    found: Vec<LiteralCredential>,
    body: &mut Value,
) -> Result<Literals, Problem> {
    let origin = Origin::of_url(base_url)
        .ok_or_else(|| Problem::single_fault("/base_url", "base_url must be an absolute http or https URL"))?;
    let (mut values, mut places) = (Vec::new(), Vec::new());
    for literal in found {
        if literal.value.len() < MIN_VALUE_BYTES {
            let message = format!(
                "this credential has fewer than {MIN_VALUE_BYTES} bytes, too few to be masked in replies; use a longer one"
            );
            return Err(Problem::single_fault(literal.pointer, message));
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
    /// Returns the names of the generated secrets.
    pub(crate) fn secret_names(&self) -> BTreeSet<String> {
        self.values.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Returns a finding for each credential that names its secret.
    pub(crate) fn moved_findings(&self) -> Vec<Diagnostic> {
        let remark = |(pointer, name): &(String, String)| {
            let message =
                format!("this credential was moved into the secret `{name}`, which is sent only to this origin");
            let found = Diagnostic::new_warning(codes::CREDENTIAL_IN_CLEAR, pointer, message);
            Diagnostic { severity: Severity::Hint, ..found }
        };
        self.places.iter().map(remark).collect()
    }

    /// Seals the credentials as secrets of a declaration.
    pub(crate) fn seal_literals(self, book: &SecretBook, declaration: &Declaration) -> Result<Vec<SecretRow>, Problem> {
        let sealed = self
            .values
            .into_iter()
            .map(|(name, value)| book.seal_generated(name, &value, self.origin.clone(), declaration.clone()));
        sealed.collect()
    }
}
