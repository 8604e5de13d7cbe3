use std::io;

use proptest::prelude::*;

use super::*;

/// Reads a file to the end and renders rows, rejections and notes.
fn read(file: impl Read) -> Result<(RowBatch, Vec<String>), FeatureError> {
    let mut rows = CsvRows::new(file, CsvLimits::default())?;
    let mut batch = RowBatch::new();
    rows.read_batch(usize::MAX, &mut batch)?;
    assert_eq!(rows.read_batch(1, &mut RowBatch::new())?, 0);
    Ok((batch, rows.notes().lines()))
}

fn check_rejections(file: impl AsRef<[u8]>, accepted: usize, expected: &[&str]) {
    let (batch, _) = read(file.as_ref()).unwrap();
    let found: Vec<String> = batch
        .rejections
        .iter()
        .map(|rejection| {
            format!(
                "{} {:?} {}",
                rejection.line,
                rejection.column.as_deref().unwrap_or("-"),
                rejection.reason
            )
        })
        .collect();
    assert_eq!(found, expected);
    assert_eq!(batch.len(), accepted);
}

fn check_refusal(file: impl AsRef<[u8]>, expected: &str) {
    let error = read(file.as_ref()).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

const HEADER: &str = "src_bytes,dst_bytes,flag,label";

#[test]
fn files_that_are_not_csv_are_refused_with_the_reason() {
    check_refusal("", "the file is empty");
    check_refusal("\n \r\n\n", "the file is empty");
    check_refusal(",,,\n1,2,3,4\n", "names no column");
    check_refusal(b"\x00\x01\x02\x03garbage", "control character at byte 0");
    check_refusal(b"src_bytes,dst\x00_bytes\n", "control character at byte 13");
    check_refusal(b"\x1f\x8b\x08abc", "gzip");
    check_refusal(b"\xd4\xc3\xb2\xa1abc", "packet capture");
    check_refusal(b"\xff\xfes\x00r\x00c\x00", "UTF-16 (little-endian)");
    check_refusal(b"\xfe\xff\x00s\x00r", "UTF-16 (big-endian)");
    check_refusal(b"s\x00r\x00c\x00_\x00b\x00", "UTF-16 (little-endian)");
    check_refusal("src_bytes:dst_bytes:flag\n1:2:SF\n", "separated by ':'");
    check_refusal("src_bytes,dst_bytes,flag\r1,2,SF\r", "lone carriage return");
    check_refusal("name,size\na,1\n", "match no known schema");
    let wide = (0..10_000)
        .map(|index| format!("c{index}"))
        .collect::<Vec<_>>()
        .join(",");
    check_refusal(wide, "10000 columns, at most 2048");
    check_refusal(
        format!("{}\n1\n", "x".repeat(2 << 20)),
        "header line is longer",
    );
}

#[test]
fn a_header_without_rows_is_an_empty_result() {
    let mut rows = CsvRows::new(HEADER.as_bytes(), CsvLimits::default()).unwrap();
    assert_eq!(rows.read_batch(10, &mut RowBatch::new()).unwrap(), 0);
    assert_eq!((rows.rows_accepted(), rows.rows_rejected()), (0, 0));
}

#[test]
fn byte_order_mark_line_ends_and_quotes_do_not_matter() {
    let plain = format!("{HEADER}\n1,2,SF,normal\n3,4,S0,\"a \"\"b\"\",c\"\n");
    let (expected, _) = read(plain.as_bytes()).unwrap();
    assert_eq!(expected.labels[1].as_ref().unwrap().as_str(), "a \"b\",c");
    for file in [
        format!("\u{feff}{plain}"),
        plain.replace('\n', "\r\n"),
        format!("\n{plain}\n\r\n"),
        plain.trim_end().to_owned(),
        plain.replace("1,2,SF", "\"1\",\"2\",\"SF\""),
    ] {
        let (batch, notes) = read(file.as_bytes()).unwrap();
        assert_eq!(
            format!("{:?}{:?}", batch.values, batch.labels),
            format!("{:?}{:?}", expected.values, expected.labels)
        );
        assert_eq!(notes, Vec::<String>::new());
    }
}

#[test]
fn other_delimiters_are_read_and_told() {
    for delimiter in [";", "\t", "|"] {
        let file = format!("{HEADER}\n1,2,SF,normal\n").replace(',', delimiter);
        let (batch, notes) = read(file.as_bytes()).unwrap();
        assert_eq!(batch.len(), 1);
        assert!(notes[0].contains("instead of commas"), "{notes:?}");
    }
}

#[test]
fn rows_without_header_are_recognised() {
    let row = "0,tcp,http,SF,10,20,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,1,1,0.00,0.00,0.00,0.00,1.00,0.00,0.00,1,1,1.00,0.00,1.00,0.00,0.00,0.00,0.00,0.00";
    for (tail, label) in [
        ("", None),
        (",normal.", Some("normal")),
        (",neptune,21", Some("neptune")),
    ] {
        let (batch, _) = read(format!("{row}{tail}\n{row}{tail}\n").as_bytes()).unwrap();
        assert_eq!(batch.lines, [1, 2]);
        assert_eq!(batch.labels[0].as_ref().map(LabelText::as_str), label);
        assert!(batch.row(1).iter().all(|value| !value.is_nan()));
    }
}

#[test]
fn bad_rows_are_told_and_the_rest_is_read() {
    check_rejections(
        format!(
            "{HEADER}\n1,2,SF,x\n1,2,SF\n1,2,SF,x,y\n-1,2,SF,x\n1,2,XX,x\n1,a,SF,x\n,2,SF,x\n1,2,99,x\n{HEADER}\n1,2.5,SF,x\n7,8,S0,x\n"
        ),
        2,
        &[
            "3 \"-\" the row has 3 fields, expected 4",
            "4 \"-\" the row has 5 fields, expected 4",
            "5 \"src_bytes\" -1 is outside 0 to 9007199254740992",
            "6 \"flag\" unknown name \"XX\", expected one of OTH, REJ, RSTO, RSTOS0, RSTR, S0, S1, S2, S3, SF, SH",
            "7 \"dst_bytes\" expected a number, found \"a\"",
            "8 \"src_bytes\" the field is empty",
            "9 \"flag\" index 99 is outside the vocabulary of 11 names (0 to 10)",
            "10 \"-\" the row repeats the header line",
            "11 \"dst_bytes\" expected a whole number, found 2.5",
        ],
    );
}

#[test]
fn an_open_quote_costs_one_line() {
    check_rejections(
        format!("{HEADER}\n1,2,SF,\"x\n3,4,SF,y\n5,6,SF,z"),
        2,
        &["2 \"-\" a quoted field is never closed"],
    );
    let many = "3,4,SF,y\n".repeat(20_000);
    check_rejections(
        format!("{HEADER}\n1,2,SF,\"x\n{many}"),
        20_000,
        &["2 \"-\" a quoted field is never closed"],
    );
    check_rejections(
        format!("{HEADER}\n1,2,SF,\"two\nlines\"\n1,2,QQ,\n"),
        1,
        &[
            "4 \"flag\" unknown name \"QQ\", expected one of OTH, REJ, RSTO, RSTOS0, RSTR, S0, S1, S2, S3, SF, SH",
        ],
    );
}

/// A file whose second line is one field of that many bytes, produced while it is read.
struct LongField {
    head: io::Cursor<Vec<u8>>,
    left: usize,
    tail: io::Cursor<Vec<u8>>,
}

impl LongField {
    fn new(start: &str, bytes: usize) -> Self {
        Self {
            head: io::Cursor::new(format!("{HEADER}\n{start}").into_bytes()),
            left: bytes,
            tail: io::Cursor::new(b"\n1,2,SF,normal\n".to_vec()),
        }
    }
}

impl Read for LongField {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.head.read(out)?;
        if count > 0 {
            return Ok(count);
        }
        if self.left > 0 {
            let count = self.left.min(out.len());
            out[..count].fill(b'7');
            self.left -= count;
            return Ok(count);
        }
        self.tail.read(out)
    }
}

