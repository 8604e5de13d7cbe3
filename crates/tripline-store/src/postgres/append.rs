use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio_postgres::error::SqlState;

use super::{
    batches::uuid,
    counters::{Change, Contribution},
    failure::Result,
    names, partitions,
    rows::{COPY, Rows},
    session::{Mode, Session},
};
use crate::{
    AppendOutcome, AttackPart, NamedPart, NewVerdict, Provenance, Source, Stage, StoreError,
    Stream, Timestamp, id::Place,
};

/// How often to begin again when others were in the way.
const ATTEMPTS: usize = 5;

pub(super) fn append(
    session: &mut Session,
    stream: Stream,
    provenance: &Provenance,
    verdicts: &[NewVerdict<'_>],
) -> Result<AppendOutcome> {
    verdicts.iter().try_for_each(NewVerdict::check)?;
    let partition_seconds = partitions::seconds(session)?;
    let block = Block {
        stream,
        verdicts,
        provenance: names::provenance_number(session, provenance)?,
        attacks: numbered(session, verdicts)?,
        partition_seconds,
    };
    let starts: BTreeSet<i64> = verdicts
        .iter()
        .map(|verdict| partitions::start_of(verdict.created_at, partition_seconds))
        .collect();
    partitions::ensure(session, &starts)?;
    let mut is_dropped = false;
    for _ in 1..ATTEMPTS {
        let result = session.transaction(Mode::Write, |session| {
            if is_dropped {
                partitions::ensure_here(session, &starts)?;
            }
            block.store(session)
        });
        match result {
            // Retention has dropped a partition that was there.
            Err(failure) if failure.code() == Some(&SqlState::CHECK_VIOLATION) => {
                partitions::forget(session);
                is_dropped = true;
            }
            Err(failure) if failure.is_collision() => {}
            result => return result,
        }
    }
    session.transaction(Mode::Write, |session| block.store(session))
}

/// Classes and attacks by number, for each verdict.
fn numbered(
    session: &mut Session,
    verdicts: &[NewVerdict<'_>],
) -> Result<Vec<Option<AttackPart<i32>>>> {
    let mut numbers: HashMap<&str, i32> = HashMap::new();
    let mut number = |name| match numbers.get(name) {
        Some(&number) => Ok(number),
        None => {
            let number = names::number_of(session, name)?;
            numbers.insert(name, number);
            Ok::<_, super::failure::Failure>(number)
        }
    };
    let mut attacks = Vec::with_capacity(verdicts.len());
    for verdict in verdicts {
        attacks.push(match verdict.attack {
            None => None,
            Some(attack) => Some(AttackPart {
                class: number(attack.class)?,
                class_id: attack.class_id,
                is_attack: attack.is_attack,
                confidence: attack.confidence,
                named: match attack.named {
                    None => None,
                    Some(named) => Some(NamedPart {
                        label: number(named.label)?,
                        confidence: named.confidence,
                    }),
                },
            }),
        });
    }
    Ok(attacks)
}

/// Verdicts to be stored together.
struct Block<'a> {
    stream: Stream,
    verdicts: &'a [NewVerdict<'a>],
    provenance: i32,
    attacks: Vec<Option<AttackPart<i32>>>,
    partition_seconds: i64,
}

/// A verdict that is stored already.
#[derive(Debug, Clone, Copy)]
struct Stored {
    created_at: Timestamp,
    stage: Stage,
    contribution: Contribution,
}

/// What a block comes to when what is there is taken into account.
#[derive(Debug, Default)]
struct Plan {
    /// Position in the block by sequence: the rows to be written, in the order of their keys.
    written: BTreeMap<u64, usize>,
    /// Rows that they take the place of.
    removed: Vec<(u64, Stored)>,
    outcome: AppendOutcome,
}

