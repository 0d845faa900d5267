//! Sends the messages that announce jobs.
//!
//! A commit queues a message in its own transaction, so none is lost. Any process with workers takes what is due, under a
//! lease: a message may be sent again if its process dies before the outcome is recorded, with the same id.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use apiflow_core::ports::{AfterTry, DeliveryTry, DueDeliveries, HttpError, HttpRequest, RequestBody, WebhookDelivery};
use futures_util::StreamExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::http::problem::Problem;
use crate::jobs::webhook_messages::compose_message;
use crate::state::AppState;
use crate::webhooks::retry_schedule::next_delay;
use crate::webhooks::signing_secret::SigningSecrets;

/// How often an idle process looks for due messages.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);
/// Time limit of a try.
const TRY_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a message is hidden from others while it is sent; longer than a try with what is read for it.
const LEASE: Duration = Duration::from_secs(30);
/// How long tries may take after the server was asked to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of messages that a process sends at the same time.
const MAX_TRIES_AT_ONCE: u32 = 32;
/// Maximum number to one host, so that one that does not answer delays no other.
const MAX_PER_HOST: u32 = 4;
/// Maximum number of one user that are taken at a time; a user with more under way has to wait.
const MAX_PER_USER: u32 = 8;

/// Maximum size of the part of a reply that is kept, in bytes.
const MAX_REPLY_BYTES: usize = 1024;

/// Sends messages until `stop`.
pub(crate) async fn send_messages(state: AppState, stop: CancellationToken) {
    let mut tries = RunningTries::default();
    loop {
        tries.remove_ended();
        if let Err(error) = tries.start_due(&state).await {
            tracing::warn!(%error, "due webhooks are sent later");
        }
        tokio::select! {
            () = tries.wait_for_end() => {}
            () = tokio::time::sleep(IDLE_INTERVAL) => {}
            () = stop.cancelled() => break,
        }
    }
    let rest = async { while tries.set.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_TIMEOUT, rest).await.is_err() {
        tracing::info!("webhooks that are being sent will be sent again");
    }
}

/// The tries of this process.
#[derive(Default)]
struct RunningTries {
    set: JoinSet<()>,
    /// Host and user of each try, by its task.
    targets: BTreeMap<tokio::task::Id, (String, String)>,
}

impl RunningTries {
    /// Waits until a try ends; forever if there is none.
    async fn wait_for_end(&mut self) {
        match self.set.join_next_with_id().await {
            Some(ended) => self.forget_try(ended),
            None => std::future::pending().await,
        }
    }

    fn remove_ended(&mut self) {
        while let Some(ended) = self.set.try_join_next_with_id() {
            self.forget_try(ended);
        }
    }

    fn forget_try(&mut self, ended: Result<(tokio::task::Id, ()), tokio::task::JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.targets.remove(&id);
    }

    /// Takes due messages and begins to send them.
    async fn start_due(&mut self, state: &AppState) -> Result<(), apiflow_core::ports::StoreError> {
        let room = MAX_TRIES_AT_ONCE.saturating_sub(u32::try_from(self.targets.len()).unwrap_or(u32::MAX));
        if room == 0 {
            return Ok(());
        }
        let mut by_user: BTreeMap<&str, u32> = BTreeMap::new();
        for (_, user) in self.targets.values() {
            *by_user.entry(user).or_default() += 1;
        }
        let busy_users = by_user.into_iter().filter(|(_, count)| *count >= MAX_PER_USER);
        let mut busy_hosts: Vec<String> = self.targets.values().map(|(host, _)| host.clone()).collect();
        busy_hosts.sort_unstable();
        busy_hosts.dedup();
        let wanted = DueDeliveries {
            limit: room,
            per_host: MAX_PER_HOST,
            per_user: MAX_PER_USER,
            busy_users: busy_users.map(|(user, _)| user.to_owned()).collect(),
            busy_hosts,
            lease: LEASE,
        };
        for delivery in state.store.take_due_deliveries(wanted).await? {
            let target = (delivery.host.clone(), delivery.signer.clone());
            let state = state.clone();
            let task = self.set.spawn(async move { try_delivery(&state, delivery).await });
            self.targets.insert(task.id(), target);
        }
        Ok(())
    }
}

