use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use tripline_store::{Backend, Message, MessageState, StoreError, Write};

use crate::fixtures::{
    registry::{commit, conflict, everything, sending, tried, try_commit},
    seconds,
};

use MessageState::{GivenUp, Sent, Waiting};

fn send(store: &dyn Backend, second: i64, bodies: &[&str]) {
    let writes = bodies.iter().map(|body| sending(body)).collect();
    commit(store, second, writes);
}

fn due(store: &dyn Backend, second: i64, limit: usize) -> Vec<String> {
    let due = store.due_messages(seconds(second), limit).unwrap();
    due.into_iter().map(|message| message.body).collect()
}

/// The message with this body.
fn find(store: &dyn Backend, body: &str) -> Message {
    let mut all = store.recent_messages(usize::MAX).unwrap().into_iter();
    all.find(|message| message.body == body).unwrap()
}

pub(crate) fn a_message_comes_back_whole(store: &dyn Backend) {
    let write = Write::Send {
        target: "https://example.org/hook?a=1",
        event: "model.stage",
        body: "{\"name\":\"é\"}",
    };
    commit(store, 5, vec![write]);
    let found = store.due_messages(seconds(5), 9).unwrap();
    let expected = Message {
        number: found[0].number,
        target: "https://example.org/hook?a=1".to_owned(),
        event: "model.stage".to_owned(),
        body: "{\"name\":\"é\"}".to_owned(),
        created_at: seconds(5),
        state: Waiting,
        attempts: 0,
        next_at: seconds(5),
        last_error: None,
    };
    assert_eq!(found, [expected]);
    assert_eq!(store.recent_messages(9).unwrap(), found);
}

pub(crate) fn the_longest_waiting_message_is_due_first(store: &dyn Backend) {
    send(store, 20, &["c", "d"]);
    send(store, 10, &["a", "b"]);
    send(store, 30, &["e"]);
    assert!(due(store, 9, 9).is_empty());
    assert_eq!(due(store, 10, 9), ["a", "b"]);
    assert_eq!(due(store, 29, 9), ["a", "b", "c", "d"]);
    assert_eq!(due(store, 30, 9), ["a", "b", "c", "d", "e"]);
    assert_eq!(due(store, 30, 3), ["a", "b", "c"]);
    assert!(due(store, 30, 0).is_empty());
    // One that has to wait goes behind the others until its time.
    commit(store, 11, vec![tried(find(store, "a").number, Waiting, 25)]);
    assert_eq!(due(store, 24, 9), ["b", "c", "d"]);
    assert_eq!(due(store, 30, 9), ["b", "c", "d", "a", "e"]);
    // The newest first, whatever became of them.
    let recent = |limit| -> Vec<_> {
        let recent = store.recent_messages(limit).unwrap();
        recent.into_iter().map(|message| message.body).collect()
    };
    assert_eq!(recent(9), ["e", "b", "a", "d", "c"]);
    assert_eq!(recent(2), ["e", "b"]);
}

pub(crate) fn a_message_is_tried_until_it_is_sent_or_given_up(store: &dyn Backend) {
    send(store, 1, &["one", "two"]);
    let (one, two) = (find(store, "one"), find(store, "two"));
    commit(store, 2, vec![tried(one.number, Waiting, 17)]);
    let expected = Message {
        attempts: 1,
        next_at: seconds(17),
        last_error: Some("no answer".to_owned()),
        ..one.clone()
    };
    assert_eq!(find(store, "one"), expected);
    commit(store, 17, vec![tried(one.number, Waiting, 47)]);
    assert_eq!(find(store, "one").attempts, 2);
    let done = vec![tried(one.number, Sent, 50), tried(two.number, GivenUp, 60)];
    commit(store, 47, done);
    let expected = Message {
        state: Sent,
        attempts: 3,
        next_at: seconds(50),
        last_error: None,
        ..one
    };
    assert_eq!(find(store, "one"), expected);
    let expected = Message {
        state: GivenUp,
        attempts: 1,
        next_at: seconds(60),
        last_error: Some("no answer".to_owned()),
        ..two
    };
    assert_eq!(find(store, "two"), expected);
    assert!(due(store, i64::from(i32::MAX), 9).is_empty());
}

pub(crate) fn what_became_of_a_message_is_told_once(store: &dyn Backend) {
    send(store, 1, &["sent", "given up", "waiting"]);
    let number = |body| find(store, body).number;
    let ended = vec![
        tried(number("sent"), Sent, 2),
        tried(number("given up"), GivenUp, 2),
    ];
    commit(store, 2, ended);
    let before = everything(store);
    for state in MessageState::ALL {
        for (body, found) in [("sent", "sent"), ("given up", "given_up")] {
            let refused = try_commit(store, 3, vec![tried(number(body), state, 3)]);
            let expected = (
                format!("message {}", number(body)),
                found.to_owned(),
                "waiting".to_owned(),
            );
            assert_eq!(conflict(refused), expected);
        }
    }
    for unknown in [0, number("waiting") + 1, u64::MAX] {
        let refused = try_commit(store, 3, vec![tried(unknown, Sent, 3)]);
        assert_eq!(conflict(refused).1, "not known");
    }
    assert_eq!(everything(store), before);
    assert_eq!(due(store, 9, 9), ["waiting"]);
}

pub(crate) fn of_several_senders_one_tells_of_each_message(store: &dyn Backend) {
    const MESSAGES: usize = 60;
    let bodies: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
    send(store, 1, &bodies);
    let told = AtomicUsize::new(0);
    let work = || {
        // Each round somebody tells of a message, or there is none left.
        for _ in 0..=MESSAGES {
            let due = store.due_messages(seconds(9), 5).unwrap();
            if due.is_empty() {
                break;
            }
            for message in due {
                match try_commit(store, 9, vec![tried(message.number, Sent, 9)]) {
                    Ok(_) => {
                        told.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(StoreError::Conflict { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
    assert_eq!(told.into_inner(), MESSAGES);
    let all = store.recent_messages(usize::MAX).unwrap();
    assert_eq!(all.len(), MESSAGES);
    assert!(all.iter().all(|message| message.attempts == 1));
}
