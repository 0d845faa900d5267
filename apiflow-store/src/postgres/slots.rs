//! Slots of jobs that share a concurrency key, on Postgres: decisions about a key are made under its lock.

use sha2::{Digest, Sha384};
use sqlx::AssertSqlSafe;

use super::now;
use super::statements::{CountedPool, CountedTransaction};
use crate::slots::{self, Counts, WAITING_PAGE_SIZE, WaitingColumns};

const LOOK_KEYS: &str = slots::look_keys!(now!());
/// Records that a key was examined, removes slots that no longer count, and returns the counts of the key beside each
/// of the first waiting jobs, or beside a null. Skips rows that a commit is changing, so that no deadlock is possible.
const EXAMINE: &str = concat!(
    "WITH looked AS (SELECT job_id, state = 'over' AS is_over, ",
    slots::next_look!(now!()),
    " AS next_look FROM job_slots WHERE key = $1 AND look_at <= ",
    now!(),
    " FOR UPDATE SKIP LOCKED), \
     noted AS (UPDATE job_slots SET look_at = looked.next_look FROM looked \
         WHERE job_slots.job_id = looked.job_id AND NOT (looked.is_over AND looked.next_look IS NULL)), \
     removed AS (DELETE FROM job_slots USING looked \
         WHERE job_slots.job_id = looked.job_id AND looked.is_over AND looked.next_look IS NULL) \
     SELECT counts.held, counts.recent, waiting.job_id, waiting.size, waiting.window_ms FROM (",
    slots::count!(now!()),
    ") AS counts (held, recent) LEFT JOIN job_slots AS waiting ON waiting.key = $1 AND waiting.state = 'waiting' \
     ORDER BY waiting.priority DESC, waiting.created_at, waiting.job_id LIMIT $2"
);
/// Assigns slots and makes their jobs due. Locks the jobs' rows before their slots, as all statements do; and in the
/// order of commits.
const HOLD: &str = concat!(
    "WITH locked AS (SELECT id FROM jobs WHERE id = ANY($1) ORDER BY id FOR UPDATE), \
     held AS (UPDATE job_slots SET state = 'held' FROM (SELECT COUNT(*) FROM locked) AS after \
         WHERE job_id = ANY($1) AND state = 'waiting' RETURNING job_id) \
     UPDATE jobs SET due_at = ",
    now!(),
    " FROM held WHERE jobs.id = held.job_id AND owner IS NULL"
);
const PASS: &str = concat!(
    "WITH job AS (SELECT id FROM jobs WHERE id = $1 FOR UPDATE), \
     passed AS (UPDATE job_slots SET state = 'passed', look_at = ",
    now!(),
    " FROM job WHERE job_slots.job_id = job.id AND state = 'waiting' RETURNING job_id) \
     UPDATE jobs SET due_at = ",
    now!(),
    " FROM passed WHERE jobs.id = passed.job_id AND owner IS NULL"
);

/// A row of [`EXAMINE`]: the numbers of [`Counts`], then the columns of a waiting job.
type Examined = (i64, i64, Option<String>, Option<i64>, Option<i64>);

/// Lets a job continue without a slot.
pub(super) async fn waive_slot(pool: &CountedPool, job: &str) -> Result<(), sqlx::Error> {
    sqlx::query(PASS).bind(job).execute(pool.count_statement()).await.map(|_| ())
}

/// Assigns the free slots.
pub(super) async fn assign_free_slots(pool: &CountedPool) -> Result<(), sqlx::Error> {
    let keys: Vec<(String,)> = sqlx::query_as(LOOK_KEYS).fetch_all(pool.count_statement()).await?;
    for (key,) in keys {
        // One lock per transaction, so that no deadlock is possible.
        let mut transaction = pool.begin_with(begin_locked(&key)).await?;
        give_slots_of_key(&mut transaction, &key).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// The statements that begin a transaction and take the lock of a key, in one round trip.
pub(super) fn begin_locked(key: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("BEGIN; SELECT pg_advisory_xact_lock({})", lock_number(key)))
}

/// The statement that takes the lock of a key until the end of the transaction.
pub(super) fn lock_statement(key: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT pg_advisory_xact_lock({})", lock_number(key)))
}

fn lock_number(key: &str) -> i64 {
    Sha384::digest(key).iter().take(8).fold(0_i64, |lock, byte| lock << 8 | i64::from(*byte))
}

/// Assigns the free slots of a key. The lock is held before the key is examined: a statement does not see what others
/// commit after its start.
async fn give_slots_of_key(connection: &mut CountedTransaction, key: &str) -> Result<(), sqlx::Error> {
    loop {
        let found: Vec<Examined> = sqlx::query_as(EXAMINE)
            .bind(key)
            .bind(WAITING_PAGE_SIZE as i64)
            .fetch_all(connection.count_statement())
            .await?;
        let counts = found.first().map_or((0, 0), |(held, recent, ..)| (*held, *recent));
        let waiting: Vec<WaitingColumns> =
            found.into_iter().filter_map(|(_, _, job, size, window)| Some((job?, size?, window))).collect();
        let admitted = Counts::from_row(counts).admit_waiting(key, waiting);
        if !admitted.is_empty() {
            sqlx::query(HOLD).bind(&admitted).execute(connection.count_statement()).await?;
        }
        if admitted.len() < WAITING_PAGE_SIZE {
            return Ok(());
        }
    }
}
