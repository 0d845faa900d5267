//! Downloads the media of a result. A download may be repeated, because an artifact has the same id each time; the
//! submit that was paid for is never sent again.

mod fresh_links;
mod measured_body;

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value, json};

use self::fresh_links::FreshLinks;
use self::measured_body::{ReceivedBytes, measure_body};
use super::Caller;
use super::attempt_exchange::check_result_size;
use super::poll::error_with_operation;
use crate::artifact::{Artifact, output_artifact_id};
use crate::call::{CallError, CallPlan, ErrorClass, MediaLink, Operation, PendingDownloads, retry_after_of_head};
use crate::engine::{Answer, Call};
use crate::ports::store::size::json_len;
use crate::ports::{ArtifactError, CallRecord, HttpError, HttpRequest, HttpStream, NewArtifact, Provenance, Timestamp};
use crate::template;
use crate::url;

/// Maximum number of files of one step that are downloaded at the same time.
const MAX_CONCURRENT: usize = 4;
/// Delay before a download is tried again, in milliseconds; doubled each time.
const FIRST_PAUSE_MS: u64 = 500;
/// Maximum delay between two tries, in milliseconds.
const MAX_PAUSE_MS: u64 = 30_000;
/// How often a link that leads nowhere is tried: a file may appear at its place a moment after its link.
const MAX_GONE_TRIES: u32 = 4;

/// Downloads all media of a result, and returns the answer to its attempt.
pub(crate) async fn download_media(caller: &mut Caller, call: &Call, operation: Value) -> Answer {
    let records = Mutex::new(Vec::new());
    let answer = match read_downloads(caller, call, operation) {
        Ok((plan, operation, downloads)) => {
            caller.reported_cost = operation.reported_cost.clone();
            let links = FreshLinks::new(Arc::clone(&plan), operation.clone());
            let download = Download { caller, call, plan, links, records: &records };
            match download.run(downloads).await {
                Ok(result) => Answer::Done { result },
                Err(error) => Answer::Failed { error: error_with_operation(&error, &operation) },
            }
        }
        Err(error) => Answer::Failed { error },
    };
    caller.records.append(&mut records.into_inner().unwrap_or_else(PoisonError::into_inner));
    answer
}

/// Parses what was journalled with the start of the downloads.
fn read_downloads(
    caller: &Caller,
    call: &Call,
    operation: Value,
) -> Result<(Arc<CallPlan>, Operation, PendingDownloads), Value> {
    let plan = caller.plan_at(&call.path)?;
    let unreadable = |reason: &str| {
        CallError::new(ErrorClass::OutputInvalid, format!("the links of the result cannot be read: {reason}"))
            .to_object()
    };
    let mut operation: Operation = serde_json::from_value(operation).map_err(|error| unreadable(&error.to_string()))?;
    let downloads = operation.downloads.take().ok_or_else(|| unreadable("there are none"))?;
    Ok((plan, operation, *downloads))
}

/// The downloads of one attempt.
struct Download<'a> {
    caller: &'a Caller,
    call: &'a Call,
    plan: Arc<CallPlan>,
    links: FreshLinks,
    records: &'a Mutex<Vec<CallRecord>>,
}

/// Why a file was not stored.
enum Fault {
    /// The link leads nowhere, or is not valid any more; the message says what was answered.
    Gone(String),
    /// Another try may succeed.
    Temporary { reason: String, retry_after_ms: u64 },
    /// Another try would fail, too.
    Permanent(CallError),
}

