//! Usage, budgets and reservations on SQLite.

use apiflow_core::money::Amount;
use apiflow_core::ports::{
    Budget, BudgetDecision, BudgetState, OpenReservation, Reservation, Spending, StoreError, Timestamp, UsageFilter,
    UsageRow,
};
use async_trait::async_trait;
use rusqlite::params;
use rusqlite::types::Value;

use super::connection::Connection;
use super::{SqliteStore, now};
use crate::commit_rows::Charge;
use crate::job_rows::{self, to_json_text};
use crate::spending::{self, Owner, ReservationColumns, UsageColumns};

const END_RESERVATIONS: &str =
    "DELETE FROM budget_reservations WHERE job_id = $1 AND step IN (SELECT value FROM json_each($2))";
const END_SLOTS: &str = concat!(
    "UPDATE submit_slots SET state = 'over', look_at = ",
    now!(),
    " WHERE job_id = $1 AND state = 'held' AND step IN (SELECT value FROM json_each($2))"
);
const END_ALL_SLOTS: &str =
    concat!("UPDATE submit_slots SET state = 'over', look_at = ", now!(), " WHERE job_id = $1 AND state <> 'over'");

/// The columns of a charge, in the order of the insert.
pub(super) fn charge_values(charge: Charge<'_>) -> [Value; 6] {
    [
        charge.day.into(),
        Value::Text(charge.node_id.to_owned()),
        Value::Text(charge.currency.to_owned()),
        charge.amount.into(),
        charge.held.into(),
        charge.unknown.into(),
    ]
}

/// Adds what attempts of a job cost.
pub(super) fn add_charges(connection: &Connection, job: &str, charges: &[[Value; 6]]) -> rusqlite::Result<()> {
    if charges.is_empty() {
        return Ok(());
    }
    let (user, workflow): (String, String) = connection.fetch_one(spending::SUBJECTS, params![job])?;
    charge_subjects(connection, &user, &workflow, charges)
}

/// Adds what attempts of a user and a workflow cost.
pub(super) fn charge_subjects(
    connection: &Connection,
    user: &str,
    workflow: &str,
    charges: &[[Value; 6]],
) -> rusqlite::Result<()> {
    for [day, node, currency, amount, held, unknown] in charges {
        connection
            .execute(spending::ADD_CHARGE, params![user, workflow, day, node, currency, amount, held, unknown])?;
    }
    Ok(())
}

/// Ends the reservations and slots of steps, a JSON list.
pub(super) fn end_attempts(connection: &Connection, job: &str, steps: &str) -> rusqlite::Result<()> {
    connection.execute(END_RESERVATIONS, params![job, steps])?;
    connection.execute(END_SLOTS, params![job, steps]).map(drop)
}

/// Ends all reservations and slots of an ended job.
pub(super) fn end_all_attempts(connection: &Connection, job: &str) -> rusqlite::Result<()> {
    connection.execute(spending::END_ALL_RESERVATIONS, params![job])?;
    connection.execute(END_ALL_SLOTS, params![job]).map(drop)
}

/// Returns what was spent of a budget, and what is reserved or held, except by one step.
fn read_used(
    connection: &Connection,
    budget: &Budget,
    now: Timestamp,
    except: (&str, i64),
) -> rusqlite::Result<(Amount, Amount)> {
    let (user, workflow) = budget.counted_subjects();
    let parameters = params![budget.first_day(now), budget.currency, user, workflow, except.0, except.1];
    let (spent, reserved): (i64, i64) = connection.fetch_one(spending::USED, parameters)?;
    Ok((Amount::from_units(spent), Amount::from_units(reserved)))
}

fn read_budgets(connection: &Connection) -> Result<Vec<Budget>, super::errors::QueryError<StoreError>> {
    let bodies: Vec<(String,)> = connection.fetch_all(spending::BUDGETS, &[])?;
    Ok(job_rows::convert_all(bodies, spending::budget)?)
}

#[async_trait]
impl Spending for SqliteStore {
    async fn reserve_budget(&self, request: Reservation) -> Result<BudgetDecision, StoreError> {
        if self.pauses.is_none_paused() {
            return Ok(BudgetDecision::Granted);
        }
        self.write(move |connection| {
            let budgets = read_budgets(connection)?;
            let Reservation { owner, node_id, currency, amount, at } = &request;
            let Owner { id, step, caller } = Owner::of_attempt(owner);
            let (user, workflow) = match &caller {
                Some(user) => (user.clone(), String::new()),
                None => connection.fetch_optional(spending::SUBJECTS, params![id])?.unwrap_or_default(),
            };
            for budget in budgets.iter().filter(|budget| budget.limits_job(Some(&user), Some(&workflow))) {
                let (spent, reserved) = read_used(connection, budget, *at, (&id, step))?;
                if let Some(refusal) = budget.refuse_attempt(&request, || spent.plus(reserved)) {
                    return Ok(refusal);
                }
            }
            if let (false, Some(currency), Some(amount)) = (budgets.is_empty(), currency, amount) {
                let amount = amount.to_units();
                match caller {
                    Some(user) => {
                        connection.execute(spending::RESERVE_FOR_CALL, params![id, user, currency, amount, node_id])?
                    }
                    None => connection.execute(spending::RESERVE, params![id, step, currency, amount, node_id])?,
                };
            }
            Ok(BudgetDecision::Granted)
        })
        .await
    }

    async fn list_reservations(&self, job: &str) -> Result<Vec<OpenReservation>, StoreError> {
        let job = job.to_owned();
        self.read(move |connection| {
            let rows: Vec<ReservationColumns> = connection.fetch_all(spending::RESERVATIONS, params![job])?;
            Ok(rows.into_iter().map(spending::open_reservation).collect())
        })
        .await
    }

    async fn read_usage(&self, filter: &UsageFilter) -> Result<Vec<UsageRow>, StoreError> {
        let UsageFilter { group, user, from_day, to_day, limit } = filter.clone();
        self.read(move |connection| {
            let rows: Vec<UsageColumns> =
                connection.fetch_all(spending::usage_statement(group), params![from_day, to_day, user, limit])?;
            Ok(rows.into_iter().map(spending::usage_row).collect())
        })
        .await
    }

    async fn list_budgets(&self, now: Timestamp) -> Result<Vec<BudgetState>, StoreError> {
        self.read(move |connection| {
            let budgets = read_budgets(connection)?.into_iter().map(|budget| {
                let (spent, reserved) = read_used(connection, &budget, now, ("", 0))?;
                Ok(BudgetState { budget, spent, reserved })
            });
            Ok(budgets.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn put_budget(&self, budget: Budget) -> Result<(), StoreError> {
        let put = self.write(move |connection| {
            connection.execute(spending::PUT_BUDGET, params![budget.id, to_json_text(&budget)])?;
            Ok(())
        });
        let put = put.await;
        self.pauses.note_pause();
        put
    }

    async fn delete_budget(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |connection| Ok(connection.execute(spending::DELETE_BUDGET, params![id])? > 0)).await
    }
}
