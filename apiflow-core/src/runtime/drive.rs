//! One claimed job, from claim to wait or end: load, step, commit, perform.

mod turn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Duration, Instant};

use super::hub::Mailbox;
use super::provider::{self, PollContext, PollSubject};
use super::store_health::pause_ms;
use super::{Inner, abandon};
use crate::call::JobPlans;
use crate::engine::{Answer, Call, Effect, Fact, Program, Run};
use crate::evaluate::ValueCache;
use crate::ports::{CallRecord, Claim, Clock, Commit, JobState, LeaseChange, LoadedJob, Poll, StoreError, Timestamp};

/// Events between two snapshots of a run that never waits; doubles each time.
const FIRST_SNAPSHOT: u64 = 64;
/// How often a job that never waits looks for messages of other processes; those of this one are told at once.
const LOOK: Duration = Duration::from_millis(500);
/// How often the pause between two questions to a store that is away is doubled, at most.
const LONGEST_PAUSE: u32 = 6;

/// Drives a job until it waits, ends, or is lost to another worker. `alone` is given back with the first commit.
pub(super) async fn drive(inner: &Arc<Inner>, claim: Claim, alone: Option<OwnedSemaphorePermit>) {
    let outcome = {
        let entered = inner.hub.enter(&claim.job);
        driven(inner, &claim, entered.mailbox(), alone).await
    };
    match outcome {
        Ok(()) => {}
        Err(StoreError::Fenced { job }) => tracing::info!(job, "the job is another worker's now"),
        Err(error) if error.fault().is_some() => {
            // That the store fails was said where it was noted.
            tracing::debug!(%error, job = claim.job, "the job goes on when the store can do its work");
            if let Err(error) = inner.parts.store.undo_solo_start(&claim.job, claim.version).await {
                tracing::warn!(%error, job = claim.job, "that the store was unavailable could not be noted");
            }
        }
        Err(error) => tracing::error!(%error, job = claim.job, "the job stopped here; its lease will run out"),
    }
    inner.hub.changed(&claim.job, true);
}

async fn driven(
    inner: &Arc<Inner>,
    claim: &Claim,
    mailbox: &Mailbox,
    alone: Option<OwnedSemaphorePermit>,
) -> Result<(), StoreError> {
    let loaded = load(inner, claim, mailbox).await?;
    let mut drive = match Drive::new(inner, claim, loaded) {
        Ok(drive) => drive,
        Err(Unreadable { reason, last_seq, program }) => {
            let error = serde_json::json!({"name": "InternalError", "message": reason});
            return abandon::end_unreadable(inner, claim, program, last_seq, error).await;
        }
    };
    drive.alone = alone;
    drive.go(mailbox).await
}

/// Reads the job. While the store cannot do its work it is asked again, so that the claim does not count as one that did
/// not come to a commit.
async fn load(inner: &Inner, claim: &Claim, mailbox: &Mailbox) -> Result<LoadedJob, StoreError> {
    let mut failures = 0;
    loop {
        let error = match inner.parts.store.load_job(&claim.job).await {
            Err(error) if error.fault().is_some() && !mailbox.is_lost() && !inner.hub.is_stopping() => error,
            loaded => return loaded,
        };
        let now = inner.parts.clock.now();
        inner.health.note_failure(&error, now);
        inner.parts.clock.sleep_until(now.plus_ms(pause_ms(failures))).await;
        failures += 1;
    }
}

/// A job whose document or journal cannot be read.
struct Unreadable {
    reason: String,
    last_seq: u64,
    /// What could be read: it says what is to be erased.
    program: Arc<Program>,
}

/// What a call that is out sends back.
#[derive(Clone)]
struct Returned {
    effect: u64,
    answer: Answer,
    calls: Vec<CallRecord>,
}

/// A fact that the turn under way takes in.
struct Taken {
    fact: Fact,
    /// Its number in the inbox, if it came from there.
    message: Option<i64>,
}

struct Drive<'a> {
    inner: &'a Arc<Inner>,
    job: String,
    version: u64,
    /// The job's row as of the last commit.
    committed: JobState,
    /// Bytes of JSON of the values that were committed, about.
    value_bytes: u64,
    run: Run,
    values: ValueCache,
    plans: Arc<JobPlans>,
    /// Calls of this drive that are out.
    out: BTreeMap<u64, AbortHandle>,
    tasks: JoinSet<()>,
    returns: (mpsc::UnboundedSender<Returned>, mpsc::UnboundedReceiver<Returned>),
    /// Facts to take in with the next turn.
    facts: VecDeque<Taken>,
    /// Attempts that this drive journalled and has not sent yet.
    journalled: BTreeSet<u64>,
    /// Attempts of unknown fate that polls look for.
    sought: BTreeSet<u64>,
    /// Inbox messages taken in already.
    seen: BTreeSet<i64>,
    /// Inbox messages that nobody can read; consumed, so that they do not wake the job for ever.
    unreadable: Vec<i64>,
    snapshot_seq: u64,
    snapshot_step: u64,
    /// When the inbox was last read.
    looked_at: Instant,
    /// Until when nothing free is performed: the evaluator had no place.
    postponed: Option<Timestamp>,
    /// Held until the first commit by a job that workers may have died of.
    alone: Option<OwnedSemaphorePermit>,
}

