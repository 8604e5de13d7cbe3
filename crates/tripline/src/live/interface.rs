//! Network interfaces, and a thread that takes frames from one and never waits for anybody.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use pcap::{Active, Capture, Device};
use tripline_wire::{DecodeOptions, Decoder, Fragment, Frame, LinkType, Packet};

use super::{
    LiveError,
    queue::{Ended, Queue, ReadCounts},
};

/// The pseudo-interface of Linux that stands for all of them.
pub(crate) const ANY: &str = "any";
/// How long the kernel may keep a packet back to hand over several at once.
const KERNEL_BATCH: Duration = Duration::from_millis(100);
/// Frames after which those who wait are told, whatever else has arrived.
const DISPATCH_FRAMES: usize = 1024;
/// How long what the kernel still holds may take at the end.
const REST_PATIENCE: Duration = Duration::from_millis(500);
/// libpcap's link layer number for raw IP on this system; captures in files have another one.
const DLT_RAW: i32 = 12;

/// An interface, and how it is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InterfaceConfig {
    /// Its name.
    pub(crate) name: String,
    /// Whether packets for others are wanted too.
    pub(crate) promiscuous: bool,
    /// Bytes captured of each frame.
    pub(crate) snaplen: u32,
    /// The kernel's buffer.
    pub(crate) buffer_mib: u32,
    /// A filter in the language of libpcap.
    pub(crate) bpf: Option<String>,
}

/// An interface of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InterfaceInfo {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) addresses: Vec<String>,
    pub(crate) is_up: bool,
}

/// The interfaces of this machine.
pub(crate) fn interfaces() -> Result<Vec<InterfaceInfo>, LiveError> {
    let devices = Device::list().map_err(|error| LiveError::List {
        reason: error.to_string(),
    })?;
    let info = |device: Device| InterfaceInfo {
        description: device.desc,
        addresses: device
            .addresses
            .iter()
            .map(|address| address.addr.to_string())
            .collect(),
        is_up: device.flags.is_up(),
        name: device.name,
    };
    Ok(devices.into_iter().map(info).collect())
}

/// Whether an interface is up by what the system says of it. Pseudo-interfaces are not, and give
/// frames all the same.
pub(super) fn is_up(name: &str) -> bool {
    let known = interfaces().unwrap_or_default();
    known.iter().any(|known| known.name == name && known.is_up)
}

/// Why an interface that was up gives nothing any more, if that is so.
pub(super) fn trouble(name: &str) -> Option<String> {
    if name == ANY {
        return None;
    }
    // A list that cannot be had says nothing about the interface.
    let known = interfaces().ok()?;
    match known.iter().find(|interface| interface.name == name) {
        None => Some(format!("interface '{name}' has disappeared")),
        Some(interface) if !interface.is_up => Some(format!("interface '{name}' went down")),
        Some(_) => None,
    }
}

/// An interface that is open.
pub(super) struct Open {
    capture: Capture<Active>,
    link: LinkType,
}

pub(super) fn open(config: &InterfaceConfig) -> Result<Open, LiveError> {
    let name = &config.name;
    let known = interfaces()?;
    if name != ANY && !known.iter().any(|interface| interface.name == *name) {
        return Err(LiveError::Unknown {
            name: name.clone(),
            known: known.into_iter().map(|known| known.name).collect(),
        });
    }
    if name == ANY && config.promiscuous {
        return Err(LiveError::Open {
            name: name.clone(),
            reason: "all interfaces together have no promiscuous mode; name one".to_owned(),
        });
    }
    let buffer = i32::try_from(u64::from(config.buffer_mib) << 20).unwrap_or(i32::MAX);
    let mut capture = Capture::from_device(name.as_str())
        .map_err(|error| failure(name, &error))?
        .promisc(config.promiscuous)
        .snaplen(i32::try_from(config.snaplen).unwrap_or(i32::MAX))
        .buffer_size(buffer)
        .timeout(KERNEL_BATCH.as_millis() as i32)
        .open()
        .map_err(|error| failure(name, &error))?;
    if let Some(expression) = &config.bpf {
        capture
            .filter(expression, true)
            .map_err(|error| LiveError::Filter {
                expression: expression.clone(),
                reason: words(&error),
            })?;
    }
    let link = match capture.get_datalink().0 {
        DLT_RAW => LinkType::RAW,
        number => LinkType(number.cast_unsigned()),
    };
    if !link.is_decoded() {
        return Err(LiveError::Open {
            name: name.clone(),
            reason: format!("frames of its link layer ({}) are not decoded", link.0),
        });
    }
    Ok(Open { capture, link })
}

/// libpcap's words without the crate's.
fn words(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(words) => words.clone(),
        other => other.to_string(),
    }
}