#[test]
fn a_huge_field_is_refused_without_taking_memory() {
    for (start, reason) in [
        ("1,2,SF,", "the row is longer than 1048576 bytes"),
        ("1,2,SF,\"", "the field is longer than 65536 bytes"),
    ] {
        let mut rows =
            CsvRows::new(LongField::new(start, 100 << 20), CsvLimits::default()).unwrap();
        let mut batch = RowBatch::new();
        rows.read_batch(10, &mut batch).unwrap();
        assert_eq!(batch.rejections[0].reason.to_string(), reason);
        assert_eq!((batch.len(), batch.lines[0]), (1, 3));
        assert!(rows.records.capacity() < 2 << 20);
    }
    check_rejections(
        format!("{HEADER}\n1,2,SF,{}\n1,2,SF,ok\n", "x".repeat(70_000)),
        1,
        &["2 \"label\" the field is longer than 65536 bytes"],
    );
}

#[test]
fn batches_are_bounded_and_end_with_zero() {
    let file = format!("{HEADER}\n{}", "1,2,SF,x\nbad\n".repeat(50));
    let mut rows = CsvRows::new(file.as_bytes(), CsvLimits::default()).unwrap();
    let mut batch = RowBatch::new();
    let mut counts = Vec::new();
    loop {
        let count = rows.read_batch(30, &mut batch).unwrap();
        assert_eq!(count, batch.len() + batch.rejections.len());
        counts.push(count);
        if count == 0 {
            break;
        }
    }
    assert_eq!(counts, [30, 30, 30, 10, 0]);
    assert_eq!((rows.rows_accepted(), rows.rows_rejected()), (50, 50));
    assert_eq!(rows.bytes_read(), file.len() as u64);
}

