//! The memory that replies may take together.
//!
//! Architecture invariant: a reply that waits for room holds none of what it waits for. Bodies and the values that they
//! are read into have rooms of their own, and are reserved in this order: one with room for values waits for nothing
//! more.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::HttpLimits;

/// What is reserved at a time, in bytes.
const UNIT_BYTES: usize = 1024;
/// The part of the memory that bodies take; values take the rest.
const DEFAULT_BODY_SHARE: usize = 4;
/// A body is there twice while secrets are taken out of it.
const MAX_BODY_COPIES: usize = 2;

/// Memory for the replies of one client.
pub(super) struct ReplyMemory {
    bodies: Room,
    values: Room,
}

struct Room {
    free: Arc<Semaphore>,
    units: u32,
}

/// Memory that is set aside; given back when it is dropped.
pub(super) type Reserved = OwnedSemaphorePermit;

impl ReplyMemory {
    /// The memory that the limits name; a body of the largest size always has room.
    pub(super) fn new(limits: &HttpLimits) -> Self {
        let bodies = (limits.max_memory_bytes / DEFAULT_BODY_SHARE).max(limits.max_reply_bytes * MAX_BODY_COPIES);
        let values = limits.max_memory_bytes.saturating_sub(bodies).max(limits.max_reply_bytes);
        Self { bodies: Room::new(bodies), values: Room::new(values) }
    }

    /// Waits for room for a body.
    pub(super) async fn reserve_body(&self, bytes: usize) -> Reserved {
        self.bodies.reserve_bytes(bytes * MAX_BODY_COPIES).await.expect("a body of the largest size has room")
    }

    /// Waits for room for the values of a body; `None` if there is not that much at all.
    pub(super) async fn reserve_values(&self, bytes: usize) -> Option<Reserved> {
        self.values.reserve_bytes(bytes).await
    }

    /// How many bytes the values of all bodies may take.
    pub(super) fn max_values_bytes(&self) -> usize {
        self.values.units as usize * UNIT_BYTES
    }

    /// How many bytes are set aside now, and how many there are.
    pub(super) fn used_and_total(&self) -> (usize, usize) {
        let used = self.bodies.used_bytes() + self.values.used_bytes();
        (used * UNIT_BYTES, (self.bodies.units as usize + self.values.units as usize) * UNIT_BYTES)
    }
}

impl Room {
    fn new(bytes: usize) -> Self {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES).min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX).max(1);
        Self { free: Arc::new(Semaphore::new(units as usize)), units }
    }

    async fn reserve_bytes(&self, bytes: usize) -> Option<Reserved> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).ok().filter(|units| *units <= self.units)?;
        let free = self.free.clone();
        Some(free.acquire_many_owned(units).await.expect("the rooms are never closed"))
    }

    fn used_bytes(&self) -> usize {
        self.units as usize - self.free.available_permits()
    }
}
