//! A random world: workers that share one job, a network, providers, and time that passes only when nothing else can.

mod network;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apiflow_core::engine::{Answer, Call, Program, Recovery, Run};
use apiflow_core::ports::Timestamp;

use super::decisions::{Decisions, Point, Script};
use super::document::Document;
use super::history::{History, Violation};
use super::invariants::Watch;
use super::journal::{Journal, PollSubject};
use super::provider::{Polled, Provider};
use super::reference::{JobEnd, Observed};
use super::shell::Worker;
use network::Flight;
pub(crate) use network::{Load, key_of};

/// How long a lease lasts if its owner dies.
const LEASE_MS: u64 = 10_000;
/// How long a poll that was taken is hidden.
const POLL_LEASE_MS: u64 = 60_000;
/// Added to an attempt's deadline before its fate counts as unknown.
pub(crate) const GRACE_MS: u64 = 5_000;
/// Things that may happen before a job must have ended.
const MOST_THINGS: u32 = 20_000;
/// The moment at which jobs are made.
const BEGIN: Timestamp = Timestamp(1_000_000);

/// How a world ended, or which rule it broke, and what had been decided until then.
pub(crate) struct Told {
    pub(crate) outcome: Result<Outcome, Violation>,
    pub(crate) decided: Script,
    /// The kinds of events that its journal holds.
    pub(crate) kinds: BTreeSet<String>,
    pub(crate) history: String,
}

impl Told {
    /// Nothing is left of a world but that it panicked.
    pub(crate) fn panicked() -> Self {
        let outcome = Err(Violation::new("nothing panics", "the message is above"));
        Self { outcome, decided: Script::new(), kinds: BTreeSet::new(), history: String::new() }
    }
}

/// How a job ended.
pub(crate) struct Outcome {
    pub(crate) end: JobEnd,
    /// Whether somebody has asked for its end.
    pub(crate) is_cancelled: bool,
    pub(crate) observed: Observed,
}

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) program: Arc<Program>,
    pub(crate) journal: Journal,
    pub(crate) provider: Provider,
    pub(crate) decisions: Decisions,
    pub(crate) watch: Watch,
    pub(crate) history: History,
    pub(crate) workers: Vec<Worker>,
    pub(crate) flights: BTreeMap<u64, Flight>,
    next_flight: u64,
    cancelled: bool,
    /// Steps with a gate after them.
    gated_steps: Vec<String>,
}

/// One thing that can happen now.
#[derive(Debug, Clone, Copy)]
enum Thing {
    Flight(u64),
    Turn(usize),
    Poll(u64),
    Claim(usize),
}

/// Lives a world to its job's end.
pub(crate) fn live(document: &Document, seed: u64, decisions: Decisions, watch: Watch, history: History) -> Told {
    let program = Arc::new(Program::compile_bundle(&document.bundle()).expect("a random document can be run"));
    let created = Run::create(seed, document.preprocess, document.input.clone(), BEGIN);
    let mut world = World {
        now: BEGIN,
        journal: Journal::new(created.clone(), BEGIN),
        provider: Provider::new(seed),
        decisions,
        watch,
        history,
        workers: (0..3).map(|_| Worker::default()).collect(),
        flights: BTreeMap::new(),
        next_flight: 0,
        cancelled: false,
        gated_steps: document.gated_steps(),
        program,
    };
    let outcome = world.watch.begin(&world.program, &created).and_then(|()| world.live());
    let kinds = world.journal.kinds();
    Told { outcome, decided: world.decisions.taken, kinds, history: world.history.text() }
}

impl World {
    fn live(&mut self) -> Result<Outcome, Violation> {
        let mut things = 0;
        while !self.journal.has_ended() {
            things += 1;
            if things > MOST_THINGS {
                return Err(Violation::new("a job ends", format!("{MOST_THINGS} things have happened")));
            }
            self.trouble()?;
            let possible = self.possible();
            if possible.is_empty() {
                self.pass_time()?;
                continue;
            }
            let chosen = self.decisions.way(Point::Order, possible.len());
            match possible[chosen] {
                Thing::Flight(id) => self.fly(id)?,
                Thing::Turn(worker) => self.turn(worker)?,
                Thing::Poll(effect) => self.poll(effect),
                Thing::Claim(worker) => self.claim(worker)?,
            }
        }
        self.after_the_end()
    }

    fn possible(&self) -> Vec<Thing> {
        let mut possible: Vec<(Timestamp, Thing)> = Vec::new();
        for (id, flight) in self.flights.iter().filter(|(_, flight)| flight.at <= self.now) {
            possible.push((flight.at, Thing::Flight(*id)));
        }
        possible.sort_by_key(|(at, _)| *at);
        let mut possible: Vec<Thing> = possible.into_iter().map(|(_, thing)| thing).collect();
        for (place, worker) in self.workers.iter().enumerate() {
            if worker.drive.as_ref().is_some_and(|drive| drive.has_work(&self.journal, self.now)) {
                possible.push(Thing::Turn(place));
            }
        }
        for (effect, poll) in &self.journal.polls {
            if poll.ready_at <= self.now {
                possible.push(Thing::Poll(*effect));
            }
        }
        let idle = self.workers.iter().position(|worker| worker.drive.is_none());
        if let Some(idle) = idle.filter(|_| self.is_claimable()) {
            possible.push(Thing::Claim(idle));
        }
        possible
    }

