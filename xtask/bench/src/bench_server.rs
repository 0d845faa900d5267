//! The server that is measured, with the workflows in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Client;
use rusqlite::OpenFlags;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;
use xtask::api_client::ApiClient;
use xtask::output::print_line;
use xtask::servers::{ADMIN, ApiflowServer, ServerSettings};

use crate::Result;
use crate::documents;
use crate::floor::build_client;
use crate::process_usage::{ProcessUsage, read_memory_mib};
use crate::rows::{Bench, Store};

/// The counter of statements in `/metrics`.
const STATEMENTS_METRIC: &str = "apiflow_store_statements_total";

/// The time that one run may take.
const RUN_TIMEOUT: Duration = Duration::from_mins(1);

/// A server on a database of its own.
pub(crate) struct BenchServer {
    server: ApiflowServer,
    api: ApiClient,
    client: Client,
    database_url: Option<String>,
}

/// What the server has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerUsage {
    /// CPU time and context switches of the server's processes.
    pub(crate) process: ProcessUsage,
    /// Statements that it sent to its database; `None` if it does not count them.
    pub(crate) statements: Option<u64>,
}

impl BenchServer {
    /// Starts a server on a new database, without documents.
    pub(crate) async fn start_empty(bench: &Bench, store: Store) -> Result<Self> {
        let database_url = match store {
            Store::Sqlite => None,
            Store::Postgres => Some(create_postgres_database(bench.postgres_url()?).await?),
        };
        let settings = ServerSettings {
            allowed_hosts: bench.provider.url.trim_start_matches("http://").to_owned(),
            database_url: database_url.clone(),
            ..ServerSettings::default()
        };
        let server = ApiflowServer::start(&bench.server, settings).await?;
        let mut api = ApiClient::new(&server.url);
        api.log_in(ADMIN, &server.password).await?;
        Ok(Self { server, api, client: build_client()?, database_url })
    }

    /// Starts a server with the workflows, and runs one to prove that every step is one call.
    pub(crate) async fn start(bench: &Bench, store: Store) -> Result<Self> {
        let server = Self::start_empty(bench, store).await?;
        let connector = json!({"id": "instant", "name": "Instant", "base_url": bench.provider.url, "method": "POST"});
        server.api.post("/connectors", &connector).await?;
        for node in ["step", "slow"] {
            server.api.post("/nodes", &documents::build_node(node)).await?;
        }
        for (node, value_type) in [("picture", "image"), ("film", "video")] {
            server.api.post("/nodes", &documents::build_media_node(node, value_type)).await?;
        }
        let workflows = [
            ("picture", documents::build_media_step("picture")),
            ("film", documents::build_media_step("film")),
            ("one_step", documents::build_sequence(1)),
            ("ten_steps", documents::build_sequence(10)),
            ("branches", documents::build_parallel_branches()),
            ("loop", documents::build_parallel_loop()),
            ("choice", documents::build_choice("[1].length === 1")),
        ];
        for (id, document) in workflows {
            server.api.post("/workflows", &json!({"id": id, "name": id, "nodes": document})).await?;
        }
        let calls_before = bench.provider.call_count();
        server.run_sequence("ten_steps", 10).await?;
        match bench.provider.call_count() - calls_before {
            10 => Ok(server),
            calls => Err(format!("one run of ten steps made {calls} calls")),
        }
    }

    /// Runs a workflow and waits for its end, in one exchange.
    pub(crate) async fn run_workflow(&self, id: &str) -> Result<Value> {
        let url = format!("{}/api/v1/workflow/{id}/run", self.server.url);
        let request = self.client.post(url).timeout(RUN_TIMEOUT).bearer_auth(self.api.token());
        let request = request.header("prefer", "wait=30").json(&json!({"input": {}}));
        let reply = request.send().await.map_err(|error| format!("the server did not answer: {error}"))?;
        let status = reply.status();
        let text = reply.text().await.map_err(|error| format!("the reply broke off: {error}"))?;
        let job: Value = serde_json::from_str(&text).map_err(|error| format!("{error} in the reply: {text}"))?;
        if job["status"] == "completed" { Ok(job) } else { Err(format!("`{id}` ended with {status}: {job}")) }
    }

    /// Runs a workflow of steps in sequence and checks its output.
    pub(crate) async fn run_sequence(&self, id: &str, step_count: usize) -> Result {
        let job = self.run_workflow(id).await?;
        let value = &job["output"]["value"];
        if *value == step_count { Ok(()) } else { Err(format!("`{id}` returned {value} instead of {step_count}")) }
    }

    /// Runs the workflow of one picture or film and checks that the whole file is kept.
    pub(crate) async fn run_media(&self, id: &str, size_bytes: usize) -> Result {
        let job = self.run_workflow(id).await?;
        let media = &job["output"]["media"];
        let is_whole = media["artifact"].is_string() && media["size_bytes"] == size_bytes;
        if is_whole { Ok(()) } else { Err(format!("`{id}` returned {media}, not {size_bytes} bytes")) }
    }

    /// Starts jobs whose expressions never end.
    pub(crate) async fn start_endless_jobs(&self, job_count: usize) -> Result {
        let body = json!({"document": documents::build_endless_loop(), "input": {}});
        for _ in 0..job_count {
            self.api.post("/workflows/run", &body).await?;
        }
        Ok(())
    }

