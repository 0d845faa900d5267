//! The queue of jobs on Postgres: creating, claiming and waking.

use std::time::{Duration, Instant};

use apiflow_core::ports::{
    Claim, Created, JobQueue, JobRecords as _, JobStart, NewJob, RenewedLease, StoreError, Timestamp,
};
use async_trait::async_trait;

use super::columns::{bind_calls, bind_events, bind_steps, column_values};
use super::{PostgresStore, now, slots};
use crate::commit_rows::{Batch, Event, Turn};
use crate::fault::store_error;
use crate::job_rows::{self, duration_ms, from_int, to_int};
use crate::slots::window_ms;
use crate::sql;
use crate::webhook_deliveries::events_text;

/// Visits the priorities in order, and stops at the limit: jobs that are not claimed are not locked. A row without a
/// job means that slots may be free.
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

/// Locks in one order, so that this and a commit of several jobs do not deadlock.
const RENEW: &str = concat!(
    "WITH held AS (SELECT id FROM jobs WHERE owner = $1 AND id = ANY($3) ORDER BY id FOR UPDATE) \
     UPDATE jobs SET due_at = ",
    now!(),
    " + $2 FROM held WHERE jobs.id = held.id RETURNING jobs.id, jobs.inbox_open > 0"
);

/// Adds the job with its bundle, its events and what its first turn wrote, unless its key is in use. If it is new,
/// returns whether submits are paused at any provider. Without a turn the parameters from 25 on are empty.
const CREATE: &str = concat!(
    "WITH flight AS (SELECT $58::bigint IS NULL OR coalesce(SUM(bytes), 0) < $58::bigint AS has_room \
         FROM user_bytes WHERE user_id = $5::text), \
     free AS (INSERT INTO idempotency_keys (key, fingerprint, job_id, expires_at) \
         SELECT $15::text, $16::text, $1::text, $17::bigint FROM flight WHERE has_room AND $15::text IS NOT NULL \
         ON CONFLICT (key) DO UPDATE \
         SET fingerprint = excluded.fingerprint, job_id = excluded.job_id, expires_at = excluded.expires_at \
         WHERE idempotency_keys.expires_at <= ",
    now!(),
    " RETURNING key), \
     added AS (INSERT INTO jobs (id, name, workflow_id, node_id, created_by, created_at, updated_at, status, \
         last_seq, priority, value_bytes, owner, version, tries, due_at, retry_count, started_at, finished_at, \
         output, error, erase_at, erase_ready_at, workflow_version, rerun_of) SELECT $1::text, $2::text, $3::text, $4::text, $5::text, \
         $6::bigint, coalesce($57::bigint, $6::bigint), coalesce($25::text, 'pending'), $7::bigint, $18::integer, $22::bigint, \
         CASE WHEN NOT $26::boolean THEN $23::text END, \
         CASE WHEN $23::text IS NULL THEN 0 WHEN $25::text IS NULL THEN 1 ELSE 2 END, \
         CASE WHEN $23::text IS NOT NULL AND $25::text IS NULL THEN 1 ELSE 0 END, \
         CASE WHEN $26::boolean THEN $27::bigint WHEN $19::text IS NULL THEN ",
    now!(),
    " + $24::bigint END, $28::bigint, $29::bigint, $30::bigint, $31::text, $32::text, $33::bigint, \
         CASE WHEN $34::boolean THEN $33::bigint END, $66::bigint, $67::text FROM flight \
         WHERE has_room AND ($15::text IS NULL OR EXISTS (SELECT FROM free)) RETURNING id, number), \
     slot AS (INSERT INTO job_slots (job_id, key, size, window_ms, priority, created_at, state, look_at) \
         SELECT id, $19::text, $20::bigint, $21::bigint, $18::integer, $6::bigint, 'waiting', ",
    now!(),
    " FROM added WHERE $19::text IS NOT NULL ON CONFLICT (job_id) DO UPDATE SET key = excluded.key, \
         size = excluded.size, window_ms = excluded.window_ms, priority = excluded.priority, \
         created_at = excluded.created_at, state = 'waiting', started_at = NULL, look_at = excluded.look_at), \
     used AS (INSERT INTO user_bytes (user_id, part, bytes) SELECT $5::text, pg_backend_pid() % 16, $22::bigint \
         FROM added WHERE $5::text IS NOT NULL AND NOT $34::boolean \
         ON CONFLICT (user_id, part) DO UPDATE SET bytes = user_bytes.bytes + excluded.bytes), \
     bundle AS (INSERT INTO job_bundles (job, body) SELECT number, $8::text FROM added), \
     events AS (INSERT INTO job_events (job, ",
    sql::event_columns!(),
    ") \
         SELECT added.number, event.* FROM added, unnest($9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], \
         $13::text[], $14::text[]) AS event (",
    sql::event_columns!(),
    ")), \
     steps AS (INSERT INTO job_steps (job, ",
    sql::step_columns!(),
    ") \
         SELECT added.number, step.* FROM added, unnest($35::bigint[], $36::text[], $37::integer[], $38::bigint[], \
         $39::bigint[], $40::double precision[], $41::text[]) \
         AS step (",
    sql::step_columns!(),
    ")), \
     calls AS (INSERT INTO job_calls (job, ",
    sql::call_columns!(),
    ") \
         SELECT added.number, call.step, call.attempt, call.purpose, call.at, call.duration_ms, call.request, \
         call.reply FROM added, unnest($42::bigint[], $43::integer[], $44::text[], $45::bigint[], $46::bigint[], \
         $47::text[], $48::text[]) WITH ORDINALITY \
         AS call (",
    sql::call_columns!(),
    ", place) ORDER BY call.place), \
     polls AS (INSERT INTO job_polls (job_id, effect, due_at, ready_at, ticket) \
         SELECT added.id, poll.effect, poll.due_at, poll.due_at, poll.ticket \
         FROM added, unnest($49::bigint[], $50::bigint[], $51::text[]) AS poll (effect, due_at, ticket)), \
     snapshots AS (INSERT INTO job_snapshots (job, seq, state) \
         SELECT added.number, snapshot.* FROM added, unnest($52::bigint[], $53::text[]) AS snapshot (seq, state)), \
     cached AS (INSERT INTO cached_results (key, value, expires_at) \
         SELECT DISTINCT ON (kept.key) kept.key, kept.value, ",
    now!(),
    " + kept.ttl FROM added, unnest($54::text[], $55::text[], $56::bigint[]) WITH ORDINALITY \
         AS kept (key, value, ttl, place) ORDER BY kept.key, kept.place DESC \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at), \
     hook AS (INSERT INTO job_webhooks (job_id, url, host, events, signer) \
         SELECT id, $59::text, $60::text, $61::text, $62::text FROM added WHERE $59::text IS NOT NULL), \
     announced AS (INSERT INTO webhook_deliveries (id, job_id, event, step, at, url, host, signer, lane, state, queued_at, \
             due_at, ready_at) \
         SELECT told.id, added.id, told.event, told.step, $57::bigint, $59::text, $60::text, $62::text, \
             $62::text || ' ' || $60::text, 'pending', ",
    now!(),
    ", ",
    now!(),
    ", ",
    now!(),
    " FROM added, unnest($63::text[], $64::text[], $65::bigint[]) AS told (id, event, step) \
         WHERE position(' ' || told.event || ' ' IN $61::text) > 0) \
     SELECT ",
    sql::is_restrained!(now!()),
    " FROM added"
);

