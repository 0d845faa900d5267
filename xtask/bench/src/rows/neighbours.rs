//! Short jobs beside work of others that takes all it can get.

use std::time::{Duration, Instant};

use super::sequence::WARM_UP_COUNT;
use super::{Bench, RowTable, Store};
use crate::Result;
use crate::bench_server::BenchServer;
use crate::measurement::{Measurement, TargetBound};
use crate::statistics::{percentile, to_ms};

/// Jobs whose expressions never end.
const ENDLESS_JOB_COUNT: usize = 40;

/// Minimum number of jobs that are timed: fewer take so little time together that one pause of the machine decides.
const MIN_TIMED_JOB_COUNT: usize = 300;

/// Clients of another user that validate the largest document again and again.
const VALIDATING_CLIENT_COUNT: usize = 8;

/// Measures jobs of one expression beside jobs whose expressions never end; the floor is the same jobs alone.
pub(super) async fn measure_beside_endless_jobs(
    bench: &Bench,
    store: Store,
    table: RowTable,
) -> Result<Vec<Measurement>> {
    let server = BenchServer::start(bench, store).await?;
    let alone = measure_p95(&server, bench.runs).await?;
    server.start_endless_jobs(ENDLESS_JOB_COUNT).await?;
    let beside = measure_p95(&server, bench.runs).await?;
    let target = Some(TargetBound::RatioAtMost(2.0));
    Ok(vec![table.build_ratio("ms per job, p95", to_ms(alone), to_ms(beside), target)])
}

/// Measures jobs of one expression beside validation of the largest documents; the floor is the same jobs alone.
pub(super) async fn measure_beside_validation(
    bench: &Bench,
    store: Store,
    table: RowTable,
) -> Result<Vec<Measurement>> {
    let server = BenchServer::start(bench, store).await?;
    let alone = measure_p95(&server, bench.runs).await?;
    let clients = server.start_validating_clients(VALIDATING_CLIENT_COUNT).await?;
    let beside = measure_p95(&server, bench.runs).await?;
    clients.stop().await;
    let target = Some(TargetBound::RatioAtMost(3.0));
    Ok(vec![table.build_ratio("ms per job, p95", to_ms(alone), to_ms(beside), target)])
}

/// Returns the time that 95 % of the jobs of one expression do not exceed.
async fn measure_p95(server: &BenchServer, runs: usize) -> Result<Duration> {
    let runs = runs.max(MIN_TIMED_JOB_COUNT);
    let mut times = Vec::with_capacity(runs);
    for round in 0..WARM_UP_COUNT + runs {
        let start = Instant::now();
        server.run_workflow("choice").await?;
        if round >= WARM_UP_COUNT {
            times.push(start.elapsed());
        }
    }
    Ok(percentile(times, 95))
}
