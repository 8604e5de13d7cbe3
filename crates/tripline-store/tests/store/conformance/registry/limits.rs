use tripline_store::{
    Backend, LabelFilter, LabelState, MessageState, ModelFilter, ModelTexts, NewLabel, NewModel,
    Record, Write,
};

use crate::fixtures::{
    registry::{
        adding, all_labels, commit, full_model, invalid, model_id, new_label, record, try_commit,
    },
    seconds,
};

pub(crate) fn what_is_too_long_about_a_model_is_refused(store: &dyn Backend) {
    let long = |bytes: usize| "x".repeat(bytes);
    let signed = |key_id: String, comment: String| {
        let mut signature = full_model(1).signature;
        if let Some(signature) = &mut signature {
            signature.key_id = key_id;
            signature.comment = comment;
        }
        signature
    };
    let texts = |description: usize, notes: usize, tags: Vec<String>| ModelTexts {
        description: long(description),
        notes: long(notes),
        tags,
    };
    let full = full_model(1);
    let model = |change: fn(&mut NewModel, String), bytes| {
        let mut model = full_model(1);
        change(&mut model, long(bytes));
        model
    };
    let with_texts = |texts| NewModel {
        texts,
        ..full.clone()
    };
    let with_signature = |signature| NewModel {
        signature,
        ..full.clone()
    };
    let digest = |text: &str| NewModel {
        source_digest: Some(text.to_owned()),
        ..full.clone()
    };
    let cases = [
        (
            model(|model, text| model.name = text, 513),
            "name is 513 bytes long",
        ),
        (model(|model, text| model.name = text, 0), "name is empty"),
        (
            model(|model, text| model.version = text, 513),
            "version is 513 bytes long",
        ),
        (
            model(|model, text| model.version = text, 0),
            "version is empty",
        ),
        (
            model(|model, text| model.role = text, 513),
            "role is 513 bytes long",
        ),
        (
            model(|model, text| model.schema = text, 513),
            "schema is 513 bytes long",
        ),
        (
            model(|model, text| model.slot = text, 513),
            "slot is 513 bytes long",
        ),
        (model(|model, text| model.slot = text, 0), "slot is empty"),
        (
            model(|model, text| model.file_format = text, 513),
            "file format is 513 bytes long",
        ),
        (
            model(|model, text| model.original_filename = text, 1025),
            "file name is 1025 bytes long",
        ),
        (
            model(|model, text| model.uploaded_by = Some(text), 513),
            "name of who uploaded is 513 bytes long, expected at most 512 bytes",
        ),
        (
            model(|model, text| model.manifest = text, (16 << 20) + 1),
            "manifest is 16777217 bytes long",
        ),
        (
            model(|model, text| model.checks = text, (16 << 20) + 1),
            "checks is 16777217 bytes long",
        ),
        (
            digest("0123"),
            "digest of the source is 4 bytes long, expected 64 hexadecimal digits",
        ),
        (digest(&long(65)), "digest of the source is 65 bytes long"),
        (digest(&long(64)), "digest of the source is not hexadecimal"),
        (
            with_signature(signed(long(513), String::new())),
            "key of the signature is 513 bytes long",
        ),
        (
            with_signature(signed(String::new(), long((8 << 10) + 1))),
            "comment of the signature is 8193 bytes long, expected at most 8 KiB",
        ),
        (
            with_texts(texts(1025, 0, vec![])),
            "description is 1025 bytes long",
        ),
        (
            with_texts(texts(0, (64 << 10) + 1, vec![])),
            "notes is 65537 bytes long",
        ),
        (
            with_texts(texts(0, 0, vec![long(1); 33])),
            "number of tags is 33, expected at most 32",
        ),
        (
            with_texts(texts(0, 0, vec![long(65)])),
            "tag is 65 bytes long",
        ),
        (
            with_texts(texts(0, 0, vec![" ".to_owned()])),
            "tag is empty or with control",
        ),
        (
            with_texts(texts(0, 0, vec!["a\nb".to_owned()])),
            "tag is empty or with control",
        ),
    ];
    for (model, words) in &cases {
        let refused = invalid(try_commit(store, 1, vec![adding(model, b"x")]));
        assert!(refused.contains(words), "{refused}: {words}");
    }
    assert_eq!(store.models(&ModelFilter::default()).unwrap(), []);

    let longest = NewModel {
        uploaded_by: Some(long(512)),
        signature: signed(long(512), long(8 << 10)),
        texts: texts(1024, 64 << 10, vec![long(64); 32]),
        ..full
    };
    commit(store, 2, vec![adding(&longest, b"x")]);
    let found = store.model(model_id(1)).unwrap().unwrap();
    assert_eq!(found.model, longest);
    // The same limits hold later.
    let too_long = texts(1025, 0, vec![]);
    let describe = Write::Describe {
        model: model_id(1),
        texts: &too_long,
    };
    invalid(try_commit(store, 3, vec![describe]));
}

