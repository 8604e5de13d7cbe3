//! One conversation: a script of actions that is turned into packets as they are asked for.

use std::collections::VecDeque;

use crate::Label;
use crate::frame::{Body, End, FrameSpec};
use crate::random::Random;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;
pub(crate) const URG: u8 = 0x20;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A step of a conversation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Action {
    /// Silence, in microseconds.
    Wait(u64),
    /// The three-way handshake.
    Handshake,
    /// SYNs that nobody answers, with the usual pauses.
    Unanswered { tries: u8 },
    /// SYNs that are reset.
    Refused { tries: u8 },
    /// Payload in segments, acknowledged.
    Send { from: Side, bytes: u32 },
    /// A packet with these flags, and the flags of the answer; 0 for none.
    Probe { flags: u8, answer: u8 },
    /// A lone packet with these flags.
    Lone { from: Side, flags: u8 },
    /// FIN, ACK, FIN, ACK, begun by one side.
    Close(Side),
    /// FIN of one side only, acknowledged.
    HalfClose(Side),
    /// RST of one side.
    Reset(Side),
    /// The last segment of a side again.
    Again(Side),
    /// A datagram.
    Datagram { from: Side, bytes: u16 },
    /// An ICMP message.
    Message {
        from: Side,
        kind: u8,
        code: u8,
        bytes: u16,
    },
    /// A packet of the client in a protocol without ports.
    Packet { protocol: u8, bytes: u16 },
}

/// How a host builds its packets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stack {
    pub(crate) syn_options: u8,
    pub(crate) options: u8,
    pub(crate) window: u16,
    pub(crate) ttl: u8,
}

impl Stack {
    const LINUX: Self = Self {
        syn_options: 20,
        options: 12,
        window: 64_240,
        ttl: 64,
    };

    /// One of the systems in use.
    pub(crate) fn any(random: &mut Random) -> Self {
        let stack = |syn_options, options, window, ttl| Self {
            syn_options,
            options,
            window,
            ttl,
        };
        match random.below(8) {
            0..=2 => Self {
                window: random.pick(&[64_240, 29_200, 14_600, 5_840, 65_535, 43_690]),
                ..Self::LINUX
            },
            3 | 4 => stack(12, 0, random.pick(&[64_240, 65_535, 8_192]), 128),
            5 => stack(24, 12, 65_535, 64),
            6 => stack(8, 0, random.pick(&[16_384, 65_535, 32_768]), 128),
            _ => stack(4, 0, random.whole_magnitude(512, 65_535) as u16, 255),
        }
    }
}

/// A packet that is to come.
#[derive(Debug, Clone, Copy)]
struct Due {
    delay: u64,
    from: Side,
    body: DueBody,
    payload: u16,
}

#[derive(Debug, Clone, Copy)]
enum DueBody {
    Tcp { flags: u8 },
    Again,
    Udp,
    Icmp { kind: u8, code: u8 },
    Other { protocol: u8 },
}

#[derive(Debug, Clone, Copy)]
struct TcpSide {
    sequence: u32,
    last_sequence: u32,
    last_payload: u16,
    window: u16,
}

/// A conversation that goes on.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) label: Label,
    pub(crate) client: End,
    pub(crate) server: End,
    client_stack: Stack,
    server_stack: Stack,
    script: VecDeque<Action>,
    due: VecDeque<Due>,
    sides: [TcpSide; 2],
    /// Microseconds from a packet of the client at the sensor to its answer there.
    server_delay: u64,
    /// The same for packets of the server.
    client_delay: u64,
    segment_bytes: u16,
    unseen: Option<Side>,
    pub(crate) random: Random,
    identification: u16,
}

/// Who talks, how far away, and what about.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) label: Label,
    pub(crate) client: End,
    pub(crate) server: End,
    pub(crate) client_stack: Stack,
    pub(crate) server_stack: Stack,
    /// Round trip between the ends in microseconds.
    pub(crate) round_trip: u64,
    /// The side whose packets take another way and do not pass the sensor.
    pub(crate) unseen: Option<Side>,
    pub(crate) actions: Vec<Action>,
}

impl Script {
    /// Routes are not always the same both ways: for a share of conversations one side is unseen.
    pub(crate) fn seen_in_part(mut self, share: f64, random: &mut Random) -> Self {
        if random.chance(share) {
            self.unseen = Some(random.pick(&[Side::Client, Side::Server, Side::Server]));
        }
        self
    }
}

