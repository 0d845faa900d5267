//! The `auth` setting of connectors: how calls are authenticated.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::declarations::Connector;
use crate::declarations::headers::is_header_name;
use crate::diagnostic::{Diagnostic, codes};
use crate::json::{Fields, pointer_push, wrong_type};
use crate::origin::Origin;
use crate::ports::{RequestAuth, SecretPiece, SecretText};
use crate::template::{Part, Template, TemplateCompiler, Text};

/// Token endpoint of Google's service accounts.
const GOOGLE_TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// Scope of a service account that declares none.
const GOOGLE_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The kinds of `auth`.
const KINDS: [&str; 8] = [
    "bearer",
    "header",
    "query",
    "basic",
    "oauth2_client_credentials",
    "google_service_account",
    "aws_sigv4",
    "custom",
];

/// How calls of a connector are authenticated.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum AuthPlan {
    /// A header, unless the declaration has one of this name.
    Header(String, Text),
    /// A query parameter, unless the declaration has one of this name.
    Query(String, Text),
    /// Something that is computed when a request is sent.
    Computed(RequestAuth),
}

impl AuthPlan {
    /// Compiles `{"kind": …}`, or the short form `{"bearer": "$NAME"}`. References to the names in `owners` are to their
    /// owners' own secrets.
    pub(super) fn compile(
        value: &Value,
        pointer: &str,
        owners: &BTreeMap<String, String>,
        found: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let Some(settings) = value.as_object() else {
            found.push(wrong_type(pointer, "an object", value));
            return None;
        };
        if let (Some(token), 1) = (settings.get("bearer").filter(|token| token.is_string()), settings.len()) {
            let mut texts = Texts { pointer, owners, found };
            return Some(Self::bearer(texts.compile("bearer", token.as_str().unwrap_or_default())));
        }
        let faults_before = found.len();
        let mut fields = Fields::open(value, pointer, found)?;
        let kind = fields.read_word("kind", &KINDS);
        if kind.is_none() && fields.map.get("kind").is_none() {
            fields.required_string("kind");
        }
        let keys = Keys::read(kind?, &mut fields);
        fields.close();
        let mut texts = Texts { pointer, owners, found };
        let plan = keys.into_plan(kind?, &mut texts);
        (found.len() == faults_before).then_some(plan)
    }

    /// Returns the credentials that are computed when a request is sent.
    pub(super) fn into_computed(self) -> Option<RequestAuth> {
        match self {
            Self::Computed(auth) => Some(auth),
            Self::Header(..) | Self::Query(..) => None,
        }
    }

    fn bearer(mut token: Text) -> Self {
        token.parts.insert(0, Part::Literal("Bearer ".to_owned()));
        Self::Header("Authorization".to_owned(), token)
    }
}

/// Returns the origin of the endpoint that the credentials of a connector's `auth` are sent to; `None` if they are sent
/// to the connector's own origin.
pub fn token_origin(connector: &Connector) -> Option<Origin> {
    let auth = connector.data.as_ref()?.get("auth")?;
    match AuthPlan::compile(auth, "", &BTreeMap::new(), &mut Vec::new())? {
        AuthPlan::Computed(auth) => Origin::of_url(auth.token_url()?),
        AuthPlan::Header(..) | AuthPlan::Query(..) => None,
    }
}

/// Returns the name of the header in which a connector's `auth` sends a secret, if there is one.
pub(super) fn auth_header_name(auth: &Value) -> Option<String> {
    match AuthPlan::compile(auth, "", &BTreeMap::new(), &mut Vec::new()) {
        Some(AuthPlan::Header(name, _)) => Some(name),
        Some(AuthPlan::Computed(_)) => Some("Authorization".to_owned()),
        Some(AuthPlan::Query(..)) | None => None,
    }
}

/// Returns the name of the query parameter in which a connector's `auth` sends a secret, if there is one.
pub(super) fn auth_query_name(auth: &Value) -> Option<String> {
    match AuthPlan::compile(auth, "", &BTreeMap::new(), &mut Vec::new()) {
        Some(AuthPlan::Query(name, _)) => Some(name),
        Some(AuthPlan::Header(..) | AuthPlan::Computed(_)) | None => None,
    }
}

/// The keys of `auth`, as they are written.
#[derive(Default)]
struct Keys<'a> {
    texts: BTreeMap<&'static str, &'a str>,
    in_body: bool,
    settings: Option<&'a Map<String, Value>>,
}

