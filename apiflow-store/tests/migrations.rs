//! What earlier versions kept is moved to where it stands now.

#[path = "common/schemas.rs"]
#[expect(dead_code, reason = "only the URLs are needed here")]
mod schemas;

use apiflow_core::ports::{CallRecord, JobJournal, JobRecords, StepRow, Timestamp};
use apiflow_store::{PostgresStore, SqliteStore};
use schemas::Schemas;
use serde_json::{Value, json};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection};

/// What the first version kept: grants and owners among the secrets, documents without an author.
const KEPT: &str = r#"
    INSERT INTO users (id, username, username_key, is_admin, password_hash, created_at) VALUES ('u1', 'ada', 'ada', TRUE, '', 1);
    INSERT INTO documents (kind, id, body, created_at, updated_at, version) VALUES ('connector', 'c', '{}', 1, 1, 1);
    INSERT INTO secrets (name, hosts, sealed, updated_at) VALUES
        ('#key', '[]', '', 1), ('KEY', '[]', '', 1), ('BOUND', '["a.example:8443"]', '', 1),
        ('CONNECTOR_C_X', '["c.example:443"]', '', 1),
        ('@KEY', '["c.example:443 c", "127.0.0.1:80 d"]', '', 1),
        ('@ENV', '["c.example:443 c"]', '', 1),
        ('+connector/c', '["CONNECTOR_C_X", "GONE"]', '', 1);
"#;

/// A user who is no admin, so that nobody can tell who saved the documents.
const USER: &str = "INSERT INTO users (id, username, username_key, is_admin, password_hash, created_at) \
     VALUES ('u2', 'bob', 'bob', FALSE, '', 1)";

const GRANTS: &str = "SELECT name || ' ' || kind || '/' || declaration || ' ' || origin || coalesce(owner, '') \
     FROM secret_grants ORDER BY name, origin";
const GENERATED: &str =
    "SELECT name || ' ' || kind || '/' || declaration || coalesce(author, '') FROM generated_secrets";
const NAMES: &str = "SELECT name || origins FROM secrets ORDER BY name";
const BY_ADMIN: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM documents WHERE by_admin AND author IS NULL";

