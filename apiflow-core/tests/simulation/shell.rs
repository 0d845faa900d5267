//! A worker: the driver's rules, one turn at a time, with every way in which a turn can go wrong.

mod drive;

use std::sync::Arc;

use apiflow_core::engine::{Answer, Call, Effect, Fact, Input, Program, Recorded};

use super::decisions::Point;
use super::evaluation;
use super::history::Violation;
use super::journal::Journal;
use super::world::{Load, World, key_of};
pub(crate) use drive::Drive;
use drive::{Batch, Taken};

/// A place where worker processes run, one after the other.
#[derive(Default)]
pub(crate) struct Worker {
    /// Which process is here.
    pub(crate) process: u32,
    pub(crate) drive: Option<Drive>,
    drives: u64,
}

/// What is to be done about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Submit,
    Download,
    Cancel,
}

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fortune {
    Good,
    /// The process dies before it.
    DeadBefore,
    /// It is applied, and the process dies before it learns so.
    DeadAfter,
    /// The store fails.
    FailedBefore,
    /// The store applies it and then fails to say so.
    FailedAfter,
}

impl Fortune {
    const ALL: [Self; 5] = [Self::Good, Self::DeadBefore, Self::DeadAfter, Self::FailedBefore, Self::FailedAfter];
}

impl Worker {
    /// Takes the job on.
    pub(crate) fn begin(&mut self, version: u64, journal: &Journal, program: &Arc<Program>, whole: bool) {
        self.drives += 1;
        self.drive = Some(Drive::new(self.drives, version, journal, program, whole));
    }
}

impl World {
    /// A worker takes in what has happened, commits what follows, and performs it.
    pub(crate) fn turn(&mut self, place: usize) -> Result<(), Violation> {
        let Some(mut drive) = self.workers[place].drive.take() else { return Ok(()) };
        let is_first = !std::mem::replace(&mut drive.has_begun, true);
        drive.take_mail(&self.journal);
        if is_first {
            drive.seek_interrupted(self.now);
        }
        let taken: Vec<Taken> = std::mem::take(&mut drive.facts).into();
        let mut batch = Batch::default();
        let is_asked = |taken: &&Taken| matches!(taken.fact, Fact::Cancel { .. });
        let (asked, answered): (Vec<&Taken>, Vec<&Taken>) = taken.iter().partition(is_asked);
        for taken in asked.into_iter().chain(answered) {
            batch.consumed.extend(taken.message);
            let before = batch.events.len();
            self.record(place, &mut drive, &mut batch, Input::Fact(taken.fact.clone()))?;
            // Who has lost the job may not know yet what has its outcome; nothing will come of it.
            if taken.inert && drive.version == self.journal.version {
                self.watch.inert(&batch.events[before..], &taken.fact)?;
            }
        }
        self.record(place, &mut drive, &mut batch, Input::Tick)?;
        while let Some(effect) = drive.run.next_free_effect() {
            let fresh = drive.values.kept(&batch.events);
            let cached = |key: &str| {
                let fresh = fresh.iter().rev().find(|(known, _)| known.key == key).map(|(_, value)| value.clone());
                fresh.or_else(|| self.journal.cached(key, self.now))
            };
            let input = evaluation::perform(&effect, &drive.run, &drive.values, &cached);
            self.record(place, &mut drive, &mut batch, input)?;
        }
        self.watch.decided(&mut drive.run, &batch.events)?;
        self.conclude(place, drive, batch, taken)
    }

    fn record(&mut self, place: usize, drive: &mut Drive, batch: &mut Batch, input: Input) -> Result<(), Violation> {
        let expected = self.watch.foreseen(&drive.run, self.now, &input)?;
        let told = self.history.is_kept().then(|| input.clone());
        let events = drive.run.decide_and_apply(self.now, input);
        self.watch.decides_as_foreseen(expected, &events)?;
        if let Some(input) = told.filter(|_| !events.is_empty()) {
            self.history.tell(self.now, || format!("worker {place} takes in {}", told_input(&input)));
            for recorded in &events {
                self.history.tell(self.now, || format!("    #{} {}", recorded.seq, told_event(recorded)));
            }
        }
        drive.values.record(&events);
        batch.events.extend(events);
        Ok(())
    }

