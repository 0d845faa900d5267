//! Conversions of the rows of jobs, for both databases.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use apiflow_core::money::Cost;
use apiflow_core::ports::{
    CallRecord, DueErasure, DuePoll, EventRow, InboxMessage, JobRow, JobState, JobStatus, LogTail, Poll, SharedBundle,
    SnapshotRow, StepLog, StepRow, StepStatus, StoreError, Timestamp, ValueRef,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Size of a probe's write: about that of an ordinary commit.
pub(crate) const PROBE_BYTES: i64 = 32 * 1024;

/// The columns of `sql::JOB`, in order.
pub(crate) type JobColumns = (
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
    i64,
    String,
    i32,
    i64,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<String>,
    i64,
    Option<i64>,
);

/// `seq`, `at`, `list_id`, `list_index` and `body` of an event.
pub(crate) type EventColumns = (i64, i64, Option<i64>, Option<i64>, String);

/// `ordinal`, `status`, `attempt`, `started_at`, `finished_at`, `progress` and `body` of a step, and `queue_position`,
/// `preview` and `log_bytes` of its provider's report.
pub(crate) type StepColumns =
    (i64, String, i32, i64, Option<i64>, Option<f64>, String, Option<i64>, Option<String>, Option<i64>);

/// `for_attempt`, `log` and `log_bytes` of a provider's report.
pub(crate) type LogColumns = (i32, Option<String>, i64);

/// `step`, `attempt`, `purpose`, `at`, `duration_ms`, `request` and `reply` of a call.
pub(crate) type CallColumns = (i64, i32, String, i64, i64, Option<String>, Option<String>);

/// `job_id`, `effect`, `due_at`, `tries` and `ticket` of a poll.
pub(crate) type PollColumns = (String, i64, i64, i64, String);

/// Converts an invalid row, or another failure of the store itself, to an error of the port.
pub(crate) fn backend_error(error: impl Display) -> StoreError {
    StoreError::Backend(error.to_string())
}

/// Converts a number to the databases' type; numbers of the journal stay far below the limit.
pub(crate) fn to_int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Converts a number to the ports' type.
pub(crate) fn from_int(int: i64) -> u64 {
    u64::try_from(int).unwrap_or(0)
}

/// Converts the number of an attempt to the databases' type.
pub(crate) fn to_small_int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn from_small_int(int: i32) -> u32 {
    u32::try_from(int).unwrap_or(0)
}

/// Returns the pattern of `LIKE … ESCAPE '!'` for texts that contain this one.
pub(crate) fn contains_pattern(text: &str) -> String {
    let escaped = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{escaped}%")
}

pub(crate) fn duration_ms(lease: Duration) -> i64 {
    i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 2).min(i64::MAX / 2)
}

/// Serializes a value to JSON text.
pub(crate) fn to_json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("rows hold only strings, numbers and JSON values")
}

/// Parses stored JSON text.
pub(crate) fn parse_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(unreadable_row)
}

/// Reads the documents of a job, together with their JSON.
pub(crate) fn shared_bundle(json: String) -> Result<SharedBundle, StoreError> {
    SharedBundle::from_json(json).map_err(unreadable_row)
}

fn unreadable_row(error: serde_json::Error) -> StoreError {
    backend_error(format!("invalid row: {error}"))
}

fn parse_optional<T: DeserializeOwned>(text: Option<String>) -> Result<Option<T>, StoreError> {
    text.map(|text| parse_json(&text)).transpose()
}

pub(crate) fn job_row(columns: JobColumns) -> Result<JobRow, StoreError> {
    let (
        id,
        name,
        workflow_id,
        node_id,
        created_by,
        created_at,
        updated_at,
        status_and_more,
        priority,
        retry_count,
        started_at,
        finished_at,
        output,
        error,
        last_seq,
        erase_at,
    ) = columns;
    let mut parts = status_and_more.splitn(4, ' ');
    let mut next_part = || parts.next().unwrap_or_default();
    let (status, workflow_version, rerun_of, cost) = (next_part(), next_part().parse().ok(), next_part(), next_part());
    Ok(JobRow {
        id,
        name,
        workflow_id,
        workflow_version,
        node_id,
        rerun_of: Some(rerun_of.to_owned()).filter(|id| !id.is_empty()),
        created_by,
        created_at: Timestamp(created_at),
        updated_at: Timestamp(updated_at),
        state: JobState {
            status: job_status(status)?,
            priority,
            retry_count: from_int(retry_count),
            cost: if cost.is_empty() { Cost::default() } else { parse_json(cost)? },
            started_at: started_at.map(Timestamp),
            finished_at: finished_at.map(Timestamp),
            output: parse_optional(output)?,
            error: parse_optional(error)?,
            erase_at: erase_at.map(Timestamp),
        },
        last_seq: from_int(last_seq),
    })
}

