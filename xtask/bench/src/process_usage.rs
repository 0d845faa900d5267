//! What processes and threads have used, from Linux' `/proc`.

use std::fs;
use std::time::Duration;

use crate::Result;

/// Clock ticks per second in `/proc/<pid>/stat`; the same on every architecture that Linux runs on today.
const TICKS_PER_S: u64 = 100;

/// What a process and its descendants have used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ProcessUsage {
    /// CPU time, in steps of 10 ms.
    pub(crate) cpu: Duration,
    /// Voluntary and involuntary context switches of the threads that are alive.
    pub(crate) context_switches: u64,
}

impl ProcessUsage {
    /// Reads the usage of a process and of its descendants, such as the processes that evaluate expressions.
    pub(crate) fn read(process_id: u32) -> Result<Self> {
        let stats = read_all_stats();
        if !stats.iter().any(|stat| stat.id == process_id) {
            return Err(format!("process {process_id} has ended"));
        }
        let mut family = vec![process_id];
        let mut usage = Self::default();
        while let Some(id) = family.pop() {
            family.extend(stats.iter().filter(|stat| stat.parent_id == id).map(|stat| stat.id));
            let ticks = stats.iter().find(|stat| stat.id == id).map_or(0, |stat| stat.ticks);
            usage.cpu += Duration::from_millis(ticks * 1000 / TICKS_PER_S);
            usage.context_switches += count_context_switches(id);
        }
        Ok(usage)
    }

    /// What was used since an earlier reading.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            context_switches: self.context_switches.saturating_sub(earlier.context_switches),
        }
    }
}

/// Returns a field of `/proc/<pid>/status` in MiB: `VmRSS`, the memory now, or `VmHWM`, the most so far.
pub(crate) fn read_memory_mib(process_id: u32, field: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process_id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib: Option<f64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| format!("`/proc/{process_id}/status` has no {field}"))
}

/// CPU time of this process' threads whose names begin with `prefix`.
pub(crate) fn read_thread_cpu(prefix: &str) -> Duration {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let usage = fs::read_to_string(task.path().join("schedstat")).ok()?;
        if name.starts_with(prefix) { usage.split_whitespace().next()?.parse::<u64>().ok() } else { None }
    });
    Duration::from_nanos(nanos.sum())
}

/// A line of `/proc/<pid>/stat`.
struct ProcessStat {
    id: u32,
    parent_id: u32,
    ticks: u64,
}

impl ProcessStat {
    fn parse(line: &str) -> Option<Self> {
        let id = line.split_whitespace().next()?.parse().ok()?;
        // The name, in parentheses, may contain blanks.
        let fields: Vec<&str> = line.rsplit_once(") ")?.1.split_whitespace().collect();
        let ticks = fields.get(11..13)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
        Some(Self { id, parent_id: fields.get(1)?.parse().ok()?, ticks })
    }
}

fn read_all_stats() -> Vec<ProcessStat> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    lines.filter_map(|line| ProcessStat::parse(&line)).collect()
}

fn count_context_switches(process_id: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{process_id}/task")).into_iter().flatten().flatten();
    let counts = tasks.filter_map(|task| {
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let lines = status.lines().filter(|line| line.contains("ctxt_switches:"));
        Some(lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum::<u64>())
    });
    counts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat_is_read_even_if_the_name_has_blanks() {
        let line = "42 (a (b) c) S 7 42 42 0 -1 4194560 900 0 0 0 120 35 9 9 20 0 5 0 100 1000 200";
        let stat = ProcessStat::parse(line).expect("a whole line");
        assert_eq!((stat.id, stat.parent_id, stat.ticks), (42, 7, 155));
    }

    #[test]
    fn this_process_has_used_something() {
        let id = std::process::id();
        assert!(ProcessUsage::read(id).expect("it lives").context_switches > 0);
        assert!(read_memory_mib(id, "VmRSS").expect("it has memory") > 0.1);
    }
}
