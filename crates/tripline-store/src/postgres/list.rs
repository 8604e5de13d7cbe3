//! Lists by filter. Each list walks one index in the list's own order and stops at the limit, from
//! one partition to the next: the index of threats, that of all verdicts by time, or, where classes
//! are asked for, one walk for each class.

use tokio_postgres::types::ToSql;

use super::{
    batches::{self, limit_of, small},
    counters,
    failure::Result,
    read::{COLUMNS, span, verdicts},
    session::Session,
    text::Text,
};
use crate::{Cursor, Order, Page, VerdictFilter, id::Place};

/// With more classes than this, looking at every row is cheaper than a walk for each.
const MOST_WALKS: usize = 64;

/// What must hold of each row.
#[derive(Debug, Default)]
struct Conditions {
    sql: Vec<String>,
    params: Vec<Box<dyn ToSql + Sync>>,
    /// The classes that the rows must have one of.
    classes: Option<Vec<i32>>,
    /// First and last time.
    span: (i64, i64),
}

impl Conditions {
    /// A parameter, as SQL refers to it.
    fn param(&mut self, value: impl ToSql + Sync + 'static) -> String {
        self.params.push(Box::new(value));
        format!("${}", self.params.len())
    }

    fn all(&self) -> String {
        if self.sql.is_empty() {
            "true".to_owned()
        } else {
            self.sql.join(" AND ")
        }
    }

    fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.params.iter().map(|value| &**value).collect()
    }
}

pub(super) fn page(session: &mut Session, filter: &VerdictFilter, limit: usize) -> Result<Page> {
    let empty = Page {
        verdicts: Vec::new(),
        next: None,
    };
    if limit == 0 {
        return Ok(empty);
    }
    let Some((sql, conditions)) = page_sql(session, filter, limit)? else {
        return Ok(empty);
    };
    let mut verdicts = verdicts(session, &sql, &conditions.params())?;
    let has_more = verdicts.len() > limit;
    verdicts.truncate(limit);
    let next = verdicts.last().filter(|_| has_more).map(|verdict| Cursor {
        created_at: verdict.created_at,
        row_key: verdict.id.place().row_key(),
    });
    Ok(Page { verdicts, next })
}

