//! A request that is being passed on, from its admission to the end of its reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::{CallRefusal, ProxiedPrice};
use crate::call::{ReportedCost, retry_after_of_head};
use crate::money::Cost;
use crate::ports::{AttemptCharge, HttpReply, MemoryHold, ProxiedCall, StoreError};
use crate::runtime::Inner;
use crate::runtime::provider::DEFAULT_PAUSE_MS;

/// Largest reply in which a cost is looked for, in bytes.
const MAX_READ_BYTES: usize = 1024 * 1024;
/// Number of renewals within a lease.
const RENEWALS_PER_LEASE: u32 = 3;

/// How a request that was admitted ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassedEnd {
    /// The reply ended, or was cut off for this reason after its head.
    Replied(Option<String>),
    /// Nothing was sent: the status of the reply to the caller, and the reason.
    NotSent(u16, String),
    /// It was sent, and has no reply: the status of the reply to the caller, and the reason.
    NoReply(u16, String),
}

/// A request that is being passed on. Its slot and reservation are given back, and its cost is recorded, when it ends;
/// if it is dropped instead, its caller is gone.
pub struct OpenCall {
    inner: Arc<Inner>,
    /// `None` once it has ended.
    call: Option<ProxiedCall>,
    price: Option<ProxiedPrice>,
    limit: String,
    sent: Arc<AtomicU64>,
    has_begun: bool,
    reply: ReplyNotes,
    renewal: Option<AbortHandle>,
}

/// What is known about the reply.
#[derive(Default)]
struct ReplyNotes {
    headers: Vec<(String, String)>,
    /// Size of the body, if the head states it.
    size: Option<u64>,
    received: u64,
    /// The body, if its cost is written in it.
    body: Option<Vec<u8>>,
}

impl OpenCall {
    pub(super) fn new(inner: Arc<Inner>, call: ProxiedCall, price: Option<ProxiedPrice>, limit: String) -> Self {
        Self {
            inner,
            call: Some(call),
            price,
            limit,
            sent: Arc::default(),
            has_begun: false,
            reply: ReplyNotes::default(),
            renewal: None,
        }
    }

    /// Returns what is recorded of the call, as of its start.
    ///
    /// # Panics
    /// Never: the call is taken out only when it ends.
    pub fn call(&self) -> &ProxiedCall {
        self.call.as_ref().expect("it is taken only when the call ends")
    }

    pub(super) fn price(&self) -> Option<&ProxiedPrice> {
        self.price.as_ref()
    }

