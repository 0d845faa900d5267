//! The simulation of the engine, with more seeds than the tests run.

use clap::Args;

use crate::Result;
use crate::tool::tool;

/// The seeds to simulate.
#[derive(Args, Clone)]
pub struct SimulationOptions {
    /// Number of random workflows that run on the engine.
    #[arg(long, default_value_t = 100_000)]
    seeds: u64,
    /// Number of random workflows that run on the real driver.
    #[arg(long, default_value_t = 5_000)]
    driver_seeds: u64,
    /// First seed of the range.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Simulate one seed and print every event of it.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "driver_seeds", "from"])]
    story: Option<u64>,
}

/// Runs the simulation in a release build: a hundred thousand seeds take minutes.
///
/// # Errors
/// A seed fails; its number and history have been printed.
pub async fn run(options: &SimulationOptions) -> Result {
    let cargo = tool("cargo").args(["test", "--release", "-p", "apiflow-core", "--test", "simulation", "--"]);
    let cargo = cargo.args(["--nocapture"]);
    let cargo = match options.story {
        Some(seed) => cargo.env("APIFLOW_SIMULATION_SEED", seed.to_string()),
        None => cargo
            .env("APIFLOW_SIMULATION_SEEDS", options.seeds.to_string())
            .env("APIFLOW_SIMULATION_DRIVER_SEEDS", options.driver_seeds.to_string())
            .env("APIFLOW_SIMULATION_FROM", options.from.to_string()),
    };
    cargo.run().await
}
