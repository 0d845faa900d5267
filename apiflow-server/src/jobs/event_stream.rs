//! A job's events as a stream of server-sent events.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::time::{Duration, Instant};

use apiflow_core::ports::{EventRow, StepRow, StoreError};
use apiflow_core::runtime::Watch;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

use crate::http::problem::Problem;
use crate::jobs::lookup;
use crate::state::AppState;
use crate::users::Caller;

/// Interval of heartbeats: below the idle timeouts of common proxies.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);

/// Maximum time between two reads: another process may be running the job.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a caller's token is considered valid: with [`LOOK_INTERVAL`], a stream ends within 5 s after its token.
const RECHECK_INTERVAL: Duration = Duration::from_secs(3);

/// Maximum number of events per read.
const EVENT_PAGE_SIZE: u32 = 200;

/// Maximum number of running steps whose progress is sent.
const MAX_STEPS_IN_PROGRESS: u32 = 100;

/// Replies with the events after `Last-Event-ID` and then each new event as it happens.
pub(crate) async fn stream_events(
    state: AppState,
    caller: Caller,
    job: String,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let after = match headers.get("last-event-id") {
        None => 0,
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|value| value.trim().parse().ok())
            .ok_or_else(|| Problem::malformed("Last-Event-ID must be the id of an event of this stream"))?,
    };
    let row = lookup::find_job(&state, &job).await?;
    if row.state.status.is_final() && after >= row.last_seq {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let watch = state.runtime.watch_jobs();
    let checked_at = Instant::now();
    let follower = Follower {
        state,
        caller,
        checked_at,
        job,
        after,
        watch,
        ready: VecDeque::new(),
        ended: false,
        progress: BTreeMap::new(),
    };
    let stream = stream::unfold(follower, |mut follower| async {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    let sse = Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT_INTERVAL).text("heartbeat"));
    // Reverse proxies would otherwise buffer events.
    let unbuffered = [
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store")),
    ];
    Ok((unbuffered, sse).into_response())
}

struct Follower {
    state: AppState,
    caller: Caller,
    /// When the caller's token was last checked.
    checked_at: Instant,
    job: String,
    after: u64,
    watch: Watch,
    ready: VecDeque<Event>,
    ended: bool,
    /// What was last sent of the progress of steps.
    progress: BTreeMap<u64, SentProgress>,
}

/// What a stream has sent of a step's progress.
#[derive(Default, PartialEq)]
struct SentProgress {
    progress: Option<f64>,
    queue_position: Option<u64>,
    preview: Option<String>,
    /// Attempt and size of the log.
    log: (u32, u64),
}

impl Follower {
    /// Returns the next event; `None` after the job's end, or when the server stops, the caller's token ends or the
    /// store fails: the client reconnects with `Last-Event-ID`.
    async fn next(&mut self) -> Option<Event> {
        self.check_caller().await?;
        while self.ready.is_empty() && !self.ended {
            self.read_news().await?;
            self.check_caller().await?;
        }
        self.ready.pop_front()
    }

    /// Returns `None` if the caller may no longer follow the job.
    async fn check_caller(&mut self) -> Option<()> {
        if self.checked_at.elapsed() < RECHECK_INTERVAL {
            return Some(());
        }
        self.caller.check_again(&self.state).await.ok()?;
        self.checked_at = Instant::now();
        Some(())
    }

    async fn read_news(&mut self) -> Option<()> {
        // The row is read before the events: all events of an ended job have been written.
        let row = self.log_error(self.state.store.read_job(&self.job).await)??;
        let events = self.log_error(self.state.store.read_events(&self.job, self.after, EVENT_PAGE_SIZE).await)?;
        if let Some(last) = events.last() {
            self.after = last.seq;
            self.ready.extend(events.into_iter().map(event_message));
            return Some(());
        }
        if row.state.status.is_final() {
            self.ended = true;
            self.ready.push_back(Event::default().event("end").data(json!({"status": row.state.status}).to_string()));
            return Some(());
        }
        if self.read_progress().await? {
            return Some(());
        }
        tokio::select! {
            () = self.watch.job_changed(&self.job) => Some(()),
            () = tokio::time::sleep(LOOK_INTERVAL) => Some(()),
            () = self.state.stop.cancelled() => None,
        }
    }

    /// Reads the progress of running steps; returns whether any of it is new.
    async fn read_progress(&mut self) -> Option<bool> {
        let steps = self.state.store.list_steps_in_progress(&self.job, MAX_STEPS_IN_PROGRESS).await;
        let steps = self.log_error(steps)?;
        let mut known = std::mem::take(&mut self.progress);
        for step in steps {
            let before = known.remove(&step.ordinal).unwrap_or_default();
            let StepRow { ordinal, step_id, attempt, progress, queue_position, preview, log_bytes, .. } = step;
            let log = if log_bytes > 0 { (attempt, log_bytes) } else { (0, 0) };
            if (progress, queue_position, &preview) != (before.progress, before.queue_position, &before.preview) {
                let mut data = json!({"step": ordinal, "id": step_id, "progress": progress});
                if queue_position.is_some() || before.queue_position.is_some() {
                    data["queue_position"] = json!(queue_position);
                }
                // A preview may be large: it is sent only when it is another one.
                if preview != before.preview {
                    data["preview"] = json!(preview);
                }
                self.push_message("progress", &data);
            }
            if log != before.log && log_bytes > 0 {
                let data = json!({"step": ordinal, "id": step_id, "attempt": attempt, "total_bytes": log_bytes});
                self.push_message("logs", &data);
            }
            self.progress.insert(ordinal, SentProgress { progress, queue_position, preview, log });
        }
        Some(!self.ready.is_empty())
    }

    fn push_message(&mut self, kind: &str, data: &Value) {
        self.ready.push_back(Event::default().event(kind).data(data.to_string()));
    }

    fn log_error<T>(&self, result: Result<T, StoreError>) -> Option<T> {
        result.inspect_err(|error| tracing::error!(%error, job = self.job, "a job's event stream failed")).ok()
    }
}

fn event_message(row: EventRow) -> Event {
    let data = json!({"seq": row.seq, "at": row.at.to_rfc3339(), "body": row.body});
    Event::default().id(row.seq.to_string()).data(data.to_string())
}
