//! Opens the storage of artifacts that the settings name.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use apiflow_core::artifacts::{ArtifactSettings, SignLink, StoredArtifacts};
use apiflow_core::ports::{ArtifactRecords, Clock};

use crate::artifacts::links::{LinkSigner, artifact_url_prefix};
use crate::http::local_url::is_local;
use crate::settings::Settings;

/// Where artifacts are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ArtifactPlace {
    /// A folder of the file system.
    Folder(PathBuf),
    /// A cloud's bucket: `s3://bucket/prefix`, `gs://…`, `az://…`.
    Cloud(String),
}

impl ArtifactPlace {
    /// Returns the place that the settings name: by default a folder in the data folder.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self, String> {
        match settings.artifacts.as_deref().filter(|place| !place.is_empty()) {
            None => Ok(Self::Folder(settings.data.join("artifacts"))),
            Some(place) => Self::parse(place),
        }
    }

    /// Reads the setting.
    fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else { return Ok(Self::Folder(PathBuf::from(text))) };
        match scheme {
            "file" => Ok(Self::Folder(PathBuf::from(rest))),
            "s3" | "gs" | "az" if !rest.is_empty() && !rest.starts_with('/') => Ok(Self::Cloud(text.to_owned())),
            "s3" | "gs" | "az" => Err(format!("`{text}` names no bucket: use {scheme}://bucket/prefix")),
            _ => Err(format!(
                "`{scheme}://` is not supported: use a folder, s3://bucket/prefix, gs://bucket/prefix or \
                 az://container/prefix"
            )),
        }
    }
}

/// Returns the settings of the store of artifacts. Links are signed with `key`, for providers only if they can reach this
/// server.
pub(crate) fn artifact_settings(settings: &Settings, public_url: &str, key: &[u8; 32]) -> ArtifactSettings {
    let signer = LinkSigner::new(key, public_url);
    let sign: SignLink = Arc::new(move |id, valid_for| {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        Some(signer.sign_link(id, now_s + valid_for.as_secs()))
    });
    ArtifactSettings {
        max_artifact_bytes: settings.retention.max_artifact_bytes,
        quota_bytes: settings.retention.artifact_quota_bytes,
        sign_link: (!is_local(public_url)).then_some(sign),
        ..ArtifactSettings::new(artifact_url_prefix(public_url))
    }
}

/// Opens the storage.
pub(crate) fn open_artifacts(
    place: &ArtifactPlace,
    records: Arc<dyn ArtifactRecords>,
    clock: Arc<dyn Clock>,
    settings: ArtifactSettings,
) -> Result<StoredArtifacts, String> {
    match place {
        ArtifactPlace::Folder(folder) => {
            StoredArtifacts::in_folder(folder, records, clock, settings).map_err(|error| error.to_string())
        }
        ArtifactPlace::Cloud(url) => open_cloud(url, records, clock, settings),
    }
}

#[cfg(not(feature = "clouds"))]
fn open_cloud(
    url: &str,
    _records: Arc<dyn ArtifactRecords>,
    _clock: Arc<dyn Clock>,
    _settings: ArtifactSettings,
) -> Result<StoredArtifacts, String> {
    Err(format!(
        "this program was built without clouds, so it cannot use {url}: use a folder, the container image, or build it with \
         `--features clouds`"
    ))
}

#[cfg(feature = "clouds")]
fn open_cloud(
    url: &str,
    records: Arc<dyn ArtifactRecords>,
    clock: Arc<dyn Clock>,
    settings: ArtifactSettings,
) -> Result<StoredArtifacts, String> {
    use object_store::ObjectStore;
    use object_store::aws::AmazonS3Builder;
    use object_store::azure::MicrosoftAzureBuilder;
    use object_store::gcp::GoogleCloudStorageBuilder;
    use object_store::path::Path;
    use object_store::prefix::PrefixStore;

    apiflow_core::http::install_tls_provider();
    let failed = |error: object_store::Error| format!("{url} cannot be used: {error}");
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let objects: Arc<dyn ObjectStore> = match scheme {
        "s3" => Arc::new(AmazonS3Builder::from_env().with_bucket_name(bucket).build().map_err(failed)?),
        "gs" => Arc::new(GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).build().map_err(failed)?),
        _ => Arc::new(MicrosoftAzureBuilder::from_env().with_container_name(bucket).build().map_err(failed)?),
    };
    let prefix = Path::from(prefix);
    let objects = if prefix.as_ref().is_empty() { objects } else { Arc::new(PrefixStore::new(objects, prefix)) };
    Ok(StoredArtifacts::new(objects, records, clock, settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_or_a_bucket() {
        let folder = |path: &str| Ok(ArtifactPlace::Folder(PathBuf::from(path)));
        let cloud = |url: &str| Ok(ArtifactPlace::Cloud(url.to_owned()));
        for (text, expected) in [
            ("media", folder("media")),
            ("/var/media", folder("/var/media")),
            ("file:///var/media", folder("/var/media")),
            ("s3://bucket/a/b", cloud("s3://bucket/a/b")),
            ("gs://bucket", cloud("gs://bucket")),
            ("az://container", cloud("az://container")),
        ] {
            assert_eq!(ArtifactPlace::parse(text), expected);
        }
        for text in ["s3://", "gs:///", "az:///prefix"] {
            assert!(ArtifactPlace::parse(text).is_err_and(|error| error.contains("names no bucket")), "{text}");
        }
        assert!(ArtifactPlace::parse("ftp://x").is_err_and(|error| error.contains("s3://bucket/prefix")));
    }
}
