//! Jobs on Postgres.

use std::collections::BTreeMap;
use std::time::Duration;

use apiflow_core::ports::{
    CallRecord, Claim, ClaimRequest, Commit, Created, DueErasure, DuePoll, Erasure, EventRow, InboxMessage, JobFilter,
    JobJournal, JobQueue, JobRecords, JobRow, JobStatus, LoadedJob, NewJob, ProviderWork, ProviderWorkClaim,
    RenewedLease, StepRow, StoreError, Timestamp,
};
use async_trait::async_trait;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, QueryBuilder, Row};

use super::{PostgresStore, now, slots};
use crate::batch::Event;
use crate::fault::store_error;
use crate::rows::{self, EventColumns, JobColumns, PROBE_BYTES, PollColumns, int, milliseconds, number, text};
use crate::slots::window_ms;
use crate::sql;

const INBOX: &str = "SELECT id, key, payload FROM job_inbox WHERE job_id = $1 AND NOT taken ORDER BY id";
/// All that is needed to go on with a job, as it is at one moment: a row, whose first columns are [`JobColumns`].
const LOAD_JOB: &str = concat!(
    "SELECT ",
    sql::job_columns!(),
    ", body, value_bytes, snapshot.seq AS snapshot_seq, snapshot.state AS snapshot_state, \
         seqs, moments, lists, indices, bodies, message_ids, message_keys, payloads \
     FROM jobs JOIN job_bundles ON job_bundles.job_id = jobs.id \
     LEFT JOIN job_snapshots AS snapshot ON snapshot.job_id = jobs.id \
     CROSS JOIN LATERAL (SELECT array_agg(seq) AS seqs, array_agg(at) AS moments, array_agg(list_id) AS lists, \
             array_agg(list_index) AS indices, array_agg(body) AS bodies \
         FROM (SELECT seq, at, list_id, list_index, body FROM job_events \
             WHERE job_id = jobs.id AND seq > coalesce(snapshot.seq, 0) ORDER BY seq) AS event) AS events \
     CROSS JOIN LATERAL (SELECT array_agg(id) AS message_ids, array_agg(key) AS message_keys, \
             array_agg(payload) AS payloads \
         FROM (SELECT id, key, payload FROM job_inbox WHERE job_id = jobs.id AND NOT taken ORDER BY id) AS message) \
         AS messages \
     WHERE jobs.id = $1"
);
const VALUES: &str = "SELECT seq, value FROM job_events WHERE job_id = $1 AND seq = ANY($2) AND value IS NOT NULL";
/// Goes through the priorities in their order, and no further than to the limit: what is not claimed is not locked. A
/// row without a job says that slots may be free.
const CLAIM: &str = concat!(
    "WITH RECURSIVE ",
    sql::levels!(),
    ", due AS (SELECT found.id, found.due_at FROM level CROSS JOIN LATERAL (SELECT id, due_at FROM jobs \
         WHERE jobs.priority = level.priority AND due_at <= ",
    now!(),
    " ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED) AS found LIMIT $2), \
     claimed AS (UPDATE jobs SET owner = $1, version = version + 1, tries = tries + 1, due_at = ",
    now!(),
    " + $3 FROM due WHERE jobs.id = due.id RETURNING jobs.priority, due.due_at, jobs.id, jobs.version, jobs.tries), \
     started AS (UPDATE job_slots SET started_at = ",
    now!(),
    ", look_at = ",
    now!(),
    " + window_ms FROM claimed WHERE job_slots.job_id = claimed.id AND state = 'held' AND started_at IS NULL) \
     SELECT -priority, due_at, id, version, tries FROM claimed \
     UNION ALL SELECT 0, 0, NULL, 0, 0 WHERE EXISTS (SELECT FROM job_slots WHERE look_at <= ",
    now!(),
    ")"
);
/// Locks in one order, so that a commit of several jobs and this do not wait for each other in a circle.
const RENEW: &str = concat!(
    "WITH held AS (SELECT id FROM jobs WHERE owner = $1 AND id = ANY($3) ORDER BY id FOR UPDATE) \
     UPDATE jobs SET due_at = ",
    now!(),
    " + $2 FROM held WHERE jobs.id = held.id RETURNING jobs.id, jobs.inbox_open > 0"
);
const CACHED: &str = concat!("SELECT value FROM cached_results WHERE key = $1 AND expires_at > ", now!());
/// The longer of two pauses stays, and those that are over are forgotten.
const PAUSE_SUBMITS: &str = concat!(
    "WITH over AS (DELETE FROM submit_pauses WHERE until <= ",
    now!(),
    " AND rate_limit <> $1) \
     INSERT INTO submit_pauses (rate_limit, until) VALUES ($1, ",
    now!(),
    " + $2) ON CONFLICT (rate_limit) DO UPDATE SET until = excluded.until \
     WHERE submit_pauses.until < excluded.until"
);
const SUBMITS_PAUSED: &str =
    concat!("SELECT until - ", now!(), " FROM submit_pauses WHERE rate_limit = $1 AND until > ", now!());
