//! Group commit: one statement, and so one transaction, for all queued commits.

use std::collections::BTreeSet;
use std::time::Instant;

use apiflow_core::ports::{Commit, StoreError};

use super::columns::{Query, bind_calls, bind_events, bind_steps, column_values};
use super::writer::Writer;
use super::{gave_way, now};
use crate::commit_rows::{Batch, Turn};
use crate::fault::{may_succeed_alone, store_error};
use crate::pause_check::PauseCheck;
use crate::sql;
use crate::write_queue::QueuedWrite;

/// A commit that waits in the queue, and the channel for its new version.
pub(super) type QueuedCommit = QueuedWrite<Commit, Result<u64, StoreError>>;

/// How often a commit that gave way is retried.
const MAX_COMMIT_TRIES: u32 = 5;

/// Updates the rows of the commits whose version is still the job's, and inserts their other rows. Returns the turns
/// that were committed, and whether submits are restrained.
///
/// The guard decides on the newest row (a row that another transaction changes meanwhile is evaluated again), and all
/// other parts check whether the guard returned their turn: `numbers` lists the jobs by turn, 0 for one that was refused.
const COMMIT: &str = concat!(
    "WITH asked AS (SELECT turn.*, (SELECT COUNT(*) FROM unnest($17::integer[], $18::bigint[]) AS message (turn, id) \
         JOIN job_inbox ON job_inbox.id = message.id AND job_inbox.job_id = turn.job AND NOT job_inbox.taken \
         WHERE message.turn = turn.place) AS messages \
     FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::integer[], $6::bigint[], $7::bigint[], \
         $8::bigint[], $9::text[], $10::text[], $11::bigint[], $12::boolean[], $13::boolean[], \
         $14::bigint[], $15::bigint[], $16::bigint[], $56::text[]) WITH ORDINALITY \
         AS turn (job, version, at, status, priority, retry_count, started_at, finished_at, output, error, last_seq, \
         ended, released, wake_at, erase_at, value_bytes, cost, place)), \
     owned AS (UPDATE jobs SET version = jobs.version + 1, tries = 0, alone_tries = 0, updated_at = asked.at, status = asked.status, \
         priority = asked.priority, retry_count = asked.retry_count, started_at = asked.started_at, \
         finished_at = asked.finished_at, output = asked.output, error = asked.error, erase_at = asked.erase_at, \
         cost = asked.cost, \
         erase_ready_at = CASE WHEN asked.ended THEN asked.erase_at END, \
         last_seq = greatest(jobs.last_seq, asked.last_seq), \
         value_bytes = jobs.value_bytes + asked.value_bytes, flight_change = ",
    sql::flight_change!(),
    ", \
         inbox_open = jobs.inbox_open - asked.messages, \
         owner = CASE WHEN asked.ended OR asked.released THEN NULL ELSE jobs.owner END, \
         due_at = CASE WHEN asked.ended THEN NULL WHEN NOT asked.released THEN jobs.due_at \
             WHEN jobs.inbox_open > asked.messages THEN ",
    now!(),
    " ELSE asked.wake_at END \
         FROM asked WHERE jobs.id = asked.job AND jobs.version = asked.version \
         RETURNING asked.place, jobs.id, jobs.number, asked.ended, jobs.created_by, jobs.workflow_id, \
             jobs.flight_change), \
     numbers AS MATERIALIZED (SELECT array_agg(number ORDER BY place) AS list FROM (SELECT place, MAX(number) AS number \
         FROM (SELECT place, 0::bigint AS number FROM asked UNION ALL SELECT place, number FROM owned) AS found \
         GROUP BY place) AS turn), \
     used AS (INSERT INTO user_bytes (user_id, part, bytes) \
         SELECT created_by, pg_backend_pid() % 16, SUM(flight_change) FROM owned \
         WHERE created_by IS NOT NULL AND flight_change <> 0 GROUP BY created_by ORDER BY created_by \
         ON CONFLICT (user_id, part) DO UPDATE SET bytes = user_bytes.bytes + excluded.bytes), \
     events AS (INSERT INTO job_events (job, ",
    sql::event_columns!(),
    ") \
         SELECT numbers.list[event.turn], event.seq, event.at, event.list_id, event.list_index, event.body, event.value \
         FROM numbers, unnest($19::integer[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], \
         $24::text[], $25::text[]) AS event (turn, ",
    sql::event_columns!(),
    ") \
         WHERE numbers.list[event.turn] > 0), \
     steps AS (INSERT INTO job_steps (job, ",
    sql::step_columns!(),
    ") \
         SELECT numbers.list[step.turn], step.ordinal, step.status, step.attempt, step.started_at, step.finished_at, \
         step.progress, step.body FROM numbers, unnest($26::integer[], $27::bigint[], $28::text[], $29::integer[], \
         $30::bigint[], $31::bigint[], $32::double precision[], $33::text[]) \
         AS step (turn, ",
    sql::step_columns!(),
    ") \
         WHERE numbers.list[step.turn] > 0 ",
    sql::replace_step!(),
    "), \
     call AS MATERIALIZED (SELECT numbers.list[call.turn] AS job, call.*, CASE WHEN call.is_reply THEN \
             (SELECT MIN(id) FROM job_calls WHERE job_calls.job = numbers.list[call.turn] AND job_calls.step = call.step \
             AND job_calls.attempt = call.attempt AND job_calls.purpose = call.purpose AND job_calls.reply IS NULL) \
         END AS submit FROM numbers, unnest($34::integer[], $35::bigint[], $36::integer[], $37::text[], $38::bigint[], \
         $39::bigint[], $40::text[], $41::text[], $42::boolean[]) WITH ORDINALITY \
         AS call (turn, ",
    sql::call_columns!(),
    ", is_reply, place) \
         WHERE numbers.list[call.turn] > 0), \
     replies AS (UPDATE job_calls SET at = call.at, duration_ms = call.duration_ms, reply = call.reply FROM call \
         WHERE job_calls.job = call.job AND job_calls.step = call.step AND job_calls.id = call.submit), \
     calls AS (INSERT INTO job_calls (job, ",
    sql::call_columns!(),
    ") SELECT job, ",
    sql::call_columns!(),
    " FROM call WHERE submit IS NULL \
         ORDER BY place), \
     slots AS (UPDATE job_slots SET state = 'over', look_at = ",
    now!(),
    " FROM owned WHERE owned.ended AND job_slots.job_id = owned.id AND state <> 'over'), \
     cleared AS (DELETE FROM job_polls USING owned WHERE job_polls.job_id = owned.id AND (owned.ended OR EXISTS \
         (SELECT FROM unnest($43::integer[], $44::bigint[]) AS over (turn, effect) \
         WHERE over.turn = owned.place AND over.effect = job_polls.effect))), \
     polls AS (INSERT INTO job_polls (job_id, effect, due_at, ready_at, ticket) \
         SELECT owned.id, poll.effect, poll.due_at, poll.due_at, poll.ticket \
         FROM unnest($45::integer[], $46::bigint[], $47::bigint[], $48::text[]) AS poll (turn, effect, due_at, ticket) \
         JOIN owned ON owned.place = poll.turn ON CONFLICT (job_id, effect) DO UPDATE \
         SET due_at = excluded.due_at, ready_at = excluded.ready_at, tries = 0, ticket = excluded.ticket), \
     taken AS (UPDATE job_inbox SET taken = TRUE, payload = 'null' \
         FROM unnest($17::integer[], $18::bigint[]) AS message (turn, id) JOIN owned ON owned.place = message.turn \
         WHERE job_inbox.id = message.id AND job_inbox.job_id = owned.id), \
     snapshots AS (INSERT INTO job_snapshots (job, seq, state) \
         SELECT owned.number, snapshot.seq, snapshot.state \
         FROM unnest($49::integer[], $50::bigint[], $51::text[]) AS snapshot (turn, seq, state) \
         JOIN owned ON owned.place = snapshot.turn \
         ON CONFLICT (job) DO UPDATE SET seq = excluded.seq, state = excluded.state), \
     cached AS (INSERT INTO cached_results (key, value, expires_at) \
         SELECT DISTINCT ON (kept.key) kept.key, kept.value, ",
    now!(),
    " + kept.ttl FROM unnest($52::integer[], $53::text[], $54::text[], $55::bigint[]) WITH ORDINALITY \
         AS kept (turn, key, value, ttl, place) JOIN owned ON owned.place = kept.turn \
         ORDER BY kept.key, kept.place DESC \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at), \
     charged AS (INSERT INTO usage_sums (day, user_id, workflow_id, node_id, currency, amount, held, unknown, attempts) \
         SELECT charge.day, coalesce(owned.created_by, ''), coalesce(owned.workflow_id, ''), charge.node_id, \
             charge.currency, SUM(charge.amount)::bigint, SUM(charge.held)::bigint, SUM(charge.unknown)::bigint, COUNT(*) \
         FROM unnest($57::integer[], $58::bigint[], $59::text[], $60::text[], $61::bigint[], $62::bigint[], $63::bigint[]) \
         AS charge (turn, day, node_id, currency, amount, held, unknown) JOIN owned ON owned.place = charge.turn \
         GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5 \
         ON CONFLICT (day, user_id, workflow_id, node_id, currency) DO UPDATE \
         SET amount = usage_sums.amount + excluded.amount, held = usage_sums.held + excluded.held, \
             unknown = usage_sums.unknown + excluded.unknown, attempts = usage_sums.attempts + excluded.attempts), \
     ended_step AS (SELECT owned.id, ended.step FROM unnest($64::integer[], $65::bigint[]) AS ended (turn, step) \
         JOIN owned ON owned.place = ended.turn), \
     unreserved AS (DELETE FROM budget_reservations USING owned WHERE budget_reservations.job_id = owned.id \
         AND (owned.ended OR EXISTS (SELECT FROM ended_step WHERE ended_step.id = owned.id \
             AND ended_step.step = budget_reservations.step))), \
     freed AS (UPDATE submit_slots SET state = 'over', look_at = ",
    now!(),
    " FROM owned WHERE submit_slots.job_id = owned.id AND (owned.ended AND submit_slots.state <> 'over' \
             OR submit_slots.state = 'held' AND EXISTS (SELECT FROM ended_step WHERE ended_step.id = owned.id \
             AND ended_step.step = submit_slots.step))), \
     announced AS (INSERT INTO webhook_deliveries (id, job_id, event, step, at, url, host, signer, lane, state, queued_at, \
             due_at, ready_at) \
         SELECT told.id, owned.id, told.event, told.step, asked.at, hook.url, hook.host, hook.signer, \
             hook.signer || ' ' || hook.host, 'pending', ",
    now!(),
    ", ",
    now!(),
    ", ",
    now!(),
    " FROM unnest($66::integer[], $67::text[], $68::text[], $69::bigint[]) AS told (turn, id, event, step) \
         JOIN owned ON owned.place = told.turn JOIN asked ON asked.place = owned.place \
         JOIN job_webhooks hook ON hook.job_id = owned.id \
         WHERE position(' ' || told.event || ' ' IN hook.events) > 0 ON CONFLICT DO NOTHING) \
     SELECT place, ",
    sql::is_restrained!(now!()),
    " FROM owned"
);

