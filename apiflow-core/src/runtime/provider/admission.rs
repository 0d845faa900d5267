//! Admits a submit: its connector's limits must leave a slot, and all budgets must allow what it may cost.

use super::Caller;
use super::submit::{STORE_RETRY_MS, not_accepted};
use crate::call::{CallError, CallPlan, ErrorClass, Price};
use crate::engine::{Answer, Call, Fact};
use crate::money::Amount;
use crate::ports::{
    AttemptOwner, Budget, BudgetDecision, BudgetPeriod, BudgetScope, Reservation, SlotWaiter, StoreError,
    SubmitSlotRequest,
};
use crate::runtime::inbox_payload::InboxPayload;

/// Returns the answer to an attempt that must not be sent now, if so.
pub(super) async fn admit_submit(caller: &mut Caller, call: &Call, plan: &CallPlan, limit: &str) -> Option<Answer> {
    if let Some(answer) = take_slot(caller, call, plan, limit).await {
        return Some(answer);
    }
    reserve_budget(caller, call, plan).await
}

/// Takes a slot of the connector's limits, or queues the call for one.
async fn take_slot(caller: &mut Caller, call: &Call, plan: &CallPlan, limit: &str) -> Option<Answer> {
    let limits = plan.submit_limits()?;
    let waiter = SlotWaiter::Step {
        job: caller.job.clone(),
        step: call.step,
        message: InboxPayload::from(Fact::SlotGranted { step: call.step }).to_json(),
    };
    let request = SubmitSlotRequest { key: limit.to_owned(), limits, waiter };
    match caller.store.request_submit_slot(request).await {
        Ok(true) => None,
        Ok(false) => {
            let reason = "not sent yet: the call waits for a slot of its connector's `limits`";
            caller.note_unsent(call, reason);
            let error = CallError::new(ErrorClass::RateLimited, reason).to_object();
            Some(Answer::NotAccepted { error, patience_ms: u64::MAX, sent: false, waits_for_slot: true })
        }
        Err(error) => Some(postpone_for_store(caller, call, plan, &error)),
    }
}

/// Reserves what the attempt may cost.
async fn reserve_budget(caller: &mut Caller, call: &Call, plan: &CallPlan) -> Option<Answer> {
    let price = plan.price();
    let amount = price.and_then(Price::highest_amount);
    let request = Reservation {
        owner: AttemptOwner::Step { job: caller.job.clone(), step: call.step },
        node_id: node_of_path(&call.path),
        currency: price.map(|price| price.currency().to_owned()),
        amount,
        at: caller.now(),
    };
    let message = match caller.store.reserve_budget(request).await {
        Ok(decision) => explain_refusal(&decision, amount)?,
        Err(error) => return Some(postpone_for_store(caller, call, plan, &error)),
    };
    caller.note_unsent(call, &message);
    Some(Answer::Failed { error: CallError::new(ErrorClass::BudgetExceeded, message).to_object() })
}

/// Returns the id of the node at a module's path.
pub(in crate::runtime) fn node_of_path(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Explains why a budget does not allow an attempt that may cost `amount`, if so.
pub(in crate::runtime) fn explain_refusal(decision: &BudgetDecision, amount: Option<Amount>) -> Option<String> {
    match decision {
        BudgetDecision::Granted => None,
        BudgetDecision::Exceeded { budget, used } => {
            let wanted = match amount {
                Some(amount) => format!("the call may cost {amount} {}", budget.currency),
                None => "it is used up".to_owned(),
            };
            Some(format!(
                "not sent: {} allows {} {}, of which {used} are spent or reserved, and {wanted}: raise the budget, or \
                 wait for its next period",
                describe_budget(budget),
                budget.amount,
                budget.currency,
            ))
        }
        BudgetDecision::UnknownPrice { budget } => Some(format!(
            "not sent: {} refuses calls whose highest cost is not declared: give the node a `price` with `per_call` or \
             `max`, or set `unknown_price` of the budget to `allow`",
            describe_budget(budget)
        )),
    }
}

fn describe_budget(budget: &Budget) -> String {
    let period = match budget.period {
        BudgetPeriod::Day => "daily",
        BudgetPeriod::Month => "monthly",
    };
    match &budget.scope {
        BudgetScope::All => format!("the {period} budget `{}`", budget.id),
        BudgetScope::User(_) => format!("the user's {period} budget `{}`", budget.id),
        BudgetScope::Workflow(workflow) => format!("the {period} budget `{}` of workflow `{workflow}`", budget.id),
    }
}

fn postpone_for_store(caller: &mut Caller, call: &Call, plan: &CallPlan, error: &StoreError) -> Answer {
    tracing::warn!(%error, job = caller.job, "limits and budgets could not be read; nothing is sent");
    let reason = "not sent: the store is unavailable";
    caller.note_unsent(call, reason);
    let error = CallError::new(ErrorClass::Unavailable, reason).with_detail("retry_after_ms", STORE_RETRY_MS);
    not_accepted(plan, &error, false)
}
