//! Classifies failures: by declared codes, known codes, the HTTP status, and, if an error comes with a status of
//! success, by its message.

use serde_json::Value;

use super::ErrorClass;
use super::http_failure::compile_paths;
use crate::json::{JsonPath, PathMatch, scalar_text};

/// Paths of error codes, which are more specific than the status.
///
/// Source: OpenAI (`error.code`), Stability (`name`), ElevenLabs (`detail.status`), fal (`detail[].type`), MiniMax
/// (`base_resp.status_code`).
const CODE_PATHS: [&str; 9] = [
    "error.code",
    "error.type",
    "code",
    "type",
    "name",
    "detail.status",
    "detail[*].type",
    "error_code",
    "base_resp.status_code",
];
const MODERATION_CODES: [&str; 3] = ["moderation_blocked", "content_policy_violation", "content_moderation"];
const PAYMENT_CODES: [&str; 3] = ["insufficient_quota", "quota_exceeded", "billing_hard_limit_reached"];

/// Phrases that classify errors with a status of success; the first class with a match wins.
///
/// Source: the code tables of MiniMax, Kling, Kie and Volcengine.
const WORDS: [(ErrorClass, &[&str]); 6] = [
    (
        ErrorClass::Payment,
        &[
            "insufficient balance",
            "insufficient credit",
            "insufficient credits",
            "insufficient funds",
            "insufficient quota",
            "not enough credit",
            "not enough credits",
            "not enough balance",
            "balance not enough",
            "balance is not enough",
            "account balance",
            "out of credit",
            "out of credits",
            "no credits",
            "quota exceeded",
            "payment required",
            "arrears",
            "overdue",
        ],
    ),
    (
        ErrorClass::Auth,
        &[
            "login fail",
            "login failed",
            "not logged in",
            "unauthorized",
            "unauthenticated",
            "authentication",
            "authorization",
            "invalid api key",
            "invalid key",
            "invalid token",
            "invalid signature",
            "token expired",
            "access denied",
            "permission denied",
            "no permission",
            "forbidden",
        ],
    ),
    (
        ErrorClass::Moderated,
        &[
            "sensitive",
            "moderation",
            "moderated",
            "content policy",
            "content violation",
            "nsfw",
            "flagged",
            "safety",
            "risk control",
            "prohibited",
        ],
    ),
    (
        ErrorClass::RateLimited,
        &["rate limit", "rate limited", "too many requests", "too frequent", "throttled", "concurrency limit"],
    ),
    (
        ErrorClass::InvalidInput,
        &[
            "invalid param",
            "invalid params",
            "invalid parameter",
            "invalid parameters",
            "invalid request",
            "invalid input",
            "parameter error",
            "missing parameter",
            "bad request",
            "is required",
        ],
    ),
    (
        ErrorClass::Unavailable,
        &[
            "system busy",
            "server busy",
            "service busy",
            "internal error",
            "internal server error",
            "service unavailable",
            "temporarily unavailable",
            "timeout",
            "timed out",
            "overloaded",
            "try again later",
        ],
    ),
];

/// An error code of the provider, with the class that the connector declares for it.
pub(super) struct DeclaredCode {
    pub(super) text: String,
    pub(super) class: Option<ErrorClass>,
}

/// The class of a failed reply, and how it was determined.
pub(super) struct Judgement {
    pub(super) class: ErrorClass,
    /// Whether a status or code determined the class, not only a phrase.
    pub(super) is_certain: bool,
    /// The code that replaces a status of success in messages.
    pub(super) code: Option<String>,
}

/// Classifies a failed reply. `codes` are the values at the declared paths; `said` is the message.
pub(super) fn classify_failure(
    status: u16,
    json: Option<&Value>,
    codes: &[DeclaredCode],
    said: Option<&str>,
) -> Judgement {
    let certain = |class, code: Option<&str>| Judgement { class, is_certain: true, code: code.map(str::to_owned) };
    let is_success = (200..300).contains(&status);
    if let Some((code, class)) = codes.iter().find_map(|code| Some((&code.text, code.class?))) {
        return certain(class, Some(code).filter(|_| is_success).map(String::as_str));
    }
    let known: Vec<String> =
        json.into_iter().flat_map(|json| compile_paths(&CODE_PATHS).flat_map(|path| codes_at(&path, json))).collect();
    let has = |words: &[&str]| known.iter().any(|code| words.contains(&code.as_str()));
    if has(&MODERATION_CODES) {
        return certain(ErrorClass::Moderated, None);
    }
    if has(&PAYMENT_CODES) {
        return certain(ErrorClass::Payment, None);
    }
    if !is_success {
        return certain(by_status(status), None);
    }
    let mut all = codes.iter().map(|code| code.text.as_str()).chain(known.iter().map(String::as_str));
    // Some providers write the HTTP status into the body, where others write a code.
    let numeric =
        all.clone().find_map(|code| Some((code, code.parse::<u16>().ok().filter(|n| (400..600).contains(n))?)));
    if let Some((code, number)) = numeric {
        return certain(by_status(number), Some(code));
    }
    let code = all.find(|code| code.parse::<i64>().is_ok_and(|number| number != 0)).map(str::to_owned);
    let class = said.and_then(by_words).unwrap_or(ErrorClass::ProviderFailed);
    Judgement { class, is_certain: false, code }
}

pub(super) fn by_status(status: u16) -> ErrorClass {
    match status {
        401 | 403 => ErrorClass::Auth,
        402 => ErrorClass::Payment,
        404 | 410 => ErrorClass::NotFound,
        408 | 425 | 500..=599 => ErrorClass::Unavailable,
        429 => ErrorClass::RateLimited,
        400..=499 => ErrorClass::InvalidInput,
        _ => ErrorClass::OutputInvalid,
    }
}

fn by_words(said: &str) -> Option<ErrorClass> {
    let text = said.to_lowercase();
    WORDS.into_iter().find(|(_, words)| words.iter().any(|word| has_word(&text, word))).map(|(class, _)| class)
}

/// Returns whether a string contains a phrase, both in lower case, and not as a part of a longer word.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

fn codes_at(path: &JsonPath, json: &Value) -> Vec<String> {
    match path.find_in(json) {
        PathMatch::One(code) => scalar_text(code).into_iter().collect(),
        PathMatch::Many(codes) => codes.into_iter().filter_map(scalar_text).collect(),
        PathMatch::Absent | PathMatch::Null => Vec::new(),
    }
}
