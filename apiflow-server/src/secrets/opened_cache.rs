//! All secrets, opened, for as long as a moment: replies are searched for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apiflow_core::origin::{Origin, SecretOrigin};
use apiflow_core::ports::Secrets as _;
use tokio::sync::Mutex;

use crate::secrets::{SecretBook, is_name, reference};

/// How long they are kept. A secret that another process sets meanwhile is known at once where it is sent; only a reply
/// to another call could repeat it, and that within this time.
const MAX_AGE: Duration = Duration::from_secs(2);

/// All secrets that may be sent anywhere. Has no `Debug`, so that no value is printed.
#[derive(Default)]
pub(super) struct OpenedSecrets(Mutex<Option<(Instant, Arc<Vec<Opened>>)>>);

struct Opened {
    name: String,
    value: String,
    origins: Vec<SecretOrigin>,
}

impl OpenedSecrets {
    /// Reads them again when they are asked for next.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }

    /// The names and values of those that may be sent to an origin.
    pub(super) async fn at_origin(&self, book: &SecretBook, origin: &Origin) -> Result<Vec<(String, String)>, String> {
        let opened = {
            let mut kept = self.0.lock().await;
            match &*kept {
                Some((at, opened)) if at.elapsed() < MAX_AGE => Arc::clone(opened),
                Some(_) | None => {
                    let opened = Arc::new(open_all(book).await?);
                    *kept = Some((Instant::now(), Arc::clone(&opened)));
                    opened
                }
            }
        };
        let permitted = opened.iter().filter(|secret| secret.origins.iter().any(|permitted| permitted.permits(origin)));
        Ok(permitted.map(|secret| (secret.name.clone(), secret.value.clone())).collect())
    }
}

async fn open_all(book: &SecretBook) -> Result<Vec<Opened>, String> {
    let rows = book.store.secrets().await.map_err(|error| error.to_string())?;
    let stored = rows.iter().filter(|row| is_name(&row.name));
    let stored = stored.map(|row| (reference(row.owner.as_deref(), &row.name), row.name.clone()));
    let listed = book.environment.names().map(|(name, _)| (name.to_owned(), name.to_owned()));
    let mut opened = Vec::new();
    for (reference, name) in stored.chain(listed) {
        // One that can't be opened is sent nowhere either.
        if let Ok(Some(secret)) = book.get(&reference).await {
            opened.push(Opened { name, value: secret.value, origins: secret.origins.unwrap_or_default() });
        }
    }
    Ok(opened)
}
