//! The calls of a drive: built with the commit that journals them, sent after it, and cancelled.

use serde_json::Value;

use super::open_work::Cancellation;
use super::{Drive, Returned, Taken};
use crate::call::ReportedCost;
use crate::engine::{Answer, Call, OpenWork};
use crate::evaluate::ValueCache;
use crate::ports::{CallRecord, Clock, StoreError, ValueRef};
use crate::runtime::inbox_payload::InboxPayload;
use crate::runtime::provider::{self, Caller, Submit, record_before_sending};

/// Maximum number of times that the delay before asking an unavailable store again is doubled.
const MAX_PAUSE_DOUBLINGS: u32 = 6;

/// An attempt that is journalled and about to be sent.
pub(super) struct Attempt {
    call: Call,
    /// The request, or the error object if it could not be built.
    submit: Result<Submit, Value>,
}

impl Attempt {
    /// Returns the record of the attempt, which is written before it is sent.
    pub(super) fn record(&self) -> Option<CallRecord> {
        self.submit.as_ref().ok().map(|submit| record_before_sending(&self.call, &submit.request))
    }
}

impl Drive<'_> {
    /// Starts to search for the attempts that an earlier owner of the job left open.
    pub(super) fn seek_interrupted(&mut self) {
        let now = self.now();
        let mut found = Vec::new();
        for work in self.run.open_work() {
            let (OpenWork::Call(call) | OpenWork::Cancel(call)) = work else { continue };
            if call.is_taken() || call.recovery.is_some() {
                continue;
            }
            let arrives_until = call.deadline.plus_ms(self.inner.settings.grace_ms());
            let answer = match self.plans.plan_at(&call.path) {
                Ok(plan) => provider::search_interrupted(&plan, now, arrives_until),
                Err(error) => Answer::Failed { error },
            };
            found.push(InboxPayload::from_answer(call.effect, answer, Vec::new()));
        }
        // After the messages: an attempt may have been answered in the meantime.
        self.facts.extend(found.into_iter().map(|payload| Taken { payload, message: None }));
    }

    /// Returns whether a call that is no longer needed has ended immediately: there is nothing to cancel, so its reply
    /// is not waited for, or this drive journalled it but never sent it.
    pub(super) fn is_over_at_once(&self, call: &Call) -> bool {
        if call.download.is_some() {
            return true;
        }
        let unsent = !self.out.contains_key(&call.effect) && call.recovery.is_none();
        call.operation.is_none() && (unsent || self.plans.plan_at(&call.path).is_ok_and(|plan| !plan.has_operation()))
    }

    /// Builds the request of an attempt; this happens only once.
    pub(super) async fn build_attempt(&mut self, call: Call) -> Result<Attempt, StoreError> {
        let submit = match self.plans.plan_at(&call.path) {
            Ok(plan) => {
                let arguments = self.values.resolve_reference(&call.args).await?;
                let (artifacts, webhooks) = (self.inner.parts.artifacts.as_ref(), self.inner.settings.webhooks);
                Submit::build(
                    (&self.job, self.committed.created_by.as_deref()),
                    plan,
                    &call,
                    &arguments,
                    artifacts,
                    webhooks,
                )
                .await
            }
            Err(error) => Err(error),
        };
        Ok(Attempt { call, submit })
    }

    /// Sends what the last commit journalled, downloads media, and cancels work that is no longer needed.
    pub(super) fn perform_effects(
        &mut self,
        attempts: Vec<Attempt>,
        downloads: Vec<Call>,
        cancellations: Vec<Cancellation>,
    ) {
        for attempt in attempts {
            self.spawn_submit(attempt);
        }
        for call in downloads {
            self.spawn_download(call);
        }
        for cancellation in cancellations {
            match cancellation {
                Cancellation::AtOnce(effect) => {
                    if let Some(task) = self.out.get(&effect) {
                        task.abort();
                    }
                    let returned = Returned {
                        effect,
                        answer: Answer::Cancelled,
                        calls: Vec::new(),
                        reported_cost: ReportedCost::default(),
                    };
                    // This drive itself owns the receiver.
                    let _own = self.returns.0.send(returned);
                }
                Cancellation::TellProvider(call) => self.spawn_cancel(*call),
                Cancellation::UnderWay => {}
            }
        }
    }

    fn spawn_submit(&mut self, attempt: Attempt) {
        let mut caller = self.inner.caller_for_job(&self.job, self.plans.clone());
        let returns = self.returns.0.clone();
        let Attempt { call, submit } = attempt;
        let effect = call.effect;
        let handle = self.tasks.spawn(async move {
            let answer = match submit {
                Ok(submit) => provider::submit_attempt(&mut caller, &call, &submit).await,
                Err(error) => Answer::Failed { error },
            };
            // The receiver lives as long as the drive; if that has ended, the answer is not needed.
            let _ended = returns.send(caller.into_returned(effect, answer));
        });
        self.out.insert(effect, handle);
    }

    fn spawn_download(&mut self, call: Call) {
        let Some(operation) = call.download.clone() else { return };
        self.downloads.insert(call.effect);
        self.spawn_follow_up(call, operation, FollowUp::Download);
    }

    /// Ends the downloads that are in flight: whoever owns the job next begins them again.
    pub(super) fn drop_downloads(&mut self) {
        for effect in std::mem::take(&mut self.downloads) {
            if let Some(task) = self.out.remove(&effect) {
                task.abort();
            }
        }
    }

    fn spawn_cancel(&mut self, call: Call) {
        let Some(operation) = call.operation.clone() else { return };
        self.spawn_follow_up(call, operation, FollowUp::Cancel);
    }

    /// Reads the operation of an accepted call, and does with it what is left to do.
    fn spawn_follow_up(&mut self, call: Call, operation: ValueRef, follow_up: FollowUp) {
        let mut caller = self.inner.caller_for_job(&self.job, self.plans.clone());
        let mut values = self.values.share_value(&operation);
        let returns = self.returns.0.clone();
        let clock = self.inner.parts.clock.clone();
        let effect = call.effect;
        let handle = self.tasks.spawn(async move {
            let operation = read_operation(&mut values, &operation, effect, clock.as_ref()).await;
            let answer = match follow_up {
                FollowUp::Download => provider::download_media(&mut caller, &call, operation).await,
                FollowUp::Cancel => provider::cancel_work(&mut caller, &call, operation).await,
            };
            let _ended = returns.send(caller.into_returned(effect, answer));
        });
        self.out.insert(effect, handle);
    }
}

/// What is left to do with an operation.
#[derive(Debug, Clone, Copy)]
enum FollowUp {
    /// Its media is downloaded.
    Download,
    /// The provider is asked to cancel it.
    Cancel,
}

impl Caller {
    fn into_returned(self, effect: u64, answer: Answer) -> Returned {
        Returned { effect, answer, calls: self.records, reported_cost: self.reported_cost }
    }
}

/// Reads an operation; retries while the store is unavailable, because the provider must be told to stop.
async fn read_operation(values: &mut ValueCache, operation: &ValueRef, effect: u64, clock: &dyn Clock) -> Value {
    let mut tries = 0;
    loop {
        match values.resolve_reference(operation).await {
            Ok(operation) => return operation,
            Err(error) => tracing::warn!(%error, effect, "the store is unavailable; the query is retried"),
        }
        clock.sleep_until(clock.now().plus_ms(200 << tries)).await;
        tries = (tries + 1).min(MAX_PAUSE_DOUBLINGS);
    }
}