#[test]
fn policy_applications_are_counted_for_accepted_rows() {
    let (batch, notes) = read(
        &b"Flow Duration,Flow Bytes/s,Fwd Header Length,Fwd Header Length,Label\n0,Infinity,-30036,-30036,Web Attack \x96 XSS\n0,NaN,20,20,BENIGN\nx,NaN,20,20,BENIGN\n"[..],
    )
    .unwrap();
    assert_eq!(
        batch.labels[0].as_ref().unwrap().as_str(),
        "Web Attack – XSS"
    );
    assert_eq!(
        notes,
        [
            "column \"Fwd Header Length\" occurs twice: the second is a copy and is not used",
            "1 value of \"Flow Bytes/s\" was infinite: read as missing",
            "1 value of \"Flow Bytes/s\" was NaN: read as missing",
            "1 value of \"Fwd Header Length\" was negative (overflow in the tool that wrote the file): read as missing",
            "1 label had a damaged dash: repaired",
        ]
    );
}

/// Hands out one byte at a time, so that every record crosses a read.
struct Dribble<'a>(&'a [u8]);

impl Read for Dribble<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.0.len().min(1).min(out.len());
        out[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

proptest! {
    #[test]
    fn the_order_of_columns_does_not_matter(order in Just((0..42).collect::<Vec<usize>>()).prop_shuffle(), seed: u64) {
        let mut file = Vec::new();
        crate::synthetic::write_csv(seed, 20, &mut file).unwrap();
        let text = String::from_utf8(file).unwrap();
        let shuffled: String = text
            .lines()
            .map(|line| {
                let fields: Vec<&str> = line.split(',').collect();
                let mut line = order.iter().map(|column| fields[*column]).collect::<Vec<_>>().join(",");
                line.push('\n');
                line
            })
            .collect();
        let (expected, _) = read(text.as_bytes()).unwrap();
        let (found, _) = read(shuffled.as_bytes()).unwrap();
        prop_assert_eq!(expected.values, found.values);
        prop_assert_eq!(expected.labels, found.labels);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(bytes.as_slice());
        let mut rows = HEADER.as_bytes().to_vec();
        rows.push(b'\n');
        rows.extend_from_slice(&bytes);
        let _ = read(rows.as_slice());
    }

    #[test]
    fn small_reads_give_the_same_rows(body in "[0-9,\"\\n\\rSF]{0,200}") {
        let file = format!("{HEADER}\n1,2,SF,x\n{body}");
        let (whole, _) = read(file.as_bytes()).unwrap();
        let (pieces, _) = read(Dribble(file.as_bytes())).unwrap();
        prop_assert_eq!(whole.lines, pieces.lines);
        prop_assert_eq!(whole.rejections, pieces.rejections);
    }
}
