//! Reads replies within the memory limit of all replies.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream;
use reqwest::{Method, Response};
use tokio::time::Instant;

use super::reply_memory::Reserved;
use super::{CheckedRequest, Hop, Http, failure, mask_error};
use crate::call::json_memory_bytes;
use crate::ports::{BodyFilter, HttpError, HttpReply, HttpRequest, HttpStream, MemoryHold};
use crate::template;

/// Maximum size of bodies that are read immediately, without reserving memory, in bytes.
const UNCOUNTED_BODY_BYTES: usize = 16 * 1024;
/// Minimum size of bodies that are processed on threads that may block, in bytes.
const LARGE_BODY_BYTES: usize = 64 * 1024;
/// Time limit for receiving a body once its memory is reserved.
const LARGE_BODY_TIMEOUT: Duration = Duration::from_mins(1);
/// Time limit for receiving a body that passes through a filter.
const FILTERED_BODY_TIMEOUT: Duration = Duration::from_mins(30);
/// Maximum time between two parts of a body that is read as a stream or passes through a filter.
const MAX_IDLE_TIME: Duration = Duration::from_mins(1);

impl Http {
    /// Reads the rest of a reply. Waiting for memory does not count towards the deadline.
    pub(super) async fn read(
        &self,
        response: Response,
        request: &HttpRequest,
        draft: &CheckedRequest,
        hop: &Hop,
        deadline: Instant,
        filter: Option<&mut dyn BodyFilter>,
    ) -> Result<HttpReply, HttpError> {
        let status = response.status();
        let masker = &draft.filling.masker;
        let headers = masked_headers(&response, draft);
        let filter = match filter {
            Some(filter) => filter.accepts_head(status.as_u16(), &headers).then_some(filter),
            None => None,
        };
        let (body, of_body) = match filter {
            None => self.collect_body(response, draft, &hop.target.host, deadline).await?,
            Some(filter) => self.filter_body(response, request, draft, &hop.target.host, filter).await?,
        };
        let (body, of_values) = self.make_room(body, &hop.target.host, status.is_success()).await?;
        let body = if body.len() > LARGE_BODY_BYTES {
            let masker = Arc::clone(masker);
            run_blocking(move || masker.mask_body(body)).await
        } else {
            masker.mask_body(body)
        };
        let url = answering_url(request, draft, hop);
        let memory = MemoryHold::new((of_body, of_values));
        Ok(HttpReply { status: status.as_u16(), headers, body, url, memory })
    }

    /// Reads a body. Of an error reply that is too large only the beginning is read, because its status is sufficient.
    async fn collect_body(
        &self,
        mut response: Response,
        draft: &CheckedRequest,
        host: &str,
        mut deadline: Instant,
    ) -> Result<(Vec<u8>, Option<Reserved>), HttpError> {
        let limit = self.limits.max_reply_bytes;
        let is_success = response.status().is_success();
        let too_large = || HttpError::TooLarge(format!("the reply of `{host}` is larger than {limit} bytes"));
        let announced = response.content_length().filter(|_| draft.method != Method::HEAD);
        let announced = announced.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if is_success && announced.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let expected = announced.unwrap_or(limit).min(limit);
        let mut reserved = None;
        let mut body = Vec::new();
        loop {
            let is_large =
                body.len() > UNCOUNTED_BODY_BYTES || announced.is_some_and(|size| size > UNCOUNTED_BODY_BYTES);
            if is_large && reserved.is_none() {
                let asked = Instant::now();
                reserved = Some(self.memory.reserve_body(expected).await);
                // A slow sender must not occupy reserved memory for longer.
                deadline = (deadline + asked.elapsed()).min(Instant::now() + LARGE_BODY_TIMEOUT);
            }
            let chunk = tokio::time::timeout_at(deadline, response.chunk()).await;
            let chunk = chunk.map_err(|_| stalled(host))?;
            let chunk = chunk.map_err(|error| failure::classify_error(error, host, draft.is_safe()))?;
            let Some(chunk) = chunk else { return Ok((body, reserved)) };
            if body.len() + chunk.len() > limit {
                if is_success {
                    return Err(too_large());
                }
                body.truncate(UNCOUNTED_BODY_BYTES);
                return Ok((body, reserved));
            }
            body.extend_from_slice(&chunk);
        }
    }

