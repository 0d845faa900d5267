//! The size of the database.

use super::{Bench, RowTable, Store};
use crate::Result;
use crate::bench_server::BenchServer;
use crate::measurement::{Measurement, TargetBound};

/// Runs of ten steps that are stored.
const STORED_RUN_COUNT: usize = 200;

/// Measures how many bytes a step of a completed job takes in the database, indexes included.
pub(super) async fn measure(bench: &Bench, store: Store, table: RowTable) -> Result<Vec<Measurement>> {
    let server = BenchServer::start(bench, store).await?;
    let before = server.read_database_bytes().await?;
    for _ in 0..STORED_RUN_COUNT {
        server.run_sequence("ten_steps", 10).await?;
    }
    let bytes = server.read_database_bytes().await? - before;
    let kib_per_step = bytes / (STORED_RUN_COUNT * 10) as f64 / 1024.0;
    Ok(vec![table.build_value("KiB per step", Some(kib_per_step), Some(TargetBound::AtMost(1.5)))])
}
