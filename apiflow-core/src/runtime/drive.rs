//! One claimed job, from claim to wait or end: load, step, commit, perform.

mod turn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Duration, Instant};

use super::hub::Mailbox;
use super::provider;
use super::{Inner, row};
use crate::call::JobPlans;
use crate::engine::{Answer, Call, Effect, Event, Fact, Program, Recorded, Run};
use crate::evaluate::Values;
use crate::ports::{CallRecord, Claim, Clock, Commit, JobStatus, LeaseChange, Loaded, StoreError, Timestamp};

/// Events between two snapshots of a run that never waits; doubles each time.
const FIRST_SNAPSHOT: u64 = 64;
/// How often a job that never waits looks for messages of other processes; those of this one are told at once.
const LOOK: Duration = Duration::from_millis(500);
/// How often an answer is tried to be recorded while the store is away.
const DELIVERIES: u32 = 8;
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
    let loaded = inner.parts.store.load(&claim.job).await?;
    let mut drive = match Drive::new(inner, claim, loaded) {
        Ok(drive) => drive,
        Err(broken) => return fail(inner, claim, broken).await,
    };
    drive.alone = alone;
    drive.go(mailbox).await
}

/// Ends a job that brings workers down.
pub(super) async fn give_up(inner: &Arc<Inner>, claim: &Claim) {
    let tries = claim.tries - 1;
    let given_up = async {
        let loaded = inner.parts.store.load(&claim.job).await?;
        let reason = format!(
            "the worker died or lost its database {tries} times in a row while it worked on this job, and did not come \
             to a result; it is not tried again, so that it does not bring the server down"
        );
        // The document may be what workers die of.
        let readable = claim.tries - 1 <= inner.settings.max_tries;
        let program = readable.then(|| Program::compile(&loaded.bundle).ok()).flatten();
        let broken = Broken { reason, seq: loaded.job.last_seq, program: program.map(Arc::new).unwrap_or_default() };
        fail(inner, claim, broken).await
    };
    match given_up.await {
        Ok(()) => tracing::error!(job = claim.job, tries, "the job was given up: workers die of it"),
        Err(error) => tracing::error!(%error, job = claim.job, "the job could not be given up"),
    }
    inner.plans.leave(&claim.job);
    inner.hub.changed(&claim.job, true);
}

/// A job whose document or snapshot cannot be read.
struct Broken {
    reason: String,
    seq: u64,
    /// What could be read: it says what is to be erased.
    program: Arc<Program>,
}

