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

/// The origins that the secrets of a declaration are sent to.
pub(crate) struct SendOrigins {
    base: Origin,
    /// Further hosts that the connector lists for its credentials.
    listed: Vec<Origin>,
    /// That of the credentials in a connector's `auth`, if it is another one.
    token: Option<Origin>,
}

impl SendOrigins {
    /// Returns the origins of a declaration. `listed` are those of the hosts that a connector lists for its credentials.
    pub(crate) fn new(base_url: &str, listed: Vec<Origin>, token: Option<Origin>) -> Result<Self, Problem> {
        let base = Origin::of_url(base_url)
            .ok_or_else(|| Problem::single_fault("/base_url", "base_url must be an absolute http or https URL"))?;
        Ok(Self { base, listed, token })
    }

    /// Returns the origins of the secret at a JSON Pointer into the declaration, each once.
    pub(crate) fn of_pointer(&self, pointer: &str) -> BTreeSet<String> {
        match &self.token {
            Some(token) if pointer.starts_with("/data/auth/") => [token.to_string()].into(),
            Some(_) | None => self.listed.iter().chain([&self.base]).map(Origin::to_string).collect(),
        }
    }
}

/// Credentials that were moved out of a declaration. Has no `Debug`, because it contains their values.
pub(crate) struct Literals {
    /// Their names, values and origins.
    values: Vec<(String, String, Vec<String>)>,
    /// Their pointers and names.
    places: Vec<(String, String)>,
}

/// Moves literal credentials out of the declaration of `kind` and `id`; `body` is its JSON, whose strings then refer to
/// generated secrets, each of which may be sent to its origins only.
pub(crate) fn take_literals(
    (kind, id): (DocumentKind, &str),
    origins: &SendOrigins,
    found: Vec<LiteralCredential>,
    body: &mut Value,
) -> Result<Literals, Problem> {
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
        let origins = origins.of_pointer(&literal.pointer).into_iter().collect();
        places.push((literal.pointer, name.clone()));
        values.push((name, literal.value, origins));
    }
    Ok(Literals { values, places })
}

impl Literals {
    /// Returns the names of the generated secrets.
    pub(crate) fn secret_names(&self) -> BTreeSet<String> {
        self.values.iter().map(|(name, _, _)| name.clone()).collect()
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
            .map(|(name, value, origins)| book.seal_generated(name, &value, origins, declaration.clone()));
        sealed.collect()
    }
}
