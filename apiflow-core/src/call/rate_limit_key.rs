//! Which submits share a provider's rate limit.

use crate::ports::HttpRequest;
use crate::url;

/// Returns the key under which a rate limit of a provider is recorded: the origin that a submit goes to and the names
/// of the secrets that it carries. Submits with the same key are paused together.
pub(crate) fn rate_limit_key(submit: &HttpRequest) -> String {
    let scheme = if url::is_https(&submit.url) { "https" } else { "http" };
    let names: String = submit.secret_references().into_iter().flat_map(|name| [" $", name]).collect();
    format!("{scheme}://{}{names}", url::host_of(&submit.url).unwrap_or_default())
}
