//! Exchanges one request with a provider, and records it.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::reply_filter::{MediaFilter, ReplyMedia};
use super::upload::RunningUploads;
use crate::call::{
    CallError, CallPlan, CallPlans, ErrorClass, PendingDownloads, ReplyReading, ReportedCost, WEBHOOK_ADDRESS,
    WorkReport, cut_base64_runs, link_expires_at,
};
use crate::engine::Call;
use crate::ports::store::size::json_len;
use crate::ports::{
    Artifacts, CallRecord, Clock, HttpClient, HttpError, HttpReply, HttpRequest, ProviderWorkClaim, StepReport, Store,
    StoreError, Timestamp, own_secret,
};
use crate::template;

/// Minimum size of replies that are parsed on threads that may block, in bytes.
const LARGE_REPLY_BYTES: usize = 64 * 1024;
/// Maximum size of a reply's excerpt in its record, in bytes.
const EXCERPT_BYTES: usize = 4096;

/// A reply, and the media that was taken out of it; `None` if nothing was looked for.
pub(crate) struct CallReply {
    reply: HttpReply,
    media: Option<ReplyMedia>,
}

/// Sends the calls of one attempt, and collects their records.
pub(crate) struct Caller {
    pub(crate) job: String,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) http: Arc<dyn HttpClient>,
    pub(crate) artifacts: Arc<dyn Artifacts>,
    pub(crate) uploads: RunningUploads,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) plans: Arc<CallPlans>,
    pub(crate) max_result_bytes: usize,
    /// How long accepted work may take to appear in the provider's list, in milliseconds.
    pub(crate) listing_delay_ms: u64,
    /// Whether providers may call this host.
    pub(crate) webhooks: bool,
    pub(crate) records: Vec<CallRecord>,
    /// What replies have said about the cost of the attempt.
    pub(crate) reported_cost: ReportedCost,
    /// What the last replies say about running work beside its state.
    pub(crate) report: WorkReport,
}

