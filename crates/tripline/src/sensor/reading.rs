use std::sync::mpsc::{Receiver, SyncSender};

use tripline_wire::{CaptureError, CaptureReader, DecodeOptions, Decoder, Packet};

use super::{BATCH_PACKETS, SensorCounts};

/// Packets in capture order, and what reading had come to by then.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) packets: Vec<Packet>,
    pub(super) counts: SensorCounts,
}

/// Reads until the end of the capture, or until nobody takes packets any more.
pub(super) fn read_all(
    capture: &mut CaptureReader<'_>,
    options: DecodeOptions,
    to_meter: &SyncSender<Batch>,
    spare: &Receiver<Vec<Packet>>,
) -> Result<SensorCounts, CaptureError> {
    let mut decoder = Decoder::new(options);
    loop {
        let mut packets = spare.try_recv().unwrap_or_default();
        packets.clear();
        packets.reserve(BATCH_PACKETS);
        // Frames without packets count too: a capture of nothing else must report progress.
        let mut is_end = false;
        let mut failure = None;
        for _ in 0..BATCH_PACKETS {
            match capture.next_frame() {
                Ok(Some(frame)) => packets.extend(decoder.decode(&frame)),
                Ok(None) => {
                    is_end = true;
                    break;
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let mut counts = SensorCounts {
            frames: capture.frames(),
            cut_short: capture.cut_short(),
            causes: *capture.causes(),
            fragments: decoder.fragments(),
            ..SensorCounts::default()
        };
        counts.causes.merge(decoder.causes());
        let batch = Batch {
            packets,
            counts: counts.clone(),
        };
        let is_unwanted = to_meter.send(batch).is_err();
        // What came before the reading failed is metered all the same.
        if let Some(error) = failure {
            return Err(error);
        }
        if is_unwanted || is_end {
            return Ok(counts);
        }
    }
}