const LIVE_KEY: &str = sql::job_by_key!(now!());

const CLAIM_ENDED: &str = concat!(
    "WITH claimed AS (UPDATE jobs SET owner = $1, version = version + 1, due_at = ",
    now!(),
    " + $2 WHERE id = $3 AND owner IS NULL AND status IN ",
    sql::ended!(),
    " RETURNING id, version), \
     held AS (UPDATE job_slots SET state = 'held' FROM claimed WHERE job_slots.job_id = claimed.id AND state = 'over') \
     SELECT version FROM claimed"
);

/// Claims a job that was just created, if it has its slot and no other worker was faster.
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

/// How often creating a job is tried if its idempotency key is freed between the insert and the lookup.
const MAX_CREATE_TRIES: u32 = 5;

#[async_trait]
impl JobQueue for PostgresStore {
    async fn create_job(&self, job: NewJob, start: Option<JobStart>) -> Result<Created, StoreError> {
        for _ in 0..MAX_CREATE_TRIES {
            if self.add_job(&job, start.as_ref()).await? {
                return Ok(Created::New { claim: self.claim_new(&job, start.as_ref()).await });
            }
            let key = job.idempotency.as_ref().map(|asked| &asked.key);
            let used: Option<(String, String)> = sqlx::query_as(sql::USED_KEY)
                .bind(key)
                .fetch_optional(self.pool.count_statement())
                .await
                .map_err(store_error)?;
            if let Some((job, fingerprint)) = used {
                return Ok(Created::Existing { job, fingerprint });
            }
            if let (Some(user), Some(max)) = (&job.created_by, job.max_bytes_in_flight) {
                let used = self.read_bytes_in_flight(user).await?;
                if used >= max {
                    return Ok(Created::OverLimit { used });
                }
            }
            // The first job was deleted meanwhile, and its key with it; or there is room again.
        }
        Err(job_rows::backend_error(format!(
            "the idempotency key of job `{}` is used and freed again and again, or the room for its values",
            job.id
        )))
    }

