use tripline_store::{
    Backend, Label, LabelFilter, LabelId, LabelState, NewLabel, RetentionPolicy, Write,
};

use crate::fixtures::{
    append_kinds, batch,
    registry::{
        ACTOR, all_labels, commit, conflict, everything, model_id, new_label, try_commit,
        verdict_id,
    },
    seconds,
};

use LabelState::{Accepted, Quarantined, Rejected};

fn add(store: &dyn Backend, second: i64, labels: &[NewLabel]) -> Vec<LabelId> {
    commit(store, second, labels.iter().map(Write::AddLabel).collect()).labels
}

fn review(label: LabelId, state: LabelState, reason: &str) -> Write<'_> {
    Write::ReviewLabel {
        label,
        state,
        reason,
    }
}

/// Checks what a filter lets through, in pages of several sizes, and how many it says they are.
fn check(store: &dyn Backend, filter: &LabelFilter, expected: &[LabelId]) {
    for page_labels in [1, 2, 3, 100, usize::MAX] {
        let mut filter = filter.clone();
        let mut found = Vec::new();
        loop {
            let page = store.labels(&filter, page_labels).unwrap();
            assert!(page.labels.len() <= page_labels);
            found.extend(page.labels.iter().map(|label| label.id));
            assert!(found.len() <= expected.len(), "{filter:?}: {found:?}");
            match page.next {
                Some(next) => filter.after = Some(next),
                None => break,
            }
        }
        assert_eq!(found, expected, "{filter:?} in pages of {page_labels}");
    }
    let count = store.count_labels(filter).unwrap();
    assert_eq!(count, expected.len() as u64, "{filter:?}");
}

pub(crate) fn a_label_comes_back_whole(store: &dyn Backend) {
    let full = NewLabel {
        attack_type: Some("Web Attack – XSS".to_owned()),
        note: "line\nline".to_owned(),
        state: Quarantined,
        state_reason: "the detector was sure".to_owned(),
        features: (0..=255).collect(),
        detector: Some(model_id(1)),
        classifier: Some(model_id(2)),
        probability: Some(0.1),
        called_threat: Some(false),
        called_class: Some("normal".to_owned()),
        ..new_label(1, "ada", true)
    };
    let bare = NewLabel {
        features: vec![],
        schema: String::new(),
        ..new_label(2, "ada", false)
    };
    let ids = add(store, 5, &[full.clone(), bare.clone()]);
    let stored = |id, label| Label {
        id,
        label,
        created_at: seconds(5),
        reviewed: None,
    };
    let expected = [stored(ids[0], full), stored(ids[1], bare)];
    assert_eq!(all_labels(store, &LabelFilter::default()), expected);
    // Both ends of a probability.
    let edges = [0.0, 1.0].map(|probability| NewLabel {
        probability: Some(probability),
        ..new_label(3, "ada", true)
    });
    for edge in edges {
        let id = add(store, 6, std::slice::from_ref(&edge))[0];
        let found = all_labels(store, &LabelFilter::default());
        assert_eq!(
            found.last().map(|label| (label.id, &label.label)),
            Some((id, &edge))
        );
    }
}

pub(crate) fn an_author_has_one_word_on_a_verdict(store: &dyn Backend) {
    let first = add(store, 1, &[new_label(1, "ada", true)])[0];
    commit(store, 2, vec![review(first, Rejected, "really?")]);
    let second = add(store, 3, &[new_label(1, "ada", false)])[0];
    assert!(second > first);
    let found = all_labels(store, &LabelFilter::default());
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id, found[0].label.is_attack), (second, false));
    assert_eq!(
        (found[0].label.state, &found[0].reviewed),
        (Accepted, &None)
    );
    // The identifier of the word taken back is not given again, and names nothing.
    conflict(try_commit(store, 4, vec![review(first, Accepted, "")]));
    let third = add(store, 5, &[new_label(1, "ada", true)])[0];
    assert!(third > second);
    // In one step too, and of another verdict he may say something else.
    let both = [new_label(1, "ada", false), new_label(1, "ada", true)];
    let ids = add(store, 6, &both);
    let other = add(store, 7, &[new_label(2, "ada", false)])[0];
    check(store, &LabelFilter::default(), &[ids[1], other]);
}

