//! Usage, budgets and reservations of the memory store.

use std::collections::BTreeMap;

use super::state::StoreState;
use crate::money::Amount;
use crate::ports::{
    AttemptCharge, Budget, BudgetDecision, BudgetState, JobRow, Reservation, Timestamp, UsageFilter, UsageGroup,
    UsageRow, day_of,
};

/// Everything about money.
#[derive(Default)]
pub(super) struct SpendingTable {
    budgets: BTreeMap<String, Budget>,
    usage: BTreeMap<UsageKey, UsageSum>,
    /// By job and step.
    reservations: BTreeMap<(String, u64), Reserved>,
}

/// What usage is kept by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct UsageKey {
    day: i64,
    user: String,
    workflow: String,
    node: String,
    currency: String,
}

#[derive(Default)]
struct UsageSum {
    amount: Amount,
    held: Amount,
    attempts: u64,
    unknown: u64,
}

struct Reserved {
    user: Option<String>,
    workflow: Option<String>,
    currency: String,
    amount: Amount,
}

impl SpendingTable {
    /// Adds what attempts of a job cost.
    pub(super) fn add_charges(&mut self, job: &JobRow, at: Timestamp, charges: Vec<AttemptCharge>) {
        for AttemptCharge { node_id, cost, held } in charges {
            let key = UsageKey {
                day: day_of(at),
                user: job.created_by.clone().unwrap_or_default(),
                workflow: job.workflow_id.clone().unwrap_or_default(),
                node: node_id,
                currency: cost.currency,
            };
            let sum = self.usage.entry(key).or_default();
            sum.attempts += 1;
            match cost.amount {
                Some(amount) => sum.amount = sum.amount.plus(amount),
                None => {
                    sum.held = sum.held.plus(held);
                    sum.unknown += 1;
                }
            }
        }
    }

    /// Ends the reservations of steps, or of a whole job.
    pub(super) fn end_reservations(&mut self, job: &str, steps: Option<&[u64]>) {
        self.reservations.retain(|(owner, step), _| owner != job || steps.is_some_and(|steps| !steps.contains(step)));
    }

    fn reserve(&mut self, job: Option<&JobRow>, request: Reservation) -> BudgetDecision {
        let (user, workflow) = job.map_or((None, None), |row| (row.created_by.clone(), row.workflow_id.clone()));
        let key = (request.job.clone(), request.step);
        self.reservations.remove(&key);
        let refusal =
            self.budgets.values().filter(|budget| budget.limits_job(user.as_deref(), workflow.as_deref())).find_map(
                |budget| {
                    budget.refuse_attempt(&request, || {
                        let state = self.state_of(budget, request.at);
                        state.spent.plus(state.reserved)
                    })
                },
            );
        if let Some(refusal) = refusal {
            return refusal;
        }
        if let (Some(currency), Some(amount)) = (request.currency, request.amount) {
            self.reservations.insert(key, Reserved { user, workflow, currency, amount });
        }
        BudgetDecision::Granted
    }

    /// Returns what counts against a budget.
    fn state_of(&self, budget: &Budget, now: Timestamp) -> BudgetState {
        let (user, workflow) = budget.counted_subjects();
        let is_counted = |its_user: &str, its_workflow: &str, currency: &str| {
            user.is_none_or(|user| user == its_user)
                && workflow.is_none_or(|workflow| workflow == its_workflow)
                && currency == budget.currency
        };
        let first_day = budget.first_day(now);
        let usage = self
            .usage
            .iter()
            .filter(|(key, _)| key.day >= first_day && is_counted(&key.user, &key.workflow, &key.currency));
        let (mut spent, mut reserved) = (Amount::ZERO, Amount::ZERO);
        for (_, sum) in usage {
            spent = spent.plus(sum.amount);
            reserved = reserved.plus(sum.held);
        }
        for open in self.reservations.values() {
            let (user, workflow) = (open.user.as_deref(), open.workflow.as_deref());
            if is_counted(user.unwrap_or_default(), workflow.unwrap_or_default(), &open.currency) {
                reserved = reserved.plus(open.amount);
            }
        }
        BudgetState { budget: budget.clone(), spent, reserved }
    }

    fn read_usage(&self, filter: &UsageFilter) -> Vec<UsageRow> {
        let mut rows: BTreeMap<(String, String), UsageRow> = BTreeMap::new();
        for (key, sum) in &self.usage {
            let is_of_user = filter.user.as_ref().is_none_or(|user| *user == key.user);
            if !is_of_user || !(filter.from_day..=filter.to_day).contains(&key.day) {
                continue;
            }
            let group = match filter.group {
                UsageGroup::Workflow => key.workflow.clone(),
                UsageGroup::Node => key.node.clone(),
                UsageGroup::User => key.user.clone(),
                UsageGroup::Day => key.day.to_string(),
            };
            let row = rows.entry((group.clone(), key.currency.clone())).or_insert_with(|| UsageRow {
                key: group,
                currency: key.currency.clone(),
                amount: Amount::ZERO,
                attempts: 0,
                unknown: 0,
            });
            row.amount = row.amount.plus(sum.amount);
            row.attempts += sum.attempts;
            row.unknown += sum.unknown;
        }
        rows.into_values().take(filter.limit as usize).collect()
    }
}

impl StoreState {
    pub(super) fn reserve_budget(&mut self, request: Reservation) -> BudgetDecision {
        let job = self.find_job(&request.job).map(|job| job.row.clone());
        self.spending.reserve(job.as_ref(), request)
    }

    pub(super) fn read_usage(&self, filter: &UsageFilter) -> Vec<UsageRow> {
        self.spending.read_usage(filter)
    }

    pub(super) fn list_budgets(&self, now: Timestamp) -> Vec<BudgetState> {
        self.spending.budgets.values().map(|budget| self.spending.state_of(budget, now)).collect()
    }

    pub(super) fn put_budget(&mut self, budget: Budget) {
        self.spending.budgets.insert(budget.id.clone(), budget);
    }

    pub(super) fn delete_budget(&mut self, id: &str) -> bool {
        self.spending.budgets.remove(id).is_some()
    }
}