/// Checks what is found in the tables afterwards.
macro_rules! check {
    ($connection:expr, $by_admin:expr) => {
        for (query, expected) in [
            (
                GRANTS,
                vec!["ENV connector/c c.example:443", "KEY connector/d 127.0.0.1:80", "KEY connector/c c.example:443"],
            ),
            (GENERATED, vec!["CONNECTOR_C_X connector/c"]),
            (NAMES, vec!["#key[]", "BOUND[\"a.example:8443\"]", "CONNECTOR_C_X[\"c.example:443\"]", "KEY[]"]),
            (BY_ADMIN, vec![$by_admin]),
        ] {
            let rows: Vec<(String,)> = sqlx::query_as(query).fetch_all(&mut $connection).await.expect("it is read");
            let found: Vec<String> = rows.into_iter().map(|(text,)| text).collect();
            assert_eq!(found, expected, "{query}");
        }
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_moves_grants_and_owners_to_tables_of_their_own() {
    let kept = KEPT.replace("]', '', 1", "]', X'', 1");
    for (user, by_admin) in [("", "1"), (USER, "0")] {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.expect("memory is there");
        for script in [
            include_str!("../migrations/sqlite/0001_foundation.sql"),
            kept.as_str(),
            user,
            include_str!("../migrations/sqlite/0004_secret_owners.sql"),
        ] {
            connection.execute(AssertSqlSafe(script)).await.expect("the script runs");
        }
        check!(connection, by_admin);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_moves_grants_and_owners_to_tables_of_their_own() {
    let Some(schemas) = Schemas::new("migrations") else { return };
    for (user, by_admin) in [("", "1"), (USER, "0")] {
        let url = schemas.url_of_empty().await;
        let mut connection = PgConnection::connect(&url).await.expect("the test database is reached");
        for script in [
            include_str!("../migrations/postgres/0001_foundation.sql"),
            KEPT,
            user,
            include_str!("../migrations/postgres/0004_secret_owners.sql"),
        ] {
            connection.execute(AssertSqlSafe(script)).await.expect("the script runs");
        }
        check!(connection, by_admin);
    }
}

/// The migrations of the last version that opened SQLite files with sqlx.
fn migrations_of_sqlx() -> Vec<Migration> {
    list_migrations([
        ("foundation", include_str!("../migrations/sqlite/0001_foundation.sql")),
        ("recovery", include_str!("../migrations/sqlite/0002_recovery.sql")),
        ("store_faults", include_str!("../migrations/sqlite/0003_store_faults.sql")),
        ("secret_owners", include_str!("../migrations/sqlite/0004_secret_owners.sql")),
        ("document_checks", include_str!("../migrations/sqlite/0005_document_checks.sql")),
        ("submit_pauses", include_str!("../migrations/sqlite/0006_submit_pauses.sql")),
    ])
}

fn list_migrations<const N: usize>(scripts: [(&'static str, &'static str); N]) -> Vec<Migration> {
    let migration = |(version, (name, script)): (i64, (&'static str, &'static str))| {
        Migration::new(version, name.into(), MigrationType::Simple, script.into_sql_str(), false)
    };
    (1..).zip(scripts).map(migration).collect()
}

async fn connect(path: &std::path::Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.connect().await.expect("a file is opened")
}

/// The schema, and which migrations are noted.
async fn describe(path: &std::path::Path) -> Vec<String> {
    let mut connection = connect(path).await;
    let mut lines = Vec::new();
    for query in [
        "SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY type, name",
        "SELECT version || ' ' || description || ' ' || hex(checksum) || ' ' || success FROM _sqlx_migrations",
    ] {
        let rows: Vec<(String,)> = sqlx::query_as(query).fetch_all(&mut connection).await.expect("it is read");
        // How the table of migrations is indented is no matter.
        lines.extend(rows.into_iter().map(|(line,)| line.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    connection.close().await.expect("the file is closed");
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_sqlx_made_are_brought_up_to_date_with_what_is_in_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fresh = folder.path().join("fresh.db");
    SqliteStore::open(&fresh).await.expect("a file is made").close().await;
    let expected = describe(&fresh).await;
    for applied in 1..=migrations_of_sqlx().len() {
        let path = folder.path().join(format!("{applied}.db"));
        let mut connection = connect(&path).await;
        let migrations = migrations_of_sqlx().into_iter().take(applied).collect();
        Migrator::with_migrations(migrations).run(&mut connection).await.expect("sqlx makes the tables");
        connection.execute(USER).await.expect("a user is added");
        connection.close().await.expect("the file is closed");
        for _ in 0..2 {
            let store = SqliteStore::open(&path).await.expect("the file is opened");
            let user =
                apiflow_store::UserAccounts::read_user(&store, "u2").await.expect("it is read").expect("it is kept");
            assert_eq!(user.username, "bob");
            store.close().await;
        }
        assert_eq!(describe(&path).await, expected, "made with {applied} migrations");
    }
}

/// Two jobs in the tables that named each job by its id. Calls are a row before they are sent and one for the reply;
/// the second attempt of `late` has the same number as the first.
const JOBS_BY_ID: &str = r#"
    INSERT INTO jobs (id, name, created_at, updated_at, status, last_seq) VALUES
        ('late', 'run', 1, 9, 'completed', 4), ('early', 'run', 1, 1, 'running', 1);
    INSERT INTO job_bundles (job_id, body) VALUES
        ('late', '{"document":"late","catalog":{"connectors":{},"nodes":{},"workflows":{}}}'),
        ('early', '{"document":"early","catalog":{"connectors":{},"nodes":{},"workflows":{}}}');
    INSERT INTO job_events (job_id, seq, at, list_id, list_index, body, value) VALUES
        ('late', 1, 1, NULL, NULL, '{"type":"created","seed":12506699281862823325}', '{"b":1.50,"a":2}'),
        ('late', 2, 2, NULL, NULL, '{"type":"noted"}', NULL), ('late', 3, 3, 2, 1, '{"type":"ended","index":1}', NULL),
        ('late', 4, 4, 2, 0, '{"type":"ended","index":0}', '"last"'),
        ('early', 1, 1, NULL, NULL, '{"type":"created","seed":1}', '"input"');
    INSERT INTO job_snapshots (job_id, seq, state) VALUES ('late', 2, '{"state":"at 2"}');
    INSERT INTO job_steps (job_id, ordinal, progress, body) VALUES
        ('late', 2, 0.5, '{"ordinal":2,"step_id":"a \"b\"","path":"","status":"failed","attempt":3,"started_at":5,
            "finished_at":null,"input":{"row":2},"output":null,"error":{"z":"ü","a":1.50},"progress":null,
            "provider_id":"p\u00e9","retry_at":7}'),
        ('early', 1, NULL, '{"ordinal":1,"step_id":"c","path":"loop[2]","status":"completed","attempt":1,
            "started_at":1,"finished_at":2,"approval":{"required":true}}');
    INSERT INTO job_calls (job_id, step, body) VALUES
        ('late', 2, '{"step":2,"attempt":1,"purpose":"submit","at":1,"duration_ms":0,"request":{"z":1,"a":2},"reply":{}}'),
        ('early', 1, '{"step":1,"attempt":1,"purpose":"submit","at":2,"duration_ms":0,"request":"sent","reply":{}}'),
        ('late', 2, '{"step":2,"attempt":1,"purpose":"submit","at":3,"duration_ms":4,"request":null,"reply":{"error":"no"}}'),
        ('late', 2, '{"step":2,"attempt":1,"purpose":"submit","at":5,"duration_ms":0,"request":"again","reply":{}}'),
        ('late', 2, '{"step":2,"attempt":1,"purpose":"submit","at":6,"duration_ms":7,"request":null,"reply":{"status":201}}'),
        ('late', 2, '{"step":2,"attempt":1,"purpose":"poll","at":8,"duration_ms":1,"request":"ask","reply":{"status":200}}'),
        ('late', 2, '{"step":2,"attempt":2,"purpose":"submit","at":9,"duration_ms":0,"request":"lost","reply":{}}');
"#;

fn call(attempt: u32, purpose: &str, at: i64, duration_ms: u64, (request, reply): (Value, Value)) -> CallRecord {
    let (step, purpose) = (2, purpose.to_owned());
    CallRecord { step, attempt, purpose, at: Timestamp(at), duration_ms, request, reply }
}

async fn check_jobs(store: &(impl JobJournal + JobRecords)) {
    let late = store.load_job("late").await.expect("the job is loaded");
    assert_eq!(late.bundle.document, "late");
    assert_eq!(late.snapshot.map(|snapshot| (snapshot.seq, snapshot.state)), Some((2, json!({"state": "at 2"}))));
    let items: Vec<_> = late.events.iter().map(|event| (event.seq, event.at, event.item)).collect();
    assert_eq!(items, [(3, Timestamp(3), Some((2, 1))), (4, Timestamp(4), Some((2, 0)))]);
    let values = store.read_values("late", &[1, 2, 4]).await.expect("values are read");
    assert_eq!(values, [Some(json!({"b": 1.5, "a": 2})), None, Some(json!("last"))]);
    let list = store.read_list("late", 2).await.expect("the list is read");
    assert_eq!(list, [json!({"type": "ended", "index": 0}), json!({"type": "ended", "index": 1})]);
    let row: StepRow = serde_json::from_value(json!({
        "ordinal": 2, "step_id": "a \"b\"", "status": "failed", "attempt": 3, "started_at": 5, "input": {"row": 2},
        "error": {"z": "ü", "a": 1.5}, "progress": 0.5, "provider_id": "pé", "retry_at": 7,
    }))
    .expect("a step");
    assert_eq!(store.list_steps("late", 0, 10).await, Ok(vec![row]));
    let calls = [
        call(1, "submit", 3, 4, (json!({"z": 1, "a": 2}), json!({"error": "no"}))),
        call(1, "submit", 6, 7, (json!("again"), json!({"status": 201}))),
        call(1, "poll", 8, 1, (json!("ask"), json!({"status": 200}))),
        call(2, "submit", 9, 0, (json!("lost"), json!({}))),
    ];
    assert_eq!(store.list_calls("late", 2).await, Ok(calls.to_vec()));
    let early = store.load_job("early").await.expect("the job is loaded");
    assert_eq!((early.bundle.document.clone(), early.events.len()), (json!("early"), 1));
    let steps = store.list_steps("early", 0, 10).await.expect("steps are read");
    let [step] = steps.as_slice() else { panic!("one step: {steps:?}") };
    assert_eq!((step.path.as_str(), step.finished_at), ("loop[2]", Some(Timestamp(2))));
    assert_eq!(step.approval, Some(json!({"required": true})));
    assert_eq!(store.list_calls("early", 1).await.map(|calls| calls.len()), Ok(1));
    store.delete_job("late").await.expect("it has ended");
    assert_eq!(store.read_events("early", 0, 10).await.map(|events| events.len()), Ok(1));
}

/// How many rows `early` has left in the tables, after `late` was deleted.
const ROWS_LEFT: &str = "SELECT CAST((SELECT COUNT(*) FROM job_bundles) AS TEXT) || (SELECT COUNT(*) FROM job_events) \
     || (SELECT COUNT(*) FROM job_snapshots) || (SELECT COUNT(*) FROM job_steps) || (SELECT COUNT(*) FROM job_calls)";

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_numbers_jobs_and_keeps_what_belongs_to_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("jobs.db");
    let mut connection = connect(&path).await;
    Migrator::with_migrations(migrations_of_sqlx()).run(&mut connection).await.expect("sqlx makes the tables");
    connection.execute(JOBS_BY_ID).await.expect("jobs are added");
    connection.close().await.expect("the file is closed");
    let store = SqliteStore::open(&path).await.expect("the file is opened");
    check_jobs(&store).await;
    store.close().await;
    let mut connection = connect(&path).await;
    let left: String = sqlx::query_scalar(ROWS_LEFT).fetch_one(&mut connection).await.expect("rows are counted");
    assert_eq!(left, "11011");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_numbers_jobs_and_keeps_what_belongs_to_them() {
    let Some(schemas) = Schemas::new("numbers") else { return };
    let url = schemas.url_of_empty().await;
    let mut connection = PgConnection::connect(&url).await.expect("the test database is reached");
    let migrations = list_migrations([
        ("foundation", include_str!("../migrations/postgres/0001_foundation.sql")),
        ("recovery", include_str!("../migrations/postgres/0002_recovery.sql")),
        ("store_faults", include_str!("../migrations/postgres/0003_store_faults.sql")),
        ("secret_owners", include_str!("../migrations/postgres/0004_secret_owners.sql")),
        ("document_checks", include_str!("../migrations/postgres/0005_document_checks.sql")),
        ("submit_pauses", include_str!("../migrations/postgres/0006_submit_pauses.sql")),
    ]);
    Migrator::with_migrations(migrations).run(&mut connection).await.expect("the tables are made");
    connection.execute(JOBS_BY_ID).await.expect("jobs are added");
    connection.close().await.expect("the connection is closed");
    let store = PostgresStore::connect_to(&url).await.expect("the database is opened");
    check_jobs(&store).await;
    store.close().await;
    let mut connection = PgConnection::connect(&url).await.expect("the test database is reached");
    let left: String = sqlx::query_scalar(ROWS_LEFT).fetch_one(&mut connection).await.expect("rows are counted");
    assert_eq!(left, "11011");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_newer_versions_and_of_other_scripts_are_refused() {
    for (change, expected) in [
        ("INSERT INTO _sqlx_migrations VALUES (99, '', '', TRUE, X'00', 1)", "migration 99 of the database is unknown"),
        ("UPDATE _sqlx_migrations SET checksum = X'00' WHERE version = 2", "migration 2 of the database differs"),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("jobs.db");
        SqliteStore::open(&path).await.expect("a file is made").close().await;
        let mut connection = connect(&path).await;
        connection.execute(change).await.expect("the table is changed");
        connection.close().await.expect("the file is closed");
        let error = SqliteStore::open(&path).await.err().expect("the file is refused").to_string();
        assert!(error.contains(expected), "{error}");
    }
}
