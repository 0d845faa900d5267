//! Inserts many rows of one job with few statements.

use rusqlite::ToSql;
use rusqlite::types::Value;

use super::connection::Connection;

/// Rows per statement; each number of rows is a separate cached statement.
const MAX_STATEMENT_ROWS: usize = 8;

/// Inserts rows. `head` is the statement up to `VALUES`; its first column is the job's number, followed by the columns of each
/// row.
pub(super) fn insert_rows<const N: usize>(
    connection: &Connection,
    head: &str,
    job: i64,
    rows: &[[Value; N]],
) -> rusqlite::Result<()> {
    for rows in rows.chunks(MAX_STATEMENT_ROWS) {
        let row = format!("($1{})", ", ?".repeat(N));
        let statement = format!("{head} {}", vec![row.as_str(); rows.len()].join(", "));
        let mut parameters: Vec<&dyn ToSql> = vec![&job];
        parameters.extend(rows.iter().flatten().map(|value| value as &dyn ToSql));
        connection.execute(&statement, &parameters)?;
    }
    Ok(())
}
