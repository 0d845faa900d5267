//! Settles an attempt of unknown fate: the provider's own list shows whether it accepted the work.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Caller;
use super::poll::{PollContext, Polled, RecoveryContext};
use super::submit::apply_operation_accepted;
use crate::call::{CallError, CallPlan, ErrorClass, Operation, RecoveryReading, from_http_error};
use crate::engine::{Answer, Call};
use crate::evaluate::{ValueCache, build_request, find_artifacts};
use crate::ports::{HttpRequest, StoreError, Timestamp};

/// Time for the owner of an attempt to record that a provider's work belongs to it, in milliseconds.
const CLAIM_DELAY_MS: u64 = 500;
/// Maximum number of pages that are read in one search.
const MAX_PAGES: u32 = 10;
/// Delay after the first search, in milliseconds; doubled each time.
const FIRST_PAUSE_MS: u64 = 500;
/// Maximum delay between two searches, in milliseconds.
const MAX_PAUSE_MS: u64 = 30_000;

/// Returns the answer to an attempt that was sent before its worker stopped: a search, or its end if the provider has
/// no list. Its submit may still be on its way until `arrives_until`.
pub(crate) fn search_interrupted(plan: &CallPlan, now: Timestamp, arrives_until: Timestamp) -> Answer {
    let settles_at = arrives_until.max(now);
    Answer::Undecided { settles_at, gives_up_at: gives_up_at(plan, now).max(settles_at) }
}

/// Returns the answer to an attempt whose connection was lost: a search, or its end if the provider has no list. Its
/// work may take `listing_delay_ms` to appear in the provider's list.
pub(crate) fn search_lost(plan: &CallPlan, now: Timestamp, listing_delay_ms: u64, submitted: &HttpRequest) -> Answer {
    if plan.recover_request().is_none() {
        return Answer::Failed { error: unknown_error(submitted, None) };
    }
    let settles_at = now.plus_ms(listing_delay_ms);
    Answer::Undecided { settles_at, gives_up_at: gives_up_at(plan, now).max(settles_at) }
}

/// Returns until when a provider that does not answer is asked: as long as its work may take.
fn gives_up_at(plan: &CallPlan, now: Timestamp) -> Timestamp {
    if plan.recover_request().is_some() { now.plus_ms(plan.recovery_timeout_ms()) } else { now }
}

/// Returns when an attempt is first searched for: immediately if the provider has a list, else when it counts as lost.
pub(crate) fn first_look_at(plan: Option<&CallPlan>, now: Timestamp, settles_at: Timestamp) -> Timestamp {
    if plan.is_some_and(|plan| plan.recover_request().is_some()) { now } else { settles_at }
}

/// Searches once for an attempt of unknown fate. Never sends its submit again.
///
/// # Errors
/// [`StoreError`] if the attempt's arguments or the work of other attempts cannot be read.
pub(crate) async fn recover_attempt(
    caller: &mut Caller,
    context: &PollContext,
    recovery: &RecoveryContext,
    effect: u64,
    tries: u32,
) -> Result<Polled, StoreError> {
    let call = context.to_call(effect);
    let plan = match caller.plan_at(&context.path) {
        Ok(plan) => plan,
        Err(error) => return Ok(Polled::Answered(Answer::Failed { error })),
    };
    let (settles_at, gives_up_at) = (recovery.search.settles_at, recovery.search.gives_up_at);
    if plan.is_repeatable() {
        return Ok(if caller.now() >= settles_at {
            Polled::Answered(Answer::Repeat)
        } else {
            Polled::Later { due_at: settles_at, progress: None, context: None }
        });
    }
    let arguments = ValueCache::new(Some(caller.store.clone()), &caller.job).resolve_reference(&recovery.args).await?;
    let artifacts = find_artifacts(caller.artifacts.as_ref(), (&caller.job, None), &plan, &arguments).await;
    let built = artifacts
        .and_then(|artifacts| build_request(&caller.job, &plan, &call, &arguments, &artifacts, caller.webhooks));
    let submitted = match built {
        Ok(submitted) => submitted,
        Err(error) => return Ok(Polled::Answered(Answer::Failed { error })),
    };
    // Before the list is read: work that is missing from it may still appear later.
    let looked_at = caller.now();
    let reason = match find_and_claim_work(caller, &plan, &call, &submitted).await? {
        Search::Found(operation) => {
            return Ok(Polled::Answered(apply_operation_accepted(caller, &call, &plan, *operation, 0)));
        }
        Search::Absent if looked_at >= settles_at => {
            return Ok(Polled::Answered(Answer::Failed { error: unknown_error(&submitted, None) }));
        }
        Search::Unreadable(reason) if looked_at >= gives_up_at => {
            let reason = Some(reason.message.as_str());
            return Ok(Polled::Answered(Answer::Failed { error: unknown_error(&submitted, reason) }));
        }
        Search::Absent => None,
        Search::Unreadable(reason) => Some(reason),
    };
    let hint = reason.and_then(|reason| reason.retry_after_ms()).unwrap_or_default();
    let pause = (FIRST_PAUSE_MS << tries.min(16)).min(MAX_PAUSE_MS).max(hint);
    let next = if looked_at < settles_at { settles_at } else { gives_up_at };
    let due_at = caller.now().plus_ms(pause).min(next).max(caller.now().plus_ms(1));
    Ok(Polled::Later { due_at, progress: None, context: None })
}