impl Download<'_> {
    /// Downloads the files, a few at a time, and puts their artifacts in their places.
    async fn run(&self, downloads: PendingDownloads) -> Result<Value, CallError> {
        let PendingDownloads { mut result, media } = downloads;
        let last_reason = Mutex::new(String::new());
        let each: Vec<_> = media.iter().map(|media| self.store_file(media, &last_reason).boxed()).collect();
        let stored = stream::iter(each).buffered(MAX_CONCURRENT).try_collect::<Vec<Option<Artifact>>>();
        let artifacts = tokio::select! {
            stored = stored => stored?,
            () = self.caller.clock.sleep_until(self.call.deadline) => {
                // Copies are worth less than the result.
                if media.iter().all(|media| media.is_copy) {
                    return Ok(result);
                }
                return Err(self.too_slow(&last_reason));
            }
        };
        for (media, artifact) in media.iter().zip(&artifacts) {
            if let (Some(artifact), false) = (artifact, media.is_copy)
                && let Some(place) = result.pointer_mut(&media.pointer)
            {
                *place = artifact.to_value();
            }
        }
        check_result_size(json_len(&result), self.caller.max_result_bytes)?;
        Ok(result)
    }

    /// Returns the error of downloads that did not end before their deadline. Unless the module's own `timeout` ended
    /// them, the module's `retry` must not pay for another result.
    fn too_slow(&self, last_reason: &Mutex<String>) -> CallError {
        let is_bound = self.call.until.is_some_and(|until| until <= self.call.deadline);
        let class = if is_bound { ErrorClass::Timeout } else { ErrorClass::OutputInvalid };
        let last = last_reason.lock().unwrap_or_else(PoisonError::into_inner);
        let last = if last.is_empty() { String::new() } else { format!(" (last: {last})") };
        CallError::new(class, format!("the media of the result could not be downloaded before its deadline{last}"))
    }

    /// Stores one file; `None` if it is only a copy that could not be downloaded, as the record of its call says.
    async fn store_file(&self, media: &MediaLink, last_reason: &Mutex<String>) -> Result<Option<Artifact>, CallError> {
        match self.store_media(media, last_reason).await {
            Ok(artifact) => Ok(Some(artifact)),
            Err(error) if media.is_copy => {
                tracing::warn!(error = error.message, job = self.caller.job, "a copy of an output was not kept");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Downloads one file; tries again as long as its link may live.
    async fn store_media(&self, media: &MediaLink, last_reason: &Mutex<String>) -> Result<Artifact, CallError> {
        let id = output_artifact_id(&self.caller.job, self.call.effect, &media.output, media.index);
        let (mut tries, mut gone) = (0, 0);
        loop {
            let (link, generation) = self.links.link_of(media).await;
            let (reason, hint_ms) = match self.store_once(&id, media, &link).await {
                Ok(artifact) => return Ok(artifact),
                Err(Fault::Permanent(error)) => return Err(error),
                Err(Fault::Gone(reason)) => {
                    gone += 1;
                    if gone >= MAX_GONE_TRIES {
                        return Err(self.link_expired(media, &link.link, &reason));
                    }
                    self.links.refresh(self, generation).await;
                    (reason, 0)
                }
                Err(Fault::Temporary { reason, retry_after_ms }) => (reason, retry_after_ms),
            };
            *last_reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
            let pause = (FIRST_PAUSE_MS << tries.min(16)).min(MAX_PAUSE_MS).max(hint_ms);
            tries += 1;
            self.caller.clock.sleep_until(self.caller.now().plus_ms(pause)).await;
        }
    }

    /// `link` is the newest link of the file.
    async fn store_once(&self, id: &str, media: &MediaLink, link: &MediaLink) -> Result<Artifact, Fault> {
        match self.caller.artifacts.stat(id).await {
            Ok(Some(artifact)) => return Ok(artifact),
            Ok(None) => {}
            Err(error) => return Err(artifact_fault(&media.output, error)),
        }
        let request = self.plan.download_request(&link.link).map_err(Fault::Permanent)?;
        let at = self.caller.now();
        let opened = self.caller.http.open_stream(&request).await;
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.record(&request, at, json!({"error": error.to_string()}));
                return Err(http_fault(&media.output, error));
            }
        };
        if !(200..300).contains(&opened.status) {
            self.record(&request, at, display_head(&opened, None));
            return Err(status_fault(media, &opened));
        }
        let head = display_head(&opened, None);
        let new = self.new_artifact(id, media, link, declared_mime(&opened.headers));
        let (body, received) = measure_body(opened);
        let stored = self.caller.artifacts.put(new, body).await;
        let reply = match &stored {
            Ok(_) => with_size(head, &received),
            Err(error) => json!({"error": error.to_string(), "size_bytes": received.count()}),
        };
        self.record(&request, at, reply);
        stored.map_err(|error| artifact_fault(&media.output, error))
    }

    fn new_artifact(&self, id: &str, media: &MediaLink, link: &MediaLink, mime: Option<String>) -> NewArtifact {
        let shown = url::without_query(&link.link);
        let name = shown.rsplit('/').next().filter(|name| name.contains('.'));
        NewArtifact {
            id: id.to_owned(),
            value_type: media.value_type,
            mime: media.mime.clone().or(mime),
            name: name.map(str::to_owned),
            owner: None,
            provenance: Some(Provenance {
                job: self.caller.job.clone(),
                step: self.call.step,
                step_id: self.call.step_id.clone(),
                provider: self.plan.provider_name().to_owned(),
                // The query of a link may be its signature.
                link: Some(shown.to_owned()),
                link_expires_at: link.expires_at,
            }),
        }
    }

    fn record(&self, request: &HttpRequest, at: Timestamp, reply: Value) {
        let record = CallRecord {
            step: self.call.step,
            attempt: self.call.attempt,
            purpose: "download".to_owned(),
            at,
            duration_ms: self.caller.now().since_ms(at),
            request: template::display_request(request),
            reply,
        };
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    fn link_expired(&self, media: &MediaLink, link: &str, reason: &str) -> CallError {
        let shown = url::without_query(link);
        let message = format!(
            "output `{}` cannot be downloaded: the link of {} is not valid (any more): {reason}",
            media.output,
            self.plan.provider_name()
        );
        CallError::new(ErrorClass::OutputInvalid, message).with_detail("url", shown)
    }
}

/// Returns the MIME type that a reply declares, unless it says nothing.
fn declared_mime(headers: &[(String, String)]) -> Option<String> {
    let (_, kind) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"))?;
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let says_nothing = ["", "application/octet-stream", "binary/octet-stream"].contains(&kind.as_str());
    (!says_nothing).then_some(kind)
}

fn display_head(reply: &HttpStream, size_bytes: Option<u64>) -> Value {
    let headers: Map<String, Value> = reply.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({"status": reply.status, "headers": headers, "size_bytes": size_bytes})
}

fn with_size(mut head: Value, received: &ReceivedBytes) -> Value {
    head["size_bytes"] = json!(received.count());
    head
}

/// Interprets a reply that is not the file.
fn status_fault(media: &MediaLink, reply: &HttpStream) -> Fault {
    let reason = format!("the provider answered {}", reply.status);
    match reply.status {
        401 | 403 | 404 | 410 => Fault::Gone(reason),
        408 | 423 | 425 | 429 | 500..=599 => {
            let retry_after_ms = retry_after_of_head(reply.status, &reply.headers).unwrap_or_default();
            Fault::Temporary { reason, retry_after_ms }
        }
        _ => Fault::Permanent(not_stored(ErrorClass::OutputInvalid, &media.output, &reason)),
    }
}

fn http_fault(output: &str, error: HttpError) -> Fault {
    let class = match &error {
        HttpError::Connect(_) | HttpError::Unknown(_) | HttpError::Reply(_) => {
            return Fault::Temporary { reason: error.to_string(), retry_after_ms: 0 };
        }
        HttpError::Refused(_) | HttpError::Secret(_) => ErrorClass::OutputInvalid,
        HttpError::TooLarge(_) => ErrorClass::OutputTooLarge,
    };
    Fault::Permanent(not_stored(class, output, &error.to_string()))
}

fn artifact_fault(output: &str, error: ArtifactError) -> Fault {
    let class = match error {
        ArtifactError::Source(error) => return http_fault(output, error),
        ArtifactError::Unavailable(_) | ArtifactError::NotFound { .. } => {
            return Fault::Temporary { reason: error.to_string(), retry_after_ms: 0 };
        }
        ArtifactError::TooLarge { .. } | ArtifactError::OverQuota { .. } => ErrorClass::OutputTooLarge,
        ArtifactError::WrongType { .. } | ArtifactError::NoJob { .. } => ErrorClass::OutputInvalid,
    };
    Fault::Permanent(not_stored(class, output, &error.to_string()))
}

fn not_stored(class: ErrorClass, output: &str, reason: &str) -> CallError {
    CallError::new(class, format!("output `{output}` cannot be downloaded: {reason}"))
}