impl Session {
    pub(crate) fn new(id: u64, script: Script, mut random: Random) -> Self {
        // The sensor stands somewhere between the two.
        let near_client = random.unit();
        let server_delay = (script.round_trip as f64 * near_client) as u64 + 20;
        let client_delay = script.round_trip.saturating_sub(server_delay) + 20;
        let side = |stack: Stack, random: &mut Random| TcpSide {
            sequence: random.next() as u32,
            last_sequence: 0,
            last_payload: 0,
            window: stack.window,
        };
        Self {
            id,
            label: script.label,
            client: script.client,
            server: script.server,
            client_stack: script.client_stack,
            server_stack: script.server_stack,
            script: script.actions.into(),
            due: VecDeque::new(),
            sides: [
                side(script.client_stack, &mut random),
                side(script.server_stack, &mut random),
            ],
            server_delay,
            client_delay,
            unseen: script.unseen,
            segment_bytes: random.pick(&[1460, 1448, 1460, 1380, 1410]),
            identification: random.next() as u16,
            random,
        }
    }

    /// Microseconds to the next packet; `None` at the end.
    pub(crate) fn next_delay(&mut self) -> Option<u64> {
        let mut waited = 0;
        while self.due.is_empty() {
            match self.script.pop_front()? {
                Action::Wait(micros) => waited += micros,
                action => self.expand(action),
            }
        }
        let first = self.due.front_mut()?;
        first.delay += waited;
        Some(first.delay)
    }

    /// Whether the packet that is due does not pass the sensor.
    pub(crate) fn is_unseen(&self) -> bool {
        self.due.front().map(|due| due.from) == self.unseen && self.unseen.is_some()
    }

    /// The packet that is due.
    pub(crate) fn take(&mut self) -> Option<FrameSpec> {
        let due = self.due.pop_front()?;
        let (from, to, stack) = match due.from {
            Side::Client => (self.client, self.server, self.client_stack),
            Side::Server => (self.server, self.client, self.server_stack),
        };
        self.identification = self.identification.wrapping_add(1);
        let mut payload = due.payload;
        let body = match due.body {
            DueBody::Udp => Body::Udp,
            DueBody::Other { protocol } => Body::Other { protocol },
            DueBody::Icmp { kind, code } => Body::Icmp {
                kind,
                code,
                rest: u32::from(self.identification) | 0x0042_0000,
            },
            DueBody::Tcp { flags } => self.segment(due.from, flags, payload, stack),
            DueBody::Again => {
                let side = self.sides[due.from as usize];
                payload = side.last_payload;
                Body::Tcp {
                    flags: ACK | PSH,
                    sequence: side.last_sequence,
                    acknowledgement: self.sides[due.from.other() as usize].sequence,
                    window: side.window,
                    option_bytes: stack.options,
                }
            }
        };
        Some(FrameSpec {
            from,
            to,
            ttl: stack.ttl,
            identification: self.identification,
            body,
            payload_bytes: payload,
        })
    }

    fn segment(&mut self, from: Side, flags: u8, payload: u16, stack: Stack) -> Body {
        let acknowledgement = if flags & ACK == 0 {
            0
        } else {
            self.sides[from.other() as usize].sequence
        };
        let moves = u32::from(payload) + u32::from(flags & (SYN | FIN) != 0);
        let drift = self.random.below(64) as u16;
        let side = &mut self.sides[from as usize];
        let sequence = side.sequence;
        if payload > 0 {
            side.last_sequence = sequence;
            side.last_payload = payload;
        }
        side.sequence = sequence.wrapping_add(moves);
        let window = if flags & RST == 0 || flags & SYN != 0 {
            side.window
        } else {
            0
        };
        if payload > 0 {
            side.window = side.window.saturating_sub(drift).max(stack.window / 2);
        }
        let is_syn = flags & SYN != 0;
        let is_bare_reset = flags == RST;
        Body::Tcp {
            flags,
            sequence,
            acknowledgement,
            window,
            option_bytes: match (is_syn, is_bare_reset) {
                (true, _) => stack.syn_options,
                (false, true) => 0,
                (false, false) => stack.options,
            },
        }
    }

    fn tcp(&mut self, delay: u64, from: Side, flags: u8, payload: u16) {
        self.due.push_back(Due {
            delay,
            from,
            body: DueBody::Tcp { flags },
            payload,
        });
    }

    /// Time until a side answers, with some jitter.
    fn answer_delay(&mut self, from: Side) -> u64 {
        let base = match from {
            Side::Client => self.client_delay,
            Side::Server => self.server_delay,
        };
        base + self.random.below(base / 8 + 30)
    }

