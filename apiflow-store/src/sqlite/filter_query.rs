//! A query of a list, under construction.

use rusqlite::ToSql;
use rusqlite::types::Value as SqlValue;

use super::connection::{Connection, FromRow};

/// A parameter of a filter.
pub(super) struct FilterValue(SqlValue);

impl From<&str> for FilterValue {
    fn from(text: &str) -> Self {
        Self(SqlValue::Text(text.to_owned()))
    }
}

impl From<&String> for FilterValue {
    fn from(text: &String) -> Self {
        Self(SqlValue::Text(text.clone()))
    }
}

impl From<String> for FilterValue {
    fn from(text: String) -> Self {
        Self(SqlValue::Text(text))
    }
}

impl From<i64> for FilterValue {
    fn from(number: i64) -> Self {
        Self(SqlValue::Integer(number))
    }
}

/// A query with its parameters.
pub(super) struct FilterQuery {
    sql: String,
    parameters: Vec<SqlValue>,
}

impl FilterQuery {
    /// Begins a query, to which conditions are added.
    pub(super) fn new(start: &str) -> Self {
        Self { sql: start.to_owned(), parameters: Vec::new() }
    }

    /// Adds text to the query.
    pub(super) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Adds a parameter.
    pub(super) fn push_bind(&mut self, parameter: impl Into<FilterValue>) -> &mut Self {
        self.sql.push('?');
        self.parameters.push(parameter.into().0);
        self
    }

    /// Reads all rows.
    pub(super) fn fetch_all<T: FromRow>(&self, connection: &Connection) -> rusqlite::Result<Vec<T>> {
        let parameters: Vec<&dyn ToSql> = self.parameters.iter().map(|value| value as &dyn ToSql).collect();
        connection.fetch_all(&self.sql, &parameters)
    }
}
