//! Runs the workflow: performs what the engine asks for immediately, until nothing is pending.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use super::approvals::ApprovalAction;
use super::report::{Report, ReportEvent, ReportRequest, ReportStep, ResultSource};
use super::{DryRun, Outcome, Sending, sample_outputs};
use crate::call::KnownArtifacts;
use crate::engine::{
    Answer, Call, Event, Fact, GateSelector, Input, OpenWork, Program, Recorded, Run, Start, error_names,
};
use crate::evaluate::{Evaluation, ValueCache, build_request, estimate_json_bytes};
use crate::ports::{Evaluator, JobStatus, StepRow, StepStatus, StoreError, Timestamp, ValueRef};
use crate::prepared::Prepared;
use crate::template;

/// Value of `{{ job.id }}`.
const JOB: &str = "dry-run";

/// Time at which every dry run starts.
const START: Timestamp = Timestamp(0);

/// Why a dry run ends before its workflow does.
enum Stop {
    Limit(String),
    /// The engine failed, or a value could not be read.
    Broken(String),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Broken(error.to_string())
    }
}

pub(super) struct DryRunDriver<'a, F> {
    given: DryRun,
    prepared: &'a Prepared,
    evaluator: &'a dyn Evaluator,
    answer: F,
    run: Run,
    values: ValueCache,
    now: Timestamp,
    /// Attempts that were sent, each with its future outcome.
    out: BTreeMap<u64, (Outcome, Option<ResultSource>)>,
    /// Answers to the closed gates.
    approvals: VecDeque<Fact>,
    /// Steps whose gates were answered, by ordinal.
    gates: BTreeSet<u64>,
    events: Vec<Recorded>,
    steps: BTreeMap<u64, StepRow>,
    /// The branch that each `branchone` took, by ordinal.
    branches: BTreeMap<u64, String>,
    /// Requests by attempt, with the ordinal of their step.
    requests: BTreeMap<u64, (u64, ReportRequest)>,
    value_bytes: usize,
}