/// Removes some expired results: more than commits of the usual size add, so that they do not pile up.
const REMOVE_EXPIRED: &str = concat!(
    "DELETE FROM cached_results WHERE key IN (SELECT key FROM cached_results WHERE expires_at <= ",
    now!(),
    " ORDER BY expires_at LIMIT 128 FOR UPDATE SKIP LOCKED)"
);

/// Performs all commits and answers them. If the statement fails, they are performed one by one, so that only the
/// faulty one fails.
pub(super) async fn perform_commits(writer: &mut Writer, pauses: &PauseCheck, queued: Vec<QueuedCommit>) {
    let mut waiting = queued;
    while !waiting.is_empty() {
        let mut jobs = BTreeSet::new();
        // One statement changes a row once: a second commit of the same job waits for the next.
        let (mut round, later): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|queued| jobs.insert(queued.request.job.clone()));
        // In one order, so that statements of two processes do not deadlock.
        round.sort_by(|one, other| one.request.job.cmp(&other.request.job));
        let commits: Vec<&Commit> = round.iter().map(|queued| &queued.request).collect();
        let keeps = commits.iter().any(|commit| !commit.cached.is_empty());
        let answers = match attempt_commits(writer, pauses, &commits).await {
            Ok(answers) => answers,
            Err(error) if commits.len() > 1 && may_succeed_alone(&error) || gave_way(&error) => {
                tracing::warn!(%error, commits = commits.len(), "a group commit failed: performing its commits one by one");
                one_by_one(writer, pauses, &commits).await
            }
            Err(error) => fail_all(&commits, &error),
        };
        for (QueuedWrite { answer, .. }, outcome) in round.into_iter().zip(answers) {
            // A caller that no longer waits needs no answer.
            drop(answer.send(outcome));
        }
        if keeps && let Err(error) = remove_expired(writer).await {
            tracing::warn!(%error, "expired results could not be removed; a later commit removes them");
        }
        waiting = later;
    }
}