pub(crate) fn labels_that_do_not_agree_stand_beside_each_other(store: &dyn Backend) {
    let said = [
        // They do not agree.
        (1, "ada", true, Accepted),
        (1, "grace", false, Accepted),
        (1, "joan", true, Accepted),
        // They agree, though not on which attack.
        (2, "ada", true, Accepted),
        (2, "grace", true, Accepted),
        // One of the two waits.
        (3, "ada", true, Accepted),
        (3, "grace", false, Quarantined),
        // One of the two does not count.
        (4, "ada", true, Accepted),
        (4, "grace", false, Rejected),
        (5, "ada", false, Accepted),
        // One that does not count beside two that do not agree.
        (3, "joan", true, Rejected),
    ];
    let labels = said.map(|(number, author, is_attack, state)| NewLabel {
        state,
        attack_type: (author == "grace").then(|| "DoS".to_owned()),
        ..new_label(number, author, is_attack)
    });
    let ids = add(store, 1, &labels);
    let all = LabelFilter::default();
    check(store, &all, &ids);
    let conflicting = LabelFilter {
        conflicting: true,
        ..all.clone()
    };
    check(
        store,
        &conflicting,
        &[ids[0], ids[1], ids[2], ids[5], ids[6]],
    );
    let of_one = LabelFilter {
        verdict: Some(verdict_id(3)),
        ..conflicting.clone()
    };
    check(store, &of_one, &[ids[5], ids[6]]);
    // A side alone is shown as one of a conflict too.
    let of_author = LabelFilter {
        author: Some("grace".to_owned()),
        ..conflicting.clone()
    };
    check(store, &of_author, &[ids[1], ids[6]]);
    let waiting = LabelFilter {
        state: Some(Quarantined),
        ..conflicting.clone()
    };
    check(store, &waiting, &[ids[6]]);

    // A word against two: the conflict ends when it goes, and begins when another is taken back in.
    commit(store, 2, vec![review(ids[1], Rejected, "outvoted")]);
    commit(store, 3, vec![review(ids[8], Accepted, "right after all")]);
    check(store, &conflicting, &[ids[5], ids[6], ids[7], ids[8]]);
    let kept = all_labels(
        store,
        &LabelFilter {
            verdict: Some(verdict_id(1)),
            ..all
        },
    );
    assert_eq!(kept.len(), 3);
}

pub(crate) fn each_filter_finds_its_labels(store: &dyn Backend) {
    let states = LabelState::ALL;
    let labels: Vec<_> = (0..12)
        .map(|number| NewLabel {
            state: states[number % 3],
            schema: ["nsl-kdd", "cicflow"][number % 2].to_owned(),
            ..new_label(number as u32 / 4, &format!("author {}", number % 4), true)
        })
        .collect();
    let ids = add(store, 1, &labels);
    let of = |wanted: &dyn Fn(usize) -> bool| -> Vec<LabelId> {
        (0..12)
            .filter(|&number| wanted(number))
            .map(|number| ids[number])
            .collect()
    };
    let all = LabelFilter::default();
    check(store, &all, &ids);
    let state = LabelFilter {
        state: Some(Quarantined),
        ..all.clone()
    };
    check(store, &state, &of(&|number| number % 3 == 1));
    let author = LabelFilter {
        author: Some("author 2".to_owned()),
        ..all.clone()
    };
    check(store, &author, &of(&|number| number % 4 == 2));
    let schema = LabelFilter {
        schema: Some("cicflow".to_owned()),
        ..all.clone()
    };
    check(store, &schema, &of(&|number| number % 2 == 1));
    let verdict = LabelFilter {
        verdict: Some(verdict_id(1)),
        ..all.clone()
    };
    check(store, &verdict, &of(&|number| number / 4 == 1));
    let after = LabelFilter {
        after: Some(ids[8]),
        ..all.clone()
    };
    check(store, &after, &ids[9..]);
    let several = LabelFilter {
        state: Some(Accepted),
        schema: Some("cicflow".to_owned()),
        after: Some(ids[3]),
        ..all.clone()
    };
    check(store, &several, &[ids[9]]);
    for nothing in [
        LabelFilter {
            verdict: Some(verdict_id(77)),
            ..all.clone()
        },
        LabelFilter {
            author: Some("' OR 1=1 --".to_owned()),
            ..all.clone()
        },
        LabelFilter {
            schema: Some("%".to_owned()),
            ..all.clone()
        },
        LabelFilter {
            after: Some(LabelId(u64::MAX)),
            ..all.clone()
        },
        LabelFilter {
            conflicting: true,
            ..all
        },
    ] {
        check(store, &nothing, &[]);
    }
}

