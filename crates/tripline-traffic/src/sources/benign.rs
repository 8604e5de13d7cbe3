//! Ordinary sessions: the protocols of an office, and beside them conversations of any shape, so
//! that ordinary traffic is not just what its authors thought of.

use std::collections::BTreeMap;

use super::Next;
use crate::Label;
use crate::frame::End;
use crate::network::Network;
use crate::random::Random;
use crate::session::{ACK, Action, FIN, PSH, Script, Side, Stack};
use Side::{Client, Server};

const SECOND: u64 = 1_000_000;

/// How many sessions begin because of one arrival, on average: a page or a burst is many.
const SESSIONS_PER_ARRIVAL: f64 = 4.2;

/// An office at work.
#[derive(Debug)]
pub(crate) struct Office {
    start: i64,
    end: i64,
    mean_gap: f64,
    /// Sessions that are still to begin because of earlier ones: a page, a burst of calls. By time
    /// and number.
    waiting: BTreeMap<(i64, u64), (Kind, Option<Ends>)>,
    numbers: u64,
    next_arrival: i64,
}

#[derive(Debug, Clone, Copy)]
struct Ends {
    client: std::net::IpAddr,
    server: End,
}

/// What a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dns,
    Ntp,
    Web,
    Tls,
    Ssh,
    Mail,
    Ftp,
    Ping,
    Stream,
    Broadcast,
    /// A remote procedure or a control protocol: many small exchanges.
    Exchanges,
    /// TCP of any shape.
    AnyTcp,
    /// UDP of any shape.
    AnyUdp,
    /// The beginning was not captured.
    MidStream,
    /// Nobody answers, or answers no.
    Failed,
    /// Datagrams to peers of which many are gone.
    Peer,
    /// A short call to a service on the spot.
    Call,
    /// Web over UDP.
    Quic,
    /// Routers and groups among themselves.
    Control,
    /// What could not be delivered.
    Notice,
}

impl Office {
    pub(crate) fn new(start: i64, end: i64, per_second: f64) -> Self {
        Self {
            start,
            end,
            mean_gap: SECOND as f64 * SESSIONS_PER_ARRIVAL / per_second,
            waiting: BTreeMap::new(),
            numbers: 0,
            next_arrival: start,
        }
    }

    pub(crate) fn first_micros(&self) -> i64 {
        self.start
    }

    pub(crate) fn next(&mut self, now: i64, network: &mut Network, random: &mut Random) -> Next {
        let is_due = |(time, _): &(i64, u64)| *time <= self.next_arrival;
        let (kind, ends) = match self.waiting.first_entry() {
            Some(first) if is_due(first.key()) => first.remove(),
            _ => {
                self.next_arrival = now + random.exponential(self.mean_gap) as i64;
                self.arrival(now, network, random)
            }
        };
        let script = script(kind, ends, network, random);
        let first = self.waiting.keys().next().map(|(time, _)| *time);
        let again = first.map_or(self.next_arrival, |first| first.min(self.next_arrival));
        Next {
            script: Some(script),
            again: (again < self.end).then_some(again.max(now)),
        }
    }