    /// Records that the call begins, and keeps its lease from now on.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        let lease = self.inner.settings.lease;
        let at_risk = self.charge_of_unknown();
        self.inner.parts.store.begin_proxied_call(self.call().clone(), at_risk, lease).await?;
        self.has_begun = true;
        let (store, id) = (self.inner.parts.store.clone(), self.call().id.clone());
        let renewal = tokio::spawn(async move {
            loop {
                tokio::time::sleep(lease / RENEWALS_PER_LEASE).await;
                if let Err(error) = store.renew_proxied_call(&id, lease).await {
                    tracing::warn!(%error, id, "the lease of a call could not be renewed");
                }
            }
        });
        self.renewal = Some(renewal.abort_handle());
        Ok(())
    }

    /// Returns the counter of the bytes of the request's body that were passed on.
    pub fn sent_bytes(&self) -> Arc<AtomicU64> {
        self.sent.clone()
    }

    /// Notes the head of the reply. A 429 pauses all submits that share the provider's rate limit.
    pub async fn note_head(&mut self, status: u16, headers: &[(String, String)]) {
        let header = |name: &str| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let is_json = header("content-type").is_some_and(|(_, value)| value.to_ascii_lowercase().contains("json"));
        let reads_body = is_json && self.price().is_some_and(|price| price.price.reads_body());
        self.reply = ReplyNotes {
            headers: headers.to_vec(),
            size: header("content-length").and_then(|(_, value)| value.trim().parse().ok()),
            received: 0,
            body: reads_body.then(Vec::new),
        };
        if let Some(call) = &mut self.call {
            call.status = Some(status);
        }
        if status == 429 {
            let pause = Duration::from_millis(retry_after_of_head(status, headers).unwrap_or(DEFAULT_PAUSE_MS));
            if let Err(error) = self.inner.parts.store.pause_submits(&self.limit, pause).await {
                tracing::warn!(%error, limit = self.limit, "a rate limit could not be recorded for other calls");
            }
        }
    }

    /// Notes the next bytes of the reply's body; returns whether they are its last ones, as far as its head states that.
    pub fn note_received(&mut self, chunk: &[u8]) -> bool {
        self.reply.received += chunk.len() as u64;
        if let Some(body) = &mut self.reply.body {
            if body.len() + chunk.len() <= MAX_READ_BYTES {
                body.extend_from_slice(chunk);
            } else {
                self.reply.body = None;
            }
        }
        self.reply.size.is_some_and(|size| self.reply.received >= size)
    }

    /// Ends the call: gives its slot and reservation back, and records what it cost.
    pub async fn finish(mut self, end: PassedEnd) {
        if let Some((call, charge)) = self.take_end(end) {
            self.inner.end_call(call, charge).await;
        }
    }

    /// Ends a call that was not admitted.
    pub(super) async fn refuse(mut self, refusal: &CallRefusal) {
        let (status, message) = match refusal {
            CallRefusal::RateLimited { message, .. } => (429, message.clone()),
            CallRefusal::BudgetExceeded(message) => (402, message.clone()),
            CallRefusal::Store(error) => (503, error.to_string()),
        };
        if let Some((call, charge)) = self.take_end(PassedEnd::NotSent(status, message)) {
            self.inner.end_call(call, charge).await;
        }
    }

    /// Takes the call out, as it ended, with its charge; `None` if it has ended before.
    fn take_end(&mut self, end: PassedEnd) -> Option<(ProxiedCall, Option<AttemptCharge>)> {
        let unknown = self.charge_of_unknown();
        let mut call = self.call.take()?;
        if let Some(renewal) = self.renewal.take() {
            renewal.abort();
        }
        let charge = match end {
            PassedEnd::Replied(error) => {
                call.error = error;
                call.status.and_then(|status| self.charge_of_reply(status, unknown))
            }
            PassedEnd::NotSent(status, error) => {
                (call.status, call.error) = (Some(status), Some(error));
                None
            }
            PassedEnd::NoReply(status, error) => {
                (call.status, call.error) = (Some(status), Some(error));
                unknown
            }
        };
        call.finished_at = Some(self.inner.parts.clock.now());
        call.bytes_sent = self.sent.load(Ordering::Relaxed);
        call.bytes_received = self.reply.received;
        call.cost = self
            .price
            .is_some()
            .then(|| charge.as_ref().map(|charge| Cost::of_attempt(&charge.cost)).unwrap_or_default());
        Some((call, charge))
    }

    /// Returns what a reply with this status costs.
    fn charge_of_reply(&self, status: u16, unknown: Option<AttemptCharge>) -> Option<AttemptCharge> {
        let ProxiedPrice { price, is_ambiguous } = self.price()?;
        let reported =
            if *is_ambiguous { ReportedCost::default() } else { price.read_reported(&self.as_reply(status)) };
        let mut charge = unknown?;
        charge.cost = price.cost_of_status(status, &reported)?;
        if *is_ambiguous {
            charge.cost.amount = None;
        }
        Some(charge)
    }

    fn charge_of_unknown(&self) -> Option<AttemptCharge> {
        let call = self.call.as_ref()?;
        self.price().map(|price| price.charge_of_unknown(call))
    }

    fn as_reply(&self, status: u16) -> HttpReply {
        HttpReply {
            status,
            headers: self.reply.headers.clone(),
            body: self.reply.body.clone().unwrap_or_default(),
            url: String::new(),
            memory: MemoryHold::default(),
        }
    }

    /// Returns how a call ended whose caller is gone.
    fn end_of_dropped(&self) -> PassedEnd {
        let was_all_received = self.reply.size.is_some_and(|size| self.reply.received >= size);
        let has_status = self.call.as_ref().is_some_and(|call| call.status.is_some());
        let gone = "the caller went away".to_owned();
        match (has_status, self.has_begun) {
            (true, _) => PassedEnd::Replied((!was_all_received).then_some(gone)),
            (false, true) => PassedEnd::NoReply(CLIENT_CLOSED_REQUEST, gone),
            (false, false) => PassedEnd::NotSent(CLIENT_CLOSED_REQUEST, format!("not sent: {gone}")),
        }
    }
}

/// The status that is recorded for a caller who did not wait for any.
/// Source: nginx, `NGX_HTTP_CLIENT_CLOSED_REQUEST`.
const CLIENT_CLOSED_REQUEST: u16 = 499;

impl Drop for OpenCall {
    fn drop(&mut self) {
        let end = self.end_of_dropped();
        if let (Some((call, charge)), Ok(handle)) = (self.take_end(end), Handle::try_current()) {
            let inner = self.inner.clone();
            handle.spawn(async move { inner.end_call(call, charge).await });
        }
    }
}

impl Inner {
    /// Records the end of a call, and gives its slot to the next one. If the store is unavailable, the call ends with
    /// its lease.
    async fn end_call(&self, call: ProxiedCall, charge: Option<AttemptCharge>) {
        if let Err(error) = self.parts.store.end_proxied_call(call, charge).await {
            tracing::warn!(%error, "the end of a call could not be recorded; it ends with its lease");
            return;
        }
        if self.uses_submit_slots()
            && let Err(error) = self.assign_submit_slots().await
        {
            tracing::warn!(%error, "free slots of a provider's limits could not be given yet");
        }
    }
}