    /// Commits a turn, as well as fortune has it.
    fn conclude(&mut self, place: usize, mut drive: Drive, batch: Batch, taken: Vec<Taken>) -> Result<(), Violation> {
        let sends = drive.journal(&batch.events);
        let over = drive.run.status().is_final();
        let waits = !sends && drive.out.is_empty() && !drive.owes_call();
        let release = (over || waits).then(|| if over { None } else { drive.wake_at() });
        if batch.events.is_empty() && batch.consumed.is_empty() && release.is_none() {
            self.perform(place, &mut drive);
            self.workers[place].drive = Some(drive);
            return Ok(());
        }
        let fortune = Fortune::ALL[self.decisions.way(Point::Commit, Fortune::ALL.len())];
        if fortune != Fortune::Good {
            self.history.tell(self.now, || format!("worker {place} commits with bad fortune: {fortune:?}"));
        }
        let commit = drive.commit(&batch, release);
        match fortune {
            Fortune::DeadBefore => {
                self.crash(place);
                return Ok(());
            }
            Fortune::FailedBefore => {
                self.abandon(taken);
                return Ok(());
            }
            Fortune::Good | Fortune::DeadAfter | Fortune::FailedAfter => {}
        }
        let Some(version) = self.journal.commit(commit, self.now) else {
            self.history.tell(self.now, || format!("worker {place} is refused: the job is another's"));
            self.abandon(taken);
            return Ok(());
        };
        drive.version = version;
        self.watch.committed(&batch.events, &drive.run, &self.journal)?;
        self.people_see(&batch.events);
        match fortune {
            Fortune::DeadAfter => self.crash(place),
            Fortune::FailedAfter => self.abandon(taken),
            Fortune::Good | Fortune::DeadBefore | Fortune::FailedBefore => {
                if release.is_none() {
                    self.perform(place, &mut drive);
                    self.workers[place].drive = Some(drive);
                }
            }
        }
        Ok(())
    }

    /// A drive ends without its job: what had come back, and no commit took in, is left for whoever has the job.
    fn abandon(&mut self, taken: Vec<Taken>) {
        for taken in taken {
            if let Taken { fact: Fact::Answered { effect, answer }, message: None, .. } = taken {
                let key = key_of(effect, &answer);
                self.post(&key, effect, answer);
            }
        }
    }

    /// Sends what the last commit journalled, and settles what an earlier owner left open.
    fn perform(&mut self, place: usize, drive: &mut Drive) {
        for effect in drive.run.pending_effects() {
            match effect {
                Effect::Call(call) if drive.journalled.contains(&call.effect) => {
                    self.begin(place, drive, call, Task::Submit);
                }
                Effect::Download(call) if !drive.out.contains(&call.effect) => {
                    self.begin(place, drive, call, Task::Download);
                }
                Effect::Cancel(call) if drive.is_over_at_once(&call) => {
                    self.hang_up(place, drive.number, call.effect);
                    drive.returned(call.effect, Answer::Cancelled);
                }
                Effect::Cancel(call) if call.operation.is_some() && !drive.out.contains(&call.effect) => {
                    self.begin(place, drive, call, Task::Cancel);
                }
                Effect::Call(_)
                | Effect::Cancel(_)
                | Effect::Poll(_)
                | Effect::Recover(_)
                | Effect::Download(_)
                | Effect::Wait { .. }
                | Effect::Prepare(_)
                | Effect::Conclude(_) => {}
            }
        }
        drive.journalled.clear();
    }

    fn begin(&mut self, place: usize, drive: &mut Drive, call: Call, task: Task) {
        let subject = match task {
            Task::Cancel => call.operation.as_ref(),
            Task::Download => call.download.as_ref(),
            Task::Submit => None,
        };
        let subject = subject.unwrap_or(&call.args);
        let subject = drive.values.resolve(subject);
        let owner = (place, self.workers[place].process);
        drive.out.insert(call.effect);
        self.history.tell(self.now, || format!("worker {place} sends {task:?} of #{}", call.effect));
        self.send(0, Load::Request { owner, drive: drive.number, task, call, subject });
    }

    /// Does not wait for a reply any longer; what was sent may still arrive.
    fn hang_up(&mut self, place: usize, number: u64, awaited: u64) {
        let process = self.workers[place].process;
        self.flights.retain(|_, flight| match &flight.load {
            Load::Reply { owner, drive, effect, .. } => {
                (*owner, *drive, *effect) != ((place, process), number, awaited)
            }
            Load::Request { .. } | Load::Message { .. } => true,
        });
    }
}

fn told_input(input: &Input) -> String {
    match input {
        Input::Tick => "the time".to_owned(),
        Input::Prepared { frame, prepared, bound_ms: _ } => format!("what frame {frame} needs: {prepared:?}"),
        Input::Concluded { frame, concluded } => format!("what follows in frame {frame}: {concluded:?}"),
        Input::Fact(fact) => format!("{fact:?}"),
        Input::Cost { effect, cost } => format!("that #{effect} cost {cost:?}"),
        Input::OverLimit { message } => format!("that it is over a limit: {message}"),
        Input::Abandon { error } => format!("that it is abandoned: {error}"),
    }
}

fn told_event(recorded: &Recorded) -> String {
    let event = serde_json::to_string(&recorded.event).expect("an event is plain data");
    match &recorded.value {
        Some(value) => format!("{event} = {value}"),
        None => event,
    }
}
