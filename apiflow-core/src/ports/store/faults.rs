//! Temporary faults of a store.

use std::fmt;

/// Why a store is unavailable at the moment. The fault may end by itself or through an operator, so repeating the
/// request makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// The disk or the quota of the database is full.
    Full,
    /// The database accepts no writes.
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
    /// Returns the stable code of the fault in problems and logs.
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

    /// Returns whether every other request would fail, too, so that trying them one by one is pointless.
    pub fn concerns_all(self) -> bool {
        match self {
            Self::ReadOnly | Self::Busy | Self::Unreachable => true,
            // A smaller write may still fit, and another part of the disk may be intact.
            Self::Full | Self::Io | Self::Corrupt | Self::OutOfMemory => false,
        }
    }
}

/// Formats the fault and how to fix it, for users; contains no internals.
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
