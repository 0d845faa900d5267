//! Time limits of requests whose bodies take long to send.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt as _};
use tokio::time::Instant;

use crate::ports::HttpError;

/// Maximum time that sending a body may add to the time limit of its request.
///
/// The time limit of an attempt contains it for nodes that send files (`CallPlan::attempt_timeout_ms`).
const MAX_SENDING_TIME: Duration = Duration::from_mins(10);
/// Slowest average rate at which a body may be sent, in bytes per millisecond.
const MIN_BYTES_PER_MS: u64 = 64;

/// When the last part of a body was sent.
#[derive(Clone, Default)]
pub(super) struct SendingProgress(Arc<Mutex<Option<Instant>>>);

impl SendingProgress {
    /// Notes when the parts of a body are taken: the connection takes the next one only after the last ones have left.
    pub(super) fn watch<S: Stream<Item = Result<Bytes, HttpError>>>(
        &self,
        parts: S,
    ) -> impl Stream<Item = Result<Bytes, HttpError>> + use<S> {
        let progress = self.clone();
        parts.inspect(move |_| *progress.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now()))
    }

    /// Returns the end of a time limit that begins at `start`, and begins again with each part of the body. `size` is
    /// that of the body, if it is known.
    pub(super) fn deadline(&self, start: Instant, limit: Duration, size: Option<u64>) -> Instant {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(start);
        let by_size = size.map(|size| Duration::from_millis(size / MIN_BYTES_PER_MS));
        (last + limit).min(start + limit + by_size.unwrap_or(MAX_SENDING_TIME).min(MAX_SENDING_TIME))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_limit_begins_again_with_each_part_up_to_the_slowest_rate() {
        let (start, limit) = (Instant::now(), Duration::from_mins(1));
        let progress = SendingProgress::default();
        assert_eq!(progress.deadline(start, limit, Some(64_000_000)), start + limit);
        let sent_until =
            |seconds| *progress.0.lock().expect("not poisoned") = Some(start + Duration::from_secs(seconds));
        sent_until(50);
        assert_eq!(progress.deadline(start, limit, Some(64_000_000)), start + Duration::from_secs(110));
        assert_eq!(progress.deadline(start, limit, Some(640_000)), start + Duration::from_secs(70), "10 s of sending");
        sent_until(5_000);
        assert_eq!(progress.deadline(start, limit, None), start + Duration::from_mins(11));
    }
}
