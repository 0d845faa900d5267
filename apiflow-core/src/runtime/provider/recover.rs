//! Settling an attempt of unknown fate: the provider's own list says whether it took the work.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Caller;
use super::submit::accepted;
use crate::call::{CallPlan, ErrorClass, Operation, Recovery};
use crate::engine::{Answer, Call};
use crate::evaluate::request;
use crate::ports::HttpRequest;

/// Looks at the provider's list, at most.
const LOOKS: u32 = 4;
/// How long whoever was given work has to note that it is theirs, in milliseconds.
const SETTLING_MS: u64 = 500;
/// Pages of the list read in one look, at most.
const PAGES: u32 = 10;

/// Settles an attempt whose submit may or may not have arrived. Never sends the submit again.
pub(crate) async fn recover(caller: &mut Caller, call: &Call, arguments: Value) -> Answer {
    let plan = match caller.plan(&call.path) {
        Ok(plan) => plan,
        Err(error) => return Answer::Failed { error },
    };
    if plan.is_repeatable() {
        return Answer::Repeat;
    }
    let submitted = match request(&caller.job, &plan, call, &arguments) {
        Ok(submitted) => submitted,
        Err(error) => return Answer::Failed { error },
    };
    let mut taken = taken(caller).await;
    let mut seen = false;
    let mut look = 0;
    while look < LOOKS {
        match search(caller, &plan, call, &submitted, &taken).await {
            // Another attempt may have been given it this moment, and be about to note so.
            Search::Found(_) if !seen => {
                seen = true;
                caller.clock.sleep_until(caller.now().plus_ms(SETTLING_MS)).await;
            }
            Search::Found(operation) => {
                let Some(id) = operation.id.clone() else { break };
                if caller.follow(call, &submitted.url, &id).await {
                    return accepted(caller, call, &plan, &operation, 0);
                }
                taken.insert(id);
            }
            Search::Impossible => break,
            Search::NotYet => {
                let pause = caller.now().plus_ms(500 << look);
                look += 1;
                caller.clock.sleep_until(pause).await;
            }
        }
    }
    unknown(&submitted)
}

enum Search {
    Found(Box<Operation>),
    NotYet,
    Impossible,
}

/// The provider's ids that other steps and attempts of this job hold already.
async fn taken(caller: &Caller) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut after = 0;
    while let Ok(steps) = caller.store.steps(&caller.job, after, 500).await {
        let Some(last) = steps.last() else { break };
        after = last.ordinal;
        ids.extend(steps.into_iter().filter_map(|step| step.provider_id));
    }
    ids
}

async fn search(
    caller: &mut Caller,
    plan: &CallPlan,
    call: &Call,
    submitted: &HttpRequest,
    taken: &BTreeSet<String>,
) -> Search {
    let Some(Ok(mut list)) = plan.recover() else { return Search::Impossible };
    for _ in 0..PAGES {
        let Ok(reply) = caller.send(call, "recover", &list).await else { return Search::NotYet };
        match plan.read_recover(&reply, submitted, call.started_at, taken) {
            Recovery::Found(operation) => return Search::Found(Box::new(operation)),
            Recovery::More(next) => list = *next,
            Recovery::NotFound => return Search::NotYet,
            Recovery::Unreadable(_) => return Search::NotYet,
        }
    }
    Search::NotYet
}

fn unknown(submitted: &HttpRequest) -> Answer {
    let message = format!(
        "{} {} was sent, but whether the provider took the work is unknown; it was not sent again, because it could \
         be paid twice: look at the provider's list before you run the step again",
        submitted.method, submitted.url
    );
    let mut error = crate::call::CallError::new(ErrorClass::SubmitUnknown, message).to_object();
    error["url"] = json!(submitted.url);
    Answer::Failed { error }
}
