//! Sealed secrets with a cache.

use std::sync::Arc;

use apiflow_store::{RecordError, SecretGrant, SecretRow, SecretStore};
use async_trait::async_trait;

use super::entries::{Entries, RecordCache, SecretsSnapshot};

/// Secrets; all of them are cached together, sealed.
pub(super) struct CachedSecrets {
    secrets: Arc<dyn SecretStore>,
    cache: RecordCache,
}

impl CachedSecrets {
    /// Puts `cache` in front of `secrets`.
    pub(super) fn new(secrets: Arc<dyn SecretStore>, cache: RecordCache) -> Self {
        Self { secrets, cache }
    }

    async fn snapshot(&self) -> Result<Arc<SecretsSnapshot>, RecordError> {
        if let Some(snapshot) = self.cache.get(|entries| entries.secrets.as_ref()) {
            return Ok(snapshot);
        }
        let start = self.cache.begin_read();
        let (rows, grants) = (self.secrets.list_secrets().await?, self.secrets.secret_grants(None).await?);
        let snapshot = Arc::new(SecretsSnapshot::new(rows, grants));
        let insert = |entries: &mut Entries, entry| entries.secrets = Some(entry);
        self.cache.keep_value(start, Arc::clone(&snapshot), insert);
        Ok(snapshot)
    }
}

#[async_trait]
impl SecretStore for CachedSecrets {
    async fn put_secret(&self, secret: SecretRow) -> Result<(), RecordError> {
        let secrets = Arc::clone(&self.secrets);
        self.cache.write(async move { secrets.put_secret(secret).await }).await
    }

    async fn secret_row(&self, owner: Option<&str>, name: &str) -> Result<Option<SecretRow>, RecordError> {
        Ok(self.snapshot().await?.find_secret(owner, name).cloned())
    }

    async fn list_secrets(&self) -> Result<Vec<SecretRow>, RecordError> {
        Ok(self.snapshot().await?.rows.clone())
    }

    async fn remove_secret(&self, owner: Option<&str>, name: &str) -> Result<bool, RecordError> {
        let secrets = Arc::clone(&self.secrets);
        let (owner, name) = (owner.map(str::to_owned), name.to_owned());
        self.cache.write(async move { secrets.remove_secret(owner.as_deref(), &name).await }).await
    }

    async fn secret_grants(&self, of: Option<(Option<&str>, &str)>) -> Result<Vec<SecretGrant>, RecordError> {
        let snapshot = self.snapshot().await?;
        let is_wanted = |grant: &&SecretGrant| of.is_none_or(|of| (grant.owner.as_deref(), grant.name.as_str()) == of);
        Ok(snapshot.grants.iter().filter(is_wanted).cloned().collect())
    }
}
