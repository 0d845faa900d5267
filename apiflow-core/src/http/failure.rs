//! What a failed exchange means for the call: was anything sent?

use std::error::Error;

use super::dns_resolver::Forbidden;
use crate::ports::HttpError;

/// The meaning of reqwest's error. Only what proves that nothing was written counts as [`HttpError::Connect`]; only
/// where the call is `safe` (changes nothing, costs nothing) does a reply that is not HTTP count as one.
pub(super) fn classify_error(error: reqwest::Error, host: &str, safe: bool) -> HttpError {
    // The URL may hold a secret.
    let error = error.without_url();
    if let Some(Forbidden(reason)) = find_cause::<Forbidden>(&error) {
        return HttpError::Refused(reason.clone());
    }
    let detail = root_message(&error);
    if error.is_connect() {
        return HttpError::Connect(format!("no connection to `{host}`: {detail}"));
    }
    if error.is_builder() {
        return HttpError::Refused(format!("the request to `{host}` cannot be sent: {detail}"));
    }
    if safe && find_cause::<hyper::Error>(&error).is_some_and(hyper::Error::is_parse) {
        return HttpError::Reply(format!("`{host}` did not answer in HTTP: {detail}"));
    }
    HttpError::Unknown(format!("`{host}` sent an incomplete reply: {detail}"))
}

type Cause<'a> = &'a (dyn Error + 'static);

fn error_chain(error: Cause<'_>) -> impl Iterator<Item = Cause<'_>> {
    std::iter::successors(Some(error), |error| (*error).source())
}

fn find_cause<T: Error + 'static>(error: Cause<'_>) -> Option<&T> {
    error_chain(error).find_map(|error| error.downcast_ref())
}

/// The innermost text: what the wrappers say ("error sending request") helps nobody.
pub(super) fn root_message(error: Cause<'_>) -> String {
    error_chain(error).last().map(ToString::to_string).unwrap_or_default()
}
