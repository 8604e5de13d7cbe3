use std::io::{self, BufReader, Read};

use super::*;

fn all(text: &[u8], capacity: usize) -> Vec<(u64, Found, Vec<u8>)> {
    let mut lines = LineReader::new(BufReader::with_capacity(capacity, text));
    let mut out = Vec::new();
    loop {
        let found = lines.advance().unwrap();
        if found == Found::End {
            return out;
        }
        out.push((lines.number(), found, lines.line().to_vec()));
    }
}

#[test]
fn blank_lines_count_but_do_not_show_and_ends_are_taken_off() {
    for capacity in [1, 2, 3, 64] {
        assert_eq!(
            all(b"\xef\xbb\xbfone\r\n\n  \nfour", capacity),
            [
                (1, Found::Line, b"one".to_vec()),
                (4, Found::Line, b"four".to_vec()),
            ]
        );
    }
    assert!(all(b"", 8).is_empty());
}

#[test]
fn a_line_beyond_the_limit_is_skipped_without_being_held() {
    let mut text = vec![b'x'; MAX_LINE_BYTES];
    text.push(b'\n');
    text.extend(std::iter::repeat_n(b'y', MAX_LINE_BYTES + 1));
    text.extend_from_slice(b"\nlast\n");
    let mut lines = LineReader::new(BufReader::with_capacity(4096, text.as_slice()));
    assert_eq!(lines.advance().unwrap(), Found::Line);
    assert_eq!(lines.line().len(), MAX_LINE_BYTES);
    assert_eq!(lines.advance().unwrap(), Found::TooLong);
    assert!(lines.line().len() <= MAX_LINE_BYTES);
    assert_eq!(lines.advance().unwrap(), Found::Line);
    assert_eq!((lines.line(), lines.number()), (&b"last"[..], 3));
    assert_eq!(lines.advance().unwrap(), Found::End);
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk is gone"))
    }
}

#[test]
fn a_failing_reader_is_an_error_with_the_line() {
    let mut lines = LineReader::new(BufReader::new(b"one\ntwo".as_slice().chain(Failing)));
    assert_eq!(lines.advance().unwrap(), Found::Line);
    assert_eq!(
        lines.advance().unwrap_err().to_string(),
        "the log could not be read further after line 1"
    );
}
