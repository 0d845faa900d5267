//! Counts callers' requests that are passed on to a provider: they need a slot of the connector's limits, respect the
//! provider's rate limit and budgets, and are recorded with their cost.
//!
//! Architecture invariant: a call that has a slot, a reservation or a record at work is an [`OpenCall`]. It ends with it,
//! also if it is dropped; if the process dies, it ends with its lease.

mod open_call;

use std::time::Duration;

pub use self::open_call::{OpenCall, PassedEnd};
use super::provider::explain_refusal;
use super::{Inner, Runtime};
use crate::call::{Price, rate_limit_key};
use crate::money::{Amount, AttemptCost};
use crate::ports::{
    AttemptCharge, AttemptOwner, HttpRequest, ProxiedCall, Reservation, SlotWaiter, StoreError, SubmitLimits,
    SubmitSlotRequest, Timestamp,
};

/// How often a call asks for its slot. Slots that this process gives are noticed at once.
const SLOT_INTERVAL: Duration = Duration::from_millis(500);
/// When a refused call is worth repeating, if the limits do not say, in milliseconds.
const RETRY_SLOT_MS: u64 = 2_000;

/// A request to pass on.
#[derive(Debug, Clone)]
pub struct CallToPass {
    /// What is recorded of it, at its start.
    pub call: ProxiedCall,
    /// Whether it may start work: such a request takes a slot, and budgets concern it. Others only ask for something.
    pub is_submit: bool,
    /// The connector's limits.
    pub limits: Option<SubmitLimits>,
    /// What it may cost.
    pub price: Option<ProxiedPrice>,
    /// How long it may wait for a slot, or for the end of the provider's rate limit.
    pub max_wait: Duration,
}

/// The price of a request that is passed on.
#[derive(Debug, Clone)]
pub struct ProxiedPrice {
    /// The rule; the most expensive one if several may apply.
    pub price: Price,
    /// Whether rules that differ may apply, so that only the most that it can cost is known.
    pub is_ambiguous: bool,
}

/// Why a request is not passed on; nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallRefusal {
    /// The connector's limits leave no slot, or the provider's rate limit lasts too long.
    RateLimited {
        /// Why the call was refused.
        message: String,
        /// When the request is worth repeating.
        retry_after: Duration,
    },
    /// A budget does not allow it; contains the reason.
    BudgetExceeded(String),
    /// The store is unavailable.
    Store(StoreError),
}

impl From<StoreError> for CallRefusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl ProxiedPrice {
    /// The price that a connector declares for all of its requests.
    pub fn of_connector(price: Price) -> Self {
        Self { price, is_ambiguous: false }
    }

    fn highest_amount(&self) -> Option<Amount> {
        self.price.highest_amount()
    }

    /// Returns what is charged if the fate of the call stays unknown.
    fn charge_of_unknown(&self, call: &ProxiedCall) -> AttemptCharge {
        AttemptCharge {
            node_id: call.usage_key(),
            cost: AttemptCost { currency: self.price.currency().to_owned(), amount: None },
            held: self.highest_amount().unwrap_or_default(),
        }
    }
}

impl Runtime {
    /// Admits a request that is about to be passed on: waits for a slot of its limits and for the end of the provider's
    /// rate limit, and reserves what it may cost. `request` is what will be sent.
    ///
    /// # Errors
    /// [`CallRefusal`], which has been recorded; the request must not be sent.
    pub async fn admit_call(&self, to_pass: CallToPass, request: &HttpRequest) -> Result<OpenCall, CallRefusal> {
        let limit = rate_limit_key(request);
        let CallToPass { call, is_submit, limits, price, max_wait } = to_pass;
        let mut open = OpenCall::new(self.inner.clone(), call, price, limit.clone());
        if !is_submit {
            open.begin().await?;
            return Ok(open);
        }
        let wait = SlotWait { inner: &self.inner, limit: &limit, limits, max_wait };
        let admitted = match wait.wait_for_turn(open.call()).await {
            Ok(()) => match open.begin().await {
                Ok(()) => reserve_budget(&self.inner, &open).await,
                Err(error) => Err(error.into()),
            },
            Err(refusal) => Err(refusal),
        };
        match admitted {
            Ok(()) => Ok(open),
            Err(refusal) => {
                open.refuse(&refusal).await;
                Err(refusal)
            }
        }
    }