    async fn find_job_by_key(&self, key: &str) -> Result<Option<(String, String)>, StoreError> {
        sqlx::query_as(LIVE_KEY).bind(key).fetch_optional(self.pool.count_statement()).await.map_err(store_error)
    }

    async fn claim_due_jobs(&self, worker: &str, limit: u32, lease: Duration) -> Result<Vec<Claim>, StoreError> {
        let (mut claims, slots_are_free) = self.take_due(worker, limit, lease).await.map_err(store_error)?;
        if slots_are_free {
            let room = limit.saturating_sub(u32::try_from(claims.len()).unwrap_or(limit));
            match self.take_given(worker, room, lease).await {
                Ok(more) => claims.extend(more),
                Err(error) if claims.is_empty() => return Err(store_error(error)),
                // Jobs that have been claimed must be run.
                Err(error) => tracing::warn!(%error, "slots could not be assigned; the next claim retries"),
            }
        }
        Ok(claims)
    }

    async fn claim_ended_job(&self, worker: &str, job: &str, lease: Duration) -> Result<Option<u64>, StoreError> {
        let claimed = sqlx::query_as(CLAIM_ENDED).bind(worker).bind(duration_ms(lease)).bind(job);
        let claimed: Option<(i64,)> = claimed.fetch_optional(self.pool.count_statement()).await.map_err(store_error)?;
        Ok(claimed.map(|(version,)| from_int(version)))
    }

    async fn renew_leases(
        &self,
        worker: &str,
        jobs: &[String],
        lease: Duration,
    ) -> Result<Vec<RenewedLease>, StoreError> {
        let held: Vec<(String, bool)> = sqlx::query_as(RENEW)
            .bind(worker)
            .bind(duration_ms(lease))
            .bind(jobs)
            .fetch_all(self.pool.count_statement())
            .await
            .map_err(store_error)?;
        Ok(held.into_iter().map(|(job, has_messages)| RenewedLease { job, has_messages }).collect())
    }