const TAKE_POLLS: &str = concat!(
    "WITH due AS (SELECT job_id, effect FROM job_polls WHERE ready_at <= ",
    now!(),
    " ORDER BY ready_at, job_id, effect LIMIT $1 FOR UPDATE SKIP LOCKED) \
     UPDATE job_polls AS poll SET ready_at = ",
    now!(),
    " + $2 FROM due WHERE poll.job_id = due.job_id AND poll.effect = due.effect \
     RETURNING poll.job_id, poll.effect, poll.due_at, poll.tries, poll.ticket"
);
/// Keeps the message, wakes its job and ends the poll; returns whether the message is new, and whether there is such a
/// job. The poll's row comes after the job's, in the order of locks.
const DELIVER: &str = concat!(
    "WITH added AS (INSERT INTO job_inbox (job_id, key, payload) SELECT id, $2, $3 FROM jobs \
         WHERE id = $1 AND status NOT IN ",
    sql::ended!(),
    " ON CONFLICT (job_id, key) DO NOTHING RETURNING job_id), \
     woken AS (UPDATE jobs SET inbox_open = inbox_open + 1, \
         due_at = CASE WHEN owner IS NULL AND status NOT IN ",
    sql::ended!(),
    " AND NOT EXISTS (SELECT FROM job_slots WHERE job_slots.job_id = jobs.id AND state = 'waiting') \
         THEN least(due_at, ",
    now!(),
    ") ELSE due_at END FROM added WHERE jobs.id = added.job_id RETURNING jobs.id), \
     poll AS (DELETE FROM job_polls USING (SELECT COUNT(*) FROM woken) AS after WHERE job_id = $1 AND effect = $4) \
     SELECT EXISTS (SELECT FROM woken), EXISTS (SELECT FROM jobs WHERE id = $1)"
);
/// Adds the job with its bundle and events, unless its key is in use; answers the job where it is new.
const CREATE: &str = concat!(
    "WITH free AS (INSERT INTO idempotency_keys (key, fingerprint, job_id, expires_at) \
         SELECT $15::text, $16::text, $1::text, $17::bigint WHERE $15::text IS NOT NULL ON CONFLICT (key) DO UPDATE \
         SET fingerprint = excluded.fingerprint, job_id = excluded.job_id, expires_at = excluded.expires_at \
         WHERE idempotency_keys.expires_at <= ",
    now!(),
    " RETURNING key), \
     added AS (INSERT INTO jobs (id, name, workflow_id, node_id, created_by, created_at, updated_at, status, \
         last_seq, priority, value_bytes, owner, version, tries, due_at) SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::bigint, \
         $6::bigint, 'pending', $7::bigint, $18::integer, $22::bigint, $23::text, \
         CASE WHEN $23::text IS NULL THEN 0 ELSE 1 END, CASE WHEN $23::text IS NULL THEN 0 ELSE 1 END, \
         CASE WHEN $19::text IS NULL THEN ",
    now!(),
    " + $24::bigint END WHERE $15::text IS NULL OR EXISTS (SELECT FROM free) RETURNING id), \
     slot AS (INSERT INTO job_slots (job_id, key, size, window_ms, priority, created_at, state, look_at) \
         SELECT id, $19::text, $20::bigint, $21::bigint, $18::integer, $6::bigint, 'waiting', ",
    now!(),
    " FROM added WHERE $19::text IS NOT NULL ON CONFLICT (job_id) DO UPDATE SET key = excluded.key, \
         size = excluded.size, window_ms = excluded.window_ms, priority = excluded.priority, \
         created_at = excluded.created_at, state = 'waiting', started_at = NULL, look_at = excluded.look_at), \
     used AS (INSERT INTO user_bytes (user_id, part, bytes) SELECT $5::text, pg_backend_pid() % 16, $22::bigint \
         FROM added WHERE $5::text IS NOT NULL \
         ON CONFLICT (user_id, part) DO UPDATE SET bytes = user_bytes.bytes + excluded.bytes), \
     bundle AS (INSERT INTO job_bundles (job_id, body) SELECT id, $8::text FROM added), \
     events AS (INSERT INTO job_events (job_id, seq, at, list_id, list_index, body, value) \
         SELECT added.id, event.* FROM added, unnest($9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], \
         $13::text[], $14::text[]) AS event (seq, at, list_id, list_index, body, value)) \
     SELECT id FROM added"
);

