//! Addresses that providers call with news of their work: unguessable, one for each submit, and opened by this server alone.

use std::sync::Arc;

use apiflow_core::call::WEBHOOK_ADDRESS;
use apiflow_core::origin::Origin;
use apiflow_core::ports::{Secret, Secrets, split_reference};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::api::BASE_PATH;
use crate::secrets::SecretBook;

/// The purpose that addresses are signed for: a text that was signed for another purpose is refused.
const PURPOSE: &str = "webhook address";

/// The attempt that an address belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WebhookTarget {
    /// Id of the job.
    pub(crate) job: String,
    /// The attempt, by the sequence number of its event.
    pub(crate) effect: u64,
}

/// Returns the target of an address; `None` if this server did not give it.
pub(crate) fn read_webhook_target(book: &SecretBook, token: &str) -> Option<WebhookTarget> {
    serde_json::from_str(&book.verify_text(PURPOSE, token)?).ok()
}

/// The secrets of the server, and addresses of webhooks as secrets: they are written into a submit on its way to the
/// socket, so that no record shows them.
pub struct SecretsWithWebhooks {
    book: Arc<SecretBook>,
    public_url: String,
}

impl SecretsWithWebhooks {
    /// Creates the secrets of a server that providers reach at `public_url`.
    pub fn new(book: Arc<SecretBook>, public_url: impl Into<String>) -> Self {
        Self { book, public_url: public_url.into() }
    }

    fn address(&self, owner: &str) -> Result<Option<Secret>, String> {
        let Some((job, effect)) = owner.rsplit_once('.') else { return Ok(None) };
        let Ok(effect) = effect.parse() else { return Ok(None) };
        let target = WebhookTarget { job: job.to_owned(), effect };
        let text = serde_json::to_string(&target).map_err(|error| error.to_string())?;
        let token = self.book.sign_text(PURPOSE, &text).map_err(|problem| problem.in_words())?;
        let value = format!("{}{BASE_PATH}/hooks/{token}", self.public_url.trim_end_matches('/'));
        Ok(Some(Secret { value, origins: None }))
    }
}

#[async_trait]
impl Secrets for SecretsWithWebhooks {
    async fn get(&self, reference: &str) -> Result<Option<Secret>, String> {
        match split_reference(reference) {
            (Some(owner), WEBHOOK_ADDRESS) => self.address(owner),
            (Some(_) | None, _) => self.book.get(reference).await,
        }
    }

    async fn at_origin(&self, origin: &Origin) -> Result<Vec<(String, String)>, String> {
        self.book.at_origin(origin).await
    }
}
