//! Connections: how many may be open, and how long each may keep the server waiting.
//!
//! Architecture invariant: what a client does not send or does not read takes a bounded time and one of a bounded
//! number of connections; if all are in use, those that keep the server waiting are closed first.

mod activity;
mod body;
mod connection;
mod limits;
mod stream;

pub(crate) use self::limits::{ServingLimits, default_max_connections, open_files_limit};

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::activity::Activity;

/// The first pause after a failed `accept`; it doubles up to [`MAX_ACCEPT_PAUSE`].
const MIN_ACCEPT_PAUSE: Duration = Duration::from_millis(10);
const MAX_ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How long a new connection waits before it checks again whether another one can be closed.
const ROOM_PAUSE_INTERVAL: Duration = Duration::from_millis(50);

/// How often the log repeats that connections are exhausted.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Answers connections until `stop`, then finishes the requests that are open.
pub(crate) async fn serve_connections(
    listener: TcpListener,
    router: Router,
    limits: ServingLimits,
    stop: CancellationToken,
) {
    let connections = Arc::new(Connections::new(limits));
    let mut next_id = 0_u64;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept_connection(&listener, &connections) => accepted,
        };
        let (stream, peer) = accepted;
        let place = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            place = connections.wait_for_place() => place,
        };
        // Small replies and events are not delayed; a socket that refuses the option is closed already.
        let _ = stream.set_nodelay(true);
        next_id += 1;
        let registered = connections.register_connection(next_id);
        let (router, stop, limits) = (router.clone(), stop.clone(), limits);
        tokio::spawn(async move {
            connection::serve_connection(stream, peer, router, Arc::clone(&registered.activity), &limits, stop).await;
            drop(registered);
            drop(place);
        });
    }
    drop(listener);
    connections.wait_until_closed().await;
}

/// Returns the next connection; retries after failures.
async fn accept_connection(listener: &TcpListener, connections: &Connections) -> (TcpStream, SocketAddr) {
    let mut pause = MIN_ACCEPT_PAUSE;
    loop {
        let error = match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => error,
        };
        if is_of_one_connection(&error) {
            continue;
        }
        // Descriptors or memory are exhausted: an idle connection is closed.
        let made_room = connections.close_one_that_waits();
        connections.warn_rarely(&format!("connections cannot be accepted: {error}"));
        tokio::time::sleep(pause).await;
        pause = if made_room { MIN_ACCEPT_PAUSE } else { (pause * 2).min(MAX_ACCEPT_PAUSE) };
    }
}

/// Whether only the connection to be accepted failed, not the listener. Source: accept(2), "Error handling".
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// The open connections.
struct Connections {
    max: usize,
    places: Arc<Semaphore>,
    open: Mutex<BTreeMap<u64, Arc<Activity>>>,
    warned_at: Mutex<Option<Instant>>,
}

impl Connections {
    fn new(limits: ServingLimits) -> Self {
        let max = limits.max_connections.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { max, places: Arc::new(Semaphore::new(max)), open: Mutex::default(), warned_at: Mutex::default() }
    }

    /// Takes a place; if none is free, an idle connection is closed.
    async fn wait_for_place(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return place;
            }
            let how = if self.close_one_that_waits() {
                "closing the one that kept the server waiting longest"
            } else {
                "new ones wait until one of them ends"
            };
            self.warn_rarely(&format!(
                "all {} connections are in use: {how}; APIFLOW_MAX_CONNECTIONS raises the limit",
                self.max
            ));
            let freed = tokio::time::timeout(ROOM_PAUSE_INTERVAL, Arc::clone(&self.places).acquire_owned()).await;
            if let Ok(Ok(place)) = freed {
                return place;
            }
        }
    }

    fn register_connection(self: &Arc<Self>, id: u64) -> Registered {
        let activity = Arc::new(Activity::new(Instant::now()));
        self.open().insert(id, Arc::clone(&activity));
        Registered { connections: Arc::clone(self), id, activity }
    }

    /// Closes the most expendable connection; returns whether there was one.
    fn close_one_that_waits(&self) -> bool {
        let open = self.open();
        let waiting = open.values().filter_map(|activity| Some((activity.waits_for_client()?, activity)));
        let longest = waiting.min_by_key(|(rank, _)| *rank);
        longest.is_some_and(|(_, activity)| {
            activity.close();
            true
        })
    }

    /// Logs a warning, unless one was logged recently.
    fn warn_rarely(&self, message: &str) {
        let mut warned_at = self.warned_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if warned_at.is_none_or(|at| now.duration_since(at) >= LOG_INTERVAL) {
            *warned_at = Some(now);
            tracing::warn!("{message}");
        }
    }

    async fn wait_until_closed(&self) {
        // It fails only if the semaphore is closed, which nothing does.
        let _ = self.places.acquire_many(u32::try_from(self.max).unwrap_or(u32::MAX)).await;
    }

    fn open(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Activity>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection, until it is dropped.
struct Registered {
    connections: Arc<Connections>,
    id: u64,
    activity: Arc<Activity>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.connections.open().remove(&self.id);
    }
}
