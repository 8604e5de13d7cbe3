//! Lists by filter. Each list walks one index in the list's own order and stops at the limit, so
//! its time does not grow with the table: the index of threats, that of all verdicts by time, or,
//! where classes are asked for, one walk for each class, merged.

use rusqlite::{Connection, OptionalExtension, types::Value};

use super::{
    batches, counters,
    failure::Result,
    read::{COLUMNS, Reading},
};
use crate::{Cursor, Order, Page, VerdictFilter, id::Place};

/// With more classes than this a merge would cost more than looking at every row.
const MOST_BRANCHES: usize = 64;

/// Where to look for the verdicts of a filter.
#[derive(Debug)]
enum Access {
    /// There cannot be any.
    Nothing,
    /// One walk along an index.
    Walk(Conditions),
    /// One walk for each class.
    Merge(Conditions, Vec<i64>),
}

/// An index to walk along, and what must hold of each row.
#[derive(Debug)]
struct Conditions {
    index: &'static str,
    sql: Vec<&'static str>,
    params: Vec<Value>,
}

impl Conditions {
    fn add(&mut self, sql: &'static str, params: &[i64]) {
        self.sql.push(sql);
        self.params
            .extend(params.iter().map(|&param| Value::from(param)));
    }

    /// The walk as SQL, which selects `what`.
    fn select(&self, what: &str) -> String {
        let mut sql = format!("SELECT {what} FROM verdicts INDEXED BY {}", self.index);
        for (position, condition) in self.sql.iter().enumerate() {
            sql.push_str(if position == 0 { " WHERE " } else { " AND " });
            sql.push_str(condition);
        }
        sql
    }
}

pub(super) fn page(connection: &Connection, filter: &VerdictFilter, limit: usize) -> Result<Page> {
    let empty = Page {
        verdicts: Vec::new(),
        next: None,
    };
    let Some((sql, params)) = page_sql(connection, filter, limit)? else {
        return Ok(empty);
    };
    if limit == 0 {
        return Ok(empty);
    }
    let mut verdicts =
        Reading::new(connection).verdicts(&sql, rusqlite::params_from_iter(params))?;
    let has_more = verdicts.len() > limit;
    verdicts.truncate(limit);
    let next = verdicts.last().filter(|_| has_more).map(|verdict| Cursor {
        created_at: verdict.created_at,
        row_key: verdict.id.place().row_key(),
    });
    Ok(Page { verdicts, next })
}

/// How SQLite goes about a page, for people.
pub(super) fn explain(
    connection: &Connection,
    filter: &VerdictFilter,
    limit: usize,
) -> Result<Vec<String>> {
    let Some((sql, params)) = page_sql(connection, filter, limit)? else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let rows = statement.query_map(rusqlite::params_from_iter(params), |row| row.get(3))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// One row more than the limit tells whether there is a next page.
fn page_sql(
    connection: &Connection,
    filter: &VerdictFilter,
    limit: usize,
) -> Result<Option<(String, Vec<Value>)>> {
    let mut access = access(connection, filter)?;
    let (before, direction) = match filter.order {
        Order::NewestFirst => ("(created_at, id) < (?, ?)", "DESC"),
        Order::OldestFirst => ("(created_at, id) > (?, ?)", "ASC"),
    };
    if let (Access::Walk(conditions) | Access::Merge(conditions, _), Some(cursor)) =
        (&mut access, filter.cursor)
    {
        conditions.add(before, &[cursor.created_at.0, cursor.row_key]);
    }
    let limit = Value::from(i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX));
    let tail = format!(" ORDER BY created_at {direction}, id {direction} LIMIT ?");
    match access {
        Access::Nothing => Ok(None),
        Access::Walk(conditions) => {
            let sql = conditions.select(COLUMNS) + &tail;
            let mut params = conditions.params;
            params.push(limit);
            Ok(Some((sql, params)))
        }
        Access::Merge(mut conditions, classes) => {
            conditions.sql.insert(0, "class = ?");
            let branch = format!("SELECT * FROM ({}{tail})", conditions.select(COLUMNS));
            let branches = vec![branch.as_str(); classes.len()].join(" UNION ALL ");
            let mut params = Vec::new();
            for class in classes {
                params.push(Value::from(class));
                params.extend(conditions.params.iter().cloned());
                params.push(limit.clone());
            }
            params.push(limit);
            Ok(Some((
                format!("SELECT {COLUMNS} FROM ({branches}){tail}"),
                params,
            )))
        }
    }
}

