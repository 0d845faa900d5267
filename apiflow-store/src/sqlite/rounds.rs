//! Group commit: the writes of one round share a transaction.

use std::collections::{BTreeMap, BTreeSet};

use apiflow_core::ports::{Claim, ClaimRequest, Commit, Created, NewJob, StoreError};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::oneshot;

use super::{inserts, now, slots};
use crate::batch::{Batch, Event, Turn};
use crate::fault::{may_succeed_alone, store_error};
use crate::gather::Asked;
use crate::rows::{int, milliseconds, number, text};
use crate::sql;

type Answer<T> = Result<T, StoreError>;

/// A message for a job.
pub(super) struct Delivery {
    pub(super) job: String,
    pub(super) key: String,
    pub(super) payload: String,
    pub(super) finished_poll: Option<u64>,
}

/// A new job, and who wants to claim it at once.
pub(super) struct Creation {
    pub(super) job: NewJob,
    pub(super) claim: Option<ClaimRequest>,
}

/// What may share a transaction.
pub(super) enum Write {
    Commit(Asked<Commit, Answer<u64>>),
    Create(Asked<Creation, Answer<Created>>),
    Deliver(Asked<Delivery, Answer<bool>>),
}

/// Writes of one transaction; no two of its commits are of one job.
#[derive(Default)]
struct Round {
    commits: Vec<Asked<Commit, Answer<u64>>>,
    creations: Vec<Asked<Creation, Answer<Created>>>,
    deliveries: Vec<Asked<Delivery, Answer<bool>>>,
}

/// The answers to a round, in its order.
struct Answers {
    commits: Vec<Answer<u64>>,
    creations: Vec<Answer<Created>>,
    deliveries: Vec<Answer<bool>>,
}

/// Performs all writes and answers them. Where a transaction fails, its writes are performed one by one, so that
/// only the one at fault fails; unless all would fail of the same.
pub(super) async fn perform(pool: SqlitePool, writes: Vec<Write>) {
    for round in rounds(writes) {
        match attempt(&pool, &round).await {
            Ok(answers) => round.answer(answers),
            Err(error) if round.len() > 1 && may_succeed_alone(&error) => {
                tracing::warn!(%error, writes = round.len(), "a group commit failed: performing its writes one by one");
                perform_singly(&pool, round).await;
            }
            Err(error) => round.fail(&error),
        }
    }
}

async fn perform_singly(pool: &SqlitePool, round: Round) {
    let mut fails_all = None;
    for single in round.singles() {
        if let Some(error) = &fails_all {
            single.fail(error);
            continue;
        }
        match attempt(pool, &single).await {
            Ok(answers) => single.answer(answers),
            Err(error) => {
                single.fail(&error);
                fails_all = Some(error).filter(|error| !may_succeed_alone(error));
            }
        }
    }
}

/// Parts writes so that a job has one commit per round.
fn rounds(writes: Vec<Write>) -> Vec<Round> {
    let mut rounds = vec![(Round::default(), BTreeSet::new())];
    for write in writes {
        match write {
            Write::Create(asked) => rounds[0].0.creations.push(asked),
            Write::Deliver(asked) => rounds[0].0.deliveries.push(asked),
            Write::Commit(asked) => {
                let place = rounds.iter().position(|(_, jobs)| !jobs.contains(&asked.request.job));
                let place = place.unwrap_or_else(|| {
                    rounds.push((Round::default(), BTreeSet::new()));
                    rounds.len() - 1
                });
                rounds[place].1.insert(asked.request.job.clone());
                rounds[place].0.commits.push(asked);
            }
        }
    }
    rounds.into_iter().map(|(round, _)| round).collect()
}

impl Round {
    fn len(&self) -> usize {
        self.commits.len() + self.creations.len() + self.deliveries.len()
    }

    fn singles(self) -> impl Iterator<Item = Self> {
        let commits = self.commits.into_iter().map(|one| Self { commits: vec![one], ..Self::default() });
        let creations = self.creations.into_iter().map(|one| Self { creations: vec![one], ..Self::default() });
        let deliveries = self.deliveries.into_iter().map(|one| Self { deliveries: vec![one], ..Self::default() });
        commits.chain(creations).chain(deliveries)
    }

