//! Work that a provider has accepted. Its state is a function of the time since its creation.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::media::Media;
use crate::switches::{Outcome, Switches};

/// Accepted work, with everything that determines its states.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: String,
    /// The model, endpoint or voice that was called.
    pub(crate) model: String,
    /// The client's input.
    pub(crate) input: Value,
    /// Time from the start of the stand-in to the creation.
    pub(crate) created: Duration,
    /// Time from the start of the stand-in to the cancel call.
    pub(crate) cancelled: Option<Duration>,
    /// The switches at creation.
    pub(crate) switches: Switches,
    /// What it makes if it succeeds.
    pub(crate) outputs: Vec<Arc<Media>>,
    /// Number of polls so far.
    pub(crate) polls: u32,
}

/// The state of work at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Phase {
    /// Not ended; how much of its time has passed, from 0 to 1.
    Running(f32),
    /// Ended by itself.
    Ended(Outcome),
    /// Cancelled by the client.
    Cancelled,
}

impl Task {
    /// Returns the time from the start of the stand-in to the end of the work.
    pub(crate) fn end(&self) -> Duration {
        let own = self.created + Duration::from_millis(self.switches.delay_ms);
        self.cancelled.map_or(own, |at| at.min(own))
    }

    /// Returns the state at a time since the start of the stand-in.
    pub(crate) fn phase(&self, now: Duration) -> Phase {
        let end = self.end();
        if now < end {
            let whole = end.saturating_sub(self.created).as_secs_f32();
            return Phase::Running(now.saturating_sub(self.created).as_secs_f32() / whole);
        }
        match self.cancelled {
            Some(at) if at == end => Phase::Cancelled,
            Some(_) | None => Phase::Ended(self.switches.outcome),
        }
    }

    /// Returns the word for the state while the work runs: `own` words or those of the switches, each for an equal part of
    /// the time.
    pub(crate) fn running_word<'a>(&'a self, share: f32, own: &[&'a str]) -> &'a str {
        let words: Vec<&str> = self.switches.states.iter().map(String::as_str).collect();
        let words = if words.is_empty() { own } else { &words };
        words.get((share * words.len() as f32) as usize).or(words.last()).copied().unwrap_or_default()
    }

    /// Returns what the control route shows.
    pub(crate) fn to_json(&self, now: Duration) -> Value {
        let state = match self.phase(now) {
            Phase::Running(_) => "running",
            Phase::Ended(Outcome::Succeeded) => "succeeded",
            Phase::Ended(Outcome::Failed) => "failed",
            Phase::Ended(Outcome::Moderated) => "moderated",
            Phase::Cancelled => "cancelled",
        };
        json!({"id": self.id, "model": self.model, "input": self.input, "state": state, "polls": self.polls, "outputs": self.outputs.len()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_passes_its_states_and_a_cancelled_one_stays_cancelled() {
        let ms = Duration::from_millis;
        let mut task = Task {
            id: "t".into(),
            model: "m".into(),
            input: Value::Null,
            created: ms(100),
            cancelled: None,
            switches: Switches { delay_ms: 1000, outcome: Outcome::Failed, ..Switches::default() },
            outputs: Vec::new(),
            polls: 0,
        };
        assert_eq!(task.phase(ms(600)), Phase::Running(0.5));
        assert_eq!(task.running_word(0.5, &["queued", "running"]), "running");
        assert_eq!(task.phase(ms(1100)), Phase::Ended(Outcome::Failed));
        task.cancelled = Some(ms(2000));
        assert_eq!(task.phase(ms(3000)), Phase::Ended(Outcome::Failed));
        task.cancelled = Some(ms(500));
        assert!(matches!(task.phase(ms(499)), Phase::Running(_)));
        assert_eq!(task.phase(ms(500)), Phase::Cancelled);
    }
}
