//! Recognizes names and values of credentials by lists, because providers have no common convention.

/// How reliably a name indicates that its value is a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strength {
    /// Any value is a credential.
    Certain,
    /// The value is a credential if it looks like one.
    Likely,
}

/// Parts of names, without punctuation, that always indicate a credential.
const CERTAIN: [&str; 11] = [
    "authorization",
    "secret",
    "password",
    "passwd",
    "apikey",
    "accesskey",
    "authkey",
    "subscriptionkey",
    "functionskey",
    "privatekey",
    "credential",
];

/// Headers that always hold a credential.
const CERTAIN_HEADERS: [&str; 2] = ["cookie", "x-key"];

/// Query keys and headers that usually hold a credential.
const LIKELY_NAMES: [&str; 5] = ["auth", "x-auth", "sig", "signature", "pwd"];

/// Words before `key` that make the name an identifier (`Idempotency-Key`, `sort_key`).
const KEYS_OF_DATA: [&str; 40] = [
    "idempotency",
    "idempotence",
    "cache",
    "sort",
    "order",
    "partition",
    "routing",
    "surrogate",
    "public",
    "primary",
    "foreign",
    "group",
    "request",
    "dedup",
    "deduplication",
    "websocket",
    "row",
    "object",
    "storage",
    "file",
    "image",
    "color",
    "translation",
    "message",
    "event",
    "queue",
    "lookup",
    "index",
    "search",
    "map",
    "state",
    "join",
    "unique",
    "artifact",
    "musical",
    "tracking",
    "correlation",
    "issue",
    "project",
    "hot",
];

/// Words before `token` that make the name something other than a credential (`page_token`, `stop_token`).
const TOKENS_OF_DATA: [&str; 20] = [
    "page",
    "next",
    "previous",
    "prev",
    "sync",
    "continuation",
    "stop",
    "pad",
    "eos",
    "bos",
    "unk",
    "sep",
    "mask",
    "start",
    "end",
    "max",
    "min",
    "special",
    "cursor",
    "image",
];

/// Prefixes of providers' keys, each with the minimum length of such a key.
const KEY_PREFIXES: [(&str, usize); 22] = [
    ("sk-", 12),
    ("sk_", 12),
    ("rk_live_", 16),
    ("r8_", 8),
    ("hf_", 20),
    ("gsk_", 20),
    ("xai-", 20),
    ("nvapi-", 20),
    ("pplx-", 20),
    ("tgp_v1_", 20),
    ("key_", 24),
    ("AIza", 30),
    ("AKIA", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 20),
    ("glpat-", 20),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("SG.", 20),
    ("whsec_", 16),
];

/// Returns whether a header with this name usually holds a credential.
pub(crate) fn is_auth_header(name: &str) -> bool {
    in_header_name(name).is_some()
}

/// Returns how reliably a header's name indicates a credential.
pub(crate) fn in_header_name(name: &str) -> Option<Strength> {
    let lower = name.to_ascii_lowercase();
    if CERTAIN_HEADERS.contains(&lower.as_str()) || contains_certain(&lower) {
        return Some(Strength::Certain);
    }
    let words = split_words(name);
    if is_token(&words) {
        return Some(Strength::Certain);
    }
    (is_key(&words) || LIKELY_NAMES.contains(&lower.as_str())).then_some(Strength::Likely)
}

/// Returns how reliably a query key indicates a credential.
pub(crate) fn in_query_key(name: &str) -> Option<Strength> {
    let words = split_words(name);
    let lower = name.to_ascii_lowercase();
    let likely = is_token(&words) || is_key(&words) || LIKELY_NAMES.contains(&lower.as_str());
    if contains_certain(&lower) { Some(Strength::Certain) } else { likely.then_some(Strength::Likely) }
}

/// Returns how reliably a key of a body indicates a credential: less than elsewhere, since a song has a key, too.
pub(crate) fn in_body_key(name: &str) -> Option<Strength> {
    let whole = squash_name(name);
    if CERTAIN.iter().any(|part| whole.ends_with(part)) || whole.ends_with("credentials") {
        return Some(Strength::Certain);
    }
    is_token(&split_words(name)).then_some(Strength::Likely)
}

/// Returns whether a value has the prefix of a provider's key, which makes it a credential anywhere.
pub(crate) fn known_key(value: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    if !value.bytes().all(is_part) {
        return false;
    }
    let has_prefix = KEY_PREFIXES.iter().any(|(prefix, min_bytes)| {
        let rest = value.strip_prefix(prefix);
        value.len() >= *min_bytes
            && rest.is_some_and(|rest| *prefix == "r8_" || rest.bytes().any(|b| b.is_ascii_digit()))
    });
    has_prefix || is_json_web_token(value) || is_key_pair(value)
}

/// Returns whether a string is a placeholder for a credential that the user should fill in.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_wrapped = |open: char, close: char| text.starts_with(open) && text.ends_with(close);
    let wrapped =
        [('<', '>'), ('{', '}'), ('[', ']'), ('%', '%')].iter().any(|(open, close)| is_wrapped(*open, *close));
    let first = text.chars().next();
    let monotonous = text.len() >= 3
        && first.is_some_and(|first| !first.is_alphanumeric() || matches!(first, 'x' | 'X' | '0'))
        && text.chars().all(|c| Some(c) == first);
    wrapped
        || monotonous
        || text.starts_with("${")
        || text.contains(['<', '>', '…'])
        || ["your_", "your-", "yours", "your ", "my_api_key", "my-api-key"].iter().any(|start| lower.starts_with(start))
        || ["string", "token", "changeme", "change-me", "change_me", "placeholder", "todo", "none", "null", "undefined"]
            .contains(&lower.as_str())
}

fn contains_certain(name: &str) -> bool {
    let whole = squash_name(name);
    CERTAIN.iter().any(|part| whole.contains(part))
}

fn is_token(words: &[String]) -> bool {
    let [before @ .., last] = words else { return false };
    let of_data = before.last().is_some_and(|word| TOKENS_OF_DATA.contains(&word.as_str()));
    last.ends_with("token") && !of_data
}

fn is_key(words: &[String]) -> bool {
    let [before @ .., last] = words else { return false };
    let of_data = before.last().is_some_and(|word| KEYS_OF_DATA.contains(&word.as_str()));
    last == "key" && !of_data
}

/// Returns whether a value is a JSON Web Token: `header.payload.signature` (RFC 7519), whose header begins with `{"`.
fn is_json_web_token(value: &str) -> bool {
    value.starts_with("eyJ") && value.len() >= 40 && value.matches('.').count() == 2
}

/// Returns whether a value has the form `<uuid>:<hex>` of fal's keys.
fn is_key_pair(value: &str) -> bool {
    let Some((id, secret)) = value.split_once(':') else { return false };
    let is_uuid = id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_uuid && secret.len() >= 16 && secret.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn squash_name(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Splits `X-Api-Key`, `api_key` or `apiKey` into words in lower case.
fn split_words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|at| letters[at]);
        let next_is_lower = letters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        let begins = letter.is_ascii_uppercase()
            && before
                .is_some_and(|before| before.is_ascii_lowercase() || (before.is_ascii_uppercase() && next_is_lower));
        if begins || !letter.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_ascii_alphanumeric() {
            words.last_mut().expect("there is one from the start").push(letter.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