const LIVE_KEY: &str =
    concat!("SELECT job_id, fingerprint FROM idempotency_keys WHERE key = $1 AND expires_at > ", now!());

const BYTES_IN_FLIGHT: &str = "SELECT SUM(bytes)::bigint FROM user_bytes WHERE user_id = $1 GROUP BY user_id";
/// The new row takes room before the old one gives any back.
const PROBE: &str = "WITH added AS (INSERT INTO store_probes (filler) VALUES ($1) RETURNING id) \
     DELETE FROM store_probes USING added WHERE store_probes.id < added.id";
const CLAIM_ENDED: &str = concat!(
    "WITH claimed AS (UPDATE jobs SET owner = $1, version = version + 1, due_at = ",
    now!(),
    " + $2 WHERE id = $3 AND owner IS NULL AND status IN ",
    sql::ended!(),
    " RETURNING id, version), \
     held AS (UPDATE job_slots SET state = 'held' FROM claimed WHERE job_slots.job_id = claimed.id AND state = 'over') \
     SELECT version FROM claimed"
);

/// Claims a job that was just made, if it has its slot and nobody was faster.
const CLAIM_NEW: &str = concat!(
    "WITH claimed AS (UPDATE jobs SET owner = $1, version = version + 1, tries = tries + 1, due_at = ",
    now!(),
    " + $2 WHERE id = $3 AND owner IS NULL AND due_at <= ",
    now!(),
    " RETURNING id, version, tries), \
     started AS (UPDATE job_slots SET started_at = ",
    now!(),
    ", look_at = ",
    now!(),
    " + window_ms FROM claimed WHERE job_slots.job_id = claimed.id AND state = 'held' AND started_at IS NULL) \
     SELECT version, tries FROM claimed"
);

/// How often a job is added whose key was taken and is free again.
const TRIES: u32 = 5;

fn stopped() -> StoreError {
    rows::backend("the writer of commits has stopped")
}

#[async_trait]
impl JobQueue for PostgresStore {
    async fn create_job(&self, job: NewJob, claim: Option<ClaimRequest>) -> Result<Created, StoreError> {
        for _ in 0..TRIES {
            if self.add(&job, claim.as_ref()).await? {
                return Ok(Created::New { claim: self.claim_new(&job, claim.as_ref()).await });
            }
            let key = job.idempotency.as_ref().map(|asked| &asked.key);
            let used: Option<(String, String)> = sqlx::query_as(sql::USED_KEY)
                .bind(key)
                .fetch_optional(self.pool.counted())
                .await
                .map_err(store_error)?;
            if let Some((job, fingerprint)) = used {
                return Ok(Created::Existing { job, fingerprint });
            }
            // The first job was removed meanwhile, and its key with it.
        }
        Err(rows::backend(format!("the idempotency key of job `{}` is taken and freed again and again", job.id)))
    }

    async fn find_job_by_key(&self, key: &str) -> Result<Option<(String, String)>, StoreError> {
        sqlx::query_as(LIVE_KEY).bind(key).fetch_optional(self.pool.counted()).await.map_err(store_error)
    }

    async fn claim_due_jobs(&self, worker: &str, limit: u32, lease: Duration) -> Result<Vec<Claim>, StoreError> {
        let (mut claims, slots_are_free) = self.take_due(worker, limit, lease).await.map_err(store_error)?;
        if slots_are_free {
            let room = limit.saturating_sub(u32::try_from(claims.len()).unwrap_or(limit));
            match self.take_given(worker, room, lease).await {
                Ok(more) => claims.extend(more),
                Err(error) if claims.is_empty() => return Err(store_error(error)),
                // What is claimed already must be worked on.
                Err(error) => tracing::warn!(%error, "slots could not be given; the next claim tries again"),
            }
        }
        Ok(claims)
    }

