//! What earlier versions kept is moved to where it stands now.

#[path = "common/schemas.rs"]
#[expect(dead_code, reason = "only the URLs are needed here")]
mod schemas;

use schemas::Schemas;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

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