/// How PostgreSQL goes about a page, for people.
pub(super) fn explain(
    session: &mut Session,
    filter: &VerdictFilter,
    limit: usize,
) -> Result<Vec<String>> {
    let Some((sql, conditions)) = page_sql(session, filter, limit)? else {
        return Ok(Vec::new());
    };
    let sql = format!("EXPLAIN (COSTS off, ANALYZE, TIMING off, SUMMARY off) {sql}");
    let rows = session.query(&sql, &conditions.params())?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// One row more than the limit tells whether there is a next page.
fn page_sql(
    session: &mut Session,
    filter: &VerdictFilter,
    limit: usize,
) -> Result<Option<(String, Conditions)>> {
    let Some(mut conditions) = conditions(session, filter)? else {
        return Ok(None);
    };
    let (before, direction) = match filter.order {
        Order::NewestFirst => ('<', "DESC"),
        Order::OldestFirst => ('>', "ASC"),
    };
    if let Some(cursor) = filter.cursor {
        let time = conditions.param(cursor.created_at.0);
        let key = conditions.param(cursor.row_key);
        // The first half alone says which partitions to leave out.
        conditions.sql.push(format!("created_at {before}= {time}"));
        conditions
            .sql
            .push(format!("(created_at, id) {before} ({time}, {key})"));
    }
    // Written out, so that the planner knows it. It is a number of our own.
    let rows = limit_of(limit.saturating_add(1));
    let tail = format!(" ORDER BY created_at {direction}, id {direction} LIMIT {rows}");
    let sql = match conditions.classes.take() {
        None => format!(
            "SELECT {COLUMNS} FROM verdicts WHERE {}{tail}",
            conditions.all()
        ),
        Some(classes) if classes.len() <= MOST_WALKS => {
            let classes = conditions.param(classes);
            let bounds = walk_bounds(&mut conditions, filter);
            format!(
                "SELECT {COLUMNS} FROM unnest({classes}::int[]) AS wanted (number) \
                 CROSS JOIN LATERAL (SELECT * FROM verdicts WHERE {bounds} AND {} \
                 ORDER BY class {direction}, created_at {direction}, id {direction} \
                 LIMIT {rows}) AS found{tail}",
                conditions.all()
            )
        }
        Some(classes) => {
            let classes = conditions.param(classes);
            format!(
                "SELECT {COLUMNS} FROM verdicts WHERE class = ANY({classes}::int[]) AND {}{tail}",
                conditions.all()
            )
        }
    };
    Ok(Some((sql, conditions)))
}

/// Where in the index by class the walk along one class starts and ends. Were the class compared
/// for equality, the planner might take the index by time for as good, and look at every row to
/// find the few of a rare class.
fn walk_bounds(conditions: &mut Conditions, filter: &VerdictFilter) -> String {
    let (from, to) = conditions.span;
    let mut first = None;
    let mut last = None;
    if let Some(cursor) = filter.cursor {
        let time = cursor.created_at.0;
        let is_tighter = match filter.order {
            Order::NewestFirst => time <= to,
            Order::OldestFirst => time >= from,
        };
        if is_tighter {
            let (time, key) = (conditions.param(time), conditions.param(cursor.row_key));
            let place = format!("(wanted.number, {time}, {key})");
            match filter.order {
                Order::NewestFirst => last = Some(format!("(class, created_at, id) < {place}")),
                Order::OldestFirst => first = Some(format!("(class, created_at, id) > {place}")),
            }
        }
    }
    let first = first.unwrap_or_else(|| {
        let from = conditions.param(from);
        format!("(class, created_at) >= (wanted.number, {from})")
    });
    let last = last.unwrap_or_else(|| {
        let to = conditions.param(to);
        format!("(class, created_at) <= (wanted.number, {to})")
    });
    // At the end where the walk starts there is only the pair, so that it starts there; at the
    // other, the class alone tells the planner that it is none without a class.
    let class = match filter.order {
        Order::NewestFirst => "class >= wanted.number",
        Order::OldestFirst => "class <= wanted.number",
    };
    format!("{class} AND {first} AND {last}")
}

pub(super) fn count(session: &mut Session, filter: &VerdictFilter) -> Result<u64> {
    let kind = VerdictFilter {
        order: filter.order,
        cursor: filter.cursor,
        ..Default::default()
    };
    if *filter == kind {
        return Ok(counters::all(session)?.total);
    }
    let Some(mut conditions) = conditions(session, filter)? else {
        return Ok(0);
    };
    if let Some(classes) = conditions.classes.take() {
        let classes = conditions.param(classes);
        let of_class = format!("class = ANY({classes}::int[])");
        conditions.sql.push(of_class);
    }
    let sql = format!("SELECT count(*) FROM verdicts WHERE {}", conditions.all());
    let number: i64 = session.query_one(&sql, &conditions.params())?.get(0);
    Ok(number.cast_unsigned())
}

/// `None` when nothing can fulfil them.
fn conditions(session: &mut Session, filter: &VerdictFilter) -> Result<Option<Conditions>> {
    let mut conditions = Conditions::default();
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
        conditions.sql.push("is_threat".to_owned());
    }
    if filter.has_threat {
        conditions.sql.push("score IS NOT NULL".to_owned());
    }
    if let Some(batch) = filter.batch {
        let Some(stream) = batches::stream_of(session, batch)? else {
            return Ok(None);
        };
        // The times between which its verdicts lie are as good as an index of its own. What the
        // planner cannot look into it takes for true of every second row, so that it walks by time
        // and does not read the whole batch by key to sort it.
        if !narrow(span(session, "stream = $1", &[&stream])?) {
            return Ok(None);
        }
        let (first, last) = Place::span(stream.cast_unsigned());
        let (first, last) = (conditions.param(first), conditions.param(last));
        conditions.sql.push(format!(
            "CASE WHEN id BETWEEN {first} AND {last} THEN true ELSE false END"
        ));
    }
    if let Some(source) = filter.source {
        let code = small(source.code());
        let of_source = "stream IN (SELECT stream FROM streams WHERE source = $1)";
        if !narrow(span(session, of_source, &[&code])?) {
            return Ok(None);
        }
        let code = conditions.param(code);
        conditions.sql.push(format!("source = {code}"));
    }
    if from > to {
        return Ok(None);
    }
    conditions.span = (from, to);
    if from > i64::MIN {
        let from = conditions.param(from);
        conditions.sql.push(format!("created_at >= {from}"));
    }
    if to < i64::MAX {
        let to = conditions.param(to);
        conditions.sql.push(format!("created_at <= {to}"));
    }
    conditions.classes = match &filter.class_names {
        None if !filter.has_attack => None,
        None => Some(counters::present_classes(session)?),
        Some(names) => Some(class_numbers(session, names)?),
    };
    if conditions.classes.as_ref().is_some_and(Vec::is_empty) {
        return Ok(None);
    }
    Ok(Some(conditions))
}

fn class_numbers(session: &mut Session, names: &[String]) -> Result<Vec<i32>> {
    let names: Vec<Text<'_>> = names.iter().map(|name| Text(name)).collect();
    let sql = "SELECT id FROM names WHERE name = ANY($1) ORDER BY id";
    let rows = session.query(sql, &[&names])?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
