//! Every public capture is read to its end, whatever is wrong with it.
#![allow(missing_docs)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests too"
)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tripline_wire::{CaptureError, CaptureReader, Causes, DecodeOptions, Decoder, FragmentCounts};

/// What a folder of captures gave.
#[derive(Debug, Default)]
struct Total {
    files: usize,
    /// Files that are no captures.
    refused: usize,
    frames: u64,
    packets: u64,
    undecoded: Causes,
    unread: Causes,
    fragments: FragmentCounts,
}

fn captures() -> Option<PathBuf> {
    let data = std::env::var_os("TRIPLINE_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let folder = data.join("captures");
    if !folder.is_dir() {
        println!(
            "SKIPPED: no captures in {}; set TRIPLINE_DATA",
            folder.display()
        );
        return None;
    }
    Some(folder)
}

fn read(path: &Path, options: DecodeOptions, total: &mut Total) {
    total.files += 1;
    let mut capture = match CaptureReader::new(File::open(path).unwrap()) {
        Ok(capture) => capture,
        Err(CaptureError::Read { source, .. }) => panic!("{}: {source}", path.display()),
        Err(_) => {
            total.refused += 1;
            return;
        }
    };
    let mut decoder = Decoder::new(options);
    let mut frames = 0;
    while let Some(frame) = capture.next_frame().unwrap() {
        frames += 1;
        assert!(frame.frame_bytes as usize >= frame.data.len());
        _ = decoder.decode(&frame);
    }
    assert_eq!(capture.frames(), frames, "{}", path.display());
    let told = decoder.packets() + decoder.causes().total();
    assert_eq!(frames, told, "{}", path.display());
    total.frames += frames;
    total.packets += decoder.packets();
    total.undecoded.merge(decoder.causes());
    total.unread.merge(capture.causes());
    total.fragments.fragments += decoder.fragments().fragments;
    total.fragments.orphans += decoder.fragments().orphans;
    total.fragments.overlapping += decoder.fragments().overlapping;
}

fn read_folder(name: &str) -> Option<Total> {
    let folder = captures()?.join(name);
    let mut total = Total::default();
    for options in [DecodeOptions::original(), DecodeOptions::default()] {
        total = Total::default();
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                read(&path, options, &mut total);
            }
        }
    }
    println!("{name}: {total:?}");
    assert!(total.files > 0);
    Some(total)
}

#[test]
fn nasty_captures_are_read_to_their_end() {
    let Some(total) = read_folder("nasty") else {
        return;
    };
    assert!(total.packets > 0 && total.undecoded.total() > 0 && total.unread.total() > 0);
}

#[test]
fn captures_of_attacks_are_read_to_their_end() {
    let Some(total) = read_folder("attack") else {
        return;
    };
    assert_eq!(total.refused, 0);
}

#[test]
fn benign_captures_are_read_to_their_end() {
    let Some(total) = read_folder("benign") else {
        return;
    };
    assert_eq!(total.refused, 0);
}
