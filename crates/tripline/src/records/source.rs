//! What a file is, by its content, and how its records are read.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use anyhow::Context;
use tripline_records::{
    CollectorLimits, DatagramFile, EveReader, FlowRecord, RecordError, ZeekReader, import_datagrams,
};

use super::{JudgedRecord, RecordBooks, RecordJudges};

/// Bytes that are looked at.
const HEAD_BYTES: usize = 64 * 1024;
const BUFFER_BYTES: usize = 1 << 20;
/// Largest Zstandard window: what its command line tool accepts without being told otherwise.
const ZSTD_WINDOW_LOG: u32 = 27;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

type Bytes = Box<dyn Read + Send>;

/// An input, by what it is.
pub(crate) enum Input {
    /// Packets, or something that nobody knows.
    Capture(Bytes),
    /// Records of another sensor.
    Records(RecordFile),
}

/// Records in a file.
pub(crate) enum RecordFile {
    /// Zeek's `conn.log`.
    Zeek(Box<dyn BufRead + Send>),
    /// Suricata's EVE log.
    Eve(Box<dyn BufRead + Send>),
    /// Messages of `NetFlow` or IPFIX.
    Netflow(Box<dyn BufRead + Send>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Capture,
    Zeek,
    Eve,
    Netflow,
}

/// Looks at the beginning of an input, through gzip and Zstandard.
pub(crate) fn recognise(mut bytes: Bytes) -> io::Result<Input> {
    let head = read_head(&mut bytes)?;
    let (is_gzip, is_zstd) = (head.starts_with(&GZIP), head.starts_with(&ZSTD));
    let kind = if is_gzip || is_zstd {
        let mut plain = Vec::new();
        // The head ends in the middle of the compressed data; what is there is enough.
        let _ = decompressed(Box::new(Cursor::new(head.clone())), is_gzip)?
            .take(HEAD_BYTES as u64)
            .read_to_end(&mut plain);
        kind_of(&plain)
    } else {
        kind_of(&head)
    };
    let whole: Bytes = Box::new(Cursor::new(head).chain(bytes));
    if kind == Kind::Capture {
        // Captures bring their own decompression, which knows damage from errors of reading.
        return Ok(Input::Capture(whole));
    }
    let plain = if is_gzip || is_zstd {
        decompressed(whole, is_gzip)?
    } else {
        whole
    };
    let reader: Box<dyn BufRead + Send> = Box::new(BufReader::with_capacity(BUFFER_BYTES, plain));
    Ok(Input::Records(match kind {
        Kind::Zeek => RecordFile::Zeek(reader),
        Kind::Eve => RecordFile::Eve(reader),
        Kind::Netflow | Kind::Capture => RecordFile::Netflow(reader),
    }))
}

fn decompressed(bytes: Bytes, is_gzip: bool) -> io::Result<Bytes> {
    Ok(if is_gzip {
        Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(bytes)))
    } else {
        let mut decoder = zstd::stream::read::Decoder::new(bytes)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG)?;
        Box::new(decoder)
    })
}

/// Reads until the kind can be told: a pipe may take long to fill more.
fn read_head(bytes: &mut Bytes) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD_BYTES];
    let mut filled = 0;
    while filled < HEAD_BYTES {
        let read = match bytes.read(&mut head[filled..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        filled += read;
        let start = head[..filled].trim_ascii_start();
        // Of JSON the whole first line tells which log it is.
        let is_enough = match start.first() {
            None => false,
            Some(b'{') => start.contains(&b'\n'),
            Some(_) => filled >= ZSTD.len(),
        };
        if read == 0 || is_enough {
            break;
        }
    }
    head.truncate(filled);
    Ok(head)
}

fn kind_of(head: &[u8]) -> Kind {
    if matches!(head.first_chunk::<2>(), Some([0, 5 | 9 | 10])) {
        return Kind::Netflow;
    }
    let text = head.trim_ascii_start();
    match text.first() {
        Some(b'#') => Kind::Zeek,
        Some(b'{') => {
            let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let has = |name: &[u8]| line.windows(name.len()).any(|window| window == name);
            if has(b"\"event_type\"") && !has(b"\"id.orig_h\"") {
                Kind::Eve
            } else {
                Kind::Zeek
            }
        }
        _ => Kind::Capture,
    }
}

impl RecordFile {
    /// Whose records they are.
    pub(crate) fn sensor(&self) -> &'static str {
        match self {
            Self::Zeek(_) => "Zeek",
            Self::Eve(_) => "Suricata",
            Self::Netflow(_) => "NetFlow or IPFIX",
        }
    }

    /// Judges every record, in order. A file that cannot be read to its end gives what came
    /// before, if that is anything.
    pub(crate) fn judge(
        self,
        judges: &mut RecordJudges,
        mut receive: impl FnMut(&JudgedRecord, &RecordJudges) -> anyhow::Result<()>,
    ) -> anyhow::Result<RecordBooks> {
        let mut books = RecordBooks::new(self.sensor());
        let mut reader = Reader::new(self)?;
        let mut records = Vec::new();
        loop {
            let is_more = match reader.next(&mut records, &mut books) {
                Ok(is_more) => is_more,
                Err(error) if books.received() == 0 => return Err(error.into()),
                Err(error) => {
                    books.stopped = Some(format!("{:#}", anyhow::Error::from(error)));
                    false
                }
            };
            for record in records.drain(..) {
                let judged = judges.judge(record, None);
                books.add(&judged);
                receive(&judged, judges).context("the verdicts could not be written")?;
            }
            if !is_more {
                break;
            }
        }
        reader.close(&mut books);
        Ok(books)
    }
}

/// The reader for each kind of file.
enum Reader {
    Zeek(Box<ZeekReader<Box<dyn BufRead + Send>>>),
    Eve(Box<EveReader<Box<dyn BufRead + Send>>>),
    Netflow(Box<DatagramFile<Box<dyn BufRead + Send>>>),
}

impl Reader {
    fn new(file: RecordFile) -> Result<Self, RecordError> {
        Ok(match file {
            RecordFile::Zeek(reader) => Self::Zeek(Box::new(ZeekReader::new(reader)?)),
            RecordFile::Eve(reader) => Self::Eve(Box::new(EveReader::new(reader)?)),
            RecordFile::Netflow(reader) => {
                let file = import_datagrams(reader, CollectorLimits::default());
                Self::Netflow(Box::new(file))
            }
        })
    }

    /// Reads some records; false at the end.
    fn next(
        &mut self,
        records: &mut Vec<FlowRecord>,
        books: &mut RecordBooks,
    ) -> Result<bool, RecordError> {
        let item = match self {
            Self::Zeek(reader) => reader.next_record()?,
            Self::Eve(reader) => reader.next_record()?,
            Self::Netflow(file) => return Ok(file.next_message(records)?.is_some()),
        };
        match item {
            None => return Ok(false),
            Some(Ok(record)) => records.push(record),
            Some(Err(rejection)) => books.reject(&rejection),
        }
        Ok(true)
    }

    fn close(&self, books: &mut RecordBooks) {
        match self {
            Self::Zeek(reader) => books.set_lines(reader.counts()),
            Self::Eve(reader) => books.set_lines(reader.counts()),
            Self::Netflow(file) => books.set_datagrams(file.counts()),
        }
    }
}

#[cfg(test)]
mod tests;
