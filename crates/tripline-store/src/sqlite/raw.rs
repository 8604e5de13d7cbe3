//! Rows as they lie in the tables, for whoever moves them to another backend.

use rusqlite::types::Value;

use super::SqliteStore;
use crate::Result;

impl SqliteStore {
    /// The rows of a query over a table with so many columns, a number as its only parameter. They
    /// are handed over one by one, so that a table of any length can be read.
    pub(crate) fn raw_rows<E>(
        &self,
        sql: &str,
        columns: usize,
        parameter: Option<i64>,
        mut each: impl FnMut(Vec<Value>) -> Result<(), E>,
    ) -> Result<Result<(), E>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(rusqlite::params_from_iter(parameter))?;
            while let Some(row) = rows.next()? {
                let values = (0..columns)
                    .map(|column| row.get(column))
                    .collect::<rusqlite::Result<Vec<_>>>()?;
                if let Err(error) = each(values) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        })
    }
}
