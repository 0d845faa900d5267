//! Searches again for work of unknown fate at a user's request.

use std::sync::Arc;

use super::drive::operation_poll;
use super::due_times::{AT_ONCE, DueKind};
use super::{Runtime, abandon, event_row};
use crate::engine::{Event, OpenWork, Program, Recorded, ReopenError, Reopener, Run};
use crate::ports::{Commit, JobRow, LeaseChange, Poll, StoreError, ValueRef};

/// Number of events per read.
const EVENT_PAGE_SIZE: u32 = 500;

/// Why an attempt cannot be searched for again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// The job cannot be read or changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The step's fate is known, or the step is still running.
    #[error("the outcome of the step's last attempt is known")]
    NotUnknown,
    /// The job continued after the step had ended.
    #[error("the job continued after the step ended, so the result can no longer be adopted")]
    WentOn,
    /// The step's provider has no list in which the work could be found.
    #[error("node `{node}` does not say how the provider's work is listed (`recover` of its operation)")]
    NotListed {
        /// Id of the node that was called, or the path of the step's module if it is unknown.
        node: String,
    },
    /// Data that the job needs to continue was erased, as its document says.
    #[error("values of the job were erased, so it cannot continue")]
    Erased,
    /// The document or the journal cannot be read, for this reason.
    #[error("the job cannot be read: {0}")]
    Unreadable(String),
}

impl From<ReopenError> for RecoverError {
    fn from(error: ReopenError) -> Self {
        match error {
            ReopenError::NotUnknown => Self::NotUnknown,
            ReopenError::WentOn => Self::WentOn,
        }
    }
}

impl Runtime {
    /// Searches again for the work of a step whose fate is unknown: immediately if it is being searched for already. A
    /// job that had ended because of it is reopened, and continues if the work is found. `step` is the step's ordinal.
    ///
    /// # Errors
    /// [`RecoverError`] if there is nothing to search for, the provider cannot be asked, or the job cannot continue.
    pub async fn recover_step(&self, job: &str, step: u64) -> Result<(), RecoverError> {
        let store = &self.inner.parts.store;
        let row = store.read_job(job).await?.ok_or_else(|| StoreError::NotFound { job: job.to_owned() })?;
        if row.state.status.is_final() {
            self.reopen_job(&row, step).await?;
        } else {
            self.hasten_search(job, step).await?;
        }
        self.inner.notifier.notify_work();
        self.inner.notifier.notify_due(DueKind::Polls, AT_ONCE);
        Ok(())
    }

    /// Makes the search for an attempt, which is already in progress, run immediately.
    async fn hasten_search(&self, job: &str, step: u64) -> Result<(), RecoverError> {
        let store = &self.inner.parts.store;
        let loaded = store.load_job(job).await?;
        let program =
            Program::compile_bundle(&loaded.bundle).map_err(|error| RecoverError::Unreadable(error.to_string()))?;
        let run = abandon::restore_run(Arc::new(program), &loaded).map_err(RecoverError::Unreadable)?;
        let mut is_sought = false;
        for work in run.open_work() {
            let (OpenWork::Recover(call) | OpenWork::Cancel(call)) = work else { continue };
            if call.step == step && call.recovery.is_some() {
                self.require_list(job, &call.path).await?;
                store.reschedule_poll(job, call.effect, self.inner.parts.clock.now(), None).await?;
                is_sought = true;
            }
        }
        if is_sought {
            return Ok(());
        }
        let steps = store.list_steps(job, step.saturating_sub(1), 1).await?;
        let is_unknown = |error: &serde_json::Value| error["name"] == crate::call::ErrorClass::SubmitUnknown.name();
        let has_ended = steps.iter().any(|row| row.ordinal == step && row.error.as_ref().is_some_and(is_unknown));
        Err(if has_ended { RecoverError::WentOn } else { RecoverError::NotUnknown })
    }