    async fn claim_ended_job(&self, worker: &str, job: &str, lease: Duration) -> Result<Option<u64>, StoreError> {
        let claimed = sqlx::query_as(CLAIM_ENDED).bind(worker).bind(milliseconds(lease)).bind(job);
        let claimed: Option<(i64,)> = claimed.fetch_optional(self.pool.counted()).await.map_err(store_error)?;
        Ok(claimed.map(|(version,)| number(version)))
    }

    async fn renew_leases(
        &self,
        worker: &str,
        jobs: &[String],
        lease: Duration,
    ) -> Result<Vec<RenewedLease>, StoreError> {
        let held: Vec<(String, bool)> = sqlx::query_as(RENEW)
            .bind(worker)
            .bind(milliseconds(lease))
            .bind(jobs)
            .fetch_all(self.pool.counted())
            .await
            .map_err(store_error)?;
        Ok(held.into_iter().map(|(job, has_messages)| RenewedLease { job, has_messages }).collect())
    }

    async fn record_solo_start(&self, job: &str, version: u64) -> Result<u32, StoreError> {
        let noted = sqlx::query_as(sql::RECORD_SOLO_START).bind(job).bind(int(version));
        rows::solo_starts(job, noted.fetch_optional(self.pool.counted()).await.map_err(store_error)?)
    }

    async fn undo_solo_start(&self, job: &str, version: u64) -> Result<(), StoreError> {
        let noted = sqlx::query(sql::UNDO_SOLO_START).bind(job).bind(int(version));
        noted.execute(self.pool.counted()).await.map(|_| ()).map_err(store_error)
    }

    async fn waive_slot(&self, job: &str) -> Result<(), StoreError> {
        slots::pass(&self.pool, job).await.map_err(store_error)
    }

    async fn read_next_due_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let (moment,): (Option<i64>,) =
            sqlx::query_as(sql::NEXT_DUE).fetch_one(self.pool.counted()).await.map_err(store_error)?;
        Ok(moment.map(Timestamp))
    }
}

#[async_trait]
impl JobJournal for PostgresStore {
    async fn load_job(&self, job: &str) -> Result<LoadedJob, StoreError> {
        let row = sqlx::query(LOAD_JOB).bind(job).fetch_optional(self.pool.counted()).await.map_err(store_error)?;
        loaded_job(&row.ok_or_else(|| StoreError::NotFound { job: job.to_owned() })?)
    }

    async fn commit_turn(&self, commit: Commit) -> Result<u64, StoreError> {
        self.gatherer.submit(commit, |write| write).await.ok_or_else(stopped)?
    }

    async fn deliver_message(
        &self,
        job: &str,
        key: &str,
        payload: Value,
        finished_poll: Option<u64>,
    ) -> Result<bool, StoreError> {
        let (is_new, exists): (bool, bool) = sqlx::query_as(DELIVER)
            .bind(job)
            .bind(key)
            .bind(text(&payload))
            .bind(finished_poll.map(int))
            .fetch_one(self.pool.counted())
            .await
            .map_err(store_error)?;
        if exists { Ok(is_new) } else { Err(StoreError::NotFound { job: job.to_owned() }) }
    }

    async fn read_inbox(&self, job: &str) -> Result<Vec<InboxMessage>, StoreError> {
        let inbox = sqlx::query_as(INBOX).bind(job).fetch_all(self.pool.counted()).await.map_err(store_error)?;
        rows::all(inbox, rows::message)
    }

    async fn read_values(&self, job: &str, seqs: &[u64]) -> Result<Vec<Option<Value>>, StoreError> {
        let found = sqlx::query_as(VALUES)
            .bind(job)
            .bind(seqs.iter().copied().map(int).collect::<Vec<i64>>())
            .fetch_all(self.pool.counted())
            .await;
        rows::values(found.map_err(store_error)?, seqs)
    }

    async fn read_list(&self, job: &str, list: u64) -> Result<Vec<Value>, StoreError> {
        let bodies: Vec<(String,)> = sqlx::query_as(sql::LIST)
            .bind(job)
            .bind(int(list))
            .fetch_all(self.pool.counted())
            .await
            .map_err(store_error)?;
        bodies.into_iter().map(|(body,)| rows::json(&body)).collect()
    }