impl<'a, F> DryRunDriver<'a, F>
where
    F: FnMut(&Sending<'_>) -> Option<Outcome>,
{
    pub(super) fn new(given: DryRun, prepared: &'a Prepared, evaluator: &'a dyn Evaluator, answer: F) -> Self {
        // Steps of sub-flows can be mocked, too.
        let results = given.mocks.of_modules(prepared.program());
        let program = prepared.program().clone();
        let program =
            if results.is_empty() { program } else { Arc::new(Program::clone(&program).with_results(&results)) };
        Self {
            given,
            prepared,
            evaluator,
            answer,
            run: Run::new(program),
            values: ValueCache::new(None, JOB),
            now: START,
            out: BTreeMap::new(),
            approvals: VecDeque::new(),
            gates: BTreeSet::new(),
            events: Vec::new(),
            steps: BTreeMap::new(),
            branches: BTreeMap::new(),
            requests: BTreeMap::new(),
            value_bytes: 0,
        }
    }

    pub(super) async fn drive_to_report(mut self) -> Report {
        let stop = self.run_to_end().await.err();
        self.build_report(stop).await
    }

    async fn run_to_end(&mut self) -> Result<(), Stop> {
        let created = Run::create(0, self.given.preprocess, std::mem::take(&mut self.given.input), self.now);
        for recorded in &created {
            self.run.apply_event(recorded.seq, recorded.at, &recorded.event);
        }
        self.record_events(created)?;
        let mut next = Input::Tick;
        loop {
            let events = self.run.decide_and_apply(self.now, next);
            self.record_events(events)?;
            self.perform_free().await?;
            if self.run.status().is_final() {
                return Ok(());
            }
            next = self.next().await?;
        }
    }

    async fn perform_free(&mut self) -> Result<(), Stop> {
        while let Some(effect) = self.run.next_free_effect() {
            let mut evaluation = Evaluation {
                run: &self.run,
                values: &mut self.values,
                evaluator: self.evaluator,
                plans: self.prepared.plans(),
            };
            let Some(input) = evaluation.perform_effect(&effect).await? else { break };
            let events = self.run.decide_and_apply(self.now, input);
            self.record_events(events)?;
        }
        Ok(())
    }

    /// Determines the next input: sends everything that is pending, then takes one answer, or lets time pass.
    async fn next(&mut self) -> Result<Input, Stop> {
        if let Some(approval) = self.approvals.pop_front() {
            return Ok(Input::Fact(approval));
        }
        let mut orphan = None;
        let mut wake = None;
        let mut unsent = Vec::new();
        for work in self.run.open_work() {
            match work {
                OpenWork::Call(call) if !self.out.contains_key(&call.effect) => unsent.push(call.clone()),
                OpenWork::Cancel(call) => orphan = Some(call.effect),
                OpenWork::Wait { until, .. } => {
                    wake = Some(wake.map_or(until, |earlier: Timestamp| earlier.min(until)));
                }
                // No call is answered with an operation or with links.
                OpenWork::Call(_) | OpenWork::Poll(_) | OpenWork::Recover(_) | OpenWork::Download(_) => {}
            }
        }
        for call in &unsent {
            self.send(call).await?;
        }
        if let Some(effect) = orphan {
            // Its result is no longer wanted.
            self.out.remove(&effect);
            return Ok(answer_input(effect, Answer::Cancelled));
        }
        if let Some((effect, (outcome, source))) = self.out.pop_first() {
            if let Some((_, request)) = self.requests.get_mut(&effect) {
                request.answered_by = source;
            }
            let answer = match outcome {
                Outcome::Result(result) => Answer::Done { result },
                Outcome::Error(error) => Answer::Failed { error },
            };
            return Ok(answer_input(effect, answer));
        }
        let Some(wake) = wake else {
            return Err(Stop::Broken("the run is stuck: nothing is left to do, but it has not ended".to_owned()));
        };
        self.now = self.now.max(wake);
        Ok(Input::Tick)
    }

    /// Builds an attempt's request, and determines its outcome.
    async fn send(&mut self, call: &Call) -> Result<(), Stop> {
        if self.requests.len() >= self.given.limits.calls {
            let calls = self.given.limits.calls;
            return Err(Stop::Limit(format!("a dry run makes at most {calls} calls: check for an endless loop")));
        }
        let input = self.values.resolve_reference(&call.args).await?;
        let artifacts = KnownArtifacts::assume_all(&input);
        let plan = self.prepared.plans().plan_at(&call.path);
        let built = plan.and_then(|plan| build_request(JOB, &plan, call, &input, &artifacts, false));
        let request = match built {
            Ok(request) => template::display_request(&request),
            Err(error) => {
                // As in a real call: if the request cannot be built, that is the answer.
                self.out.insert(call.effect, (Outcome::Error(error), None));
                return Ok(());
            }
        };
        self.count_bytes(&request)?;
        let path = self.steps.get(&call.step).map(|row| row.path.clone()).unwrap_or_default();
        let sending = Sending {
            step_id: &call.step_id,
            path: &path,
            node: &call.path,
            attempt: call.attempt,
            input: &input,
            request: &request,
        };
        let outcome = match (self.answer)(&sending) {
            Some(outcome) => (outcome, Some(ResultSource::Function)),
            None => match self.given.mocks.outcome_of_attempt(&path, &call.step_id, call.attempt) {
                Some(outcome) => (outcome.clone(), Some(ResultSource::Mock)),
                None => {
                    let node = self.prepared.bundle().catalog.node_at(&call.path);
                    let result = node.map_or(Value::Null, |node| sample_outputs::sample_outputs(node, &input));
                    (Outcome::Result(result), Some(ResultSource::Sample))
                }
            },
        };
        self.out.insert(call.effect, outcome);
        let sent = ReportRequest { attempt: call.attempt, at_ms: self.now.since_ms(START), request, answered_by: None };
        self.requests.insert(call.effect, (call.step, sent));
        Ok(())
    }

    fn record_events(&mut self, events: Vec<Recorded>) -> Result<(), Stop> {
        self.values.record_events(&events);
        for row in self.run.take_rows() {
            let closed = row.approval.as_ref().filter(|_| row.status == StepStatus::Suspended);
            if let Some(required) = closed.and_then(|gate| gate["required"].as_u64())
                && self.gates.insert(row.ordinal)
            {
                self.open_gate(&row, required);
            }
            self.steps.insert(row.ordinal, row);
        }
        for recorded in events {
            if let Event::StepStarted { start: Start::Branch { chosen }, step_id, path, .. } = &recorded.event {
                let branch = chosen.map_or_else(|| "default".to_owned(), |chosen| chosen.to_string());
                // A step whose predicates could not be evaluated has been started earlier.
                let mut before = self.steps.range(..=recorded.seq).rev();
                let step = before.find(|(_, row)| row.step_id == *step_id && row.path == *path);
                self.branches.insert(step.map_or(recorded.seq, |(&ordinal, _)| ordinal), branch);
            }
            if let Some(value) = &recorded.value {
                self.count_bytes(value)?;
            }
            self.events.push(recorded);
        }
        if self.events.len() > self.given.limits.events {
            let events = self.given.limits.events;
            return Err(Stop::Limit(format!("a dry run has at most {events} events: check for an endless loop")));
        }
        Ok(())
    }

    /// Answers the gate of a step with the given answers, or with as many approvals as it requires.
    fn open_gate(&mut self, row: &StepRow, required: u64) {
        let given = self.given.approvals.approvals_for_gate(&row.path, &row.step_id, required);
        self.approvals.extend(given.into_iter().map(|approval| Fact::Approval {
            target: GateSelector::Ordinal(row.ordinal),
            approver: approval.approver,
            counts_for: None,
            disapproves: approval.action == ApprovalAction::Cancel,
            payload: approval.payload,
        }));
    }

    fn count_bytes(&mut self, value: &Value) -> Result<(), Stop> {
        self.value_bytes += estimate_json_bytes(value);
        if self.value_bytes > self.given.limits.value_bytes {
            let bytes = self.given.limits.value_bytes;
            return Err(Stop::Limit(format!("the values of a dry run have at most {bytes} bytes of JSON in total")));
        }
        Ok(())
    }

    async fn build_report(mut self, mut stop: Option<Stop>) -> Report {
        // Results of loops contain those of their iterations, which therefore count twice.
        self.value_bytes = 0;
        let mut steps = Vec::with_capacity(self.steps.len());
        for row in std::mem::take(&mut self.steps).into_values() {
            match self.report_step(row).await {
                Ok(step) => steps.push(step),
                Err(over) => {
                    stop.get_or_insert(over);
                    break;
                }
            }
        }
        let state = self.run.job_state();
        let output = match &stop {
            None => self
                .resolve_reference(state.output.as_ref())
                .await
                .map_err(|over| stop = Some(over))
                .unwrap_or_default(),
            Some(_) => Value::Null,
        };
        let (status, output, error) = match stop {
            None => (state.status, output, state.error),
            Some(stop) => {
                let (name, message) = match stop {
                    Stop::Limit(message) => (error_names::DRY_RUN_LIMIT, message),
                    Stop::Broken(message) => (error_names::INTERNAL_ERROR, message),
                };
                let error = json!({"name": name, "message": message});
                (JobStatus::Failed, json!({"error": error}), Some(error))
            }
        };
        for (step, request) in std::mem::take(&mut self.requests).into_values() {
            if let Ok(at) = steps.binary_search_by_key(&step, |step: &ReportStep| step.ordinal) {
                steps[at].requests.push(request);
            }
        }
        let early_return = self.prepared.early_return().and_then(|step| result_of(step, &steps));
        let events = self.events.into_iter().map(|recorded| ReportEvent {
            seq: recorded.seq,
            at_ms: recorded.at.since_ms(START),
            body: recorded.event,
            value: recorded.value,
        });
        Report {
            status,
            skipped: self.run.was_skipped(),
            output,
            error,
            early_return,
            duration_ms: self.now.since_ms(START),
            retry_count: state.retry_count,
            steps,
            events: events.collect(),
        }
    }

    async fn report_step(&mut self, row: StepRow) -> Result<ReportStep, Stop> {
        let ended = row.finished_at.is_some();
        Ok(ReportStep {
            input: self.resolve_reference(row.input.as_ref()).await?,
            output: self.resolve_reference(row.output.as_ref()).await?,
            branch: self.branches.remove(&row.ordinal),
            id: row.step_id,
            ordinal: row.ordinal,
            path: row.path,
            // A step that a limit interrupted does not continue.
            status: if ended { row.status } else { StepStatus::Cancelled },
            attempt: row.attempt,
            started_ms: row.started_at.since_ms(START),
            finished_ms: row.finished_at.map(|at| at.since_ms(START)),
            error: row.error,
            requests: Vec::new(),
        })
    }

    /// Returns the value behind a reference that a row holds.
    async fn resolve_reference(&mut self, reference: Option<&ValueRef>) -> Result<Value, Stop> {
        let Some(reference) = reference else { return Ok(Value::Null) };
        let value = self.values.resolve_reference(reference).await?;
        self.count_bytes(&value)?;
        Ok(value)
    }
}

fn answer_input(effect: u64, answer: Answer) -> Input {
    Input::Fact(Fact::Answered { effect, answer })
}

/// Returns the result of a top-level step that succeeded.
fn result_of(step_id: &str, steps: &[ReportStep]) -> Option<Value> {
    let ended = |step: &&ReportStep| matches!(step.status, StepStatus::Completed | StepStatus::Skipped);
    let step = steps.iter().find(|step| step.path.is_empty() && step.id == step_id).filter(ended)?;
    Some(step.output.clone())
}
