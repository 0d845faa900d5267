//! The journal of jobs on SQLite.

use apiflow_core::ports::{Commit, EventRow, InboxMessage, JobJournal, JobRow, LoadedJob, StoreError};
use async_trait::async_trait;
use rusqlite::{Row, params};
use serde_json::Value;

use super::commits::{CommitRows, perform_commit};
use super::connection::Connection;
use super::creations::{Delivery, perform_delivery};
use super::errors::QueryError;
use super::{SqliteStore, now};
use crate::job_rows::{self, EventColumns, JobColumns, from_int, to_int, to_json_text};
use crate::sql;

/// The columns of [`LoadedColumns`].
const LOAD: &str = concat!(
    "SELECT ",
    sql::job_columns!(),
    ", job_bundles.body AS bundle, value_bytes, inbox_open, job_snapshots.seq AS snapshot_seq, \
         job_snapshots.state AS snapshot_state FROM jobs JOIN job_bundles ON job_bundles.job = jobs.number \
     LEFT JOIN job_snapshots ON job_snapshots.job = jobs.number WHERE jobs.id = $1"
);
const INBOX: &str = "SELECT id, key, payload FROM job_inbox WHERE job_id = $1 AND taken = 0 ORDER BY id";
const VALUES: &str = concat!(
    "SELECT seq, value FROM job_events WHERE job = ",
    sql::job_number!(),
    " AND seq IN (SELECT value FROM json_each($2)) AND job_events.value IS NOT NULL"
);
const CACHED: &str = sql::cached_result!(now!());

type Outcome<T> = Result<T, QueryError<StoreError>>;

#[async_trait]
impl JobJournal for SqliteStore {
    async fn load_job(&self, job: &str) -> Result<LoadedJob, StoreError> {
        let job = job.to_owned();
        self.read(move |connection| connection.read_snapshot(|snapshot| read_loaded_job(snapshot, &job))).await
    }

    async fn commit_turn(&self, commit: Commit) -> Result<u64, StoreError> {
        let rows = CommitRows::new(&commit);
        let pauses = self.pauses.clone();
        self.write(move |connection| perform_commit(connection, &rows, commit.version, &pauses)).await
    }

    async fn deliver_message(
        &self,
        job: &str,
        key: &str,
        payload: Value,
        finished_poll: Option<u64>,
    ) -> Result<bool, StoreError> {
        let delivery = Delivery {
            job: job.to_owned(),
            key: key.to_owned(),
            payload: to_json_text(&payload),
            finished_poll: finished_poll.map(to_int),
        };
        self.write(move |connection| perform_delivery(connection, &delivery)).await
    }

    async fn read_inbox(&self, job: &str) -> Result<Vec<InboxMessage>, StoreError> {
        let job = job.to_owned();
        self.read(move |connection| find_inbox(connection, &job)).await
    }

    async fn read_values(&self, job: &str, seqs: &[u64]) -> Result<Vec<Option<Value>>, StoreError> {
        let (job, seqs) = (job.to_owned(), seqs.to_vec());
        self.read(move |connection| {
            let found = connection.fetch_all(VALUES, params![job, to_json_text(&seqs)])?;
            Ok(job_rows::values_in_order(found, &seqs)?)
        })
        .await
    }

    async fn read_list(&self, job: &str, list: u64) -> Result<Vec<Value>, StoreError> {
        let job = job.to_owned();
        self.read(move |connection| {
            let bodies: Vec<(String,)> = connection.fetch_all(sql::LIST, params![job, to_int(list)])?;
            Ok(bodies.into_iter().map(|(body,)| job_rows::parse_json(&body)).collect::<Result<_, StoreError>>()?)
        })
        .await
    }

    async fn read_cached_result(&self, key: &str) -> Result<Option<Value>, StoreError> {
        let key = key.to_owned();
        self.read(move |connection| {
            let found: Option<(String,)> = connection.fetch_optional(CACHED, params![key])?;
            Ok(found.map(|(value,)| job_rows::parse_json(&value)).transpose()?)
        })
        .await
    }

    async fn read_events(&self, job: &str, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let job = job.to_owned();
        self.read(move |connection| {
            let page = connection.fetch_all(sql::EVENTS, params![job, to_int(after), limit])?;
            Ok(job_rows::convert_all(page, job_rows::event_row)?)
        })
        .await
    }

    async fn read_job(&self, job: &str) -> Result<Option<JobRow>, StoreError> {
        let job = job.to_owned();
        self.read(move |connection| {
            let row = connection.fetch_optional(sql::JOB, params![job])?;
            Ok(row.map(job_rows::job_row).transpose()?)
        })
        .await
    }
}

/// A row of [`LOAD`].
struct LoadedColumns {
    job: JobColumns,
    bundle: String,
    value_bytes: i64,
    inbox_open: i64,
    snapshot: Option<(i64, String)>,
}

impl<'row> TryFrom<&'row Row<'row>> for LoadedColumns {
    type Error = rusqlite::Error;

    fn try_from(row: &'row Row<'row>) -> rusqlite::Result<Self> {
        Ok(Self {
            job: row.try_into()?,
            bundle: row.get("bundle")?,
            value_bytes: row.get("value_bytes")?,
            inbox_open: row.get("inbox_open")?,
            snapshot: row.get::<_, Option<i64>>("snapshot_seq")?.zip(row.get("snapshot_state")?),
        })
    }
}

fn read_loaded_job(connection: &Connection, job: &str) -> Outcome<LoadedJob> {
    let row: Option<LoadedColumns> = connection.fetch_optional(LOAD, params![job])?;
    let row = row.ok_or_else(|| StoreError::NotFound { job: job.to_owned() })?;
    let snapshot = row.snapshot.map(job_rows::snapshot_row).transpose()?;
    let after = snapshot.as_ref().map_or(0, |snapshot| to_int(snapshot.seq));
    let events: Vec<EventColumns> = connection.fetch_all(sql::EVENTS, params![job, after, i64::MAX])?;
    Ok(LoadedJob {
        job: job_rows::job_row(row.job)?,
        bundle: job_rows::shared_bundle(row.bundle)?,
        snapshot,
        events: job_rows::convert_all(events, job_rows::event_row)?,
        inbox: if row.inbox_open > 0 { find_inbox(connection, job)? } else { Vec::new() },
        value_bytes: from_int(row.value_bytes),
    })
}

fn find_inbox(connection: &Connection, job: &str) -> Outcome<Vec<InboxMessage>> {
    Ok(job_rows::convert_all(connection.fetch_all(INBOX, params![job])?, job_rows::inbox_message)?)
}
