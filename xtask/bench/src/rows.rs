//! The rows of the bench: what is measured, and what it should be.

mod idle;
mod loops;
mod media;
mod neighbours;
mod sequence;
mod storage;
mod validator;

use std::path::PathBuf;

use clap::ValueEnum;
use tempfile::TempDir;
use xtask::postgres::PostgresServer;

use crate::Result;
use crate::floor::FloorDatabase;
use crate::instant_provider::InstantProvider;
use crate::measurement::{Measurement, TargetBound};

/// What all rows use.
pub(crate) struct Bench {
    /// Number of measured runs of the rows that measure single runs.
    pub(crate) runs: usize,
    /// Path of the server.
    pub(crate) server: PathBuf,
    /// Folder for the floor's databases.
    pub(crate) folder: TempDir,
    /// The provider that the server and the floor call.
    pub(crate) provider: InstantProvider,
    /// The Postgres server, unless only SQLite is measured.
    pub(crate) postgres: Option<PostgresServer>,
}

/// A database that the server runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Store {
    /// A file in the server's data folder.
    Sqlite,
    /// A Postgres server on the same machine, with fsync.
    Postgres,
}

/// A row of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// Check a workflow of 1,000 modules, beside reading its JSON.
    Validator,
    /// Run a workflow of one step, alone.
    OneStep,
    /// Run a workflow of ten steps, alone.
    TenSteps,
    /// Run 64 workflows of ten steps at the same time.
    InFlight,
    /// Run 20 parallel branches of 100 ms each.
    ParallelBranches,
    /// Run 16 workflows of 100 parallel iterations each at the same time.
    ForEach,
    /// Run a workflow of one step whose output is a picture of 1 MiB, alone.
    OnePicture,
    /// Run 64 such workflows at the same time.
    PicturesInFlight,
    /// Memory while an output of 300 MiB is downloaded.
    FilmMemory,
    /// Bytes in the database per step.
    Storage,
    /// Memory of a server that does nothing.
    IdleMemory,
    /// Run short jobs beside 40 jobs whose expressions never end.
    BesideEndlessJobs,
    /// Run short jobs beside 8 clients that validate the largest documents.
    BesideValidation,
}

impl Store {
    /// The name of the database in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        }
    }
}

impl Row {
    /// The name of the row, as in `--only`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::OneStep => "one-step",
            Self::TenSteps => "ten-steps",
            Self::InFlight => "in-flight",
            Self::ParallelBranches => "parallel-branches",
            Self::ForEach => "for-each",
            Self::OnePicture => "one-picture",
            Self::PicturesInFlight => "pictures-in-flight",
            Self::FilmMemory => "film-memory",
            Self::Storage => "storage",
            Self::IdleMemory => "idle-memory",
            Self::BesideEndlessJobs => "beside-endless-jobs",
            Self::BesideValidation => "beside-validation",
        }
    }

    /// Whether the row is measured on each database.
    pub(crate) fn needs_store(self) -> bool {
        self != Self::Validator
    }

    /// Measures the row on a database.
    pub(crate) async fn measure(self, bench: &Bench, store: Store) -> Result<Vec<Measurement>> {
        let table = RowTable { row: self.name(), store: if self.needs_store() { store.name() } else { "" } };
        match self {
            Self::Validator => validator::measure(bench, table),
            Self::OneStep => sequence::measure_alone(bench, store, table, 1).await,
            Self::TenSteps => sequence::measure_alone(bench, store, table, 10).await,
            Self::InFlight => sequence::measure_in_flight(bench, store, table).await,
            Self::ParallelBranches => loops::measure_branches(bench, store, table).await,
            Self::ForEach => loops::measure_for_each(bench, store, table).await,
            Self::OnePicture => media::measure_one_picture(bench, store, table).await,
            Self::PicturesInFlight => media::measure_pictures_in_flight(bench, store, table).await,
            Self::FilmMemory => media::measure_film_memory(bench, store, table).await,
            Self::Storage => storage::measure(bench, store, table).await,
            Self::IdleMemory => idle::measure(bench, store, table).await,
            Self::BesideEndlessJobs => neighbours::measure_beside_endless_jobs(bench, store, table).await,
            Self::BesideValidation => neighbours::measure_beside_validation(bench, store, table).await,
        }
    }
}

impl Bench {
    /// URL of the Postgres server.
    pub(crate) fn postgres_url(&self) -> Result<&str> {
        self.postgres.as_ref().map(PostgresServer::url).ok_or_else(|| "Postgres was not started".to_owned())
    }

    /// The floor's database beside this store.
    pub(crate) fn floor_database(&self, store: Store) -> Result<FloorDatabase> {
        Ok(match store {
            Store::Sqlite => FloorDatabase::Sqlite(self.folder.path().join("floor.db")),
            Store::Postgres => FloorDatabase::Postgres(self.postgres_url()?.to_owned()),
        })
    }
}

/// Names the row and the database in each of its measurements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowTable {
    row: &'static str,
    store: &'static str,
}

impl RowTable {
    /// A value without a floor.
    fn build_value(self, quantity: &'static str, value: Option<f64>, target: Option<TargetBound>) -> Measurement {
        Measurement { row: self.row, store: self.store, quantity, floor: None, value, target }
    }

    /// A value beside its floor.
    fn build_ratio(self, quantity: &'static str, floor: f64, value: f64, target: Option<TargetBound>) -> Measurement {
        Measurement { row: self.row, store: self.store, quantity, floor: Some(floor), value: Some(value), target }
    }
}
