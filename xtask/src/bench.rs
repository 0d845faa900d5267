//! The validator on a large document, and the engine's overhead: ten calls in sequence as a workflow, against the same ten calls in a plain loop with one
//! durable commit of the same database per call.
//!
//! Both call the same server, which answers at once, in turns within the same minutes, so that a slow machine slows
//! both. What counts is the ratio. And what a job of one expression takes beside many whose expressions do not end,
//! against what it takes alone.

mod echo;
mod floor;
mod site;
mod validator;

use std::time::{Duration, Instant};

use self::echo::Echo;
use self::floor::Floor;
use self::site::Site;
use crate::postgres::Postgres;
use crate::say::{headline, say};
use crate::{Result, build};

/// Steps of the workflow, calls of the loop.
const STEPS: usize = 10;

/// Jobs whose expressions do not end.
const HOSTILE: usize = 40;

/// Clients of another user that check the largest document that is taken, again and again.
const CHECKERS: usize = 8;

/// Runs before the measured ones, for caches and connections.
const WARM_UP: usize = 5;

/// Measures `runs` runs of each kind on each database; the validator alone where nothing else is asked for.
pub(crate) async fn run(runs: usize, validator_only: bool) -> Result {
    if runs == 0 {
        return Err("a median of no runs has no value: give --runs a number from 1".to_owned());
    }
    validator::run(runs)?;
    if validator_only {
        return Ok(());
    }
    let built = build::all(true).await?;
    headline("bench");
    let echo = Echo::start().await?;
    let postgres = Postgres::start().await?;
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let file = format!("sqlite:{}?mode=rwc", folder.path().join("floor.db").display());

    let mut rows = Vec::new();
    let mut beside = Vec::new();
    let mut crowded = Vec::new();
    for (name, engine_url, floor_url) in
        [("SQLite", None, file.as_str()), ("Postgres", Some(postgres.url().to_owned()), postgres.url())]
    {
        let floor = Floor::open(floor_url, &echo.url).await?;
        let site = Site::start(&built.server, folder.path(), engine_url, &echo).await?;
        rows.push((name, compare(floor, &site, runs).await?));
        crowded.push((name, p95(&site, runs).await?, {
            let checkers = site.start_checkers(CHECKERS).await?;
            let beside = p95(&site, runs).await?;
            checkers.stop().await?;
            beside
        }));
        beside.push((name, p95(&site, runs).await?, {
            site.start_hostile(HOSTILE).await?;
            p95(&site, runs).await?
        }));
    }
    say(format!("\nmedian of {runs} runs of {STEPS} sequential steps\n"));
    say("| database | plain loop, ms | workflow, ms | ratio |\n|---|---:|---:|---:|");
    for (name, (floor, engine)) in rows {
        say(format!(
            "| {name} | {:.2} | {:.2} | {:.2} |",
            ms(floor),
            ms(engine),
            engine.as_secs_f64() / floor.as_secs_f64()
        ));
    }
    tell_beside(&format!("beside {HOSTILE} jobs whose expressions do not end"), runs, beside);
    let others = format!("beside {CHECKERS} clients of another user that check the largest documents (3 is allowed)");
    tell_beside(&others, runs, crowded);
    Ok(())
}

/// A table of what jobs take alone and beside others.
fn tell_beside(others: &str, runs: usize, rows: Vec<(&str, Duration, Duration)>) {
    say(format!("\n95th percentile of {runs} jobs of one expression, {others}\n"));
    say("| database | alone, ms | beside them, ms | ratio |\n|---|---:|---:|---:|");
    for (name, alone, beside) in rows {
        say(format!(
            "| {name} | {:.2} | {:.2} | {:.2} |",
            ms(alone),
            ms(beside),
            beside.as_secs_f64() / alone.as_secs_f64()
        ));
    }
}

/// How long jobs of one expression take, but for the slowest twentieth.
async fn p95(site: &Site, runs: usize) -> Result<Duration> {
    let mut times = Vec::with_capacity(runs);
    for round in 0..WARM_UP + runs {
        let start = Instant::now();
        site.choose().await?;
        if round >= WARM_UP {
            times.push(start.elapsed());
        }
    }
    Ok(percentile(times, 95))
}

fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort();
    times[(times.len() * percent).div_ceil(100).max(1) - 1]
}

/// The medians of the plain loop and of the workflow, run in turns.
async fn compare(mut floor: Floor, site: &Site, runs: usize) -> Result<(Duration, Duration)> {
    let mut floors = Vec::with_capacity(runs);
    let mut engines = Vec::with_capacity(runs);
    for round in 0..WARM_UP + runs {
        let start = Instant::now();
        floor.run().await?;
        let plain = start.elapsed();
        let start = Instant::now();
        site.run().await?;
        let engine = start.elapsed();
        if round >= WARM_UP {
            floors.push(plain);
            engines.push(engine);
        }
    }
    Ok((median(floors), median(engines)))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    let middle = times.len() / 2;
    if times.len() % 2 == 1 { times[middle] } else { (times[middle - 1] + times[middle]) / 2 }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(times: &[u64], expected_us: u64) {
        let times = times.iter().map(|ms| Duration::from_millis(*ms)).collect();
        assert_eq!(median(times), Duration::from_micros(expected_us));
    }

    #[test]
    fn a_percentile_is_the_smallest_that_so_many_do_not_exceed() {
        for (count, expected) in [(1, 1), (20, 19), (100, 95)] {
            let times = (1..=count).rev().map(Duration::from_millis).collect();
            assert_eq!(percentile(times, 95), Duration::from_millis(expected));
        }
    }

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_both_middles() {
        check(&[5], 5_000);
        check(&[9, 1, 5], 5_000);
        check(&[9, 1, 2, 5], 3_500);
    }
}