impl<'a> Drive<'a> {
    fn new(inner: &'a Arc<Inner>, claim: &Claim, loaded: LoadedJob) -> Result<Self, Unreadable> {
        let last_seq = loaded.job.last_seq;
        let unreadable =
            |program: &Arc<Program>, reason: String| Unreadable { reason, last_seq, program: program.clone() };
        let program =
            Program::compile(&loaded.bundle).map_err(|error| unreadable(&Arc::default(), error.to_string()))?;
        let program = program.with_max_loop_iterations(inner.settings.max_while_iterations);
        let program = Arc::new(program.with_max_events(inner.settings.max_events));
        let run = abandon::restore(program.clone(), &loaded).map_err(|reason| unreadable(&program, reason))?;
        let snapshot_seq = loaded.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
        let bundle = loaded.bundle;
        let sought = attempts_in_recovery(&run);
        let mut drive = Self {
            inner,
            job: claim.job.clone(),
            version: claim.version,
            committed: loaded.job.state,
            value_bytes: loaded.value_bytes,
            run,
            values: ValueCache::new(Some(inner.parts.store.clone()), &claim.job),
            plans: inner.plans.enter(&claim.job, bundle.catalog),
            out: BTreeMap::new(),
            tasks: JoinSet::new(),
            returns: mpsc::unbounded_channel(),
            facts: VecDeque::new(),
            journalled: BTreeSet::new(),
            sought,
            seen: BTreeSet::new(),
            unreadable: Vec::new(),
            snapshot_seq,
            snapshot_step: FIRST_SNAPSHOT,
            looked_at: Instant::now(),
            postponed: None,
            alone: None,
        };
        drive.take_mail(loaded.inbox);
        drive.seek_interrupted();
        Ok(drive)
    }

    fn now(&self) -> Timestamp {
        self.inner.parts.clock.now()
    }

    /// Turns until the job waits, ends, or is lost.
    async fn go(&mut self, mailbox: &Mailbox) -> Result<(), StoreError> {
        loop {
            if mailbox.is_lost() {
                self.abandon().await;
                return Err(StoreError::Fenced { job: self.job.clone() });
            }
            let stopping = self.inner.hub.is_stopping();
            let over = if stopping { self.wind_down().await } else { self.turn().await };
            let heard = match over {
                Ok(true) => return Ok(()),
                Ok(false) => self.listen(mailbox, stopping).await,
                Err(error) => Err(error),
            };
            if let Err(error) = heard {
                self.inner.health.note_failure(&error, self.now());
                self.abandon().await;
                if error.fault().is_some() {
                    self.give_back().await;
                }
                return Err(error);
            }
        }
    }

    /// Gives the job back as it was last committed, so that it is claimed again as soon as the store takes commits. What
    /// kept it from its commit is not its own fault, and does not count as a crash.
    async fn give_back(&self) {
        let mut failures = 0;
        loop {
            let now = self.now();
            let lease = LeaseChange::Release { wake_at: Some(now) };
            let unchanged = Commit::new(&self.job, self.version, now, self.committed.clone(), lease);
            match self.inner.parts.store.commit_turn(unchanged).await {
                Err(error) if error.fault().is_some() => {
                    self.inner.parts.clock.sleep_until(now.plus_ms(pause_ms(failures))).await;
                    failures += 1;
                }
                // The commit that seemed to fail was made, or another owner has the job: its lease is not this drive's.
                Err(error) => return tracing::info!(%error, job = self.job, "the job could not be given back"),
                Ok(_) => return,
            }
        }
    }

    /// Takes nothing new in: what has come back is left in the inbox; says whether nothing is out any more.
    async fn wind_down(&mut self) -> Result<bool, StoreError> {
        let mut deliveries = self.leave_facts();
        while deliveries.join_next().await.is_some() {}
        if !self.out.is_empty() {
            return Ok(false);
        }
        self.release_unfinished().await?;
        Ok(true)
    }

