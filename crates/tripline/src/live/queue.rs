//! What lies between the thread that takes frames and the one that meters them: bounded, and never
//! waited for by the former. What does not fit is shed here, and counted.

use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use pcap::BreakLoop;
use tripline_wire::{Causes, FragmentCounts, Packet};

/// Packets that may wait, some 30 MB of them.
const MAX_PACKETS: usize = 1 << 18;
/// Packets that may wait in any case.
const MIN_PACKETS: usize = 1 << 12;
/// Packets that may wait while it is not known yet how fast metering is.
const FIRST_PACKETS: usize = 1 << 15;
/// Packets may wait for as long as metering takes for them. Where more come than can be metered for a
/// while, it is better to shed at once than to be late with everything from then on.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// Fewer packets than this tell nothing of how fast metering is.
const TELLING_PACKETS: usize = 1024;
/// Packets that are worth waking up for.
const WAKE_PACKETS: usize = 4096;

/// What became of the frames of an interface.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ReadCounts {
    pub(super) frames: u64,
    pub(super) cut_short: u64,
    pub(super) causes: Causes,
    pub(super) fragments: FragmentCounts,
    pub(super) dropped_queue: u64,
    pub(super) dropped_kernel: u64,
    pub(super) dropped_interface: u64,
}

/// Why no more frames come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Somebody asked for it.
    Asked,
    /// As many frames, or as much time, as was asked for.
    Limit,
    /// The interface gives nothing any more.
    Failed(String),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Asked => "asked to stop",
            Self::Limit => "the limit is reached",
            Self::Failed(reason) => reason,
        })
    }
}

/// Packets that wait, and how reading goes.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    ready: Condvar,
    stopped: AtomicBool,
    breakloop: Mutex<Option<BreakLoop>>,
    max_packets: usize,
}

struct Waiting {
    packets: Vec<Packet>,
    /// How many may be there.
    room: usize,
    counts: ReadCounts,
    ended: Option<Ended>,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Queue")
            .field("stopped", &self.is_stopped())
            .finish_non_exhaustive()
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::holding(MAX_PACKETS)
    }
}

impl Queue {
    fn holding(max_packets: usize) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                packets: Vec::new(),
                room: FIRST_PACKETS.min(max_packets),
                counts: ReadCounts::default(),
                ended: None,
            }),
            ready: Condvar::new(),
            stopped: AtomicBool::new(false),
            breakloop: Mutex::default(),
            max_packets,
        }
    }

    /// How to wake the thread that waits for frames.
    pub(super) fn set_breakloop(&self, handle: BreakLoop) {
        *lock(&self.breakloop) = Some(handle);
    }

    /// Asks for an end. Only the first time does anything: the thread that was woken is not to be
    /// disturbed while it takes what is left.
    pub(super) fn stop(&self) {
        if self.stopped.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(handle) = &*lock(&self.breakloop) {
            handle.breakloop();
        }
    }

    /// Whether somebody asked for an end.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Takes packets and counts; what does not fit is counted as dropped. `packets` is empty then.
    pub(super) fn push(&self, packets: &mut Vec<Packet>, counts: &mut ReadCounts) {
        let mut waiting = lock(&self.waiting);
        let room = waiting.room.saturating_sub(waiting.packets.len());
        counts.dropped_queue += packets.len().saturating_sub(room) as u64;
        packets.truncate(room);
        waiting.packets.append(packets);
        waiting.counts = *counts;
        if waiting.packets.len() >= WAKE_PACKETS {
            self.ready.notify_one();
        }
    }

    /// Tells how long it took to meter, judge and hand over so many packets: as many may wait from now
    /// on as that can be done for in time.
    pub(super) fn pace(&self, packets: usize, took: Duration) {
        if packets < TELLING_PACKETS {
            return;
        }
        let per_wait = packets as f64 * LONGEST_WAIT.as_secs_f64() / took.as_secs_f64().max(1e-9);
        let mut waiting = lock(&self.waiting);
        // What is too slow is late from the first moment; that it is quick has to last.
        let room = per_wait.min((waiting.room as f64 * 3.0 + per_wait) / 4.0);
        waiting.room = (room as usize).clamp(MIN_PACKETS.min(self.max_packets), self.max_packets);
    }

    /// Tells that no more come; the first reason stands.
    pub(super) fn end(&self, ended: Ended) {
        lock(&self.waiting).ended.get_or_insert(ended);
        self.ready.notify_one();
    }

    /// Waits a while for packets, and swaps those that are there into `packets`, which must be
    /// empty. With an end come the last of them.
    pub(super) fn take(
        &self,
        packets: &mut Vec<Packet>,
        patience: Duration,
    ) -> (ReadCounts, Option<Ended>) {
        let waiting = lock(&self.waiting);
        let (mut waiting, _) = self
            .ready
            .wait_timeout_while(waiting, patience, |waiting| {
                waiting.packets.len() < WAKE_PACKETS && waiting.ended.is_none()
            })
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.packets, packets);
        (waiting.counts, waiting.ended.clone())
    }
}

