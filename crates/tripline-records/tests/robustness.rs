//! Random bytes: every reader ends, and gives no more than the input can hold.
#![allow(missing_docs)]

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use tripline_records::{
    CollectorLimits, EveReader, FlowCollector, FlowRecord, Item, RecordError, ZeekReader,
    import_datagrams,
};

/// Bytes that look like the beginning of something.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        Just(b"#separator \\x09\n#fields\tts\tid.orig_h\n".to_vec()),
        Just(b"{\"event_type\":\"flow\",".to_vec()),
        Just(b"{\"ts\":1,\"id.orig_h\":".to_vec()),
        Just(vec![0, 5, 0, 30]),
        Just(vec![0, 9, 0, 2]),
        Just(vec![0, 10, 0, 64]),
        Just(Vec::new()),
    ];
    (start, prop::collection::vec(any::<u8>(), 0..2048)).prop_map(|(mut start, rest)| {
        start.extend(rest);
        start
    })
}

fn drain(mut next: impl FnMut() -> Result<Option<Item>, RecordError>) -> (u64, u64) {
    let (mut records, mut rejected) = (0, 0);
    while let Ok(Some(item)) = next() {
        match item {
            Ok(_) => records += 1,
            Err(rejection) => {
                assert!(rejection.to_string().len() < 1000);
                rejected += 1;
            }
        }
    }
    (records, rejected)
}

/// Templates and data of IPFIX with hostile numbers in the right places.
fn message(fields: &[(u16, u16)], data: &[u8], domain: u32) -> Vec<u8> {
    let mut sets = Vec::new();
    let mut put = |id: u16, body: &[u8]| {
        sets.extend(id.to_be_bytes());
        sets.extend((body.len() as u16 + 4).to_be_bytes());
        sets.extend(body);
    };
    let mut template = [256_u16, fields.len() as u16]
        .map(u16::to_be_bytes)
        .concat();
    for (element, length) in fields {
        template.extend(element.to_be_bytes());
        template.extend(length.to_be_bytes());
    }
    put(2, &template);
    put(256, data);
    let mut message = vec![0, 10];
    message.extend((sets.len() as u16 + 16).to_be_bytes());
    message.extend([0x65, 0x92, 0, 0, 0, 0, 0, 0]);
    message.extend(domain.to_be_bytes());
    message.extend(sets);
    message
}

proptest! {
    #[test]
    fn logs_of_random_bytes(bytes in input()) {
        if let Ok(mut reader) = ZeekReader::new(bytes.as_slice()) {
            let (records, rejected) = drain(|| reader.next_record());
            prop_assert_eq!((records, rejected), (reader.counts().records, reader.counts().rejected));
            prop_assert!(records + rejected <= bytes.len() as u64);
        }
        if let Ok(mut reader) = EveReader::new(bytes.as_slice()) {
            let (records, rejected) = drain(|| reader.next_record());
            prop_assert_eq!((records, rejected), (reader.counts().records, reader.counts().rejected));
            prop_assert!(records + rejected <= bytes.len() as u64);
        }
    }

    #[test]
    fn datagrams_of_random_bytes(bytes in input()) {
        let mut collector = FlowCollector::new(CollectorLimits::default());
        let mut out: Vec<FlowRecord> = Vec::new();
        collector.datagram(IpAddr::V4(Ipv4Addr::LOCALHOST), &bytes, 0, &mut out);
        prop_assert!(out.len() <= bytes.len());
        let mut file = import_datagrams(bytes.as_slice(), CollectorLimits::default());
        let mut records = Vec::new();
        let mut messages = 0;
        while let Ok(Some(_)) = file.next_message(&mut records) {
            messages += 1;
            prop_assert!(messages <= bytes.len());
        }
    }

    #[test]
    fn templates_of_random_fields(
        fields in prop::collection::vec((any::<u16>(), prop_oneof![0_u16..9, any::<u16>()]), 0..200),
        data in prop::collection::vec(any::<u8>(), 0..4096),
        domain in any::<u32>(),
    ) {
        let mut collector = FlowCollector::new(CollectorLimits::default());
        let mut out = Vec::new();
        for _ in 0..2 {
            let datagram = message(&fields, &data, domain);
            collector.datagram(IpAddr::V4(Ipv4Addr::LOCALHOST), &datagram, 0, &mut out);
            prop_assert!(out.len() <= 2 * datagram.len());
        }
        prop_assert!(collector.templates() <= 1);
    }
}