/// The outcome of searching the provider's list.
enum Search {
    Found(Box<Operation>),
    /// The whole list was read and does not contain the work.
    Absent,
    /// The list could not be read, so nothing is known.
    Unreadable(CallError),
}

/// Searches for work that belongs to no other attempt, and records that it belongs to this one.
async fn find_and_claim_work(
    caller: &mut Caller,
    plan: &CallPlan,
    call: &Call,
    submitted: &HttpRequest,
) -> Result<Search, StoreError> {
    let mut taken = provider_ids(caller).await?;
    let mut seen = false;
    loop {
        match search_list(caller, plan, call, submitted, &taken).await {
            // It may belong to another attempt that is about to record it.
            Search::Found(_) if !seen => {
                seen = true;
                caller.clock.sleep_until(caller.now().plus_ms(CLAIM_DELAY_MS)).await;
            }
            Search::Found(operation) => {
                let Some(id) = operation.id.clone() else { return Ok(Search::Absent) };
                if caller.claim_work(call, &submitted.url, &id).await? {
                    return Ok(Search::Found(operation));
                }
                taken.insert(id);
            }
            Search::Absent => return Ok(Search::Absent),
            Search::Unreadable(reason) => return Ok(Search::Unreadable(reason)),
        }
    }
}

/// Returns the provider's ids that other steps and attempts of this job have.
async fn provider_ids(caller: &Caller) -> Result<BTreeSet<String>, StoreError> {
    let mut ids = BTreeSet::new();
    let mut after = 0;
    loop {
        let steps = caller.store.list_steps(&caller.job, after, 500).await?;
        let Some(last) = steps.last() else { return Ok(ids) };
        after = last.ordinal;
        ids.extend(steps.into_iter().filter_map(|step| step.provider_id));
    }
}

async fn search_list(
    caller: &mut Caller,
    plan: &CallPlan,
    call: &Call,
    submitted: &HttpRequest,
    taken: &BTreeSet<String>,
) -> Search {
    let mut list = match plan.recover_request() {
        // Without a list, it stays unknown what the provider has.
        None => return Search::Absent,
        Some(Err(error)) => return Search::Unreadable(error),
        Some(Ok(list)) => list,
    };
    for _ in 0..MAX_PAGES {
        let reply = match caller.send(call, "recover", &list).await {
            Ok(reply) => reply,
            Err(error) => return Search::Unreadable(from_http_error(&error, &list, true)),
        };
        match plan.read_recover(&reply, submitted, call.started_at, taken) {
            RecoveryReading::Found(operation) => return Search::Found(Box::new(operation)),
            RecoveryReading::More(next) => list = *next,
            RecoveryReading::NotFound => return Search::Absent,
            RecoveryReading::Unreadable(reason) => return Search::Unreadable(reason),
        }
    }
    let message = format!("the provider's list of operations has more than {MAX_PAGES} pages");
    Search::Unreadable(CallError::new(ErrorClass::OutputInvalid, message))
}

fn unknown_error(submitted: &HttpRequest, unreadable: Option<&str>) -> Value {
    let asked = match unreadable {
        Some(reason) => format!("; the provider's list of operations could not be read ({reason})"),
        None => String::new(),
    };
    let message = format!(
        "{} {} was sent, but whether the provider took the work is unknown{asked}; it was not sent again, because it \
         could be paid twice: check the provider's list of operations, or recover the step, before you run it again",
        submitted.method, submitted.url
    );
    let mut error = CallError::new(ErrorClass::SubmitUnknown, message).to_object();
    error["url"] = json!(submitted.url);
    error
}
