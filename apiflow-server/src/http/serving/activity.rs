//! The activity of a connection: what it is waiting for, and whom it keeps waiting.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::http::serving::ServingLimits;

/// How long a connection without a request stays open when the server stops.
const STOPPING_TIMEOUT: Duration = Duration::from_secs(1);

/// The activity of a connection, as its stream, its requests and their bodies report it.
pub(super) struct Activity {
    state: Mutex<ActivityState>,
    changed: Notify,
}

#[derive(Debug)]
struct ActivityState {
    /// When the connection was accepted.
    began: Instant,
    /// Requests whose reply has not been sent completely.
    open_requests: usize,
    /// Whether there has been a request already.
    has_served: bool,
    /// Whether a request's head cannot be told from other traffic, as in HTTP/2.
    is_http2: bool,
    /// When the first byte of an incomplete head arrived.
    head_since: Option<Instant>,
    /// The last time that a request ended or something was written.
    quiet_since: Instant,
    /// Since when the socket has accepted no more bytes.
    blocked_since: Option<Instant>,
    /// Bodies that wait for the client, by number, with what they wait for and since when.
    waiting: BTreeMap<u64, (WaitsFor, Instant)>,
    next_body: u64,
    is_closing: bool,
}

/// What a body waits for the client to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitsFor {
    /// To send more of a request.
    Sending,
    /// To read more of a reply.
    Reading,
}

/// The reason why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// The head of a request took too long to arrive.
    Head,
    /// There was no request for too long.
    Idle,
    /// The client stopped reading the reply.
    Unread,
    /// Another connection needs its place.
    Evicted,
}

/// How expendable a connection is, most expendable first: what it waits for, and since when.
pub(super) type Rank = (u8, Instant);

