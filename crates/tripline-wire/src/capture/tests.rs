mod chunks;
mod compressed;
mod pcap;
mod pcapng;

use super::*;
use crate::testing::read_all;

#[track_caller]
fn check_refused(bytes: &[u8], message: &str) {
    match read_all(bytes) {
        Ok(gave) => panic!("it was read: {gave:?}"),
        Err(error) => assert_eq!(error.to_string(), message),
    }
}

#[test]
fn an_empty_input_is_no_capture() {
    check_refused(b"", "this is no capture: it is empty");
}

#[test]
fn other_files_are_no_captures() {
    let expected = "this is no capture: expected pcap, pcapng, or one of them compressed with \
                    gzip or Zstandard, found the bytes ";
    check_refused(b"\x7fELF", &format!("{expected}7f 45 4c 46"));
    check_refused(
        b"a,b,c\n1,2,3\n4,5,6\n7,8,9\n",
        &format!("{expected}61 2c 62 2c 63 0a 31 2c"),
    );
    check_refused(b"\0", &format!("{expected}00"));
    check_refused(b"\xa1\xb2", &format!("{expected}a1 b2"));
}

#[test]
fn a_failing_reader_is_an_error_and_then_the_end() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the cable is out"))
        }
    }

    let message = "the capture could not be read further after 0 frames";
    let error = CaptureReader::new(Failing).unwrap_err();
    assert_eq!(error.to_string(), message);

    let file = crate::testing::PcapFile::ethernet().record(1, 2, b"frame");
    for bytes in [file.bytes.clone(), crate::testing::gzip(&file.bytes)] {
        // Cut inside what is compressed, so that the reader is asked for more.
        let cut = &bytes[..bytes.len() - 10];
        let gave = read_all(cut.chain(Failing));
        let failed = gave.map_or_else(
            |error| matches!(error, CaptureError::Read { .. }),
            |gave| gave.failed && gave.causes.total() == 0,
        );
        assert!(failed, "a failure of the source must not count as damage");
    }
}
