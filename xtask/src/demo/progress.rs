//! What changes while a job runs, as lines.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use super::text;
use crate::say::say;

/// Shows each step when it changes.
pub(crate) struct Progress {
    start: Instant,
    shown: BTreeMap<u64, String>,
}

impl Progress {
    /// Nothing is shown yet.
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), shown: BTreeMap::new() }
    }

    /// Shows the steps of a job that look other than before.
    pub(crate) fn show(&mut self, job: &Value) {
        for line in self.changes(job) {
            say(format!("[{:5.1} s] {line}", self.start.elapsed().as_secs_f64()));
        }
    }

    fn changes(&mut self, job: &Value) -> Vec<String> {
        let steps = job["steps"].as_array().into_iter().flatten();
        let lines = steps.map(|step| (step["ordinal"].as_u64().unwrap_or_default(), line(step)));
        lines
            .filter(|(ordinal, line)| self.shown.insert(*ordinal, line.clone()).as_ref() != Some(line))
            .map(|(_, line)| line)
            .collect()
    }
}

fn line(step: &Value) -> String {
    let attempt = step["attempt"].as_u64().filter(|attempt| *attempt > 1);
    let parts = [
        Some(format!("{:<16} {:<9}", text(&step["id"]), text(&step["status"]))),
        step["progress"].as_f64().map(bar),
        attempt.map(|attempt| format!("attempt {attempt}")),
        step["provider_id"].as_str().map(|id| format!("(provider's id {id})")),
        step["error"]["message"].as_str().map(str::to_owned),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ").trim_end().to_owned()
}

/// A bar of ten characters and the percentage; progress is from 0 to 1.
fn bar(progress: f64) -> String {
    let full = (progress.clamp(0.0, 1.0) * 10.0).round() as usize;
    format!("[{}{}] {:3.0} %", "#".repeat(full), "-".repeat(10 - full), progress * 100.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_changes_are_shown() {
        let mut progress = Progress::start();
        let running = json!({"steps": [{"ordinal": 2, "id": "hat", "status": "running", "progress": 0.45}]});
        assert_eq!(progress.changes(&running), ["hat              running   [#####-----]  45 %"]);
        assert_eq!(progress.changes(&running), Vec::<String>::new());
        let retried = json!({"steps": [
            {"ordinal": 2, "id": "hat", "status": "running", "attempt": 2, "error": {"message": "overloaded"}},
            {"ordinal": 5, "id": "cartoon", "status": "completed", "provider_id": "abc"},
        ]});
        let expected =
            ["hat              running   attempt 2 overloaded", "cartoon          completed (provider's id abc)"];
        assert_eq!(progress.changes(&retried), expected);
    }
}