pub(super) fn count(connection: &Connection, filter: &VerdictFilter) -> Result<u64> {
    let kind = VerdictFilter {
        order: filter.order,
        cursor: filter.cursor,
        ..Default::default()
    };
    if *filter == kind {
        return Ok(counters::all(connection)?.total);
    }
    let (sql, params) = match access(connection, filter)? {
        Access::Nothing => return Ok(0),
        Access::Walk(conditions) => (conditions.select("count(*)"), conditions.params),
        Access::Merge(mut conditions, classes) => {
            conditions.sql.insert(0, "class = ?");
            let branch = format!("SELECT ({})", conditions.select("count(*)"));
            let branches = vec![branch.as_str(); classes.len()].join(" UNION ALL ");
            let mut params = Vec::new();
            for class in classes {
                params.push(Value::from(class));
                params.extend(conditions.params.iter().cloned());
            }
            (
                format!(
                    "SELECT sum(column1) FROM (SELECT 0 AS column1 WHERE 0 UNION ALL {branches})"
                ),
                params,
            )
        }
    };
    let number: i64 = connection
        .prepare_cached(&sql)?
        .query_row(rusqlite::params_from_iter(params), |row| row.get(0))?;
    Ok(number.cast_unsigned())
}

fn access(connection: &Connection, filter: &VerdictFilter) -> Result<Access> {
    let mut conditions = Conditions {
        index: if filter.threats_only {
            "verdicts_threats"
        } else {
            "verdicts_by_time"
        },
        sql: Vec::new(),
        params: Vec::new(),
    };
    let mut from = filter.created_from.map_or(i64::MIN, |time| time.0);
    let mut to = filter
        .created_to
        .map_or(i64::MAX, |time| time.0.saturating_sub(1));
    let mut narrow = |span: Option<(i64, i64)>| match span {
        Some((first, last)) => {
            from = from.max(first);
            to = to.min(last);
            true
        }
        None => false,
    };
    if filter.threats_only {
        conditions.add("is_threat = 1", &[]);
    }
    if filter.has_threat {
        conditions.add("score IS NOT NULL", &[]);
    }
    if let Some(batch) = filter.batch {
        let Some(stream) = batches::stream_of(connection, batch)? else {
            return Ok(Access::Nothing);
        };
        // The times between which its verdicts lie are as good as an index of its own; the plus
        // keeps SQLite from walking the whole batch by row key and sorting it.
        if !narrow(span(connection, "stream = ?1", stream)?) {
            return Ok(Access::Nothing);
        }
        let (first, last) = Place::span(stream as u32);
        conditions.add("+id BETWEEN ? AND ?", &[first, last]);
    }
    if let Some(source) = filter.source {
        if !narrow(span(connection, "source = ?1", source.code())?) {
            return Ok(Access::Nothing);
        }
        conditions.add("source = ?", &[source.code()]);
    }
    if from > to {
        return Ok(Access::Nothing);
    }
    if from > i64::MIN {
        conditions.add("created_at >= ?", &[from]);
    }
    if to < i64::MAX {
        conditions.add("created_at <= ?", &[to]);
    }
    by_class(connection, filter, conditions)
}

fn by_class(
    connection: &Connection,
    filter: &VerdictFilter,
    mut conditions: Conditions,
) -> Result<Access> {
    let classes = match &filter.class_names {
        None if !filter.has_attack => return Ok(Access::Walk(conditions)),
        None => counters::present_classes(connection)?,
        Some(names) => class_numbers(connection, names)?,
    };
    if classes.is_empty() {
        return Ok(Access::Nothing);
    }
    if classes.len() > MOST_BRANCHES {
        conditions.add("class IS NOT NULL", &[]);
        if filter.class_names.is_some() {
            // Numbers of the database's own, so there is nothing to escape.
            conditions.add("class IN (SELECT value FROM json_each(?))", &[]);
            conditions.params.push(Value::from(format!("{classes:?}")));
        }
        return Ok(Access::Walk(conditions));
    }
    conditions.index = "verdicts_by_class";
    Ok(Access::Merge(conditions, classes))
}

fn class_numbers(connection: &Connection, names: &[String]) -> Result<Vec<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM names WHERE name = ?1")?;
    let mut classes = Vec::new();
    for name in names {
        classes.extend(
            statement
                .query_row([name], |row| row.get::<_, i64>(0))
                .optional()?,
        );
    }
    classes.sort_unstable();
    classes.dedup();
    Ok(classes)
}

/// First and last time at which the streams had a verdict.
fn span(connection: &Connection, which: &str, number: i64) -> Result<Option<(i64, i64)>> {
    let sql =
        format!("SELECT min(first_created_at), max(last_created_at) FROM streams WHERE {which}");
    let (first, last): (Option<i64>, Option<i64>) = connection
        .prepare_cached(&sql)?
        .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(first.zip(last))
}
