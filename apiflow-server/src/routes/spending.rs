//! Routes of usage and budgets.

use std::collections::BTreeMap;

use apiflow_core::ports::{Budget as BudgetRow, BudgetScope, BudgetState, Timestamp, UsageFilter, UsageGroup, day_of};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{Budget, NewBudget, Page, Scope, Usage, UsageItem};
use crate::http::extract::{InPath, InQuery, JsonBody};
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::{Admin, Caller};

/// Maximum number of sums, by group and currency, in one reply.
const MAX_USAGE_ROWS: u32 = 10_000;
/// Default number of days before today whose usage is read.
const DEFAULT_USAGE_DAYS: i64 = 29;
const DAY_MS: i64 = 86_400_000;

/// Returns the routes of usage and budgets.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(read_usage))
        .routes(routes!(list_budgets))
        .routes(routes!(put_budget, delete_budget))
}

/// Which usage to sum up, and by what.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UsageQuery {
    /// What to sum up by (default: workflow).
    by: Option<UsageGroup>,
    /// First day (UTC): `YYYY-MM-DD` (default: 29 days ago).
    #[param(format = Date)]
    from: Option<String>,
    /// Last day (UTC): `YYYY-MM-DD` (default: today).
    #[param(format = Date)]
    to: Option<String>,
    /// Only the usage of this user; others than the caller for admins only.
    user: Option<String>,
}

/// Sums up what calls cost: the caller's own, or everyone's for admins.
#[utoipa::path(get, path = "/usage", operation_id = "get_usage", tag = "usage", params(UsageQuery),
    responses((status = OK, description = "the sums", body = Usage)))]
async fn read_usage(
    State(state): State<AppState>,
    caller: Caller,
    InQuery(query): InQuery<UsageQuery>,
) -> Result<Json<Usage>, Problem> {
    let user = match query.user {
        user if caller.user.is_admin => user,
        None => Some(caller.user.id.clone()),
        Some(user) if user == caller.user.id => Some(user),
        Some(_) => return Err(Problem::forbidden("only admins may read the usage of other users")),
    };
    let today = day_of(state.clock.now());
    let to_day = query.to.as_deref().map_or(Ok(today), |text| parse_day("to", text))?;
    let from_day = query.from.as_deref().map_or(Ok(to_day - DEFAULT_USAGE_DAYS), |text| parse_day("from", text))?;
    let group = query.by.unwrap_or(UsageGroup::Workflow);
    let filter = UsageFilter { group, user, from_day, to_day, limit: MAX_USAGE_ROWS + 1 };
    let rows = state.store.read_usage(&filter).await?;
    if rows.len() > MAX_USAGE_ROWS as usize {
        let message = format!("the usage has more than {MAX_USAGE_ROWS} sums: ask for fewer days, or for one user");
        return Err(Problem::malformed(message));
    }
    let mut items: BTreeMap<String, UsageItem> = BTreeMap::new();
    for row in rows {
        let key = match group {
            UsageGroup::Day => row.key.parse().map_or(row.key, show_day),
            UsageGroup::Workflow | UsageGroup::Node | UsageGroup::User => row.key,
        };
        let item = items.entry(key.clone()).or_insert_with(|| UsageItem {
            key,
            amounts: BTreeMap::new(),
            attempts: 0,
            unknown: 0,
        });
        if row.attempts > row.unknown {
            item.amounts.insert(row.currency, row.amount);
        }
        item.attempts += row.attempts;
        item.unknown += row.unknown;
    }
    let items = items.into_values().collect();
    Ok(Json(Usage { by: group, from: show_day(from_day), to: show_day(to_day), items }))
}

/// Lists budgets with what counts against them; admins only.
#[utoipa::path(get, path = "/budgets", operation_id = "list_budgets", tag = "usage",
    responses((status = OK, description = "all budgets, sorted by id", body = Page<Budget>)))]