    async fn read_cached_result(&self, key: &str) -> Result<Option<Value>, StoreError> {
        let found: Option<(String,)> =
            sqlx::query_as(CACHED).bind(key).fetch_optional(self.pool.counted()).await.map_err(store_error)?;
        found.map(|(value,)| rows::json(&value)).transpose()
    }

    async fn read_events(&self, job: &str, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let page = sqlx::query_as(sql::EVENTS).bind(job).bind(int(after)).bind(i64::from(limit));
        rows::all(page.fetch_all(self.pool.counted()).await.map_err(store_error)?, rows::event_row)
    }

    async fn read_job(&self, job: &str) -> Result<Option<JobRow>, StoreError> {
        let row = sqlx::query_as(sql::JOB).bind(job).fetch_optional(self.pool.counted()).await.map_err(store_error)?;
        row.map(rows::job_row).transpose()
    }
}

#[async_trait]
impl ProviderWork for PostgresStore {
    async fn claim_provider_work(&self, following: ProviderWorkClaim) -> Result<bool, StoreError> {
        let noted = sqlx::query(sql::FOLLOW)
            .bind(&following.provider)
            .bind(&following.provider_id)
            .bind(&following.job)
            .bind(int(following.effect));
        Ok(noted.fetch_optional(self.pool.counted()).await.map_err(store_error)?.is_some())
    }

    async fn pause_submits(&self, limit: &str, pause: Duration) -> Result<(), StoreError> {
        let noted = sqlx::query(PAUSE_SUBMITS).bind(limit).bind(milliseconds(pause)).execute(self.pool.counted()).await;
        noted.map(drop).map_err(store_error)
    }

    async fn read_submit_pause(&self, limit: &str) -> Result<Option<Duration>, StoreError> {
        let left: Option<(i64,)> = sqlx::query_as(SUBMITS_PAUSED)
            .bind(limit)
            .fetch_optional(self.pool.counted())
            .await
            .map_err(store_error)?;
        Ok(left.map(|(left,)| Duration::from_millis(number(left))))
    }

    async fn take_due_polls(&self, limit: u32, lease: Duration) -> Result<Vec<DuePoll>, StoreError> {
        let taken: Vec<PollColumns> = sqlx::query_as(TAKE_POLLS)
            .bind(i64::from(limit))
            .bind(milliseconds(lease))
            .fetch_all(self.pool.counted())
            .await
            .map_err(store_error)?;
        rows::due_polls(taken)
    }

    async fn reschedule_poll(
        &self,
        job: &str,
        effect: u64,
        due_at: Timestamp,
        progress: Option<(u64, f64)>,
    ) -> Result<(), StoreError> {
        // Two transactions: a commit may hold the step's row and wait for the poll's.
        let back = sqlx::query(sql::PUT_BACK).bind(job).bind(int(effect)).bind(due_at.0);
        back.execute(self.pool.counted()).await.map_err(store_error)?;
        if let Some((ordinal, progress)) = progress {
            let told = sqlx::query(sql::PROGRESS).bind(job).bind(int(ordinal)).bind(progress).bind(int(effect));
            told.execute(self.pool.counted()).await.map_err(store_error)?;
        }
        Ok(())
    }
}

#[async_trait]
impl JobRecords for PostgresStore {
    async fn list_jobs(&self, filter: &JobFilter, before: Option<&str>, limit: u32) -> Result<Vec<JobRow>, StoreError> {
        let mut query = QueryBuilder::new(sql::JOBS);
        rows::filter!(query, filter, before, limit);
        let found = query.build_query_as().fetch_all(self.pool.counted()).await.map_err(store_error)?;
        rows::all(found, rows::job_row)
    }

    async fn count_active_jobs(&self) -> Result<BTreeMap<JobStatus, u64>, StoreError> {
        let counts =
            sqlx::query_as(sql::COUNT_ACTIVE_JOBS).fetch_all(self.pool.counted()).await.map_err(store_error)?;
        rows::status_counts(counts)
    }

