//! Uploads files to a provider before a call refers to them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::Caller;
use crate::call::{CallError, CallPlan, ErrorClass, UploadedFile, from_http_error, rate_limit_key};
use crate::engine::Call;
use crate::ports::{HttpReply, HttpRequest, MediaForm, SentMedia, StoredUpload, Timestamp};

/// Maximum number of tries of one upload; it costs nothing.
const MAX_TRIES: u32 = 4;
/// Delay after the first try, in milliseconds; doubled each time.
const FIRST_PAUSE_MS: u64 = 500;
/// Time for which an upload must still exist when a call is sent that refers to it, in milliseconds.
const MIN_REMAINING_MS: u64 = 600_000;

/// The uploads that are under way in this process: each file is uploaded once, however many calls wait for it.
#[derive(Clone, Default)]
pub(crate) struct RunningUploads(Arc<Mutex<BTreeMap<String, Arc<AsyncMutex<()>>>>>);

impl RunningUploads {
    async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(key.to_owned()).or_default())
        };
        lock.lock_owned().await
    }
}

/// Uploads the files of a request that are sent as uploads; returns the request with what the provider returned for
/// them, or `None` if there are no such files.
///
/// # Errors
/// Why a file could not be uploaded; the request was not sent.
pub(super) async fn upload_files(
    caller: &mut Caller,
    call: &Call,
    plan: &CallPlan,
    request: &HttpRequest,
) -> Result<Option<HttpRequest>, CallError> {
    if request.media.iter().all(|used| used.form != MediaForm::Upload) {
        return Ok(None);
    }
    let mut ready = request.clone();
    let account = rate_limit_key(request);
    let until = uploads_until(call.deadline, request.timeout, caller.now());
    for index in 0..ready.media.len() {
        if ready.media[index].form != MediaForm::Upload {
            continue;
        }
        let media = ready.media[index].media.clone();
        let found = find_or_upload(caller, call, plan, &media, &account, until).await;
        let value = found.map_err(as_error_before_call)?;
        for used in ready.media.iter_mut().filter(|used| used.form == MediaForm::Upload && used.media == media) {
            used.form = MediaForm::Uploaded(value.clone());
        }
    }
    // After its deadline an attempt may be searched for, so nothing may be sent any more.
    let left_ms = call.deadline.since_ms(caller.now());
    if left_ms == 0 {
        let message = "not sent: the files of the call were uploaded, but its time limit is over";
        return Err(CallError::new(ErrorClass::Timeout, message));
    }
    ready.timeout = ready.timeout.min(Duration::from_millis(left_ms));
    Ok(Some(ready))
}

/// Returns when the uploads of an attempt must be over. The submit keeps its time limit, or half of what is left if the
/// attempt is shorter than that.
fn uploads_until(deadline: Timestamp, submit_timeout: Duration, now: Timestamp) -> Timestamp {
    let left_ms = deadline.since_ms(now);
    let submit_ms = u64::try_from(submit_timeout.as_millis()).unwrap_or(u64::MAX);
    now.plus_ms(left_ms.saturating_sub(submit_ms).max(left_ms / 2))
}

/// Returns the error of a call that was not sent: an outcome of the upload says nothing about the work, and the class of
/// an outcome would make the work appear to be paid.
fn as_error_before_call(mut error: CallError) -> CallError {
    error.class = match error.class {
        ErrorClass::Moderated => ErrorClass::InvalidInput,
        ErrorClass::SubmitUnknown
        | ErrorClass::OutputInvalid
        | ErrorClass::OutputTooLarge
        | ErrorClass::Cancelled
        | ErrorClass::ProviderFailed => ErrorClass::Unavailable,
        class @ (ErrorClass::Auth
        | ErrorClass::Payment
        | ErrorClass::InvalidInput
        | ErrorClass::NotFound
        | ErrorClass::RateLimited
        | ErrorClass::Unavailable
        | ErrorClass::Timeout
        | ErrorClass::Refused
        | ErrorClass::BudgetExceeded) => class,
    };
    error.message = format!("not sent: {}", error.message);
    error
}

