//! The data folder of a demo. A file marks it, so that a demo never uses the data of a real server.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::settings::TEMPORARY_FOLDER;
use crate::users::tokens;

/// The file that marks the folder of a demo.
const MARKER_FILE: &str = "demo.json";

/// The content of the marker.
#[derive(Serialize, Deserialize)]
struct Marker {
    /// Password of the admin, so that each start can print it. Only stand-ins' keys are protected by it.
    password: String,
}

/// A folder that belongs to demos; a temporary one is deleted when it is dropped.
pub(super) struct DemoFolder {
    path: PathBuf,
    password: String,
    is_temporary: bool,
}

impl DemoFolder {
    /// Opens the folder of an earlier demo, or makes an empty one a demo's. `password` is used for a new one.
    ///
    /// # Errors
    /// The folder contains something else, or is not accessible.
    pub(super) fn open(folder: &Path, password: Option<&str>) -> Result<Self, String> {
        let is_temporary = folder == Path::new(TEMPORARY_FOLDER);
        let path = if is_temporary { temporary_path() } else { folder.to_owned() };
        let wrong = |error: &dyn std::fmt::Display| format!("the folder {} cannot be used: {error}", path.display());
        create_folder(&path, is_temporary).map_err(|error| wrong(&error))?;
        let marker = path.join(MARKER_FILE);
        let password = match std::fs::read(&marker) {
            Ok(text) => serde_json::from_slice::<Marker>(&text).map_err(|error| wrong(&error))?.password,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if std::fs::read_dir(&path).map_err(|error| wrong(&error))?.next().is_some() {
                    return Err(format!(
                        "APIFLOW_DATA: the folder {} contains data that are not of a demo: name an empty or new folder, or \
                         leave APIFLOW_DATA out for a temporary one",
                        path.display()
                    ));
                }
                let given = password.filter(|password| !password.is_empty());
                let password = given.map_or_else(tokens::generate_password, str::to_owned);
                write_marker(&marker, &Marker { password: password.clone() }).map_err(|error| wrong(&error))?;
                password
            }
            Err(error) => return Err(wrong(&error)),
        };
        Ok(Self { path, password, is_temporary })
    }

    /// Returns the path of the folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the password that the admin had at the first start.
    pub(super) fn password(&self) -> &str {
        &self.password
    }

    /// Whether the folder is deleted at the end.
    pub(super) fn is_temporary(&self) -> bool {
        self.is_temporary
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        if self.is_temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, folder = %self.path.display(), "the demo's folder cannot be deleted");
        }
    }
}

fn temporary_path() -> PathBuf {
    std::env::temp_dir().join(format!("apiflow-demo-{}", uuid::Uuid::now_v7().simple()))
}

/// Creates a folder for its owner only; a temporary one must not exist.
fn create_folder(path: &Path, is_temporary: bool) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(!is_temporary);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn write_marker(path: &Path, marker: &Marker) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(&serde_json::to_vec(marker)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_uses_only_folders_of_demos() {
        let parent = tempfile::tempdir().expect("a temporary folder can be made");
        let folder = parent.path().join("new");
        let first = DemoFolder::open(&folder, None).map(|demo| demo.password().to_owned()).expect("a new one is used");
        std::fs::write(folder.join("apiflow.db"), "data").expect("it can be written");
        let again = DemoFolder::open(&folder, Some("another")).expect("an earlier demo's is used");
        assert_eq!(again.password(), first);
        let real = parent.path().join("real");
        std::fs::create_dir(&real).expect("it can be created");
        std::fs::write(real.join("secret.key"), "data").expect("it can be written");
        let refused = DemoFolder::open(&real, None).err().expect("it is refused");
        assert!(refused.contains("not of a demo"), "{refused}");
        assert_eq!(std::fs::read_dir(&real).expect("it is read").count(), 1, "nothing was written");
    }

    #[test]
    fn a_temporary_folder_is_deleted_with_its_demo() {
        let demo = DemoFolder::open(Path::new(TEMPORARY_FOLDER), Some("given")).expect("it is created");
        let path = demo.path().to_owned();
        assert!(path.join(MARKER_FILE).exists() && demo.password() == "given");
        drop(demo);
        assert!(!path.exists());
    }
}