pub(crate) fn event_row((seq, at, list, index, body): EventColumns) -> Result<EventRow, StoreError> {
    let item = list.zip(index).map(|(list, index)| (from_int(list), from_int(index)));
    Ok(EventRow { seq: from_int(seq), at: Timestamp(at), body: parse_json(&body)?, value: None, item })
}

/// The part of a step that has no column of its own.
#[derive(Serialize, Deserialize)]
pub(crate) struct StepBody<'a> {
    step_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    path: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<Cow<'a, ValueRef>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Cow<'a, ValueRef>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approval: Option<Cow<'a, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost: Option<Cow<'a, Cost>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fallback: Option<Cow<'a, str>>,
}

impl<'a> StepBody<'a> {
    pub(crate) fn of_row(step: &'a StepRow) -> Self {
        Self {
            step_id: Cow::Borrowed(&step.step_id),
            path: Cow::Borrowed(&step.path),
            input: step.input.as_ref().map(Cow::Borrowed),
            output: step.output.as_ref().map(Cow::Borrowed),
            error: step.error.as_ref().map(Cow::Borrowed),
            provider_id: step.provider_id.as_deref().map(Cow::Borrowed),
            retry_at: step.retry_at,
            approval: step.approval.as_ref().map(Cow::Borrowed),
            cost: step.cost.as_ref().map(Cow::Borrowed),
            fallback: step.fallback.as_deref().map(Cow::Borrowed),
        }
    }
}

pub(crate) fn step_row(columns: StepColumns) -> Result<StepRow, StoreError> {
    let (ordinal, status, attempt, started_at, finished_at, progress, body, queue_position, preview, log_bytes) =
        columns;
    let body: StepBody<'_> = parse_json(&body)?;
    Ok(StepRow {
        ordinal: from_int(ordinal),
        step_id: body.step_id.into_owned(),
        path: body.path.into_owned(),
        status: StepStatus::parse(&status)
            .ok_or_else(|| backend_error(format!("a step has the unknown status `{status}`")))?,
        attempt: from_small_int(attempt),
        started_at: Timestamp(started_at),
        finished_at: finished_at.map(Timestamp),
        input: body.input.map(Cow::into_owned),
        output: body.output.map(Cow::into_owned),
        error: body.error.map(Cow::into_owned),
        progress,
        queue_position: queue_position.map(from_int),
        preview,
        log_bytes: log_bytes.map_or(0, from_int),
        provider_id: body.provider_id.map(Cow::into_owned),
        retry_at: body.retry_at,
        approval: body.approval.map(Cow::into_owned),
        cost: body.cost.map(Cow::into_owned),
        fallback: body.fallback.map(Cow::into_owned),
    })
}

/// Converts the log of a step; a report may have none.
pub(crate) fn step_log((attempt, log, log_bytes): LogColumns) -> Option<StepLog> {
    let tail = LogTail { text: log?, total_bytes: from_int(log_bytes) };
    Some(StepLog { attempt: from_small_int(attempt), tail })
}

pub(crate) fn call_record(columns: CallColumns) -> Result<CallRecord, StoreError> {
    let (step, attempt, purpose, at, duration_ms, request, reply) = columns;
    Ok(CallRecord {
        step: from_int(step),
        attempt: from_small_int(attempt),
        purpose,
        at: Timestamp(at),
        duration_ms: from_int(duration_ms),
        request: parse_optional(request)?.unwrap_or(Value::Null),
        reply: parse_optional(reply)?.unwrap_or_else(|| json!({})),
    })
}

pub(crate) fn inbox_message((id, key, payload): (i64, String, String)) -> Result<InboxMessage, StoreError> {
    Ok(InboxMessage { id, key, payload: parse_json(&payload)? })
}

