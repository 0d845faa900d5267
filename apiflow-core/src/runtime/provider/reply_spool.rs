//! Bytes of media that were taken out of a reply, until they are stored as artifacts: a small amount in memory, more in
//! a temporary file.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use crate::ports::{ByteStream, HttpError};

/// Maximum number of bytes of one reply that are kept in memory.
const MAX_MEMORY_BYTES: usize = 1024 * 1024;
/// Number of bytes that are read from or written to the file at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// Collects the bytes of a reply.
#[derive(Default)]
pub(super) struct ReplySpool {
    /// Bytes that are not in the file.
    memory: Vec<u8>,
    file: Option<File>,
}

/// Collected bytes, of which ranges can be read any number of times.
#[derive(Clone)]
pub(super) enum SpooledBytes {
    Memory(Bytes),
    File(Arc<Mutex<File>>),
}

impl ReplySpool {
    /// Appends bytes to the collected reply.
    pub(super) async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.memory.extend_from_slice(bytes);
        let limit = if self.file.is_some() { BLOCK_BYTES } else { MAX_MEMORY_BYTES };
        if self.memory.len() > limit { self.write_to_file().await } else { Ok(()) }
    }

    /// Appends bytes; blocks the thread.
    pub(super) fn append_blocking(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.memory.extend_from_slice(bytes);
        let limit = if self.file.is_some() { BLOCK_BYTES } else { MAX_MEMORY_BYTES };
        if self.memory.len() <= limit {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile()?),
        };
        file.write_all(&self.memory)?;
        self.memory.clear();
        Ok(())
    }

    async fn write_to_file(&mut self) -> io::Result<()> {
        let (file, memory) = (self.file.take(), std::mem::take(&mut self.memory));
        let (file, mut memory) = run_blocking(move || {
            let mut file = match file {
                Some(file) => file,
                // It has no name, so that it disappears with the process.
                None => tempfile::tempfile()?,
            };
            file.write_all(&memory)?;
            Ok((file, memory))
        })
        .await?;
        memory.clear();
        memory.shrink_to(BLOCK_BYTES * 2);
        (self.file, self.memory) = (Some(file), memory);
        Ok(())
    }

    /// Ends the collection.
    pub(super) async fn finish(mut self) -> io::Result<SpooledBytes> {
        if self.file.is_some() && !self.memory.is_empty() {
            self.write_to_file().await?;
        }
        Ok(match self.file {
            Some(file) => SpooledBytes::File(Arc::new(Mutex::new(file))),
            None => SpooledBytes::Memory(self.memory.into()),
        })
    }
}

impl SpooledBytes {
    /// Reads a range.
    pub(super) fn read_range(&self, start: u64, size: u64) -> ByteStream {
        match self {
            Self::Memory(bytes) => {
                let part = bytes.slice(start as usize..(start + size) as usize);
                stream::iter([Ok(part)]).boxed()
            }
            Self::File(file) => {
                let file = Arc::clone(file);
                let blocks = stream::try_unfold((start, size), move |(at, left)| {
                    let file = Arc::clone(&file);
                    async move {
                        if left == 0 {
                            return Ok(None);
                        }
                        let length = left.min(BLOCK_BYTES as u64);
                        let block = run_blocking(move || read_block(&file, at, length as usize)).await;
                        let block = block.map_err(|error| unreadable(&error))?;
                        Ok(Some((block, (at + length, left - length))))
                    }
                });
                blocks.boxed()
            }
        }
    }
}

fn read_block(file: &Mutex<File>, at: u64, length: usize) -> io::Result<Bytes> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(at))?;
    let mut block = vec![0; length];
    file.read_exact(&mut block)?;
    Ok(block.into())
}

/// Returns the error of a temporary file, for the reader of a reply.
pub(super) fn unreadable(error: &io::Error) -> HttpError {
    HttpError::Reply(format!("its media could not be kept in a temporary file: {error}"))
}

async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ranges_are_read_from_memory_and_from_a_file() {
        for (count, is_file) in [(1_000_usize, false), (3 * MAX_MEMORY_BYTES, true)] {
            let bytes: Vec<u8> = (0..count).map(|index| (index % 251) as u8).collect();
            let mut spool = ReplySpool::default();
            for part in bytes.chunks(100_001) {
                spool.append(part).await.expect("there is space");
            }
            let spooled = spool.finish().await.expect("there is space");
            assert_eq!(matches!(spooled, SpooledBytes::File(_)), is_file);
            for (start, size) in [(0, count), (10, 0), (count / 2, count / 2), (1, 700)] {
                let read: Vec<Bytes> =
                    spooled.read_range(start as u64, size as u64).map(|part| part.expect("a block")).collect().await;
                assert!(read.concat() == bytes[start..start + size], "{size} bytes from {start} on");
            }
        }
    }
}
