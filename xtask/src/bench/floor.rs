//! The plain loop: a call, a durable commit, the next call.

use reqwest::Client;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};

use super::STEPS;
use crate::Result;

/// What a person would write who needs no engine.
pub(crate) struct Floor {
    client: Client,
    url: String,
    database: Database,
}

/// One connection, as durable as the server's own.
enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Floor {
    /// Opens the database and makes a table.
    pub(crate) async fn open(database: &str, url: &str) -> Result<Self> {
        let client = Client::builder().no_proxy().build().map_err(|error| format!("no HTTP client: {error}"))?;
        let mut database = Database::open(database).await.map_err(|error| format!("no database: {error}"))?;
        database.commit(CREATE).await?;
        Ok(Self { client, url: format!("{url}/step"), database })
    }

    /// All calls, each followed by a commit of its reply.
    pub(crate) async fn run(&mut self) -> Result {
        let mut value = Value::from(0);
        for _ in 0..STEPS {
            let sent = self.client.post(&self.url).json(&json!({"value": value})).send().await;
            let reply =
                sent.and_then(reqwest::Response::error_for_status).map_err(|error| format!("no reply: {error}"))?;
            let mut reply: Value = reply.json().await.map_err(|error| format!("no JSON: {error}"))?;
            self.database.commit(INSERT).await?;
            value = reply["value"].take();
        }
        if value == STEPS { Ok(()) } else { Err(format!("the loop ended with {value} instead of {STEPS}")) }
    }
}

const CREATE: &str = "CREATE TABLE floor (at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, body TEXT NOT NULL)";
const INSERT: &str = "INSERT INTO floor (body) VALUES ('{\"value\": 1}')";

impl Database {
    async fn open(url: &str) -> sqlx::Result<Self> {
        if url.starts_with("postgres") {
            return Ok(Self::Postgres(PgConnection::connect(url).await?));
        }
        let options: SqliteConnectOptions = url.parse()?;
        let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        Ok(Self::Sqlite(options.connect().await?))
    }

    /// Runs one statement as a transaction of its own.
    async fn commit(&mut self, statement: &'static str) -> Result {
        let done = match self {
            Self::Sqlite(connection) => sqlx::query(statement).execute(connection).await.map(drop),
            Self::Postgres(connection) => sqlx::query(statement).execute(connection).await.map(drop),
        };
        done.map_err(|error| format!("`{statement}` failed: {error}"))
    }
}
