//! Random documents in random worlds, longer than the tests do it.

use clap::Args;

use crate::Result;
use crate::tool::tool;

/// Which worlds are lived.
#[derive(Args, Clone)]
pub(crate) struct Simulate {
    /// How many worlds are lived.
    #[arg(long, default_value_t = 100_000)]
    seeds: u64,
    /// How many worlds of the real driver are lived.
    #[arg(long, default_value_t = 5_000)]
    driver_seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Live the worlds of one seed and tell its story.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "driver_seeds", "from"])]
    story: Option<u64>,
}

/// Lives them, with optimisations: a hundred thousand worlds take minutes.
pub(crate) async fn run(arguments: &Simulate) -> Result {
    let cargo = tool("cargo").args(["test", "--release", "-p", "apiflow-core", "--test", "simulation", "--"]);
    let cargo = cargo.args(["--nocapture"]);
    let cargo = match arguments.story {
        Some(seed) => cargo.env("APIFLOW_SIMULATION_SEED", seed.to_string()),
        None => cargo
            .env("APIFLOW_SIMULATION_SEEDS", arguments.seeds.to_string())
            .env("APIFLOW_SIMULATION_DRIVER_SEEDS", arguments.driver_seeds.to_string())
            .env("APIFLOW_SIMULATION_FROM", arguments.from.to_string()),
    };
    cargo.run().await
}
