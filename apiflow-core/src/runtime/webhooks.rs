//! Messages of providers about their work: a valid one makes the poll of the work due immediately.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Runtime, abandon};
use crate::call::{WebhookError, WebhookKey, WebhookSignature, read_jwks, verify_webhook};
use crate::engine::{OpenWork, Program};
use crate::ports::{HttpRequest, RequestBody, Secrets, StoreError, Timestamp};

/// How long the published keys of a provider are used, in milliseconds.
///
/// Source: fal's documentation, which allows a day at most.
const KEYS_LIFETIME_MS: u64 = 12 * 3_600_000;
/// Time limit of reading published keys.
const KEYS_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of providers whose keys are remembered.
const MAX_KEY_SETS: usize = 100;

/// The keys of one provider, with the time when they were read.
type KeySet = (Timestamp, Vec<Vec<u8>>);

/// Keys that providers publish, by URL.
#[derive(Default)]
pub(super) struct PublishedKeys(Mutex<BTreeMap<String, KeySet>>);

/// A message as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct WebhookMessage<'a> {
    /// Id of the job, from the address.
    pub job: &'a str,
    /// The attempt, from the address.
    pub effect: u64,
    /// Headers of the request.
    pub headers: &'a [(String, String)],
    /// Body of the request.
    pub body: &'a [u8],
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// The work is asked for its state now.
    PollIsDue,
    /// The work is not followed yet: the message should be sent again.
    TooEarly,
    /// The work has ended, or never existed; nothing to do.
    Over,
}

/// Why a message was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The message is not from the provider, or too old.
    #[error(transparent)]
    Refused(#[from] WebhookError),
    /// The provider's keys or our secret cannot be read at the moment.
    #[error("the signature cannot be verified: {0}")]
    Unverifiable(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Runtime {
    /// Takes a message of a provider about its work. It is only believed to say that there is news: the provider itself
    /// is asked for it. `secrets` contains the signing secret that the operation's rule names.
    ///
    /// # Errors
    /// [`ReceiveError`] if the message is not accepted.
    pub async fn receive_webhook(
        &self,
        message: WebhookMessage<'_>,
        secrets: &dyn Secrets,
    ) -> Result<WebhookOutcome, ReceiveError> {
        let WebhookMessage { job, effect, headers, body } = message;
        let (inner, now) = (&self.inner, self.inner.parts.clock.now());
        let store = inner.parts.store.as_ref();
        let loaded = match store.load_job(job).await {
            Ok(loaded) => loaded,
            Err(StoreError::NotFound { .. }) => return Ok(WebhookOutcome::Over),
            Err(error) => return Err(error.into()),
        };
        let Ok(program) = Program::compile_bundle(&loaded.bundle) else { return Ok(WebhookOutcome::Over) };
        let Ok(run) = abandon::restore_run(Arc::new(program), &loaded) else { return Ok(WebhookOutcome::Over) };
        let found = run.open_work().find_map(|work| match work {
            OpenWork::Poll(call) if call.effect == effect => Some((true, call.path.clone())),
            OpenWork::Call(call) | OpenWork::Recover(call) if call.effect == effect => Some((false, call.path.clone())),
            OpenWork::Call(_)
            | OpenWork::Cancel(_)
            | OpenWork::Poll(_)
            | OpenWork::Recover(_)
            | OpenWork::Download(_)
            | OpenWork::Wait { .. } => None,
        });
        let Some((is_followed, path)) = found else { return Ok(WebhookOutcome::Over) };
        let plans = inner.prepared.plans_of_job(job, store).await?;
        let signature = plans.plan_at(&path).ok().and_then(|plan| plan.webhook_signature());
        let Some((kind, secret)) = signature else { return Ok(WebhookOutcome::Over) };
        let key = self.read_webhook_key(&kind, secret.as_deref(), secrets).await?;
        verify_webhook(&kind, &key, headers, body, now)?;
        if !is_followed {
            return Ok(WebhookOutcome::TooEarly);
        }
        store.reschedule_poll(job, effect, now, None).await?;
        inner.notifier.notify_due(super::due_times::DueKind::Polls, now);
        Ok(WebhookOutcome::PollIsDue)
    }

    async fn read_webhook_key(
        &self,
        kind: &WebhookSignature,
        secret: Option<&str>,
        secrets: &dyn Secrets,
    ) -> Result<WebhookKey, ReceiveError> {
        match kind {
            WebhookSignature::None => Ok(WebhookKey::None),
            WebhookSignature::StandardWebhooks | WebhookSignature::HmacSha256Hex { .. } => {
                let found = secrets.get(secret.unwrap_or_default()).await.map_err(ReceiveError::Unverifiable)?;
                let found =
                    found.ok_or_else(|| ReceiveError::Unverifiable("the signing secret is not set".to_owned()))?;
                Ok(WebhookKey::Secret(found.value))
            }
            WebhookSignature::Ed25519Jwks { url } => self.read_published_keys(url).await.map(WebhookKey::Public),
        }
    }

    /// Reads the keys that a provider publishes, at most every few hours.
    async fn read_published_keys(&self, url: &str) -> Result<Vec<Vec<u8>>, ReceiveError> {
        let now = self.inner.parts.clock.now();
        let known = self.inner.webhook_keys.0.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        if let Some((_, keys)) = known.filter(|(at, _)| now < at.plus_ms(KEYS_LIFETIME_MS)) {
            return Ok(keys);
        }
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: RequestBody::None,
            secrets: Vec::new(),
            media: Vec::new(),
            auth: None,
            masked_secrets: Vec::new(),
            credential_origins: Vec::new(),
            timeout: KEYS_TIMEOUT,
        };
        let unreadable = |reason: String| ReceiveError::Unverifiable(format!("{url}: {reason}"));
        let reply = self.inner.parts.http.send(&request).await.map_err(|error| unreadable(error.to_string()))?;
        let keys = serde_json::from_slice(&reply.body).map(|document| read_jwks(&document)).unwrap_or_default();
        if keys.is_empty() {
            return Err(unreadable("it contains no Ed25519 keys".to_owned()));
        }
        let mut all = self.inner.webhook_keys.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_KEY_SETS {
            all.clear();
        }
        all.insert(url.to_owned(), (now, keys.clone()));
        Ok(keys)
    }
}
