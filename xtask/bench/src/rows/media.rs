//! Steps whose output is a file: the provider returns a link, and the file is kept before the step ends.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::sequence::{UsagePer, WARM_UP_COUNT};
use super::{Bench, RowTable, Store};
use crate::Result;
use crate::bench_server::BenchServer;
use crate::instant_provider::{FILM_SIZE_BYTES, PICTURE_SIZE_BYTES};
use crate::measurement::{Measurement, TargetBound};
use crate::media_floor::MediaFloor;
use crate::statistics::{median, to_ms};

/// Workflows that run at the same time.
const IN_FLIGHT_COUNT: usize = 64;

/// The number of times that each of them is run, one after the other.
const IN_FLIGHT_ROUND_COUNT: usize = 5;

/// Maximum growth of the resident memory while a film is downloaded, in MiB.
const MAX_FILM_MEMORY_MIB: f64 = 32.0;

/// Measures runs of a workflow of one picture, one after the other.
pub(super) async fn measure_one_picture(bench: &Bench, store: Store, table: RowTable) -> Result<Vec<Measurement>> {
    let floor = open_floor(bench, store).await?;
    let server = BenchServer::start(bench, store).await?;
    let (mut floor_times, mut server_times) = (Vec::new(), Vec::new());
    let mut before = server.read_usage().await?;
    for round in 0..WARM_UP_COUNT + bench.runs {
        if round == WARM_UP_COUNT {
            before = server.read_usage().await?;
        }
        let floor_time = floor.run_once().await?;
        let start = Instant::now();
        server.run_media("picture", PICTURE_SIZE_BYTES).await?;
        if round >= WARM_UP_COUNT {
            floor_times.push(floor_time);
            server_times.push(start.elapsed());
        }
    }
    let used = UsagePer::compute(before, server.read_usage().await?, bench.runs);
    Ok(vec![
        table.build_ratio("ms per run, median", to_ms(median(floor_times)), to_ms(median(server_times)), None),
        table.build_value("CPU ms per run", Some(used.cpu_ms), None),
        table.build_value("statements per run", used.statements, None),
    ])
}

/// Measures 64 runs of a workflow of one picture at the same time.
pub(super) async fn measure_pictures_in_flight(
    bench: &Bench,
    store: Store,
    table: RowTable,
) -> Result<Vec<Measurement>> {
    let run_total = IN_FLIGHT_COUNT * IN_FLIGHT_ROUND_COUNT;
    let floor = open_floor(bench, store).await?.run_concurrently(IN_FLIGHT_COUNT, IN_FLIGHT_ROUND_COUNT).await?;
    let server = BenchServer::start(bench, store).await?;
    let before = server.read_usage().await?;
    let start = Instant::now();
    let clients = (0..IN_FLIGHT_COUNT).map(async |_| {
        for _ in 0..IN_FLIGHT_ROUND_COUNT {
            server.run_media("picture", PICTURE_SIZE_BYTES).await?;
        }
        Ok::<_, String>(())
    });
    try_join_all(clients).await?;
    let elapsed = start.elapsed();
    let used = UsagePer::compute(before, server.read_usage().await?, run_total);
    let per_s = |elapsed: Duration| run_total as f64 / elapsed.as_secs_f64();
    Ok(vec![
        table.build_ratio("pictures/s", per_s(floor), per_s(elapsed), None),
        table.build_value("CPU ms per picture", Some(used.cpu_ms), None),
        table.build_value("highest resident memory, MiB", Some(server.read_memory_mib("VmHWM")?), None),
    ])
}

/// Measures by how much the server's memory grows while it downloads a film, compared with after a picture.
pub(super) async fn measure_film_memory(bench: &Bench, store: Store, table: RowTable) -> Result<Vec<Measurement>> {
    let server = BenchServer::start(bench, store).await?;
    server.run_media("picture", PICTURE_SIZE_BYTES).await?;
    let before = server.read_memory_mib("VmRSS")?;
    let start = Instant::now();
    server.run_media("film", FILM_SIZE_BYTES).await?;
    let elapsed = start.elapsed();
    let growth = (server.read_memory_mib("VmHWM")? - before).max(0.0);
    let mib_per_s = FILM_SIZE_BYTES as f64 / f64::from(1 << 20) / elapsed.as_secs_f64();
    Ok(vec![
        table.build_value(
            "growth of resident memory, MiB",
            Some(growth),
            Some(TargetBound::AtMost(MAX_FILM_MEMORY_MIB)),
        ),
        table.build_value("MiB/s", Some(mib_per_s), None),
    ])
}

async fn open_floor(bench: &Bench, store: Store) -> Result<MediaFloor> {
    MediaFloor::open(&bench.floor_database(store)?, &bench.provider.url, bench.folder.path()).await
}
