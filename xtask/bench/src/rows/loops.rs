//! Workflows whose steps run in parallel.

use std::time::Instant;

use futures_util::future::try_join_all;
use serde_json::Value;

use super::sequence::{UsagePer, WARM_UP_COUNT};
use super::{Bench, RowTable, Store};
use crate::Result;
use crate::bench_server::BenchServer;
use crate::documents::{BRANCH_COUNT, ITERATION_COUNT};
use crate::floor::{build_client, call_provider};
use crate::measurement::{Measurement, TargetBound};
use crate::statistics::{median, to_ms};

/// Runs with parallel branches that are measured at most: each takes over 100 ms.
const MAX_BRANCH_RUN_COUNT: usize = 20;

/// Workflows with a parallel loop that run at the same time.
const LOOP_COUNT: usize = 16;

/// The number of times that each of them is run, one after the other.
const LOOP_ROUND_COUNT: usize = 5;

/// Measures 20 parallel branches, each with one call of 100 ms. The floor is the same 20 calls at the same time, without
/// commits.
pub(super) async fn measure_branches(bench: &Bench, store: Store, table: RowTable) -> Result<Vec<Measurement>> {
    let server = BenchServer::start(bench, store).await?;
    let (client, url) = (build_client()?, format!("{}/slow", bench.provider.url));
    let (mut floor_times, mut server_times) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP_COUNT + bench.runs.min(MAX_BRANCH_RUN_COUNT) {
        let start = Instant::now();
        let value = Value::from(0);
        try_join_all((0..BRANCH_COUNT).map(|_| call_provider(&client, &url, &value))).await?;
        let floor_time = start.elapsed();
        let start = Instant::now();
        server.run_workflow("branches").await?;
        if round >= WARM_UP_COUNT {
            floor_times.push(floor_time);
            server_times.push(start.elapsed());
        }
    }
    let (floor, time) = (to_ms(median(floor_times)), to_ms(median(server_times)));
    Ok(vec![table.build_ratio("ms per run, median", floor, time, Some(TargetBound::AtMost(115.0)))])
}

/// Measures parallel loops of 100 iterations, 16 workflows at the same time.
pub(super) async fn measure_for_each(bench: &Bench, store: Store, table: RowTable) -> Result<Vec<Measurement>> {
    let server = BenchServer::start(bench, store).await?;
    let step_total = LOOP_COUNT * LOOP_ROUND_COUNT * ITERATION_COUNT;
    let before = server.read_usage().await?;
    let start = Instant::now();
    let clients = (0..LOOP_COUNT).map(async |_| {
        for _ in 0..LOOP_ROUND_COUNT {
            let job = server.run_workflow("loop").await?;
            let results = job["output"].as_array().map_or(0, Vec::len);
            if results != ITERATION_COUNT {
                return Err(format!("a loop of {ITERATION_COUNT} iterations returned {results} results"));
            }
        }
        Ok(())
    });
    try_join_all(clients).await?;
    let steps_per_s = step_total as f64 / start.elapsed().as_secs_f64();
    let used = UsagePer::compute(before, server.read_usage().await?, step_total);
    let memory = server.read_memory_mib("VmHWM")?;
    let min_rate = match store {
        Store::Sqlite => Some(TargetBound::AtLeast(4_000.0)),
        Store::Postgres => None,
    };
    Ok(vec![
        table.build_value("steps/s", Some(steps_per_s), min_rate),
        table.build_value("CPU ms per step", Some(used.cpu_ms), None),
        table.build_value("statements per step", used.statements, None),
        table.build_value("highest resident memory, MiB", Some(memory), Some(TargetBound::AtMost(100.0))),
    ])
}
