//! Attacks, as their tools look on the wire.

use std::net::IpAddr;

use super::Next;
use crate::frame::End;
use crate::network::Network;
use crate::random::Random;
use crate::session::{ACK, Action, FIN, PSH, RST, SYN, Script, Side, Stack, URG};
use crate::{AttackKind, AttackPlan, Label};
use Side::{Client, Server};

const SECOND: u64 = 1_000_000;

/// An attack that goes on.
#[derive(Debug)]
pub(crate) struct Attack {
    kind: AttackKind,
    start: i64,
    end: i64,
    intensity: f64,
    attacker: IpAddr,
    attacker_stack: Stack,
    victim: End,
    victim_stack: Stack,
    round_trip: u64,
    flavour: u64,
    /// Sessions that begin together.
    together: u64,
    turn: u64,
    /// Where the open ports of the victim are.
    open_every: u64,
    local_port: u16,
}

impl Attack {
    pub(crate) fn new(
        plan: &AttackPlan,
        plan_start: i64,
        network: &Network,
        random: &mut Random,
    ) -> Self {
        use AttackKind as A;
        let start = plan_start + plan.start_micros;
        let is_inside = matches!(plan.kind, A::Bot | A::Infiltration) || random.chance(0.3);
        let attacker = if is_inside {
            network.client(random)
        } else {
            Network::outside(random)
        };
        let victim = End {
            address: match plan.kind {
                A::Bot => Network::outside(random),
                _ => network.server(random),
            },
            port: match plan.kind {
                A::FtpPatator => 21,
                A::SshPatator => random.pick(&[22, 22, 22, 2222, 902]),
                A::Bot => 8080,
                A::Heartbleed => 443,
                _ => 80,
            },
        };
        Self {
            kind: plan.kind,
            start,
            end: start + plan.duration_micros,
            intensity: plan.intensity,
            attacker,
            attacker_stack: Stack::any(random),
            victim,
            victim_stack: Stack::any(random),
            round_trip: random.whole_magnitude(150, 60_000),
            flavour: random.next(),
            together: match plan.kind {
                A::FtpPatator | A::SshPatator => random.pick(&[1, 4, 6, 16]),
                _ => 1,
            },
            turn: 0,
            open_every: random.between(40, 400),
            local_port: random.between(33_000, 60_000) as u16,
        }
    }

    pub(crate) fn first_micros(&self) -> i64 {
        self.start
    }

    pub(crate) fn next(&mut self, now: i64, network: &mut Network, random: &mut Random) -> Next {
        let script = self.script(network, random);
        self.turn += 1;
        let gap = if self.turn.is_multiple_of(self.together) {
            let mean = self.mean_gap() * self.together as f64 / self.intensity;
            random.exponential(mean).max(1.0) as i64
        } else {
            random.between(80, 900) as i64
        };
        let again = now + gap;
        Next {
            script: Some(script),
            again: (again < self.end).then_some(again),
        }
    }

    /// Microseconds between sessions, as the tools begin them by default.
    fn mean_gap(&self) -> f64 {
        use AttackKind as A;
        match self.kind {
            A::DosHulk => 4_000.0,
            A::Ddos if self.flavour.is_multiple_of(4) => 8_000.0,
            A::Ddos => 700.0,
            // From a patient scan to a hasty one.
            A::PortScan => [60.0, 1_000.0, 12_000.0, 400.0][(self.flavour >> 8) as usize % 4],
            A::FtpPatator => 180_000.0,
            A::DosSlowloris | A::DosSlowhttptest => 25_000.0,
            A::SshPatator => 300_000.0,
            A::DosGoldenEye => 20_000.0,
            A::WebBruteForce => 1_200_000.0,
            A::Bot => 4_000_000.0,
            A::WebXss | A::WebSqlInjection => 1_500_000.0,
            A::Infiltration => 60_000.0,
            A::Heartbleed => 10_000_000.0,
        }
    }