    /// Refuses to search for an attempt whose provider cannot be asked: the search would only wait until the attempt
    /// counts as lost again.
    async fn require_list(&self, job: &str, path: &str) -> Result<(), RecoverError> {
        let plans = self.inner.prepared.plans_of_job(job, self.inner.parts.store.as_ref()).await?;
        // A call that cannot be compiled ends its step with the reason.
        let Ok(plan) = plans.plan_at(path) else { return Ok(()) };
        if plan.is_repeatable() || plan.recover_request().is_some() {
            return Ok(());
        }
        Err(RecoverError::NotListed { node: path.rsplit('/').next().unwrap_or(path).to_owned() })
    }

    /// Reopens a job that ended because of an attempt of unknown fate, in its state before that.
    async fn reopen_job(&self, ended: &JobRow, step: u64) -> Result<(), RecoverError> {
        let (store, clock) = (&self.inner.parts.store, &self.inner.parts.clock);
        let bundle = store.load_job(&ended.id).await?.bundle;
        let program = Program::compile_bundle(&bundle).map_err(|error| RecoverError::Unreadable(error.to_string()))?;
        let program = Arc::new(program);
        let erased = ended.state.finished_at.and_then(|end| program.next_erasure(end, None));
        if erased.is_some_and(|at| at <= clock.now()) {
            return Err(RecoverError::Erased);
        }
        let mut reopener = Reopener::new(program);
        let mut after = 0;
        loop {
            let events = store.read_events(&ended.id, after, EVENT_PAGE_SIZE).await?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            for event in events {
                let body: Event = serde_json::from_value(event.body)
                    .map_err(|error| RecoverError::Unreadable(format!("event {}: {error}", event.seq)))?;
                reopener.apply_event(event.seq, event.at, &body);
            }
        }
        let (event, mut run) = reopener.reopen_step(step)?;
        let (seq, at) = (run.seq() + 1, clock.now());
        let _ended = run.take_rows();
        run.apply_event(seq, at, &event);
        let sought = run.open_work().find_map(|work| match work {
            OpenWork::Call(call) | OpenWork::Recover(call) if call.step == step => Some(call.path.clone()),
            OpenWork::Call(_)
            | OpenWork::Recover(_)
            | OpenWork::Cancel(_)
            | OpenWork::Poll(_)
            | OpenWork::Download(_)
            | OpenWork::Wait { .. } => None,
        });
        if let Some(path) = sought {
            self.require_list(&ended.id, &path).await?;
        }
        let settings = &self.inner.settings;
        let Some(version) = store.claim_ended_job(&settings.worker, &ended.id, settings.lease).await? else {
            // Another request has already reopened it.
            return Ok(());
        };
        let polls = self.open_polls(&ended.id, &run).await?;
        let released = LeaseChange::Release { wake_at: Some(at) };
        let commit = Commit {
            events: vec![event_row(Recorded { seq, at, event, value: None })],
            steps: run.take_rows(),
            polls,
            snapshot: Some(run.take_snapshot()),
            ..Commit::new(&ended.id, version, at, run.job_state(), released)
        };
        store.commit_turn(commit).await?;
        self.inner.notifier.ends.retract_end(&ended.id);
        self.inner.notifier.notify_change(&ended.id, false);
        Ok(())
    }

    /// Returns the polls of the operations that a run follows.
    async fn open_polls(&self, job: &str, run: &Run) -> Result<Vec<Poll>, StoreError> {
        let mut polls = Vec::new();
        for work in run.open_work() {
            if let OpenWork::Poll(call) = work
                && let Some(ValueRef::Row(seq)) = &call.operation
            {
                let operation = self.inner.parts.store.read_values(job, &[*seq]).await?.pop().flatten();
                let operation = serde_json::from_value(operation.unwrap_or_default())
                    .map_err(|error| StoreError::Backend(format!("an operation cannot be read: {error}")))?;
                polls.push(operation_poll(call, operation, self.inner.parts.clock.now()));
            }
        }
        Ok(polls)
    }
}