    fn answer(self, answers: Answers) {
        send(self.commits, answers.commits);
        send(self.creations, answers.creations);
        send(self.deliveries, answers.deliveries);
    }

    fn fail(self, error: &sqlx::Error) {
        let answers = Answers {
            commits: self.commits.iter().map(|_| Err(store_error(error))).collect(),
            creations: self.creations.iter().map(|_| Err(store_error(error))).collect(),
            deliveries: self.deliveries.iter().map(|_| Err(store_error(error))).collect(),
        };
        self.answer(answers);
    }
}

/// Answers all; a caller that no longer listens is not told.
fn send<Q, A>(asked: Vec<Asked<Q, A>>, answers: Vec<A>) {
    for (Asked { answer, .. }, given) in asked.into_iter().zip(answers) {
        let _: Result<(), A> = oneshot::Sender::send(answer, given);
    }
}

/// Performs a round in one transaction.
async fn attempt(pool: &SqlitePool, round: &Round) -> Result<Answers, sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let commits: Vec<&Commit> = round.commits.iter().map(|asked| &asked.request).collect();
    let commits = commit(&mut transaction, &commits).await?;
    let mut creations = Vec::new();
    for asked in &round.creations {
        creations.push(Ok(create(&mut transaction, &asked.request).await?));
    }
    let mut deliveries = Vec::new();
    for asked in &round.deliveries {
        deliveries.push(deliver(&mut transaction, &asked.request).await?);
    }
    transaction.commit().await?;
    Ok(Answers { commits, creations, deliveries })
}

/// Takes over the rows of those commits whose version is still the job's.
const GUARD: &str = concat!(
    "WITH asked AS (SELECT value ->> 'job' AS job, value ->> 'version' AS version, value ->> 'at' AS at, \
         value ->> 'status' AS status, value ->> 'priority' AS priority, value ->> 'retry_count' AS retry_count, \
         value ->> 'started_at' AS started_at, value ->> 'finished_at' AS finished_at, \
         value ->> 'output' AS output, value ->> 'error' AS error, value ->> 'last_seq' AS last_seq, \
         value ->> 'ended' AS ended, value ->> 'released' AS released, value ->> 'wake_at' AS wake_at, \
         value ->> 'erase_at' AS erase_at, value ->> 'value_bytes' AS value_bytes \
         FROM json_each($1)), \
     taken AS (SELECT job_id, COUNT(*) AS messages FROM json_each($2) AS asked \
         JOIN job_inbox ON job_inbox.id = asked.value ->> 1 AND job_inbox.job_id = asked.value ->> 0 \
         WHERE job_inbox.taken = 0 GROUP BY job_id) \
     UPDATE jobs SET version = jobs.version + 1, tries = 0, alone_tries = 0, updated_at = asked.at, status = asked.status, \
         priority = asked.priority, retry_count = asked.retry_count, started_at = asked.started_at, finished_at = asked.finished_at, \
         output = asked.output, error = asked.error, erase_at = asked.erase_at, \
         erase_ready_at = CASE WHEN asked.ended THEN asked.erase_at END, last_seq = max(jobs.last_seq, asked.last_seq), \
         value_bytes = jobs.value_bytes + asked.value_bytes, flight_change = ",
    sql::flight_change!(),
    ", \
         inbox_open = jobs.inbox_open - coalesce(taken.messages, 0), \
         owner = CASE WHEN asked.ended OR asked.released THEN NULL ELSE jobs.owner END, \
         due_at = CASE WHEN asked.ended THEN NULL WHEN NOT asked.released THEN jobs.due_at \
             WHEN jobs.inbox_open > coalesce(taken.messages, 0) THEN ",
    now!(),
    " ELSE asked.wake_at END \
     FROM asked LEFT JOIN taken ON taken.job_id = asked.job \
     WHERE jobs.id = asked.job AND jobs.version = asked.version \
     RETURNING jobs.id, jobs.created_by, jobs.flight_change"
);