async fn remove_expired(writer: &mut Writer) -> Result<(), sqlx::Error> {
    let mut connection = writer.take_connection().await?;
    let removed = sqlx::query(REMOVE_EXPIRED).execute(&mut connection).await;
    writer.give_back(connection, removed).map(drop)
}

fn fail_all(commits: &[&Commit], error: &sqlx::Error) -> Vec<Result<u64, StoreError>> {
    commits.iter().map(|_| Err(store_error(error))).collect()
}

/// Performs commits one after the other; after a failure that affects all commits, the others are not tried.
async fn one_by_one(writer: &mut Writer, pauses: &PauseCheck, commits: &[&Commit]) -> Vec<Result<u64, StoreError>> {
    let mut answers = Vec::new();
    for (index, commit) in commits.iter().enumerate() {
        let mut tries = 1;
        let answer = loop {
            match attempt_commits(writer, pauses, std::slice::from_ref(commit)).await {
                Ok(mut answers) => break answers.remove(0),
                Err(error) if gave_way(&error) && tries < MAX_COMMIT_TRIES => tries += 1,
                Err(error) if gave_way(&error) || may_succeed_alone(&error) => break Err(store_error(error)),
                Err(error) => {
                    answers.extend(fail_all(&commits[index..], &error));
                    return answers;
                }
            }
        };
        answers.push(answer);
    }
    answers
}