    async fn record_solo_start(&self, job: &str, version: u64) -> Result<u32, StoreError> {
        let noted = sqlx::query_as(sql::RECORD_SOLO_START).bind(job).bind(to_int(version));
        job_rows::solo_starts(job, noted.fetch_optional(self.pool.count_statement()).await.map_err(store_error)?)
    }

    async fn undo_solo_start(&self, job: &str, version: u64) -> Result<(), StoreError> {
        let noted = sqlx::query(sql::UNDO_SOLO_START).bind(job).bind(to_int(version));
        noted.execute(self.pool.count_statement()).await.map(|_| ()).map_err(store_error)
    }

    async fn waive_slot(&self, job: &str) -> Result<(), StoreError> {
        slots::waive_slot(&self.pool, job).await.map_err(store_error)
    }

    async fn read_next_due_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let (moment,): (Option<i64>,) =
            sqlx::query_as(sql::NEXT_DUE).fetch_one(self.pool.count_statement()).await.map_err(store_error)?;
        Ok(moment.map(Timestamp))
    }
}

impl PostgresStore {
    /// Claims due jobs; also returns whether slots may be free.
    async fn take_due(&self, worker: &str, limit: u32, lease: Duration) -> Result<(Vec<Claim>, bool), sqlx::Error> {
        let mut found: Vec<(i32, i64, Option<String>, i64, i64)> = sqlx::query_as(CLAIM)
            .bind(worker)
            .bind(i64::from(limit))
            .bind(duration_ms(lease))
            .fetch_all(self.pool.count_statement())
            .await?;
        found.sort();
        let slots_are_free = found.iter().any(|(_, _, job, ..)| job.is_none());
        let claims = found.into_iter().filter_map(|(_, _, job, version, tries)| {
            Some(Claim { job: job?, version: from_int(version), tries: u32::try_from(tries).unwrap_or(u32::MAX) })
        });
        Ok((claims.collect(), slots_are_free))
    }

    /// Assigns the free slots, and claims the jobs that are due with them.
    async fn take_given(&self, worker: &str, limit: u32, lease: Duration) -> Result<Vec<Claim>, sqlx::Error> {
        slots::assign_free_slots(&self.pool).await?;
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.take_due(worker, limit, lease).await.map(|(claims, _)| claims)
    }

    /// Claims a job that was just added: one that needs no slot was claimed by the same statement; one that needs a
    /// slot is claimed if it gets it now.
    async fn claim_new(&self, new: &NewJob, start: Option<&JobStart>) -> Option<Claim> {
        let start = start?;
        if new.concurrency.is_none() {
            let version = if start.turn.is_some() { 2 } else { 1 };
            return Some(Claim { job: new.id.clone(), version, tries: 1 });
        }
        match self.claim_with_slot(&new.id, start).await {
            Ok(claim) => claim,
            Err(error) => {
                tracing::warn!(%error, job = new.id, "the new job could not be claimed; the next claim takes it");
                None
            }
        }
    }

    /// Assigns the free slots, and claims one job if it has its slot.
    async fn claim_with_slot(&self, job: &str, start: &JobStart) -> Result<Option<Claim>, sqlx::Error> {
        slots::assign_free_slots(&self.pool).await?;
        let claimed: Option<(i64, i64)> = sqlx::query_as(CLAIM_NEW)
            .bind(&start.worker)
            .bind(duration_ms(start.lease))
            .bind(job)
            .fetch_optional(self.pool.count_statement())
            .await?;
        Ok(claimed.map(|(version, tries)| Claim {
            job: job.to_owned(),
            version: from_int(version),
            tries: u32::try_from(tries).unwrap_or(u32::MAX),
        }))
    }

