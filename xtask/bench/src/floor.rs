//! The floor: loops that a careful person would write by hand for the same work, without an engine. Each call's reply is
//! committed durably before the next call.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::Client;
use rusqlite::Connection as SqliteConnection;
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

use crate::Result;
use crate::group_commit::GroupCommitter;
use crate::process_usage::read_thread_cpu;

/// The names of the floor's threads begin with this, so that their CPU time can be told from that of the provider.
pub(crate) const FLOOR_THREAD_PREFIX: &str = "floor";

/// Maximum number of rows that are committed together by a floor that groups them.
pub(crate) const MAX_GROUP_SIZE: usize = 1_000;

/// Connections of the loops that run at the same time on Postgres; as many as the server's pool has.
const POSTGRES_POOL_SIZE: u32 = 10;

pub(crate) const CREATE_TABLE: &str =
    "CREATE TABLE IF NOT EXISTS floor (at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, body TEXT NOT NULL)";
pub(crate) const INSERT_SQLITE: &str = "INSERT INTO floor (body) VALUES (?1)";
const INSERT_POSTGRES: &str = "INSERT INTO floor (body) VALUES ($1)";

/// The database that replies are committed to.
#[derive(Debug, Clone)]
pub(crate) enum FloorDatabase {
    /// A file, with WAL and `synchronous=FULL`.
    Sqlite(PathBuf),
    /// URL of a server, with fsync.
    Postgres(String),
}

/// What a run of the floor took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FloorUsage {
    /// Time from the first call to the last commit.
    pub(crate) elapsed: Duration,
    /// CPU time of the loops and of the thread that commits.
    pub(crate) cpu: Duration,
}

/// Opens a SQLite file that is as durable as the server's.
pub(crate) fn open_sqlite(file: &PathBuf) -> rusqlite::Result<SqliteConnection> {
    let connection = SqliteConnection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute(CREATE_TABLE, [])?;
    Ok(connection)
}

/// One loop in a thread of its own: a call, a commit, the next call.
pub(crate) struct SequentialFloor {
    orders: mpsc::UnboundedSender<(usize, oneshot::Sender<Result<FloorUsage>>)>,
}

impl SequentialFloor {
    /// Starts the thread and opens its database.
    pub(crate) fn start(database: FloorDatabase, provider_url: &str) -> Result<Self> {
        let (orders, mut inbox) = mpsc::unbounded_channel::<(usize, oneshot::Sender<Result<FloorUsage>>)>();
        let url = format!("{provider_url}/step");
        let work = move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
            runtime.block_on(async {
                let mut calls = SequentialLoop::open(database, url).await;
                while let Some((step_count, reply)) = inbox.recv().await {
                    let usage = match &mut calls {
                        Ok(calls) => calls.run(step_count).await,
                        Err(error) => Err(error.clone()),
                    };
                    // Nobody waits for it if the bench was interrupted.
                    let _ = reply.send(usage);
                }
            });
        };
        let thread = std::thread::Builder::new().name(FLOOR_THREAD_PREFIX.to_owned()).spawn(work);
        thread.map_err(|error| format!("can't start the floor's thread: {error}"))?;
        Ok(Self { orders })
    }

    /// Runs the loop once.
    pub(crate) async fn run(&self, step_count: usize) -> Result<FloorUsage> {
        let (reply, usage) = oneshot::channel();
        self.orders.send((step_count, reply)).map_err(|_| "the floor's thread has ended".to_owned())?;
        usage.await.map_err(|_| "the floor's thread has ended".to_owned())?
    }
}

/// The loop's client and connection.
struct SequentialLoop {
    client: Client,
    url: String,
    connection: FloorConnection,
}

enum FloorConnection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl SequentialLoop {
    async fn open(database: FloorDatabase, url: String) -> Result<Self> {
        let connection = match database {
            FloorDatabase::Sqlite(file) => FloorConnection::Sqlite(open_sqlite(&file).map_err(describe_error)?),
            FloorDatabase::Postgres(database_url) => {
                let mut connection = PgConnection::connect(&database_url).await.map_err(describe_error)?;
                sqlx::query(CREATE_TABLE).execute(&mut connection).await.map_err(describe_error)?;
                FloorConnection::Postgres(connection)
            }
        };
        Ok(Self { client: build_client()?, url, connection })
    }

    async fn run(&mut self, step_count: usize) -> Result<FloorUsage> {
        let (start, cpu_before) = (Instant::now(), read_thread_cpu(FLOOR_THREAD_PREFIX));
        let mut value = Value::from(0);
        for _ in 0..step_count {
            let mut reply = call_provider(&self.client, &self.url, &value).await?;
            self.connection.commit(&reply.to_string()).await?;
            value = reply["value"].take();
        }
        let elapsed = start.elapsed();
        let cpu = read_thread_cpu(FLOOR_THREAD_PREFIX).saturating_sub(cpu_before);
        check_result(&value, step_count)?;
        Ok(FloorUsage { elapsed, cpu })
    }
}

impl FloorConnection {
    /// Inserts a row in a transaction of its own.
    async fn commit(&mut self, body: &str) -> Result {
        match self {
            Self::Sqlite(connection) => {
                let insert = connection.prepare_cached(INSERT_SQLITE).and_then(|mut insert| insert.execute([body]));
                insert.map(drop).map_err(describe_error)
            }
            Self::Postgres(connection) => {
                let insert = sqlx::query(INSERT_POSTGRES).bind(body).execute(connection).await;
                insert.map(drop).map_err(describe_error)
            }
        }
    }
}