    async fn list_steps(&self, job: &str, after: u64, limit: u32) -> Result<Vec<StepRow>, StoreError> {
        let page = sqlx::query_as(sql::STEPS).bind(job).bind(int(after)).bind(i64::from(limit));
        rows::all(page.fetch_all(self.pool.counted()).await.map_err(store_error)?, rows::step_row)
    }

    async fn list_calls(&self, job: &str, step: u64) -> Result<Vec<CallRecord>, StoreError> {
        let calls = sqlx::query_as(sql::CALLS).bind(job).bind(int(step)).fetch_all(self.pool.counted()).await;
        rows::all(calls.map_err(store_error)?, rows::call_record).map(CallRecord::joined)
    }

    async fn delete_job(&self, job: &str) -> Result<(), StoreError> {
        // A job that has ended stays so, and one that is missing stays missing: no lock is needed between the two.
        let gone = sqlx::query(sql::DELETE_JOB).bind(job).execute(self.pool.counted()).await.map_err(store_error)?;
        if gone.rows_affected() > 0 {
            return Ok(());
        }
        let job = job.to_owned();
        Err(if self.status(&job).await?.is_some() { StoreError::Active { job } } else { StoreError::NotFound { job } })
    }

    async fn take_due_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, StoreError> {
        self.take_erasures(limit, lease).await.map_err(store_error)
    }

    async fn erase_job_data(&self, erasure: Erasure) -> Result<(), StoreError> {
        self.erase_part(&erasure).await
    }

    async fn read_bytes_in_flight(&self, user: &str) -> Result<u64, StoreError> {
        let sum: Option<(i64,)> = sqlx::query_as(BYTES_IN_FLIGHT)
            .bind(user)
            .fetch_optional(self.pool.counted())
            .await
            .map_err(store_error)?;
        Ok(sum.map_or(0, |(bytes,)| number(bytes)))
    }

    async fn verify_writable(&self) -> Result<(), StoreError> {
        let filler = vec![0_u8; usize::try_from(PROBE_BYTES).unwrap_or_default()];
        let mut connection = self.connect_to_probe().await?;
        sqlx::query(PROBE).bind(filler).execute(&mut *connection).await.map(drop).map_err(store_error)
    }
}

/// Reads the row of [`LOAD_JOB`].
fn loaded_job(row: &PgRow) -> Result<LoadedJob, StoreError> {
    let job = rows::job_row(JobColumns::from_row(row).map_err(store_error)?)?;
    let bundle: String = row.try_get("body").map_err(store_error)?;
    let snapshot = match row.try_get("snapshot_seq").map_err(store_error)? {
        Some(seq) => Some(rows::snapshot_row((seq, row.try_get("snapshot_state").map_err(store_error)?))?),
        None => None,
    };
    Ok(LoadedJob {
        job,
        bundle: rows::json(&bundle)?,
        snapshot,
        events: rows::all(loaded_events(row).map_err(store_error)?, rows::event_row)?,
        inbox: rows::all(loaded_messages(row).map_err(store_error)?, rows::message)?,
        value_bytes: number(row.try_get("value_bytes").map_err(store_error)?),
    })
}

fn loaded_events(row: &PgRow) -> Result<Vec<EventColumns>, sqlx::Error> {
    let Some(seqs) = row.try_get::<Option<Vec<i64>>, _>("seqs")? else { return Ok(Vec::new()) };
    let moments: Vec<i64> = row.try_get("moments")?;
    let lists: Vec<Option<i64>> = row.try_get("lists")?;
    let indices: Vec<Option<i64>> = row.try_get("indices")?;
    let bodies: Vec<String> = row.try_get("bodies")?;
    let columns = seqs.into_iter().zip(moments).zip(lists).zip(indices).zip(bodies);
    Ok(columns.map(|((((seq, at), list), index), body)| (seq, at, list, index, body)).collect())
}

fn loaded_messages(row: &PgRow) -> Result<Vec<(i64, String, String)>, sqlx::Error> {
    let Some(ids) = row.try_get::<Option<Vec<i64>>, _>("message_ids")? else { return Ok(Vec::new()) };
    let keys: Vec<String> = row.try_get("message_keys")?;
    let payloads: Vec<String> = row.try_get("payloads")?;
    Ok(ids.into_iter().zip(keys).zip(payloads).map(|((id, key), payload)| (id, key, payload)).collect())
}