    /// Chooses what happens next, and what begins together with it.
    fn arrival(
        &mut self,
        now: i64,
        network: &Network,
        random: &mut Random,
    ) -> (Kind, Option<Ends>) {
        let kind = match random.below(1000) {
            0..240 => Kind::Dns,
            240..255 => Kind::Ntp,
            255..355 => Kind::Web,
            355..480 => Kind::Tls,
            480..505 => Kind::Ssh,
            505..535 => Kind::Mail,
            535..550 => Kind::Ftp,
            550..580 => Kind::Ping,
            580..595 => Kind::Stream,
            595..615 => Kind::Broadcast,
            615..655 => Kind::Exchanges,
            655..765 => Kind::AnyTcp,
            765..835 => Kind::AnyUdp,
            835..855 => Kind::MidStream,
            855..870 => Kind::Quic,
            870..900 => Kind::Failed,
            900..910 => Kind::Control,
            910..920 => Kind::Notice,
            920..965 => Kind::Peer,
            _ => Kind::Call,
        };
        let (count, spread) = match kind {
            Kind::Web | Kind::Tls if random.chance(0.4) => (random.whole_magnitude(2, 30), 400_000),
            Kind::Peer => (random.whole_magnitude(2, 60), 4 * SECOND),
            Kind::Call if random.chance(0.3) => (
                random.whole_magnitude(2, 400),
                random.whole_magnitude(SECOND, 20 * SECOND),
            ),
            // Somebody administers many things at once.
            Kind::Ssh if random.chance(0.2) => (random.whole_magnitude(2, 16), 500_000),
            Kind::Dns if random.chance(0.2) => (random.whole_magnitude(2, 12), 200_000),
            Kind::AnyTcp if random.chance(0.15) => (
                random.whole_magnitude(2, 40),
                random.whole_magnitude(10_000, 10 * SECOND),
            ),
            Kind::AnyUdp if random.chance(0.1) => (
                random.whole_magnitude(2, 40),
                random.whole_magnitude(10_000, 10 * SECOND),
            ),
            _ => (1, 1),
        };
        // Calls and pages go to one server, peers are many.
        let together = (count > 1 && kind != Kind::Peer).then(|| Ends {
            client: network.client(random),
            server: server_of(kind, network, random),
        });
        for _ in 1..count {
            let time = now + random.below(spread) as i64;
            self.numbers += 1;
            self.waiting.insert((time, self.numbers), (kind, together));
        }
        (kind, together)
    }
}

fn server_of(kind: Kind, network: &Network, random: &mut Random) -> End {
    let port = match kind {
        Kind::Dns => 53,
        Kind::Ntp => 123,
        Kind::Web => random.pick(&[80, 80, 80, 80, 8080, 3128]),
        Kind::Tls => random.pick(&[443, 443, 443, 443, 8443, 993]),
        Kind::Ssh => 22,
        Kind::Mail => random.pick(&[25, 587, 143, 110]),
        Kind::Ftp => 21,
        Kind::Ping | Kind::Control | Kind::Notice => 0,
        Kind::Quic => 443,
        Kind::Exchanges => random.pick(&[445, 3389, 502, 135, 389, 88, 3306, 5432, 1433, 139]),
        _ if random.chance(0.4) => random.pick(&[
            7, 13, 22, 23, 25, 37, 79, 80, 88, 110, 111, 135, 139, 143, 389, 443, 445, 502, 515,
            631, 993, 1433, 1521, 1883, 3306, 3389, 5060, 5222, 5432, 5900, 6379, 8080, 9200,
        ]),
        _ => random.between(1, 65_535) as u16,
    };
    let is_inside = matches!(kind, Kind::Exchanges | Kind::Call) || random.chance(0.3);
    let address = if is_inside {
        network.server(random)
    } else {
        Network::outside(random)
    };
    End { address, port }
}

fn script(kind: Kind, ends: Option<Ends>, network: &mut Network, random: &mut Random) -> Script {
    let (address, mut server) = match ends {
        Some(ends) => (ends.client, ends.server),
        None => (network.client(random), server_of(kind, network, random)),
    };
    let mut client = network.from(address);
    if random.chance(0.08) {
        client.address = Network::in_v6(client.address);
        server.address = Network::in_v6(server.address);
    }
    let is_local = matches!(
        kind,
        Kind::Call | Kind::Exchanges | Kind::AnyTcp | Kind::AnyUdp
    ) && is_local(&server);
    if is_local {
        // A host talks to itself: the sensor stands on it.
        client.address = LOOPBACK;
        server.address = LOOPBACK;
    }
    let actions = match kind {
        Kind::Dns => dns(random),
        Kind::Ntp => datagrams(&[(Client, 48), (Server, 48)]),
        Kind::Web => web(random),
        Kind::Tls => tls(random),
        Kind::Ssh => ssh(random),
        Kind::Mail | Kind::Ftp => lines(random),
        Kind::Ping => {
            client.port = 0;
            pings(random, client.address.is_ipv6())
        }
        Kind::Stream => stream(random),
        Kind::Broadcast => {
            server = broadcast(&client, random);
            announcements(random)
        }
        Kind::Exchanges => exchanges(random),
        Kind::AnyTcp => any_tcp(random),
        Kind::AnyUdp => any_udp(random),
        Kind::MidStream => mid_stream(random),
        Kind::Failed => failed(random),
        Kind::Peer => {
            server.port = random.between(1025, 65_535) as u16;
            if random.chance(0.3) {
                failed_peer(random)
            } else {
                peer(random)
            }
        }
        Kind::Call => call(random),
        Kind::Quic => quic(random),
        Kind::Control => {
            client.port = 0;
            control(&mut server, random)
        }
        Kind::Notice => {
            client.port = 0;
            notices(random, client.address.is_ipv6())
        }
    };
    // A burst overflows the queue of a server on the spot more often than a network loses packets.
    let actions = with_lost_syn(actions, if is_local { 0.2 } else { 0.04 }, random);
    let round_trip = if kind == Kind::Call || random.chance(0.3) {
        random.whole_magnitude(80, 3_000)
    } else {
        random.whole_magnitude(2_000, 300_000)
    };
    Script {
        label: Label::Benign,
        client,
        server,
        client_stack: Stack::any(random),
        server_stack: Stack::any(random),
        round_trip: if is_local {
            round_trip % 100
        } else {
            round_trip
        },
        unseen: None,
        actions,
    }
    .seen_in_part(0.03, random)
}