async fn commit(connection: &mut SqliteConnection, commits: &[&Commit]) -> Result<Vec<Answer<u64>>, sqlx::Error> {
    if commits.is_empty() {
        return Ok(Vec::new());
    }
    let turns: Vec<Turn<'_>> = commits.iter().map(|commit| Turn::of(commit)).collect();
    let asked: Vec<(&str, i64)> =
        commits.iter().flat_map(|commit| commit.consumed.iter().map(|id| (commit.job.as_str(), *id))).collect();
    let asked: BTreeSet<(&str, i64)> = asked.into_iter().collect();
    let owned: Vec<(String, Option<String>, i64)> =
        sqlx::query_as(GUARD).bind(text(&turns)).bind(text(&asked)).fetch_all(&mut *connection).await?;
    let mut used = BTreeMap::new();
    for (_, user, change) in &owned {
        *used.entry(user.clone()).or_default() += change;
    }
    use_bytes(connection, used).await?;
    let owned: BTreeSet<String> = owned.into_iter().map(|(job, ..)| job).collect();
    let batch = Batch::of(commits.iter().copied().filter(|commit| owned.contains(&commit.job)));
    inserts::batch(connection, &batch).await?;
    let mut answers = Vec::new();
    for commit in commits {
        answers.push(if owned.contains(&commit.job) {
            Ok(commit.version + 1)
        } else {
            Err(refusal(connection, &commit.job).await?)
        });
    }
    for commit in commits.iter().filter(|commit| commit.state.status.is_final() && owned.contains(&commit.job)) {
        sqlx::query("DELETE FROM job_polls WHERE job_id = $1").bind(&commit.job).execute(&mut *connection).await?;
        slots::end(connection, &commit.job).await?;
    }
    Ok(answers)
}

const USE_BYTES: &str = "INSERT INTO user_bytes (user_id, bytes) SELECT value ->> 0, value ->> 1 FROM json_each($1) \
     WHERE TRUE ON CONFLICT (user_id) DO UPDATE SET bytes = user_bytes.bytes + excluded.bytes";

/// Adds to the bytes in flight of users; jobs of nobody are not counted.
async fn use_bytes(connection: &mut SqliteConnection, used: BTreeMap<Option<String>, i64>) -> Result<(), sqlx::Error> {
    let used: Vec<(String, i64)> = used
        .into_iter()
        .filter_map(|(user, change)| Some((user?, change)))
        .filter(|(_, change)| *change != 0)
        .collect();
    if used.is_empty() {
        return Ok(());
    }
    sqlx::query(USE_BYTES).bind(text(&used)).execute(connection).await.map(drop)
}

/// Why a guard did not find the job's version.
async fn refusal(connection: &mut SqliteConnection, job: &str) -> Result<StoreError, sqlx::Error> {
    let found: Option<(String,)> = sqlx::query_as(sql::JOB_STATUS).bind(job).fetch_optional(connection).await?;
    let job = job.to_owned();
    Ok(if found.is_some() { StoreError::Fenced { job } } else { StoreError::NotFound { job } })
}

pub(super) const LIVE_KEY: &str =
    concat!("SELECT job_id, fingerprint FROM idempotency_keys WHERE key = $1 AND expires_at > ", now!());
const ADD_JOB: &str = concat!(
    "INSERT INTO jobs (id, name, workflow_id, node_id, created_by, created_at, updated_at, status, priority, last_seq, \
     value_bytes, due_at) VALUES ($1, $2, $3, $4, $5, $6, $6, 'pending', $7, $8, $10, \
     CASE WHEN $9 THEN NULL ELSE ",
    now!(),
    " END)"
);
const ADD_BUNDLE: &str = "INSERT INTO job_bundles (job_id, body) VALUES ($1, $2)";
const ADD_KEY: &str =
    "INSERT OR REPLACE INTO idempotency_keys (key, fingerprint, job_id, expires_at) VALUES ($1, $2, $3, $4)";

const CLAIM_NEW: &str = concat!(
    "UPDATE jobs SET owner = $1, version = version + 1, tries = tries + 1, due_at = ",
    now!(),
    " + $2 WHERE id = $3 AND due_at IS NOT NULL RETURNING version, tries"
);