impl PostgresStore {
    /// Claims jobs that are due; says too whether slots may be free.
    async fn take_due(&self, worker: &str, limit: u32, lease: Duration) -> Result<(Vec<Claim>, bool), sqlx::Error> {
        let mut found: Vec<(i32, i64, Option<String>, i64, i64)> = sqlx::query_as(CLAIM)
            .bind(worker)
            .bind(i64::from(limit))
            .bind(milliseconds(lease))
            .fetch_all(self.pool.counted())
            .await?;
        found.sort();
        let slots_are_free = found.iter().any(|(_, _, job, ..)| job.is_none());
        let claims = found.into_iter().filter_map(|(_, _, job, version, tries)| {
            Some(Claim { job: job?, version: number(version), tries: u32::try_from(tries).unwrap_or(u32::MAX) })
        });
        Ok((claims.collect(), slots_are_free))
    }

    /// Gives away the slots that are free, and claims what is due with them.
    async fn take_given(&self, worker: &str, limit: u32, lease: Duration) -> Result<Vec<Claim>, sqlx::Error> {
        slots::give(&self.pool).await?;
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.take_due(worker, limit, lease).await.map(|(claims, _)| claims)
    }

    pub(super) async fn status(&self, job: &str) -> Result<Option<(String,)>, StoreError> {
        sqlx::query_as(sql::JOB_STATUS).bind(job).fetch_optional(self.pool.counted()).await.map_err(store_error)
    }

    /// The claim of a job that was just added: the same statement claims one that needs no slot; one that needs a slot
    /// is claimed if it gets it now.
    async fn claim_new(&self, new: &NewJob, claim: Option<&ClaimRequest>) -> Option<Claim> {
        let request = claim?;
        if new.concurrency.is_none() {
            return Some(Claim { job: new.id.clone(), version: 1, tries: 1 });
        }
        match self.claim_with_slot(&new.id, request).await {
            Ok(claim) => claim,
            Err(error) => {
                tracing::warn!(%error, job = new.id, "the new job could not be claimed; the next claim takes it");
                None
            }
        }
    }

    /// Gives away the slots that are free, and claims one job if it has its slot.
    async fn claim_with_slot(&self, job: &str, request: &ClaimRequest) -> Result<Option<Claim>, sqlx::Error> {
        slots::give(&self.pool).await?;
        let claimed: Option<(i64, i64)> = sqlx::query_as(CLAIM_NEW)
            .bind(&request.worker)
            .bind(milliseconds(request.lease))
            .bind(job)
            .fetch_optional(self.pool.counted())
            .await?;
        Ok(claimed.map(|(version, tries)| Claim {
            job: job.to_owned(),
            version: number(version),
            tries: u32::try_from(tries).unwrap_or(u32::MAX),
        }))
    }

    /// Adds a job unless its key is in use; returns whether it did. One that needs no slot is claimed at once.
    async fn add(&self, new: &NewJob, claim: Option<&ClaimRequest>) -> Result<bool, StoreError> {
        let claim = claim.filter(|_| new.concurrency.is_none());
        let events: Vec<Event<'_>> = new.events.iter().map(|event| Event::of(&new.id, event)).collect();
        let asked = new.idempotency.as_ref();
        let added = sqlx::query(CREATE)
            .bind(&new.id)
            .bind(&new.name)
            .bind(&new.workflow_id)
            .bind(&new.node_id)
            .bind(&new.created_by)
            .bind(new.created_at.0)
            .bind(events.iter().map(|event| event.seq).max().unwrap_or(0))
            .bind(text(&new.bundle))
            .bind(events.iter().map(|event| event.seq).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.at).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.list).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.index).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.body.as_str()).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.value.as_deref()).collect::<Vec<_>>())
            .bind(asked.map(|asked| &asked.key))
            .bind(asked.map(|asked| &asked.fingerprint))
            .bind(asked.map(|asked| asked.expires_at.0))
            .bind(new.priority)
            .bind(new.concurrency.as_ref().map(|asked| &asked.key))
            .bind(new.concurrency.as_ref().map(|asked| int(asked.limit)))
            .bind(new.concurrency.as_ref().and_then(window_ms))
            .bind(int(new.value_bytes()))
            .bind(claim.map(|request| &request.worker))
            .bind(claim.map_or(0, |request| milliseconds(request.lease)));
        Ok(added.fetch_optional(self.pool.counted()).await.map_err(store_error)?.is_some())
    }
}