const LOOPBACK: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Whether a service is on the host itself: always the same for the same service, so that the
/// calls of one burst stay together.
fn is_local(server: &End) -> bool {
    server.port % 6 == 1
}

fn send(from: Side, bytes: u64) -> Action {
    Action::Send {
        from,
        bytes: bytes as u32,
    }
}

fn datagrams(parts: &[(Side, u16)]) -> Vec<Action> {
    let datagram = |(from, bytes): &(Side, u16)| Action::Datagram {
        from: *from,
        bytes: *bytes,
    };
    parts.iter().map(datagram).collect()
}

fn dns(random: &mut Random) -> Vec<Action> {
    let question = random.between(24, 60) as u16;
    let mut actions = datagrams(&[(Client, question)]);
    if random.chance(0.03) {
        // Asked again, and perhaps never answered.
        actions.push(Action::Wait(5 * SECOND));
        actions.extend(datagrams(&[(Client, question)]));
        if random.chance(0.5) {
            return actions;
        }
    }
    if random.chance(0.3) {
        // Both address families at once.
        actions.extend(datagrams(&[(Client, question)]));
        actions.extend(datagrams(&[(
            Server,
            question + random.between(12, 90) as u16,
        )]));
    }
    actions.extend(datagrams(&[(
        Server,
        question + random.between(12, 400) as u16,
    )]));
    actions
}

/// How an orderly connection ends.
fn farewell(random: &mut Random) -> Vec<Action> {
    match random.below(20) {
        0..8 => vec![Action::Close(Client)],
        8..15 => vec![Action::Close(Server)],
        15 => vec![Action::Reset(Client)],
        16 => vec![Action::Reset(Server)],
        17 => vec![Action::HalfClose(Server), Action::Reset(Client)],
        18 => vec![Action::HalfClose(Client), Action::Wait(30 * SECOND)],
        // Left open, or longer than the capture.
        _ => Vec::new(),
    }
}

fn disturbance(random: &mut Random, actions: &mut Vec<Action>) {
    if random.chance(0.04) {
        actions.push(Action::Again(random.pick(&[Client, Server])));
    }
}

/// A browser opens more connections than it needs.
fn unused(random: &mut Random) -> Vec<Action> {
    vec![
        Action::Handshake,
        Action::Wait(random.whole_magnitude(1_000, 60 * SECOND)),
        random.pick(&[
            Action::Close(Client),
            Action::Close(Client),
            Action::Close(Server),
            Action::Reset(Client),
        ]),
    ]
}

/// The first SYN of some connections is lost.
fn with_lost_syn(mut actions: Vec<Action>, share: f64, random: &mut Random) -> Vec<Action> {
    if actions.first() == Some(&Action::Handshake) && random.chance(share) {
        let tries = random.between(1, 2) as u8;
        actions.insert(0, Action::Unanswered { tries });
        actions.insert(1, Action::Wait(SECOND << (tries - 1)));
    }
    actions
}

fn quic(random: &mut Random) -> Vec<Action> {
    let first = random.between(1_200, 1_350) as u16;
    let mut actions = datagrams(&[(Client, first)]);
    if random.chance(0.15) {
        return actions;
    }
    for _ in 0..random.whole_magnitude(1, 200) {
        let from = random.pick(&[Client, Server, Server]);
        actions.extend(datagrams(&[(
            from,
            random.whole_magnitude(25, 1_350) as u16,
        )]));
        if random.chance(0.1) {
            actions.push(Action::Wait(random.whole_magnitude(1_000, 10 * SECOND)));
        }
    }
    actions
}

