//! Money that attempts cost: usage, budgets and reservations.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::money::{Amount, AttemptCost};
use crate::ports::Timestamp;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Keeps what attempts cost, and the budgets that limit it. Every method is one transaction. Days are those of UTC.
///
/// What an attempt has cost is added to the usage by the commit that ends it, see
/// [`Commit::charges`](super::Commit::charges).
#[async_trait]
pub trait Spending: Send + Sync {
    /// Reserves the most that an attempt can cost, before it is sent, if all budgets that concern it allow that:
    /// what counts against a budget is what was spent in its period, what is held because a cost is unknown, and all
    /// reservations. A reservation of the same owner replaces the earlier one. It ends with the commit that ends the
    /// attempt ([`Commit::ended_attempts`](super::Commit::ended_attempts)), with the job, or with the call
    /// ([`ProxiedCalls::end_proxied_call`](super::ProxiedCalls::end_proxied_call)).
    ///
    /// A store that several processes share may miss a budget that another process made less than 50 ms ago.
    async fn reserve_budget(&self, request: Reservation) -> Result<BudgetDecision, StoreError>;

    /// Lists the reservations of a job, by step.
    async fn list_reservations(&self, job: &str) -> Result<Vec<OpenReservation>, StoreError>;

    /// Returns what was spent, by group, currency and in this order.
    async fn read_usage(&self, filter: &UsageFilter) -> Result<Vec<UsageRow>, StoreError>;

    /// Lists all budgets by id, with what counts against each in its current period.
    async fn list_budgets(&self, now: Timestamp) -> Result<Vec<BudgetState>, StoreError>;

    /// Creates or replaces a budget.
    async fn put_budget(&self, budget: Budget) -> Result<(), StoreError>;

    /// Deletes a budget; returns whether it existed.
    async fn delete_budget(&self, id: &str) -> Result<bool, StoreError>;
}

/// What an attempt cost, as the commit that ends it records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptCharge {
    /// Id of the node; for calls through the proxy see [`ProxiedCall::usage_key`](super::ProxiedCall::usage_key).
    pub node_id: String,
    /// What the attempt cost.
    pub cost: AttemptCost,
    /// What counts against budgets instead of a cost that is not known: the most that the attempt can have cost.
    pub held: Amount,
}

/// A limit on what attempts may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Identifier, given by whoever creates it.
    pub id: String,
    /// Whose attempts it limits.
    pub scope: BudgetScope,
    /// How long it lasts, before it starts anew.
    pub period: BudgetPeriod,
    /// Currency of the amount; attempts that are priced in another currency do not count.
    pub currency: String,
    /// The most that may be spent in a period.
    pub amount: Amount,
    /// What happens to attempts whose highest cost is not declared.
    #[serde(default)]
    pub unknown_price: UnknownPrice,
}

/// Whose attempts a budget limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum BudgetScope {
    /// All attempts.
    All,
    /// Those of jobs that this user created, and of this user's calls through the proxy.
    User(String),
    /// Those of jobs that run this workflow.
    Workflow(String),
}

/// How long a budget lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetPeriod {
    /// A day of UTC.
    Day,
    /// A calendar month of UTC.
    Month,
}

/// What a budget does with attempts whose highest cost is not declared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum UnknownPrice {
    /// Refuses them: the budget cannot be exceeded.
    #[default]
    Refuse,
    /// Lets them pass: what they turn out to cost counts afterwards.
    Allow,
}

/// The request to reserve what an attempt may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Whose attempt it is.
    pub owner: AttemptOwner,
    /// What its cost is counted under: the id of the node.
    pub node_id: String,
    /// Currency of the node's price; `None` if it has none.
    pub currency: Option<String>,
    /// The most that the attempt can cost, if that is declared.
    pub amount: Option<Amount>,
    /// Time of the request.
    pub at: Timestamp,
}

/// What is reserved for an attempt of a job that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReservation {
    /// Ordinal of the step.
    pub step: u64,
    /// Id of the node.
    pub node_id: String,
    /// Currency of its price.
    pub currency: String,
    /// The most that the attempt can cost.
    pub amount: Amount,
}

/// Whose attempt a reservation is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptOwner {
    /// A step of a job.
    Step {
        /// Id of the job.
        job: String,
        /// Ordinal of the step.
        step: u64,
    },
    /// A call without a job; budgets of workflows do not concern it.
    Call {
        /// Id of the call.
        id: String,
        /// Id of the user who makes it.
        user: String,
    },
}

/// The answer to a [`Reservation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetDecision {
    /// The attempt may be sent.
    Granted,
    /// A budget does not leave enough.
    Exceeded {
        /// The budget.
        budget: Budget,
        /// What counts against it already.
        used: Amount,
    },
    /// A budget refuses attempts whose highest cost is not declared.
    UnknownPrice {
        /// The budget.
        budget: Budget,
    },
}

