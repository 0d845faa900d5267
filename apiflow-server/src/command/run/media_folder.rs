//! Media of a run from the command line: kept in a temporary folder while it runs, and saved as files that the user can open.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use apiflow_core::artifact::{artifact_id_of, file_extension};
use apiflow_core::artifacts::{ArtifactSettings, LocalRecords, StoredArtifacts};
use apiflow_core::ports::{ArtifactFilter, ArtifactRow, Artifacts as _};
use apiflow_core::runtime::clock::SystemClock;
use futures_util::TryStreamExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

/// Number of artifacts per read.
const PAGE_SIZE: u32 = 500;

/// The largest number in the name of a file, where names are taken.
const MAX_FILE_NUMBER: u32 = 100_000;

/// The media of a run; deleted when it is dropped.
pub(super) struct RunMedia {
    artifacts: Arc<StoredArtifacts>,
    _folder: TempDir,
}

/// The files that were saved: their paths by the ids of artifacts.
pub(super) type SavedFiles = BTreeMap<String, PathBuf>;

impl RunMedia {
    /// Creates an empty folder for media.
    pub(super) async fn create() -> Result<Self, String> {
        let failed = |error: &dyn Display| format!("no folder for media can be created: {error}");
        let folder = tempfile::Builder::new().prefix("apiflow-run-").tempdir().map_err(|error| failed(&error))?;
        let records = LocalRecords::open_folder(folder.path()).await.map_err(|error| failed(&error))?;
        let settings = ArtifactSettings::new("artifact:");
        let artifacts = StoredArtifacts::in_folder(folder.path(), Arc::new(records), Arc::new(SystemClock), settings);
        Ok(Self { artifacts: Arc::new(artifacts.map_err(|error| failed(&error))?), _folder: folder })
    }

    /// Returns where the run keeps its media.
    pub(super) fn artifacts(&self) -> &Arc<StoredArtifacts> {
        &self.artifacts
    }

    /// Lists the outputs of steps, in the order of steps.
    pub(super) async fn list_outputs(&self) -> Result<Vec<ArtifactRow>, String> {
        let mut outputs = Vec::new();
        let mut before = None;
        loop {
            let page = self.artifacts.records().list_artifacts(&ArtifactFilter::default(), before, PAGE_SIZE).await;
            let page = page.map_err(|error| error.to_string())?;
            before = page.last().map(|row| (row.created_at, row.id.clone()));
            let is_last = page.len() < PAGE_SIZE as usize;
            outputs.extend(page.into_iter().filter(|row| row.provenance.is_some()));
            if is_last {
                break;
            }
        }
        outputs.sort_by_key(|row| (step_of(row).0, row.created_at, row.id.clone()));
        Ok(outputs)
    }

    /// Writes outputs as `<step>.<extension>` into a folder; a number is added to a name that is taken, so that no file is
    /// overwritten.
    pub(super) async fn save_outputs(&self, outputs: &[ArtifactRow], folder: &Path) -> Result<SavedFiles, String> {
        let mut saved = SavedFiles::new();
        for row in outputs {
            let (path, mut file) = create_file(folder, row).await.map_err(|error| failed(folder, &error))?;
            let copied = async {
                let mut bytes = self.artifacts.get(&row.id, None).await.map_err(|error| error.to_string())?.bytes;
                while let Some(part) = bytes.try_next().await.map_err(|error| error.to_string())? {
                    file.write_all(&part).await.map_err(|error| error.to_string())?;
                }
                file.sync_all().await.map_err(|error| error.to_string())
            };
            if let Err(error) = copied.await {
                // Half a file is not left behind; the error that is reported is the first one.
                drop(tokio::fs::remove_file(&path).await);
                return Err(failed(&path, &error));
            }
            saved.insert(row.id.clone(), path);
        }
        Ok(saved)
    }
}

/// Creates the folder in which files are saved, unless it exists.
pub(super) async fn create_folder(folder: &Path) -> Result<(), String> {
    tokio::fs::create_dir_all(folder).await.map_err(|error| failed(folder, &error))
}

fn failed(path: &Path, error: &dyn Display) -> String {
    format!("{} cannot be written: {error}", path.display())
}

/// Returns the ordinal and the id of the step that made an output.
fn step_of(row: &ArtifactRow) -> (u64, &str) {
    row.provenance.as_ref().map_or((0, ""), |provenance| (provenance.step, &provenance.step_id))
}

/// Creates a file that did not exist, named after the step that made the output.
async fn create_file(folder: &Path, row: &ArtifactRow) -> std::io::Result<(PathBuf, tokio::fs::File)> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    let step: String = step_of(row).1.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
    let extension = file_extension(&row.mime).unwrap_or("bin");
    for number in 1..=MAX_FILE_NUMBER {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("{step}{suffix}.{extension}"));
        match tokio::fs::File::create_new(&path).await {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::Error::other(format!("it contains {MAX_FILE_NUMBER} files of the step `{step}`")))
}

/// Adds the `path` of its file to each artifact in an output.
pub(super) fn add_paths(value: &mut Value, saved: &SavedFiles) {
    let path = artifact_id_of(value).and_then(|id| saved.get(id)).map(|path| path.display().to_string());
    match value {
        Value::Object(fields) => {
            if let Some(path) = path {
                fields.insert("path".to_owned(), Value::from(path));
                return;
            }
            fields.values_mut().for_each(|field| add_paths(field, saved));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| add_paths(item, saved)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
