use std::collections::BTreeSet;

use tripline_store::{Order, Source, Store, VerdictFilter};

use crate::fixtures::{append_kinds, batch, batch_id, provenance, read_all, row, seconds, stream};

/// An upload with rows at seconds 0 to 7, then single rows at seconds 8 to 11.
fn mixed(store: &dyn Store) {
    append_kinds(store, batch(store, 1), 0, "ntdpcbnd");
    append_kinds(store, stream(store, 2), 8, "ndpn");
}

fn check(store: &dyn Store, filter: &VerdictFilter, expected_seconds: &[i64]) {
    for page_rows in [1, 2, 100] {
        let found: Vec<_> = read_all(store, filter, page_rows)
            .iter()
            .map(|verdict| verdict.created_at.seconds())
            .collect();
        assert_eq!(
            found, expected_seconds,
            "{filter:?} in pages of {page_rows}"
        );
        let oldest_first = VerdictFilter {
            order: Order::OldestFirst,
            ..filter.clone()
        };
        let mut reversed: Vec<_> = read_all(store, &oldest_first, page_rows)
            .iter()
            .map(|verdict| verdict.created_at.seconds())
            .collect();
        reversed.reverse();
        assert_eq!(reversed, expected_seconds, "oldest first: {filter:?}");
    }
    assert_eq!(
        store.count(filter).unwrap(),
        expected_seconds.len() as u64,
        "{filter:?}"
    );
}

pub(crate) fn each_filter_finds_its_rows(store: &dyn Store) {
    mixed(store);
    let all = VerdictFilter::default();
    let classes = |names: &[&str]| VerdictFilter {
        class_names: Some(names.iter().map(|&name| name.to_owned()).collect()),
        ..VerdictFilter::default()
    };
    check(store, &all, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    let threats = VerdictFilter {
        threats_only: true,
        ..all.clone()
    };
    check(store, &threats, &[10, 9, 7, 3, 2, 1]);
    check(
        store,
        &VerdictFilter {
            has_threat: true,
            ..all.clone()
        },
        &[11, 10, 9, 8, 7, 6, 3, 2, 1, 0],
    );
    let attacks = VerdictFilter {
        has_attack: true,
        ..all.clone()
    };
    check(store, &attacks, &[10, 9, 7, 5, 4, 3, 2]);
    check(store, &classes(&["DoS"]), &[9, 7, 4, 2]);
    check(
        store,
        &classes(&["DoS", "Probe", "DoS", "no such"]),
        &[10, 9, 7, 4, 3, 2],
    );
    check(
        store,
        &VerdictFilter {
            threats_only: true,
            ..classes(&["DoS"])
        },
        &[9, 7, 2],
    );

    let in_batch = |filter: VerdictFilter| VerdictFilter {
        batch: Some(batch_id(1)),
        ..filter
    };
    check(store, &in_batch(all.clone()), &[7, 6, 5, 4, 3, 2, 1, 0]);
    check(store, &in_batch(threats.clone()), &[7, 3, 2, 1]);
    check(store, &in_batch(classes(&["Probe", "normal"])), &[5, 3]);
    check(store, &in_batch(attacks), &[7, 5, 4, 3, 2]);

    let live = VerdictFilter {
        source: Some(Source::Realtime),
        ..all.clone()
    };
    check(store, &live, &[11, 10, 9, 8]);
    check(
        store,
        &VerdictFilter {
            threats_only: true,
            ..live.clone()
        },
        &[10, 9],
    );
    check(store, &in_batch(live), &[]);

    let span = |from, to, filter| VerdictFilter {
        created_from: Some(seconds(from)),
        created_to: Some(seconds(to)),
        ..filter
    };
    check(store, &span(3, 6, all.clone()), &[5, 4, 3]);
    check(store, &span(3, 10, threats), &[9, 7, 3]);
    check(store, &span(6, 3, all), &[]);
}

pub(crate) fn filters_apply_before_limits(store: &dyn Store) {
    append_kinds(store, batch(store, 1), 0, "dnnnnnnnnnnnn");
    let threats = VerdictFilter {
        threats_only: true,
        ..VerdictFilter::default()
    };
    let page = store.list(&threats, 2).unwrap();
    assert_eq!((page.verdicts.len(), page.next), (1, None));
}

pub(crate) fn every_row_is_seen_once_by_cursor(store: &dyn Store) {
    let first = batch(store, 1);
    let second = stream(store, 2);
    for sequence in 0..40 {
        // Five rows share each time, in both streams.
        let rows = [row(
            if sequence % 3 == 0 { 'd' } else { 'n' },
            sequence,
            seconds(sequence as i64 / 5),
        )];
        store.append(first, &provenance(), &rows).unwrap();
        store.append(second, &provenance(), &rows).unwrap();
    }
    let threats = VerdictFilter {
        threats_only: true,
        ..VerdictFilter::default()
    };
    let dos = VerdictFilter {
        has_attack: true,
        ..VerdictFilter::default()
    };
    for (filter, expected) in [(VerdictFilter::default(), 80), (threats, 28), (dos, 28)] {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            for page_rows in [1, 3, 7, 80, 81] {
                let filter = VerdictFilter {
                    order,
                    ..filter.clone()
                };
                let all = read_all(store, &filter, page_rows);
                let different: BTreeSet<_> = all.iter().map(|verdict| verdict.id).collect();
                assert_eq!((all.len(), different.len()), (expected, expected));
                let sorted = all.windows(2).all(|pair| match order {
                    Order::NewestFirst => pair[0].created_at >= pair[1].created_at,
                    Order::OldestFirst => pair[0].created_at <= pair[1].created_at,
                });
                assert!(sorted);
            }
        }
    }
}

