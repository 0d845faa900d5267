//! What is on its way: submits, recoveries, cancellations, their replies, and messages.

use apiflow_core::engine::{Answer, Call, Fact};
use apiflow_core::ports::Timestamp;
use serde_json::Value;

use super::super::decisions::Point;
use super::super::fate::error;
use super::super::history::Violation;
use super::super::journal::Owner;
use super::super::provider::{Provider, Reply};
use super::super::shell::Task;
use super::World;

/// Something on its way.
#[derive(Clone)]
pub(crate) struct Flight {
    /// When it arrives.
    pub(crate) at: Timestamp,
    pub(crate) load: Load,
}

/// What is on its way.
#[derive(Clone)]
pub(crate) enum Load {
    /// A request to a provider.
    Request { owner: Owner, drive: u64, task: Task, call: Call, subject: Value },
    /// What came of a request, on its way back.
    Reply { owner: Owner, drive: u64, effect: u64, answer: Answer },
    /// A message for the inbox.
    Message { key: String, fact: Fact, inert: bool },
}

impl World {
    pub(crate) fn send(&mut self, after_ms: u64, load: Load) {
        // The longest are as long as it takes until somebody else settles what is late.
        let late = [0, 1, 700, 15_000, 34_000, 36_000][self.decisions.way(Point::Delay, 6)];
        let at = self.now.plus_ms(after_ms + late);
        self.flights.insert(self.next_flight, Flight { at, load });
        self.next_flight += 1;
    }

    /// Puts an answer into the inbox: at once, late, or twice.
    pub(crate) fn post(&mut self, key: &str, effect: u64, answer: Answer) {
        let fact = Fact::Answered { effect, answer };
        if self.decisions.happens(Point::Duplicate) {
            let key = format!("{key}-again-{}", self.next_flight);
            self.send(500, Load::Message { key, fact: fact.clone(), inert: false });
        }
        self.send(0, Load::Message { key: key.to_owned(), fact, inert: false });
    }

    /// What is on its way arrives.
    pub(crate) fn fly(&mut self, id: u64) -> Result<(), Violation> {
        let Some(Flight { load, .. }) = self.flights.remove(&id) else { return Ok(()) };
        match load {
            Load::Request { owner, drive, task, call, subject } => self.arrive(owner, drive, task, &call, &subject),
            Load::Reply { owner, drive, effect, answer } => {
                self.came_back(owner, drive, effect, answer);
                Ok(())
            }
            Load::Message { key, fact, inert } => {
                self.history.tell(self.now, || format!("message {key}: {fact:?}"));
                self.journal.deliver(&key, &fact, inert, self.now);
                Ok(())
            }
        }
    }

    fn arrive(&mut self, owner: Owner, drive: u64, task: Task, call: &Call, subject: &Value) -> Result<(), Violation> {
        let effect = call.effect;
        let (answer, after_ms) = match task {
            // Where a module has a `timeout`, whether the call comes through depends on the time.
            Task::Submit if call.until.is_none() && self.decisions.happens(Point::Limited) => {
                self.watch.sent(effect)?;
                let mut error = error("rate_limited");
                error["retry_after_ms"] = [0, 700, 30_000][self.decisions.way(Point::Limited, 3)].into();
                (Answer::NotAccepted { error, patience_ms: 3_600_000, sent: true, waits_for_slot: false }, 50)
            }
            Task::Submit => {
                let key = self.watch.sent(effect)?;
                let (reply, after_ms) = self.provider.submit(call, &key, subject, self.now)?;
                let too_late = self.now.plus_ms(after_ms) > call.deadline;
                match reply {
                    Reply::Answer(answer) if !too_late && !self.decisions.happens(Point::Cut) => (answer, after_ms),
                    Reply::Silent => {
                        let waits_ms = call.deadline.since_ms(self.now);
                        (Provider::lost(call, self.now.plus_ms(waits_ms), None), waits_ms)
                    }
                    Reply::Answer(_) | Reply::Lost => {
                        (Provider::lost(call, self.now.plus_ms(after_ms), None), after_ms)
                    }
                }
            }
            // However often it is asked for.
            Task::Download => (Answer::Done { result: subject["downloads"]["result"].clone() }, 300),
            Task::Cancel => {
                self.provider.cancel(subject["id"].as_str().expect("an operation has an id"));
                (Answer::Cancelled, 100)
            }
        };
        self.history.tell(self.now, || format!("{task:?} of #{effect} arrives and comes to {answer:?}"));
        self.send(after_ms, Load::Reply { owner, drive, effect, answer });
        Ok(())
    }

    /// A reply comes back: to the drive that asked, to the inbox where that drive has lost the job, or to nobody.
    fn came_back(&mut self, (place, process): Owner, drive: u64, effect: u64, answer: Answer) {
        let worker = &mut self.workers[place];
        if worker.process != process {
            return;
        }
        match worker.drive.as_mut().filter(|current| current.number == drive) {
            Some(drive) => drive.returned(effect, answer),
            None => {
                let key = key_of(effect, &answer);
                // The store may be away for a while: as long as it takes until the new owner settles the attempt.
                let late = [0, 0, 20_000, 34_000, 35_500, 36_500][self.decisions.way(Point::Late, 6)];
                let at = self.now.plus_ms(late);
                let fact = Fact::Answered { effect, answer };
                let load = Load::Message { key, fact, inert: false };
                self.flights.insert(self.next_flight, Flight { at, load });
                self.next_flight += 1;
            }
        }
    }
}

/// The name that keeps an answer from being taken in twice.
pub(crate) fn key_of(effect: u64, answer: &Answer) -> String {
    match answer {
        Answer::Accepted { .. } => format!("accepted-{effect}"),
        Answer::Downloading { .. } => format!("download-{effect}"),
        Answer::Cancelled => format!("cancelled-{effect}"),
        Answer::Undecided { .. } => format!("undecided-{effect}"),
        Answer::Repeat => format!("unknown-{effect}"),
        Answer::Failed { error } if error["name"] == "submit_unknown" => format!("unknown-{effect}"),
        Answer::Done { .. } | Answer::Failed { .. } | Answer::NotAccepted { .. } => format!("answer-{effect}"),
    }
}