    /// Waits for the next thing that happens to this job; only looks whether something has, where free work is left.
    async fn listen(&mut self, mailbox: &Mailbox, stopping: bool) -> Result<(), StoreError> {
        let clock = self.inner.parts.clock.clone();
        let busy = !stopping && self.postponed.is_none() && self.run.free().is_some();
        if busy && self.looked_at.elapsed() >= LOOK {
            return self.look().await;
        }
        let wake = if busy { None } else { self.wake_at() }.unwrap_or(Timestamp(i64::MAX));
        tokio::select! {
            biased;
            Some(returned) = self.returns.1.recv() => {
                self.out.remove(&returned.effect);
                let Returned { effect, answer, calls } = returned;
                self.facts.push_back(Taken { fact: Fact::Answered { effect, answer, calls }, message: None });
                Ok(())
            }
            () = mailbox.changed.notified() => {
                if mailbox.is_lost() { Ok(()) } else { self.look().await }
            }
            () = clock.sleep_until(wake), if wake.0 != i64::MAX && !stopping => Ok(()),
            () = self.inner.hub.until_stop(), if !stopping => Ok(()),
            () = tokio::task::yield_now(), if busy => Ok(()),
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        self.looked_at = Instant::now();
        let mail = self.inner.parts.store.read_inbox(&self.job).await?;
        self.take_mail(mail);
        Ok(())
    }

    fn take_mail(&mut self, mail: Vec<crate::ports::InboxMessage>) {
        for message in mail {
            if !self.seen.insert(message.id) {
                continue;
            }
            match serde_json::from_value(message.payload) {
                Ok(fact) => self.facts.push_back(Taken { fact, message: Some(message.id) }),
                Err(error) => {
                    tracing::error!(%error, job = self.job, "a message of the job cannot be read and is left out");
                    self.unreadable.push(message.id);
                }
            }
        }
    }

    /// Leaves the job: what comes back from now on is a fact for whoever owns it.
    async fn abandon(&mut self) {
        let mut deliveries = self.leave_facts();
        while !self.out.is_empty() {
            let Some(returned) = self.returns.1.recv().await else { break };
            self.out.remove(&returned.effect);
            self.deliver(&mut deliveries, returned);
        }
        while deliveries.join_next().await.is_some() {}
    }

    /// Begins to put the answers that came back, and that no commit took in, into the inbox.
    fn leave_facts(&mut self) -> JoinSet<()> {
        let mut deliveries = JoinSet::new();
        for taken in std::mem::take(&mut self.facts) {
            if let Taken { fact: Fact::Answered { effect, answer, calls }, message: None } = taken {
                self.deliver(&mut deliveries, Returned { effect, answer, calls });
            }
        }
        deliveries
    }

    /// Begins to put an answer into the inbox; it waits in memory while the store cannot take it.
    fn deliver(&self, deliveries: &mut JoinSet<()>, returned: Returned) {
        let (inner, job) = (self.inner.clone(), self.job.clone());
        deliveries.spawn(async move {
            let Returned { effect, answer, calls } = returned;
            let key = answer.delivery_key(effect, None);
            let fact = Fact::Answered { effect, answer, calls };
            if let Err(error) = inner.record_answer(&job, &key, &fact, None).await {
                tracing::error!(%error, job, effect, "an answer could not be recorded");
            }
        });
    }

    /// Begins to look for the attempts that an earlier owner of the job left open.
    fn seek_interrupted(&mut self) {
        let now = self.now();
        for effect in self.run.pending() {
            let (Effect::Call(call) | Effect::Cancel(call)) = effect else { continue };
            if call.operation.is_some() || call.recovery.is_some() {
                continue;
            }
            let arrives_until = call.deadline.plus_ms(self.inner.settings.grace_ms());
            let answer = match self.plans.plan(&call.path) {
                Ok(plan) => provider::search_interrupted(&plan, now, arrives_until),
                Err(error) => Answer::Failed { error },
            };
            let fact = Fact::Answered { effect: call.effect, answer, calls: Vec::new() };
            // Behind the messages: the attempt may have been answered meanwhile.
            self.facts.push_back(Taken { fact, message: None });
        }
    }

    /// Whether a call that is given up is over at once: there is nothing to cancel, so that its reply is not waited for,
    /// or this drive journalled it and never sent it.
    fn is_over_at_once(&self, call: &Call) -> bool {
        let unsent = !self.out.contains_key(&call.effect) && call.recovery.is_none();
        call.operation.is_none() && (unsent || self.plans.plan(&call.path).is_ok_and(|plan| !plan.has_operation()))
    }

    /// Sends what the last commit journalled, and tells providers of what is given up.
    fn perform(&mut self) {
        for effect in self.run.pending() {
            match effect {
                Effect::Call(call) if !self.out.contains_key(&call.effect) => {
                    if self.journalled.contains(&call.effect) {
                        self.spawn(call, Task::Submit);
                    }
                }
                // The id of an operation is needed to cancel it, so its submit is waited for.
                Effect::Cancel(call) if self.is_over_at_once(&call) => {
                    if let Some(task) = self.out.get(&call.effect) {
                        task.abort();
                    }
                    let returned = Returned { effect: call.effect, answer: Answer::Cancelled, calls: Vec::new() };
                    // The receiver is this drive's own.
                    let _own = self.returns.0.send(returned);
                }
                Effect::Cancel(call) if call.operation.is_some() && !self.out.contains_key(&call.effect) => {
                    self.spawn(call, Task::Cancel);
                }
                Effect::Call(_)
                | Effect::Cancel(_)
                | Effect::Poll(_)
                | Effect::Recover(_)
                | Effect::Wait { .. }
                | Effect::Prepare(_)
                | Effect::Conclude(_) => {}
            }
        }
        self.journalled.clear();
    }

    fn spawn(&mut self, call: Call, task: Task) {
        let mut caller = self.inner.caller(&self.job, self.plans.clone());
        let mut values = self.values.sharing(task.subject(&call));
        let returns = self.returns.0.clone();
        let effect = call.effect;
        let clock = self.inner.parts.clock.clone();
        let patience = self.now().plus_ms(self.inner.settings.grace_ms());
        let handle = self.tasks.spawn(async move {
            let answer = match task.learn(&mut values, &call, clock.as_ref(), patience).await {
                Ok(subject) => match task {
                    Task::Submit => provider::submit(&mut caller, &call, subject).await,
                    Task::Cancel => provider::cancel(&mut caller, &call, subject).await,
                },
                Err(error) => {
                    // Only a submit gives up: nothing was sent, so the attempt may fail as any other.
                    let message = format!("the arguments of the call could not be read: {error}");
                    tracing::error!(effect, message);
                    Answer::Failed { error: serde_json::json!({"name": "InternalError", "message": message}) }
                }
            };
            // The receiver lives as long as the drive; a drive that ended has nobody to tell.
            let _ended = returns.send(Returned { effect, answer, calls: caller.records });
        });
        self.out.insert(effect, handle);
    }
}

/// The attempts of unknown fate that polls look for.
fn attempts_in_recovery(run: &Run) -> BTreeSet<u64> {
    let sought = |effect: Effect| match effect {
        Effect::Recover(call) => Some(call.effect),
        Effect::Cancel(call) if call.operation.is_none() => call.recovery.map(|_| call.effect),
        Effect::Call(_)
        | Effect::Cancel(_)
        | Effect::Poll(_)
        | Effect::Wait { .. }
        | Effect::Prepare(_)
        | Effect::Conclude(_) => None,
    };
    run.pending().into_iter().filter_map(sought).collect()
}

/// The poll of work that a provider has taken.
pub(super) fn operation_poll(call: &Call, operation: Value) -> Result<Poll, StoreError> {
    let operation = serde_json::from_value(operation)
        .map_err(|error| StoreError::Backend(format!("an operation cannot be read: {error}")))?;
    Ok(poll(call, call.poll_at.unwrap_or(call.deadline), PollSubject::Operation(operation)))
}

fn poll(call: &Call, due_at: Timestamp, subject: PollSubject) -> Poll {
    let context = PollContext::of(call, subject);
    Poll { effect: call.effect, due_at, ticket: serde_json::to_value(context).expect("a context is plain data") }
}

/// What is to be done about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Submit,
    Cancel,
}

