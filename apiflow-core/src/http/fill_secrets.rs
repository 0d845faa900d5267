//! Writes secrets into a request immediately before it is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mask::Masker;
use super::masker_cache::MaskerCache;
use crate::origin::{Origin, SecretOrigin};
use crate::ports::{HttpError, HttpRequest, Secret, Secrets, split_reference};
use crate::template::{self, ResolveError, Resolved};

/// The secrets of one request. Not `Debug`, so that no value can be printed.
pub(super) struct Filling {
    secrets: Vec<Filled>,
    /// Removes these secrets, and others that the reply may echo, from the reply.
    pub(super) masker: Arc<Masker>,
}

struct Filled {
    marker: String,
    reference: String,
    secret: Secret,
}

impl Filling {
    /// Looks up the secrets that a request refers to and checks that each may be sent to its origin. `computed` are
    /// further names and values to mask.
    pub(super) async fn look_up_secrets(
        request: &HttpRequest,
        origin: &Origin,
        secrets: &dyn Secrets,
        maskers: &MaskerCache,
        computed: &[(String, String)],
    ) -> Result<Self, HttpError> {
        let mut filled = Vec::new();
        for secret_use in &request.secrets {
            let secret = find_secret(&secret_use.name, secrets).await?;
            check_origin(&secret_use.name, &secret, origin, &request.credential_origins)?;
            filled.push(Filled { marker: secret_use.marker.clone(), reference: secret_use.name.clone(), secret });
        }
        let mut echoed = Vec::new();
        for reference in &request.masked_secrets {
            // A secret that no longer exists need not be masked: this request does not send it.
            if let Ok(secret) = find_secret(reference, secrets).await {
                echoed.push((split_reference(reference).1, secret));
            }
        }
        let at_origin = secrets.at_origin(origin).await;
        let at_origin = at_origin.map_err(|error| HttpError::Secret(format!("the secrets cannot be read: {error}")))?;
        let at_origin = at_origin.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let sent = filled.iter().map(|filled| (split_reference(&filled.reference).1, filled.secret.value.as_str()));
        let computed = computed.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let echoed = echoed.iter().map(|(name, secret)| (*name, secret.value.as_str()));
        let masker = maskers.find_or_make(sent.chain(computed).chain(echoed).chain(at_origin));
        Ok(Self { secrets: filled, masker })
    }

    /// Returns whether a string contains a marker.
    pub(super) fn has_marker(&self, text: &str) -> bool {
        self.secrets.iter().any(|filled| text.contains(&filled.marker))
    }

    /// Returns whether every secret in a string may be sent to an origin.
    pub(super) fn permits_text(&self, text: &str, origin: &Origin, credential_origins: &[SecretOrigin]) -> bool {
        let mut used = self.secrets.iter().filter(|filled| text.contains(&filled.marker));
        used.all(|filled| permits_secret(&filled.secret, origin, credential_origins))
    }

    /// Replaces the markers of a request by values.
    pub(super) fn fill_request(&self, request: &HttpRequest) -> Result<Resolved, HttpError> {
        let values = self.secrets.iter().map(|filled| (filled.reference.clone(), filled.secret.value.clone()));
        let values: BTreeMap<_, _> = values.collect();
        template::resolve_secrets(request, &values).map_err(|error| match error {
            ResolveError::Unknown(_) | ResolveError::Control(_) => HttpError::Secret(error.to_string()),
            ResolveError::MediaInHead(_) | ResolveError::NotUploaded(_) => HttpError::Refused(error.to_string()),
        })
    }
}

pub(super) async fn find_secret(reference: &str, secrets: &dyn Secrets) -> Result<Secret, HttpError> {
    let name = split_reference(reference).1;
    let found = secrets.get(reference).await;
    found.map_err(|error| HttpError::Secret(format!("secret `{name}` cannot be read: {error}")))?.ok_or_else(|| {
        HttpError::Secret(format!("secret `{name}` is not set: add it or list it in APIFLOW_SECRETS_FROM_ENV"))
    })
}

pub(super) fn check_origin(
    reference: &str,
    secret: &Secret,
    origin: &Origin,
    credential_origins: &[SecretOrigin],
) -> Result<(), HttpError> {
    if permits_secret(secret, origin, credential_origins) {
        return Ok(());
    }
    let name = split_reference(reference).1;
    let help = if secret.origins.as_ref().is_some_and(Vec::is_empty) {
        "its list of origins is empty: add this origin, or save the connector that uses the secret"
    } else {
        "add this origin to the secret's origins to allow it"
    };
    Err(HttpError::Secret(format!("secret `{name}` may not be sent to `{origin}`: {help}")))
}

/// Returns whether a secret may be sent to an origin: one of its own, or, if it has no list, one that the request
/// names.
fn permits_secret(secret: &Secret, origin: &Origin, credential_origins: &[SecretOrigin]) -> bool {
    let origins = secret.origins.as_deref().unwrap_or(credential_origins);
    origins.iter().any(|permitted| permitted.permits_origin(origin))
}