    /// Records a request that was refused for another reason; a failure is only logged.
    pub async fn record_refused_call(&self, call: ProxiedCall) {
        if let Err(error) = self.inner.parts.store.end_proxied_call(call, None).await {
            tracing::warn!(%error, "a refused call could not be recorded");
        }
    }
}

/// Reserves the most that the call can cost.
async fn reserve_budget(inner: &Inner, open: &OpenCall) -> Result<(), CallRefusal> {
    let price = open.price();
    let amount = price.and_then(ProxiedPrice::highest_amount);
    let call = open.call();
    let request = Reservation {
        owner: AttemptOwner::Call { id: call.id.clone(), user: call.user.clone() },
        node_id: call.usage_key(),
        currency: price.map(|price| price.price.currency().to_owned()),
        amount,
        at: inner.parts.clock.now(),
    };
    let decision = inner.parts.store.reserve_budget(request).await?;
    explain_refusal(&decision, amount).map_or(Ok(()), |reason| Err(CallRefusal::BudgetExceeded(reason)))
}

/// A call that waits for its turn.
struct SlotWait<'a> {
    inner: &'a Inner,
    limit: &'a str,
    limits: Option<SubmitLimits>,
    max_wait: Duration,
}

impl SlotWait<'_> {
    /// Waits until the provider's rate limit has ended and the call has a slot.
    async fn wait_for_turn(&self, call: &ProxiedCall) -> Result<(), CallRefusal> {
        let (store, clock) = (&self.inner.parts.store, &self.inner.parts.clock);
        let deadline = clock.now().plus_ms(u64::try_from(self.max_wait.as_millis()).unwrap_or(u64::MAX));
        let mut has_waited = false;
        loop {
            if let Some(pause) = store.read_submit_pause(self.limit).await? {
                let end = clock.now().plus_ms(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
                if end > deadline {
                    let message =
                        format!("not sent: the provider's rate limit lasts for another {} ms", pause.as_millis());
                    return Err(CallRefusal::RateLimited { message, retry_after: pause });
                }
                clock.sleep_until(end).await;
                continue;
            }
            let Some(limits) = self.limits else { return Ok(()) };
            self.inner.note_submit_limits();
            if store.request_submit_slot(self.request_for(call, limits)).await? {
                // A rate limit may have been reported while the call waited.
                if !std::mem::take(&mut has_waited) {
                    return Ok(());
                }
                continue;
            }
            has_waited = true;
            if clock.now() >= deadline {
                return Err(self.out_of_time(limits));
            }
            self.wait_for_slot(&call.id, deadline).await?;
        }
    }

    /// Waits until the call has its slot, or should ask again.
    async fn wait_for_slot(&self, call: &str, deadline: Timestamp) -> Result<(), StoreError> {
        let left = Duration::from_millis(deadline.since_ms(self.inner.parts.clock.now()));
        let pause = tokio::time::sleep(SLOT_INTERVAL.min(left));
        tokio::pin!(pause);
        loop {
            // Created first: slots that are given meanwhile wake it.
            let given = self.inner.slots_given.notified();
            if self.inner.parts.store.holds_submit_slot(call).await? {
                return Ok(());
            }
            tokio::select! {
                () = given => {}
                () = &mut pause => return Ok(()),
            }
        }
    }

    fn request_for(&self, call: &ProxiedCall, limits: SubmitLimits) -> SubmitSlotRequest {
        let waiter =
            SlotWaiter::Call { id: call.id.clone(), user: call.user.clone(), lease: self.inner.settings.lease };
        SubmitSlotRequest { key: self.limit.to_owned(), limits, waiter }
    }

    fn out_of_time(&self, limits: SubmitLimits) -> CallRefusal {
        let message = format!(
            "not sent: the connector's `limits` left no slot within {} ms: repeat the request later, or raise the limits",
            self.max_wait.as_millis()
        );
        let longest = u64::try_from(self.max_wait.as_millis()).unwrap_or(u64::MAX).max(RETRY_SLOT_MS);
        let retry_after_ms = limits.window_ms().unwrap_or(RETRY_SLOT_MS).min(longest);
        CallRefusal::RateLimited { message, retry_after: Duration::from_millis(retry_after_ms) }
    }
}
