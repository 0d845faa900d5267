//! What keeps a store from its work for a while.

use std::fmt;

/// Why a store cannot do its work at the moment. It may pass by itself or by what an operator does, so the same request
/// is worth repeating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// The disk or the quota of the database is full.
    Full,
    /// The database takes no writes.
    ReadOnly,
    /// The disk failed to read or write.
    Io,
    /// The database is damaged.
    Corrupt,
    /// The database ran out of memory.
    OutOfMemory,
    /// The database, or every connection to it, is in use by others.
    Busy,
    /// The database does not answer: it is down, restarting, or the connection was lost.
    Unreachable,
}

impl StoreFault {
    /// The stable code of problems and logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Full => "storage_full",
            Self::ReadOnly => "storage_read_only",
            Self::Io => "storage_io_error",
            Self::Corrupt => "storage_corrupt",
            Self::OutOfMemory => "storage_out_of_memory",
            Self::Busy => "storage_busy",
            Self::Unreachable => "storage_unreachable",
        }
    }

    /// Whether every other request fails of it too at this moment: nothing is gained by trying each of several alone.
    pub fn concerns_all(self) -> bool {
        match self {
            Self::ReadOnly | Self::Busy | Self::Unreachable => true,
            // What is smaller may still fit, and what lies elsewhere may still be whole.
            Self::Full | Self::Io | Self::Corrupt | Self::OutOfMemory => false,
        }
    }
}

/// What is wrong and how to fix it, for people; it holds no internals.
impl fmt::Display for StoreFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Full => "the disk of the database is full; free some space or raise its quota",
            Self::ReadOnly => "the database is read-only; make it writable",
            Self::Io => "the disk of the database cannot be read or written; check the disk and its mount",
            Self::Corrupt => "the database is damaged; restore it from a backup",
            Self::OutOfMemory => "the database is out of memory; raise its memory limit",
            Self::Busy => {
                "the database is busy or does not answer in time; try again, and raise its connection limit if this \
                 lasts"
            }
            Self::Unreachable => "the database does not answer; check that it is running and can be reached",
        })
    }
}
