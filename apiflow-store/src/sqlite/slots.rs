//! Slots of jobs that share a concurrency key, on SQLite.

use apiflow_core::ports::NewJob;
use sqlx::sqlite::SqliteConnection;

use super::{SqliteStore, now};
use crate::rows::{int, text};
use crate::slots::{self, Counts, LOOKED_AT, WaitingColumns, window_ms};

const LOOK: &str = concat!("SELECT EXISTS (SELECT 1 FROM job_slots WHERE look_at <= ", now!(), ")");
const LOOK_KEYS: &str = slots::look_keys!(now!());
const LOOKED: &str =
    concat!("UPDATE job_slots SET look_at = ", slots::next_look!(now!()), " WHERE key = $1 AND look_at <= ", now!());
const REMOVE: &str = "DELETE FROM job_slots WHERE key = $1 AND state = 'over' AND look_at IS NULL";
const COUNT: &str = slots::count!(now!());
const HOLD: &str = "UPDATE job_slots SET state = 'held' WHERE job_id IN (SELECT value FROM json_each($1))";
const WAKE: &str =
    concat!("UPDATE jobs SET due_at = ", now!(), " WHERE owner IS NULL AND id IN (SELECT value FROM json_each($1))");

const ASK: &str = concat!(
    "INSERT OR REPLACE INTO job_slots (job_id, key, size, window_ms, priority, created_at, state, look_at) \
     VALUES ($1, $2, $3, $4, $5, $6, 'waiting', ",
    now!(),
    ")"
);
const START: &str = concat!(
    "UPDATE job_slots SET started_at = ",
    now!(),
    ", look_at = ",
    now!(),
    " + window_ms WHERE state = 'held' AND started_at IS NULL AND job_id IN (SELECT value FROM json_each($1))"
);
const END: &str =
    concat!("UPDATE job_slots SET state = 'over', look_at = ", now!(), " WHERE job_id = $1 AND state <> 'over'");
const PASS: &str =
    concat!("UPDATE job_slots SET state = 'passed', look_at = ", now!(), " WHERE job_id = $1 AND state = 'waiting'");

/// Lets a new job wait for its slot.
pub(super) async fn ask(connection: &mut SqliteConnection, job: &NewJob) -> Result<(), sqlx::Error> {
    let Some(asked) = &job.concurrency else { return Ok(()) };
    let slot = sqlx::query(ASK).bind(&job.id).bind(&asked.key).bind(int(asked.limit)).bind(window_ms(asked));
    slot.bind(job.priority).bind(job.created_at.0).execute(connection).await.map(|_| ())
}

/// Notes that jobs were claimed.
pub(super) async fn start(connection: &mut SqliteConnection, jobs: &[&str]) -> Result<(), sqlx::Error> {
    sqlx::query(START).bind(text(&jobs)).execute(connection).await.map(|_| ())
}

/// Notes that a job has ended.
pub(super) async fn end(connection: &mut SqliteConnection, job: &str) -> Result<(), sqlx::Error> {
    sqlx::query(END).bind(job).execute(connection).await.map(|_| ())
}

impl SqliteStore {
    /// Lets a job go without a slot.
    pub(super) async fn pass(&self, job: &str) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        if sqlx::query(PASS).bind(job).execute(&mut *transaction).await?.rows_affected() > 0 {
            sqlx::query(WAKE).bind(text(&[job])).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// Gives away the slots that are free.
    pub(super) async fn give_slots(&self) -> Result<(), sqlx::Error> {
        // Read first: an idle worker does not write.
        let (due,): (bool,) = sqlx::query_as(LOOK).fetch_one(&self.reader).await?;
        if !due {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        let keys: Vec<(String,)> = sqlx::query_as(LOOK_KEYS).fetch_all(&mut *transaction).await?;
        for (key,) in keys {
            give(&mut transaction, &key).await?;
        }
        transaction.commit().await
    }
}

/// Gives away the slots of a key that are free.
pub(super) async fn give(connection: &mut SqliteConnection, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query(LOOKED).bind(key).execute(&mut *connection).await?;
    sqlx::query(REMOVE).bind(key).execute(&mut *connection).await?;
    let mut counts = Counts::of(sqlx::query_as(COUNT).bind(key).fetch_one(&mut *connection).await?);
    loop {
        let waiting: Vec<WaitingColumns> =
            sqlx::query_as(slots::WAITING).bind(key).bind(LOOKED_AT as i64).fetch_all(&mut *connection).await?;
        let admitted = counts.admit(key, waiting);
        sqlx::query(HOLD).bind(text(&admitted)).execute(&mut *connection).await?;
        sqlx::query(WAKE).bind(text(&admitted)).execute(&mut *connection).await?;
        if admitted.len() < LOOKED_AT {
            return Ok(());
        }
    }
}