/// Membership of groups, routing, redundancy, and tunnels.
fn control(server: &mut End, random: &mut Random) -> Vec<Action> {
    let (protocol, group, bytes) = random.pick(&[
        (2, Some(1), 8),
        (2, Some(22), 16),
        (2, Some(251), 8),
        (89, Some(5), 44),
        (103, Some(13), 30),
        (112, Some(18), 20),
        (50, None, 100),
        (47, None, 60),
    ]);
    if let (Some(group), true) = (group, server.address.is_ipv4()) {
        server.address = std::net::Ipv4Addr::new(224, 0, 0, group).into();
    }
    let pause = random.whole_magnitude(100_000, 30 * SECOND);
    let mut actions = Vec::new();
    for _ in 0..random.whole_magnitude(1, 12) {
        actions.push(Action::Packet { protocol, bytes });
        actions.push(Action::Wait(pause));
    }
    actions
}

fn notices(random: &mut Random, is_v6: bool) -> Vec<Action> {
    let (kind, code) = if is_v6 {
        random.pick(&[(1, 4), (3, 0), (135, 0), (136, 0), (134, 0)])
    } else {
        random.pick(&[(3, 1), (3, 3), (3, 13), (11, 0), (5, 1)])
    };
    let message = Action::Message {
        from: Client,
        kind,
        code,
        bytes: random.between(20, 60) as u16,
    };
    let mut actions = Vec::new();
    for _ in 0..random.whole_magnitude(1, 6) {
        actions.push(message);
        actions.push(Action::Wait(random.whole_magnitude(10_000, 4 * SECOND)));
    }
    actions
}

fn web(random: &mut Random) -> Vec<Action> {
    if random.chance(0.12) {
        return unused(random);
    }
    let mut actions = vec![Action::Handshake];
    for turn in 0..random.whole_magnitude(1, 12) {
        if turn > 0 {
            actions.push(Action::Wait(random.whole_magnitude(2_000, 15 * SECOND)));
        }
        actions.push(send(Client, random.whole_magnitude(120, 2_500)));
        actions.push(Action::Wait(random.whole_magnitude(200, 400_000)));
        let answer = random.magnitude(150.0, 60_000.0) * random.magnitude(1.0, 8.0);
        actions.push(send(Server, answer as u64));
        disturbance(random, &mut actions);
    }
    if random.chance(0.5) {
        actions.push(Action::Wait(random.whole_magnitude(100_000, 60 * SECOND)));
    }
    actions.extend(farewell(random));
    actions
}

fn tls(random: &mut Random) -> Vec<Action> {
    if random.chance(0.06) {
        return unused(random);
    }
    let mut actions = vec![
        Action::Handshake,
        send(Client, random.between(200, 600)),
        send(Server, random.whole_magnitude(150, 6_000)),
        send(Client, random.between(60, 400)),
    ];
    for turn in 0..random.whole_magnitude(1, 16) {
        if turn > 0 {
            actions.push(Action::Wait(random.whole_magnitude(1_000, 20 * SECOND)));
        }
        actions.push(send(Client, random.whole_magnitude(40, 4_000)));
        actions.push(Action::Wait(random.whole_magnitude(200, 300_000)));
        actions.push(send(Server, random.whole_magnitude(60, 200_000)));
        disturbance(random, &mut actions);
    }
    actions.extend(farewell(random));
    actions
}

fn ssh(random: &mut Random) -> Vec<Action> {
    let mut actions = vec![
        Action::Handshake,
        send(Server, random.between(20, 45)),
        send(Client, random.between(20, 45)),
        send(Client, random.between(700, 1_600)),
        send(Server, random.between(700, 1_200)),
        send(Client, random.between(40, 1_300)),
        send(Server, random.between(300, 1_200)),
        send(Client, random.between(16, 120)),
        Action::Wait(random.whole_magnitude(50_000, 4 * SECOND)),
        send(Server, random.between(40, 120)),
    ];
    if random.chance(0.7) {
        // Somebody types.
        for _ in 0..random.whole_magnitude(5, 200) {
            actions.push(Action::Wait(random.whole_magnitude(40_000, 8 * SECOND)));
            actions.push(send(Client, random.between(36, 76)));
            actions.push(send(Server, random.whole_magnitude(36, 2_500)));
        }
    } else {
        actions.push(send(
            random.pick(&[Client, Server]),
            random.whole_magnitude(50_000, 2_000_000),
        ));
    }
    actions.extend(farewell(random));
    actions
}