    fn expand(&mut self, action: Action) {
        use Side::{Client, Server};
        match action {
            Action::Wait(_) => {}
            Action::Handshake => {
                self.tcp(0, Client, SYN, 0);
                let delay = self.answer_delay(Server);
                self.tcp(delay, Server, SYN | ACK, 0);
                let delay = self.answer_delay(Client);
                self.tcp(delay, Client, ACK, 0);
            }
            Action::Unanswered { tries } => {
                let sequence = self.sides[0].sequence;
                for turn in 0..tries {
                    let pause = if turn == 0 {
                        0
                    } else {
                        1_000_000 << (turn - 1)
                    };
                    self.tcp(pause, Client, SYN, 0);
                }
                self.sides[0].sequence = sequence;
            }
            Action::Refused { tries } => {
                for turn in 0..tries {
                    self.tcp(if turn == 0 { 0 } else { 500_000 }, Client, SYN, 0);
                    let delay = self.answer_delay(Server);
                    self.tcp(delay, Server, RST | ACK, 0);
                }
            }
            Action::Send { from, bytes } => self.send(from, bytes),
            Action::Probe { flags, answer } => {
                self.tcp(0, Client, flags, 0);
                if answer != 0 {
                    let delay = self.answer_delay(Server);
                    self.tcp(delay, Server, answer, 0);
                    if answer == SYN | ACK && flags == SYN {
                        let delay = self.answer_delay(Client);
                        self.tcp(delay, Client, RST, 0);
                    }
                }
            }
            Action::Lone { from, flags } => {
                let delay = self.answer_delay(from);
                self.tcp(delay, from, flags, 0);
            }
            Action::Close(from) => {
                let other = from.other();
                self.tcp(50, from, FIN | ACK, 0);
                let delay = self.answer_delay(other);
                if self.random.chance(0.5) {
                    self.tcp(delay, other, FIN | ACK, 0);
                } else {
                    self.tcp(delay, other, ACK, 0);
                    let pause = self.random.below(2000);
                    self.tcp(pause, other, FIN | ACK, 0);
                }
                let delay = self.answer_delay(from);
                self.tcp(delay, from, ACK, 0);
            }
            Action::HalfClose(from) => {
                self.tcp(50, from, FIN | ACK, 0);
                let delay = self.answer_delay(from.other());
                self.tcp(delay, from.other(), ACK, 0);
            }
            Action::Reset(from) => {
                let flags = if self.random.chance(0.5) {
                    RST
                } else {
                    RST | ACK
                };
                self.tcp(50, from, flags, 0);
            }
            Action::Again(from) => {
                let delay = 200_000 + self.random.below(100_000);
                self.due.push_back(Due {
                    delay,
                    from,
                    body: DueBody::Again,
                    payload: 0,
                });
            }
            Action::Datagram { from, bytes } => {
                let delay = self.answer_delay(from);
                self.due.push_back(Due {
                    delay,
                    from,
                    body: DueBody::Udp,
                    payload: bytes,
                });
            }
            Action::Packet { protocol, bytes } => {
                let delay = self.answer_delay(Client);
                self.due.push_back(Due {
                    delay,
                    from: Client,
                    body: DueBody::Other { protocol },
                    payload: bytes,
                });
            }
            Action::Message {
                from,
                kind,
                code,
                bytes,
            } => {
                let delay = self.answer_delay(from);
                self.due.push_back(Due {
                    delay,
                    from,
                    body: DueBody::Icmp { kind, code },
                    payload: bytes,
                });
            }
        }
    }

    /// Segments of one direction, every second one acknowledged. What is very long goes on as
    /// another action, so that memory stays small.
    fn send(&mut self, from: Side, bytes: u32) {
        const SEGMENTS: u32 = 64;
        let segment = u32::from(self.segment_bytes);
        let now = bytes.min(segment * SEGMENTS);
        if bytes > now {
            self.script.push_front(Action::Send {
                from,
                bytes: bytes - now,
            });
        }
        let other = from.other();
        let (mut left, mut unacknowledged) = (now, 0);
        let mut delay = self.answer_delay(from);
        while left > 0 {
            let payload = left.min(segment);
            left -= payload;
            let flags = if left == 0 { PSH | ACK } else { ACK };
            self.tcp(delay, from, flags, payload as u16);
            delay = 12 + self.random.below(120);
            unacknowledged += 1;
            if unacknowledged == 2 || (left == 0 && self.random.chance(0.7)) {
                let delay = self.answer_delay(other) / 4;
                self.tcp(delay, other, ACK, 0);
                unacknowledged = 0;
            }
        }
    }
}
