//! Slots of attempts on Postgres: decisions about a key are made under its lock.

use apiflow_core::ports::{StoreError, SubmitLimits, SubmitSlotRequest, SubmitSlots};
use async_trait::async_trait;

use super::job_journal::DELIVER;
use super::slots::begin_locked;
use super::statements::{CountedTransaction, run_to_end};
use super::{PostgresStore, now};
use crate::fault::store_error;
use crate::job_rows::{self, to_json_text};
use crate::submit_slots::{
    self, Waiter, WaiterKind, WaitingColumns, free_slots, message_key, owner_of_call, window_ms,
};

const ADD_WAITING_CALL: &str = submit_slots::add_waiting_call!(now!());
const RENEW_LEASE: &str = submit_slots::renew_lease!(now!());
/// Ends the slots of calls whose lease has ended; skips rows that the end of a call is changing, so that no deadlock is
/// possible.
const END_LOST: &str = concat!(
    "WITH lost AS (SELECT id FROM submit_slots WHERE key = $1 AND expires_at <= ",
    now!(),
    " FOR UPDATE SKIP LOCKED) UPDATE submit_slots SET state = 'over', expires_at = NULL, look_at = ",
    now!(),
    " FROM lost WHERE submit_slots.id = lost.id"
);
const DUE_KEYS: &str = submit_slots::due_keys!(now!());
const COUNTS: &str = submit_slots::counts!(now!());
const GRANT: &str = submit_slots::grant!(now!());
const LOOK_LATER: &str = submit_slots::look_later!(now!());
const LOOK_NOW: &str =
    concat!("UPDATE submit_slots SET look_at = ", now!(), " WHERE job_id = $1 AND step = $2 AND state = 'waiting'");
/// Notes that a key was examined, and removes slots that count no more; skips rows that a commit is changing, so that no
/// deadlock is possible.
const EXAMINE: &str = concat!(
    "WITH looked AS (SELECT id, state = 'over' AND coalesce(granted_at, 0) + $2 <= ",
    now!(),
    " AS is_gone, look_at <= ",
    now!(),
    " AS is_due FROM submit_slots WHERE key = $1 AND (look_at <= ",
    now!(),
    " OR state = 'over') FOR UPDATE SKIP LOCKED), \
     noted AS (UPDATE submit_slots SET look_at = NULL FROM looked \
         WHERE submit_slots.id = looked.id AND looked.is_due AND NOT looked.is_gone) \
     DELETE FROM submit_slots USING looked WHERE submit_slots.id = looked.id AND looked.is_gone"
);
/// Locks the jobs that get a message, before their slots, as all statements do; in the order of commits.
const LOCK_JOBS: &str = "SELECT id FROM jobs WHERE id = ANY($1) ORDER BY id FOR UPDATE";

/// The lock of a key; others have locks of concurrency keys and budgets.
fn lock_name(key: &str) -> String {
    format!("submits {key}")
}

#[async_trait]
impl SubmitSlots for PostgresStore {
    async fn request_submit_slot(&self, request: SubmitSlotRequest) -> Result<bool, StoreError> {
        let pool = self.pool.clone();
        run_to_end(async move {
            let mut transaction = pool.begin_with(begin_locked(&lock_name(&request.key))).await.map_err(store_error)?;
            let granted = request_slot(&mut transaction, &request).await.map_err(store_error)?;
            transaction.commit().await.map_err(store_error)?;
            Ok(granted)
        })
        .await
    }

    async fn holds_submit_slot(&self, call: &str) -> Result<bool, StoreError> {
        let held = sqlx::query_as(submit_slots::HOLDS_SLOT).bind(owner_of_call(call));
        let (held,): (bool,) = held.fetch_one(self.pool.count_statement()).await.map_err(store_error)?;
        Ok(held)
    }

    async fn assign_submit_slots(&self) -> Result<Vec<String>, StoreError> {
        let keys: Vec<(String,)> =
            sqlx::query_as(DUE_KEYS).fetch_all(self.pool.count_statement()).await.map_err(store_error)?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let pool = self.pool.clone();
        run_to_end(async move {
            let mut woken = Vec::new();
            for (key,) in keys {
                let mut transaction = pool.begin_with(begin_locked(&lock_name(&key))).await.map_err(store_error)?;
                let jobs = give_slots_of_key(&mut transaction, &key).await?;
                transaction.commit().await.map_err(store_error)?;
                woken.extend(jobs);
            }
            Ok(woken)
        })
        .await
    }
}

