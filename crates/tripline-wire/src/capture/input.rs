use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Largest Zstandard window: what its command line tool accepts without being told otherwise.
const ZSTD_WINDOW_LOG: u32 = 27;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

type Source<'r> = Box<dyn Read + Send + 'r>;

/// The input behind its compression.
pub(super) struct Input<'r> {
    reader: Source<'r>,
    compressed: bool,
    bytes_read: Arc<AtomicU64>,
}

struct Counted<'r> {
    inner: Source<'r>,
    count: Arc<AtomicU64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl<'r> Input<'r> {
    /// Looks at the first bytes and puts the matching decompressor in between.
    pub(super) fn open(reader: Source<'r>) -> io::Result<Self> {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let mut counted = Counted {
            inner: reader,
            count: Arc::clone(&bytes_read),
        };
        let mut first = Vec::with_capacity(ZSTD.len());
        (&mut counted)
            .take(ZSTD.len() as u64)
            .read_to_end(&mut first)?;
        let compression = (first.starts_with(&GZIP), first.starts_with(&ZSTD));
        let whole = Cursor::new(first).chain(counted);
        let reader: Source<'r> = match compression {
            (true, _) => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(whole))),
            (_, true) => {
                let mut decoder = zstd::stream::read::Decoder::new(whole)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            _ => Box::new(whole),
        };
        Ok(Self {
            reader,
            compressed: compression != (false, false),
            bytes_read,
        })
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Whether an error means that the compressed data is damaged, not that reading failed.
    pub(super) fn is_damage(&self, error: &io::Error) -> bool {
        // An error of the operating system has a number, one of a decompressor has none.
        self.compressed && error.raw_os_error().is_none()
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}
