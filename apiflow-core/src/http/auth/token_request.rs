//! Fetches access tokens: OAuth 2.0 client credentials, and assertions of Google service accounts.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::service_account::sign_assertion;
use super::token_cache::Token;
use crate::digest::hash_text;
use crate::http::Http;
use crate::http::fill_secrets::{check_origin, find_secret};
use crate::origin::{Origin, SecretOrigin};
use crate::ports::{HttpError, HttpReply, HttpRequest, RequestAuth, RequestBody, Secret, SecretText, split_reference};
use crate::template::percent_encode;

/// Time limit of a request for a token.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);
/// Lifetime of a token whose reply does not state one.
const DEFAULT_LIFETIME: Duration = Duration::from_mins(5);
/// Maximum lifetime that is believed.
const MAX_LIFETIME: Duration = Duration::from_hours(24);
/// Maximum length of the provider's words in an error, in characters.
const MAX_REASON_CHARS: usize = 200;

/// Returns the token for the credentials, with its key in the cache.
pub(super) async fn find_token(auth: &RequestAuth, http: &Http) -> Result<(String, Token), HttpError> {
    let token_url = auth.token_url().unwrap_or_default();
    let origin = Origin::of_url(token_url)
        .ok_or_else(|| HttpError::Refused(format!("`{token_url}` is not the URL of a token endpoint")))?;
    let origins = [SecretOrigin::from(origin.clone())];
    let mut secrets: Vec<(String, Secret)> = Vec::new();
    for reference in auth.secret_references() {
        let secret = find_secret(reference, http.secrets.as_ref()).await?;
        check_origin(reference, &secret, &origin, &origins)?;
        secrets.push((reference.to_owned(), secret));
    }
    // A changed secret needs a new token.
    let values: Vec<&str> = secrets.iter().map(|(_, secret)| secret.value.as_str()).collect();
    let settings = serde_json::to_string(auth).unwrap_or_default();
    let key = hash_text(&format!("{settings} {values:?}"));
    let token = http.tokens.find_or_fetch(&key, fetch_token(auth, &secrets, origins, http)).await?;
    Ok((key, token))
}

async fn fetch_token(
    auth: &RequestAuth,
    secrets: &[(String, Secret)],
    origins: [SecretOrigin; 1],
    http: &Http,
) -> Result<Token, HttpError> {
    let resolve = |text: &SecretText| {
        let value_of =
            |name: &str| secrets.iter().find(|(known, _)| known == name).map(|(_, found)| found.value.as_str());
        text.resolve(value_of)
            .ok_or_else(|| HttpError::Secret("a secret of the connector's `auth` is missing".to_owned()))
    };
    let mut masked: Vec<(String, String)> = secrets
        .iter()
        .map(|(reference, secret)| (split_reference(reference).1.to_owned(), secret.value.clone()))
        .collect();
    let mut headers = Vec::new();
    let mut pairs: Vec<(&str, String)> = Vec::new();
    match auth {
        RequestAuth::Oauth2ClientCredentials { client_id, client_secret, scope, audience, in_body, .. } => {
            let (id, secret) = (resolve(client_id)?, resolve(client_secret)?);
            pairs.push(("grant_type", "client_credentials".to_owned()));
            pairs.extend(scope.clone().map(|scope| ("scope", scope)));
            pairs.extend(audience.clone().map(|audience| ("audience", audience)));
            if *in_body {
                pairs.push(("client_id", id));
                pairs.push(("client_secret", secret));
            } else {
                // RFC 6749 §2.3.1: both are form-encoded before they are joined.
                let encoded = STANDARD.encode(format!("{}:{}", percent_encode(&id), percent_encode(&secret)));
                headers.push(("Authorization".to_owned(), format!("Basic {encoded}")));
                masked.push(("basic_credentials".to_owned(), encoded));
            }
        }
        RequestAuth::GoogleServiceAccount { key, token_url, scope } => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let assertion = sign_assertion(&resolve(key)?, token_url, scope, now.as_secs())?;
            pairs.push(("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()));
            pairs.push(("assertion", assertion.clone()));
            masked.push(("assertion".to_owned(), assertion));
        }
        RequestAuth::Basic { .. } | RequestAuth::AwsSigv4 { .. } | RequestAuth::Custom { .. } => {
            return Err(HttpError::Refused("this authentication has no token".to_owned()));
        }
    }
    headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    headers.push(("Accept".to_owned(), "application/json".to_owned()));
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
    let request = HttpRequest {
        method: "POST".to_owned(),
        url: auth.token_url().unwrap_or_default().to_owned(),
        headers,
        body: RequestBody::Text(pairs.join("&")),
        secrets: Vec::new(),
        media: Vec::new(),
        auth: None,
        masked_secrets: Vec::new(),
        credential_origins: origins.into(),
        timeout: TOKEN_TIMEOUT,
    };
    read_token(http.send_masked(&request, masked).await)
}

/// Reads the reply of a token endpoint.
fn read_token(reply: Result<HttpReply, HttpError>) -> Result<Token, HttpError> {
    // The call itself was not sent, so that it may be repeated whatever happened to this request.
    let unavailable = |reason: String| HttpError::Connect(format!("no access token could be fetched: {reason}"));
    let reply = match reply {
        Ok(reply) => reply,
        Err(
            HttpError::Unknown(reason)
            | HttpError::Reply(reason)
            | HttpError::TooLarge(reason)
            | HttpError::Connect(reason),
        ) => {
            return Err(unavailable(reason));
        }
        Err(error @ (HttpError::Refused(_) | HttpError::Secret(_))) => return Err(error),
    };
    let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |key: &str| json.get(key).and_then(Value::as_str);
    if !(200..300).contains(&reply.status) {
        let said = [text("error"), text("error_description")].into_iter().flatten().collect::<Vec<_>>().join(": ");
        let said: String = said.chars().filter(|c| !c.is_control()).take(MAX_REASON_CHARS).collect();
        let reason = format!("`{}` answered {} {said}", reply.url, reply.status);
        let is_refused = (400..500).contains(&reply.status) && reply.status != 408 && reply.status != 429;
        let reason = reason.trim_end();
        return Err(if is_refused {
            HttpError::Secret(format!("no access token was granted: {reason}"))
        } else {
            unavailable(reason.to_owned())
        });
    }
    let Some(token) = text("access_token").filter(|token| !token.is_empty()) else {
        return Err(unavailable(format!("the reply of `{}` has no `access_token`", reply.url)));
    };
    let seconds = json.get("expires_in").and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
    let lifetime = seconds.map_or(DEFAULT_LIFETIME, Duration::from_secs).min(MAX_LIFETIME);
    Ok(Token::new(token.to_owned(), lifetime))
}