impl Block<'_> {
    /// Inside of a transaction.
    fn store(&self, session: &mut Session) -> Result<AppendOutcome> {
        let number = self.stream.number.cast_signed();
        // Holding this row, nobody else changes the stream's verdicts, save retention.
        let row = session.query_opt(
            "SELECT source, last_sequence FROM streams WHERE stream = $1 AND key = $2 \
             FOR NO KEY UPDATE",
            &[&number, &uuid(self.stream.key)],
        )?;
        let unknown = || StoreError::UnknownStream {
            key: self.stream.key,
        };
        let row = row.ok_or_else(unknown)?;
        let source = Source::from_code(i64::from(row.get::<_, i16>(0))).ok_or_else(unknown)?;
        let last: Option<i64> = row.get(1);
        let plan = self.plan(session, last.map(i64::cast_unsigned))?;
        if plan.written.is_empty() {
            return Ok(plan.outcome);
        }
        // What may be refused is refused here, rather than in the middle of a COPY.
        session.batch("LOCK TABLE verdicts IN ROW EXCLUSIVE MODE")?;
        let mut change = Change::default();
        self.remove(session, &plan.removed, &mut change)?;
        let mut rows = Rows::new();
        let mut spans: BTreeMap<i64, [i64; 4]> = BTreeMap::new();
        for (&sequence, &position) in &plan.written {
            let (Some(verdict), Some(&attack)) =
                (self.verdicts.get(position), self.attacks.get(position))
            else {
                continue;
            };
            rows.add(
                self.place(sequence).row_key(),
                source,
                self.provenance,
                attack,
                verdict,
            );
            let partition = partitions::start_of(verdict.created_at, self.partition_seconds);
            change.add(
                partition,
                verdict.created_at,
                Contribution::of(verdict, attack),
            );
            let (sequence, time) = (sequence.cast_signed(), verdict.created_at.0);
            let span = spans
                .entry(partition)
                .or_insert([sequence, sequence, time, time]);
            span[1] = sequence;
            span[2] = span[2].min(time);
            span[3] = span[3].max(time);
        }
        session.copy_in(COPY, rows.finish())?;
        write_spans(session, number, &spans)?;
        let highest = plan.written.keys().next_back().copied().unwrap_or_default();
        session.execute(
            "UPDATE streams SET rows_appended = rows_appended + $2, \
             last_sequence = greatest(coalesce(last_sequence, $3), $3) WHERE stream = $1",
            &[
                &number,
                &plan.outcome.inserted.cast_signed(),
                &highest.cast_signed(),
            ],
        )?;
        change.write(session, number)?;
        Ok(plan.outcome)
    }

    /// Goes through the block in its order, as if each verdict were stored on its own.
    fn plan(&self, session: &mut Session, last: Option<u64>) -> Result<Plan> {
        let old: Vec<u64> = self
            .verdicts
            .iter()
            .map(|verdict| verdict.sequence)
            .filter(|&sequence| last.is_some_and(|last| sequence <= last))
            .collect();
        let stored = if old.is_empty() {
            HashMap::new()
        } else {
            self.stored(session, &old)?
        };
        let mut plan = Plan::default();
        for (position, verdict) in self.verdicts.iter().enumerate() {
            let sequence = verdict.sequence;
            let there = plan.written.get(&sequence).copied();
            let in_block = there.and_then(|position| self.verdicts.get(position));
            match (in_block, stored.get(&sequence)) {
                (Some(earlier), _) if earlier.stage < verdict.stage => plan.outcome.superseded += 1,
                (None, Some(earlier)) if earlier.stage < verdict.stage => {
                    plan.removed.push((sequence, *earlier));
                    plan.outcome.superseded += 1;
                }
                (None, None) => plan.outcome.inserted += 1,
                _ => {
                    plan.outcome.already_present += 1;
                    continue;
                }
            }
            plan.written.insert(sequence, position);
        }
        Ok(plan)
    }

    /// The verdicts that have these places.
    fn stored(&self, session: &mut Session, sequences: &[u64]) -> Result<HashMap<u64, Stored>> {
        let first = sequences.iter().min().copied().unwrap_or_default();
        let last = sequences.iter().max().copied().unwrap_or_default();
        // Only partitions in which the places can be are looked at.
        let row = session.query_one(
            "SELECT min(first_created_at), max(last_created_at) FROM stream_spans \
             WHERE stream = $1 AND last_sequence >= $2 AND first_sequence <= $3",
            &[
                &self.stream.number.cast_signed(),
                &first.cast_signed(),
                &last.cast_signed(),
            ],
        )?;
        let times: (Option<i64>, Option<i64>) = (row.get(0), row.get(1));
        let (Some(from), Some(to)) = times else {
            return Ok(HashMap::new());
        };
        let keys: Vec<i64> = sequences
            .iter()
            .map(|&sequence| self.place(sequence).row_key())
            .collect();
        let rows = session.query(
            "SELECT id, created_at, stage, class, score IS NOT NULL, coalesce(is_threat, false), \
             coalesce(is_attack, false) FROM verdicts WHERE id = ANY($1) \
             AND created_at >= $2 AND created_at <= $3",
            &[&keys, &from, &to],
        )?;
        let mut stored = HashMap::with_capacity(rows.len());
        for row in &rows {
            let stage = i64::from(row.get::<_, i16>(2));
            let verdict = Stored {
                created_at: Timestamp(row.get(1)),
                stage: Stage::from_code(stage)
                    .ok_or_else(|| super::failure::damaged("stage", stage))?,
                contribution: Contribution {
                    class: row.get(3),
                    scored: row.get(4),
                    is_threat: row.get(5),
                    is_attack: row.get(6),
                },
            };
            stored.insert(Place::from_row_key(row.get(0)).sequence, verdict);
        }
        Ok(stored)
    }

    /// Takes superseded verdicts away, and out of the counters.
    fn remove(
        &self,
        session: &mut Session,
        removed: &[(u64, Stored)],
        change: &mut Change,
    ) -> Result<()> {
        if removed.is_empty() {
            return Ok(());
        }
        let (keys, times): (Vec<i64>, Vec<i64>) = removed
            .iter()
            .map(|(sequence, verdict)| (self.place(*sequence).row_key(), verdict.created_at.0))
            .unzip();
        session.execute(
            "DELETE FROM verdicts USING unnest($1::bigint[], $2::bigint[]) AS gone (id, at) \
             WHERE verdicts.id = gone.id AND verdicts.created_at = gone.at",
            &[&keys, &times],
        )?;
        for (_, verdict) in removed {
            let partition = partitions::start_of(verdict.created_at, self.partition_seconds);
            change.remove(partition, verdict.created_at, verdict.contribution);
        }
        Ok(())
    }

    fn place(&self, sequence: u64) -> Place {
        Place {
            stream: self.stream.number,
            sequence,
        }
    }
}

/// First and last sequence number, first and last time, by partition.
pub(super) fn write_spans(
    session: &mut Session,
    stream: i32,
    spans: &BTreeMap<i64, [i64; 4]>,
) -> Result<()> {
    let partitions: Vec<i64> = spans.keys().copied().collect();
    let column = |index: usize| -> Vec<i64> { spans.values().map(|span| span[index]).collect() };
    session.execute(
        "INSERT INTO stream_spans AS spans (stream, partition, first_sequence, last_sequence, \
         first_created_at, last_created_at) SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], \
         $4::bigint[], $5::bigint[], $6::bigint[]) ON CONFLICT (stream, partition) DO UPDATE SET \
         first_sequence = least(spans.first_sequence, excluded.first_sequence), \
         last_sequence = greatest(spans.last_sequence, excluded.last_sequence), \
         first_created_at = least(spans.first_created_at, excluded.first_created_at), \
         last_created_at = greatest(spans.last_created_at, excluded.last_created_at)",
        &[
            &stream,
            &partitions,
            &column(0),
            &column(1),
            &column(2),
            &column(3),
        ],
    )?;
    Ok(())
}
