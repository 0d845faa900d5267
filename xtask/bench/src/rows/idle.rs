//! A server that does nothing.

use std::time::Duration;

use super::{Bench, RowTable, Store};
use crate::Result;
use crate::bench_server::BenchServer;
use crate::measurement::{Measurement, TargetBound};

/// The time after its start at which the server is looked at, and for which its CPU time is measured.
const SETTLE_TIME: Duration = Duration::from_secs(3);

/// Measures the memory of a server without documents, and the CPU time that it uses nevertheless.
pub(super) async fn measure(bench: &Bench, store: Store, table: RowTable) -> Result<Vec<Measurement>> {
    let server = BenchServer::start_empty(bench, store).await?;
    tokio::time::sleep(SETTLE_TIME).await;
    let memory = server.read_memory_mib("VmRSS")?;
    let before = server.read_usage().await?;
    tokio::time::sleep(SETTLE_TIME).await;
    let used = server.read_usage().await?.process.since(before.process);
    let cpu_ms_per_s = used.cpu.as_secs_f64() * 1000.0 / SETTLE_TIME.as_secs_f64();
    Ok(vec![
        table.build_value("resident memory, MiB", Some(memory), Some(TargetBound::AtMost(40.0))),
        table.build_value("CPU ms per second", Some(cpu_ms_per_s), None),
    ])
}