/// A protocol of lines: greeting, commands, answers, and now and then something long.
fn lines(random: &mut Random) -> Vec<Action> {
    let mut actions = vec![Action::Handshake, send(Server, random.between(20, 200))];
    for _ in 0..random.whole_magnitude(3, 25) {
        actions.push(Action::Wait(random.whole_magnitude(500, 4 * SECOND)));
        actions.push(send(Client, random.between(6, 80)));
        actions.push(send(Server, random.whole_magnitude(10, 600)));
        if random.chance(0.1) {
            actions.push(send(
                random.pick(&[Client, Server]),
                random.whole_magnitude(500, 120_000),
            ));
        }
        disturbance(random, &mut actions);
    }
    actions.extend(farewell(random));
    actions
}

fn pings(random: &mut Random, is_v6: bool) -> Vec<Action> {
    let (ask, answer) = if is_v6 { (128, 129) } else { (8, 0) };
    let bytes = random.pick(&[56, 56, 32, 56, 1_000, 0]);
    let mut actions = Vec::new();
    for _ in 0..random.whole_magnitude(1, 20) {
        let message = |from, kind| Action::Message {
            from,
            kind,
            code: 0,
            bytes,
        };
        actions.push(message(Client, ask));
        if random.chance(0.95) {
            actions.push(message(Server, answer));
        }
        actions.push(Action::Wait(SECOND));
    }
    actions
}

/// Voice and pictures: many datagrams at even distances.
fn stream(random: &mut Random) -> Vec<Action> {
    let pause = random.whole_magnitude(4_000, 60_000);
    let (up, down) = (
        random.between(60, 300) as u16,
        random.between(100, 1_300) as u16,
    );
    let mut actions = Vec::new();
    for turn in 0..random.whole_magnitude(100, 1_500) {
        actions.push(Action::Wait(pause));
        actions.extend(datagrams(&[(Server, down)]));
        if turn % 4 == 0 {
            actions.extend(datagrams(&[(Client, up)]));
        }
    }
    actions
}

fn broadcast(client: &End, random: &mut Random) -> End {
    let (v4, v6, port) = random.pick(&[
        ([224, 0, 0, 251], 0xfb, 5353),
        ([239, 255, 255, 250], 0xc, 1900),
        ([255, 255, 255, 255], 0x1, 67),
        ([255, 255, 255, 255], 0x1, 137),
        ([224, 0, 0, 252], 0x3, 5355),
    ]);
    let address = if client.address.is_ipv6() {
        std::net::Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, v6).into()
    } else {
        std::net::Ipv4Addr::from(v4).into()
    };
    End { address, port }
}

fn announcements(random: &mut Random) -> Vec<Action> {
    let bytes = random.between(40, 400) as u16;
    let mut actions = Vec::new();
    for _ in 0..random.whole_magnitude(1, 8) {
        actions.extend(datagrams(&[(Client, bytes)]));
        actions.push(Action::Wait(random.whole_magnitude(100_000, 4 * SECOND)));
    }
    actions
}

fn exchanges(random: &mut Random) -> Vec<Action> {
    let mut actions = vec![Action::Handshake];
    let pause = random.whole_magnitude(100, 2 * SECOND);
    let small = random.whole_magnitude(1, 300);
    let large = random.whole_magnitude(8, 3_000);
    for _ in 0..random.whole_magnitude(2, 300) {
        actions.push(send(Client, random.between(small / 2 + 1, small * 2)));
        actions.push(send(Server, random.between(large / 2 + 1, large * 2)));
        actions.push(Action::Wait(random.between(pause / 2, pause * 2)));
    }
    actions.extend(farewell(random));
    actions
}

