//! Sizes of values as JSON.

use std::io;

use serde::Serialize;

/// Returns the length of a value as JSON, in bytes.
pub(crate) fn json_len(value: &impl Serialize) -> u64 {
    let mut counter = ByteCounter(0);
    serde_json::to_writer(&mut counter, value).expect("rows hold only strings, numbers and JSON values");
    counter.0
}

/// A writer that counts the bytes.
struct ByteCounter(u64);

impl io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