async fn find_or_upload(
    caller: &mut Caller,
    call: &Call,
    plan: &CallPlan,
    media: &SentMedia,
    account: &str,
    until: Timestamp,
) -> Result<String, CallError> {
    let key = plan.upload_key(media, account);
    let (running, clock) = (caller.uploads.clone(), Arc::clone(&caller.clock));
    let _held = tokio::select! {
        held = running.lock(&key) => held,
        () = clock.sleep_until(until) => return Err(out_of_time()),
    };
    let needed_until = caller.now().plus_ms(MIN_REMAINING_MS);
    match caller.store.find_upload(&key).await {
        Ok(Some(known)) if known.expires_at > needed_until => return Ok(known.value),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, job = caller.job, "earlier uploads could not be read"),
    }
    let UploadedFile { value, expires_at } = upload_with_retry(caller, call, plan, media, until).await?;
    let stored = StoredUpload { key, value: value.clone(), expires_at };
    if let Err(error) = caller.store.record_upload(stored).await {
        tracing::warn!(%error, job = caller.job, "an upload could not be recorded; the file will be uploaded again");
    }
    Ok(value)
}

async fn upload_with_retry(
    caller: &mut Caller,
    call: &Call,
    plan: &CallPlan,
    media: &SentMedia,
    until: Timestamp,
) -> Result<UploadedFile, CallError> {
    let mut tries = 0;
    loop {
        let error = match upload_once(caller, call, plan, media, until).await {
            Ok(uploaded) => return Ok(uploaded),
            Err(error) => error,
        };
        tries += 1;
        let is_temporary =
            matches!(error.class, ErrorClass::Unavailable | ErrorClass::RateLimited | ErrorClass::Timeout);
        let pause = error.retry_after_ms().unwrap_or(FIRST_PAUSE_MS << tries);
        let again_at = caller.now().plus_ms(pause);
        if !is_temporary || tries >= MAX_TRIES || again_at >= until {
            return Err(error);
        }
        caller.clock.sleep_until(again_at).await;
    }
}

async fn upload_once(
    caller: &mut Caller,
    call: &Call,
    plan: &CallPlan,
    media: &SentMedia,
    until: Timestamp,
) -> Result<UploadedFile, CallError> {
    let started = match plan.upload_start_request(media) {
        Some(request) => Some(exchange(caller, call, plan, request?, until).await?),
        None => None,
    };
    let mut request = plan.upload_send_request(media, started.as_ref())?;
    // A large file takes as long as there is time.
    request.timeout = Duration::MAX;
    let sent = exchange(caller, call, plan, request, until).await?;
    plan.read_upload(started.as_ref(), &sent, caller.now())
}

async fn exchange(
    caller: &mut Caller,
    call: &Call,
    plan: &CallPlan,
    mut request: HttpRequest,
    until: Timestamp,
) -> Result<HttpReply, CallError> {
    let left_ms = until.since_ms(caller.now());
    if left_ms == 0 {
        return Err(out_of_time());
    }
    request.timeout = request.timeout.min(Duration::from_millis(left_ms));
    match caller.send(call, "upload", &request).await {
        Ok(reply) => match plan.upload_refusal(&reply) {
            None => Ok(reply),
            Some(error) => Err(error),
        },
        Err(error) => Err(from_http_error(&error, &request, true)),
    }
}

fn out_of_time() -> CallError {
    CallError::new(ErrorClass::Timeout, "the time limit for uploading the files of the call is over")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Timestamp, as_error_before_call, uploads_until};
    use crate::call::{CallError, ErrorClass};

    #[test]
    fn uploads_leave_the_submit_its_time() {
        for (deadline, submit_s, now, expected) in [
            (660_000, 60, 0, 600_000),
            (660_000, 60, 60_000, 600_000),
            // The module's own limit is shorter.
            (60_000, 60, 0, 30_000),
            (70_000, 60, 0, 35_000),
            (1_000, 60, 2_000, 2_000),
        ] {
            let until = uploads_until(Timestamp(deadline), Duration::from_secs(submit_s), Timestamp(now));
            assert_eq!(until, Timestamp(expected), "{deadline} {submit_s} {now}");
        }
    }

    #[test]
    fn no_upload_fails_like_work_that_is_paid() {
        for (class, expected) in [
            (ErrorClass::OutputInvalid, ErrorClass::Unavailable),
            (ErrorClass::OutputTooLarge, ErrorClass::Unavailable),
            (ErrorClass::ProviderFailed, ErrorClass::Unavailable),
            (ErrorClass::Moderated, ErrorClass::InvalidInput),
            (ErrorClass::Auth, ErrorClass::Auth),
            (ErrorClass::Timeout, ErrorClass::Timeout),
        ] {
            assert_eq!(as_error_before_call(CallError::new(class, "no")).class, expected, "{class:?}");
        }
    }
}
