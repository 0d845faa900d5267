//! The providers other than Replicate, and in what they differ in every call.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use crate::providers::{bfl, elevenlabs, fal, openai, stability};
use crate::switches::Refusal;

/// A provider that is played below a path of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// fal.ai: `/fal/queue` for `https://queue.fal.run`, `/fal/run` for `https://fal.run`, `/fal/rest` for `https://rest.fal.ai`.
    Fal,
    /// OpenAI: `/openai/v1` for `https://api.openai.com/v1`.
    OpenAi,
    /// Stability AI: `/stability` for `https://api.stability.ai`.
    Stability,
    /// ElevenLabs: `/elevenlabs` for `https://api.elevenlabs.io`.
    ElevenLabs,
    /// Black Forest Labs: `/bfl` for `https://api.bfl.ai`.
    BlackForestLabs,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Fal, Self::OpenAi, Self::Stability, Self::ElevenLabs, Self::BlackForestLabs];

    /// Returns the name, as paths contain it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fal => "fal",
            Self::OpenAi => "openai",
            Self::Stability => "stability",
            Self::ElevenLabs => "elevenlabs",
            Self::BlackForestLabs => "bfl",
        }
    }

    /// Returns the provider with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name)
    }

    /// Returns the path that stands for the base URL of the provider's API.
    pub fn base_path(self) -> &'static str {
        match self {
            Self::Fal => "/fal/queue",
            Self::OpenAi => "/openai/v1",
            Self::Stability => "/stability",
            Self::ElevenLabs => "/elevenlabs",
            Self::BlackForestLabs => "/bfl",
        }
    }

    /// Returns the key of a call; `None` if there is none in the provider's form.
    pub(crate) fn read_key(self, headers: &HeaderMap) -> Option<&str> {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let key = match self {
            Self::Fal => text(header::AUTHORIZATION)?.strip_prefix("Key ")?,
            Self::OpenAi | Self::Stability => text(header::AUTHORIZATION)?.strip_prefix("Bearer ")?,
            Self::ElevenLabs => text(HeaderName::from_static("xi-api-key"))?,
            Self::BlackForestLabs => text(HeaderName::from_static("x-key"))?,
        };
        Some(key.trim()).filter(|key| !key.is_empty())
    }

    /// Returns the body of an error in the provider's form.
    fn build_error(self, status: StatusCode, code: Option<&str>, message: &str) -> Value {
        match self {
            Self::Fal => fal::build_error(message),
            Self::OpenAi => openai::build_error(status, code, message),
            Self::Stability => stability::build_error(status, code, message),
            Self::ElevenLabs => elevenlabs::build_error(status, code, message),
            Self::BlackForestLabs => bfl::build_error(message),
        }
    }

    /// Replies with an error in the provider's form.
    pub(crate) fn reply_with_error(self, status: StatusCode, code: Option<&str>, message: &str) -> Response {
        (status, axum::Json(self.build_error(status, code, message))).into_response()
    }

    /// Replies as the switches say.
    pub(crate) fn reply_with_refusal(self, refusal: Refusal) -> Response {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = match refusal.body {
            Some(Value::String(text)) => (status, [(header::CONTENT_TYPE, "text/html")], text).into_response(),
            Some(body) => (status, axum::Json(body)).into_response(),
            None => self.reply_with_error(status, refusal.code.as_deref(), usual_message(status)),
        };
        for (name, value) in refusal.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

fn usual_message(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "the API key is invalid",
        402 => "the account has insufficient credit",
        403 => "the request was refused",
        429 => "too many requests",
        503 => "the service is overloaded",
        _other => "the request failed",
    }
}
