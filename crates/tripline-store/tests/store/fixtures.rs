pub(crate) mod registry;

use tripline_store::{
    AttackPart, BatchEnd, BatchId, BatchStatus, ModelRef, NamedPart, NewBatch, NewStream,
    NewVerdict, Page, Progress, Provenance, Source, Stage, Store, StoredVerdict, Stream,
    ThreatPart, Timestamp, VerdictFilter,
};

pub(crate) fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

pub(crate) fn batch_id(seed: u8) -> BatchId {
    BatchId::from_random_bytes([seed; 16])
}

pub(crate) fn new_batch(seed: u8) -> NewBatch {
    NewBatch {
        id: batch_id(seed),
        source: Source::Upload,
        file_name: Some(format!("{seed}.csv")),
        created_at: seconds(i64::from(seed)),
        bytes_total: Some(1000),
    }
}

pub(crate) fn batch(store: &dyn Store, seed: u8) -> Stream {
    store.create_batch(&new_batch(seed)).unwrap()
}

pub(crate) fn stream(store: &dyn Store, seed: u8) -> Stream {
    let source = Source::Realtime;
    store
        .open_stream(&NewStream {
            key: batch_id(seed),
            source,
            created_at: seconds(0),
        })
        .unwrap()
}

pub(crate) fn complete(finished_at: Timestamp) -> BatchEnd {
    BatchEnd {
        status: BatchStatus::Complete,
        finished_at,
        progress: Progress::default(),
        schema: None,
        error: None,
        report: None,
    }
}

pub(crate) fn provenance() -> Provenance {
    Provenance {
        schema: "nsl-kdd".to_owned(),
        schema_version: 1,
        schema_fingerprint: "0123456789abcdef".to_owned(),
        detector: Some(ModelRef {
            name: "detector".to_owned(),
            version: "1".to_owned(),
            threshold: Some(0.41),
        }),
        classifier: Some(ModelRef {
            name: "classifier".to_owned(),
            version: "2".to_owned(),
            threshold: None,
        }),
        namer: None,
    }
}

/// A row of the kind that its letter says: `n`ormal and scored, `t`hreat without a class, `d` and
/// `p` threats of classes `DoS` and `Probe`, `c`lassified as `DoS` without a score, `b`enign class
/// without a score.
pub(crate) fn row(kind: char, sequence: u64, created_at: Timestamp) -> NewVerdict<'static> {
    let threat = |is_threat| {
        Some(ThreatPart {
            probability: 0.75,
            is_threat,
        })
    };
    let attack = |class, class_id, is_attack| {
        Some(AttackPart {
            class,
            class_id,
            is_attack,
            confidence: 0.5,
            named: None,
        })
    };
    let (threat, attack) = match kind {
        'n' => (threat(false), None),
        't' => (threat(true), None),
        'd' => (threat(true), attack("DoS", 1, true)),
        'p' => (threat(true), attack("Probe", 2, true)),
        'c' => (None, attack("DoS", 1, true)),
        'b' => (None, attack("normal", 0, false)),
        other => panic!("no kind of row: {other}"),
    };
    NewVerdict {
        sequence,
        stage: Stage::Final,
        created_at,
        row_number: Some(sequence + 2),
        threat,
        attack,
        label: None,
        features: b"features",
        reasons: b"reasons",
        flow: None,
    }
}

pub(crate) fn full_row(sequence: u64) -> NewVerdict<'static> {
    NewVerdict {
        attack: Some(AttackPart {
            class: "Web Attack – XSS",
            class_id: 11,
            is_attack: true,
            confidence: 0.25,
            named: Some(NamedPart {
                label: "xss",
                confidence: 1.0,
            }),
        }),
        label: Some("Web Attack – XSS"),
        features: &[0, 255, 7],
        reasons: &[],
        flow: Some(&[1, 0, 2]),
        ..row('t', sequence, Timestamp(1_700_000_000_123_456))
    }
}

/// Stores a row for each letter, one second apart, the first at second `start` and sequence 0.
pub(crate) fn append_kinds(store: &dyn Store, stream: Stream, start: i64, kinds: &str) {
    let first = store.next_sequence(stream).unwrap();
    let rows: Vec<_> = kinds
        .chars()
        .enumerate()
        .map(|(index, kind)| row(kind, first + index as u64, seconds(start + index as i64)))
        .collect();
    let outcome = store.append(stream, &provenance(), &rows).unwrap();
    assert_eq!(outcome.inserted, rows.len() as u64);
}

/// All verdicts of the filter, read in pages of `page_rows`.
pub(crate) fn read_all(
    store: &dyn Store,
    filter: &VerdictFilter,
    page_rows: usize,
) -> Vec<StoredVerdict> {
    let mut filter = filter.clone();
    let mut all = Vec::new();
    loop {
        let Page { verdicts, next } = store.list(&filter, page_rows).unwrap();
        assert!(verdicts.len() <= page_rows);
        all.extend(verdicts);
        match next {
            Some(cursor) => filter.cursor = Some(cursor.to_string().parse().unwrap()),
            None => return all,
        }
    }
}
