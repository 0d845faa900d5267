//! Authenticates requests: computes credentials that cannot be written into a request's text beforehand.

mod aws_sigv4;
mod service_account;
mod token_cache;
mod token_request;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use self::aws_sigv4::SigningKeys;
pub(super) use self::aws_sigv4::UNSIGNED_PAYLOAD;
use self::token_cache::Token;
pub(super) use self::token_cache::TokenCache;
use super::fill_secrets::{check_origin, find_secret};
use super::{Http, build_header};
use crate::origin::Origin;
use crate::ports::{HttpError, HttpRequest, RequestAuth, SecretText, split_reference};

/// An authentication that a host adds: `{"kind": "custom", "provider": NAME, "settings": {…}}` of a connector.
#[async_trait]
pub trait AuthProvider: Send + Sync {
    /// Returns the headers that authenticate a request. `settings` are those of the connector, with the values of
    /// secrets; `method` and `url` are those of the request.
    ///
    /// # Errors
    /// A message for users, without secrets; the request is not sent.
    async fn authenticate(
        &self,
        settings: &BTreeMap<String, String>,
        method: &str,
        url: &str,
    ) -> Result<Vec<(String, String)>, String>;
}

/// The providers that a host registered, by name.
pub(super) type AuthProviders = BTreeMap<String, Arc<dyn AuthProvider>>;

/// The credentials of one request. Not `Debug`, so that none can be printed.
#[derive(Default)]
pub(super) struct Credentials {
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Names and values that must be masked in replies and errors.
    pub(super) masked: Vec<(String, String)>,
    pub(super) signing: Option<SigningKeys>,
    /// The cached token that is sent, which is forgotten if the provider refuses it.
    token: Option<(String, Token)>,
}

impl Credentials {
    /// Computes the credentials of a request to `origin`.
    ///
    /// # Errors
    /// [`HttpError::Secret`] if a secret is missing or may not be used here, or the credentials are refused;
    /// [`HttpError::Connect`] if a token cannot be fetched at the moment.
    pub(super) async fn prepare(request: &HttpRequest, origin: &Origin, http: &Http) -> Result<Self, HttpError> {
        let Some(auth) = &request.auth else { return Ok(Self::default()) };
        match auth {
            RequestAuth::Basic { user, password } => {
                let values = Values::look_up(auth, request, origin, http).await?;
                let (user, password) = (values.resolve(user)?, values.resolve(password)?);
                let encoded = STANDARD.encode(format!("{user}:{password}"));
                values.into_credentials(&format!("Basic {encoded}"), "basic_credentials", encoded.clone())
            }
            RequestAuth::Oauth2ClientCredentials { .. } | RequestAuth::GoogleServiceAccount { .. } => {
                if !request.credential_origins.iter().any(|permitted| permitted.permits_origin(origin)) {
                    return Err(HttpError::Secret(format!("the connector's token may not be sent to `{origin}`")));
                }
                let (key, token) = token_request::find_token(auth, http).await?;
                let mut credentials = Self::default();
                credentials.set_authorization(&format!("Bearer {}", token.value))?;
                credentials.masked.push(("access_token".to_owned(), token.value.clone()));
                credentials.token = Some((key, token));
                Ok(credentials)
            }
            RequestAuth::AwsSigv4 { region, service, access_key, secret_key, session_token } => {
                let values = Values::look_up(auth, request, origin, http).await?;
                let session_token = session_token.as_ref().map(|token| values.resolve(token)).transpose()?;
                let signing = Some(SigningKeys {
                    region: region.clone(),
                    service: service.clone(),
                    access_key: values.resolve(access_key)?,
                    secret_key: values.resolve(secret_key)?,
                    session_token,
                });
                Ok(Self { masked: values.into_masked(), signing, ..Self::default() })
            }
            RequestAuth::Custom { provider, settings } => {
                let values = Values::look_up(auth, request, origin, http).await?;
                let found = http.auth_providers.get(provider).ok_or_else(|| {
                    HttpError::Refused(format!("this host has no authentication `{provider}`: see `Http::with_auth`"))
                })?;
                let resolved = settings.iter().map(|(name, text)| Ok((name.clone(), values.resolve(text)?)));
                let settings = resolved.collect::<Result<BTreeMap<_, _>, HttpError>>()?;
                let headers = found.authenticate(&settings, &request.method, &request.url).await;
                let headers = headers.map_err(HttpError::Secret)?;
                let mut credentials = Self { masked: values.into_masked(), ..Self::default() };
                for (name, value) in headers {
                    credentials.headers.push(build_header(&name, &value, true)?);
                    credentials.masked.push((format!("{provider}_credentials"), value));
                }
                Ok(credentials)
            }
        }
    }

    /// Forgets the token that was sent, because the provider refused it.
    pub(super) fn forget_token(&self, cache: &TokenCache) {
        if let Some((key, token)) = &self.token {
            cache.forget(key, token);
        }
    }

    fn set_authorization(&mut self, value: &str) -> Result<(), HttpError> {
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            HttpError::Secret("the credentials contain a character that is not allowed in a header".to_owned())
        })?;
        value.set_sensitive(true);
        self.headers.push((AUTHORIZATION, value));
        Ok(())
    }
}

/// The values of the secrets of one authentication, by reference.
struct Values(Vec<(String, String)>);

impl Values {
    /// Looks up the secrets, and checks that each may be sent to the request's origin.
    async fn look_up(
        auth: &RequestAuth,
        request: &HttpRequest,
        origin: &Origin,
        http: &Http,
    ) -> Result<Self, HttpError> {
        let mut values = Vec::new();
        for reference in auth.secret_references() {
            let secret = find_secret(reference, http.secrets.as_ref()).await?;
            check_origin(reference, &secret, origin, &request.credential_origins)?;
            values.push((reference.to_owned(), secret.value));
        }
        Ok(Self(values))
    }

    fn resolve(&self, text: &SecretText) -> Result<String, HttpError> {
        let value_of = |name: &str| self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        text.resolve(value_of)
            .ok_or_else(|| HttpError::Secret("a secret of the connector's `auth` is missing".to_owned()))
    }

    /// Returns the names and values to mask.
    fn into_masked(self) -> Vec<(String, String)> {
        self.0.into_iter().map(|(reference, value)| (split_reference(&reference).1.to_owned(), value)).collect()
    }

    /// Returns credentials in the header `Authorization`; `computed` is masked like the secrets.
    fn into_credentials(self, value: &str, label: &str, computed: String) -> Result<Credentials, HttpError> {
        let mut masked = self.into_masked();
        masked.push((label.to_owned(), computed));
        let mut credentials = Credentials { masked, ..Credentials::default() };
        credentials.set_authorization(value)?;
        Ok(credentials)
    }
}
