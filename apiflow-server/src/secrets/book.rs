//! The secrets of a server.

use std::sync::Arc;

use apiflow_core::origin::{Origin, SecretOrigin};
use apiflow_core::ports::{Clock, Secret, Secrets, split_reference};
use apiflow_core::runtime::secrets::EnvSecrets;
use apiflow_store::{Declaration, SecretGrant, SecretRow, SecretStore};
use async_trait::async_trait;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::api::{NewSecret, SecretInfo, SecretSource};
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::secrets::directory::SecretDirectory;
use crate::secrets::names::{check_name_and_value, is_name, reference_of};
use crate::secrets::opened_cache::{OpenedSecret, OpenedSecrets};
use crate::secrets::origins;
use crate::secrets::seal::Sealer;
use crate::users::Caller;

/// All secrets of a server.
pub struct SecretBook {
    pub(super) store: Arc<dyn SecretStore>,
    pub(super) environment: EnvSecrets,
    pub(super) sealer: Sealer,
    pub(super) clock: Arc<dyn Clock>,
    opened: OpenedSecrets,
}

impl SecretBook {
    /// Creates a book of the secrets in `store`, opened by `sealer`, and those of the environment.
    pub fn new(store: Arc<dyn SecretStore>, environment: EnvSecrets, sealer: Sealer, clock: Arc<dyn Clock>) -> Self {
        Self { store, environment, sealer, clock, opened: OpenedSecrets::default() }
    }

    /// Lists the secrets that a caller may know of, by name, without values: shared and generated ones, and the
    /// caller's own; all for admins. A stored one hides an environment variable with the same name.
    pub(crate) async fn list(&self, caller: &Caller) -> Result<Vec<SecretInfo>, Problem> {
        let grants = self.store.secret_grants(None).await?;
        let rows = self.store.list_secrets().await?;
        let is_visible = |row: &&SecretRow| {
            let is_own = row.owner.as_ref() == Some(&caller.user.id);
            is_name(&row.name) && (row.owner.is_none() || is_own || caller.user.is_admin)
        };
        let mut infos: Vec<_> = rows.iter().filter(is_visible).map(|row| secret_info(row, &grants)).collect();
        for (name, origins) in self.environment.listed_names() {
            let is_hidden = rows.iter().any(|row| row.owner.is_none() && row.name == name);
            if is_hidden || self.environment.get(name).await.map_err(Problem::internal)?.is_none() {
                continue;
            }
            let given: Vec<_> = origins.iter().map(SecretOrigin::to_string).collect();
            infos.push(SecretInfo {
                name: name.to_owned(),
                origins: if given.is_empty() { granted_origins(&grants, None, name) } else { given },
                source: SecretSource::Environment,
                owner: None,
                declaration: None,
                updated_at: None,
            });
        }
        infos.sort_by(|a, b| (&a.name, &a.owner).cmp(&(&b.name, &b.owner)));
        Ok(infos)
    }

    /// Returns the directory of secrets.
    pub(crate) async fn read_directory(&self) -> Result<SecretDirectory, Problem> {
        let mut directory = SecretDirectory::default();
        for row in self.store.list_secrets().await?.into_iter().filter(|row| is_name(&row.name)) {
            directory.add_row(row);
        }
        for (name, _) in self.environment.listed_names() {
            if self.environment.get(name).await.map_err(Problem::internal)?.is_some() {
                directory.add_shared(name.to_owned());
            }
        }
        Ok(directory)
    }

    /// Derives a key for a purpose, the same in all processes with this server's key.
    pub(crate) fn derive_key(&self, purpose: &str) -> [u8; 32] {
        self.sealer.derive_key(purpose)
    }

    /// Signs a text for links that work without a token; the same text gives the same link, so that it can be masked.
    pub(crate) fn sign_text(&self, purpose: &str, text: &str) -> Result<String, Problem> {
        let sealed = self.sealer.seal_repeatably(purpose, text).map_err(Problem::internal)?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Returns the signed text; `None` if this server did not sign it for this purpose.
    pub(crate) fn verify_text(&self, purpose: &str, signed: &str) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(signed).ok()?;
        self.sealer.open(purpose, &sealed).ok()
    }

    /// Creates or replaces a shared secret.
    pub(crate) async fn put_shared(&self, name: &str, new: NewSecret) -> Result<SecretInfo, Problem> {
        let row = self.secret_row(None, name, new)?;
        if let Some(declaration) = self.store.secret_row(None, name).await?.and_then(|row| row.generated_for) {
            let detail = format!(
                "secret `{name}` was generated for {} `{}`: change the credential there",
                declaration.kind.as_str(),
                declaration.id
            );
            return Err(Problem::new(StatusCode::CONFLICT, problem_codes::GENERATED, detail));
        }
        self.put_row(row).await
    }

    /// Creates or replaces a user's own secret. Its name must not be that of a shared one, which would take precedence.
    pub(crate) async fn put_own(&self, owner: &str, name: &str, new: NewSecret) -> Result<SecretInfo, Problem> {
        let row = self.secret_row(Some(owner), name, new)?;
        if self.read_directory().await?.is_taken(name) {
            let detail = format!("a shared secret `{name}` exists: choose another name");
            return Err(Problem::new(StatusCode::CONFLICT, problem_codes::EXISTS, detail));
        }
        self.put_row(row).await
    }

