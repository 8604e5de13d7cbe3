//! Traffic that is valid and hard on whoever watches it. Streams, so that any length fits in
//! little memory.

use std::net::{IpAddr, Ipv4Addr};

use crate::frame::{self, Body, End, FrameSpec};
use crate::session::{ACK, PSH, SYN};

/// 2026-01-05, 09:00 UTC.
const START: i64 = 1_767_603_600_000_000;

/// A shape of hostile traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// SYNs, each from another source.
    Syns,
    /// Data segments of one TCP connection.
    OneFlow,
    /// Datagrams of this many flows in turn, so that all are open at the same time.
    Concurrent {
        /// Flows.
        flows: u32,
    },
}

/// Gives frames of one shape.
#[derive(Debug)]
pub struct Hostile {
    shape: Shape,
    packets: u64,
    next: u64,
    frame: Vec<u8>,
}

impl Hostile {
    /// This many packets of a shape, a microsecond apart.
    pub fn new(shape: Shape, packets: u64) -> Self {
        Self {
            shape,
            packets,
            next: 0,
            frame: Vec::new(),
        }
    }

    /// The next frame with its time.
    pub fn next_frame(&mut self) -> Option<(i64, &[u8])> {
        if self.next == self.packets {
            return None;
        }
        let turn = self.next;
        self.next += 1;
        let victim = End {
            address: IpAddr::V4(Ipv4Addr::new(192, 168, 1, 10)),
            port: 80,
        };
        let tcp = |flags, sequence| Body::Tcp {
            flags,
            sequence,
            acknowledgement: 1,
            window: 1024,
            option_bytes: 0,
        };
        // Multiplying by an odd number visits every address once before it repeats.
        let scattered = |number: u32| {
            let number = number.wrapping_mul(2_654_435_761);
            End {
                address: IpAddr::V4(Ipv4Addr::from(number)),
                port: 1024 + (number >> 17) as u16,
            }
        };
        let (from, body, payload_bytes) = match self.shape {
            Shape::Syns => (scattered(turn as u32), tcp(SYN, turn as u32), 0),
            Shape::OneFlow => {
                let client = End {
                    address: IpAddr::V4(Ipv4Addr::new(192, 168, 1, 20)),
                    port: 40_000,
                };
                (client, tcp(ACK | PSH, (turn as u32).wrapping_mul(100)), 100)
            }
            Shape::Concurrent { flows } => {
                let flow = (turn % u64::from(flows.max(1))) as u32;
                (scattered(flow), Body::Udp, 64)
            }
        };
        let spec = FrameSpec {
            from,
            to: victim,
            ttl: 64,
            identification: turn as u16,
            body,
            payload_bytes,
        };
        frame::build(&spec, &mut self.frame);
        Some((START + turn as i64, &self.frame))
    }
}
