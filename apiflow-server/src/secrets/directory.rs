//! The existing secrets, without values, and the meaning of references to them.

use std::collections::{BTreeMap, BTreeSet};

use apiflow_core::digest::hash_value;
use apiflow_core::template::{self, SecretReference};
use apiflow_store::{Declaration, Document, DocumentKind, SecretRow};
use serde_json::{Value, json};

use crate::secrets::names::generated_name;

/// The existing secrets.
#[derive(Debug, Clone, Default)]
pub(crate) struct SecretDirectory {
    shared: BTreeSet<String>,
    generated: BTreeMap<String, Declaration>,
    /// Pairs of owner and name.
    own: BTreeSet<(String, String)>,
}

/// The meaning of a reference in a declaration. A name means a shared secret first, so that no user's own secret
/// replaces one that an admin's declaration refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning<'a> {
    /// A shared secret.
    Shared,
    /// A secret generated for this place of this declaration.
    Generated,
    /// A secret generated for another place.
    GeneratedElsewhere(&'a Declaration),
    /// The declaring user's own secret.
    Own,
    /// A secret that does not exist.
    Unknown,
}

impl SecretDirectory {
    pub(super) fn add_row(&mut self, row: SecretRow) {
        match (row.owner, row.generated_for) {
            (Some(owner), _) => drop(self.own.insert((owner, row.name))),
            (None, Some(declaration)) => drop(self.generated.insert(row.name, declaration)),
            (None, None) => drop(self.shared.insert(row.name)),
        }
    }

    pub(super) fn add_shared(&mut self, name: String) {
        self.shared.insert(name);
    }

    /// Adds the secrets that are being generated for a declaration.
    pub(crate) fn add_generated(&mut self, names: BTreeSet<String>, declaration: &Declaration) {
        self.generated.extend(names.into_iter().map(|name| (name, declaration.clone())));
    }

    /// Whether a shared or generated secret has the name.
    pub(crate) fn is_taken(&self, name: &str) -> bool {
        self.shared.contains(name) || self.generated.contains_key(name)
    }

    /// Returns a fingerprint of the existing secrets: if it changes, findings about secrets may change.
    pub(crate) fn directory_digest(&self) -> String {
        let generated = self.generated.iter().map(|(name, declaration)| format!("{name} {declaration:?}"));
        hash_value(&json!([self.shared, generated.collect::<Vec<_>>(), self.own]))
    }

    /// Returns the names that refer to the same secret for all users.
    pub(crate) fn common_names(&self) -> BTreeSet<String> {
        self.shared.iter().chain(self.generated.keys()).cloned().collect()
    }

    /// Whether a declaration of this author may refer to a secret with that name.
    pub(crate) fn is_known(&self, name: &str, author: Option<&str>) -> bool {
        self.is_taken(name) || self.has_own(name, author)
    }

    fn has_own(&self, name: &str, author: Option<&str>) -> bool {
        author.is_some_and(|author| self.own.contains(&(author.to_owned(), name.to_owned())))
    }

    /// Returns the meaning of a reference.
    pub(crate) fn meaning_of(&self, document: &Document, reference: &SecretReference) -> Meaning<'_> {
        let name = reference.name.as_str();
        if self.shared.contains(name) {
            return Meaning::Shared;
        }
        if let Some(declaration) = self.generated.get(name) {
            let (kind, id) = (document.kind, document.id.as_str());
            let is_here = (declaration.kind, declaration.id.as_str()) == (kind, id);
            return if is_here && generated_name(kind, id, &reference.pointer) == name {
                Meaning::Generated
            } else {
                Meaning::GeneratedElsewhere(declaration)
            };
        }
        if self.has_own(name, document.author.as_deref()) { Meaning::Own } else { Meaning::Unknown }
    }

    /// Returns all references of a declaration with their meanings.
    pub(crate) fn meanings_in(&self, document: &Document) -> Vec<(SecretReference, Meaning<'_>)> {
        let found = document_secret_references(document).into_iter();
        found
            .map(|reference| (self.meaning_of(document, &reference), reference))
            .map(|(meaning, it)| (it, meaning))
            .collect()
    }

    /// Returns the references of a declaration to its author's own secrets, and the author.
    pub(crate) fn own_secrets(&self, document: &Document) -> BTreeMap<String, String> {
        let Some(author) = &document.author else { return BTreeMap::new() };
        let own = self.meanings_in(document).into_iter().filter(|(_, meaning)| *meaning == Meaning::Own);
        own.map(|(reference, _)| (reference.name, author.clone())).collect()
    }
}

/// Returns the secret references of a declaration: in every value that may be a template, now or in a later version.
pub(crate) fn document_secret_references(document: &Document) -> Vec<SecretReference> {
    let keys: &[&str] = match document.kind {
        DocumentKind::Connector => &["header", "body", "data"],
        DocumentKind::Node => &["data"],
        DocumentKind::Workflow => &[],
    };
    let of_key =
        |key: &&str| template::secret_references(document.body.get(*key).unwrap_or(&Value::Null), &format!("/{key}"));
    keys.iter().flat_map(of_key).collect()
}
