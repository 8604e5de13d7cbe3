//! The tables' versions. A schema carries its version in `tripline_schema`; each step up is one
//! script in one transaction, under an advisory lock, so that of several processes that start at
//! once one does it and the others find it done.

use std::time::Duration;

use super::{
    failure::{Failure, Result},
    options::PostgresOptions,
    session::{Mode, Session, quoted},
};
use crate::StoreError;

/// Script `n` leads from version `n` to `n + 1`. Scripts that have been released never change.
const SCRIPTS: &[&str] = &[
    include_str!("../../migrations/postgres/0001_verdicts.sql"),
    include_str!("../../migrations/postgres/0002_registry.sql"),
];

/// The version that this program writes.
const SUPPORTED: u32 = SCRIPTS.len() as u32;

/// How long a migration may take, or wait for another process that migrates.
const LIMIT: Duration = Duration::from_mins(10);

/// What marks a schema as ours.
const PRODUCT: &str = "Tripline";

/// Brings the tables up to date, and tells the length of a partition in seconds. A schema with
/// tables of others is refused and left alone.
pub(super) fn migrate(session: &mut Session, options: &PostgresOptions) -> Result<i64> {
    loop {
        let found = session.transaction(Mode::Write, |session| step(session, options))?;
        if found == SUPPORTED {
            let row = session.query_one("SELECT partition_seconds FROM tripline_schema", &[])?;
            return Ok(row.get(0));
        }
    }
}

/// One version up; the version after it.
fn step(session: &mut Session, options: &PostgresOptions) -> Result<u32> {
    let limit = format!(
        "SET LOCAL statement_timeout = {0}; SET LOCAL lock_timeout = {0}",
        LIMIT.as_millis()
    );
    session.batch(&limit)?;
    let name = quoted(&options.schema);
    // Locks of migrations of all schemas are one: they are short, and rare.
    session.batch_within("SELECT pg_advisory_xact_lock(hashtext('tripline'))", LIMIT)?;
    let found = if exists(session, &format!("{name}.tripline_schema"))? {
        version(session)?
    } else {
        let is_empty = session.query_one(
            "SELECT NOT EXISTS (SELECT 1 FROM pg_class JOIN pg_namespace \
             ON pg_namespace.oid = relnamespace WHERE nspname = $1)",
            &[&options.schema],
        )?;
        if !is_empty.get::<_, bool>(0) {
            return Err(Failure::Foreign(options.schema.clone()));
        }
        // Asked for first, because making one takes a right that a narrow user may lack.
        let sql = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)";
        if !session
            .query_one(sql, &[&options.schema])?
            .get::<_, bool>(0)
        {
            session.batch(&format!("CREATE SCHEMA {name}"))?;
        }
        session.batch(&format!(
            "CREATE TABLE tripline_schema (product TEXT NOT NULL, version INT NOT NULL, \
             partition_seconds BIGINT NOT NULL); \
             INSERT INTO tripline_schema VALUES ('{PRODUCT}', 0, {})",
            options.partition.as_secs().max(1)
        ))?;
        0
    };
    let Some(script) = SCRIPTS.get(found as usize) else {
        return Ok(found);
    };
    session.batch_within(script, LIMIT)?;
    session.batch(&format!(
        "UPDATE tripline_schema SET version = {}",
        found + 1
    ))?;
    Ok(found + 1)
}

fn exists(session: &mut Session, table: &str) -> Result<bool> {
    let sql = "SELECT to_regclass($1::text) IS NOT NULL";
    Ok(session.query_one(sql, &[&table])?.get(0))
}

/// The version of a schema that is ours.
pub(super) fn version(session: &mut Session) -> Result<u32> {
    let row = session.query_one("SELECT product, version FROM tripline_schema", &[])?;
    let (product, found): (String, i32) = (row.get(0), row.get(1));
    let found = u32::try_from(found).unwrap_or_default();
    if product != PRODUCT {
        return Err(StoreError::invalid("product of the schema", product, PRODUCT).into());
    }
    if found > SUPPORTED {
        return Err(Failure::Newer {
            found,
            supported: SUPPORTED,
        });
    }
    Ok(found)
}
