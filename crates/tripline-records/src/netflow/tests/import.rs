use std::io::Read;

use super::*;
use crate::RecordError;
use crate::testing::Random;

fn read(bytes: &[u8]) -> (Vec<FlowRecord>, CollectorCounts, Result<(), RecordError>) {
    let mut file = import_datagrams(bytes, CollectorLimits::default());
    let mut records = Vec::new();
    let result = loop {
        let before = file.bytes_read();
        match file.next_message(&mut records) {
            Ok(Some(_)) => assert!(file.bytes_read() > before),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (records, *file.counts(), result)
}

fn mixed() -> Vec<u8> {
    let parts = [
        v9::messages(),
        v9::messages(),
        v5::message(0),
        ipfix::message(),
        v9::messages(),
        ipfix::message(),
    ];
    parts.concat()
}

#[test]
fn messages_of_every_version_one_after_the_other() {
    let (records, counts, result) = read(&mixed());
    result.unwrap();
    assert_eq!((records.len(), counts.datagrams), (12, 6));
    assert_eq!(counts.oddities.start_far_off, 0);
    let sources: Vec<_> = records.iter().map(|record| record.source).collect();
    assert_eq!(
        sources[3..6],
        [
            RecordSource::NetflowV9,
            RecordSource::NetflowV5,
            RecordSource::NetflowV5
        ]
    );
    let (records, counts, result) = read(b"");
    result.unwrap();
    assert_eq!((records.len(), counts.datagrams), (0, 0));
}

#[test]
fn errors_say_where_and_what() {
    let after = |bytes: &[u8]| {
        let file = [&v5::message(0)[..], bytes].concat();
        read(&file).2.unwrap_err().to_string()
    };
    assert_eq!(
        after(b"\xd4\xc3\xb2\xa1\x02\0"),
        "no NetFlow message at byte 120, after 1 messages: expected version 5, 9 or 10, found the \
         bytes d4 c3"
    );
    assert_eq!(
        after(b"\0\x05\xff\xff"),
        "no NetFlow message at byte 120, after 1 messages: expected at most 1364 records in a \
         message of v5, found the bytes ff ff"
    );
    assert_eq!(
        after(b"\0\x0a\0\x0f"),
        "no NetFlow message at byte 120, after 1 messages: expected a message of IPFIX of at least \
         16 bytes, found the bytes 00 0f"
    );
    let mut bad_set = v9_message(0, 0, &b());
    bad_set.extend([0, 77, 0, 9]);
    assert_eq!(
        after(&bad_set),
        "no NetFlow message at byte 140, after 1 messages: expected a set of v9 or the next \
         message, found the bytes 00 4d 00 09"
    );
}

#[test]
fn a_file_cut_anywhere_ends() {
    let whole = mixed();
    for length in 0..whole.len() {
        let (records, _, result) = read(&whole[..length]);
        assert!(records.len() <= 12);
        // A cut inside a version number leaves no version.
        assert!(result.is_ok() || length % 2 == 1, "{length}");
    }
    let (records, counts, _) = read(&whole[..whole.len() - 1]);
    assert_eq!(records.len(), 10);
    assert!(counts.causes.of(Cause::Truncated) > 0);
}

#[test]
fn mutated_files_never_panic_and_always_end() {
    let original = mixed();
    let mut random = Random(9);
    for _ in 0..10_000 {
        let file = random.mutate(&original);
        let (records, _, _) = read(&file);
        assert!(records.len() <= file.len());
    }
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("the disk is gone"))
    }
}

#[test]
fn a_failing_reader_is_an_error_with_the_place() {
    let message = v5::message(0);
    let reader = message.as_slice().chain(&message[..30]).chain(Failing);
    let mut file = import_datagrams(reader, CollectorLimits::default());
    let mut records = Vec::new();
    file.next_message(&mut records).unwrap();
    assert_eq!(
        file.next_message(&mut records).unwrap_err().to_string(),
        "the file could not be read further after byte 150"
    );
}
