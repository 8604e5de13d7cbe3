//! NetFlow v5, v9 and IPFIX: the input as a file of messages, and as datagrams, each behind a byte
//! for its exporter and its length in two bytes.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use libfuzzer_sys::fuzz_target;
use tripline_records::{CollectorLimits, FlowCollector, Withdrawals, import_datagrams};

/// Small enough that everything is pushed out by something.
const LIMITS: CollectorLimits = CollectorLimits {
    max_exporters: 2,
    max_domains_per_exporter: 2,
    max_templates_per_exporter: 4,
    max_fields_per_template: 64,
    max_field_bytes: 512,
    withdrawals: Withdrawals::Obey,
};

fuzz_target!(|bytes: &[u8]| {
    let mut records = Vec::new();
    let mut file = import_datagrams(bytes, CollectorLimits::default());
    let mut messages = 0;
    while let Ok(Some(_)) = file.next_message(&mut records) {
        messages += 1;
        assert!(messages <= bytes.len(), "every message takes a byte");
        records.clear();
    }
    assert!(file.bytes_read() <= bytes.len() as u64);

    let mut collector = FlowCollector::new(LIMITS);
    let mut rest = bytes;
    let mut datagrams = 0;
    while let Some(([exporter, low, high], more)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(more.len());
        let (datagram, next) = more.split_at(length);
        rest = next;
        datagrams += 1;
        let exporter = IpAddr::V4(Ipv4Addr::new(10, 0, 0, exporter & 3));
        records.clear();
        let outcome = collector.datagram(exporter, datagram, datagrams * 1_000_000, &mut records);
        assert_eq!(outcome.records, records.len());
        assert!(records.len() <= datagram.len(), "every record takes a byte");
    }
    assert_eq!(collector.counts().datagrams, datagrams as u64);
    assert!(collector.exporters() <= LIMITS.max_exporters);
    assert!(collector.templates() <= LIMITS.max_exporters * LIMITS.max_templates_per_exporter);
});
