//! The gates that a journal tells of, and the approvals that they took.

use std::collections::{BTreeMap, BTreeSet};

use apiflow_core::engine::GateSelector;
use apiflow_core::ports::ValueRef;
use serde_json::Value;

use crate::fate::Place;
use crate::history::{Violation, ensure};
use crate::reference::{GateEnd, Resume};
use crate::values::Values;

const RULE: &str = "a gate takes what it wants, of each approver one answer, in the order of arrival and however early";

#[derive(Default)]
pub(crate) struct Gates {
    received: BTreeMap<u64, Received>,
    taken: BTreeSet<u64>,
    closed: BTreeMap<u64, Closed>,
    ends: BTreeMap<(Place, String), End>,
}

struct Received {
    target: GateSelector,
    approver: Option<String>,
    counts_for: Option<String>,
    disapproves: bool,
}

struct Closed {
    step: (Place, String),
    ordinal: u64,
    required: u32,
}

impl Closed {
    fn fits(&self, target: &GateSelector) -> bool {
        match target {
            GateSelector::Any => true,
            GateSelector::Step(id) => *id == self.step.1,
            GateSelector::Ordinal(ordinal) => *ordinal == self.ordinal,
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

/// What the answers that have come so far mean for a gate, by the events that brought them.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// More are wanted.
    Waits(Vec<u64>),
    /// It has what it wants.
    Passes(Vec<u64>),
    /// Somebody disapproved.
    Refused(Vec<u64>),
}

impl Verdict {
    fn taken(&self) -> &[u64] {
        match self {
            Self::Waits(taken) | Self::Passes(taken) | Self::Refused(taken) => taken,
        }
    }
}

impl Gates {
    pub(super) fn received(
        &mut self,
        seq: u64,
        target: &GateSelector,
        (approver, counts_for): (Option<String>, Option<String>),
        disapproves: bool,
    ) {
        self.received.insert(seq, Received { target: target.clone(), approver, counts_for, disapproves });
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

    pub(super) fn passed(
        &mut self,
        frame: u64,
        taken: &[u64],
        faulty: Option<u64>,
        is_late: bool,
    ) -> Result<(), Violation> {
        let gate = self.open(frame)?;
        let verdict = self.take(&gate, taken)?;
        let has_reason = match verdict {
            Verdict::Passes(_) => faulty.is_none(),
            Verdict::Refused(_) => faulty.is_some(),
            Verdict::Waits(_) => faulty.is_some() && is_late,
        };
        ensure(has_reason, RULE, || format!("the gate after `{}` passes: {verdict:?}", gate.step.1))?;
        let approvals = taken.iter().filter_map(|seq| self.received.get(seq).map(|given| (*seq, given)));
        let approvals = approvals.filter(|(_, given)| !given.disapproves);
        let taken = approvals.map(|(seq, given)| (seq, given.approver.clone())).collect();
        self.ends.insert(gate.step, End::Passed { taken, faulty });
        Ok(())
    }

    pub(super) fn failed(&mut self, frame: u64, taken: &[u64], error: &Value, is_late: bool) -> Result<(), Violation> {
        let gate = self.open(frame)?;
        let verdict = self.take(&gate, taken)?;
        let has_reason = match verdict {
            Verdict::Passes(_) => false,
            Verdict::Refused(_) => true,
            Verdict::Waits(_) => is_late,
        };
        ensure(has_reason, RULE, || format!("the gate after `{}` fails ({verdict:?}): {error}", gate.step.1))?;
        let names_step = error["step_id"] == gate.step.1.as_str();
        ensure(names_step, "the error of a gate names its step", || error.to_string())?;
        self.ends.insert(gate.step, End::Failed(error.clone()));
        Ok(())
    }

    /// What is known of a gate: of each approver the first answer that is meant for it, until they are enough.
    fn verdict(&self, gate: &Closed) -> Verdict {
        let mut heard: Vec<&str> = Vec::new();
        let mut taken = Vec::new();
        for (seq, given) in &self.received {
            if self.taken.contains(seq) || !gate.fits(&given.target) {
                continue;
            }
            if let Some(who) = &given.counts_for {
                if heard.contains(&who.as_str()) {
                    continue;
                }
                heard.push(who);
            }
            taken.push(*seq);
            if given.disapproves {
                return Verdict::Refused(taken);
            }
            if taken.len() == gate.required as usize {
                return Verdict::Passes(taken);
            }
        }
        Verdict::Waits(taken)
    }

    /// A gate takes some answers: those that are known to count.
    fn take(&mut self, gate: &Closed, taken: &[u64]) -> Result<Verdict, Violation> {
        let verdict = self.verdict(gate);
        ensure(verdict.taken() == taken, RULE, || format!("{taken:?} instead of {verdict:?}"))?;
        self.taken.extend(taken);
        Ok(verdict)
    }

    /// No gate stays closed that has what it wants.
    pub(super) fn wait_for_more(&self) -> Result<(), Violation> {
        for gate in self.closed.values() {
            let verdict = self.verdict(gate);
            let waits = matches!(verdict, Verdict::Waits(_));
            ensure(waits, RULE, || format!("the gate after `{}` is closed: {verdict:?}", gate.step.1))?;
        }
        Ok(())
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
