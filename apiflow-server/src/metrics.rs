//! Numbers for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use apiflow_core::ports::{JobFilter, JobStatus, Timestamp};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Extensions, HeaderMap};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::Mutex;

use crate::auth::{self, token};
use crate::problem::Problem;
use crate::state::AppState;

/// How long counted jobs stay good: however often one asks, the database is asked once.
const FRESH_MS: u64 = 15_000;

/// Jobs read at a time.
const PAGE: u32 = 500;

/// What this process has counted since it began.
pub(crate) struct Counters {
    began: Timestamp,
    answers: [AtomicU64; 5],
    open: AtomicI64,
    jobs: Mutex<Option<(Timestamp, BTreeMap<JobStatus, u64>)>>,
}

impl Counters {
    /// Nothing counted yet.
    pub(crate) fn new(began: Timestamp) -> Self {
        Self { began, answers: Default::default(), open: AtomicI64::new(0), jobs: Mutex::new(None) }
    }
}

/// Refuses who is neither on this machine nor has the token for metrics: they tell how much the server is used.
pub(crate) fn check_access(state: &AppState, extensions: &Extensions, headers: &HeaderMap) -> Result<(), Problem> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    if state.settings.trusted_proxies.is_from_this_machine(peer, headers) {
        return Ok(());
    }
    let Some(expected) = &state.settings.metrics_token else {
        return Err(Problem::forbidden("metrics are for this machine alone unless APIFLOW_METRICS_TOKEN is set"));
    };
    let given = auth::bearer(headers)?;
    // Hashes, so that the time taken does not tell how much of a guess is right.
    if given.is_some_and(|given| token::hash(&given) == token::hash(expected)) {
        return Ok(());
    }
    Err(Problem::unauthenticated("send `Authorization: Bearer <APIFLOW_METRICS_TOKEN>`"))
}

/// Counts a request and its answer.
pub(crate) async fn count(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let open = Open::new(&state.counters.open);
    let response = next.run(request).await;
    drop(open);
    let class = usize::from(response.status().as_u16() / 100).clamp(1, 5) - 1;
    state.counters.answers[class].fetch_add(1, Ordering::Relaxed);
    response
}

/// A request that has no answer yet; also one whose caller has gone leaves the count.
struct Open<'a>(&'a AtomicI64);

impl<'a> Open<'a> {
    fn new(count: &'a AtomicI64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All numbers in Prometheus' text format.
pub(crate) async fn text(state: &AppState) -> Result<String, Problem> {
    let counters = &state.counters;
    let mut page = String::new();
    head(&mut page, "apiflow_build_info", "gauge", "The version that runs.");
    line(&mut page, "apiflow_build_info", &format!("version=\"{}\"", env!("CARGO_PKG_VERSION")), 1);
    head(&mut page, "apiflow_jobs", "gauge", "Jobs that have not ended, by status.");
    for (status, count) in active_jobs(state).await? {
        line(&mut page, "apiflow_jobs", &format!("status=\"{}\"", status.as_str()), count);
    }
    head(&mut page, "apiflow_http_responses_total", "counter", "Answers since the process began, by class.");
    for (class, count) in counters.answers.iter().enumerate() {
        let label = format!("class=\"{}xx\"", class + 1);
        line(&mut page, "apiflow_http_responses_total", &label, count.load(Ordering::Relaxed));
    }
    head(&mut page, "apiflow_http_requests_open", "gauge", "Requests that have no answer yet.");
    line(&mut page, "apiflow_http_requests_open", "", counters.open.load(Ordering::Relaxed));
    head(&mut page, "process_start_time_seconds", "gauge", "When the process began, in seconds since 1970.");
    line(&mut page, "process_start_time_seconds", "", counters.began.0 / 1000);
    process(&mut page);
    Ok(page)
}

/// Memory and processor time, where the system tells them as Linux does.
fn process(page: &mut String) {
    if let Ok(status) = std::fs::read_to_string("/proc/self/status")
        && let Some(kilobytes) = field(&status, "VmRSS:")
    {
        head(page, "process_resident_memory_bytes", "gauge", "Memory in use.");
        line(page, "process_resident_memory_bytes", "", kilobytes * 1024);
    }
    if let Ok(status) = std::fs::read_to_string("/proc/self/status")
        && let Some(threads) = field(&status, "Threads:")
    {
        head(page, "process_threads", "gauge", "Threads.");
        line(page, "process_threads", "", threads);
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        head(page, "process_open_fds", "gauge", "Open files and sockets.");
        line(page, "process_open_fds", "", entries.count());
    }
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Jobs at work or waiting; ended ones are not counted, for they only grow.
async fn active_jobs(state: &AppState) -> Result<BTreeMap<JobStatus, u64>, Problem> {
    let mut kept = state.counters.jobs.lock().await;
    let now = state.clock.now();
    if let Some((at, counts)) = kept.as_ref()
        && now.since_ms(*at) < FRESH_MS
    {
        return Ok(counts.clone());
    }
    let mut counts = BTreeMap::new();
    for status in [JobStatus::Pending, JobStatus::Running, JobStatus::Suspended] {
        counts.insert(status, counted(state, status).await?);
    }
    *kept = Some((now, counts.clone()));
    Ok(counts)
}

async fn counted(state: &AppState, status: JobStatus) -> Result<u64, Problem> {
    let filter = JobFilter { status: Some(status), ..JobFilter::default() };
    let (mut total, mut before) = (0, None::<String>);
    loop {
        let rows = state.store.jobs(&filter, before.as_deref(), PAGE).await?;
        total += rows.len() as u64;
        if rows.len() < PAGE as usize {
            return Ok(total);
        }
        before = rows.last().map(|row| row.id.clone());
    }
}

fn head(page: &mut String, name: &str, kind: &str, help: &str) {
    writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("writing to a string cannot fail");
}

fn line(page: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    writeln!(page, "{name}{labels} {value}").expect("writing to a string cannot fail");
}
