//! What earlier versions kept is moved to where it stands now.

#[path = "common/schemas.rs"]
#[expect(dead_code, reason = "only the URLs are needed here")]
mod schemas;

use apiflow_store::SqliteStore;
use schemas::Schemas;
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
    let scripts = [
        ("foundation", include_str!("../migrations/sqlite/0001_foundation.sql")),
        ("recovery", include_str!("../migrations/sqlite/0002_recovery.sql")),
        ("store_faults", include_str!("../migrations/sqlite/0003_store_faults.sql")),
        ("secret_owners", include_str!("../migrations/sqlite/0004_secret_owners.sql")),
        ("document_checks", include_str!("../migrations/sqlite/0005_document_checks.sql")),
        ("submit_pauses", include_str!("../migrations/sqlite/0006_submit_pauses.sql")),
    ];
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
