//! All secrets in plain text, cached briefly: replies are searched for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apiflow_core::origin::{Origin, SecretOrigin};
use tokio::sync::Mutex;

/// Maximum age of the cache. A secret that another process sets meanwhile is used at once in requests; only the reply to
/// another call could contain it unmasked within this time.
const MAX_AGE: Duration = Duration::from_secs(2);

/// All secrets that may be sent anywhere. Has no `Debug`, so that no value is printed.
#[derive(Default)]
pub(super) struct OpenedSecrets(Mutex<Option<(Instant, Arc<Vec<OpenedSecret>>)>>);

/// A secret in plain text. Has no `Debug`, so that no value is printed.
pub(super) struct OpenedSecret {
    /// Name of the secret, without its owner.
    pub(super) name: String,
    /// Value of the secret in plain text.
    pub(super) value: String,
    /// Origins that it may be sent to.
    pub(super) origins: Vec<SecretOrigin>,
}

impl OpenedSecrets {
    /// Clears the cache, so that they are read again at the next use.
    pub(super) async fn forget_all(&self) {
        *self.0.lock().await = None;
    }

    /// Returns the names and values of the secrets that may be sent to an origin; `open_all` opens all secrets.
    pub(super) async fn find_at_origin(
        &self,
        origin: &Origin,
        open_all: impl Future<Output = Result<Vec<OpenedSecret>, String>>,
    ) -> Result<Vec<(String, String)>, String> {
        let opened = {
            let mut kept = self.0.lock().await;
            match &*kept {
                Some((at, opened)) if at.elapsed() < MAX_AGE => Arc::clone(opened),
                Some(_) | None => {
                    let opened = Arc::new(open_all.await?);
                    *kept = Some((Instant::now(), Arc::clone(&opened)));
                    opened
                }
            }
        };
        let permitted =
            opened.iter().filter(|secret| secret.origins.iter().any(|permitted| permitted.permits_origin(origin)));
        Ok(permitted.map(|secret| (secret.name.clone(), secret.value.clone())).collect())
    }
}