pub(crate) fn what_is_too_long_about_a_label_is_refused(store: &dyn Backend) {
    let long = |bytes: usize| "x".repeat(bytes);
    let label = |change: fn(&mut NewLabel, String), bytes| {
        let mut label = new_label(1, "ada", true);
        change(&mut label, long(bytes));
        label
    };
    let sure = |probability| NewLabel {
        probability: Some(probability),
        ..new_label(1, "ada", true)
    };
    let cases = [
        (
            label(|label, text| label.author = text, 0),
            "author is empty",
        ),
        (
            label(|label, text| label.author = text, 513),
            "author is 513 bytes long",
        ),
        (
            label(|label, text| label.note = text, 4097),
            "note is 4097 bytes long",
        ),
        (
            label(|label, text| label.attack_type = Some(text), 513),
            "attack type is 513 bytes long",
        ),
        (
            label(|label, text| label.state_reason = text, 4097),
            "reason is 4097 bytes long, expected at most 4 KiB",
        ),
        (
            label(|label, text| label.schema = text, 513),
            "schema is 513 bytes long, expected at most 512 bytes",
        ),
        (
            label(|label, text| label.called_class = Some(text), 513),
            "class of the verdict is 513 bytes long, expected at most 512 bytes",
        ),
        (
            label(
                |label, text| label.features = text.into_bytes(),
                (64 << 10) + 1,
            ),
            "size of features is 65537, expected at most 64 KiB",
        ),
        (
            sure(f64::NAN),
            "probability of the verdict is NaN, expected from 0 to 1",
        ),
        (sure(f64::INFINITY), "probability of the verdict is inf"),
        (sure(-0.1), "probability of the verdict is -0.1"),
        (sure(1.1), "probability of the verdict is 1.1"),
    ];
    for (label, words) in &cases {
        let refused = invalid(try_commit(store, 1, vec![Write::AddLabel(label)]));
        assert!(refused.contains(words), "{refused}: {words}");
    }
    assert_eq!(store.count_labels(&LabelFilter::default()).unwrap(), 0);

    let longest = NewLabel {
        author: long(512),
        note: long(4096),
        attack_type: Some(long(512)),
        state_reason: long(4096),
        schema: long(512),
        called_class: Some(long(512)),
        features: vec![7; 64 << 10],
        ..new_label(1, "", true)
    };
    let id = commit(store, 2, vec![Write::AddLabel(&longest)]).labels[0];
    let found = all_labels(store, &LabelFilter::default());
    assert_eq!(found[0].label, longest);
    let reason = long(4097);
    let review = Write::ReviewLabel {
        label: id,
        state: LabelState::Accepted,
        reason: &reason,
    };
    let refused = try_commit(store, 3, vec![review]);
    assert!(invalid(refused).starts_with("reason is 4097 bytes long"));
}

pub(crate) fn what_is_too_long_about_a_message_is_refused(store: &dyn Backend) {
    let long = "x".repeat((16 << 20) + 1);
    let (target, event) = (&long[..4097], &long[..513]);
    let message = |target, event, body| Write::Send {
        target,
        event,
        body,
    };
    for (write, words) in [
        (message(target, "", ""), "target is 4097 bytes long"),
        (message("", event, ""), "event is 513 bytes long"),
        (message("", "", &long), "message is 16777217 bytes long"),
    ] {
        let refused = invalid(try_commit(store, 1, vec![write]));
        assert!(refused.contains(words), "{refused}: {words}");
    }
    assert_eq!(store.recent_messages(9).unwrap(), []);
    let longest = message(&target[..4096], &event[..512], "");
    commit(store, 1, vec![longest]);
    let number = store.recent_messages(9).unwrap()[0].number;
    let failed = Write::Tried {
        message: number,
        state: MessageState::Waiting,
        next_at: seconds(2),
        error: Some(&long),
    };
    let refused = invalid(try_commit(store, 2, vec![failed]));
    assert!(
        refused.starts_with("error is 16777217 bytes long"),
        "{refused}"
    );
}

pub(crate) fn what_is_too_long_about_a_record_is_refused(store: &dyn Backend) {
    let long = "x".repeat((16 << 20) + 1);
    let value = Record {
        value: long.clone(),
        ..record("drift", "a", 1)
    };
    for (record, words) in [
        (record(&long[..513], "a", 1), "kind is 513 bytes long"),
        (
            record("drift", &long[..513], 1),
            "subject is 513 bytes long",
        ),
        (value, "record is 16777217 bytes long"),
    ] {
        let refused = invalid(try_commit(store, 1, vec![Write::Record(&record)]));
        assert!(refused.contains(words), "{refused}: {words}");
    }
    let found = || {
        let found = store.records("drift", None, seconds(0), seconds(99), 9);
        found.unwrap().len()
    };
    assert_eq!(found(), 0);
    let longest = record("drift", &long[..512], 1);
    commit(store, 1, vec![Write::Record(&longest)]);
    assert_eq!(found(), 1);
}