    async fn put_row(&self, row: SecretRow) -> Result<SecretInfo, Problem> {
        self.store.put_secret(row.clone()).await?;
        self.opened.forget_all().await;
        let grants = self.store.secret_grants(Some((row.owner.as_deref(), &row.name))).await?;
        Ok(secret_info(&row, &grants))
    }

    /// Seals a credential from a declaration; it may only be sent to that declaration's origins.
    pub(crate) fn seal_generated(
        &self,
        name: String,
        value: &str,
        origins: Vec<String>,
        declaration: Declaration,
    ) -> Result<SecretRow, Problem> {
        let sealed = self.sealer.seal_value(&name, value).map_err(Problem::internal)?;
        let generated_for = Some(declaration);
        Ok(SecretRow { owner: None, name, origins, sealed, updated_at: self.clock.now(), generated_for })
    }

    /// Deletes a shared or generated secret.
    pub(crate) async fn remove_shared(&self, name: &str) -> Result<(), Problem> {
        if is_name(name) && self.store.remove_secret(None, name).await? {
            return Ok(());
        }
        if self.environment.listed_names().any(|(known, _)| known == name) {
            let detail = format!("secret `{name}` comes from the environment: remove it from APIFLOW_SECRETS_FROM_ENV");
            return Err(Problem::new(StatusCode::CONFLICT, problem_codes::ENVIRONMENT, detail));
        }
        Err(Problem::not_found(format!("there is no secret `{name}`")))
    }

    /// Deletes a user's own secret.
    pub(crate) async fn remove_own(&self, owner: &str, name: &str) -> Result<(), Problem> {
        if is_name(name) && self.store.remove_secret(Some(owner), name).await? {
            return Ok(());
        }
        Err(Problem::not_found(format!("you have no secret `{name}` of your own")))
    }

    /// Opens all secrets.
    async fn open_all(&self) -> Result<Vec<OpenedSecret>, String> {
        let rows = self.store.list_secrets().await.map_err(|error| error.to_string())?;
        let stored = rows.iter().filter(|row| is_name(&row.name));
        let stored = stored.map(|row| (reference_of(row.owner.as_deref(), &row.name), row.name.clone()));
        let listed = self.environment.listed_names().map(|(name, _)| (name.to_owned(), name.to_owned()));
        let mut opened = Vec::new();
        for (reference, name) in stored.chain(listed) {
            // A secret that cannot be opened is never sent either.
            if let Ok(Some(secret)) = self.get(&reference).await {
                opened.push(OpenedSecret { name, value: secret.value, origins: secret.origins.unwrap_or_default() });
            }
        }
        Ok(opened)
    }

    fn secret_row(&self, owner: Option<&str>, name: &str, new: NewSecret) -> Result<SecretRow, Problem> {
        check_name_and_value(name, &new.value)?;
        let origins = origins::parse_all(new.origins.unwrap_or_default())?;
        let sealed = self.sealer.seal_value(&reference_of(owner, name), &new.value).map_err(Problem::internal)?;
        let (owner, name) = (owner.map(str::to_owned), name.to_owned());
        Ok(SecretRow { owner, name, origins, sealed, updated_at: self.clock.now(), generated_for: None })
    }
}

#[async_trait]
impl Secrets for SecretBook {
    async fn get(&self, reference: &str) -> Result<Option<Secret>, String> {
        let (owner, name) = split_reference(reference);
        if !is_name(name) {
            return Ok(None);
        }
        let secret = match self.store.secret_row(owner, name).await.map_err(|error| error.to_string())? {
            Some(row) => {
                let origins = (!row.origins.is_empty()).then(|| origins::read(&row.origins));
                Some(Secret { value: self.sealer.open(reference, &row.sealed)?, origins })
            }
            None if owner.is_none() => self.environment.get(name).await?,
            None => None,
        };
        let Some(mut secret) = secret else { return Ok(None) };
        if secret.origins.is_none() {
            let grants = self.store.secret_grants(Some((owner, name))).await.map_err(|error| error.to_string())?;
            secret.origins = Some(origins::read(&grants.into_iter().map(|grant| grant.origin).collect::<Vec<_>>()));
        }
        Ok(Some(secret))
    }

    async fn at_origin(&self, origin: &Origin) -> Result<Vec<(String, String)>, String> {
        self.opened.find_at_origin(origin, self.open_all()).await
    }
}

fn secret_info(row: &SecretRow, grants: &[SecretGrant]) -> SecretInfo {
    let declaration = row.generated_for.as_ref();
    SecretInfo {
        name: row.name.clone(),
        origins: if row.origins.is_empty() {
            granted_origins(grants, row.owner.as_deref(), &row.name)
        } else {
            origins::display_origins(&row.origins)
        },
        source: SecretSource::Stored,
        owner: row.owner.clone().or_else(|| declaration?.author.clone()),
        declaration: declaration.map(|declaration| format!("{}/{}", declaration.kind.as_str(), declaration.id)),
        updated_at: Some(row.updated_at.to_rfc3339()),
    }
}

/// Returns the origins that declarations granted to a secret.
fn granted_origins(grants: &[SecretGrant], owner: Option<&str>, name: &str) -> Vec<String> {
    let of_secret = grants.iter().filter(|grant| grant.owner.as_deref() == owner && grant.name == name);
    let mut origins = origins::display_origins(&of_secret.map(|grant| grant.origin.clone()).collect::<Vec<_>>());
    origins.sort();
    origins.dedup();
    origins
}