/// Sends a message once, and records the outcome.
async fn try_delivery(state: &AppState, delivery: WebhookDelivery) {
    let sent = tokio::time::timeout(TRY_TIMEOUT, send_message(state, &delivery)).await;
    let result = sent.unwrap_or_else(|_| {
        Err(TryError::Transient(format!("`{}` did not answer within {} s", delivery.host, TRY_TIMEOUT.as_secs())))
    });
    let now = state.clock.now();
    let retry = || {
        let age_ms = now.since_ms(delivery.queued_at);
        next_delay(delivery.tries_since_queued(), age_ms, rand::random()).map_or(AfterTry::GiveUp, AfterTry::Retry)
    };
    let (outcome, next) = match result {
        Ok(Reply { status, .. }) if (200..300).contains(&status) => {
            (DeliveryTry { status: Some(status), ..DeliveryTry::default() }, AfterTry::Delivered)
        }
        Ok(Reply { status, excerpt }) => {
            // Source: Standard Webhooks: with 410 the receiver says that it is gone for good.
            let next = if status == 410 { AfterTry::GiveUp } else { retry() };
            let error = Some(format!("the receiver replied with status {status}; 2xx would accept the message"));
            (DeliveryTry { status: Some(status), error, reply: excerpt, ..DeliveryTry::default() }, next)
        }
        Err(TryError::Transient(error)) => (DeliveryTry { error: Some(error), ..DeliveryTry::default() }, retry()),
        Err(TryError::Final(error)) => (DeliveryTry { error: Some(error), ..DeliveryTry::default() }, AfterTry::GiveUp),
    };
    count_outcome(state, next);
    let outcome = DeliveryTry { at: now, ..outcome };
    if let Err(error) = state.store.record_delivery_try(&delivery.id, delivery.tries, outcome, next).await {
        tracing::warn!(%error, id = delivery.id, "the outcome of a webhook could not be recorded; it is sent again");
    }
}

fn count_outcome(state: &AppState, next: AfterTry) {
    let counters = &state.deliveries;
    let counter = match next {
        AfterTry::Delivered => &counters.delivered,
        AfterTry::Retry(_) => &counters.retried,
        AfterTry::GiveUp => &counters.given_up,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Why a message got no reply.
enum TryError {
    /// Another try may succeed.
    Transient(String),
    /// No other try would succeed.
    Final(String),
}

impl From<Problem> for TryError {
    fn from(problem: Problem) -> Self {
        tracing::warn!(problem = problem.in_words(), "a webhook could not be composed");
        Self::Transient("the message could not be composed; the server's log says why".to_owned())
    }
}

impl From<HttpError> for TryError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Refused(reason) | HttpError::Secret(reason) => Self::Final(reason),
            // The enum may get further variants.
            HttpError::Connect(_) | HttpError::Unknown(_) | HttpError::Reply(_) | HttpError::TooLarge(_) | _ => {
                Self::Transient(error.to_string())
            }
        }
    }
}

/// The reply of a receiver.
struct Reply {
    status: u16,
    /// The beginning of its body, if it did not accept the message.
    excerpt: Option<String>,
}

async fn send_message(state: &AppState, delivery: &WebhookDelivery) -> Result<Reply, TryError> {
    if state.accounts.read_user(&delivery.signer).await.map_err(Problem::from)?.is_none() {
        return Err(TryError::Final("the user whose secret signs the message was deleted".to_owned()));
    }
    let body = compose_message(state, delivery).await?;
    let secrets = SigningSecrets::of_user(state, &delivery.signer).await?;
    let seconds = u64::try_from(state.clock.now().0 / 1000).unwrap_or_default();
    let header = |name: &str, value: String| (name.to_owned(), value);
    let request = HttpRequest {
        headers: vec![
            header("content-type", "application/json".to_owned()),
            header("webhook-id", delivery.id.clone()),
            header("webhook-timestamp", seconds.to_string()),
            header("webhook-signature", secrets.sign_message(&delivery.id, seconds, &body)),
        ],
        body: RequestBody::Text(body),
        ..HttpRequest::new("POST", &delivery.url, TRY_TIMEOUT)
    };
    let mut reply = state.runtime.http_client().open_stream(&request).await?;
    let mut excerpt = Vec::new();
    if !(200..300).contains(&reply.status) {
        while excerpt.len() < MAX_REPLY_BYTES
            && let Some(Ok(bytes)) = reply.body.next().await
        {
            let room = MAX_REPLY_BYTES - excerpt.len();
            excerpt.extend(bytes.into_iter().take(room));
        }
    }
    Ok(Reply { status: reply.status, excerpt: (!excerpt.is_empty()).then(|| readable_text(&excerpt)) })
}

/// Returns bytes as text without control characters, which databases do not accept.
fn readable_text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|letter| if letter.is_control() && letter != '\n' { ' ' } else { letter }).collect()
}
