//! Bundles that jobs share, with their JSON.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::jobs::JobBundle;

/// A bundle that many jobs share, and its JSON, which is serialized at most once. Cheap to clone.
#[derive(Clone)]
pub struct SharedBundle(Arc<BundleWithJson>);

struct BundleWithJson {
    bundle: JobBundle,
    json: OnceLock<String>,
}

impl SharedBundle {
    /// Parses a bundle that a store has kept.
    ///
    /// # Errors
    /// The parser's error if the JSON is not a bundle.
    pub fn from_json(json: String) -> Result<Self, serde_json::Error> {
        let bundle = serde_json::from_str(&json)?;
        Ok(Self(Arc::new(BundleWithJson { bundle, json: OnceLock::from(json) })))
    }

    /// Returns the bundle as JSON, as stores keep it.
    pub fn json(&self) -> &str {
        self.0.json.get_or_init(|| serde_json::to_string(&self.0.bundle).expect("a bundle is plain data"))
    }

    /// Returns the bundle itself, cloned if others share it.
    pub fn into_bundle(self) -> JobBundle {
        Arc::try_unwrap(self.0).map_or_else(|shared| shared.bundle.clone(), |own| own.bundle)
    }
}

impl Deref for SharedBundle {
    type Target = JobBundle;

    fn deref(&self) -> &JobBundle {
        &self.0.bundle
    }
}

impl From<JobBundle> for SharedBundle {
    fn from(bundle: JobBundle) -> Self {
        Self(Arc::new(BundleWithJson { bundle, json: OnceLock::new() }))
    }
}

impl PartialEq for SharedBundle {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl std::fmt::Debug for SharedBundle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(formatter)
    }
}