impl Activity {
    /// The activity of a connection that was accepted just now.
    pub(super) fn new(now: Instant) -> Self {
        let state = ActivityState {
            began: now,
            open_requests: 0,
            has_served: false,
            is_http2: false,
            head_since: None,
            quiet_since: now,
            blocked_since: None,
            waiting: BTreeMap::new(),
            next_body: 0,
            is_closing: false,
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// Notes that bytes arrived from the client.
    pub(super) fn record_read(&self, now: Instant) {
        let mut state = self.lock_state();
        if state.open_requests == 0 && state.head_since.is_none() {
            state.head_since = Some(now);
            self.changed.notify_one();
        }
    }

    /// Notes that the socket accepted bytes.
    pub(super) fn record_write(&self, now: Instant) {
        let mut state = self.lock_state();
        state.blocked_since = None;
        state.quiet_since = now;
    }

    /// Notes that the socket accepts no more bytes.
    pub(super) fn record_write_blocked(&self, now: Instant) {
        let mut state = self.lock_state();
        if state.blocked_since.is_none() {
            state.blocked_since = Some(now);
            self.changed.notify_one();
        }
    }

    /// Notes that the head of a request is complete.
    pub(super) fn begin_request(&self, is_http2: bool) {
        let mut state = self.lock_state();
        state.open_requests += 1;
        state.is_http2 = is_http2;
        state.head_since = None;
    }

    /// Notes that the reply of a request was sent, or is no longer wanted.
    pub(super) fn end_request(&self, now: Instant) {
        let mut state = self.lock_state();
        state.open_requests -= 1;
        state.has_served = true;
        state.quiet_since = now;
        self.changed.notify_one();
    }

    /// Returns a number for a body.
    pub(super) fn add_body(&self) -> u64 {
        let mut state = self.lock_state();
        state.next_body += 1;
        state.next_body
    }

    /// Notes that a body waits for the client from now on, unless it did already.
    pub(super) fn body_waits(&self, body: u64, waits_for: WaitsFor, now: Instant) {
        self.lock_state().waiting.entry(body).or_insert((waits_for, now));
        self.changed.notify_one();
    }

    /// Notes that a body no longer waits for the client.
    pub(super) fn body_goes_on(&self, body: u64) {
        self.lock_state().waiting.remove(&body);
    }

    /// Closes the connection in favour of another one.
    pub(super) fn close(&self) {
        self.lock_state().is_closing = true;
        self.changed.notify_one();
    }

    /// Waits for a change that may affect [`Self::next_deadline`].
    pub(super) async fn wait_for_change(&self) {
        self.changed.notified().await;
    }

    /// Returns when and why the connection will be closed if nothing else happens. `stopping` is the time at which the server
    /// began to stop.
    pub(super) fn next_deadline(
        &self,
        limits: &ServingLimits,
        stopping: Option<Instant>,
    ) -> Option<(Instant, Closing)> {
        let state = self.lock_state();
        if state.is_closing {
            return Some((state.began, Closing::Evicted));
        }
        // Bodies of requests have a deadline of their own, which is answered.
        let unread = state.waiting.values().filter(|(waits_for, _)| *waits_for == WaitsFor::Reading);
        let stalled = unread.map(|(_, since)| *since).chain(state.blocked_since).min();
        let unread = stalled.map(|since| (since + limits.stall_timeout, Closing::Unread));
        if state.open_requests > 0 {
            return unread;
        }
        let silent = if !state.has_served {
            (state.began + limits.head_timeout, Closing::Head)
        } else if let Some(since) = state.head_since.filter(|_| !state.is_http2) {
            (since + limits.head_timeout, Closing::Head)
        } else {
            (state.quiet_since + limits.idle_timeout, Closing::Idle)
        };
        let stopped = stopping.map(|since| (since + STOPPING_TIMEOUT, Closing::Idle));
        [Some(silent), unread, stopped].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Returns how expendable the connection is; `None` if it does not wait for its client, or is being closed.
    pub(super) fn waits_for_client(&self) -> Option<Rank> {
        let state = self.lock_state();
        if state.is_closing {
            return None;
        }
        let stalled = state.waiting.values().map(|(_, since)| *since).chain(state.blocked_since).min();
        match (state.open_requests, stalled) {
            (0, None) if state.has_served && (state.is_http2 || state.head_since.is_none()) => {
                Some((0, state.quiet_since))
            }
            (0, None) => Some((1, state.head_since.unwrap_or(state.began))),
            (open, Some(since)) if open <= state.waiting.len().max(1) => Some((2, since)),
            _ => None,
        }
    }

    fn lock_state(&self) -> MutexGuard<'_, ActivityState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ServingLimits = ServingLimits {
        max_connections: 1,
        head_timeout: Duration::from_secs(10),
        stall_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(75),
    };

    /// Checks when and why a connection is closed, in seconds from its start, and how expendable it is.
    fn check(
        expected: Option<(u64, Closing)>,
        kind: Option<u8>,
        history: impl FnOnce(&Activity, &dyn Fn(u64) -> Instant),
    ) {
        let began = Instant::now();
        let activity = Activity::new(began);
        history(&activity, &|second| began + Duration::from_secs(second));
        let found = activity.next_deadline(&LIMITS, None).map(|(at, closing)| ((at - began).as_secs(), closing));
        assert_eq!(found, expected);
        assert_eq!(activity.waits_for_client().map(|(kind, _)| kind), kind);
    }

    #[test]
    fn whoever_waits_for_the_client_has_a_deadline() {
        check(Some((10, Closing::Head)), Some(1), |_, _| {});
        check(Some((10, Closing::Head)), Some(1), |it, at| it.record_read(at(9)));
        check(None, None, |it, _| it.begin_request(false));
        check(Some((76, Closing::Idle)), Some(0), |it, at| {
            it.begin_request(false);
            it.end_request(at(1));
        });
        check(Some((15, Closing::Head)), Some(1), |it, at| {
            it.begin_request(false);
            it.end_request(at(1));
            it.record_read(at(5));
        });
        check(Some((76, Closing::Idle)), Some(0), |it, at| {
            it.begin_request(true);
            it.end_request(at(1));
            // A ping, maybe.
            it.record_read(at(5));
        });
    }

    #[test]
    fn a_body_that_waits_for_its_client_can_be_missed() {
        // Its own deadline answers it with 408.
        check(None, Some(2), |it, at| {
            it.begin_request(false);
            it.body_waits(it.add_body(), WaitsFor::Sending, at(2));
        });
        check(Some((32, Closing::Unread)), Some(2), |it, at| {
            it.begin_request(false);
            it.body_waits(it.add_body(), WaitsFor::Reading, at(2));
        });
        check(None, None, |it, at| {
            it.begin_request(false);
            let body = it.add_body();
            it.body_waits(body, WaitsFor::Reading, at(2));
            it.body_goes_on(body);
        });
        // Another request of the connection is being worked on.
        check(None, None, |it, at| {
            it.begin_request(true);
            it.begin_request(true);
            it.body_waits(it.add_body(), WaitsFor::Sending, at(2));
        });
        check(Some((33, Closing::Unread)), Some(2), |it, at| {
            it.begin_request(false);
            it.end_request(at(1));
            it.record_write_blocked(at(3));
            it.record_write_blocked(at(20));
        });
    }

    #[test]
    fn a_stopping_server_does_not_wait_for_requests_to_come() {
        let began = Instant::now();
        let activity = Activity::new(began);
        let stopped = began + Duration::from_secs(3);
        assert_eq!(activity.next_deadline(&LIMITS, Some(stopped)), Some((stopped + STOPPING_TIMEOUT, Closing::Idle)));
        activity.begin_request(false);
        assert_eq!(activity.next_deadline(&LIMITS, Some(stopped)), None);
    }
}