    fn script(&mut self, network: &mut Network, random: &mut Random) -> Script {
        use AttackKind as A;
        let mut client = network.from(self.attacker);
        let mut server = self.victim;
        let actions = match self.kind {
            A::DosHulk => hulk(random),
            A::Ddos => {
                // Each host of the botnet for itself.
                client.address = Network::outside(random);
                self.flood(&mut client, &mut server, random)
            }
            A::PortScan => self.scan(&mut client, &mut server, random),
            A::FtpPatator => guesses_ftp(random),
            A::DosSlowloris => slowly(random, 12 * SECOND, (6, 30)),
            A::DosSlowhttptest => slowly(random, 10 * SECOND, (4, 400)),
            A::SshPatator => self.guesses_ssh(random),
            A::DosGoldenEye => golden_eye(random),
            A::WebBruteForce => web_session(random, (30, 120), (280, 460)),
            A::WebXss => web_session(random, (4, 60), (420, 900)),
            A::WebSqlInjection => web_session(random, (1, 8), (450, 1_100)),
            A::Bot => beacon(random),
            A::Infiltration => self.infiltration(&mut client, &mut server, network, random),
            A::Heartbleed => heartbleed(random),
        };
        let is_flood = matches!(self.kind, A::Ddos);
        Script {
            label: Label::Attack(self.kind),
            client,
            server,
            client_stack: if is_flood {
                Stack::any(random)
            } else {
                self.scan_stack()
            },
            server_stack: self.victim_stack,
            round_trip: self.round_trip,
            unseen: None,
            actions,
        }
        .seen_in_part(if self.is_seen_in_part() { 0.9 } else { 0.02 }, random)
    }

    /// Some attacks come by one way and are answered by another.
    fn is_seen_in_part(&self) -> bool {
        (self.flavour >> 32).is_multiple_of(4)
    }

    /// nmap builds its probes itself: a small window and one option.
    fn scan_stack(&self) -> Stack {
        if self.kind == AttackKind::PortScan && self.flavour % 9 != 1 {
            Stack {
                syn_options: 4,
                options: 0,
                window: 1024 * (1 + (self.turn % 4) as u16),
                ttl: 37 + (self.turn % 22) as u8,
            }
        } else {
            self.attacker_stack
        }
    }

    fn scan(&self, client: &mut End, server: &mut End, random: &mut Random) -> Vec<Action> {
        // Ports in a scattered order, so that each is asked once.
        server.port = ((self.turn.wrapping_mul(40_503) + self.flavour) % 65_535 + 1) as u16;
        let is_open = u64::from(server.port) % self.open_every == 0;
        let is_filtered = (self.flavour >> 16).is_multiple_of(4);
        let answer = |open: u8, closed: u8| match (is_open, is_filtered) {
            (true, _) => open,
            (false, true) => 0,
            (false, false) => closed,
        };
        let probe = |flags, answer| vec![Action::Probe { flags, answer }];
        if self.flavour % 9 != 1 {
            client.port = self.local_port;
        }
        match self.flavour % 9 {
            1 if is_open => vec![Action::Handshake, Action::Reset(Client)],
            1 => match answer(0, 1) {
                0 => vec![Action::Unanswered { tries: 2 }],
                _ => vec![Action::Refused { tries: 1 }],
            },
            2 => probe(FIN, answer(0, RST | ACK)),
            3 => probe(0, answer(0, RST | ACK)),
            4 => probe(FIN | PSH | URG, answer(0, RST | ACK)),
            5 => probe(ACK, answer(RST, RST)),
            6 => {
                let mut actions = vec![Action::Datagram {
                    from: Client,
                    bytes: random.pick(&[0, 0, 0, 8, 40]),
                }];
                if is_open {
                    actions.push(Action::Datagram {
                        from: Server,
                        bytes: 60,
                    });
                }
                actions
            }
            // A sweep: one service on every host of the network, or anywhere.
            7 => {
                server.port = random.pick(&[22, 80, 443, 445, 3389]);
                server.address = if self.flavour >> 20 & 1 == 0 {
                    neighbour(server.address, self.turn)
                } else {
                    Network::outside(random)
                };
                probe(
                    SYN,
                    if self.turn.is_multiple_of(17) {
                        SYN | ACK
                    } else {
                        0
                    },
                )
            }
            // Which protocols does the host speak?
            8 if self.flavour >> 20 & 1 == 0 => {
                client.port = 0;
                server.port = 0;
                let packet = |protocol| Action::Packet { protocol, bytes: 0 };
                let mut actions: Vec<Action> = (0..random.between(1, 120))
                    .map(|_| packet(random.between(59, 254) as u8))
                    .collect();
                actions.push(Action::Message {
                    from: Server,
                    kind: 3,
                    code: 2,
                    bytes: 28,
                });
                actions
            }
            _ => probe(SYN, answer(SYN | ACK, RST | ACK)),
        }
    }

