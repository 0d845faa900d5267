//! The rules of all three ports on Postgres, each store in a schema of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use apiflow_store::{PostgresStore, conformance};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// The database under test, and the schemas that a test makes there.
struct Schemas {
    url: String,
    name: &'static str,
    made: AtomicU32,
}

impl Schemas {
    /// The database of `APIFLOW_TEST_POSTGRES`; `None` where `APIFLOW_SKIP_POSTGRES=1` says to go without.
    fn new(name: &'static str) -> Option<Self> {
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

    async fn url_of_empty(&self) -> String {
        let schema = self.schema(self.made.fetch_add(1, Ordering::Relaxed));
        self.execute(format!("CREATE SCHEMA {schema}")).await;
        let mark = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{mark}options=-c%20search_path%3D{schema}", self.url)
    }

    async fn empty(&self) -> Arc<PostgresStore> {
        let url = self.url_of_empty().await;
        Arc::new(PostgresStore::connect(&url).await.expect("a new schema is opened"))
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

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_every_rule_of_the_store() {
    let Some(schemas) = Schemas::new("jobs") else { return };
    apiflow_core::runtime::conformance::run(async || schemas.empty().await as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_every_rule_of_documents() {
    let Some(schemas) = Schemas::new("documents") else { return };
    conformance::run_documents(async || schemas.empty().await as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_every_rule_of_accounts() {
    let Some(schemas) = Schemas::new("accounts") else { return };
    conformance::run_accounts(async || schemas.empty().await as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_share_the_jobs_of_one_database() {
    let Some(schemas) = Schemas::new("shared") else { return };
    let url = schemas.url_of_empty().await;
    let open = async || Arc::new(PostgresStore::connect(&url).await.expect("a schema is opened")) as _;
    apiflow_core::runtime::conformance::run_shared([open().await, open().await]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_that_start_at_once_bring_the_tables_up_to_date_once() {
    let Some(schemas) = Schemas::new("starting") else { return };
    let url = schemas.url_of_empty().await;
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let url = url.clone();
        starting.spawn(async move { PostgresStore::connect(&url).await.map(drop) });
    }
    assert!(starting.join_all().await.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_named_without_the_password() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = closed.local_addr().expect("an address");
    drop(closed);
    let url = format!("postgres://ada:canary@{address}/apiflow?password=canary");
    let error = PostgresStore::connect(&url).await.err().expect("nobody answers").to_string();
    assert!(error.contains(&format!("postgres://ada:…@{address}/apiflow")), "{error}");
    assert!(!error.contains("canary"), "{error}");
}
