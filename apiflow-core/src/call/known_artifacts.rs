//! The artifacts that the inputs of a call refer to, as far as a request needs to know them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::artifact::{Artifact, artifact_id_of};
use crate::digest::hash_text;

/// The artifacts that the inputs of a call refer to: found before the request is built, because building it does no I/O.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KnownArtifacts {
    by_id: BTreeMap<String, KnownArtifact>,
    by_url: BTreeMap<String, String>,
}

/// An artifact and how a provider can reach it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownArtifact {
    /// What is known about it.
    pub artifact: Artifact,
    /// URL under which a provider can download it without credentials; `None` if this host cannot be reached.
    pub public_url: Option<String>,
}

impl KnownArtifacts {
    /// The set without artifacts.
    pub const NONE: Self = Self { by_id: BTreeMap::new(), by_url: BTreeMap::new() };

    /// Adds an artifact, which is recognized by its id and its URL.
    pub fn insert(&mut self, artifact: Artifact, public_url: Option<String>) {
        self.by_url.insert(artifact.url.clone(), artifact.id.clone());
        self.by_id.insert(artifact.id.clone(), KnownArtifact { artifact, public_url });
    }

    /// Returns what the artifacts of a value may be without asking for them, for a dry run: they are as their objects
    /// say, and can be downloaded by providers if their URL is absolute.
    pub fn assume_all(value: &Value) -> Self {
        let mut known = Self::default();
        visit_candidates(value, &mut |candidate| {
            if let Value::Object(_) = candidate
                && let Some(artifact) = assumed_artifact(candidate)
            {
                let public_url = artifact.url.starts_with("http").then(|| artifact.url.clone());
                known.insert(artifact, public_url);
            }
        });
        known
    }

    /// Returns the artifact that an object or a URL stands for.
    pub(super) fn find(&self, value: &Value) -> Option<&KnownArtifact> {
        if self.by_id.is_empty() {
            return None;
        }
        let id = match value {
            Value::String(url) => self.by_url.get(url)?.as_str(),
            Value::Object(_) => artifact_id_of(value)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return None,
        };
        self.by_id.get(id)
    }

    /// Returns whether no artifact is known.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

/// Returns the ids of the artifacts that a value may refer to, by objects with `artifact` and by URLs, which `id_of_url`
/// recognizes, and whether each is certainly one: an `artifact` alone may be anything, a plain URL of this host is not. A
/// URL with a query may be a signed link, which works without an account.
#[cfg(feature = "runtime")]
pub(crate) fn mentioned_artifacts(value: &Value, id_of_url: &dyn Fn(&str) -> Option<String>) -> BTreeMap<String, bool> {
    let mut found = BTreeMap::new();
    let is_plain_url = |text: &str| text.contains("://") && !text.contains('?');
    visit_candidates(value, &mut |candidate| {
        let (id, is_certain) = match candidate {
            Value::String(text) => match id_of_url(text) {
                Some(id) => (id, is_plain_url(text)),
                None => return,
            },
            Value::Object(fields) => {
                let Some(id) = artifact_id_of(candidate) else { return };
                let url = fields.get("url").and_then(Value::as_str).filter(|url| is_plain_url(url));
                (id.to_owned(), url.and_then(id_of_url).as_deref() == Some(id))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return,
        };
        *found.entry(id).or_default() |= is_certain;
    });
    found
}

/// Calls `visit` with each string, and with each object that has the string `artifact`, at any depth.
fn visit_candidates(value: &Value, visit: &mut impl FnMut(&Value)) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(_) => visit(value),
        Value::Array(items) => items.iter().for_each(|item| visit_candidates(item, visit)),
        Value::Object(_) if artifact_id_of(value).is_some() => visit(value),
        Value::Object(fields) => fields.values().for_each(|item| visit_candidates(item, visit)),
    }
}

fn assumed_artifact(value: &Value) -> Option<Artifact> {
    if let Some(artifact) = Artifact::from_value(value) {
        return Some(artifact);
    }
    let id = artifact_id_of(value)?;
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(Artifact {
        id: id.to_owned(),
        url: text("url").unwrap_or_else(|| format!("artifact:{id}")),
        mime: text("mime").unwrap_or_else(|| "application/octet-stream".to_owned()),
        size_bytes: value.get("size_bytes").and_then(Value::as_u64).unwrap_or(0),
        sha256: text("sha256").unwrap_or_else(|| hash_text(id)),
        name: text("name"),
        width: None,
        height: None,
        duration_s: None,
    })
}