    fn flood(&self, client: &mut End, server: &mut End, random: &mut Random) -> Vec<Action> {
        match self.flavour % 4 {
            0 => {
                let mut actions = vec![Action::Handshake];
                for _ in 0..random.between(1, 4) {
                    actions.push(send(Client, random.between(20, 400)));
                }
                actions.push(send(Server, random.between(300, 12_000)));
                actions.push(random.pick(&[Action::Close(Server), Action::Reset(Client)]));
                actions
            }
            1 => {
                if self.flavour >> 14 & 1 == 1 {
                    // Forged at both ends: what passes is the noise of a flood elsewhere.
                    *server = End {
                        address: Network::outside(random),
                        port: random.between(1, 65_535) as u16,
                    };
                    client.port = random.between(1, 65_535) as u16;
                }
                vec![Action::Probe {
                    flags: SYN,
                    answer: random.pick(&[0, 0, RST | ACK]),
                }]
            }
            2 => {
                server.port = random.between(1, 65_535) as u16;
                vec![Action::Datagram {
                    from: Client,
                    bytes: random.between(0, 1_400) as u16,
                }]
            }
            _ => {
                client.port = 0;
                server.port = 0;
                let bytes = random.pick(&[56, 1_024, 1_400]);
                let (kind, code) =
                    [(8, 0), (8, 0), (3, 3), (0, 0)][(self.flavour >> 12) as usize % 4];
                vec![
                    Action::Message {
                        from: Client,
                        kind,
                        code,
                        bytes,
                    };
                    random.whole_magnitude(1, 400) as usize
                ]
            }
        }
    }

    /// A tool does the same again and again: the sizes are those of the attack, not of the session.
    fn guesses_ssh(&self, random: &mut Random) -> Vec<Action> {
        let habits = &mut Random::new(self.flavour);
        let banners = (habits.between(20, 45), habits.between(20, 45));
        if random.chance(0.1) {
            // The server takes no more at a time.
            return vec![
                Action::Handshake,
                send(Client, banners.0),
                send(Server, banners.1),
                Action::Reset(Server),
            ];
        }
        let mut actions = vec![
            Action::Handshake,
            send(Server, banners.1),
            send(Client, banners.0),
            send(Client, habits.between(500, 1_600)),
            send(Server, habits.between(700, 1_200)),
            send(Client, habits.between(24, 300)),
            send(Server, habits.between(280, 900)),
            send(Client, habits.between(16, 60)),
            send(Client, habits.between(44, 60)),
            send(Server, habits.between(44, 60)),
        ];
        let guesses = habits.pick(&[1, 1, 3, 6]);
        for _ in 0..random.between(1, guesses) {
            actions.push(send(Client, random.between(60, 160)));
            actions.push(Action::Wait(random.whole_magnitude(SECOND / 3, 4 * SECOND)));
            actions.push(send(Server, random.between(50, 90)));
        }
        actions.push(habits.pick(&[
            Action::Close(Client),
            Action::Close(Server),
            Action::Reset(Client),
        ]));
        actions
    }

    /// A taken host looks around and copies what it finds.
    fn infiltration(
        &self,
        client: &mut End,
        server: &mut End,
        network: &Network,
        random: &mut Random,
    ) -> Vec<Action> {
        if self.turn % 40 == 39 {
            *server = End {
                address: network.server(random),
                port: 444,
            };
            let mut actions = vec![Action::Handshake];
            for _ in 0..random.between(2, 8) {
                actions.push(send(Client, random.between(60, 300)));
                actions.push(send(Server, random.whole_magnitude(10_000, 400_000)));
                actions.push(Action::Wait(random.whole_magnitude(SECOND, 20 * SECOND)));
            }
            actions.push(Action::Close(Client));
            return actions;
        }
        client.port = self.local_port;
        server.address = neighbour(server.address, self.turn / 30);
        server.port = (self.turn % 30 * 97 + 21) as u16;
        vec![Action::Probe {
            flags: SYN,
            answer: if self.turn.is_multiple_of(13) {
                SYN | ACK
            } else {
                RST | ACK
            },
        }]
    }
}

fn neighbour(address: IpAddr, turn: u64) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::V4([a, b, c, (turn % 254 + 1) as u8].into())
        }
        v6 @ IpAddr::V6(_) => v6,
    }
}

fn send(from: Side, bytes: u64) -> Action {
    Action::Send {
        from,
        bytes: bytes as u32,
    }
}