impl Caller {
    pub(crate) fn plan_at(&self, path: &str) -> Result<Arc<CallPlan>, Value> {
        self.plans.plan_at(path)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sends one request once.
    pub(crate) async fn send(
        &mut self,
        call: &Call,
        purpose: &str,
        request: &HttpRequest,
    ) -> Result<HttpReply, HttpError> {
        let at = self.now();
        let outcome = self.http.send(&self.with_masked_address(call, request)).await;
        self.record(call, purpose, request, at, &outcome);
        outcome
    }

    /// Sends one request once, whose reply may contain the call's outputs: media is taken out of it while it arrives.
    pub(crate) async fn send_for_outputs(
        &mut self,
        call: &Call,
        purpose: &str,
        request: &HttpRequest,
        plan: &Arc<CallPlan>,
    ) -> Result<CallReply, HttpError> {
        if !plan.has_outputs() {
            return Ok(CallReply { reply: self.send(call, purpose, request).await?, media: None });
        }
        let at = self.now();
        let mut filter = MediaFilter::new(Arc::clone(plan));
        let outcome = self.http.send_filtered(&self.with_masked_address(call, request), &mut filter).await;
        self.record(call, purpose, request, at, &outcome);
        let reply = outcome?;
        Ok(CallReply { reply, media: Some(filter.into_media().await?) })
    }

    /// Adds the address that the provider calls to what is masked in the reply, if the submit stated it: who knows the
    /// address can cause polls.
    pub(super) fn with_masked_address<'r>(&self, call: &Call, request: &'r HttpRequest) -> Cow<'r, HttpRequest> {
        let is_known = || self.plan_at(&call.path).is_ok_and(|plan| plan.webhook_signature().is_some());
        let address = own_secret(&format!("{}.{}", self.job, call.effect), WEBHOOK_ADDRESS);
        if !self.webhooks || request.secrets.iter().any(|sent| sent.name == address) || !is_known() {
            return Cow::Borrowed(request);
        }
        let mut request = request.clone();
        request.masked_secrets.push(address);
        Cow::Owned(request)
    }

    fn record(
        &mut self,
        call: &Call,
        purpose: &str,
        request: &HttpRequest,
        at: Timestamp,
        outcome: &Result<HttpReply, HttpError>,
    ) {
        // The request of a submit was recorded with its attempt.
        let recorded = purpose == CallRecord::SUBMIT;
        self.records.push(CallRecord {
            step: call.step,
            attempt: call.attempt,
            purpose: purpose.to_owned(),
            at,
            duration_ms: self.now().since_ms(at),
            request: if recorded { Value::Null } else { template::display_request(request) },
            reply: match outcome {
                Ok(reply) => display_reply(reply),
                Err(error) => json!({"error": error.to_string()}),
            },
        });
    }

    /// Records that the submit of an attempt was not sent.
    pub(crate) fn note_unsent(&mut self, call: &Call, reason: &str) {
        self.records.push(CallRecord {
            step: call.step,
            attempt: call.attempt,
            purpose: CallRecord::SUBMIT.to_owned(),
            at: self.now(),
            duration_ms: 0,
            request: Value::Null,
            reply: json!({"error": reason}),
        });
    }

    /// Records that a provider's work belongs to an attempt; returns false if it belongs to another one.
    pub(crate) async fn claim_work(&self, call: &Call, url: &str, provider_id: &str) -> Result<bool, StoreError> {
        let host = crate::url::host_of(url);
        let following = ProviderWorkClaim {
            provider: host.unwrap_or_default(),
            provider_id: provider_id.to_owned(),
            job: self.job.clone(),
            effect: call.effect,
        };
        self.store.claim_provider_work(following).await
    }

    /// Parses a reply, a large one on a thread that may block. A result that exceeds the limit as JSON is a failure.
    pub(crate) async fn read(
        &self,
        reply: HttpReply,
        read: impl FnOnce(&HttpReply) -> ReplyReading + Send + 'static,
    ) -> ReplyReading {
        let limit = self.max_result_bytes;
        parse_reply(reply, move |reply| bound_result(read(reply), limit)).await
    }

    /// Parses a reply as [`Caller::read`] does, stores the media that it contains, and notes what it says about the cost
    /// of the attempt and about the work.
    pub(crate) async fn read_outputs(
        &mut self,
        call: &Call,
        plan: &Arc<CallPlan>,
        received: CallReply,
        read: impl FnOnce(&HttpReply) -> ReplyReading + Send + 'static,
    ) -> ReplyReading {
        let (limit, reader) = (self.max_result_bytes, Arc::clone(plan));
        let (mut reading, reported, report) = parse_reply(received.reply, move |reply| {
            // One after the other, so that the JSON is in memory once.
            let reported = reader.price().map(|price| price.read_reported(reply)).unwrap_or_default();
            let report = reader.read_report(reply);
            (bound_result(read(reply), limit), reported, report)
        })
        .await;
        self.reported_cost = reported.or(&self.reported_cost);
        self.report.update(report);
        if let ReplyReading::Failed(error) = reading {
            reading = ReplyReading::Failed(self.error_with_log(error));
        }
        if let ReplyReading::Running(operation) | ReplyReading::Fetch(operation) | ReplyReading::Download(operation) =
            &mut reading
        {
            operation.reported_cost = self.reported_cost.clone();
        }
        if let ReplyReading::Download(operation) = &mut reading {
            note_link_expiry(operation.downloads.as_deref_mut(), self.now());
        }
        match &received.media {
            Some(media) => bound_result(self.keep_media(call, plan, reading, media).await, limit),
            None => reading,
        }
    }
}

impl Caller {
    /// Adds the end of the provider's log to an error.
    pub(super) fn error_with_log(&self, error: CallError) -> CallError {
        match self.report.end_of_log() {
            Some(log) => error.with_detail("logs", log),
            None => error,
        }
    }

