//! Frames of a link type: a byte for the options, two for the link type, then frames, each behind
//! its length in two bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tripline_fuzz::{check_frame, options};
use tripline_wire::{Decoder, Frame, LinkType};

fuzz_target!(|bytes: &[u8]| {
    let Some(([choice, low, high], mut rest)) = bytes.split_first_chunk::<3>() else {
        return;
    };
    let link = LinkType(u32::from(u16::from_le_bytes([*low, *high])));
    let mut decoder = Decoder::new(options(*choice));
    let mut frames = 0;
    while let Some((length, more)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(more.len());
        let (data, next) = more.split_at(length);
        rest = next;
        frames += 1;
        let frame = Frame {
            // Some frames come after the table of fragments has forgotten the others.
            time_micros: frames * 7_000_000,
            link,
            data,
            frame_bytes: data.len() as u32,
        };
        check_frame(&mut decoder, &frame);
    }
    assert_eq!(frames as u64, decoder.packets() + decoder.causes().total());
});
