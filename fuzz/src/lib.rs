//! What several targets need.

use tripline_wire::{CaptureReader, DecodeOptions, Decoder, Frame, Packet};

/// Frames of one input that are looked at: compressed data can hold millions of empty ones.
const MAX_FRAMES: usize = 20_000;

/// The options that a number chooses: how tunnels, fragments and lengths are read, and a table of
/// fragments that is small enough to be full.
pub fn options(choice: u8) -> DecodeOptions {
    let options = match choice & 1 {
        0 => DecodeOptions::default(),
        _ => DecodeOptions::original(),
    };
    DecodeOptions {
        max_datagrams: 4,
        ..options
    }
}

/// Reads a capture with all its frames and gives the packets to a function.
pub fn read_capture(bytes: &[u8], options: DecodeOptions, mut take: impl FnMut(Packet)) {
    let Ok(mut capture) = CaptureReader::new(bytes) else {
        return;
    };
    let mut decoder = Decoder::new(options);
    for _ in 0..MAX_FRAMES {
        let Ok(Some(frame)) = capture.next_frame() else {
            assert!(matches!(capture.next_frame(), Ok(None)), "an end is final");
            break;
        };
        if let Some(packet) = check_frame(&mut decoder, &frame) {
            take(packet);
        }
    }
    assert_eq!(
        capture.frames(),
        decoder.packets() + decoder.causes().total(),
        "every frame is a packet or a cause"
    );
    assert!(capture.cut_short() <= capture.frames());
    assert!(capture.bytes_read() <= bytes.len() as u64);
}

/// Decodes a frame and checks what holds for every packet.
pub fn check_frame(decoder: &mut Decoder, frame: &Frame<'_>) -> Option<Packet> {
    assert!(frame.frame_bytes as usize >= frame.data.len());
    let packet = decoder.decode(frame).ok()?;
    assert!(packet.version == 4 || packet.version == 6);
    assert!(packet.captured_payload_bytes as usize <= frame.data.len());
    assert!(packet.payload_bytes <= packet.ip_payload_bytes.max(frame.frame_bytes));
    assert_eq!(packet.time_micros, frame.time_micros);
    Some(packet)
}
