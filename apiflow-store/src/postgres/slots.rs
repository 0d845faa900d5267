//! Slots of jobs that share a concurrency key, on Postgres: decisions about a key are made under its lock.

use super::now;
use super::statements::{CountedPool, CountedTransaction};
use crate::slots::{self, Counts, WAITING_PAGE_SIZE, WaitingColumns};

const LOOK_KEYS: &str = slots::look_keys!(now!());
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
/// Skips rows that a commit is changing, so that no deadlock is possible.
const LOOKED: &str = concat!(
    "WITH looked AS (SELECT job_id FROM job_slots WHERE key = $1 AND look_at <= ",
    now!(),
    " FOR UPDATE SKIP LOCKED) UPDATE job_slots SET look_at = ",
    slots::next_look!(now!()),
    " FROM looked WHERE job_slots.job_id = looked.job_id"
);
const REMOVE: &str = "DELETE FROM job_slots WHERE key = $1 AND state = 'over' AND look_at IS NULL";
const COUNT: &str = slots::count!(now!());
/// Locks a job's row before its slot, as all statements do; and in the order of commits.
const LOCK_JOBS: &str = "SELECT FROM jobs WHERE id = ANY($1) ORDER BY id FOR UPDATE";
const HOLD: &str = "UPDATE job_slots SET state = 'held' WHERE job_id = ANY($1) AND state = 'waiting' RETURNING job_id";
const WAKE: &str = concat!("UPDATE jobs SET due_at = ", now!(), " WHERE owner IS NULL AND id = ANY($1)");
const PASS: &str = concat!(
    "WITH job AS (SELECT id FROM jobs WHERE id = $1 FOR UPDATE), \
     passed AS (UPDATE job_slots SET state = 'passed', look_at = ",
    now!(),
    " FROM job WHERE job_slots.job_id = job.id AND state = 'waiting' RETURNING job_id) \
     UPDATE jobs SET due_at = ",
    now!(),
    " FROM passed WHERE jobs.id = passed.job_id AND owner IS NULL"
);

/// Lets a job continue without a slot.
pub(super) async fn waive_slot(pool: &CountedPool, job: &str) -> Result<(), sqlx::Error> {
    sqlx::query(PASS).bind(job).execute(pool.count_statement()).await.map(|_| ())
}

/// Assigns the free slots.
pub(super) async fn assign_free_slots(pool: &CountedPool) -> Result<(), sqlx::Error> {
    let keys: Vec<(String,)> = sqlx::query_as(LOOK_KEYS).fetch_all(pool.count_statement()).await?;
    for (key,) in keys {
        // One lock per transaction, so that no deadlock is possible.
        let mut transaction = pool.begin().await?;
        give_of(&mut transaction, &key).await?;
        transaction.commit().await?;
    }
    Ok(())
}

async fn give_of(connection: &mut CountedTransaction, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query(LOCK).bind(key).execute(connection.count_statement()).await?;
    // The examination is recorded before it is made: later changes are recorded anew.
    sqlx::query(LOOKED).bind(key).execute(connection.count_statement()).await?;
    sqlx::query(REMOVE).bind(key).execute(connection.count_statement()).await?;
    let mut counts = Counts::from_row(sqlx::query_as(COUNT).bind(key).fetch_one(connection.count_statement()).await?);
    loop {
        let waiting: Vec<WaitingColumns> = sqlx::query_as(slots::MAX_WAITING)
            .bind(key)
            .bind(WAITING_PAGE_SIZE as i64)
            .fetch_all(connection.count_statement())
            .await?;
        let admitted = counts.admit_waiting(key, waiting);
        if admitted.is_empty() {
            return Ok(());
        }
        sqlx::query(LOCK_JOBS).bind(&admitted).execute(connection.count_statement()).await?;
        let held: Vec<(String,)> = sqlx::query_as(HOLD).bind(&admitted).fetch_all(connection.count_statement()).await?;
        let held: Vec<String> = held.into_iter().map(|(job,)| job).collect();
        sqlx::query(WAKE).bind(&held).execute(connection.count_statement()).await?;
        if admitted.len() < WAITING_PAGE_SIZE {
            return Ok(());
        }
    }
}
