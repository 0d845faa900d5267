//! The real driver in a random world: several runtimes on one store with troubles, in virtual time, with providers
//! behind the real call builder. Workers die and are replaced; the journal that is left is judged by the same rules,
//! and its end by the same reference.

mod client;
mod clock;
mod evaluator;
mod nodes;
mod paid;
mod store;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use apiflow_core::engine::{GateSelector, Program, Run};
use apiflow_core::ports::{Clock, JobJournal, JobRecords, JobRow, StepStatus};
use apiflow_core::runtime::memory::MemoryStore;
use apiflow_core::runtime::memory_artifacts::MemoryArtifacts;
use apiflow_core::runtime::{Approval, JobRequest, Runtime, RuntimeParts, RuntimeSettings};
use serde_json::json;
use tokio::task::JoinHandle;

use super::decisions::Script;
use super::document::Document;
use super::fate::plain;
use super::history::{Violation, ensure};
use super::invariants::Watch;
use super::random::Random;
use super::reference::{self, JobEnd};
use super::shrink::{Case, shrink};
use super::values::Values;
use client::{Client, Fates};
use evaluator::Naive;
use paid::{JOB, Paid, journal};
use store::Troubled;

/// Virtual time after which a job must have ended.
const LONGEST: Duration = Duration::from_secs(40_000);

/// What goes wrong in a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Workers die and are replaced, and the store has all its troubles.
    Rough,
    /// One worker lives all the time, and its store is full again and again.
    FullStore,
}

/// Lives the world of a seed; a failure is made smaller and told.
pub(crate) fn check(seed: u64, weather: Weather) -> Result<(), String> {
    let document = Document::random(seed);
    let Err(violation) = live(&document, seed, weather) else { return Ok(()) };
    let fails = |case: &Case| live(&case.document, seed, weather).is_err_and(|found| found.rule == violation.rule);
    let case = shrink(Case { document, script: Script::new() }, fails);
    let found = live(&case.document, seed, weather).err().unwrap_or(violation);
    Err(format!("seed {seed} breaks the rule: {}\n{}\n\n{}", found.rule, found.detail, case.document.text()))
}

/// Lives the world of a seed.
fn live(document: &Document, seed: u64, weather: Weather) -> Result<(), Violation> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async { World::new(seed, weather).live(document).await })
}

struct World {
    seed: u64,
    weather: Weather,
    random: Random,
    clock: Arc<dyn Clock>,
    store: Arc<MemoryStore>,
    troubled: Arc<Troubled>,
    client: Arc<Client>,
    artifacts: Arc<MemoryArtifacts>,
    workers: Vec<Worker>,
    names: u32,
    cancelled: bool,
    /// Gates that people have looked at.
    seen: BTreeSet<u64>,
    approvals: u32,
}

struct Worker {
    runtime: Runtime,
    stop: tokio::sync::watch::Sender<bool>,
    working: JoinHandle<()>,
}