pub(crate) fn snapshot_row((seq, state): (i64, String)) -> Result<SnapshotRow, StoreError> {
    Ok(SnapshotRow { seq: from_int(seq), state: parse_json(&state)? })
}

/// Converts claimed polls, oldest first.
pub(crate) fn due_polls(mut rows: Vec<PollColumns>) -> Result<Vec<DuePoll>, StoreError> {
    rows.sort_by(|one, other| (one.2, &one.0, one.1).cmp(&(other.2, &other.0, other.1)));
    rows.into_iter()
        .map(|(job, effect, due_at, tries, ticket)| {
            let poll = Poll { effect: from_int(effect), due_at: Timestamp(due_at), ticket: parse_json(&ticket)? };
            Ok(DuePoll { job, tries: u32::try_from(tries).unwrap_or(u32::MAX), poll })
        })
        .collect()
}

/// Returns values in the order of the request.
pub(crate) fn values_in_order(rows: Vec<(i64, String)>, asked: &[u64]) -> Result<Vec<Option<Value>>, StoreError> {
    let found: BTreeMap<u64, String> = rows.into_iter().map(|(seq, value)| (from_int(seq), value)).collect();
    asked.iter().map(|seq| found.get(seq).map(|text| parse_json(text)).transpose()).collect()
}

/// Converts claimed erasures, earliest first; rows that are no longer to be erased are left out.
pub(crate) fn due_erasures(mut rows: Vec<(String, Option<i64>)>) -> Vec<DueErasure> {
    rows.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
    rows.into_iter().filter_map(|(job, due_at)| Some(DueErasure { job, due_at: Timestamp(due_at?) })).collect()
}

/// Converts the numbers of jobs by status.
pub(crate) fn status_counts(rows: Vec<(String, i64)>) -> Result<BTreeMap<JobStatus, u64>, StoreError> {
    rows.into_iter().map(|(word, count)| Ok((job_status(&word)?, from_int(count)))).collect()
}

fn job_status(word: &str) -> Result<JobStatus, StoreError> {
    JobStatus::parse(word).ok_or_else(|| backend_error(format!("a job has the unknown status `{word}`")))
}

/// Converts all rows, up to the first invalid one.
pub(crate) fn convert_all<R, T>(rows: Vec<R>, convert: fn(R) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
    rows.into_iter().map(convert).collect()
}

/// Adds a filter's conditions and order to a query of jobs; the databases' builders have no type in common.
macro_rules! push_job_filter {
    ($query:ident, $filter:ident, $after:ident, $limit:ident) => {
        if let Some(status) = $filter.status {
            $query.push(" AND status = ").push_bind(status.as_str());
        }
        if let Some(workflow) = &$filter.workflow_id {
            $query.push(" AND workflow_id = ").push_bind(workflow);
        }
        if let Some(node) = &$filter.node_id {
            $query.push(" AND node_id = ").push_bind(node);
        }
        if let Some(user) = &$filter.created_by {
            $query.push(" AND created_by = ").push_bind(user);
        }
        if let Some(text) = &$filter.search {
            let text = text.to_ascii_lowercase();
            $query.push(" AND (lower(name) LIKE ").push_bind($crate::job_rows::contains_pattern(&text));
            $query.push(" ESCAPE '!' OR lower(id) = ").push_bind(text).push(")");
        }
        if let Some(moment) = $filter.created_after {
            $query.push(" AND created_at >= ").push_bind(moment.0);
        }
        if let Some(moment) = $filter.created_before {
            $query.push(" AND created_at < ").push_bind(moment.0);
        }
        let (follows, order) = match $filter.order {
            apiflow_core::ports::JobOrder::Newest => (" AND id < ", " ORDER BY id DESC LIMIT "),
            apiflow_core::ports::JobOrder::Oldest => (" AND id > ", " ORDER BY id LIMIT "),
        };
        if let Some(after) = $after {
            $query.push(follows).push_bind(after);
        }
        $query.push(order).push_bind(i64::from($limit));
    };
}
pub(crate) use push_job_filter;

/// Returns how often a job was started alone; nothing was recorded if its lease is lost.
pub(crate) fn solo_starts(job: &str, noted: Option<(i64,)>) -> Result<u32, StoreError> {
    let (tries,) = noted.ok_or_else(|| StoreError::Fenced { job: job.to_owned() })?;
    Ok(u32::try_from(tries).unwrap_or(u32::MAX))
}