/// What these mutexes guard is changed by single calls that leave it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tripline_wire::{Address, Transport};

    use super::*;

    fn packets(count: usize) -> Vec<Packet> {
        let packet = Packet {
            time_micros: 0,
            source: Address::v4([192, 0, 2, 1]),
            destination: Address::v4([192, 0, 2, 2]),
            source_port: 1,
            destination_port: 2,
            protocol: 17,
            version: 4,
            header_bytes: 8,
            payload_bytes: 0,
            captured_payload_bytes: 0,
            ip_payload_bytes: 8,
            frame_bytes: 42,
            transport: Transport::Udp,
            fragment: tripline_wire::Fragment::Whole,
        };
        vec![packet; count]
    }

    #[test]
    fn what_does_not_fit_is_shed_and_counted() {
        let queue = Queue::holding(10);
        let mut counts = ReadCounts {
            frames: 17,
            ..ReadCounts::default()
        };
        queue.push(&mut packets(8), &mut counts);
        queue.push(&mut packets(6), &mut counts);
        queue.push(&mut packets(3), &mut counts);
        let mut taken = Vec::new();
        let (told, ended) = queue.take(&mut taken, Duration::ZERO);
        assert_eq!((taken.len(), told.dropped_queue, ended), (10, 7, None));
        // Taking makes room.
        taken.clear();
        queue.push(&mut packets(10), &mut counts);
        let (told, _) = queue.take(&mut taken, Duration::ZERO);
        assert_eq!((taken.len(), told.dropped_queue), (10, 7));
    }

    #[test]
    fn as_many_may_wait_as_can_be_metered_in_time() {
        let room = |queue: &Queue| lock(&queue.waiting).room;
        let queue = Queue::default();
        // Quick enough for everything, and too few to tell anything.
        for _ in 0..100 {
            queue.pace(100_000, Duration::from_millis(1));
        }
        queue.pace(1000, Duration::from_mins(1));
        assert_eq!(room(&queue), MAX_PACKETS);
        queue.pace(80_000, Duration::from_secs(1));
        assert_eq!(room(&queue), 40_000);
        queue.pace(2000, Duration::from_secs(100));
        assert_eq!(room(&queue), MIN_PACKETS);
    }

    #[test]
    fn the_end_comes_with_the_last_packets_and_its_first_reason() {
        let queue = Queue::holding(10);
        queue.push(&mut packets(2), &mut ReadCounts::default());
        queue.end(Ended::Failed("went down".to_owned()));
        queue.end(Ended::Asked);
        let mut taken = Vec::new();
        let (_, ended) = queue.take(&mut taken, Duration::from_hours(1));
        assert_eq!(taken.len(), 2);
        assert_eq!(ended, Some(Ended::Failed("went down".to_owned())));
    }
}