async fn create(connection: &mut SqliteConnection, asked: &Creation) -> Result<Created, sqlx::Error> {
    let Creation { job: new, claim } = asked;
    if let Some(asked) = &new.idempotency {
        let used: Option<(String, String)> =
            sqlx::query_as(LIVE_KEY).bind(&asked.key).fetch_optional(&mut *connection).await?;
        if let Some((job, fingerprint)) = used {
            return Ok(Created::Existing { job, fingerprint });
        }
    }
    sqlx::query(ADD_JOB)
        .bind(&new.id)
        .bind(&new.name)
        .bind(&new.workflow_id)
        .bind(&new.node_id)
        .bind(&new.created_by)
        .bind(new.created_at.0)
        .bind(new.priority)
        .bind(int(new.events.iter().map(|event| event.seq).max().unwrap_or(0)))
        .bind(new.concurrency.is_some())
        .bind(int(new.value_bytes()))
        .execute(&mut *connection)
        .await?;
    use_bytes(connection, BTreeMap::from([(new.created_by.clone(), int(new.value_bytes()))])).await?;
    slots::ask(connection, new).await?;
    sqlx::query(ADD_BUNDLE).bind(&new.id).bind(text(&new.bundle)).execute(&mut *connection).await?;
    let events: Vec<Event<'_>> = new.events.iter().map(|event| Event::of(&new.id, event)).collect();
    inserts::events(connection, &events).await?;
    if let Some(asked) = &new.idempotency {
        let key = sqlx::query(ADD_KEY).bind(&asked.key).bind(&asked.fingerprint).bind(&new.id);
        key.bind(asked.expires_at.0).execute(&mut *connection).await?;
    }
    let claim = match claim {
        Some(request) => claim_new(connection, new, request).await?,
        None => None,
    };
    Ok(Created::New { claim })
}

/// Claims a job that was just added, unless it waits for its slot.
async fn claim_new(
    connection: &mut SqliteConnection,
    new: &NewJob,
    request: &ClaimRequest,
) -> Result<Option<Claim>, sqlx::Error> {
    if let Some(concurrency) = &new.concurrency {
        slots::give(connection, &concurrency.key).await?;
    }
    let claimed: Option<(i64, i64)> = sqlx::query_as(CLAIM_NEW)
        .bind(&request.worker)
        .bind(milliseconds(request.lease))
        .bind(&new.id)
        .fetch_optional(&mut *connection)
        .await?;
    slots::start(connection, &[&new.id]).await?;
    Ok(claimed.map(|(version, tries)| Claim {
        job: new.id.clone(),
        version: number(version),
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
    }))
}

const ADD_MESSAGE: &str = concat!(
    "INSERT INTO job_inbox (job_id, key, payload) SELECT id, $2, $3 FROM jobs WHERE id = $1 AND status NOT IN ",
    sql::ended!(),
    " ON CONFLICT DO NOTHING"
);
const WAKE: &str = concat!(
    "UPDATE jobs SET inbox_open = inbox_open + 1, \
     due_at = CASE WHEN owner IS NULL \
         AND NOT EXISTS (SELECT 1 FROM job_slots WHERE job_id = $1 AND state = 'waiting') THEN min(coalesce(due_at, ",
    now!(),
    "), ",
    now!(),
    ") ELSE due_at END WHERE id = $1"
);

async fn deliver(connection: &mut SqliteConnection, asked: &Delivery) -> Result<Answer<bool>, sqlx::Error> {
    let added = sqlx::query(ADD_MESSAGE).bind(&asked.job).bind(&asked.key).bind(&asked.payload);
    let new = added.execute(&mut *connection).await?.rows_affected() > 0;
    if new {
        sqlx::query(WAKE).bind(&asked.job).execute(&mut *connection).await?;
    } else if let error @ StoreError::NotFound { .. } = refusal(connection, &asked.job).await? {
        return Ok(Err(error));
    }
    if let Some(effect) = asked.finished_poll {
        sqlx::query(sql::POLL_OVER).bind(&asked.job).bind(int(effect)).execute(connection).await?;
    }
    Ok(Ok(new))
}
