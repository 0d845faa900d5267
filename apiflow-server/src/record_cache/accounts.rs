//! Users and tokens with cached tokens.

use std::sync::Arc;

use apiflow_core::ports::Timestamp;
use apiflow_store::{Accounts, NewToken, RecordError, TokenRow, UserAccounts, UserChange, UserRow, UserTokens};
use async_trait::async_trait;

use super::entries::{Entries, RecordCache};

/// Users and tokens; the user of a token is cached.
pub(super) struct CachedAccounts {
    accounts: Arc<dyn Accounts>,
    cache: RecordCache,
}

impl CachedAccounts {
    /// Puts `cache` in front of `accounts`.
    pub(super) fn new(accounts: Arc<dyn Accounts>, cache: RecordCache) -> Self {
        Self { accounts, cache }
    }
}

#[async_trait]
impl UserAccounts for CachedAccounts {
    async fn add_user(&self, user: UserRow) -> Result<(), RecordError> {
        self.accounts.add_user(user).await
    }

    async fn read_user(&self, id: &str) -> Result<Option<UserRow>, RecordError> {
        self.accounts.read_user(id).await
    }

    async fn find_user_by_name(&self, username: &str) -> Result<Option<UserRow>, RecordError> {
        self.accounts.find_user_by_name(username).await
    }

    async fn list_users(&self, after: Option<&str>, limit: u32) -> Result<Vec<UserRow>, RecordError> {
        self.accounts.list_users(after, limit).await
    }

    async fn change_user(&self, id: &str, change: UserChange) -> Result<UserRow, RecordError> {
        let (accounts, id) = (Arc::clone(&self.accounts), id.to_owned());
        self.cache.write(async move { accounts.change_user(&id, change).await }).await
    }

    async fn read_webhook_generation(&self, id: &str) -> Result<Option<(u64, Timestamp)>, RecordError> {
        self.accounts.read_webhook_generation(id).await
    }

    async fn rotate_webhook_secret(&self, id: &str, now: Timestamp) -> Result<(u64, Timestamp), RecordError> {
        self.accounts.rotate_webhook_secret(id, now).await
    }

    async fn delete_user(&self, id: &str) -> Result<(), RecordError> {
        let (accounts, id) = (Arc::clone(&self.accounts), id.to_owned());
        self.cache.write(async move { accounts.delete_user(&id).await }).await
    }
}

#[async_trait]
impl UserTokens for CachedAccounts {
    // Adding tokens does not affect cached entries: the absence of a token is not cached.
    async fn add_token(&self, token: NewToken) -> Result<(), RecordError> {
        self.accounts.add_token(token).await
    }

    async fn find_token(&self, hash: &str, now: Timestamp) -> Result<Option<(UserRow, TokenRow)>, RecordError> {
        let is_valid = |token: &TokenRow| token.expires_at.is_none_or(|expires_at| now < expires_at);
        if let Some(found) = self.cache.get(|entries| entries.tokens.get(hash)) {
            return Ok(is_valid(&found.1).then(|| (*found).clone()));
        }
        let start = self.cache.begin_read();
        let found = self.accounts.find_token(hash, now).await?;
        if let Some(found) = &found {
            let insert = |entries: &mut Entries, entry| entries.insert_token(hash.to_owned(), entry);
            self.cache.keep_value(start, Arc::new(found.clone()), insert);
        }
        Ok(found)
    }

    async fn list_tokens(&self, user_id: &str) -> Result<Vec<TokenRow>, RecordError> {
        self.accounts.list_tokens(user_id).await
    }

    async fn delete_token(&self, user_id: &str, token_id: &str) -> Result<bool, RecordError> {
        let accounts = Arc::clone(&self.accounts);
        let (user_id, token_id) = (user_id.to_owned(), token_id.to_owned());
        self.cache.write(async move { accounts.delete_token(&user_id, &token_id).await }).await
    }

    async fn delete_tokens(&self, user_id: &str, only_sessions: bool) -> Result<(), RecordError> {
        let (accounts, user_id) = (Arc::clone(&self.accounts), user_id.to_owned());
        self.cache.write(async move { accounts.delete_tokens(&user_id, only_sessions).await }).await
    }
    async fn link_token_job(&self, token_id: &str, job: &str) -> Result<(), RecordError> {
        self.accounts.link_token_job(token_id, job).await
    }

    async fn is_token_job(&self, token_id: &str, job: &str) -> Result<bool, RecordError> {
        self.accounts.is_token_job(token_id, job).await
    }

    async fn is_token_artifact(&self, token_id: &str, artifact: &str) -> Result<bool, RecordError> {
        self.accounts.is_token_artifact(token_id, artifact).await
    }
}
