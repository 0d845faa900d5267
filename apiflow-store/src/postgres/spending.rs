//! Usage, budgets and reservations on Postgres: decisions about a budget are made under its lock.

use apiflow_core::money::Amount;
use apiflow_core::ports::{
    Budget, BudgetDecision, BudgetState, OpenReservation, Reservation, Spending, StoreError, Timestamp, UsageFilter,
    UsageRow,
};
use async_trait::async_trait;
use sqlx::PgConnection;

use super::PostgresStore;
use super::slots::lock_statement;
use super::statements::{CountedTransaction, run_to_end};
use crate::fault::store_error;
use crate::job_rows::{self, to_json_text};
use crate::spending::{self, Owner, ReservationColumns, UsageColumns};

/// Returns what was spent of a budget, and what is reserved or held, except by one step.
async fn read_used(
    connection: &mut PgConnection,
    budget: &Budget,
    now: Timestamp,
    except: (&str, i64),
) -> Result<(Amount, Amount), StoreError> {
    let (user, workflow) = budget.counted_subjects();
    let used = sqlx::query_as(spending::USED)
        .bind(budget.first_day(now))
        .bind(&budget.currency)
        .bind(user)
        .bind(workflow)
        .bind(except.0)
        .bind(except.1);
    let (spent, reserved): (i64, i64) = used.fetch_one(connection).await.map_err(store_error)?;
    Ok((Amount::from_units(spent), Amount::from_units(reserved)))
}

async fn read_budgets(transaction: &mut CountedTransaction) -> Result<Vec<Budget>, StoreError> {
    let bodies = sqlx::query_as(spending::BUDGETS).fetch_all(transaction.count_statement()).await;
    job_rows::convert_all(bodies.map_err(store_error)?, spending::budget)
}

/// Returns the user and the workflow of a job; empty if there are none.
async fn read_subjects(transaction: &mut CountedTransaction, job: &str) -> Result<(String, String), StoreError> {
    let subjects = sqlx::query_as(spending::SUBJECTS).bind(job).fetch_optional(transaction.count_statement()).await;
    Ok(subjects.map_err(store_error)?.unwrap_or_default())
}

/// Decides about a request under the locks of the budgets that concern it, which are taken in the order of their ids.
async fn decide(transaction: &mut CountedTransaction, request: &Reservation) -> Result<BudgetDecision, StoreError> {
    let budgets = read_budgets(transaction).await?;
    if budgets.is_empty() {
        return Ok(BudgetDecision::Granted);
    }
    let Reservation { owner, node_id, currency, amount, at } = request;
    let Owner { id, step, caller } = Owner::of_attempt(owner);
    let (user, workflow) = match &caller {
        Some(user) => (user.clone(), String::new()),
        None => read_subjects(transaction, &id).await?,
    };
    for budget in budgets.iter().filter(|budget| budget.limits_job(Some(&user), Some(&workflow))) {
        sqlx::raw_sql(lock_statement(&format!("budget {}", budget.id)))
            .execute(transaction.count_statement())
            .await
            .map_err(store_error)?;
        // After the lock: a statement does not see what others commit after its start.
        let (spent, reserved) = read_used(transaction.count_statement(), budget, *at, (&id, step)).await?;
        if let Some(refusal) = budget.refuse_attempt(request, || spent.plus(reserved)) {
            return Ok(refusal);
        }
    }
    if let (Some(currency), Some(amount)) = (currency, amount) {
        let reserved = match caller {
            Some(user) => sqlx::query(spending::RESERVE_FOR_CALL).bind(&id).bind(user),
            None => sqlx::query(spending::RESERVE).bind(&id).bind(step),
        };
        let reserved =
            reserved.bind(currency).bind(amount.to_units()).bind(node_id).execute(transaction.count_statement());
        reserved.await.map_err(store_error)?;
    }
    Ok(BudgetDecision::Granted)
}

#[async_trait]
impl Spending for PostgresStore {
    async fn reserve_budget(&self, request: Reservation) -> Result<BudgetDecision, StoreError> {
        if self.pauses.is_none_paused() {
            return Ok(BudgetDecision::Granted);
        }
        let pool = self.pool.clone();
        run_to_end(async move {
            let mut transaction = pool.begin().await.map_err(store_error)?;
            let decision = decide(&mut transaction, &request).await?;
            if decision == BudgetDecision::Granted {
                transaction.commit().await.map_err(store_error)?;
            }
            Ok(decision)
        })
        .await
    }

    async fn list_reservations(&self, job: &str) -> Result<Vec<OpenReservation>, StoreError> {
        let rows: Vec<ReservationColumns> = sqlx::query_as(spending::RESERVATIONS)
            .bind(job)
            .fetch_all(self.pool.count_statement())
            .await
            .map_err(store_error)?;
        Ok(rows.into_iter().map(spending::open_reservation).collect())
    }

    async fn read_usage(&self, filter: &UsageFilter) -> Result<Vec<UsageRow>, StoreError> {
        let rows: Vec<UsageColumns> = sqlx::query_as(spending::usage_statement(filter.group))
            .bind(filter.from_day)
            .bind(filter.to_day)
            .bind(&filter.user)
            .bind(i64::from(filter.limit))
            .fetch_all(self.pool.count_statement())
            .await
            .map_err(store_error)?;
        Ok(rows.into_iter().map(spending::usage_row).collect())
    }

    async fn list_budgets(&self, now: Timestamp) -> Result<Vec<BudgetState>, StoreError> {
        let mut transaction = self.pool.begin().await.map_err(store_error)?;
        let mut states = Vec::new();
        for budget in read_budgets(&mut transaction).await? {
            let (spent, reserved) = read_used(transaction.count_statement(), &budget, now, ("", 0)).await?;
            states.push(BudgetState { budget, spent, reserved });
        }
        Ok(states)
    }

    async fn put_budget(&self, budget: Budget) -> Result<(), StoreError> {
        let put = sqlx::query(spending::PUT_BUDGET).bind(&budget.id).bind(to_json_text(&budget));
        let put = put.execute(self.pool.count_statement()).await;
        self.pauses.note_pause();
        put.map(drop).map_err(store_error)
    }

    async fn delete_budget(&self, id: &str) -> Result<bool, StoreError> {
        let deleted = sqlx::query(spending::DELETE_BUDGET).bind(id).execute(self.pool.count_statement()).await;
        Ok(deleted.map_err(store_error)?.rows_affected() > 0)
    }
}