pub(crate) fn rows_that_come_later_do_not_disturb_a_cursor(store: &dyn Store) {
    let stream = batch(store, 1);
    append_kinds(store, stream, 0, "nnnnnn");
    let page = store.list(&VerdictFilter::default(), 3).unwrap();
    append_kinds(store, stream, 100, "nnn");
    let rest = VerdictFilter {
        cursor: page.next,
        ..VerdictFilter::default()
    };
    let rest = store.list(&rest, 100).unwrap();
    let sequences: Vec<_> = rest
        .verdicts
        .iter()
        .map(|verdict| verdict.sequence)
        .collect();
    assert_eq!(sequences, [2, 1, 0]);
}

pub(crate) fn hostile_filters_find_nothing(store: &dyn Store) {
    mixed(store);
    for name in [
        "",
        "dos",
        "DoS' OR '1'='1",
        "DoS\0",
        "\u{fffd}",
        &"x".repeat(1_000_000),
    ] {
        let filter = VerdictFilter {
            class_names: Some(vec![name.to_owned()]),
            ..VerdictFilter::default()
        };
        check(store, &filter, &[]);
    }
    let many = (0..5000).map(|number| number.to_string()).collect();
    check(
        store,
        &VerdictFilter {
            class_names: Some(many),
            ..VerdictFilter::default()
        },
        &[],
    );
    check(
        store,
        &VerdictFilter {
            class_names: Some(Vec::new()),
            ..VerdictFilter::default()
        },
        &[],
    );
    check(
        store,
        &VerdictFilter {
            batch: Some(batch_id(99)),
            ..VerdictFilter::default()
        },
        &[],
    );
    assert_eq!(
        store.list(&VerdictFilter::default(), 0).unwrap().verdicts,
        []
    );
    let everything = store.list(&VerdictFilter::default(), usize::MAX).unwrap();
    assert_eq!(everything.verdicts.len(), 12);
}

pub(crate) fn a_made_up_cursor_is_harmless(store: &dyn Store) {
    mixed(store);
    for text in ["0", "f", "8", "7"].map(|digit| digit.repeat(32)) {
        let filter = VerdictFilter {
            cursor: Some(text.parse().unwrap()),
            ..VerdictFilter::default()
        };
        assert!(store.list(&filter, 100).unwrap().verdicts.len() <= 12);
    }
}
