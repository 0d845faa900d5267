//! Time that passes only when nothing else can: the runtime's own paused clock.

use apiflow_core::ports::{Clock, Timestamp};
use async_trait::async_trait;
use tokio::time::{Duration, Instant};

/// The moment at which worlds begin.
const BEGIN: Timestamp = Timestamp(1_000_000);

/// Tells the time of a paused runtime.
pub(super) struct Virtual(Instant);

impl Virtual {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }
}

#[async_trait]
impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        BEGIN.plus_ms(u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    async fn sleep_until(&self, moment: Timestamp) {
        tokio::time::sleep(Duration::from_millis(moment.since_ms(self.now()))).await;
    }
}