/// A budget and what counts against it in its current period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetState {
    /// The budget.
    pub budget: Budget,
    /// What was spent.
    pub spent: Amount,
    /// What is reserved for attempts that have not ended, or held because their cost is unknown.
    pub reserved: Amount,
}

/// What usage is summed up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum UsageGroup {
    /// By workflow; empty for runs of single nodes and of unsaved workflows, and for calls through the proxy.
    Workflow,
    /// By node; calls through the proxy that match no node are those of `proxy/CONNECTOR`.
    Node,
    /// By user who created the job or made the call.
    User,
    /// By day.
    Day,
}

/// Which usage is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageFilter {
    /// What it is summed up by.
    pub group: UsageGroup,
    /// Only that of this user.
    pub user: Option<String>,
    /// First day, see [`day_of`].
    pub from_day: i64,
    /// Last day.
    pub to_day: i64,
    /// Maximum number of rows.
    pub limit: u32,
}

/// What attempts of a group cost in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// Id of the workflow, node or user, or the number of the day ([`day_of`]).
    pub key: String,
    /// The currency.
    pub currency: String,
    /// The known part of what they cost.
    pub amount: Amount,
    /// Number of attempts.
    pub attempts: u64,
    /// Number of attempts whose cost is not known.
    pub unknown: u64,
}

/// Returns the number of the day of UTC that contains a time, counted from 1970-01-01.
pub fn day_of(moment: Timestamp) -> i64 {
    moment.0.div_euclid(DAY_MS)
}

/// Returns the number of the first day of the month that contains a time.
fn month_start_of(moment: Timestamp) -> i64 {
    // The day of the month is part of RFC 3339: `YYYY-MM-DDT…`.
    let text = Timestamp(day_of(moment).saturating_mul(DAY_MS)).to_rfc3339();
    let day_of_month: i64 = text.get(8..10).and_then(|digits| digits.parse().ok()).unwrap_or(1);
    day_of(moment) - (day_of_month - 1)
}

impl Budget {
    /// Returns the first day of the period that contains a time.
    pub fn first_day(&self, now: Timestamp) -> i64 {
        match self.period {
            BudgetPeriod::Day => day_of(now),
            BudgetPeriod::Month => month_start_of(now),
        }
    }

    /// Returns whether the budget limits attempts of jobs of a user and a workflow.
    pub fn limits_job(&self, user: Option<&str>, workflow: Option<&str>) -> bool {
        match &self.scope {
            BudgetScope::All => true,
            BudgetScope::User(id) => user == Some(id.as_str()),
            BudgetScope::Workflow(id) => workflow == Some(id.as_str()),
        }
    }

    /// Returns the user and the workflow whose usage counts; `None` for all.
    pub fn counted_subjects(&self) -> (Option<&str>, Option<&str>) {
        match &self.scope {
            BudgetScope::All => (None, None),
            BudgetScope::User(id) => (Some(id), None),
            BudgetScope::Workflow(id) => (None, Some(id)),
        }
    }

    /// Decides whether an attempt may be sent, if `used` counts against the budget; `None` if it may.
    pub fn refuse_attempt(&self, request: &Reservation, used: impl FnOnce() -> Amount) -> Option<BudgetDecision> {
        if request.currency.as_ref().is_some_and(|currency| *currency != self.currency) {
            return None;
        }
        let Some(amount) = request.amount else {
            return match self.unknown_price {
                UnknownPrice::Refuse => Some(BudgetDecision::UnknownPrice { budget: self.clone() }),
                UnknownPrice::Allow => self.refuse_amount(Amount::ZERO, used()),
            };
        };
        if amount == Amount::ZERO { None } else { self.refuse_amount(amount, used()) }
    }

    fn refuse_amount(&self, amount: Amount, used: Amount) -> Option<BudgetDecision> {
        let is_over = used.plus(amount) > self.amount || amount == Amount::ZERO && used >= self.amount;
        is_over.then(|| BudgetDecision::Exceeded { budget: self.clone(), used })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_rfc3339(text).expect("a time")
    }

    #[test]
    fn periods_begin_with_their_first_day() {
        let budget = |period| Budget {
            id: "b".to_owned(),
            scope: BudgetScope::All,
            period,
            currency: "USD".to_owned(),
            amount: Amount::ZERO,
            unknown_price: UnknownPrice::Refuse,
        };
        for (now, first_of_month) in [
            ("2026-02-28T23:59:59.999Z", "2026-02-01T00:00:00Z"),
            ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            ("2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(budget(BudgetPeriod::Month).first_day(at(now)), day_of(at(first_of_month)), "{now}");
            assert_eq!(budget(BudgetPeriod::Day).first_day(at(now)), day_of(at(now)), "{now}");
        }
    }
}