/// Performs commits of different jobs in one statement.
async fn attempt_commits(
    writer: &mut Writer,
    pauses: &PauseCheck,
    commits: &[&Commit],
) -> Result<Vec<Result<u64, StoreError>>, sqlx::Error> {
    let turns: Vec<Turn<'_>> = commits.iter().map(|commit| Turn::of_commit(commit)).collect();
    let batch = Batch::of_commits(commits.iter().copied());
    let mut connection = writer.take_connection().await?;
    let begun = Instant::now();
    let owned = bind_rows(&turns, &batch).fetch_all(&mut connection).await;
    let owned = writer.give_back(connection, owned)?;
    if owned.iter().any(|(_, is_restrained)| !is_restrained) {
        pauses.note_none(begun);
    }
    let owned: BTreeSet<i64> = owned.into_iter().map(|(turn, _)| turn).collect();
    let turns = || (1_i64..).zip(commits);
    let refused: Vec<&str> =
        turns().filter(|(turn, _)| !owned.contains(turn)).map(|(_, commit)| commit.job.as_str()).collect();
    let known = if refused.is_empty() { BTreeSet::new() } else { find_known(writer, &refused).await? };
    let answer = |(turn, commit): (i64, &&Commit)| {
        let job = commit.job.clone();
        if owned.contains(&turn) {
            Ok(commit.version + 1)
        } else if known.contains(&job) {
            Err(StoreError::Fenced { job })
        } else {
            Err(StoreError::NotFound { job })
        }
    };
    Ok(turns().map(answer).collect())
}

