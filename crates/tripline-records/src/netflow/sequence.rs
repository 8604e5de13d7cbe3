//! What the sequence numbers of one exporter and domain tell about losses.

use super::causes::{Cause, Causes};

/// A jump back by less than this is a datagram out of order, by more a restart. A v5 datagram
/// counts 30 flows, an IPFIX message some hundred.
const LATE: u32 = 10_000;

/// A jump ahead by more than this is a restart.
const PLAUSIBLE_GAP: u32 = 1_000_000;

#[derive(Debug, Default)]
pub(super) struct Sequence {
    expected: Option<u32>,
    /// What would follow the last late message. If it comes, the exporter began anew.
    after_late: Option<u32>,
}

impl Sequence {
    /// Compares the number of a message with what was expected. `counted` is what the message
    /// itself adds, if known; `unit` is what the numbers count.
    pub(super) fn follow(
        &mut self,
        number: u32,
        counted: Option<u32>,
        unit: Cause,
        causes: &mut Causes,
    ) {
        let next = counted.map(|counted| number.wrapping_add(counted));
        let after_late = self.after_late.take();
        if let Some(expected) = self.expected {
            let ahead = number.wrapping_sub(expected);
            let behind = expected.wrapping_sub(number);
            if ahead == 0 {
            } else if ahead <= PLAUSIBLE_GAP {
                causes.count(Cause::SequenceGap);
                causes.add(unit, u64::from(ahead));
            } else if behind < LATE && after_late != Some(number) {
                causes.count(Cause::LateDatagram);
                self.after_late = next;
                // What comes next follows the messages that overtook this one.
                return;
            } else {
                causes.count(Cause::SequenceRestart);
            }
        }
        self.expected = next;
    }
}
