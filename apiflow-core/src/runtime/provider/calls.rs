//! One exchange with a provider, and its record.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::call::{CallPlan, JobPlans};
use crate::engine::Call;
use crate::ports::{
    CallRecord, Clock, Following, HttpClient, HttpError, HttpReply, HttpRequest, Store, StoreError, Timestamp,
};
use crate::template;

/// Bytes of a reply that its record shows.
const EXCERPT_BYTES: usize = 4096;

/// Sends the calls of one attempt, and keeps their records.
pub(crate) struct Caller {
    pub(crate) job: String,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) http: Arc<dyn HttpClient>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) plans: Arc<JobPlans>,
    pub(crate) max_result_bytes: usize,
    /// How long work that a provider took may take to appear in its list, in milliseconds.
    pub(crate) listing_delay_ms: u64,
    pub(crate) records: Vec<CallRecord>,
}

impl Caller {
    pub(crate) fn plan(&self, path: &str) -> Result<Arc<CallPlan>, Value> {
        self.plans.plan(path)
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
        let outcome = self.http.send(request).await;
        // That of a submit was recorded with its attempt.
        let recorded = purpose == CallRecord::SUBMIT;
        self.records.push(CallRecord {
            step: call.step,
            attempt: call.attempt,
            purpose: purpose.to_owned(),
            at,
            duration_ms: self.now().since_ms(at),
            request: if recorded { Value::Null } else { template::display(request) },
            reply: match &outcome {
                Ok(reply) => shown(reply),
                Err(error) => json!({"error": error.to_string()}),
            },
        });
        outcome
    }

    /// Notes that an attempt follows a provider's work; says whether no other attempt does.
    pub(crate) async fn claim_work(&self, call: &Call, url: &str, provider_id: &str) -> Result<bool, StoreError> {
        let host = crate::call::url::host(url);
        let following = Following {
            provider: host.unwrap_or_default(),
            provider_id: provider_id.to_owned(),
            job: self.job.clone(),
            effect: call.effect,
        };
        self.store.follow(following).await
    }

    /// The result, unless it is too large to be kept as JSON.
    pub(crate) fn bounded(&self, result: Value) -> Result<Value, Value> {
        let size = result.to_string().len();
        if size <= self.max_result_bytes {
            return Ok(result);
        }
        let limit = self.max_result_bytes;
        let message = format!(
            "the result has {size} bytes, more than the {limit} that a step may have: \
             type the output as media, map less of the reply, or raise the limit"
        );
        Err(json!({"name": "output_invalid", "message": message}))
    }
}

/// What is recorded of a submit before it is sent.
pub(in crate::runtime) fn about_to_send(call: &Call, request: &HttpRequest) -> CallRecord {
    CallRecord {
        step: call.step,
        attempt: call.attempt,
        purpose: CallRecord::SUBMIT.to_owned(),
        at: call.started_at,
        duration_ms: 0,
        request: template::display(request),
        reply: json!({}),
    }
}

fn shown(reply: &HttpReply) -> Value {
    let headers: Map<String, Value> = reply.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let cut = &reply.body[..reply.body.len().min(EXCERPT_BYTES)];
    let excerpt = match std::str::from_utf8(cut) {
        Ok(text) => text.to_owned(),
        // A cut in the middle of a character is still text.
        Err(error) if error.error_len().is_none() => String::from_utf8_lossy(&cut[..error.valid_up_to()]).into_owned(),
        Err(_) => format!("({} bytes that are not text)", reply.body.len()),
    };
    json!({
        "status": reply.status,
        "headers": headers,
        "excerpt": excerpt,
        "size_bytes": reply.body.len(),
    })
}
