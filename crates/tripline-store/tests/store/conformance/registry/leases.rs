use std::{
    sync::{Barrier, Mutex},
    thread,
};

use tripline_store::Backend;

use crate::fixtures::{registry::invalid, seconds};

/// How long leases of these tests are.
const LENGTH: i64 = 10;

/// Asks for the lease at this second.
fn take(store: &dyn Backend, holder: &str, second: i64) -> bool {
    store
        .take_lease("monitor", holder, seconds(second), seconds(second + LENGTH))
        .unwrap()
}

pub(crate) fn a_lease_has_one_holder(store: &dyn Backend) {
    let take_named = |name, holder| {
        store
            .take_lease(name, holder, seconds(100), seconds(110))
            .unwrap()
    };
    assert!(take_named("monitor", "one"));
    assert!(!take_named("monitor", "two"));
    assert!(take_named("monitor", "one"));
    // Names and holders are told apart to the letter.
    assert!(take_named("Monitor", "two"));
    assert!(take_named("monitor ", "two"));
    assert!(!take_named("monitor", "One"));
    assert!(!take_named("monitor", "one "));

    // Only the holder gives it back.
    store.release_lease("monitor", "two").unwrap();
    store.release_lease("monitor", "One").unwrap();
    store.release_lease("no such", "one").unwrap();
    assert!(!take_named("monitor", "two"));
    store.release_lease("monitor", "one").unwrap();
    assert!(take_named("monitor", "two"));
    assert!(!take_named("monitor", "one"));
    store.release_lease("monitor", "two").unwrap();
    store.release_lease("monitor", "two").unwrap();
    assert!(!take_named("Monitor", "one"));
}

pub(crate) fn a_lease_ends_and_another_takes_it(store: &dyn Backend) {
    assert!(take(store, "one", 100));
    // It lasts until its end, the end included.
    assert!(!take(store, "two", 109));
    assert!(!take(store, "two", 110));
    assert!(take(store, "two", 111));
    // The first one comes back too late.
    assert!(!take(store, "one", 112));
    store.release_lease("monitor", "one").unwrap();
    assert!(!take(store, "one", 113));
    // A long time later whoever comes first has it, its last holder too.
    assert!(take(store, "two", 1000));
    assert!(!take(store, "one", 1001));
}

pub(crate) fn a_holder_that_renews_keeps_its_lease(store: &dyn Backend) {
    for second in (100..200).step_by(5) {
        assert!(take(store, "one", second), "{second}");
        assert!(!take(store, "two", second + 1), "{second}");
    }
    assert!(!take(store, "two", 205));
    assert!(take(store, "two", 206));
}

pub(crate) fn a_clock_set_back_gives_nobody_a_lease_of_another(store: &dyn Backend) {
    assert!(take(store, "one", 1000));
    // An hour back, and the holder goes on as ever.
    for second in (100..200).step_by(5) {
        assert!(!take(store, "two", second), "{second}");
        assert!(take(store, "one", second + 1), "{second}");
        assert!(!take(store, "two", second + 2), "{second}");
    }
    // Its lease ends by the clock that there is now.
    assert!(!take(store, "two", 206));
    assert!(take(store, "two", 207));
}

pub(crate) fn a_clock_set_back_makes_nobody_wait_for_ever(store: &dyn Backend) {
    assert!(take(store, "gone", 1_000_000));
    // A whole lease from when somebody first asked, for the holder may be alive.
    assert!(!take(store, "two", 100));
    assert!(!take(store, "three", 105));
    assert!(!take(store, "two", 110));
    assert!(take(store, "two", 111));
    assert!(!take(store, "three", 112));
    assert!(!take(store, "gone", 113));
}

pub(crate) fn of_many_who_ask_one_has_the_lease(store: &dyn Backend) {
    const THREADS: usize = 4;
    for round in 0..20 {
        let second = 1000 * round;
        let start = Barrier::new(THREADS);
        let holders = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (start, holders) = (&start, &holders);
                scope.spawn(move || {
                    start.wait();
                    if take(store, &thread.to_string(), second) {
                        holders.lock().unwrap().push(thread);
                    }
                });
            }
        });
        let holders = holders.into_inner().unwrap();
        assert_eq!(holders.len(), 1, "round {round}: {holders:?}");
    }
}

pub(crate) fn a_lease_needs_names_that_can_be_kept(store: &dyn Backend) {
    let long = "x".repeat(513);
    for (name, holder, words) in [
        ("", "one", "name of a lease is empty, expected some text"),
        (
            "monitor",
            "",
            "holder of a lease is empty, expected some text",
        ),
        (
            &long,
            "one",
            "name of a lease is 513 bytes long, expected at most 512 bytes",
        ),
        (
            "monitor",
            &long,
            "holder of a lease is 513 bytes long, expected at most 512 bytes",
        ),
    ] {
        let refused = store.take_lease(name, holder, seconds(1), seconds(2));
        assert_eq!(invalid(refused), words);
    }
    let longest = "x".repeat(512);
    for name in [longest.as_str(), "' OR 1=1 --", "監視"] {
        assert!(
            store
                .take_lease(name, name, seconds(1), seconds(2))
                .unwrap()
        );
    }
    assert!(take(store, "one", 1));
}
