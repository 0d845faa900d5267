//! The gates that a journal tells of, and the approvals that they took.

use std::collections::{BTreeMap, BTreeSet};

use apiflow_core::engine::{Target, ValueRef};
use serde_json::Value;

use crate::fate::Place;
use crate::history::{Violation, ensure};
use crate::reference::{GateEnd, Resume};
use crate::values::Values;

const RULE: &str = "a gate takes what it wants, each approval once and in the order of arrival";

#[derive(Default)]
pub(crate) struct Gates {
    received: BTreeMap<u64, Received>,
    taken: BTreeSet<u64>,
    closed: BTreeMap<u64, Closed>,
    ends: BTreeMap<(Place, String), End>,
}

struct Received {
    target: Target,
    approver: Option<String>,
    disapproves: bool,
}

struct Closed {
    step: (Place, String),
    ordinal: u64,
    required: u32,
}

impl Closed {
    fn fits(&self, target: &Target) -> bool {
        match target {
            Target::Any => true,
            Target::Step(id) => *id == self.step.1,
            Target::Ordinal(ordinal) => *ordinal == self.ordinal,
        }
    }
}

enum End {
    /// With what it took, and the event that says that it passed although it should not have.
    Passed {
        taken: Vec<(u64, Option<String>)>,
        faulty: Option<u64>,
    },
    Failed(Value),
}

/// What a gate took.
#[derive(Default)]
struct Answers {
    approvals: Vec<(u64, Option<String>)>,
    is_refused: bool,
}

impl Gates {
    pub(super) fn received(&mut self, seq: u64, target: &Target, approver: Option<&str>, disapproves: bool) {
        let approver = approver.map(str::to_owned);
        self.received.insert(seq, Received { target: target.clone(), approver, disapproves });
    }

    pub(super) fn closed(
        &mut self,
        frame: u64,
        step: (Place, String),
        ordinal: u64,
        required: u32,
    ) -> Result<(), Violation> {
        let before = self.closed.insert(frame, Closed { step, ordinal, required });
        ensure(before.is_none(), RULE, || format!("two gates are closed in frame {frame}"))
    }

    /// A gate is given up with its list.
    pub(super) fn give_up(&mut self, frame: u64) {
        self.closed.remove(&frame);
    }

    fn open(&mut self, frame: u64) -> Result<Closed, Violation> {
        self.closed.remove(&frame).ok_or_else(|| Violation::new(RULE, format!("no gate is closed in frame {frame}")))
    }

    pub(super) fn passed(&mut self, frame: u64, taken: &[u64], faulty: Option<u64>) -> Result<(), Violation> {
        let gate = self.open(frame)?;
        let Answers { approvals, is_refused } = self.take(&gate, taken)?;
        let has_enough = approvals.len() == gate.required as usize && !is_refused;
        ensure(has_enough || faulty.is_some(), RULE, || format!("{taken:?} are not {} approvals", gate.required))?;
        self.ends.insert(gate.step, End::Passed { taken: approvals, faulty });
        Ok(())
    }

    pub(super) fn failed(&mut self, frame: u64, taken: &[u64], error: &Value, is_late: bool) -> Result<(), Violation> {
        let gate = self.open(frame)?;
        let Answers { approvals, is_refused } = self.take(&gate, taken)?;
        let has_reason = is_refused || is_late && approvals.len() < gate.required as usize;
        ensure(has_reason, RULE, || format!("the gate after `{}` fails without reason: {error}", gate.step.1))?;
        self.ends.insert(gate.step, End::Failed(error.clone()));
        Ok(())
    }

    /// A gate takes some answers.
    fn take(&mut self, gate: &Closed, taken: &[u64]) -> Result<Answers, Violation> {
        ensure(taken.is_sorted(), RULE, || format!("{taken:?} are not in order"))?;
        let mut answers = Answers::default();
        for seq in taken {
            let is_first = self.taken.insert(*seq);
            let Some(received) = self.received.get(seq).filter(|_| is_first) else {
                return Err(Violation::new(RULE, format!("#{seq} is no approval, or was taken before")));
            };
            ensure(gate.fits(&received.target), RULE, || format!("#{seq} is for another gate"))?;
            answers.is_refused |= received.disapproves;
            if !received.disapproves {
                answers.approvals.push((*seq, received.approver.clone()));
            }
        }
        Ok(answers)
    }

    /// Approvals that no gate has taken yet.
    pub(crate) fn waiting(&self) -> usize {
        self.received.len() - self.taken.len()
    }

    /// How each gate ended.
    pub(super) fn ends(&self, values: &Values) -> BTreeMap<(Place, String), GateEnd> {
        let resume =
            |seq: u64, approver: Option<String>| Resume { payload: values.resolve(&ValueRef::Row(seq)), approver };
        let end = |end: &End| match end {
            End::Passed { taken, faulty } => {
                let answers = taken.iter().map(|(seq, approver)| resume(*seq, approver.clone()));
                GateEnd::Passed(answers.chain(faulty.map(|seq| resume(seq, None))).collect())
            }
            End::Failed(error) => GateEnd::Failed(error.clone()),
        };
        self.ends.iter().map(|(step, ended)| (step.clone(), end(ended))).collect()
    }
}