fn hulk(random: &mut Random) -> Vec<Action> {
    let mut actions = vec![Action::Handshake, send(Client, random.between(280, 420))];
    actions.push(Action::Wait(random.whole_magnitude(1_000, 3 * SECOND)));
    if random.chance(0.85) {
        actions.push(send(Server, random.between(10_500, 12_000)));
        actions.push(random.pick(&[Action::Close(Server), Action::Close(Client)]));
    } else {
        actions.push(Action::Reset(Server));
    }
    actions
}

fn golden_eye(random: &mut Random) -> Vec<Action> {
    let mut actions = vec![Action::Handshake];
    for _ in 0..random.between(1, 3) {
        actions.push(send(Client, random.between(280, 620)));
        actions.push(Action::Wait(random.whole_magnitude(1_000, 400_000)));
        actions.push(send(Server, random.between(3_000, 12_000)));
        actions.push(Action::Wait(random.between(4 * SECOND, 7 * SECOND)));
    }
    actions.push(random.pick(&[Action::Close(Server), Action::Reset(Client)]));
    actions
}

/// A connection held open with little pieces.
fn slowly(random: &mut Random, pause: u64, (least, most): (u64, u64)) -> Vec<Action> {
    let mut actions = vec![Action::Handshake, send(Client, random.between(120, 320))];
    if random.chance(0.25) {
        // The server is full, or has seen enough.
        actions.push(random.pick(&[
            Action::Close(Server),
            Action::Close(Client),
            Action::Reset(Server),
            Action::Reset(Client),
        ]));
        return actions;
    }
    for _ in 0..random.whole_magnitude(1, 12) {
        actions.push(Action::Wait(
            random.between(pause * 8 / 10, pause * 12 / 10),
        ));
        actions.push(send(Client, random.between(least, most)));
    }
    match random.below(4) {
        0 => actions.push(Action::Close(Server)),
        1 => actions.push(Action::Close(Client)),
        2 => actions.push(Action::Reset(Server)),
        _ => {}
    }
    actions
}

fn guesses_ftp(random: &mut Random) -> Vec<Action> {
    let mut actions = vec![Action::Handshake, send(Server, random.between(20, 320))];
    for _ in 0..random.between(1, 4) {
        actions.extend([
            send(Client, random.between(10, 20)),
            send(Server, random.between(30, 40)),
            send(Client, random.between(10, 24)),
            Action::Wait(random.whole_magnitude(SECOND / 2, 4 * SECOND)),
            send(Server, random.between(18, 32)),
        ]);
    }
    if random.chance(0.5) {
        actions.push(send(Client, 6));
        actions.push(send(Server, 14));
    }
    actions.push(random.pick(&[
        Action::Close(Client),
        Action::Close(Server),
        Action::Reset(Client),
    ]));
    actions
}

fn web_session(
    random: &mut Random,
    (fewest, most): (u64, u64),
    (short, long): (u64, u64),
) -> Vec<Action> {
    let mut actions = vec![Action::Handshake];
    for _ in 0..random.between(fewest, most) {
        actions.push(send(Client, random.between(short, long)));
        actions.push(Action::Wait(random.whole_magnitude(500, 40_000)));
        actions.push(send(Server, random.between(300, 5_000)));
        actions.push(Action::Wait(random.whole_magnitude(20_000, 900_000)));
    }
    actions.push(Action::Wait(5 * SECOND));
    actions.push(Action::Close(Server));
    actions
}

fn beacon(random: &mut Random) -> Vec<Action> {
    let mut actions = vec![Action::Handshake];
    for _ in 0..random.between(1, 3) {
        actions.push(send(Client, random.between(180, 330)));
        actions.push(send(Server, random.between(100, 240)));
        actions.push(Action::Wait(random.whole_magnitude(10_000, SECOND)));
    }
    actions.push(Action::Close(Server));
    actions
}

fn heartbleed(random: &mut Random) -> Vec<Action> {
    let mut actions = vec![
        Action::Handshake,
        send(Client, random.between(180, 320)),
        send(Server, random.between(900, 3_500)),
    ];
    for _ in 0..random.between(1, 90) {
        actions.push(send(Client, random.between(8, 70)));
        actions.push(send(Server, random.between(16_000, 65_000)));
        actions.push(Action::Wait(random.whole_magnitude(100_000, 2 * SECOND)));
    }
    actions.push(Action::Close(Client));
    actions
}
