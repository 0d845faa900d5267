//! Statements about money that both databases accept, and conversions of its rows.

use apiflow_core::money::Amount;
use apiflow_core::ports::{AttemptOwner, Budget, OpenReservation, StoreError, UsageGroup, UsageRow};

use crate::job_rows::{from_int, parse_json, to_int};
use crate::submit_slots::owner_of_call;

/// The usage that counts against a budget.
macro_rules! counted_usage {
    () => {
        "FROM usage_sums WHERE day >= $1 AND currency = $2 \
         AND (CAST($3 AS TEXT) IS NULL OR user_id = $3) AND (CAST($4 AS TEXT) IS NULL OR workflow_id = $4)"
    };
}

pub(crate) const BUDGETS: &str = "SELECT body FROM budgets ORDER BY id";
pub(crate) const PUT_BUDGET: &str =
    "INSERT INTO budgets (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body";
pub(crate) const DELETE_BUDGET: &str = "DELETE FROM budgets WHERE id = $1";

/// The user and the workflow of a job.
pub(crate) const SUBJECTS: &str = "SELECT coalesce(created_by, ''), coalesce(workflow_id, '') FROM jobs WHERE id = $1";

/// What counts against a budget (`$1` first day, `$2` currency, `$3` user, `$4` workflow): what was spent, and what is
/// reserved or held, except by the step `$6` of the job `$5`.
pub(crate) const USED: &str = concat!(
    "SELECT CAST(coalesce((SELECT SUM(amount) ",
    counted_usage!(),
    "), 0) AS BIGINT), CAST(coalesce((SELECT SUM(held) ",
    counted_usage!(),
    "), 0) + coalesce((SELECT SUM(amount) FROM budget_reservations WHERE currency = $2 \
         AND (CAST($3 AS TEXT) IS NULL OR user_id = $3) AND (CAST($4 AS TEXT) IS NULL OR workflow_id = $4) \
         AND NOT (job_id = $5 AND step = $6)), 0) AS BIGINT)"
);

/// Reserves what an attempt may cost, for a job that has not ended.
pub(crate) const RESERVE: &str = concat!(
    "INSERT INTO budget_reservations (job_id, step, user_id, workflow_id, currency, amount, node_id) \
     SELECT id, $2, coalesce(created_by, ''), coalesce(workflow_id, ''), $3, $4, $5 FROM jobs \
     WHERE id = $1 AND status NOT IN ",
    crate::sql::ended!(),
    " ON CONFLICT (job_id, step) DO UPDATE SET currency = excluded.currency, amount = excluded.amount, \
     node_id = excluded.node_id"
);

/// Reserves what a call without a job may cost.
pub(crate) const RESERVE_FOR_CALL: &str = "INSERT INTO budget_reservations (job_id, step, user_id, workflow_id, currency, amount, node_id) \
     VALUES ($1, 0, $2, '', $3, $4, $5) \
     ON CONFLICT (job_id, step) DO UPDATE SET currency = excluded.currency, amount = excluded.amount, \
         node_id = excluded.node_id";
/// The reservations of a job.
pub(crate) const RESERVATIONS: &str =
    "SELECT step, node_id, currency, amount FROM budget_reservations WHERE job_id = $1 ORDER BY step";
pub(crate) const END_ALL_RESERVATIONS: &str = "DELETE FROM budget_reservations WHERE job_id = $1";
pub(crate) const ADD_CHARGE: &str = "INSERT INTO usage_sums \
     (user_id, workflow_id, day, node_id, currency, amount, held, unknown, attempts) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1) \
     ON CONFLICT (day, user_id, workflow_id, node_id, currency) DO UPDATE SET \
         amount = usage_sums.amount + excluded.amount, held = usage_sums.held + excluded.held, \
         unknown = usage_sums.unknown + excluded.unknown, attempts = usage_sums.attempts + 1";

/// Whose attempt a reservation is for, as columns.
pub(crate) struct Owner {
    /// The id of the job, or what stands for a call.
    pub(crate) id: String,
    pub(crate) step: i64,
    /// The user of a call; that of a step is its job's.
    pub(crate) caller: Option<String>,
}

impl Owner {
    pub(crate) fn of_attempt(owner: &AttemptOwner) -> Self {
        match owner {
            AttemptOwner::Step { job, step } => Self { id: job.clone(), step: to_int(*step), caller: None },
            AttemptOwner::Call { id, user } => Self { id: owner_of_call(id), step: 0, caller: Some(user.clone()) },
        }
    }
}

/// Usage of the days from `$1` to `$2`, of the user `$3` if that is not null, up to `$4` rows.
macro_rules! usage {
    ($column:literal) => {
        concat!(
            "SELECT CAST(",
            $column,
            " AS TEXT), currency, CAST(SUM(amount) AS BIGINT), CAST(SUM(attempts) AS BIGINT), \
             CAST(SUM(unknown) AS BIGINT) FROM usage_sums WHERE day BETWEEN $1 AND $2 \
             AND (CAST($3 AS TEXT) IS NULL OR user_id = $3) GROUP BY ",
            $column,
            ", currency ORDER BY ",
            $column,
            ", currency LIMIT $4"
        )
    };
}

/// Returns the statement that reads usage by a group.
pub(crate) fn usage_statement(group: UsageGroup) -> &'static str {
    match group {
        UsageGroup::Workflow => usage!("workflow_id"),
        UsageGroup::Node => usage!("node_id"),
        UsageGroup::User => usage!("user_id"),
        UsageGroup::Day => usage!("day"),
    }
}

/// The step, node, currency and amount of a reservation.
pub(crate) type ReservationColumns = (i64, String, String, i64);

pub(crate) fn open_reservation((step, node_id, currency, amount): ReservationColumns) -> OpenReservation {
    OpenReservation { step: from_int(step), node_id, currency, amount: Amount::from_units(amount) }
}

/// The group, currency, amount, attempts and unknown costs of a row of usage.
pub(crate) type UsageColumns = (String, String, i64, i64, i64);

pub(crate) fn usage_row((key, currency, amount, attempts, unknown): UsageColumns) -> UsageRow {
    let (attempts, unknown) = (from_int(attempts), from_int(unknown));
    UsageRow { key, currency, amount: Amount::from_units(amount), attempts, unknown }
}

pub(crate) fn budget((body,): (String,)) -> Result<Budget, StoreError> {
    parse_json(&body)
}