    /// Starts clients of another user that validate the largest document again and again.
    pub(crate) async fn start_validating_clients(&self, client_count: usize) -> Result<ValidatingClients> {
        let (username, password) = ("checker", "a password of the bench");
        self.api.post("/users", &json!({"username": username, "password": password})).await?;
        let mut api = ApiClient::new(&self.server.url);
        api.log_in(username, password).await?;
        let shared = Arc::new((api, json!({"document": documents::build_largest_document()}), AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for _ in 0..client_count {
            let shared = Arc::clone(&shared);
            tasks.spawn(async move {
                let (api, body, validation_count) = &*shared;
                loop {
                    // A client that the server refuses because it has no capacity tries again later.
                    match api.post("/workflows/validate", body).await {
                        Ok(_) => drop(validation_count.fetch_add(1, Ordering::Relaxed)),
                        Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                    }
                }
            });
        }
        let clients = ValidatingClients { tasks, shared };
        clients.wait_for_first_validation().await?;
        Ok(clients)
    }

    /// Reads what the server has used so far.
    pub(crate) async fn read_usage(&self) -> Result<ServerUsage> {
        let metrics = self.client.get(format!("{}/metrics", self.server.url)).send().await;
        let metrics = match metrics {
            Ok(reply) => reply.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        };
        Ok(ServerUsage {
            process: ProcessUsage::read(self.process_id()?)?,
            statements: sum_metric(&metrics, STATEMENTS_METRIC),
        })
    }

    /// Returns a field of the server's `/proc/<pid>/status` in MiB.
    pub(crate) fn read_memory_mib(&self, field: &str) -> Result<f64> {
        read_memory_mib(self.process_id()?, field)
    }

    /// Returns the bytes that the database takes.
    pub(crate) async fn read_database_bytes(&self) -> Result<f64> {
        let wrong = |error: &dyn std::fmt::Display| format!("can't read the size of the database: {error}");
        if let Some(url) = &self.database_url {
            let mut connection = PgConnection::connect(url).await.map_err(|error| wrong(&error))?;
            let size = sqlx::query_scalar("SELECT pg_database_size(current_database())");
            let size: i64 = size.fetch_one(&mut connection).await.map_err(|error| wrong(&error))?;
            return Ok(size as f64);
        }
        let file = self.find_sqlite_file()?;
        let connection = rusqlite::Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let connection = connection.map_err(|error| wrong(&error))?;
        let sql = "SELECT (page_count - freelist_count) * page_size \
            FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
        let size: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(|error| wrong(&error))?;
        Ok(size as f64)
    }

    fn find_sqlite_file(&self) -> Result<PathBuf> {
        let entries = std::fs::read_dir(self.server.data_folder()).into_iter().flatten().flatten();
        let mut files = entries.map(|entry| entry.path());
        let is_database = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "db");
        files.find(is_database).ok_or_else(|| "the server's data folder has no *.db".to_owned())
    }

    fn process_id(&self) -> Result<u32> {
        self.server.process_id().ok_or_else(|| format!("the server has ended:\n{}", self.server.log_tail()))
    }
}

/// Clients that validate documents until they are stopped.
pub(crate) struct ValidatingClients {
    tasks: JoinSet<()>,
    shared: Arc<(ApiClient, Value, AtomicUsize)>,
}

impl ValidatingClients {
    /// Waits until the server is busy with their documents.
    async fn wait_for_first_validation(&self) -> Result {
        let deadline = Instant::now() + RUN_TIMEOUT;
        while self.shared.2.load(Ordering::Relaxed) == 0 {
            if Instant::now() > deadline {
                return Err(format!("no document was validated within {} s", RUN_TIMEOUT.as_secs()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Stops the clients.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
        print_line(format!("{} documents were validated meanwhile", self.shared.2.load(Ordering::Relaxed)));
    }
}

/// Creates an empty database on a server; returns its URL.
async fn create_postgres_database(server_url: &str) -> Result<String> {
    static DATABASE_COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("bench_{}", DATABASE_COUNT.fetch_add(1, Ordering::Relaxed));
    let wrong = |error: sqlx::Error| format!("can't create the database {name}: {error}");
    let mut connection = PgConnection::connect(server_url).await.map_err(wrong)?;
    let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(statement).execute(&mut connection).await.map_err(wrong)?;
    let (base, _) = server_url.rsplit_once('/').ok_or_else(|| format!("`{server_url}` names no database"))?;
    Ok(format!("{base}/{name}"))
}

/// Adds up all samples of a metric in Prometheus' text format; `None` if there are none.
fn sum_metric(text: &str, name: &str) -> Option<u64> {
    let samples: Vec<f64> = text
        .lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with(['{', ' ']))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse().ok())
        .collect();
    if samples.is_empty() { None } else { Some(samples.iter().sum::<f64>() as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_metric_are_added_up() {
        let text = "# TYPE a_total counter\na_total{kind=\"read\"} 3\na_total{kind=\"write\"} 4\na_total_of_others 9\n";
        assert_eq!(sum_metric(text, "a_total"), Some(7));
        assert_eq!(sum_metric("a_total 5", "a_total"), Some(5));
        assert_eq!(sum_metric(text, "b_total"), None);
    }
}
