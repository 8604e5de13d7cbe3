use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::Cause;

/// Largest Zstandard window: what its command line tool accepts without being told otherwise.
const ZSTD_WINDOW_LOG: u32 = 27;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

type Source<'r> = Box<dyn Read + Send + 'r>;

/// The input behind its compression.
pub(super) struct Input<'r> {
    reader: Source<'r>,
    watch: Arc<Watch>,
}

/// What happened at the source, below the decompressor.
#[derive(Debug, Default)]
struct Watch {
    bytes_read: AtomicU64,
    failed: AtomicBool,
}

struct Watched<'r> {
    inner: Source<'r>,
    watch: Arc<Watch>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.inner.read(buffer);
        match &result {
            Ok(read) => {
                let read = *read as u64;
                self.watch.bytes_read.fetch_add(read, Ordering::Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.watch.failed.store(true, Ordering::Relaxed),
        }
        result
    }
}

impl<'r> Input<'r> {
    /// Looks at the first bytes and puts the matching decompressor in between.
    pub(super) fn open(reader: Source<'r>) -> io::Result<Self> {
        let watch = Arc::new(Watch::default());
        let mut watched = Watched {
            inner: reader,
            watch: Arc::clone(&watch),
        };
        let mut first = Vec::with_capacity(ZSTD.len());
        (&mut watched)
            .take(ZSTD.len() as u64)
            .read_to_end(&mut first)?;
        let compression = (first.starts_with(&GZIP), first.starts_with(&ZSTD));
        let whole = Cursor::new(first).chain(watched);
        let reader: Source<'r> = match compression {
            (true, _) => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(whole))),
            (_, true) => {
                let mut decoder = zstd::stream::read::Decoder::new(whole)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            _ => Box::new(whole),
        };
        Ok(Self { reader, watch })
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.watch.bytes_read.load(Ordering::Relaxed)
    }

    /// What is wrong with the compressed data, if that is what an error means; `None` where the
    /// source failed.
    pub(super) fn damage(&self, error: &io::Error) -> Option<Cause> {
        if self.watch.failed.load(Ordering::Relaxed) {
            return None;
        }
        Some(match error.kind() {
            io::ErrorKind::UnexpectedEof => Cause::CutOff,
            _ => Cause::BadRecord,
        })
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}
