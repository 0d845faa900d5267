//! Provider keys: kept sealed, or taken from the environment, each with the origins that it may be sent to.
//!
//! Architecture invariant: [`SecretBook::get`] never gives a secret without a list of origins. Who declares a connector
//! cannot thereby point a key at an origin of their own: origins come from an admin, from the operator, or from whoever
//! brought the key itself.

mod declared;
mod fingerprint;
mod origins;
mod seal;
mod ties;

use std::collections::BTreeSet;
use std::sync::Arc;

use apiflow_core::origin::SecretOrigin;
use apiflow_core::ports::{Clock, Secret, Secrets};
use apiflow_core::runtime::secrets::EnvSecrets;
use apiflow_store::{Accounts, SecretRow};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::Mutex;

pub(crate) use self::declared::take_literals;
pub use self::fingerprint::FingerprintError;
pub use self::seal::{KeyError, Sealer};

use crate::api::{SecretInfo, SecretSource};
use crate::moment::text;
use crate::problem::Problem;

/// Shortest value of a secret: replies are searched for values to mask, and shorter ones stand in any text.
const LEAST_BYTES: usize = 8;

/// Longest value of a secret.
const MOST_BYTES: usize = 64 * 1024;

/// All secrets of a server.
pub struct SecretBook {
    accounts: Arc<dyn Accounts>,
    environment: EnvSecrets,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    ties: Mutex<()>,
}

impl SecretBook {
    /// The secrets that `accounts` keeps, opened by `sealer`, and those of the environment.
    pub fn new(accounts: Arc<dyn Accounts>, environment: EnvSecrets, sealer: Sealer, clock: Arc<dyn Clock>) -> Self {
        Self { accounts, environment, sealer, clock, ties: Mutex::new(()) }
    }

    /// All secrets by name, without values; a stored one hides the environment's of that name.
    pub(crate) async fn list(&self) -> Result<Vec<SecretInfo>, Problem> {
        let rows = self.accounts.secrets().await?;
        let granted = |name: &str| ties::granted(&rows, name);
        let mut infos: Vec<_> = rows.iter().filter(|row| is_name(&row.name)).map(|row| info(row, &granted)).collect();
        for (name, origins) in self.environment.names() {
            let set = self.environment.get(name).await.map_err(Problem::internal)?.is_some();
            if set && infos.iter().all(|info| info.name != name) {
                let origins = if origins.is_empty() {
                    granted(name)
                } else {
                    origins.iter().map(SecretOrigin::to_string).collect()
                };
                infos.push(SecretInfo {
                    name: name.to_owned(),
                    origins,
                    source: SecretSource::Environment,
                    updated_at: None,
                });
            }
        }
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(infos)
    }

    /// A text that only this server could have made of another one, for links that work without a token.
    pub(crate) fn sign(&self, purpose: &str, text: &str) -> Result<String, Problem> {
        let sealed = self.sealer.seal(purpose, text).map_err(Problem::internal)?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The text that was signed; `None` where this server did not sign it for this purpose.
    pub(crate) fn verify(&self, purpose: &str, signed: &str) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(signed).ok()?;
        self.sealer.open(purpose, &sealed).ok()
    }

    /// The names of all secrets.
    pub(crate) async fn names(&self) -> Result<BTreeSet<String>, Problem> {
        Ok(self.list().await?.into_iter().map(|info| info.name).collect())
    }

    /// Sets a secret, new or not.
    pub(crate) async fn put(
        &self,
        name: &str,
        value: &str,
        origins: Option<Vec<String>>,
    ) -> Result<SecretInfo, Problem> {
        check(name, value)?;
        let origins = origins::parse_all(origins.unwrap_or_default())?;
        let row = self.row(name, value, origins)?;
        self.accounts.put_secret(row.clone()).await?;
        let granted = self.granted(name).await?;
        Ok(info(&row, &|_: &str| granted.clone()))
    }

    /// Keeps a credential that stood in a declaration; it goes to that declaration's origin alone.
    pub(crate) async fn keep_literal(&self, name: &str, value: &str, origin: String) -> Result<(), Problem> {
        self.accounts.put_secret(self.row(name, value, vec![origin])?).await?;
        Ok(())
    }

    /// Removes a stored secret.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), Problem> {
        if is_name(name) && self.accounts.remove_secret(name).await? {
            return Ok(());
        }
        if self.environment.names().any(|(known, _)| known == name) {
            let detail = format!("secret `{name}` comes from the environment: take it out of APIFLOW_SECRETS_FROM_ENV");
            return Err(Problem::new(axum::http::StatusCode::CONFLICT, "environment", detail));
        }
        Err(Problem::not_found(format!("there is no secret `{name}`")))
    }

    fn row(&self, name: &str, value: &str, hosts: Vec<String>) -> Result<SecretRow, Problem> {
        let sealed = self.sealer.seal(name, value).map_err(Problem::internal)?;
        Ok(SecretRow { name: name.to_owned(), hosts, sealed, updated_at: self.clock.now() })
    }
}

#[async_trait]
impl Secrets for SecretBook {
    async fn get(&self, name: &str) -> Result<Option<Secret>, String> {
        if !is_name(name) {
            return Ok(None);
        }
        let secret = match self.accounts.secret(name).await.map_err(|error| error.to_string())? {
            Some(row) => {
                let origins = (!row.hosts.is_empty()).then(|| origins::read(&row.hosts));
                Some(Secret { value: self.sealer.open(name, &row.sealed)?, origins })
            }
            None => self.environment.get(name).await?,
        };
        let Some(mut secret) = secret else { return Ok(None) };
        if secret.origins.is_none() {
            let granted = self.granted(name).await.map_err(|error| error.to_string())?;
            secret.origins = Some(origins::read(&granted));
        }
        Ok(Some(secret))
    }
}

/// Whether a text can be a secret's name.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 128
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check(name: &str, value: &str) -> Result<(), Problem> {
    if !is_name(name) {
        return Err(Problem::invalid(
            format!("`{name}` is not a name of a secret: use letters, digits and `_`, at most 128, no digit first"),
            Vec::new(),
        ));
    }
    if !(LEAST_BYTES..=MOST_BYTES).contains(&value.len()) {
        let message = format!(
            "the value must have {LEAST_BYTES} to {MOST_BYTES} bytes: a shorter one could not be kept out of replies"
        );
        return Err(Problem::fault("/value", message));
    }
    Ok(())
}

fn info(row: &SecretRow, granted: &dyn Fn(&str) -> Vec<String>) -> SecretInfo {
    SecretInfo {
        name: row.name.clone(),
        origins: if row.hosts.is_empty() { granted(&row.name) } else { origins::shown(&row.hosts) },
        source: SecretSource::Stored,
        updated_at: Some(text(row.updated_at)),
    }
}
