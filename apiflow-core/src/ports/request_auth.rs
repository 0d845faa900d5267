//! How a request is authenticated, beyond credentials that are written into its text.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How a request is authenticated when it is sent. Secrets are references.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RequestAuth {
    /// `Authorization: Basic`, RFC 7617.
    Basic {
        /// The name of the user at the provider.
        user: SecretText,
        /// The password, which may refer to a secret.
        password: SecretText,
    },
    /// OAuth 2.0 client credentials, RFC 6749 §4.4: a token is fetched, cached, and sent as `Authorization: Bearer`.
    Oauth2ClientCredentials {
        /// Absolute URL of the token endpoint.
        token_url: String,
        /// The client's id.
        client_id: SecretText,
        /// The client's secret.
        client_secret: SecretText,
        /// Scopes, separated by spaces.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
        /// The API that the token is for; some providers require it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audience: Option<String>,
        /// Whether the client's id and secret are sent in the body instead of an `Authorization: Basic` header.
        in_body: bool,
    },
    /// A Google service account: a signed assertion is exchanged for a token (RFC 7523), which is cached and sent as
    /// `Authorization: Bearer`.
    GoogleServiceAccount {
        /// The account's key, as the JSON file that Google issues.
        key: SecretText,
        /// Absolute URL of the token endpoint.
        token_url: String,
        /// Scopes, separated by spaces.
        scope: String,
    },
    /// AWS Signature Version 4.
    AwsSigv4 {
        /// Region, such as `eu-central-1`.
        region: String,
        /// Name of the service in signatures, such as `s3` or `bedrock`.
        service: String,
        /// Id of the access key.
        access_key: SecretText,
        /// The secret access key.
        secret_key: SecretText,
        /// Token of a temporary key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_token: Option<SecretText>,
    },
    /// An authentication of the host's own (`http::AuthProvider`).
    Custom {
        /// Name under which the host registered it.
        provider: String,
        /// The settings of the custom authentication.
        settings: BTreeMap<String, SecretText>,
    },
}

/// A text with secret references in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretText(pub Vec<SecretPiece>);

/// A piece of such a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPiece {
    /// Text as it is.
    Text(String),
    /// Name of the secret whose value is inserted, or `OWNER/NAME` for a user's own ([`super::own_secret`]).
    Secret(String),
}

impl RequestAuth {
    /// Returns the texts that may refer to secrets.
    pub fn texts(&self) -> Vec<&SecretText> {
        match self {
            Self::Basic { user, password } => vec![user, password],
            Self::Oauth2ClientCredentials { client_id, client_secret, .. } => vec![client_id, client_secret],
            Self::GoogleServiceAccount { key, .. } => vec![key],
            Self::AwsSigv4 { access_key, secret_key, session_token, .. } => {
                [access_key, secret_key].into_iter().chain(session_token).collect()
            }
            Self::Custom { settings, .. } => settings.values().collect(),
        }
    }

    /// Returns the references to all secrets.
    pub fn secret_references(&self) -> BTreeSet<&str> {
        self.texts().into_iter().flat_map(SecretText::secret_references).collect()
    }

    /// Returns the URL of the endpoint that the secrets are sent to; `None` if they are used for the request itself.
    pub fn token_url(&self) -> Option<&str> {
        match self {
            Self::Oauth2ClientCredentials { token_url, .. } | Self::GoogleServiceAccount { token_url, .. } => {
                Some(token_url)
            }
            Self::Basic { .. } | Self::AwsSigv4 { .. } | Self::Custom { .. } => None,
        }
    }
}

impl SecretText {
    /// Returns the references to the secrets in the text.
    pub fn secret_references(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            SecretPiece::Secret(name) => Some(name.as_str()),
            SecretPiece::Text(_) => None,
        })
    }

    /// Returns the text with the values of its secrets; `None` if `value_of` does not know one.
    pub fn resolve<'a>(&self, value_of: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                SecretPiece::Text(literal) => text.push_str(literal),
                SecretPiece::Secret(name) => text.push_str(value_of(name)?),
            }
        }
        Some(text)
    }
}
