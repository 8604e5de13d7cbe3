use std::collections::VecDeque;

use super::traffic::{Connection, Content, Random};

/// Addresses of the office's servers, and of the web outside from 1000 on.
const WEB: u32 = 1;
const MAIL: u32 = 2;
const NAMES: u32 = 3;
const FILES: u32 = 4;
const LOGIN: u32 = 5;
const TIME: u32 = 6;
const MONITORED: u32 = 20;
const OUTSIDE: u32 = 1000;

pub(super) const SERVERS: [u32; 6] = [WEB, MAIL, NAMES, FILES, LOGIN, TIME];

/// An ordinary connection; records that belong to it are queued behind it.
pub(super) fn connection(random: &mut Random, follow_ups: &mut VecDeque<Connection>) -> Connection {
    type Draw = fn(&mut Random, &mut VecDeque<Connection>) -> Connection;
    let choices: [(f64, Draw); 8] = [
        (0.56, |random, _| web(random)),
        (0.12, |random, _| mail(random)),
        (0.15, |random, _| name_query(random)),
        (0.05, file_transfer),
        (0.03, |random, _| session(random)),
        (0.03, |random, _| time_query(random)),
        (0.03, ping),
        (0.02, |random, _| monitoring(random)),
    ];
    random.pick::<Draw>(&choices, |random, _| refused(random))(random, follow_ups)
}

fn tcp(random: &mut Random, destination: u32, service: &'static str) -> Connection {
    Connection {
        source_port: random.ephemeral_port(),
        destination,
        protocol: "tcp",
        service,
        flag: "SF",
        label: "normal",
        ..Connection::default()
    }
}

fn logged_in() -> Content {
    Content {
        logged_in: 1,
        ..Content::default()
    }
}

fn web(random: &mut Random) -> Connection {
    let inside = random.chance(0.45);
    let destination = if inside {
        WEB
    } else {
        OUTSIDE + random.small(0, 60)
    };
    let mut connection = tcp(random, destination, "http");
    connection.src_bytes = random.size(250.0, 0.3);
    connection.dst_bytes = random.size(2500.0, 1.2);
    connection.content = logged_in();
    if random.chance(0.03) {
        connection.duration = random.small(1, 20);
    }
    // S1: established and not closed yet; the record then has bytes and no duration.
    connection.flag = random.pick(&[(0.97, "SF"), (0.01, "RSTO"), (0.01, "RSTR")], "S1");
    if connection.flag == "S1" {
        connection.duration = 0;
    }
    connection
}

fn mail(random: &mut Random) -> Connection {
    if random.chance(0.2) {
        let mut connection = tcp(random, MAIL, "pop_3");
        connection.src_bytes = random.between(20, 60);
        connection.dst_bytes = random.size(400.0, 1.0);
        connection.content = logged_in();
        return connection;
    }
    let mut connection = tcp(random, MAIL, "smtp");
    connection.duration = random.small(0, 3);
    connection.src_bytes = random.size(1000.0, 0.6);
    connection.dst_bytes = random.between(300, 420);
    connection.content = logged_in();
    connection
}

fn name_query(random: &mut Random) -> Connection {
    Connection {
        protocol: "udp",
        src_bytes: random.between(28, 48),
        dst_bytes: random.between(40, 240),
        ..tcp(random, NAMES, "domain_u")
    }
}

fn time_query(random: &mut Random) -> Connection {
    Connection {
        source_port: 123,
        protocol: "udp",
        src_bytes: 48,
        dst_bytes: 48,
        ..tcp(random, TIME, "ntp_u")
    }
}

fn monitoring(random: &mut Random) -> Connection {
    let destination = MONITORED + random.small(0, 3);
    Connection {
        protocol: "udp",
        src_bytes: 105,
        dst_bytes: random.between(145, 147),
        ..tcp(random, destination, "private")
    }
}

fn file_transfer(random: &mut Random, follow_ups: &mut VecDeque<Connection>) -> Connection {
    let guest = random.chance(0.4);
    for _ in 0..random.between(1, 4) {
        let mut data = tcp(random, FILES, "ftp_data");
        data.source_port = 20;
        data.src_bytes = random.size(4000.0, 1.8);
        data.content.logged_in = u32::from(random.chance(0.55));
        follow_ups.push_back(data);
    }
    let mut control = tcp(random, FILES, "ftp");
    control.duration = random.small(1, 60);
    control.src_bytes = random.between(80, 900);
    control.dst_bytes = random.between(300, 3000);
    control.content = Content {
        logged_in: u32::from(random.chance(0.93)),
        is_guest_login: u32::from(guest),
        hot: if guest { random.small(1, 4) } else { 0 },
        ..Content::default()
    };
    control
}

fn session(random: &mut Random) -> Connection {
    let service = random.pick(&[(0.6, "telnet"), (0.2, "ssh")], "finger");
    let mut connection = tcp(random, LOGIN, service);
    match service {
        "telnet" => {
            connection.duration = random.small(5, 2000);
            connection.src_bytes = random.size(300.0, 1.0);
            connection.dst_bytes = random.size(3000.0, 1.2);
            connection.content.logged_in = 1;
            connection.content.num_root = u32::from(random.chance(0.03));
        }
        "ssh" => {
            connection.duration = random.small(1, 600);
            connection.src_bytes = random.size(1500.0, 0.8);
            connection.dst_bytes = random.size(2500.0, 1.0);
        }
        _ => {
            connection.src_bytes = random.between(5, 12);
            connection.dst_bytes = random.between(60, 600);
        }
    }
    connection
}

/// Each ICMP message is a record of its own: the request, then the reply.
fn ping(random: &mut Random, follow_ups: &mut VecDeque<Connection>) -> Connection {
    let message = Connection {
        source_port: 0,
        destination: SERVERS[random.small(0, 5) as usize],
        protocol: "icmp",
        service: "eco_i",
        flag: "SF",
        src_bytes: random.pick(&[(0.7, 64), (0.2, 30)], 8),
        label: "normal",
        ..Connection::default()
    };
    follow_ups.push_back(Connection {
        service: "ecr_i",
        destination: 100 + random.small(0, 30),
        ..message.clone()
    });
    message
}

/// A server that is down or a port that is closed: not every refusal is a scan.
fn refused(random: &mut Random) -> Connection {
    let service = random.pick(&[(0.5, "http"), (0.3, "other"), (0.1, "auth")], "smtp");
    let destination = OUTSIDE + random.small(0, 60);
    Connection {
        flag: random.pick(&[(0.8, "REJ")], "S0"),
        ..tcp(random, destination, service)
    }
}