impl Task {
    /// What it needs to know: the arguments, or the operation.
    fn subject(self, call: &Call) -> &crate::engine::ValueRef {
        match (self, &call.operation) {
            (Self::Cancel, Some(operation)) => operation,
            (Self::Cancel | Self::Submit, _) => &call.args,
        }
    }

    /// Reads it, and tries again while the store is away. A submit waits until `patience` is over, not so long that its
    /// attempt counts as lost meanwhile. The others wait as long as it takes: what may have been paid for must be found
    /// out, and who works for nothing must be told.
    async fn learn(
        self,
        values: &mut ValueCache,
        call: &Call,
        clock: &dyn Clock,
        patience: Timestamp,
    ) -> Result<Value, StoreError> {
        let mut tries = 0;
        loop {
            match values.resolve(self.subject(call)).await {
                Ok(subject) => return Ok(subject),
                Err(error) if self == Self::Submit && clock.now() >= patience => return Err(error),
                Err(error) => tracing::warn!(%error, effect = call.effect, "the store is away; it is asked again"),
            }
            let pause = clock.now().plus_ms(200 << tries);
            clock.sleep_until(if self == Self::Submit { pause.min(patience) } else { pause }).await;
            tries = (tries + 1).min(LONGEST_PAUSE);
        }
    }
}