async fn list_budgets(State(state): State<AppState>, _admin: Admin) -> Result<Json<Page<Budget>>, Problem> {
    let states = state.store.list_budgets(state.clock.now()).await?;
    Ok(Json(Page { items: states.into_iter().map(show_budget).collect(), next: None }))
}

/// Creates or replaces a budget; admins only. What was spent in the current period counts already.
#[utoipa::path(put, path = "/budgets/{id}", operation_id = "put_budget", tag = "usage",
    params(("id" = String, Path, description = "letters, digits, `_`, `.` and `-`, at most 64")),
    request_body = NewBudget,
    responses((status = OK, description = "the budget", body = Budget)))]
async fn put_budget(
    State(state): State<AppState>,
    _admin: Admin,
    InPath(id): InPath<String>,
    JsonBody(body): JsonBody<NewBudget>,
) -> Result<Json<Budget>, Problem> {
    if !apiflow_core::json::is_valid_id(&id) {
        let message = format!("the id `{id}` {}", apiflow_core::json::ID_RULE);
        return Err(Problem::malformed(message));
    }
    if !apiflow_core::money::is_currency(&body.currency) {
        return Err(Problem::single_fault(
            "/currency",
            "`currency` must have 1 to 16 letters or digits, such as `USD`",
        ));
    }
    let NewBudget { scope, subject, period, currency, amount, unknown_price } = body;
    let scope = match (scope, subject) {
        (Scope::All, None) => BudgetScope::All,
        (Scope::User, Some(user)) => BudgetScope::User(user),
        (Scope::Workflow, Some(workflow)) => BudgetScope::Workflow(workflow),
        (Scope::All, Some(_)) => {
            return Err(Problem::single_fault("/subject", "a budget of all calls has no `subject`"));
        }
        (Scope::User | Scope::Workflow, None) => {
            return Err(Problem::single_fault("/subject", "`subject` is missing: the id of the user or workflow"));
        }
    };
    state.store.put_budget(BudgetRow { id: id.clone(), scope, period, currency, amount, unknown_price }).await?;
    let states = state.store.list_budgets(state.clock.now()).await?;
    let written = states.into_iter().find(|state| state.budget.id == id);
    written.map(show_budget).map(Json).ok_or_else(|| Problem::not_found(format!("budget `{id}` was just deleted")))
}

/// Deletes a budget; admins only.
#[utoipa::path(delete, path = "/budgets/{id}", operation_id = "delete_budget", tag = "usage",
    params(("id" = String, Path)),
    responses((status = NO_CONTENT, description = "removed")))]
async fn delete_budget(
    State(state): State<AppState>,
    _admin: Admin,
    InPath(id): InPath<String>,
) -> Result<StatusCode, Problem> {
    if state.store.delete_budget(&id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found(format!("there is no budget `{id}`")))
    }
}

fn show_budget(state: BudgetState) -> Budget {
    let BudgetState { budget, spent, reserved } = state;
    let (scope, subject) = match budget.scope {
        BudgetScope::All => (Scope::All, None),
        BudgetScope::User(user) => (Scope::User, Some(user)),
        BudgetScope::Workflow(workflow) => (Scope::Workflow, Some(workflow)),
    };
    Budget {
        id: budget.id,
        scope,
        subject,
        period: budget.period,
        currency: budget.currency,
        amount: budget.amount,
        unknown_price: budget.unknown_price,
        spent,
        reserved,
    }
}

fn show_day(day: i64) -> String {
    Timestamp(day.saturating_mul(DAY_MS)).to_rfc3339().chars().take(10).collect()
}

fn parse_day(name: &str, text: &str) -> Result<i64, Problem> {
    let moment = Timestamp::from_rfc3339(&format!("{text}T00:00:00Z")).filter(|_| text.len() == 10);
    moment
        .map(day_of)
        .ok_or_else(|| Problem::malformed(format!("{name} is `{text}`; it must be a day like 2026-01-31")))
}
