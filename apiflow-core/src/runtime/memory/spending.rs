//! Usage, budgets and reservations of the memory store.

use std::collections::BTreeMap;

use super::proxied_calls::owner_of_call;
use super::state::StoreState;
use crate::money::Amount;
use crate::ports::{
    AttemptCharge, AttemptOwner, Budget, BudgetDecision, BudgetState, JobRow, OpenReservation, Reservation, Timestamp,
    UsageFilter, UsageGroup, UsageRow, day_of,
};

/// Everything about money.
#[derive(Default)]
pub(super) struct SpendingTable {
    budgets: BTreeMap<String, Budget>,
    usage: BTreeMap<UsageKey, UsageSum>,
    /// By job or call, and step.
    reservations: BTreeMap<(String, u64), Reserved>,
}

/// Whose attempts are counted: user and workflow.
#[derive(Clone, Default)]
pub(super) struct ChargedSubjects {
    pub(super) user: Option<String>,
    pub(super) workflow: Option<String>,
}

impl ChargedSubjects {
    /// Those of a job's attempts.
    pub(super) fn of_job(job: &JobRow) -> Self {
        Self { user: job.created_by.clone(), workflow: job.workflow_id.clone() }
    }
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
    subjects: ChargedSubjects,
    node_id: String,
    currency: String,
    amount: Amount,
}

impl SpendingTable {
    /// Adds what attempts cost.
    pub(super) fn add_charges(
        &mut self,
        subjects: &ChargedSubjects,
        at: Timestamp,
        charges: impl IntoIterator<Item = AttemptCharge>,
    ) {
        for AttemptCharge { node_id, cost, held } in charges {
            let key = UsageKey {
                day: day_of(at),
                user: subjects.user.clone().unwrap_or_default(),
                workflow: subjects.workflow.clone().unwrap_or_default(),
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

    fn reserve(&mut self, subjects: ChargedSubjects, request: Reservation) -> BudgetDecision {
        let key = match &request.owner {
            AttemptOwner::Step { job, step } => (job.clone(), *step),
            AttemptOwner::Call { id, .. } => (owner_of_call(id), 0),
        };
        let (user, workflow) = (&subjects.user, &subjects.workflow);
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
            self.reservations.insert(key, Reserved { subjects, node_id: request.node_id, currency, amount });
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
            let (user, workflow) = (open.subjects.user.as_deref(), open.subjects.workflow.as_deref());
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
        let subjects = match &request.owner {
            AttemptOwner::Step { job, .. } => {
                self.find_job(job).map(|job| ChargedSubjects::of_job(&job.row)).unwrap_or_default()
            }
            AttemptOwner::Call { user, .. } => ChargedSubjects { user: Some(user.clone()), workflow: None },
        };
        self.spending.reserve(subjects, request)
    }

    pub(super) fn list_reservations(&self, job: &str) -> Vec<OpenReservation> {
        let open = self.spending.reservations.iter().filter(|((owner, _), _)| owner == job);
        open.map(|((_, step), reserved)| OpenReservation {
            step: *step,
            node_id: reserved.node_id.clone(),
            currency: reserved.currency.clone(),
            amount: reserved.amount,
        })
        .collect()
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
