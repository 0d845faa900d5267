//! Messages of providers about their work: a valid one makes the poll of the work due immediately.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Runtime, abandon};
use crate::call::{
    CallPlan, WebhookError, WebhookKey, WebhookSecretSource, WebhookSignature, rate_limit_key, read_jwks,
    verify_webhook,
};
use crate::engine::{OpenWork, Program};
use crate::ports::{HttpRequest, Secrets, StoreError, Timestamp};

/// How long the published keys of a provider are used, in milliseconds.
///
/// Source: fal's documentation, which allows a day at most.
const KEYS_LIFETIME_MS: u64 = 12 * 3_600_000;
/// Time limit of reading published keys.
const KEYS_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a secret that was fetched from a provider is used, in milliseconds.
const MAX_SECRET_AGE_MS: u64 = 3_600_000;
/// Minimum age of such a secret before it is fetched again because a message does not fit it, in milliseconds: forged
/// messages must not cause requests.
const MIN_SECRET_AGE_MS: u64 = 60_000;
/// Maximum number of providers whose keys or secrets are remembered.
const MAX_KEY_SETS: usize = 100;

/// The keys of one provider, with the time when they were read.
type KeySet = (Timestamp, Vec<Vec<u8>>);

/// Keys that providers publish, by URL.
#[derive(Default)]
pub(super) struct PublishedKeys(Mutex<BTreeMap<String, KeySet>>);

/// A secret that was fetched from a provider, with the time when it was.
type FetchedSecret = Option<(Timestamp, String)>;

/// Secrets that providers sign their messages with, by URL and credentials. Has no `Debug`, because it contains their
/// values.
#[derive(Default)]
pub(super) struct FetchedSecrets(Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<FetchedSecret>>>>);

impl FetchedSecrets {
    /// Returns the place of a secret, which whoever fetches it locks.
    fn find_place(&self, key: &str) -> Arc<tokio::sync::Mutex<FetchedSecret>> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MAX_KEY_SETS && !places.contains_key(key) {
            places.clear();
        }
        Arc::clone(places.entry(key.to_owned()).or_default())
    }
}

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
        let Ok(plan) = plans.plan_at(&path) else { return Ok(WebhookOutcome::Over) };
        let Some((kind, secret)) = plan.webhook_signature() else { return Ok(WebhookOutcome::Over) };
        let key = self.read_webhook_key(&plan, &kind, secret.as_ref(), secrets, MAX_SECRET_AGE_MS).await?;
        let verified = verify_webhook(&kind, &key, headers, body, now);
        if verified.is_err() && matches!(secret, Some(WebhookSecretSource::Provider(_))) {
            // The provider may have another secret since it was fetched.
            let key = self.read_webhook_key(&plan, &kind, secret.as_ref(), secrets, MIN_SECRET_AGE_MS).await?;
            verify_webhook(&kind, &key, headers, body, now)?;
        } else {
            verified?;
        }
        if !is_followed {
            return Ok(WebhookOutcome::TooEarly);
        }
        store.reschedule_poll(job, effect, now, None).await?;
        inner.notifier.notify_due(super::due_times::DueKind::Polls, now);
        Ok(WebhookOutcome::PollIsDue)
    }

    /// Returns the key of a provider's messages. A secret that was fetched from the provider more than `max_age_ms` ago
    /// is fetched again.
    async fn read_webhook_key(
        &self,
        plan: &CallPlan,
        kind: &WebhookSignature,
        secret: Option<&WebhookSecretSource>,
        secrets: &dyn Secrets,
        max_age_ms: u64,
    ) -> Result<WebhookKey, ReceiveError> {
        match kind {
            WebhookSignature::None => Ok(WebhookKey::None),
            WebhookSignature::StandardWebhooks | WebhookSignature::HmacSha256Hex { .. } => match secret {
                Some(WebhookSecretSource::Provider(_)) => {
                    self.fetch_webhook_secret(plan, max_age_ms).await.map(WebhookKey::Secret)
                }
                Some(WebhookSecretSource::Reference(name)) => {
                    let found = secrets.get(name).await.map_err(ReceiveError::Unverifiable)?;
                    let found =
                        found.ok_or_else(|| ReceiveError::Unverifiable("the signing secret is not set".to_owned()))?;
                    Ok(WebhookKey::Secret(found.value))
                }
                None => Ok(WebhookKey::None),
            },
            WebhookSignature::Ed25519Jwks { url } => self.read_published_keys(url).await.map(WebhookKey::Public),
        }
    }

    /// Fetches the secret that a provider signs its messages with. Messages that arrive together wait for one request.
    async fn fetch_webhook_secret(&self, plan: &CallPlan, max_age_ms: u64) -> Result<String, ReceiveError> {
        let unreadable = |reason: String| ReceiveError::Unverifiable(format!("the provider's secret: {reason}"));
        let request = plan.webhook_secret_request().ok_or_else(|| unreadable("it has none".to_owned()))?;
        let request = request.map_err(|error| unreadable(error.message))?;
        let place = self.inner.webhook_secrets.find_place(&format!("{} {}", rate_limit_key(&request), request.url));
        let mut known = place.lock().await;
        let now = self.inner.parts.clock.now();
        if let Some((_, secret)) = known.as_ref().filter(|(at, _)| now < at.plus_ms(max_age_ms)) {
            return Ok(secret.clone());
        }
        let reply = self.inner.parts.http.send(&request).await.map_err(|error| unreadable(error.to_string()))?;
        let secret = plan.read_webhook_secret(&reply).filter(|_| (200..300).contains(&reply.status));
        let secret = secret.ok_or_else(|| unreadable(format!("the provider answered {} without it", reply.status)))?;
        *known = Some((now, secret.clone()));
        Ok(secret)
    }

    /// Reads the keys that a provider publishes, at most every few hours.
    async fn read_published_keys(&self, url: &str) -> Result<Vec<Vec<u8>>, ReceiveError> {
        let now = self.inner.parts.clock.now();
        let known = self.inner.webhook_keys.0.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        if let Some((_, keys)) = known.filter(|(at, _)| now < at.plus_ms(KEYS_LIFETIME_MS)) {
            return Ok(keys);
        }
        let request = HttpRequest::new("GET", url, KEYS_TIMEOUT);
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
