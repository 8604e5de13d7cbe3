//! Suricata's EVE log.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tripline_records::EveReader;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = EveReader::new(bytes) else {
        return;
    };
    let mut items = 0;
    while let Ok(Some(_)) = reader.next_record() {
        items += 1;
        assert!(items <= bytes.len(), "every item takes a byte");
    }
});
