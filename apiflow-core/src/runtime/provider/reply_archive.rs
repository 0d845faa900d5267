//! Unpacks a ZIP archive that a provider returned, within limits.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use zip::ZipArchive;

use super::reply_spool::{ReplySpool, SpooledBytes};
use crate::call::{ReplyParts, plain_file_name};

/// Maximum number of files in an archive.
const MAX_FILES: usize = 1_000;
/// Maximum size of all files together, in bytes.
const MAX_TOTAL_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Maximum ratio of the size of all files to the size of the archive.
const MAX_RATIO: u64 = 100;
/// Size up to which the ratio does not matter, in bytes.
const MAX_UNCHECKED_BYTES: u64 = 1024 * 1024;
/// Maximum number of bytes that are read to open an archive: its directory, which is held in memory many times its size.
const MAX_DIRECTORY_BYTES: usize = 4 * 1024 * 1024;
/// Number of bytes that are unpacked at once.
const BLOCK_BYTES: usize = 64 * 1024;

/// Unpacked files: the document that lists them, and their bytes.
pub(super) struct UnpackedArchive {
    /// `{"files": [{"name", "size_bytes", "content"}]}`, with markers as contents.
    pub(super) document: Value,
    pub(super) spool: ReplySpool,
    pub(super) parts: ReplyParts,
}

/// Unpacks an archive of `size` bytes; blocks the thread.
///
/// # Errors
/// What is wrong with the archive, or why its files cannot be kept.
pub(super) fn unpack_archive(archive: &SpooledBytes, size: u64, parts: ReplyParts) -> Result<UnpackedArchive, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("the ZIP archive cannot be unpacked: {error}");
    let reader = ArchiveReader::new(archive.clone(), size);
    let budget = reader.budget();
    let mut archive = ZipArchive::new(io::BufReader::new(reader)).map_err(|error| match budget.get() {
        Some(0) => unreadable(&format!("its directory is larger than {MAX_DIRECTORY_BYTES} bytes")),
        _ => unreadable(&error),
    })?;
    budget.set(None);
    if archive.len() > MAX_FILES {
        let count = archive.len();
        return Err(unreadable(&format!("it has {count} files, more than the limit of {MAX_FILES}")));
    }
    let max_bytes = MAX_TOTAL_BYTES.min((size.saturating_mul(MAX_RATIO)).max(MAX_UNCHECKED_BYTES));
    let mut unpacked = UnpackedArchive { document: Value::Null, spool: ReplySpool::default(), parts };
    let mut files = Vec::new();
    let mut block = vec![0; BLOCK_BYTES];
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(|error| unreadable(&error))?;
        let Some(path) = file.enclosed_name().filter(|_| !file.is_symlink()) else {
            return Err(unreadable(&"a path leads out of the archive"));
        };
        if file.is_dir() {
            continue;
        }
        let path = path.to_string_lossy().replace('\\', "/");
        if path.split('/').any(|part| part == "..") {
            return Err(unreadable(&"a path leads out of the archive"));
        }
        unpacked.parts.begin_part(None, plain_file_name(&path));
        let before = unpacked.parts.total_bytes();
        loop {
            let count = file.read(&mut block).map_err(|error| unreadable(&error))?;
            if count == 0 {
                break;
            }
            unpacked.parts.push_bytes(&block[..count]);
            let bytes = unpacked.parts.take_bytes();
            unpacked.spool.append_blocking(&bytes).map_err(|error| unreadable(&error))?;
            if unpacked.parts.total_bytes() > max_bytes {
                return Err(unreadable(&format!(
                    "its files have more than {max_bytes} bytes: at most {MAX_TOTAL_BYTES}, and {MAX_RATIO} times the \
                     size of the archive"
                )));
            }
        }
        let size = unpacked.parts.total_bytes() - before;
        files.push(json!({"name": path, "size_bytes": size, "content": unpacked.parts.end_part()}));
    }
    unpacked.document = json!({"files": files});
    Ok(unpacked)
}

/// Reads the bytes of the archive.
struct ArchiveReader {
    bytes: SpooledBytes,
    size: u64,
    at: u64,
    /// How many more bytes may be read; `None` means any number.
    budget: Rc<Cell<Option<usize>>>,
}

impl ArchiveReader {
    fn new(bytes: SpooledBytes, size: u64) -> Self {
        Self { bytes, size, at: 0, budget: Rc::new(Cell::new(Some(MAX_DIRECTORY_BYTES))) }
    }

    fn budget(&self) -> Rc<Cell<Option<usize>>> {
        Rc::clone(&self.budget)
    }
}

impl Read for ArchiveReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        if let Some(budget) = self.budget.get() {
            let rest = budget.checked_sub(count);
            self.budget.set(Some(rest.unwrap_or_default()));
            if rest.is_none() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "too many bytes"));
            }
        }
        if count == 0 {
            // The position may be beyond the end.
            return Ok(0);
        }
        let target = &mut buffer[..count];
        match &self.bytes {
            SpooledBytes::Memory(bytes) => target.copy_from_slice(&bytes[self.at as usize..self.at as usize + count]),
            SpooledBytes::File(file) => read_file_at(file, self.at, target)?,
        }
        self.at += count as u64;
        Ok(count)
    }
}

fn read_file_at(file: &Arc<Mutex<std::fs::File>>, at: u64, target: &mut [u8]) -> io::Result<()> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(target)
}

impl Seek for ArchiveReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a position before the beginning"))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests;
