//! Errors of calls.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::ports::{HttpError, HttpRequest};
use crate::template;

/// The kind of a failure; decides whether repeating the call makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorClass {
    /// The provider rejects the credentials, or a secret is missing.
    Auth,
    /// The provider requires payment.
    Payment,
    /// The inputs are invalid, according to the node's declaration or to the provider.
    InvalidInput,
    /// The provider refuses the content.
    Moderated,
    /// The provider does not have the resource or operation.
    NotFound,
    /// Too many calls; `detail.retry_after_ms` contains the provider's hint.
    RateLimited,
    /// The provider is unreachable, down or overloaded.
    Unavailable,
    /// A time limit of apiflow was reached.
    Timeout,
    /// It is unknown whether the provider accepted the call: repeating it may cost twice.
    SubmitUnknown,
    /// The call succeeded, but its reply does not match the node's outputs.
    OutputInvalid,
    /// The call succeeded, but its reply is larger than the limit.
    OutputTooLarge,
    /// The work was cancelled.
    Cancelled,
    /// The provider accepted the work and reported a failure.
    ProviderFailed,
    /// The outgoing policy forbids the call; nothing was sent.
    Refused,
    /// A budget does not allow what the call costs; nothing was sent.
    BudgetExceeded,
}

impl ErrorClass {
    const ALL: [Self; 15] = [
        Self::Auth,
        Self::Payment,
        Self::InvalidInput,
        Self::Moderated,
        Self::NotFound,
        Self::RateLimited,
        Self::Unavailable,
        Self::Timeout,
        Self::SubmitUnknown,
        Self::OutputInvalid,
        Self::OutputTooLarge,
        Self::Cancelled,
        Self::ProviderFailed,
        Self::Refused,
        Self::BudgetExceeded,
    ];

    /// Returns the name of the class, as error objects and the journal contain it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Payment => "payment",
            Self::InvalidInput => "invalid_input",
            Self::Moderated => "moderated",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::SubmitUnknown => "submit_unknown",
            Self::OutputInvalid => "output_invalid",
            Self::OutputTooLarge => "output_too_large",
            Self::Cancelled => "cancelled",
            Self::ProviderFailed => "provider_failed",
            Self::Refused => "refused",
            Self::BudgetExceeded => "budget_exceeded",
        }
    }

    /// Parses a name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == word)
    }

    /// Returns whether a module's `retry` may make another attempt: not if it could cost twice, if the same request
    /// would be refused again, or if a paid reply cannot be read, since the next one would read the same. A budget
    /// stays exceeded for as long as its period lasts.
    ///
    /// The engine, the validator and the documentation take the rule from here.
    pub fn may_retry(self) -> bool {
        match self {
            Self::Auth
            | Self::Payment
            | Self::InvalidInput
            | Self::Moderated
            | Self::SubmitUnknown
            | Self::OutputInvalid
            | Self::OutputTooLarge
            | Self::BudgetExceeded => false,
            Self::NotFound
            | Self::RateLimited
            | Self::Unavailable
            | Self::Timeout
            | Self::Cancelled
            | Self::ProviderFailed
            | Self::Refused => true,
        }
    }

    /// Returns whether a module's `retry` may repeat an attempt that failed with this error object. Errors that do not
    /// come from a call (of inline code, of an expression) may be repeated.
    pub(crate) fn may_retry_error(error: &Value) -> bool {
        let name = error.get("name").and_then(Value::as_str);
        name.and_then(Self::parse).is_none_or(Self::may_retry)
    }

    /// Returns the names of all classes.
    pub(crate) fn all_names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(Self::name)
    }

    /// Returns the classes that a module's `retry` never repeats.
    pub fn never_retried() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|class| !class.may_retry())
    }
}

/// Why a call failed; contains no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// Kind of the failure.
    pub class: ErrorClass,
    /// What happened and how to fix it.
    pub message: String,
    /// An object with details: `status`, `url`, `excerpt` of the reply, invalid `fields` (`[{"field", "message"}]`),
    /// `retry_after_ms`, `provider_id`; keys without a value are absent.
    #[serde(default)]
    pub detail: Value,
    /// Whether the provider's status or code says that it did not accept the work of a submit, but will later.
    #[serde(skip)]
    pub(crate) is_refusal_for_now: bool,
}

impl CallError {
    /// Creates an error without details.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), detail: json!({}), is_refusal_for_now: false }
    }

    /// Adds one key to the details.
    pub fn with_detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        if let Some(detail) = self.detail.as_object_mut() {
            detail.insert(key.to_owned(), value.into());
        }
        self
    }

    /// Builds the error object of the step: `name` (the class), `message`, and the keys of the details.
    pub(crate) fn to_object(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("name".to_owned(), json!(self.class.name()));
        fields.insert("message".to_owned(), json!(self.message));
        if let Value::Object(detail) = &self.detail {
            for (key, value) in detail {
                fields.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        Value::Object(fields)
    }

    /// Returns the provider's hint when to try again, in milliseconds.
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.detail.get("retry_after_ms").and_then(Value::as_u64)
    }
}

/// Converts the error of a request without a reply. `repeatable`: whether the same request may be sent again without
/// harm ([`super::CallPlan::is_repeatable`] for a submit; true for polls, results and recoveries).
pub fn from_http_error(error: &HttpError, request: &HttpRequest, repeatable: bool) -> CallError {
    let url = template::display_url(request);
    let (class, message) = match error {
        HttpError::Refused(text) => (ErrorClass::Refused, text.clone()),
        HttpError::Secret(text) => (ErrorClass::Auth, text.clone()),
        HttpError::Connect(text) => (ErrorClass::Unavailable, format!("{url} is unreachable: {text}")),
        HttpError::Unknown(text) if repeatable => {
            (ErrorClass::Unavailable, format!("the connection to {url} was lost: {text}"))
        }
        HttpError::Unknown(text) => (
            ErrorClass::SubmitUnknown,
            format!(
                "the connection to {url} was lost after the request may have arrived: {text}; it is not sent again, \
                 because it may be paid twice: check the provider's list of operations, or declare the node `idempotent`"
            ),
        ),
        HttpError::TooLarge(text) => (ErrorClass::OutputTooLarge, text.clone()),
        HttpError::Reply(text) => (ErrorClass::OutputInvalid, format!("the response of {url} is unusable: {text}")),
    };
    CallError::new(class, message).with_detail("url", url)
}
