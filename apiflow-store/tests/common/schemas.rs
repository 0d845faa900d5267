//! Empty places in a real Postgres.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use apiflow_store::PostgresStore;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// The database under test, and the schemas that a test makes there.
pub(crate) struct Schemas {
    url: String,
    name: &'static str,
    made: AtomicU32,
}

impl Schemas {
    /// The database of `APIFLOW_TEST_POSTGRES`; `None` where `APIFLOW_SKIP_POSTGRES=1` says to go without.
    pub(crate) fn new(name: &'static str) -> Option<Self> {
        if let Ok(url) = std::env::var("APIFLOW_TEST_POSTGRES") {
            return Some(Self { url, name, made: AtomicU32::new(0) });
        }
        assert!(
            std::env::var("APIFLOW_SKIP_POSTGRES").is_ok_and(|skip| skip == "1"),
            "there is no Postgres to test on: `cargo xtask test` starts one, APIFLOW_TEST_POSTGRES=postgres://… names \
             one, APIFLOW_SKIP_POSTGRES=1 goes without"
        );
        eprintln!("skipped without Postgres: {name}");
        None
    }

    fn schema(&self, number: u32) -> String {
        format!("apiflow_test_{}_{}_{number}", self.name, std::process::id())
    }

    async fn execute(&self, statement: String) {
        let mut connection = PgConnection::connect(&self.url).await.expect("the test database is reached");
        connection.execute(AssertSqlSafe(statement)).await.expect("a schema is made or dropped");
        connection.close().await.expect("the connection is closed");
    }

    pub(crate) async fn url_of_empty(&self) -> String {
        let schema = self.schema(self.made.fetch_add(1, Ordering::Relaxed));
        self.execute(format!("CREATE SCHEMA {schema}")).await;
        let mark = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{mark}options=-c%20search_path%3D{schema}", self.url)
    }

    pub(crate) async fn empty(&self) -> Arc<PostgresStore> {
        let url = self.url_of_empty().await;
        Arc::new(PostgresStore::connect_to(&url).await.expect("a new schema is opened"))
    }
}

/// Drops the schemas, also where the test fails.
impl Drop for Schemas {
    fn drop(&mut self) {
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for number in 0..self.made.load(Ordering::Relaxed) {
                    self.execute(format!("DROP SCHEMA {} CASCADE", self.schema(number))).await;
                }
            });
        });
    }
}