/// Returns those of the jobs that exist.
async fn find_known(writer: &mut Writer, jobs: &[&str]) -> Result<BTreeSet<String>, sqlx::Error> {
    let mut connection = writer.take_connection().await?;
    let known = sqlx::query_as("SELECT id FROM jobs WHERE id = ANY($1)").bind(jobs).fetch_all(&mut connection).await;
    let known: Vec<(String,)> = writer.give_back(connection, known)?;
    Ok(known.into_iter().map(|(job,)| job).collect())
}

/// Binds all rows, one column per parameter.
fn bind_rows<'q>(turns: &'q [Turn<'q>], batch: &'q Batch<'q>) -> Query<'q, (i64, bool)> {
    let query = bind_turns(sqlx::query_as(COMMIT), turns)
        .bind(column_values(&batch.taken, |row| row.0))
        .bind(column_values(&batch.taken, |row| row.1));
    let query = bind_events(query.bind(column_values(&batch.events, |row| row.turn)), &batch.events);
    let query = bind_steps(query.bind(column_values(&batch.steps, |row| row.turn)), &batch.steps);
    let query = bind_calls(query.bind(column_values(&batch.calls, |row| row.turn)), &batch.calls);
    query
        .bind(column_values(&batch.calls, |row| row.is_reply))
        .bind(column_values(&batch.cleared, |row| row.0))
        .bind(column_values(&batch.cleared, |row| row.1))
        .bind(column_values(&batch.polls, |row| row.turn))
        .bind(column_values(&batch.polls, |row| row.effect))
        .bind(column_values(&batch.polls, |row| row.due_at))
        .bind(column_values(&batch.polls, |row| row.ticket.as_str()))
        .bind(column_values(&batch.snapshots, |row| row.turn))
        .bind(column_values(&batch.snapshots, |row| row.seq))
        .bind(column_values(&batch.snapshots, |row| row.state.as_str()))
        .bind(column_values(&batch.cached, |row| row.turn))
        .bind(column_values(&batch.cached, |row| row.key))
        .bind(column_values(&batch.cached, |row| row.value.as_str()))
        .bind(column_values(&batch.cached, |row| row.ttl))
        .bind(column_values(turns, |turn| turn.cost.as_deref()))
        .bind(column_values(&batch.charges, |row| row.turn))
        .bind(column_values(&batch.charges, |row| row.day))
        .bind(column_values(&batch.charges, |row| row.node_id))
        .bind(column_values(&batch.charges, |row| row.currency))
        .bind(column_values(&batch.charges, |row| row.amount))
        .bind(column_values(&batch.charges, |row| row.held))
        .bind(column_values(&batch.charges, |row| row.unknown))
        .bind(column_values(&batch.ended_attempts, |row| row.0))
        .bind(column_values(&batch.ended_attempts, |row| row.1))
        .bind(column_values(&batch.announced, |row| row.turn))
        .bind(column_values(&batch.announced, |row| row.id.as_str()))
        .bind(column_values(&batch.announced, |row| row.event))
        .bind(column_values(&batch.announced, |row| row.step))
}

fn bind_turns<'q, O>(query: Query<'q, O>, turns: &'q [Turn<'q>]) -> Query<'q, O> {
    query
        .bind(column_values(turns, |turn| turn.job))
        .bind(column_values(turns, |turn| turn.version))
        .bind(column_values(turns, |turn| turn.at))
        .bind(column_values(turns, |turn| turn.status))
        .bind(column_values(turns, |turn| turn.priority))
        .bind(column_values(turns, |turn| turn.retry_count))
        .bind(column_values(turns, |turn| turn.started_at))
        .bind(column_values(turns, |turn| turn.finished_at))
        .bind(column_values(turns, |turn| turn.output.as_deref()))
        .bind(column_values(turns, |turn| turn.error.as_deref()))
        .bind(column_values(turns, |turn| turn.last_seq))
        .bind(column_values(turns, |turn| turn.ended))
        .bind(column_values(turns, |turn| turn.released))
        .bind(column_values(turns, |turn| turn.wake_at))
        .bind(column_values(turns, |turn| turn.erase_at))
        .bind(column_values(turns, |turn| turn.value_bytes))
}
