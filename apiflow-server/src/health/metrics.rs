//! Metrics for Prometheus.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};

use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::{bearer_token, tokens};

/// Refuses callers who are neither on this machine nor have the metrics token: metrics reveal how much the server is
/// used.
pub(crate) fn check_access(state: &AppState, extensions: &Extensions, headers: &HeaderMap) -> Result<(), Problem> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    if state.settings.trusted_proxies.is_from_this_machine(peer, headers) {
        return Ok(());
    }
    let Some(expected) = &state.settings.metrics_token else {
        return Err(Problem::forbidden(
            "metrics are available only on this machine unless APIFLOW_METRICS_TOKEN is set",
        ));
    };
    let given = bearer_token(headers)?;
    // Hashes are compared, so that the time taken does not reveal how much of a guess is right.
    if given.is_some_and(|given| tokens::hash(&given) == tokens::hash(expected)) {
        return Ok(());
    }
    Err(Problem::unauthenticated("send `Authorization: Bearer <APIFLOW_METRICS_TOKEN>`"))
}

/// Returns all metrics in Prometheus' text format.
pub(crate) async fn metrics_text(state: &AppState) -> Result<String, Problem> {
    let mut page = String::new();
    write_head(&mut page, "apiflow_build_info", "gauge", "The running version.");
    write_line(&mut page, "apiflow_build_info", &format!("version=\"{}\"", env!("CARGO_PKG_VERSION")), 1);
    write_head(&mut page, "apiflow_jobs", "gauge", "Jobs that have not ended, by status.");
    for (status, count) in state.active_jobs.count_active(&*state.store, state.clock.now()).await? {
        write_line(&mut page, "apiflow_jobs", &format!("status=\"{}\"", status.as_str()), count);
    }
    write_head(
        &mut page,
        "apiflow_http_responses_total",
        "counter",
        "Responses since the process started, by status class.",
    );
    for (class, count) in state.response_counters.responses_by_class().into_iter().enumerate() {
        let label = format!("class=\"{}xx\"", class + 1);
        write_line(&mut page, "apiflow_http_responses_total", &label, count);
    }
    write_head(&mut page, "apiflow_http_requests_open", "gauge", "Requests that have no response yet.");
    write_line(&mut page, "apiflow_http_requests_open", "", state.response_counters.open_requests());
    write_head(&mut page, "apiflow_store_statements_total", "counter", "SQL statements sent to the database.");
    write_line(&mut page, "apiflow_store_statements_total", "", state.statements.statements_executed());
    write_head(&mut page, "apiflow_workflow_preparations_total", "counter", "Workflows checked and compiled for runs.");
    write_line(&mut page, "apiflow_workflow_preparations_total", "", state.workflows.preparations());
    write_artifact_metrics(&mut page, state).await?;
    write_webhook_metrics(&mut page, state).await?;
    write_head(&mut page, "process_start_time_seconds", "gauge", "Start time of the process, in seconds since 1970.");
    write_line(&mut page, "process_start_time_seconds", "", state.started_at.0 / 1000);
    write_process_metrics(&mut page);
    Ok(page)
}

/// Writes how much is kept, and what was deleted because it was old.
async fn write_artifact_metrics(page: &mut String, state: &AppState) -> Result<(), Problem> {
    let usage = state.retention.read_usage(&**state.artifacts.records(), state.clock.now()).await?;
    let counters = &state.retention;
    let counted = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    for (name, kind, help, value) in [
        ("apiflow_artifacts", "gauge", "Artifacts.", usage.artifacts),
        (
            "apiflow_artifact_bytes",
            "gauge",
            "Total size of the artifacts; equal contents count each time.",
            usage.bytes,
        ),
        ("apiflow_artifact_blobs", "gauge", "Stored contents of artifacts.", usage.blobs),
        ("apiflow_artifact_blob_bytes", "gauge", "Total size of the stored contents.", usage.blob_bytes),
        (
            "apiflow_artifact_files_collected_total",
            "counter",
            "Files deleted because no artifact needed them.",
            counted(&counters.collected_files),
        ),
        (
            "apiflow_artifact_bytes_collected_total",
            "counter",
            "Total size of those files.",
            counted(&counters.collected_bytes),
        ),
        (
            "apiflow_artifacts_expired_total",
            "counter",
            "Artifacts deleted because of their age or the total size.",
            counted(&counters.expired_artifacts),
        ),
        (
            "apiflow_jobs_expired_total",
            "counter",
            "Jobs deleted because of their age or number.",
            counted(&counters.expired_jobs),
        ),
        (
            "apiflow_store_bytes_reclaimed_total",
            "counter",
            "Bytes that the database file shrank by.",
            counted(&counters.reclaimed_bytes),
        ),
    ] {
        write_head(page, name, kind, help);
        write_line(page, name, "", value);
    }
    Ok(())
}

/// Writes how many messages about jobs wait, and what became of those that this process sent.
async fn write_webhook_metrics(page: &mut String, state: &AppState) -> Result<(), Problem> {
    let name = "apiflow_webhooks_pending";
    write_head(page, name, "gauge", "Messages about jobs that are still to be delivered.");
    write_line(page, name, "", state.store.count_pending_deliveries().await?);
    let (name, counters) = ("apiflow_webhook_tries_total", &state.deliveries);
    write_head(page, name, "counter", "Messages about jobs that this process sent, by outcome.");
    for (outcome, counter) in
        [("delivered", &counters.delivered), ("retry", &counters.retried), ("gave_up", &counters.given_up)]
    {
        write_line(page, name, &format!("outcome=\"{outcome}\""), counter.load(Ordering::Relaxed));
    }
    Ok(())
}

/// Writes memory and processor time, if the system reports them as Linux does.
fn write_process_metrics(page: &mut String) {
    if let Ok(status) = std::fs::read_to_string("/proc/self/status")
        && let Some(kilobytes) = status_field(&status, "VmRSS:")
    {
        write_head(page, "process_resident_memory_bytes", "gauge", "Memory in use.");
        write_line(page, "process_resident_memory_bytes", "", kilobytes * 1024);
    }
    if let Ok(status) = std::fs::read_to_string("/proc/self/status")
        && let Some(threads) = status_field(&status, "Threads:")
    {
        write_head(page, "process_threads", "gauge", "Threads.");
        write_line(page, "process_threads", "", threads);
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        write_head(page, "process_open_fds", "gauge", "Open files and sockets.");
        write_line(page, "process_open_fds", "", entries.count());
    }
}

fn status_field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn write_head(page: &mut String, name: &str, kind: &str, help: &str) {
    writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("writing to a string cannot fail");
}

fn write_line(page: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    writeln!(page, "{name}{labels} {value}").expect("writing to a string cannot fail");
}
