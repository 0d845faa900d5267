//! What calls cost: usage and budgets.

use std::collections::BTreeMap;

use apiflow_core::money::Amount;
use apiflow_core::ports::{BudgetPeriod, UnknownPrice, UsageGroup};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What attempts cost that ended within a time, summed up.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Usage {
    /// What it is summed up by.
    pub by: UsageGroup,
    /// First day (UTC), as `YYYY-MM-DD`.
    #[schema(format = Date)]
    pub from: String,
    /// Last day (UTC), as `YYYY-MM-DD`.
    #[schema(format = Date)]
    pub to: String,
    /// The sums, sorted by key.
    pub items: Vec<UsageItem>,
}

/// What attempts of one workflow, node, user or day cost. Only nodes with a `price` count.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UsageItem {
    /// Id of the workflow, node or user, or the day; empty for jobs without a workflow or a user.
    pub key: String,
    /// The known amounts by currency, as decimal strings.
    #[schema(value_type = BTreeMap<String, String>)]
    pub amounts: BTreeMap<String, Amount>,
    /// Number of attempts.
    pub attempts: u64,
    /// Number of attempts whose cost is not known.
    pub unknown: u64,
}

/// A limit on what calls may cost.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBudget {
    /// Whose calls it limits.
    pub scope: Scope,
    /// Id of the user or workflow; none for `all`.
    #[serde(default)]
    pub subject: Option<String>,
    /// How long it lasts before it starts anew (UTC).
    pub period: BudgetPeriod,
    /// Its currency; calls that are priced in another one do not count.
    pub currency: String,
    /// The most that may be spent in a period: a decimal number that is not negative.
    #[schema(value_type = String)]
    pub amount: Amount,
    /// What happens to calls whose highest cost is not declared (default: refuse).
    #[serde(default, deserialize_with = "super::null_as_default")]
    #[schema(value_type = Option<UnknownPrice>)]
    pub unknown_price: UnknownPrice,
}

/// Whose calls a budget limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BudgetScope)]
pub enum Scope {
    /// All calls.
    All,
    /// Those of jobs that a user created.
    User,
    /// Those of jobs that run a workflow.
    Workflow,
}

/// A budget and what counts against it in its current period.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Budget {
    /// Its identifier.
    pub id: String,
    /// Whose calls it limits.
    pub scope: Scope,
    /// Id of the user or workflow; null for `all`.
    #[schema(required)]
    pub subject: Option<String>,
    /// How long it lasts before it starts anew (UTC).
    pub period: BudgetPeriod,
    /// Its currency.
    pub currency: String,
    /// The most that may be spent in a period.
    #[schema(value_type = String)]
    pub amount: Amount,
    /// What happens to calls whose highest cost is not declared.
    pub unknown_price: UnknownPrice,
    /// What was spent in the current period.
    #[schema(value_type = String)]
    pub spent: Amount,
    /// What is reserved for calls at work, or held because their cost is not known.
    #[schema(value_type = String)]
    pub reserved: Amount,
}
