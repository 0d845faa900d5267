//! What a failed exchange means for the call: was anything sent?

use std::error::Error;

use super::resolve::Forbidden;
use crate::ports::HttpError;

/// The meaning of reqwest's error. Only what proves that nothing was written counts as [`HttpError::Connect`]; only
/// where the call is `safe` (changes nothing, costs nothing) does a reply that is not HTTP count as one.
pub(super) fn classify(error: reqwest::Error, host: &str, safe: bool) -> HttpError {
    // The URL may hold a secret.
    let error = error.without_url();
    if let Some(Forbidden(reason)) = cause::<Forbidden>(&error) {
        return HttpError::Refused(reason.clone());
    }
    let detail = root(&error);
    if error.is_connect() {
        return HttpError::Connect(format!("no connection to `{host}`: {detail}"));
    }
    if error.is_builder() {
        return HttpError::Refused(format!("the request to `{host}` can't be written: {detail}"));
    }
    if safe && cause::<hyper::Error>(&error).is_some_and(hyper::Error::is_parse) {
        return HttpError::Reply(format!("`{host}` did not answer in HTTP: {detail}"));
    }
    HttpError::Unknown(format!("`{host}` gave no whole reply: {detail}"))
}

type Cause<'a> = &'a (dyn Error + 'static);

fn causes(error: Cause<'_>) -> impl Iterator<Item = Cause<'_>> {
    std::iter::successors(Some(error), |error| (*error).source())
}

fn cause<T: Error + 'static>(error: Cause<'_>) -> Option<&T> {
    causes(error).find_map(|error| error.downcast_ref())
}

/// The innermost text: what the wrappers say ("error sending request") helps nobody.
pub(super) fn root(error: Cause<'_>) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}