impl<'a> Keys<'a> {
    fn read(kind: &str, fields: &mut Fields<'a, '_>) -> Self {
        let mut keys = Self::default();
        let (required, optional): (&[&'static str], &[&'static str]) = match kind {
            "bearer" => (&["token"], &[]),
            "header" | "query" => (&["name", "value"], &[]),
            "basic" => (&["user"], &["password"]),
            "oauth2_client_credentials" => (&["token_url", "client_id", "client_secret"], &["scope", "audience"]),
            "google_service_account" => (&["key"], &["scope", "token_url"]),
            "aws_sigv4" => (&["region", "service", "access_key", "secret_key"], &["session_token"]),
            _ => (&["provider"], &[]),
        };
        for key in required {
            keys.texts.insert(key, fields.required_string(key));
        }
        for key in optional {
            keys.texts.extend(fields.read_string(key).map(|text| (*key, text)));
        }
        if kind == "oauth2_client_credentials" {
            keys.in_body = fields.read_word("credentials_in", &["header", "body"]) == Some("body");
        }
        if kind == "custom" {
            keys.settings = fields.read_object("settings");
        }
        for (key, text) in &keys.texts {
            if *key == "token_url" && !text.is_empty() && Origin::of_url(text).is_none() {
                fields.note_fault(codes::BAD_VALUE, key, "`token_url` must be an absolute http or https URL");
            }
            if *key == "name" && kind == "header" && !text.is_empty() && !is_header_name(text) {
                fields.note_fault(codes::BAD_VALUE, key, "`name` is not a header name");
            }
        }
        keys
    }

    fn plain(&self, key: &str) -> String {
        self.optional(key).unwrap_or_default()
    }

    fn optional(&self, key: &str) -> Option<String> {
        self.texts.get(key).map(|text| (*text).to_owned())
    }

    fn into_plan(self, kind: &str, texts: &mut Texts<'_>) -> AuthPlan {
        let mut secret = |key: &'static str| texts.compile(key, self.texts.get(key).copied().unwrap_or_default());
        match kind {
            "bearer" => AuthPlan::bearer(secret("token")),
            "header" => AuthPlan::Header(self.plain("name"), secret("value")),
            "query" => AuthPlan::Query(self.plain("name"), secret("value")),
            "basic" => AuthPlan::Computed(RequestAuth::Basic {
                user: secret_text(&secret("user")),
                password: secret_text(&secret("password")),
            }),
            "oauth2_client_credentials" => AuthPlan::Computed(RequestAuth::Oauth2ClientCredentials {
                token_url: self.plain("token_url"),
                client_id: secret_text(&secret("client_id")),
                client_secret: secret_text(&secret("client_secret")),
                scope: self.optional("scope"),
                audience: self.optional("audience"),
                in_body: self.in_body,
            }),
            "google_service_account" => AuthPlan::Computed(RequestAuth::GoogleServiceAccount {
                key: secret_text(&secret("key")),
                token_url: self.optional("token_url").unwrap_or_else(|| GOOGLE_TOKEN_URL.to_owned()),
                scope: self.optional("scope").unwrap_or_else(|| GOOGLE_SCOPE.to_owned()),
            }),
            "aws_sigv4" => AuthPlan::Computed(RequestAuth::AwsSigv4 {
                region: self.plain("region"),
                service: self.plain("service"),
                access_key: secret_text(&secret("access_key")),
                secret_key: secret_text(&secret("secret_key")),
                session_token: self.texts.contains_key("session_token").then(|| secret_text(&secret("session_token"))),
            }),
            _ => AuthPlan::Computed(RequestAuth::Custom {
                provider: self.plain("provider"),
                settings: texts.compile_settings(self.settings),
            }),
        }
    }
}

/// Compiles the texts of one `auth`, in which secrets may be, but no placeholders.
struct Texts<'a> {
    pointer: &'a str,
    owners: &'a BTreeMap<String, String>,
    found: &'a mut Vec<Diagnostic>,
}

impl Texts<'_> {
    fn compile(&mut self, key: &str, source: &str) -> Text {
        let pointer = pointer_push(self.pointer, key);
        let mut text = TemplateCompiler { roots: &[], diagnostics: self.found }.compile_text(source, &pointer);
        text.refer_to_own(self.owners);
        text
    }

    fn compile_settings(&mut self, settings: Option<&Map<String, Value>>) -> BTreeMap<String, SecretText> {
        let mut compiled = BTreeMap::new();
        for (name, value) in settings.into_iter().flatten() {
            let source = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let text = self.compile(&format!("settings/{name}"), &source);
            compiled.insert(name.clone(), secret_text(&text));
        }
        compiled
    }
}

fn secret_text(text: &Text) -> SecretText {
    let pieces = text.parts.iter().filter_map(|part| match part {
        Part::Literal(literal) => Some(SecretPiece::Text(literal.clone())),
        Part::Secret(name) => Some(SecretPiece::Secret(name.clone())),
        Part::Place(_) => None,
    });
    SecretText(pieces.collect())
}

/// Adds a header or query parameter that carries credentials, unless the declaration has one of its name.
pub(super) fn add_static_auth(
    auth: Option<&AuthPlan>,
    headers: &mut Vec<(String, Text)>,
    query: &mut Vec<(String, Template)>,
) {
    match auth {
        Some(AuthPlan::Header(name, text)) if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) => {
            headers.push((name.clone(), text.clone()));
        }
        Some(AuthPlan::Query(name, text)) if !query.iter().any(|(known, _)| known == name) => {
            query.push((name.clone(), Template::Text(text.clone())));
        }
        Some(AuthPlan::Header(..) | AuthPlan::Query(..) | AuthPlan::Computed(_)) | None => {}
    }
}
