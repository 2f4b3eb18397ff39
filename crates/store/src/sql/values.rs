//! Values on their way into a statement of many rows: what a column holds for each type, and statements made for a
//! fixed number of rows, so that few are ever prepared.

use std::sync::Arc;

use serde::Serialize;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, SqliteConnection, Type};
use trunkline_domain::Text;
use trunkline_ledger::api::StoreError;

use crate::error::{Result, store_error};

/// Rows per statement, the largest first: each statement costs a hop to the connection's thread, each prepared one
/// memory.
const ROWS_PER_STATEMENT: [usize; 4] = [64, 16, 4, 1];

/// A statement that writes rows, prepared for a few numbers of rows.
pub(crate) struct Insert {
    statements: [Arc<str>; ROWS_PER_STATEMENT.len()],
    columns: usize,
}

/// Rows for one statement.
pub(crate) struct Piece<'a, T> {
    pub(crate) rows: &'a [T],
    statement: &'a Arc<str>,
}

impl Insert {
    /// `INSERT INTO table (columns) VALUES …` followed by `rest`.
    pub(crate) fn new(table: &str, columns: &[&str], rest: &str) -> Self {
        let row = format!("({})", vec!["?"; columns.len()].join(","));
        let statements = ROWS_PER_STATEMENT.map(|rows| {
            let rows = vec![row.as_str(); rows].join(",");
            Arc::from(format!("INSERT INTO {table} ({}) VALUES {rows} {rest}", columns.join(", ")))
        });
        Self { statements, columns: columns.len() }
    }

    /// Cuts rows into pieces the statement is prepared for.
    pub(crate) fn pieces<'a, T>(&'a self, mut rows: &'a [T]) -> Vec<Piece<'a, T>> {
        let mut pieces = Vec::new();
        for (size, statement) in ROWS_PER_STATEMENT.into_iter().zip(&self.statements) {
            while let Some((piece, rest)) = rows.split_at_checked(size) {
                pieces.push(Piece { rows: piece, statement });
                rows = rest;
                if rows.is_empty() {
                    return pieces;
                }
            }
        }
        pieces
    }

    /// Writes one of [`Insert::pieces`]; the count of rows written.
    pub(crate) async fn execute<T>(
        &self,
        connection: &mut SqliteConnection,
        piece: &Piece<'_, T>,
        row: impl Fn(&mut Values, &T),
    ) -> std::result::Result<u64, sqlx::Error> {
        let mut values = Values::with_capacity(self.columns * piece.rows.len());
        for item in piece.rows {
            row(&mut values, item);
        }
        Ok(values.query(piece.statement)?.execute(connection).await?.rows_affected())
    }

    /// Writes all rows; the count of rows written.
    pub(crate) async fn execute_all<T>(
        &self,
        connection: &mut SqliteConnection,
        rows: &[T],
        row: impl Fn(&mut Values, &T),
    ) -> Result<u64> {
        let mut written = 0;
        for piece in self.pieces(rows) {
            written += self.execute(connection, &piece, &row).await.map_err(store_error)?;
        }
        Ok(written)
    }
}

/// Values in the order of a statement's columns.
pub(crate) struct Values {
    arguments: SqliteArguments,
    failure: Option<String>,
}

impl Values {
    fn with_capacity(values: usize) -> Self {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(values, 0);
        Self { arguments, failure: None }
    }

    fn add<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> &mut Self {
        if let Err(error) = self.arguments.add(value) {
            self.failure = Some(error.to_string());
        }
        self
    }

    pub(crate) fn id(&mut self, id: uuid::Uuid) -> &mut Self {
        self.add(id.into_bytes().to_vec())
    }

    pub(crate) fn id_or_null(&mut self, id: Option<uuid::Uuid>) -> &mut Self {
        self.add(id.map(|id| id.into_bytes().to_vec()))
    }

    /// An absent id as the empty blob: keys of rollups hold no NULL.
    pub(crate) fn id_or_empty(&mut self, id: Option<uuid::Uuid>) -> &mut Self {
        self.add(id.map_or_else(Vec::new, |id| id.into_bytes().to_vec()))
    }

    pub(crate) fn text(&mut self, text: &Text) -> &mut Self {
        self.add(Arc::clone(text))
    }

    pub(crate) fn text_or_null(&mut self, text: Option<&Text>) -> &mut Self {
        self.add(text.map(Arc::clone))
    }

    pub(crate) fn name(&mut self, name: &'static str) -> &mut Self {
        self.add(name)
    }

    pub(crate) fn name_or_null(&mut self, name: Option<&'static str>) -> &mut Self {
        self.add(name)
    }

    pub(crate) fn integer(&mut self, integer: i64) -> &mut Self {
        self.add(integer)
    }

    pub(crate) fn integer_or_null(&mut self, integer: Option<i64>) -> &mut Self {
        self.add(integer)
    }

    /// A list as a JSON array; none as NULL, as nearly all rows have none.
    pub(crate) fn list<T: Serialize>(&mut self, list: &[T]) -> &mut Self {
        if list.is_empty() { self.integer_or_null(None) } else { self.json(list) }
    }

    fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> &mut Self {
        match serde_json::to_string(value) {
            Ok(json) => self.add(json),
            Err(error) => {
                self.failure = Some(error.to_string());
                self
            }
        }
    }

    fn query(
        self,
        sql: &Arc<str>,
    ) -> std::result::Result<Query<'static, Sqlite, SqliteArguments>, sqlx::Error> {
        match self.failure {
            Some(failure) => Err(sqlx::Error::Encode(failure.into())),
            None => Ok(sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), self.arguments)),
        }
    }
}

/// A count as SQLite's signed integer; beyond its range, the largest.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Any value as JSON text.
pub(crate) fn json_text<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Damaged(error.to_string()))
}
