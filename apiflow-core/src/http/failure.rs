//! Classifies failed requests by whether anything was sent.

use std::error::Error;

use super::dns_resolver::Forbidden;
use crate::ports::HttpError;

/// Converts an error of reqwest. It becomes an [`HttpError::Connect`] only if it proves that nothing was written; if
/// the call is `safe` (changes and costs nothing), also if the reply is not HTTP.
pub(super) fn classify_error(error: reqwest::Error, host: &str, safe: bool) -> HttpError {
    // The URL may contain a secret.
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
        return HttpError::Reply(format!("the reply of `{host}` is not HTTP: {detail}"));
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

/// Returns the innermost message: those of the wrappers ("error sending request") do not help.
pub(super) fn root_message(error: Cause<'_>) -> String {
    error_chain(error).last().map(ToString::to_string).unwrap_or_default()
}
