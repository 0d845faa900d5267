//! Detects which key a database's secrets are sealed with.

use apiflow_store::{RecordError, SecretRow};

use crate::secrets::book::SecretBook;
use crate::secrets::names::{is_name, reference_of};

/// Name of the sample that only the right key opens; no secret can have this name.
const SAMPLE: &str = "#key";

/// The reason why a process must not use a database's secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FingerprintError {
    /// The process has another key.
    #[error(
        "the secrets of this database are sealed with another key: start this process with the key that sealed \
         them (APIFLOW_SECRET_KEY, or the file secret.key in its APIFLOW_DATA); if that key is lost, start once \
         with --forget-secrets, which removes them"
    )]
    AnotherKey,
    /// The database failed.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl SecretBook {
    /// Refuses a database whose secrets are sealed with another key; an empty one is bound to this key from now on.
    pub async fn check_key(&self) -> Result<(), FingerprintError> {
        let rows = self.store.list_secrets().await?;
        let sealed = rows.iter().filter(|row| row.name == SAMPLE || is_name(&row.name));
        let mut sealed =
            sealed.map(|row| self.sealer.open(&reference_of(row.owner.as_deref(), &row.name), &row.sealed));
        if sealed.any(|opened| opened.is_err()) {
            return Err(FingerprintError::AnotherKey);
        }
        if rows.iter().any(|row| row.name == SAMPLE) {
            return Ok(());
        }
        let sealed = self.sealer.seal_value(SAMPLE, "").map_err(RecordError::Backend)?;
        let sample = SecretRow {
            owner: None,
            name: SAMPLE.to_owned(),
            origins: Vec::new(),
            sealed,
            updated_at: self.clock.now(),
            generated_for: None,
        };
        Ok(self.store.put_secret(sample).await?)
    }

    /// Deletes all sealed values, because the key that opened them is lost.
    pub async fn forget_sealed(&self) -> Result<(), RecordError> {
        for row in self.store.list_secrets().await? {
            if row.name == SAMPLE || is_name(&row.name) {
                self.store.remove_secret(row.owner.as_deref(), &row.name).await?;
            }
        }
        Ok(())
    }
}
