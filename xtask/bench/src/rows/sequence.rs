//! Workflows of steps in sequence: one at a time, and many at the same time.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::{Bench, RowTable, Store};
use crate::Result;
use crate::bench_server::{BenchServer, ServerUsage};
use crate::floor::{MAX_GROUP_SIZE, SequentialFloor, run_concurrent_loops};
use crate::measurement::{Measurement, TargetBound};
use crate::statistics::{median, to_ms};

/// Runs before the measured ones, for caches and connections.
pub(super) const WARM_UP_COUNT: usize = 5;

/// The number of runs over which CPU time is measured at least: it is known in steps of 10 ms.
const MIN_CPU_RUN_COUNT: usize = 200;

/// Workflows that run at the same time.
const IN_FLIGHT_COUNT: usize = 64;

/// The number of times that each of them is run, one after the other.
const IN_FLIGHT_ROUND_COUNT: usize = 10;

/// Steps of each of them.
const IN_FLIGHT_STEP_COUNT: usize = 10;

/// Measures runs of a workflow of one or ten steps, one after the other.
pub(super) async fn measure_alone(
    bench: &Bench,
    store: Store,
    table: RowTable,
    step_count: usize,
) -> Result<Vec<Measurement>> {
    let workflow = if step_count == 1 { "one_step" } else { "ten_steps" };
    let max_ratio = if step_count == 1 { 3.0 } else { 1.6 };
    let max_cpu = if step_count == 1 { Some(TargetBound::AtMost(1.0)) } else { None };
    let floor = SequentialFloor::start(bench.floor_database(store)?, &bench.provider.url)?;
    let server = BenchServer::start(bench, store).await?;
    let (mut floor_times, mut server_times) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP_COUNT + bench.runs {
        let floor_usage = floor.run(step_count).await?;
        let start = Instant::now();
        server.run_sequence(workflow, step_count).await?;
        if round >= WARM_UP_COUNT {
            floor_times.push(floor_usage.elapsed);
            server_times.push(start.elapsed());
        }
    }
    let cpu_runs = bench.runs.max(MIN_CPU_RUN_COUNT);
    let mut floor_cpu = Duration::ZERO;
    for _ in 0..cpu_runs {
        floor_cpu += floor.run(step_count).await?.cpu;
    }
    let before = server.read_usage().await?;
    for _ in 0..cpu_runs {
        server.run_sequence(workflow, step_count).await?;
    }
    let used = UsagePer::compute(before, server.read_usage().await?, cpu_runs);
    let floor_cpu_ms = to_ms(floor_cpu) / cpu_runs as f64;
    let latency_target = Some(TargetBound::RatioAtMost(max_ratio));
    Ok(vec![
        table.build_ratio(
            "ms per run, median",
            to_ms(median(floor_times)),
            to_ms(median(server_times)),
            latency_target,
        ),
        table.build_ratio("CPU ms per run", floor_cpu_ms, used.cpu_ms, max_cpu),
        table.build_value("context switches per run", Some(used.context_switches), None),
        table.build_value("statements per run", used.statements, None),
    ])
}

/// Measures 64 runs of ten steps at the same time.
pub(super) async fn measure_in_flight(bench: &Bench, store: Store, table: RowTable) -> Result<Vec<Measurement>> {
    let step_total = IN_FLIGHT_COUNT * IN_FLIGHT_ROUND_COUNT * IN_FLIGHT_STEP_COUNT;
    let database = bench.floor_database(store)?;
    let run_floor = async |max_group_size| {
        let (url, rounds) = (&bench.provider.url, IN_FLIGHT_ROUND_COUNT);
        run_concurrent_loops(&database, url, IN_FLIGHT_COUNT, rounds, IN_FLIGHT_STEP_COUNT, max_group_size).await
    };
    let floor = run_floor(1).await?;
    let grouped_floor = match store {
        Store::Sqlite => Some(run_floor(MAX_GROUP_SIZE).await?),
        Store::Postgres => None,
    };
    let server = BenchServer::start(bench, store).await?;
    let before = server.read_usage().await?;
    let start = Instant::now();
    let clients = (0..IN_FLIGHT_COUNT).map(async |_| {
        for _ in 0..IN_FLIGHT_ROUND_COUNT {
            server.run_sequence("ten_steps", IN_FLIGHT_STEP_COUNT).await?;
        }
        Ok::<_, String>(())
    });
    try_join_all(clients).await?;
    let elapsed = start.elapsed();
    let used = UsagePer::compute(before, server.read_usage().await?, step_total);
    let min_ratio = match store {
        Store::Sqlite => 0.45,
        Store::Postgres => 0.6,
    };
    let per_s = |elapsed: Duration| step_total as f64 / elapsed.as_secs_f64();
    let floor_cpu_ms = to_ms(floor.cpu) / step_total as f64;
    let rate_target = Some(TargetBound::RatioAtLeast(min_ratio));
    let grouped = grouped_floor.map(|floor| {
        table.build_ratio("steps/s, floor with grouped commits", per_s(floor.elapsed), per_s(elapsed), None)
    });
    let mut measured = vec![table.build_ratio("steps/s", per_s(floor.elapsed), per_s(elapsed), rate_target)];
    measured.extend(grouped);
    measured.extend([
        table.build_ratio("CPU ms per step", floor_cpu_ms, used.cpu_ms, Some(TargetBound::AtMost(0.3))),
        table.build_value("context switches per step", Some(used.context_switches), None),
        table.build_value("statements per step", used.statements, None),
    ]);
    Ok(measured)
}

/// What a server used per run or step.
pub(super) struct UsagePer {
    /// CPU time of its processes in milliseconds.
    pub(super) cpu_ms: f64,
    /// Context switches of its threads.
    pub(super) context_switches: f64,
    /// Statements that it sent to its database.
    pub(super) statements: Option<f64>,
}

impl UsagePer {
    /// Divides what was used between two readings by a number of runs or steps.
    pub(super) fn compute(before: ServerUsage, after: ServerUsage, count: usize) -> Self {
        let used = after.process.since(before.process);
        let count = count as f64;
        let statements = after.statements.zip(before.statements);
        Self {
            cpu_ms: to_ms(used.cpu) / count,
            context_switches: used.context_switches as f64 / count,
            statements: statements.map(|(after, before)| after.saturating_sub(before) as f64 / count),
        }
    }
}