/// Ends a job that cannot be run at all.
async fn fail(inner: &Inner, claim: &Claim, broken: Broken) -> Result<(), StoreError> {
    let Broken { reason, seq, program } = broken;
    let at = inner.parts.clock.now();
    let error = serde_json::json!({"name": "InternalError", "message": reason});
    let event = Event::JobFinished {
        status: JobStatus::Failed,
        output: None,
        error: Some(error.clone()),
        skipped: false,
        cache: None,
    };
    let mut run = Run::new(program);
    run.apply(seq + 1, at, &event);
    let recorded = Recorded { seq: seq + 1, at, event, value: Some(serde_json::json!({"error": error})) };
    let commit = Commit {
        job: claim.job.clone(),
        version: claim.version,
        at,
        events: vec![row(recorded)],
        steps: Vec::new(),
        calls: Vec::new(),
        polls: Vec::new(),
        polls_cleared: Vec::new(),
        consumed: Vec::new(),
        cached: Vec::new(),
        snapshot: None,
        patch: run.patch(),
        lease: LeaseChange::Release { wake_at: None },
    };
    inner.parts.store.commit(commit).await.map(|_| ())
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
    run: Run,
    values: Values,
    plans: Arc<JobPlans>,
    /// Calls of this drive that are out.
    out: BTreeMap<u64, AbortHandle>,
    tasks: JoinSet<()>,
    returns: (mpsc::UnboundedSender<Returned>, mpsc::UnboundedReceiver<Returned>),
    /// Facts to take in with the next turn.
    facts: VecDeque<Taken>,
    /// Attempts that this drive journalled and has not sent yet.
    journalled: BTreeSet<u64>,
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
    fn new(inner: &'a Arc<Inner>, claim: &Claim, loaded: Loaded) -> Result<Self, Broken> {
        let seq = loaded.job.last_seq;
        let broken = |program: &Arc<Program>, reason: String| Broken { reason, seq, program: program.clone() };
        let bundle = loaded.bundle;
        let program = Program::compile(&bundle).map_err(|error| broken(&Arc::default(), error.to_string()))?;
        let program = program.with_longest_while(inner.settings.max_while_iterations);
        let program = Arc::new(program.with_most_events(inner.settings.max_events));
        let mut run = match &loaded.snapshot {
            Some(snapshot) => Run::restore(program.clone(), snapshot)
                .map_err(|error| broken(&program, format!("the job's snapshot cannot be read: {error}")))?,
            None => Run::new(program.clone()),
        };
        let snapshot_seq = run.seq();
        for event in &loaded.events {
            let body: Event = serde_json::from_value(event.body.clone())
                .map_err(|error| broken(&program, format!("event {} cannot be read: {error}", event.seq)))?;
            run.apply(event.seq, event.at, &body);
        }
        let _replayed = run.take_rows();
        let mut drive = Self {
            inner,
            job: claim.job.clone(),
            version: claim.version,
            run,
            values: Values::new(Some(inner.parts.store.clone()), &claim.job),
            plans: inner.plans.enter(&claim.job, bundle.catalog),
            out: BTreeMap::new(),
            tasks: JoinSet::new(),
            returns: mpsc::unbounded_channel(),
            facts: VecDeque::new(),
            journalled: BTreeSet::new(),
            seen: BTreeSet::new(),
            unreadable: Vec::new(),
            snapshot_seq,
            snapshot_step: FIRST_SNAPSHOT,
            looked_at: Instant::now(),
            postponed: None,
            alone: None,
        };
        drive.take_mail(loaded.inbox);
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
                self.abandon().await;
                return Err(error);
            }
        }
    }

    /// Takes nothing new in: what has come back is left in the inbox; says whether nothing is out any more.
    async fn wind_down(&mut self) -> Result<bool, StoreError> {
        self.leave_facts().await;
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
        let mail = self.inner.parts.store.inbox(&self.job).await?;
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
        self.leave_facts().await;
        while !self.out.is_empty() {
            let Some(returned) = self.returns.1.recv().await else { return };
            self.out.remove(&returned.effect);
            self.deliver_logged(returned).await;
        }
    }

    /// Puts the answers that came back, and that no commit took in, into the inbox.
    async fn leave_facts(&mut self) {
        for taken in std::mem::take(&mut self.facts) {
            if let Taken { fact: Fact::Answered { effect, answer, calls }, message: None } = taken {
                self.deliver_logged(Returned { effect, answer, calls }).await;
            }
        }
    }

    /// Delivers an answer, and tries again while the store is away: it may be all that is known of a paid call.
    async fn deliver_logged(&self, returned: Returned) {
        let effect = returned.effect;
        for tries in 0..DELIVERIES {
            match self.deliver(returned.clone()).await {
                Ok(()) => return,
                Err(error) => tracing::error!(%error, job = self.job, effect, "an answer could not be recorded"),
            }
            let pause = self.now().plus_ms(200 << tries);
            self.inner.parts.clock.sleep_until(pause).await;
        }
    }

    async fn deliver(&self, returned: Returned) -> Result<(), StoreError> {
        let Returned { effect, answer, calls } = returned;
        // The reply to a submit and the end of its operation are two answers to one attempt.
        let key = match &answer {
            Answer::Accepted { .. } => format!("accepted-{effect}"),
            // A poll may have answered before the provider was told.
            Answer::Cancelled => format!("cancelled-{effect}"),
            // The work may be accepted and end all the same: its end must not be taken for a repetition of this.
            unknown if unknown.knows_no_fate() => format!("unknown-{effect}"),
            Answer::Done { .. } | Answer::Failed { .. } | Answer::NotAccepted { .. } | Answer::Repeat => {
                format!("answer-{effect}")
            }
        };
        let fact = Fact::Answered { effect, answer, calls };
        self.inner.deliver(&self.job, &key, &fact, None).await.map(|_| ())
    }

    /// Sends what the last commit journalled, and settles what an earlier owner left open.
    fn perform(&mut self) {
        let now = self.now();
        let grace = u64::try_from(self.inner.settings.grace.as_millis()).unwrap_or(u64::MAX);
        for effect in self.run.pending() {
            match effect {
                Effect::Call(call) if !self.out.contains_key(&call.effect) => {
                    if self.journalled.contains(&call.effect) {
                        self.spawn(call, Task::Submit);
                    } else if now >= call.deadline.plus_ms(grace) {
                        self.spawn(call, Task::Recover);
                    }
                }
                Effect::Cancel(call) if !self.out.contains_key(&call.effect) => match &call.operation {
                    Some(_) => self.spawn(call, Task::Cancel),
                    None if now >= call.deadline.plus_ms(grace) => self.spawn(call, Task::Recover),
                    None => {}
                },
                // The id of an operation is needed to cancel it, so its submit is waited for. Any other call has
                // nothing to cancel: its reply is not waited for.
                Effect::Cancel(call)
                    if call.operation.is_none()
                        && self.plans.plan(&call.path).is_ok_and(|plan| !plan.has_operation()) =>
                {
                    if let Some(task) = self.out.get(&call.effect) {
                        task.abort();
                    }
                    let returned = Returned { effect: call.effect, answer: Answer::Cancelled, calls: Vec::new() };
                    // The receiver is this drive's own.
                    let _own = self.returns.0.send(returned);
                }
                Effect::Call(_)
                | Effect::Cancel(_)
                | Effect::Poll(_)
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
        let patience = self.now().plus_ms(u64::try_from(self.inner.settings.grace.as_millis()).unwrap_or(u64::MAX));
        let handle = self.tasks.spawn(async move {
            let answer = match task.learn(&mut values, &call, clock.as_ref(), patience).await {
                Ok(subject) => match task {
                    Task::Submit => provider::submit(&mut caller, &call, subject).await,
                    Task::Recover => provider::recover(&mut caller, &call, subject).await,
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

/// What is to be done about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Submit,
    Recover,
    Cancel,
}

impl Task {
    /// What it needs to know: the arguments, or the operation.
    fn subject(self, call: &Call) -> &crate::engine::ValueRef {
        match (self, &call.operation) {
            (Self::Cancel, Some(operation)) => operation,
            (Self::Cancel | Self::Submit | Self::Recover, _) => &call.args,
        }
    }

    /// Reads it, and tries again while the store is away. A submit waits until `patience` is over, not so long that its
    /// attempt counts as lost meanwhile. The others wait as long as it takes: what may have been paid for must be found
    /// out, and who works for nothing must be told.
    async fn learn(
        self,
        values: &mut Values,
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