/// Runs `loop_count` loops of `step_count` calls at the same time, each `rounds` times.
///
/// On SQLite a thread owns the connection and commits up to `max_group_size` replies together: with 1, each reply is
/// durable by a commit of its own. On Postgres the loops share a pool and commit each reply by itself, and the database
/// groups them on disk.
pub(crate) async fn run_concurrent_loops(
    database: &FloorDatabase,
    provider_url: &str,
    loop_count: usize,
    rounds: usize,
    step_count: usize,
    max_group_size: usize,
) -> Result<FloorUsage> {
    let committer = Committer::open(database, max_group_size).await?;
    let (client, url) = (build_client()?, format!("{provider_url}/step"));
    let runtime = Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, std::num::NonZero::get))
        .thread_name(FLOOR_THREAD_PREFIX)
        .enable_all()
        .build()
        .map_err(|error| format!("can't build a runtime: {error}"))?;
    let (start, cpu_before) = (Instant::now(), read_thread_cpu(FLOOR_THREAD_PREFIX));
    let loops: Vec<_> = (0..loop_count)
        .map(|_| {
            let (client, url, committer) = (client.clone(), url.clone(), committer.clone());
            runtime.spawn(async move {
                for _ in 0..rounds {
                    let mut value = Value::from(0);
                    for _ in 0..step_count {
                        let mut reply = call_provider(&client, &url, &value).await?;
                        committer.commit(reply.to_string()).await?;
                        value = reply["value"].take();
                    }
                    check_result(&value, step_count)?;
                }
                Ok::<_, String>(())
            })
        })
        .collect();
    for one in loops {
        one.await.map_err(|error| format!("a loop of the floor panicked: {error}"))??;
    }
    let elapsed = start.elapsed();
    let cpu = read_thread_cpu(FLOOR_THREAD_PREFIX).saturating_sub(cpu_before);
    runtime.shutdown_background();
    Ok(FloorUsage { elapsed, cpu })
}

/// Commits for loops that run at the same time.
#[derive(Clone)]
pub(crate) enum Committer {
    Sqlite(GroupCommitter),
    Postgres(PgPool),
}

impl Committer {
    /// Opens the database; on SQLite up to `max_group_size` replies are committed together.
    pub(crate) async fn open(database: &FloorDatabase, max_group_size: usize) -> Result<Self> {
        match database {
            FloorDatabase::Sqlite(file) => GroupCommitter::start(file, max_group_size).map(Self::Sqlite),
            FloorDatabase::Postgres(url) => {
                let pool = PgPoolOptions::new().max_connections(POSTGRES_POOL_SIZE).connect(url).await;
                let pool = pool.map_err(describe_error)?;
                sqlx::query(CREATE_TABLE).execute(&pool).await.map_err(describe_error)?;
                Ok(Self::Postgres(pool))
            }
        }
    }

    /// Commits a reply; it is durable when this returns.
    pub(crate) async fn commit(&self, body: String) -> Result {
        match self {
            Self::Sqlite(committer) => committer.commit(body).await,
            Self::Postgres(pool) => {
                sqlx::query(INSERT_POSTGRES).bind(body).execute(pool).await.map(drop).map_err(describe_error)
            }
        }
    }
}

/// Builds the client of the floor.
pub(crate) fn build_client() -> Result<Client> {
    Client::builder().no_proxy().build().map_err(|error| format!("can't build an HTTP client: {error}"))
}

/// Makes one call of the provider.
pub(crate) async fn call_provider(client: &Client, url: &str, value: &Value) -> Result<Value> {
    let reply = client.post(url).json(&json!({"value": value})).send().await;
    let reply = reply.and_then(reqwest::Response::error_for_status);
    let reply = reply.map_err(|error| format!("the provider did not answer: {error}"))?;
    reply.json().await.map_err(|error| format!("the provider did not answer JSON: {error}"))
}

fn check_result(value: &Value, step_count: usize) -> Result {
    if *value == step_count { Ok(()) } else { Err(format!("the loop ended with {value} instead of {step_count}")) }
}

fn describe_error(error: impl std::fmt::Display) -> String {
    format!("the floor's database failed: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instant_provider::InstantProvider;

    #[tokio::test]
    async fn both_floors_commit_every_reply() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let provider = InstantProvider::start().await.expect("a provider");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("floor.db");
        let database = FloorDatabase::Sqlite(file.clone());
        let floor = SequentialFloor::start(database.clone(), &provider.url).expect("a thread");
        floor.run(3).await.expect("three calls");
        run_concurrent_loops(&database, &provider.url, 4, 1, 5, 1).await.expect("twenty calls");
        run_concurrent_loops(&database, &provider.url, 4, 1, 5, MAX_GROUP_SIZE).await.expect("twenty calls");
        let connection = open_sqlite(&file).expect("the file is there");
        let count: i64 = connection.query_row("SELECT count(*) FROM floor", [], |row| row.get(0)).expect("a count");
        assert_eq!((count, provider.call_count()), (43, 43));
    }
}
