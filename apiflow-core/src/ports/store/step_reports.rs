//! What providers report about running steps, beside their state.

use serde::{Deserialize, Serialize};

/// Maximum size of the part of a provider's log that is kept: its end, in bytes.
pub const MAX_LOG_TAIL_BYTES: usize = 64 * 1024;

/// The end of a provider's log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTail {
    /// The end of the log, at most [`MAX_LOG_TAIL_BYTES`].
    pub text: String,
    /// Size of the whole log, in bytes.
    pub total_bytes: u64,
}

impl LogTail {
    /// Keeps the end of a log.
    pub fn of_text(log: &str) -> Self {
        let mut start = log.len().saturating_sub(MAX_LOG_TAIL_BYTES);
        while !log.is_char_boundary(start) {
            start += 1;
        }
        Self { text: log[start..].to_owned(), total_bytes: log.len() as u64 }
    }

    /// Returns the position of the kept text in the whole log, in bytes.
    pub fn offset(&self) -> u64 {
        self.total_bytes.saturating_sub(self.text.len() as u64)
    }

    /// Returns the kept part of the log from a position of the whole log on, and the position at which it begins: later
    /// than asked for if the part before is not kept, or the position is inside of a character.
    pub fn read_from(&self, offset: u64) -> (u64, &str) {
        let first = self.offset();
        let skipped = usize::try_from(offset.saturating_sub(first)).unwrap_or(usize::MAX);
        let mut start = skipped.min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start += 1;
        }
        (first + start as u64, &self.text[start..])
    }
}

/// What the last reply of a provider says about the work of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepReport {
    /// Ordinal of the step.
    pub step: u64,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Position in the provider's queue; `None` once the work has begun, or if it is unknown.
    pub queue_position: Option<u64>,
    /// Link or data URI of a preview of the result.
    pub preview: Option<String>,
    /// End of the provider's log; `None` leaves the log as it is.
    pub log: Option<LogTail>,
}

/// The log of a step as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepLog {
    /// Number of the attempt that the log belongs to.
    pub attempt: u32,
    /// End of the log.
    pub tail: LogTail,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_kept_and_read_from_a_position() {
        let short = LogTail::of_text("äb");
        assert_eq!((short.total_bytes, short.offset(), short.text.as_str()), (3, 0, "äb"));
        for (offset, expected) in [(0, (0, "äb")), (1, (2, "b")), (2, (2, "b")), (3, (3, "")), (99, (3, ""))] {
            assert_eq!(short.read_from(offset), expected, "{offset}");
        }
        let long = LogTail::of_text(&format!("{}end", "ä".repeat(MAX_LOG_TAIL_BYTES)));
        assert_eq!(long.total_bytes, 2 * MAX_LOG_TAIL_BYTES as u64 + 3);
        assert!(long.text.len() <= MAX_LOG_TAIL_BYTES && long.text.len() > MAX_LOG_TAIL_BYTES - 2);
        let (offset, text) = long.read_from(5);
        assert_eq!((offset, text), (long.offset(), long.text.as_str()), "what is not kept is skipped");
        let (offset, text) = long.read_from(long.total_bytes - 3);
        assert_eq!((offset, text), (long.total_bytes - 3, "end"));
    }
}