fn failure(name: &str, error: &pcap::Error) -> LiveError {
    let name = name.to_owned();
    let reason = words(error);
    let lower = reason.to_lowercase();
    let is_permission = ["permission", "permitted", "cap_net_raw"]
        .iter()
        .any(|word| lower.contains(word));
    if is_permission {
        LiveError::Permission { name, reason }
    } else {
        LiveError::Open { name, reason }
    }
}

impl Open {
    /// Starts the thread that takes frames, up to so many, and puts their packets into the queue.
    pub(super) fn start(
        mut self,
        queue: &Arc<Queue>,
        options: DecodeOptions,
        limit: Option<u64>,
    ) -> std::io::Result<thread::JoinHandle<()>> {
        queue.set_breakloop(self.capture.breakloop_handle());
        let queue = Arc::clone(queue);
        thread::Builder::new()
            .name("capture".to_owned())
            .spawn(move || {
                let ended = self.take_all(&queue, options, limit);
                queue.end(ended);
            })
    }

    fn take_all(mut self, queue: &Queue, options: DecodeOptions, limit: Option<u64>) -> Ended {
        let mut reading = Reading::new(self.link, options);
        let mut told = Instant::now();
        let ended = loop {
            let left = limit.map(|limit| limit - reading.counts.frames);
            if left == Some(0) {
                break Ended::Limit;
            }
            if queue.is_stopped() {
                break Ended::Asked;
            }
            let most = left.map_or(DISPATCH_FRAMES, |left| {
                DISPATCH_FRAMES.min(usize::try_from(left).unwrap_or(DISPATCH_FRAMES))
            });
            let taken = self
                .capture
                .dispatch(Some(most), |frame| reading.take(&frame));
            // libpcap looks for what the interface has lost in files, so not for every frame.
            if told.elapsed().as_secs() > 0 {
                told = Instant::now();
                tell_losses(&mut self.capture, &mut reading.counts);
            }
            reading.hand_over(queue);
            if let Err(error) = taken {
                break if queue.is_stopped() {
                    Ended::Asked
                } else {
                    Ended::Failed(words(&error))
                };
            }
        };
        if ended == Ended::Limit {
            tell_losses(&mut self.capture, &mut reading.counts);
        } else {
            self.take_rest(queue, &mut reading);
        }
        reading.hand_over(queue);
        ended
    }

    /// What came before the end and is still with the kernel, which hands frames over in blocks.
    fn take_rest(self, queue: &Queue, reading: &mut Reading) {
        thread::sleep(2 * KERNEL_BATCH);
        let Ok(mut capture) = self.capture.setnonblock() else {
            return;
        };
        // Others may go on sending; what they send now is after the end.
        let until = Instant::now() + REST_PATIENCE;
        // The wish for an end may not have been noticed yet, and then comes as an error.
        let mut errors_left = 1;
        while Instant::now() < until {
            let taken = capture.dispatch(Some(DISPATCH_FRAMES), |frame| reading.take(&frame));
            reading.hand_over(queue);
            match taken {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) if errors_left > 0 => errors_left -= 1,
                Err(_) => break,
            }
        }
        tell_losses(&mut capture, &mut reading.counts);
    }
}

/// From frames to packets, and what became of those that are none.
struct Reading {
    link: LinkType,
    decoder: Decoder,
    counts: ReadCounts,
    packets: Vec<Packet>,
}

impl Reading {
    fn new(link: LinkType, options: DecodeOptions) -> Self {
        Self {
            link,
            decoder: Decoder::new(options),
            counts: ReadCounts::default(),
            packets: Vec::with_capacity(DISPATCH_FRAMES),
        }
    }

    fn take(&mut self, frame: &pcap::Packet<'_>) {
        let header = frame.header;
        self.counts.frames += 1;
        self.counts.cut_short += u64::from(header.caplen < header.len);
        let frame = Frame {
            time_micros: header
                .ts
                .tv_sec
                .saturating_mul(1_000_000)
                .saturating_add(header.ts.tv_usec),
            link: self.link,
            data: frame.data,
            frame_bytes: header.len.max(header.caplen),
        };
        match self.decoder.decode(&frame) {
            Ok(packet) => {
                if packet.fragment != Fragment::Whole {
                    self.counts.fragments = self.decoder.fragments();
                }
                self.packets.push(packet);
            }
            Err(cause) => self.counts.causes.count(cause),
        }
    }

    fn hand_over(&mut self, queue: &Queue) {
        queue.push(&mut self.packets, &mut self.counts);
    }
}

fn tell_losses(capture: &mut Capture<Active>, counts: &mut ReadCounts) {
    // Without an answer the last one stands.
    if let Ok(stats) = capture.stats() {
        counts.dropped_kernel = u64::from(stats.dropped);
        counts.dropped_interface = u64::from(stats.if_dropped);
    }
}
