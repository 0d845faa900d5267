//! `cargo xtask bench`: measures apiflow beside what a person would write by hand for the same work, in the same run.
//!
//! Floor and server take turns within the same minutes and call the same provider, so that a slow machine slows both:
//! what counts is the ratio. `docs/performance.md` explains each row.

mod bench_server;
mod documents;
mod floor;
mod group_commit;
mod instant_provider;
mod measurement;
mod media_floor;
mod process_usage;
mod rows;
mod statistics;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum as _};
use xtask::output::{print_headline, print_line};
use xtask::postgres::PostgresServer;
use xtask::run_until_interrupt;

use self::instant_provider::InstantProvider;
use self::measurement::{Measurement, format_table};
use self::rows::{Bench, Row, Store};

/// The result of a measurement; the error is a message for the person at the terminal.
type Result<T = ()> = std::result::Result<T, String>;

/// Measures apiflow beside loops written by hand.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct BenchOptions {
    /// Number of measured runs of the rows that measure single runs.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Measure only these rows.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROW")]
    only: Vec<Row>,
    /// Measure only on this database.
    #[arg(long, value_enum)]
    store: Option<Store>,
    /// Path of the server.
    #[arg(long, env = "APIFLOW_BENCH_SERVER", default_value = "target/release/apiflow")]
    server: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = BenchOptions::parse();
    // A provider that was installed already will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    run_until_interrupt(run_bench(options)).await
}

async fn run_bench(options: BenchOptions) -> Result {
    let rows = if options.only.is_empty() { Row::value_variants() } else { &options.only };
    let stores = options.store.as_ref().map_or(Store::value_variants(), std::slice::from_ref);
    let folder = tempfile::tempdir().map_err(|error| format!("can't create a temporary folder: {error}"))?;
    let bench = Bench {
        runs: usize::from(options.runs),
        server: options.server,
        folder,
        provider: InstantProvider::start().await?,
        postgres: if stores.contains(&Store::Postgres) { Some(PostgresServer::start().await?) } else { None },
    };
    let mut measurements: Vec<Measurement> = Vec::new();
    for row in rows {
        for store in stores.iter().take(if row.needs_store() { stores.len() } else { 1 }) {
            print_headline(&format!("{}, {}", row.name(), store.name()));
            let measured = row.measure(&bench, *store).await.map_err(|error| format!("{}: {error}", row.name()))?;
            print_line(format_table(&measured));
            measurements.extend(measured);
        }
    }
    print_headline("summary");
    print_line(format_table(&measurements));
    Ok(())
}
