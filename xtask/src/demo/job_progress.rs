//! Prints the changes of a running job.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use super::str_or_empty;
use crate::output::print_line;

/// Prints each step when it changes.
pub(super) struct JobProgress {
    start: Instant,
    printed: BTreeMap<u64, String>,
}

impl JobProgress {
    /// Starts the clock.
    pub(super) fn start() -> Self {
        Self { start: Instant::now(), printed: BTreeMap::new() }
    }

    /// Prints the steps of a job that have changed since the last call.
    pub(super) fn print_changes(&mut self, job: &Value) {
        for line in self.take_changes(job) {
            print_line(format!("[{:5.1} s] {line}", self.start.elapsed().as_secs_f64()));
        }
    }

    fn take_changes(&mut self, job: &Value) -> Vec<String> {
        let steps = job["steps"].as_array().into_iter().flatten();
        let lines = steps.map(|step| (step["ordinal"].as_u64().unwrap_or_default(), format_step(step)));
        lines
            .filter(|(ordinal, line)| self.printed.insert(*ordinal, line.clone()).as_ref() != Some(line))
            .map(|(_, line)| line)
            .collect()
    }
}

fn format_step(step: &Value) -> String {
    let attempt = step["attempt"].as_u64().filter(|attempt| *attempt > 1);
    let parts = [
        Some(format!("{:<16} {:<9}", str_or_empty(&step["id"]), str_or_empty(&step["status"]))),
        step["progress"].as_f64().map(format_bar),
        attempt.map(|attempt| format!("attempt {attempt}")),
        step["provider_id"].as_str().map(|id| format!("(provider's id {id})")),
        step["error"]["message"].as_str().map(str::to_owned),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ").trim_end().to_owned()
}

/// Returns a bar of ten characters and the percentage; progress is from 0 to 1.
fn format_bar(progress: f64) -> String {
    let full = (progress.clamp(0.0, 1.0) * 10.0).round() as usize;
    format!("[{}{}] {:3.0} %", "#".repeat(full), "-".repeat(10 - full), progress * 100.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_changes_are_shown() {
        let mut progress = JobProgress::start();
        let running = json!({"steps": [{"ordinal": 2, "id": "hat", "status": "running", "progress": 0.45}]});
        assert_eq!(progress.take_changes(&running), ["hat              running   [#####-----]  45 %"]);
        assert_eq!(progress.take_changes(&running), Vec::<String>::new());
        let retried = json!({"steps": [
            {"ordinal": 2, "id": "hat", "status": "running", "attempt": 2, "error": {"message": "overloaded"}},
            {"ordinal": 5, "id": "cartoon", "status": "completed", "provider_id": "abc"},
        ]});
        let expected =
            ["hat              running   attempt 2 overloaded", "cartoon          completed (provider's id abc)"];
        assert_eq!(progress.take_changes(&retried), expected);
    }
}