pub(crate) fn labels_that_come_later_do_not_disturb_a_page(store: &dyn Backend) {
    let labels: Vec<_> = (0..6)
        .map(|number| new_label(number, "ada", true))
        .collect();
    let ids = add(store, 1, &labels);
    let page = store.labels(&LabelFilter::default(), 4).unwrap();
    assert_eq!(page.next, Some(ids[3]));
    // One that was shown is said again, one that was not is too, and one is new.
    let later = add(
        store,
        2,
        &[1, 5, 9].map(|number| new_label(number, "ada", false)),
    );
    let rest = LabelFilter {
        after: page.next,
        ..LabelFilter::default()
    };
    let expected: Vec<_> = [ids[4]].into_iter().chain(later).collect();
    check(store, &rest, &expected);
}

pub(crate) fn a_review_changes_whether_a_label_counts(store: &dyn Backend) {
    let new = NewLabel {
        state: Quarantined,
        state_reason: "unusual".to_owned(),
        ..new_label(1, "ada", true)
    };
    let ids = add(store, 1, &[new.clone(), new_label(2, "ada", true)]);
    let get = || all_labels(store, &LabelFilter::default()).remove(0);
    let in_state = |state| {
        let filter = LabelFilter {
            state: Some(state),
            ..LabelFilter::default()
        };
        store.count_labels(&filter).unwrap()
    };
    assert_eq!(LabelState::ALL.map(in_state), [1, 1, 0]);
    for (second, state, counts) in [
        (2, Rejected, [1, 0, 1]),
        (3, Accepted, [2, 0, 0]),
        (4, Accepted, [2, 0, 0]),
        (5, Quarantined, [1, 1, 0]),
    ] {
        let reason = format!("it is {}", state.name());
        commit(store, second, vec![review(ids[0], state, &reason)]);
        let expected = Label {
            id: ids[0],
            label: NewLabel {
                state,
                state_reason: reason,
                ..new.clone()
            },
            created_at: seconds(1),
            reviewed: Some((seconds(second), ACTOR.to_owned())),
        };
        assert_eq!(get(), expected);
        assert_eq!(LabelState::ALL.map(in_state), counts);
    }
    let before = everything(store);
    for unknown in [0, ids[1].0 + 1, u64::MAX] {
        let refused = try_commit(store, 6, vec![review(LabelId(unknown), Accepted, "")]);
        let (what, found, _) = conflict(refused);
        assert_eq!(
            (what, found.as_str()),
            (format!("label {unknown}"), "not known")
        );
    }
    assert_eq!(everything(store), before);
}

pub(crate) fn labels_outlive_their_verdicts(store: &dyn Backend) {
    let stream = batch(store, 1);
    append_kinds(store, stream, 0, "nd");
    let about = |sequence| NewLabel {
        verdict: stream.verdict_id(sequence),
        ..new_label(0, "ada", true)
    };
    // Of what is stored, of what is not yet, and of what never was.
    let labels = [about(0), about(1), about(7), new_label(1, "ada", false)];
    add(store, 1, &labels);
    let before = everything(store);
    let policy = RetentionPolicy {
        max_age_micros: Some(0),
        ..RetentionPolicy::default()
    };
    let outcome = store.retain(&policy, seconds(100)).unwrap();
    assert_eq!(outcome.rows_deleted, 2);
    assert_eq!(store.get(stream.verdict_id(0)).unwrap(), None);
    assert_eq!(everything(store), before);
    let found = all_labels(store, &LabelFilter::default());
    assert!(found.iter().map(|label| &label.label).eq(&labels));
}

pub(crate) fn authors_and_notes_are_only_text(store: &dyn Backend) {
    let texts = [
        "' OR 1=1 --",
        "Ada",
        "ada",
        "ada ",
        "%",
        "アダ",
        "\u{202e}ada",
    ];
    let labels = texts.map(|text| NewLabel {
        note: text.to_owned(),
        attack_type: Some(text.to_owned()),
        ..new_label(1, text, true)
    });
    let ids = add(store, 1, &labels);
    let found = all_labels(store, &LabelFilter::default());
    assert!(found.iter().map(|label| &label.label).eq(&labels));
    for (text, id) in texts.into_iter().zip(ids) {
        let filter = LabelFilter {
            author: Some(text.to_owned()),
            ..LabelFilter::default()
        };
        check(store, &filter, &[id]);
    }
}
