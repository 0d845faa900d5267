//! The memory limit of all replies together.
//!
//! Architecture invariant: a reply never waits for memory of a kind that it already holds. Bodies and the values that
//! they are parsed to have separate budgets, reserved in this order: a reply with memory for its values waits for
//! nothing else.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::HttpLimits;

/// Unit of reservations, in bytes.
const UNIT_BYTES: usize = 1024;
/// Divisor for the share of bodies in the memory; values have the rest.
const BODY_SHARE_DIVISOR: usize = 4;
/// Maximum number of copies of a body: there are two while secrets are masked.
const MAX_BODY_COPIES: usize = 2;

/// The memory budget for the replies of one client.
pub(super) struct ReplyMemory {
    bodies: Room,
    values: Room,
}

struct Room {
    free: Arc<Semaphore>,
    units: u32,
}

/// Reserved memory, which is released when dropped.
pub(super) type Reserved = OwnedSemaphorePermit;

impl ReplyMemory {
    /// Creates the budget that the limits define; there is always room for a body of the maximum size.
    pub(super) fn new(limits: &HttpLimits) -> Self {
        let bodies = (limits.max_memory_bytes / BODY_SHARE_DIVISOR).max(limits.max_reply_bytes * MAX_BODY_COPIES);
        let values = limits.max_memory_bytes.saturating_sub(bodies).max(limits.max_reply_bytes);
        Self { bodies: Room::new(bodies), values: Room::new(values) }
    }

    /// Waits for memory for a body.
    pub(super) async fn reserve_body(&self, bytes: usize) -> Reserved {
        self.bodies.reserve_bytes(bytes * MAX_BODY_COPIES).await.expect("a body of the largest size has room")
    }

    /// Waits for memory for the values of a body; `None` if they exceed the whole budget.
    pub(super) async fn reserve_values(&self, bytes: usize) -> Option<Reserved> {
        self.values.reserve_bytes(bytes).await
    }

    /// Returns the maximum size of the values of all bodies together, in bytes.
    pub(super) fn max_values_bytes(&self) -> usize {
        self.values.units as usize * UNIT_BYTES
    }

    /// Returns how many bytes are reserved, and how many there are.
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