    /// Whether the job is due and no living owner has it.
    fn is_claimable(&self) -> bool {
        self.journal.due_at.is_some_and(|due| due <= self.now) && !self.owner_lives()
    }

    fn owner_lives(&self) -> bool {
        self.journal.owner.is_some_and(|(place, process)| {
            let worker = &self.workers[place];
            let held = worker.drive.as_ref().is_some_and(|drive| drive.version == self.journal.version);
            worker.process == process && held
        })
    }

    /// Moves to the next moment at which something can happen.
    fn pass_time(&mut self) -> Result<(), Violation> {
        let flights = self.flights.values().map(|flight| flight.at);
        let polls = self.journal.polls.values().map(|poll| poll.ready_at);
        let drives = self.workers.iter().filter_map(|worker| worker.drive.as_ref()?.wake_at());
        let due = self.journal.due_at.filter(|_| !self.owner_lives());
        let next = flights.chain(polls).chain(drives).chain(due).filter(|at| *at > self.now).min();
        match next {
            Some(next) => {
                self.now = next;
                Ok(())
            }
            None => Err(Violation::new("a job ends", "nothing happens any more, and nothing is due")),
        }
    }

    pub(crate) fn claim(&mut self, place: usize) -> Result<(), Violation> {
        let worker = &mut self.workers[place];
        let version = self.journal.claim((place, worker.process), self.now.plus_ms(LEASE_MS));
        let whole = self.decisions.happens(Point::Whole);
        worker.begin(version, &self.journal, &self.program, whole);
        self.history.tell(self.now, || format!("worker {place} claims the job (version {version})"));
        self.watch.claimed(&self.journal, &self.program)
    }

    /// Some process takes a due poll and asks the provider.
    fn poll(&mut self, effect: u64) {
        let now = self.now;
        let Some(poll) = self.journal.polls.get_mut(&effect) else { return };
        poll.ready_at = now.plus_ms(POLL_LEASE_MS);
        let poll = poll.clone();
        let work = match &poll.subject {
            PollSubject::Work(work) => work,
            PollSubject::Attempt { call, search, looks } => return self.look(effect, call, *search, *looks),
        };
        match self.provider.poll(work, now, poll.deadline) {
            Polled::Later(wait_ms) => {
                self.history.tell(now, || format!("{} is still at work", work));
                if let Some(poll) = self.journal.polls.get_mut(&effect) {
                    poll.ready_at = now.plus_ms(wait_ms).min(poll.deadline.max(now.plus_ms(1)));
                }
            }
            Polled::Ended(_) if self.decisions.happens(Point::PollLost) => {
                self.history.tell(now, || format!("{} is over, but its poller dies with the answer", work));
            }
            Polled::Ended(answer) => {
                self.history.tell(now, || format!("{} is over: {answer:?}", work));
                self.journal.polls.remove(&effect);
                self.post(&format!("answer-{effect}"), effect, answer);
            }
        }
    }

    /// Some process looks for an attempt of unknown fate in the provider's list.
    fn look(&mut self, effect: u64, call: &Call, search: Recovery, looks: u32) {
        let now = self.now;
        let is_out = self.decisions.happens(Point::ListOut);
        match self.provider.find(call, search, now, is_out) {
            None => {
                self.history.tell(now, || format!("the fate of #{effect} is not known yet (list out: {is_out})"));
                let next = if now < search.settles_at { search.settles_at } else { search.gives_up_at };
                let pause = now.plus_ms(500 << looks.min(6)).min(next).max(now.plus_ms(1));
                if let Some(poll) = self.journal.polls.get_mut(&effect) {
                    poll.ready_at = pause;
                    poll.subject = PollSubject::Attempt { call: Box::new(call.clone()), search, looks: looks + 1 };
                }
            }
            Some(_) if self.decisions.happens(Point::PollLost) => {
                self.history.tell(now, || format!("#{effect} is settled, but its poller dies with the answer"));
            }
            Some(answer) => {
                self.history.tell(now, || format!("#{effect} is settled: {answer:?}"));
                self.journal.polls.remove(&effect);
                let key = match &answer {
                    Answer::Failed { .. } => format!("unknown-{effect}-{}", search.event),
                    answer => key_of(effect, answer),
                };
                self.post(&key, effect, answer);
            }
        }
    }

    fn after_the_end(&mut self) -> Result<Outcome, Violation> {
        let run = self.journal.restore(&self.program, true);
        self.watch.ended(&self.journal, &run, &self.provider, self.now)?;
        let observed = self.watch.observed(&self.journal.values);
        let mut calls = self.watch.calls(&self.journal.values);
        calls.retain(|key, _| !observed.is_lost(&key.place));
        let state = &self.journal.state;
        let end = JobEnd {
            status: state.status,
            output: state.output.as_ref().map(|output| self.journal.values.resolve(output)).unwrap_or_default(),
            error: state.error.clone(),
            skipped: run.was_skipped(),
            calls,
        };
        Ok(Outcome { end, is_cancelled: self.cancelled, observed })
    }
}
