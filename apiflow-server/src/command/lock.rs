//! Keeps other processes off a data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

/// Holds the lock of a folder until it is dropped, or the process ends for any reason.
pub(super) struct FolderLock {
    _file: File,
}

/// Locks a folder; the error names the folder.
pub(super) fn lock_folder(folder: &Path) -> Result<FolderLock, String> {
    let path = folder.join("apiflow.lock");
    let shown = path.display();
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| format!("{shown} cannot be created: {error}"))?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another apiflow is running on {}: SQLite supports only one process; stop it, choose another folder with \
             APIFLOW_DATA, or use Postgres with DATABASE_URL",
            folder.display()
        )),
        Err(TryLockError::Error(error)) => Err(format!("{shown} cannot be locked: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_for_one_and_free_afterwards() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let first = lock_folder(folder.path()).expect("nobody has it");
        let refused = lock_folder(folder.path()).err().expect("it is taken");
        assert!(refused.contains("another apiflow is running"), "{refused}");
        drop(first);
        assert!(lock_folder(folder.path()).is_ok());
        assert!(lock_folder(Path::new("/nonexistent")).is_err_and(|error| error.contains("apiflow.lock")));
    }
}