    /// Adds a job unless its key is in use; returns whether it did. A job that needs no slot is claimed at once.
    async fn add_job(&self, new: &NewJob, start: Option<&JobStart>) -> Result<bool, StoreError> {
        let start = start.filter(|_| new.concurrency.is_none());
        let turn = start.and_then(|start| start.turn.as_deref());
        let batch = Batch::of_commits(turn);
        let mut events: Vec<Event> = new.events.iter().map(|event| Event::of_row(1, event)).collect();
        events.extend(batch.events);
        let turn = turn.map(Turn::of_commit);
        let (asked, webhook) = (new.idempotency.as_ref(), new.webhook.as_ref());
        let added = sqlx::query_as::<_, (bool,)>(CREATE)
            .bind(&new.id)
            .bind(&new.name)
            .bind(&new.workflow_id)
            .bind(&new.node_id)
            .bind(&new.created_by)
            .bind(new.created_at.0)
            .bind(events.iter().map(|event| event.seq).max().unwrap_or(0))
            .bind(new.bundle.json());
        let added = bind_events(added, &events)
            .bind(asked.map(|asked| &asked.key))
            .bind(asked.map(|asked| &asked.fingerprint))
            .bind(asked.map(|asked| asked.expires_at.0))
            .bind(turn.as_ref().map_or(new.priority, |turn| turn.priority))
            .bind(new.concurrency.as_ref().map(|asked| &asked.key))
            .bind(new.concurrency.as_ref().map(|asked| to_int(asked.limit)))
            .bind(new.concurrency.as_ref().and_then(window_ms))
            .bind(to_int(new.value_bytes()) + turn.as_ref().map_or(0, |turn| turn.value_bytes))
            .bind(start.map(|start| &start.worker))
            .bind(start.map_or(0, |start| duration_ms(start.lease)))
            .bind(turn.as_ref().map(|turn| turn.status))
            .bind(turn.as_ref().is_some_and(|turn| turn.ended || turn.released))
            .bind(turn.as_ref().and_then(|turn| turn.wake_at.filter(|_| !turn.ended)))
            .bind(turn.as_ref().map_or(0, |turn| turn.retry_count))
            .bind(turn.as_ref().and_then(|turn| turn.started_at))
            .bind(turn.as_ref().and_then(|turn| turn.finished_at))
            .bind(turn.as_ref().and_then(|turn| turn.output.as_deref()))
            .bind(turn.as_ref().and_then(|turn| turn.error.as_deref()))
            .bind(turn.as_ref().and_then(|turn| turn.erase_at))
            .bind(turn.as_ref().is_some_and(|turn| turn.ended));
        let added = bind_calls(bind_steps(added, &batch.steps), &batch.calls)
            .bind(column_values(&batch.polls, |row| row.effect))
            .bind(column_values(&batch.polls, |row| row.due_at))
            .bind(column_values(&batch.polls, |row| row.ticket.as_str()))
            .bind(column_values(&batch.snapshots, |row| row.seq))
            .bind(column_values(&batch.snapshots, |row| row.state.as_str()))
            .bind(column_values(&batch.cached, |row| row.key))
            .bind(column_values(&batch.cached, |row| row.value.as_str()))
            .bind(column_values(&batch.cached, |row| row.ttl))
            .bind(turn.as_ref().map(|turn| turn.at))
            .bind(new.created_by.as_ref().and(new.max_bytes_in_flight).map(to_int))
            .bind(webhook.map(|webhook| &webhook.url))
            .bind(webhook.map(|webhook| &webhook.host))
            .bind(webhook.map(|webhook| events_text(&webhook.events)))
            .bind(webhook.map(|webhook| &webhook.signer))
            .bind(column_values(&batch.announced, |row| row.id.as_str()))
            .bind(column_values(&batch.announced, |row| row.event))
            .bind(column_values(&batch.announced, |row| row.step))
            .bind(new.workflow_version.map(to_int))
            .bind(&new.rerun_of);
        let begun = Instant::now();
        let added = added.fetch_optional(self.pool.count_statement()).await.map_err(store_error)?;
        let Some((is_restrained,)) = added else { return Ok(false) };
        if !is_restrained {
            self.pauses.note_none(begun);
        }
        Ok(true)
    }
}
