//! Capture files on the command line.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use tripline_flow::{Early, MeterConfig};
use tripline_wire::{CaptureReader, DecodeOptions};

use super::progress;
use crate::cli::MeterArgs;
use crate::sensor::SensorConfig;

/// Opens a capture with a progress bar over its bytes, or standard input.
pub(super) fn open(path: &Path) -> anyhow::Result<CaptureReader<'static>> {
    CaptureReader::new(open_bytes(path)?).with_context(|| path.display().to_string())
}

/// Opens a file with a progress bar over its bytes, or standard input.
pub(super) fn open_bytes(path: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    Ok(if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let bar = progress(Some(file.metadata()?.len()), "reading");
        Box::new(bar.wrap_read(file))
    })
}

/// What was typed, as the sensor takes it.
pub(super) fn config(args: &MeterArgs) -> SensorConfig {
    let early = (args.early_packets.is_some() || args.early_seconds.is_some()).then(|| Early {
        after_packets: args.early_packets.unwrap_or(u32::MAX),
        after_micros: args
            .early_seconds
            .map_or(i64::MAX, |seconds| (seconds * 1e6) as i64),
    });
    SensorConfig {
        decode: if args.as_original {
            DecodeOptions::original()
        } else {
            DecodeOptions::default()
        },
        meter: MeterConfig {
            max_bytes: (args.max_memory_mb as usize).saturating_mul(1 << 20),
            early,
            ..MeterConfig::default()
        },
    }
}
