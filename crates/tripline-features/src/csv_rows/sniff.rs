//! Finds out from the first bytes and the first line what a file is.

use std::io::Read;

use memchr::memchr_iter;

use super::CsvLimits;
use super::records::{Fields, Next, Record, RecordReader, Unquoted};
use crate::columns::ColumnMap;
use crate::error::FeatureError;

/// Supported delimiters, most common first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Delimiters that are only recognised, to name them in the refusal.
const REFUSED_DELIMITERS: [u8; 4] = [b':', b' ', b'^', b'~'];

const SIGNATURES: [(&[u8], &str); 11] = [
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\xd4\xc3\xb2\xa1", "a packet capture"),
    (b"\xa1\xb2\xc3\xd4", "a packet capture"),
    (b"\x4d\x3c\xb2\xa1", "a packet capture"),
    (b"\x0a\x0d\x0d\x0a", "a packet capture"),
    (b"%PDF-", "a PDF document"),
    (b"PAR1", "a Parquet file"),
];

pub(super) struct Layout {
    pub(super) columns: ColumnMap,
    pub(super) remark: Option<String>,
}

pub(super) fn refuse_other_formats<R: Read>(
    records: &mut RecordReader<R>,
) -> Result<(), FeatureError> {
    let head = records.peek()?;
    if head.starts_with(b"\xef\xbb\xbf") {
        records.skip(3);
        return Ok(());
    }
    if let Some(order) = utf16_order(head) {
        return Err(FeatureError::Utf16 { order });
    }
    for (signature, what) in SIGNATURES {
        if head.starts_with(signature) {
            return Err(FeatureError::NotText { what, offset: 0 });
        }
    }
    let control = head
        .iter()
        .take(8192)
        .position(|byte| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0b | 0x0c));
    match control {
        Some(offset) => Err(FeatureError::NotText {
            what: "there is a control character",
            offset: offset as u64,
        }),
        None => Ok(()),
    }
}

/// By byte order mark, or by a zero in every second byte of the first few.
fn utf16_order(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(b"\xff\xfe") {
        return Some("little");
    }
    if head.starts_with(b"\xfe\xff") {
        return Some("big");
    }
    let pairs = head.get(..8)?.chunks_exact(2);
    let is_text = |byte: u8| byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r');
    if pairs.clone().all(|pair| is_text(pair[0]) && pair[1] == 0) {
        return Some("little");
    }
    pairs
        .clone()
        .all(|pair| pair[0] == 0 && is_text(pair[1]))
        .then_some("big")
}

pub(super) fn read_layout<R: Read>(
    records: &mut RecordReader<R>,
    limits: &CsvLimits,
) -> Result<Layout, FeatureError> {
    let record = match records.next()? {
        Next::Record(record) => record,
        Next::End => return Err(FeatureError::EmptyFile),
        Next::Refused { .. } => {
            let limit = limits.max_record_bytes;
            return Err(FeatureError::HeaderTooLong { limit });
        }
    };
    let bytes = records.bytes(&record);
    if let Some(offset) = bytes.iter().position(|byte| *byte == b'\r') {
        return Err(FeatureError::NotText {
            what: "lines end with a lone carriage return (old Macintosh text)",
            offset: offset as u64,
        });
    }
    let mut first_error = None;
    for delimiter in DELIMITERS {
        match layout_with(bytes, &record, delimiter, limits) {
            Ok((columns, has_header)) => {
                let remark = (delimiter != b',').then(|| {
                    format!(
                        "the columns are separated by {:?} instead of commas",
                        char::from(delimiter)
                    )
                });
                records.set_delimiter(delimiter);
                if !has_header {
                    records.put_back(&record);
                }
                return Ok(Layout { columns, remark });
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    let refused = REFUSED_DELIMITERS
        .into_iter()
        .find(|delimiter| layout_with(bytes, &record, *delimiter, limits).is_ok());
    Err(match refused {
        Some(delimiter) => FeatureError::WrongDelimiter {
            found: char::from(delimiter),
        },
        None => first_error.unwrap_or(FeatureError::EmptyFile),
    })
}

/// The columns if this is the delimiter, and whether the record is a header line.
fn layout_with(
    bytes: &[u8],
    record: &Record,
    delimiter: u8,
    limits: &CsvLimits,
) -> Result<(ColumnMap, bool), FeatureError> {
    let mut unquoted = Unquoted::default();
    let fields: Vec<&[u8]> = if record.quoted {
        unquoted.split(bytes, delimiter);
        unquoted.fields().take(limits.max_columns + 1).collect()
    } else {
        Fields::new(bytes, delimiter)
            .take(limits.max_columns + 1)
            .collect()
    };
    if fields.len() > limits.max_columns {
        let found = memchr_iter(delimiter, bytes).count() + 1;
        return Err(FeatureError::TooManyColumns {
            found,
            limit: limits.max_columns,
        });
    }
    if is_nsl_kdd_row(&fields) {
        return Ok((ColumnMap::for_headerless_nsl_kdd(fields.len())?, false));
    }
    let header: Vec<_> = fields
        .iter()
        .map(|field| String::from_utf8_lossy(field))
        .collect();
    Ok((ColumnMap::from_header(&header)?, true))
}

fn is_nsl_kdd_row(fields: &[&[u8]]) -> bool {
    let protocol = fields.get(1).map_or(&[][..], |field| field.trim_ascii());
    (41..=43).contains(&fields.len())
        && [&b"tcp"[..], b"udp", b"icmp"]
            .iter()
            .any(|name| protocol.eq_ignore_ascii_case(name))
}