async fn request_slot(transaction: &mut CountedTransaction, request: &SubmitSlotRequest) -> Result<bool, sqlx::Error> {
    let SubmitSlotRequest { key, limits, waiter } = request;
    let Waiter { owner: job, step, kind } = Waiter::of_request(waiter);
    let window = window_ms(limits);
    if let WaiterKind::Call { lease_ms, .. } = &kind {
        let renewed = sqlx::query(RENEW_LEASE).bind(&job).bind(lease_ms);
        renewed.execute(transaction.count_statement()).await?;
    }
    let state: Option<(String,)> = sqlx::query_as(submit_slots::SLOT_STATE)
        .bind(&job)
        .bind(step)
        .bind(key)
        .fetch_optional(transaction.count_statement())
        .await?;
    if state.as_ref().is_some_and(|(state,)| state == "held") {
        return Ok(true);
    }
    let put = sqlx::query(submit_slots::PUT_LIMITS).bind(key).bind(to_json_text(limits));
    put.execute(transaction.count_statement()).await?;
    if state.is_none() {
        let added = match kind {
            WaiterKind::Step { message } => {
                sqlx::query(submit_slots::ADD_WAITING).bind(&job).bind(step).bind(key).bind(message)
            }
            WaiterKind::Call { user, lease_ms } => {
                sqlx::query(ADD_WAITING_CALL).bind(&job).bind(key).bind(user).bind(lease_ms)
            }
        };
        added.execute(transaction.count_statement()).await?;
    }
    let free = read_free(transaction, key, limits).await?;
    if free > 0 {
        let next = read_waiting(transaction, key, 1).await?.into_iter().next();
        if let Some((id, _, _, user, _)) = next.filter(|(_, owner, place, ..)| (owner, *place) == (&job, step)) {
            grant_slot(transaction, key, id, &user).await?;
            return Ok(true);
        }
        sqlx::query(LOOK_NOW).bind(&job).bind(step).execute(transaction.count_statement()).await?;
    } else if window > 0 {
        sqlx::query(LOOK_LATER).bind(key).bind(window).execute(transaction.count_statement()).await?;
    }
    Ok(false)
}

async fn read_free(transaction: &mut CountedTransaction, key: &str, limits: &SubmitLimits) -> Result<i64, sqlx::Error> {
    let counts: (i64, i64) =
        sqlx::query_as(COUNTS).bind(key).bind(window_ms(limits)).fetch_one(transaction.count_statement()).await?;
    Ok(free_slots(limits, counts))
}

async fn read_waiting(
    transaction: &mut CountedTransaction,
    key: &str,
    count: i64,
) -> Result<Vec<WaitingColumns>, sqlx::Error> {
    sqlx::query_as(submit_slots::NEXT_WAITING).bind(key).bind(count).fetch_all(transaction.count_statement()).await
}

async fn grant_slot(transaction: &mut CountedTransaction, key: &str, id: i64, user: &str) -> Result<(), sqlx::Error> {
    sqlx::query(GRANT).bind(id).execute(transaction.count_statement()).await?;
    sqlx::query(submit_slots::NOTE_TURN).bind(key).bind(user).execute(transaction.count_statement()).await?;
    Ok(())
}

/// Gives the free slots of a key; returns the jobs that got a message.
async fn give_slots_of_key(transaction: &mut CountedTransaction, key: &str) -> Result<Vec<String>, StoreError> {
    let limits: Option<(String,)> = sqlx::query_as(submit_slots::LIMITS)
        .bind(key)
        .fetch_optional(transaction.count_statement())
        .await
        .map_err(store_error)?;
    let limits: SubmitLimits = limits.map(|(body,)| job_rows::parse_json(&body)).transpose()?.unwrap_or_default();
    give_slots(transaction, key, &limits).await.map_err(store_error)
}

async fn give_slots(
    transaction: &mut CountedTransaction,
    key: &str,
    limits: &SubmitLimits,
) -> Result<Vec<String>, sqlx::Error> {
    let window = window_ms(limits);
    sqlx::query(END_LOST).bind(key).execute(transaction.count_statement()).await?;
    sqlx::query(EXAMINE).bind(key).bind(window).execute(transaction.count_statement()).await?;
    let mut woken = Vec::new();
    loop {
        let free = read_free(transaction, key, limits).await?;
        let next = if free > 0 { read_waiting(transaction, key, free).await? } else { Vec::new() };
        if next.is_empty() {
            break;
        }
        let has_job = |(.., message): &&WaitingColumns| !message.is_empty();
        let jobs: Vec<&str> = next.iter().filter(has_job).map(|(_, job, ..)| job.as_str()).collect();
        sqlx::query(LOCK_JOBS).bind(jobs).execute(transaction.count_statement()).await?;
        for (id, job, step, user, message) in next {
            grant_slot(transaction, key, id, &user).await?;
            if message.is_empty() {
                // A call asks by itself.
                continue;
            }
            sqlx::query(DELIVER)
                .bind(&job)
                .bind(message_key(id, step))
                .bind(message)
                .bind(None::<i64>)
                .execute(transaction.count_statement())
                .await?;
            woken.push(job);
        }
    }
    if window > 0 {
        sqlx::query(LOOK_LATER).bind(key).bind(window).execute(transaction.count_statement()).await?;
    }
    sqlx::query(submit_slots::FORGET_TURNS).bind(key).execute(transaction.count_statement()).await?;
    sqlx::query(submit_slots::FORGET_LIMITS).bind(key).execute(transaction.count_statement()).await?;
    Ok(woken)
}