fn any_tcp(random: &mut Random) -> Vec<Action> {
    let mut actions = vec![Action::Handshake];
    let first = random.pick(&[Client, Server]);
    let pause = random.magnitude(100.0, 20.0 * SECOND as f64);
    for _ in 0..random.whole_magnitude(1, 60) {
        actions.push(send(first, random.whole_magnitude(1, 30_000)));
        if random.chance(0.85) {
            actions.push(send(first.other_side(), random.whole_magnitude(1, 60_000)));
        }
        if random.chance(0.6) {
            actions.push(Action::Wait((pause * random.magnitude(0.2, 5.0)) as u64));
        }
        disturbance(random, &mut actions);
    }
    actions.extend(farewell(random));
    actions
}

fn any_udp(random: &mut Random) -> Vec<Action> {
    let pause = random.magnitude(100.0, 10.0 * SECOND as f64);
    let mut actions = Vec::new();
    for _ in 0..random.whole_magnitude(1, 60) {
        actions.extend(datagrams(&[(
            Client,
            random.whole_magnitude(1, 1_400) as u16,
        )]));
        if random.chance(0.7) {
            actions.extend(datagrams(&[(
                Server,
                random.whole_magnitude(1, 1_400) as u16,
            )]));
        }
        actions.push(Action::Wait((pause * random.magnitude(0.3, 3.0)) as u64));
    }
    actions
}

/// A connection that was there before the capture.
fn mid_stream(random: &mut Random) -> Vec<Action> {
    let mut actions = Vec::new();
    let turns = random.whole_magnitude(1, 400);
    for _ in 0..turns {
        let from = random.pick(&[Client, Server]);
        if random.chance(0.7) {
            actions.push(send(from, random.whole_magnitude(1, 20_000 / turns + 80)));
        } else {
            actions.push(Action::Lone { from, flags: ACK });
        }
        actions.push(Action::Wait(
            random.whole_magnitude(1_000, 15 * SECOND) / turns,
        ));
    }
    match random.below(4) {
        0 => actions.push(Action::Close(random.pick(&[Client, Server]))),
        1 => actions.push(Action::Lone {
            from: Server,
            flags: FIN | ACK,
        }),
        2 => actions.push(Action::Reset(random.pick(&[Client, Server]))),
        _ => {}
    }
    actions
}

fn failed(random: &mut Random) -> Vec<Action> {
    if random.chance(0.25) {
        // The server takes one look and goes.
        let mut actions = vec![
            Action::Handshake,
            send(Client, random.whole_magnitude(20, 1_500)),
        ];
        actions.push(Action::Wait(random.whole_magnitude(500, 20 * SECOND)));
        for _ in 0..random.below(9) {
            actions.push(Action::Again(Client));
        }
        actions.push(random.pick(&[Action::Reset(Server), Action::Close(Server)]));
        return actions;
    }
    if random.chance(0.5) {
        vec![Action::Refused {
            tries: random.between(1, 3) as u8,
        }]
    } else {
        vec![Action::Unanswered {
            tries: random.between(2, 6) as u8,
        }]
    }
}

fn failed_peer(random: &mut Random) -> Vec<Action> {
    if random.chance(0.7) {
        let bytes = random.between(18, 120) as u16;
        let mut actions = datagrams(&[(Client, bytes)]);
        for _ in 0..random.below(3) {
            actions.push(Action::Wait(random.whole_magnitude(500_000, 5 * SECOND)));
            actions.extend(datagrams(&[(Client, bytes)]));
        }
        actions
    } else {
        failed(random)
    }
}

fn peer(random: &mut Random) -> Vec<Action> {
    let mut actions = Vec::new();
    for _ in 0..random.whole_magnitude(1, 8) {
        actions.extend(datagrams(&[
            (Client, random.between(18, 300) as u16),
            (Server, random.between(18, 600) as u16),
        ]));
        actions.push(Action::Wait(random.whole_magnitude(10_000, 20 * SECOND)));
    }
    actions
}

/// One request, one answer, and the end.
fn call(random: &mut Random) -> Vec<Action> {
    let mut actions = vec![Action::Handshake];
    for _ in 0..random.whole_magnitude(1, 6) {
        actions.push(send(Client, random.whole_magnitude(1, 2_000)));
        actions.push(send(Server, random.whole_magnitude(1, 8_000)));
        if random.chance(0.2) {
            actions.push(Action::Lone {
                from: Client,
                flags: PSH | ACK,
            });
        }
    }
    actions.extend(farewell(random));
    actions
}

impl Side {
    fn other_side(self) -> Self {
        match self {
            Client => Server,
            Server => Client,
        }
    }
}