    /// Reads a body through a filter; the limit of its size applies to what the filter keeps.
    async fn filter_body(
        &self,
        mut response: Response,
        request: &HttpRequest,
        draft: &CheckedRequest,
        host: &str,
        filter: &mut dyn BodyFilter,
    ) -> Result<(Vec<u8>, Option<Reserved>), HttpError> {
        let limit = self.limits.max_reply_bytes;
        let announced = response.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        let idle = request.timeout.min(MAX_IDLE_TIME);
        let deadline = Instant::now() + FILTERED_BODY_TIMEOUT;
        let mut reserved = None;
        let mut body = Vec::new();
        loop {
            let next_by = (Instant::now() + idle).min(deadline);
            let chunk = tokio::time::timeout_at(next_by, response.chunk()).await.map_err(|_| stalled(host))?;
            let chunk = chunk.map_err(|error| failure::classify_error(error, host, draft.is_safe()))?;
            let is_end = chunk.is_none();
            match chunk {
                Some(chunk) => filter.filter_chunk(chunk, &mut body).await?,
                None => filter.finish_body(&mut body).await?,
            }
            if body.len() > limit {
                let message = format!("the reply of `{host}` is larger than {limit} bytes, its media aside");
                return Err(HttpError::TooLarge(message));
            }
            if is_end {
                return Ok((body, reserved));
            }
            if body.len() > UNCOUNTED_BODY_BYTES && reserved.is_none() {
                reserved = Some(self.memory.reserve_body(announced.unwrap_or(limit).clamp(body.len(), limit)).await);
            }
        }
    }

    /// Waits for memory for the values that a body is parsed to.
    async fn make_room(
        &self,
        mut body: Vec<u8>,
        host: &str,
        is_success: bool,
    ) -> Result<(Vec<u8>, Option<Reserved>), HttpError> {
        let bytes = if body.len() > LARGE_BODY_BYTES {
            let (measured, bytes) = run_blocking(move || {
                let bytes = json_memory_bytes(&body);
                (body, bytes)
            })
            .await;
            body = measured;
            bytes
        } else {
            json_memory_bytes(&body)
        };
        let reserved = self.memory.reserve_values(bytes).await;
        if reserved.is_none() && is_success {
            let most = self.memory.max_values_bytes();
            return Err(HttpError::TooLarge(format!(
                "the reply of `{host}` has {} bytes of JSON, which would take {bytes} bytes of memory; the limit is \
                 {most}",
                body.len()
            )));
        }
        if reserved.is_none() {
            body.truncate(UNCOUNTED_BODY_BYTES);
        }
        Ok((body, reserved))
    }
}

/// Returns a reply whose body is read as it arrives.
pub(super) fn stream_reply(response: Response, request: &HttpRequest, draft: &CheckedRequest, hop: &Hop) -> HttpStream {
    let status = response.status().as_u16();
    let headers = masked_headers(&response, draft);
    let url = answering_url(request, draft, hop);
    let idle = request.timeout.min(MAX_IDLE_TIME);
    let source = (response, hop.target.host.clone(), Arc::clone(&draft.filling.masker));
    let is_safe = draft.is_safe();
    let body = stream::try_unfold(source, move |(mut response, host, masker)| async move {
        let chunk: Result<Option<Bytes>, HttpError> = match tokio::time::timeout(idle, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| failure::classify_error(error, &host, is_safe)),
            Err(_) => Err(stalled(&host)),
        };
        match chunk {
            Ok(chunk) => Ok(chunk.map(|chunk| (chunk, (response, host, masker)))),
            Err(error) => Err(mask_error(error, &masker)),
        }
    });
    HttpStream { status, headers, url, body: Box::pin(body) }
}

fn stalled(host: &str) -> HttpError {
    HttpError::Unknown(format!("`{host}` did not send its whole reply in time"))
}

/// Returns the headers of a reply, without secrets.
fn masked_headers(response: &Response, draft: &CheckedRequest) -> Vec<(String, String)> {
    let masker = &draft.filling.masker;
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str().to_owned(), masker.mask_header(value.as_bytes())));
    let mut headers: Vec<(String, String)> = headers.collect();
    set_missing_date(&mut headers);
    headers
}

/// Returns the URL that answered, without secrets.
fn answering_url(request: &HttpRequest, draft: &CheckedRequest, hop: &Hop) -> String {
    if hop.redirected { draft.filling.masker.mask_text(hop.url.to_string()) } else { template::display_url(request) }
}

/// Runs expensive work on a thread that may block.
async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Sets the `date` of a reply without a valid one to the time of arrival, so that dates in it are relative to now.
///
/// Source: RFC 9110 §6.6.1 requires this of a recipient with a clock.
fn set_missing_date(headers: &mut Vec<(String, String)>) {
    let mut dates = headers.iter().filter(|(name, _)| name == "date");
    if !dates.any(|(_, value)| httpdate::parse_http_date(value).is_ok()) {
        headers.retain(|(name, _)| name != "date");
        headers.push(("date".to_owned(), httpdate::fmt_http_date(SystemTime::now())));
    }
}
