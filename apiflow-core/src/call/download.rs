//! Requests for media that a result links to.

use std::time::Duration;

use super::plan::CallPlan;
use super::{CallError, ErrorClass};
use crate::ports::HttpRequest;
use crate::url;

/// Maximum time until the head of a download's reply arrives, and between two parts of its body.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_mins(1);

impl CallPlan {
    /// Builds the request that downloads a file. Media may be at any host; the connector's headers and credentials are
    /// sent only to its own host and to those that it lists.
    ///
    /// # Errors
    /// [`ErrorClass::OutputInvalid`] if the link is not an http or https URL.
    pub fn download_request(&self, link: &str) -> Result<HttpRequest, CallError> {
        if url::host_of(link).is_none() {
            let message = format!("`{}` is not an http or https link", url::without_query(link));
            return Err(CallError::new(ErrorClass::OutputInvalid, message));
        }
        let mut request = match self.is_trusted(link) {
            Ok(_) => self.follow_link("GET", link, None)?,
            Err(_) => self.bare_request("GET", link),
        };
        request.timeout = DOWNLOAD_TIMEOUT;
        // What a reply of the API must be says nothing about its media.
        request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("accept"));
        Ok(request)
    }

    /// Returns the name of the connector, for messages and for where media comes from.
    pub fn provider_name(&self) -> &str {
        &self.provider
    }

    /// Returns whether the work can be asked for again, for fresh links to its media.
    pub fn can_ask_again(&self, operation: &super::Operation) -> bool {
        self.rule.is_some() && operation.poll_url.is_some()
    }
}