impl World {
    fn new(seed: u64, weather: Weather) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(clock::Virtual::new());
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let client = Client {
            seed,
            clock: clock.clone(),
            paid: Paid::new(store.clone()),
            works: std::sync::Mutex::default(),
            refusals: std::sync::Mutex::default(),
            list: std::sync::Mutex::new(client::ListOutages::new(seed)),
            downloads: std::sync::Mutex::new(super::random::Random::new(seed ^ 0xD0)),
            lost: std::sync::atomic::AtomicUsize::new(0),
        };
        let mut world = Self {
            seed,
            weather,
            random: Random::new(seed ^ 0xD21),
            clock,
            troubled: Arc::new(Troubled::new(store.clone(), seed, weather)),
            store,
            client: Arc::new(client),
            artifacts: Arc::new(MemoryArtifacts::new()),
            workers: Vec::new(),
            names: 0,
            cancelled: false,
            seen: BTreeSet::new(),
            approvals: 0,
        };
        let workers = if weather == Weather::Rough { 1 + world.random.below(3) } else { 1 };
        for _ in 0..workers {
            world.hire();
        }
        world
    }

    /// A new worker process.
    fn hire(&mut self) {
        let parts = RuntimeParts {
            store: self.troubled.clone(),
            artifacts: self.artifacts.clone(),
            http: self.client.clone(),
            evaluator: Arc::new(Naive),
            clock: self.clock.clone(),
        };
        self.names += 1;
        let settings = RuntimeSettings::new(format!("worker-{}", self.names));
        let settings = RuntimeSettings {
            lease: Duration::from_secs(3),
            grace: Duration::from_secs(2),
            // Where workers die, they die of chance, not of a job; a full store is no crash at all.
            max_tries: if self.weather == Weather::Rough { u32::MAX } else { settings.max_tries },
            ..settings
        };
        let runtime = Runtime::new(parts, settings);
        let stop = tokio::sync::watch::Sender::new(false);
        let mut stopped = stop.subscribe();
        let worker = runtime.clone();
        let working = tokio::spawn(async move {
            worker
                .run_worker(async move {
                    let _closed = stopped.wait_for(|stop| *stop).await.map(drop);
                })
                .await;
        });
        self.workers.push(Worker { runtime, stop, working });
    }

    async fn live(mut self, document: &Document) -> Result<(), Violation> {
        let mut run = JobRequest::new(JOB, self.seed, nodes::bundle(document), document.input.clone());
        run.preprocess = document.preprocess;
        self.workers[0].runtime.submit_job(run).await.expect("the memory takes the job");
        let mut troubles = if self.weather == Weather::Rough { *self.random.pick(&[0, 2, 6, 12]) } else { 0 };
        let rate = *self.random.pick(&[5, 20, 50]);
        let begun = tokio::time::Instant::now();
        let job = loop {
            let job = self.store.read_job(JOB).await.expect("the memory answers").expect("the job is there");
            if job.state.status.is_final() {
                break job;
            }
            if begun.elapsed() > LONGEST {
                let story = self.story().await;
                return Err(Violation::new("a job ends", format!("it is {}\n{story}", job.state.status.as_str())));
            }
            if troubles > 0 && self.random.percent(rate) {
                troubles -= 1;
                self.trouble().await;
            } else if troubles == 0 && self.weather == Weather::Rough {
                self.troubled.calm();
            }
            self.people_look().await;
            let tick = if troubles > 0 { *self.random.pick(&[2, 5, 40, 500]) } else { 500 };
            tokio::time::sleep(Duration::from_millis(tick)).await;
        };
        for worker in &self.workers {
            worker.stop.send_replace(true);
        }
        for worker in std::mem::take(&mut self.workers) {
            worker.working.await.expect("the worker ends");
        }
        let outcome = self.judge(document, &job).await;
        let story = if outcome.is_err() { self.story().await } else { String::new() };
        outcome.map_err(|violation| Violation { detail: format!("{}\n{story}", violation.detail), ..violation })
    }

    /// A worker dies or stops, and another begins; or somebody asks for the job's end.
    async fn trouble(&mut self) {
        match self.random.below(8) {
            0 if !self.cancelled => {
                self.cancelled = true;
                // The store may be away: then nobody has asked.
                let asked = self.workers[0].runtime.cancel_job(JOB, "not needed", None).await;
                drop(asked);
            }
            1 | 2 => {
                let worker = self.workers.swap_remove(self.random.below(self.workers.len()));
                worker.stop.send_replace(true);
                self.hire();
            }
            _ => {
                let worker = self.workers.swap_remove(self.random.below(self.workers.len()));
                worker.working.abort();
                self.hire();
            }
        }
    }

    /// People see gates close: they approve as often as they want, and now and then they do not.
    async fn people_look(&mut self) {
        for row in self.store.list_steps(JOB, 0, 500).await.expect("the memory answers") {
            if row.status != StepStatus::Suspended || !self.seen.insert(row.ordinal) {
                continue;
            }
            let required = row.approval.as_ref().and_then(|gate| gate["required"].as_u64()).unwrap_or_default();
            let (approvals, disapproves) = match self.random.below(4) {
                0 | 1 => (required, false),
                2 => (0, false),
                _ => (1, true),
            };
            for _ in 0..approvals {
                self.approvals += 1;
                let approval = Approval {
                    target: GateSelector::Ordinal(row.ordinal),
                    approver: Some("ada".to_owned()),
                    counts_for: None,
                    disapproves,
                    payload: json!({"n": self.approvals % 4}),
                };
                let given = self.workers[0].runtime.approve_gate(JOB, &self.approvals.to_string(), approval).await;
                drop(given);
            }
        }
    }

    /// The journal by the rules, the money by the providers, the end by the reference.
    async fn judge(&self, document: &Document, job: &JobRow) -> Result<(), Violation> {
        if let Some(violation) = self.client.paid.broken() {
            return Err(violation);
        }
        let events = journal(&self.store).await;
        let mut values = Values::default();
        values.record(&events);
        let program = Program::compile_bundle(&nodes::bundle(document)).expect("the document was run");
        let mut watch = Watch::new(document.size(), false);
        let run = watch.retell(&Arc::new(program), &events)?;
        let rule = "a state is the fold of its events, from any snapshot";
        ensure(run.job_state() == job.state, rule, || format!("{:?}\ninstead of {:?}", job.state, run.job_state()))?;
        self.rows_are_closed(&watch, job, run.clone()).await?;
        for (effect, work) in watch.operations() {
            let over = self.client.works().get(&work).is_none_or(|work| work.known || work.told);
            let rule = "every accepted operation is followed to its end, or its provider is told";
            ensure(over, rule, || format!("{work} of #{effect} is still at work"))?;
        }
        let is_cancelled = job.state.status == apiflow_core::ports::JobStatus::Cancelled;
        if is_cancelled {
            return ensure(self.cancelled, "a job is cancelled only if somebody asks", || String::new());
        }
        let observed = watch.observed(&values);
        if self.weather == Weather::FullStore {
            let lost = self.client.lost.load(std::sync::atomic::Ordering::Relaxed);
            let rule = "what a provider has answered is not lost because the store is full";
            let is_kept = observed.unknown.len() <= lost && observed.not_sent.is_empty();
            ensure(is_kept, rule, || {
                format!("{lost} answers were lost on the way, but unknown are {:?}", observed.unknown)
            })?;
        }
        self.compare(document, job, &watch, &values, &run)
    }

    async fn rows_are_closed(&self, watch: &Watch, job: &JobRow, mut run: Run) -> Result<(), Violation> {
        let written = self.store.list_steps(JOB, 0, u32::MAX).await.expect("the memory answers");
        let mut replayed = run.take_rows();
        for (row, written) in replayed.iter_mut().zip(&written) {
            // Progress is written by polls alone.
            row.progress = written.progress;
        }
        watch.rows_are_closed(job.state.status, &written.iter().collect::<Vec<_>>(), &replayed)
    }

    fn compare(
        &self,
        document: &Document,
        job: &JobRow,
        watch: &Watch,
        values: &Values,
        run: &Run,
    ) -> Result<(), Violation> {
        let observed = watch.observed(values);
        if observed.has_timed_out {
            return Ok(());
        }
        let expected = reference::run(document, &Fates { seed: self.seed, observed: &observed }, &observed).end;
        let mut calls = watch.calls(values);
        calls.retain(|key, _| !observed.is_lost(&key.place));
        let end = JobEnd {
            status: job.state.status,
            output: job.state.output.as_ref().map(|output| values.resolve(output)).unwrap_or_default(),
            error: job.state.error.clone(),
            skipped: run.was_skipped(),
            calls,
        };
        let (end, expected) = (wordless(end), wordless(expected));
        ensure(end == expected, "a job ends as the reference does", || {
            format!("the job ended as\n{end:#?}\nbut the reference as\n{expected:#?}")
        })
    }

    async fn story(&self) -> String {
        let mut story = String::from("journal:\n");
        for recorded in journal(&self.store).await {
            let event = serde_json::to_string(&recorded.event).expect("an event is plain data");
            let value = recorded.value.map(|value| format!(" = {value}")).unwrap_or_default();
            story.push_str(&format!("{:>9.1} s  #{} {event}{value}\n", recorded.at.0 as f64 / 1000.0, recorded.seq));
        }
        story
    }
}

/// An end without the words of its errors: they differ from the reference's.
fn wordless(end: JobEnd) -> JobEnd {
    let calls = end.calls.into_iter().map(|(key, args)| (key, plain(&args))).collect();
    JobEnd { output: plain(&end.output), error: end.error.as_ref().map(plain), calls, ..end }
}