    /// Records what the last replies say about running work. A failure is only logged, because the state of the work
    /// matters more.
    pub(crate) async fn record_report(&self, step: u64, attempt: u32) {
        let WorkReport { queue_position, preview, log } = self.report.clone();
        let report = StepReport { step, attempt, queue_position, preview, log };
        if let Err(error) = self.store.record_step_report(&self.job, report).await {
            tracing::warn!(%error, job = self.job, step, "the log of a provider could not be recorded");
        }
    }

    /// Records the log of work that has ended, which is no longer in a queue.
    pub(crate) async fn record_last_report(&mut self, step: u64, attempt: u32) {
        self.report = WorkReport { log: self.report.log.take(), ..WorkReport::default() };
        self.record_report(step, attempt).await;
    }
}

/// Notes when the links of a result expire, as of the time when it was read.
pub(super) fn note_link_expiry(downloads: Option<&mut PendingDownloads>, now: Timestamp) {
    for media in downloads.into_iter().flat_map(|downloads| &mut downloads.media) {
        let declared = media.lifetime_s.map(|seconds| now.plus_ms((seconds * 1000.0) as u64));
        media.expires_at = link_expires_at(&media.link).or(declared);
    }
}

/// Parses a reply, a large one on a thread that may block.
async fn parse_reply<T: Send + 'static>(reply: HttpReply, parse: impl FnOnce(&HttpReply) -> T + Send + 'static) -> T {
    // What is no longer needed is dropped on that thread, too.
    let is_large = reply.body.len() > LARGE_REPLY_BYTES;
    let work = move || parse(&reply);
    if is_large {
        match tokio::task::spawn_blocking(work).await {
            Ok(parsed) => parsed,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    } else {
        work()
    }
}

/// Returns the reading, or a failure if its result exceeds the limit as JSON.
fn bound_result(reading: ReplyReading, limit: usize) -> ReplyReading {
    let size = match &reading {
        ReplyReading::Done(result) => json_len(result),
        ReplyReading::Download(operation) => json_len(&operation.downloads),
        ReplyReading::Running(_) | ReplyReading::Fetch(_) | ReplyReading::Again(_) | ReplyReading::Failed(_) => 0,
    };
    match check_result_size(size, limit) {
        Ok(()) => reading,
        Err(error) => ReplyReading::Failed(error),
    }
}

/// Checks the size of a step's result as JSON, in bytes.
///
/// # Errors
/// [`ErrorClass::OutputTooLarge`] if it exceeds the limit.
pub(super) fn check_result_size(size: u64, limit: usize) -> Result<(), CallError> {
    if size <= limit as u64 {
        return Ok(());
    }
    let message = format!(
        "the result has {size} bytes, more than the limit of {limit} for a step: declare the output as media, map \
         less of the reply, or raise the limit"
    );
    Err(CallError::new(ErrorClass::OutputTooLarge, message))
}

/// Returns the record of a submit, which is written before it is sent.
pub(in crate::runtime) fn record_before_sending(call: &Call, request: &HttpRequest) -> CallRecord {
    CallRecord {
        step: call.step,
        attempt: call.attempt,
        purpose: CallRecord::SUBMIT.to_owned(),
        at: call.started_at,
        duration_ms: 0,
        request: template::display_request(request),
        reply: json!({}),
    }
}

/// Returns the record of a reply; media in the excerpt is cut, because providers repeat what was sent to them.
pub(super) fn display_reply(reply: &HttpReply) -> Value {
    let headers: Map<String, Value> = reply.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let cut = &reply.body[..reply.body.len().min(EXCERPT_BYTES)];
    let excerpt = match std::str::from_utf8(cut) {
        Ok(text) => cut_base64_runs(text),
        // Text that is cut in the middle of a character is still text.
        Err(error) if error.error_len().is_none() => {
            cut_base64_runs(&String::from_utf8_lossy(&cut[..error.valid_up_to()]))
        }
        Err(_) => format!("({} bytes of binary data)", reply.body.len()),
    };
    json!({
        "status": reply.status,
        "headers": headers,
        "excerpt": excerpt,
        "size_bytes": reply.body.len(),
    })
}
