//! The features of KDD'99 for connections that were seen as packets.
//!
//! Of the 41, those of the connection (1 to 9) and of the last two seconds (23 to 31) are as
//! defined. `logged_in` follows a rule on headers that is exact for `http`, `smtp` and `pop_3` alone,
//! and the window of the last 255 records (32 to 41) is counted over traffic in the order of
//! time, which the published records are not: both are estimates. What needs payload is missing.

mod complete;

use std::sync::LazyLock;

use tripline_flow::{Connection, ConnectionFlag, ConnectionProtocol, FlowId, FlowKey, Record};
use tripline_wire::Address;

use super::service_of;
use crate::schema::nsl_kdd;
use crate::windows::{Outcome, Seen, Windows};
use complete::Complete;

/// Counts windows over connections as they complete.
///
/// It remembers the window features of a flow's last complete connection until the flow is told
/// to be over, so that a verdict at the end of a flow knows what was going on around it.
#[derive(Debug, Default)]
pub struct Connections {
    windows: Windows<Address>,
    complete: Complete,
}

impl Connections {
    /// Nothing has been seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a connection that is complete.
    pub fn observe(&mut self, record: &Record) {
        let Some(seen) = seen(&record.key, &record.connection, record.at_micros) else {
            return;
        };
        let counts = self.windows.count(seen);
        if let Some(flow) = record.flow {
            self.complete.insert(flow, counts);
        }
    }

    /// Writes the features of a flow's connection in the order of the schema; false if KDD has no
    /// record for it, with nothing written. `now_micros` is the time for a connection that goes
    /// on.
    pub fn write(
        &mut self,
        flow: FlowId,
        key: &FlowKey,
        connection: &Connection,
        now_micros: i64,
        out: &mut Vec<f64>,
    ) -> bool {
        let key = originator_first(key, connection);
        let Some(seen) = seen(&key, connection, now_micros) else {
            return false;
        };
        let windows = match self.complete.get(flow) {
            Some(counts) => counts,
            None => self.windows.preview(seen),
        };
        write_own(connection, seen.service, out);
        out.extend(windows.features());
        true
    }

    /// Forgets a flow that is over.
    pub fn forget(&mut self, flow: FlowId) {
        self.complete.remove(flow);
    }
}

/// The end points seen from the originator of the connection.
fn originator_first(key: &FlowKey, connection: &Connection) -> FlowKey {
    match connection.originator() {
        tripline_flow::Heading::Forward => *key,
        tripline_flow::Heading::Backward => key.reversed(),
    }
}

fn seen(key: &FlowKey, connection: &Connection, at_micros: i64) -> Option<Seen<Address>> {
    let service = service_of(connection.protocol(), key.source_port, key.destination_port)?;
    let flag = connection.flag();
    Some(Seen {
        at_micros,
        host: key.destination,
        service: category(SERVICE, service),
        source_port: key.source_port,
        outcome: if flag.is_syn_error() {
            Outcome::SynError
        } else if flag.is_reject_error() {
            Outcome::RejectError
        } else {
            Outcome::Fine
        },
    })
}

/// Features 1 to 22.
fn write_own(connection: &Connection, service: u8, out: &mut Vec<f64>) {
    let codes = &*CODES;
    let protocol = match connection.protocol() {
        ConnectionProtocol::Tcp => codes.tcp,
        ConnectionProtocol::Udp => codes.udp,
        ConnectionProtocol::Icmp(..) | ConnectionProtocol::Icmpv6(..) => codes.icmp,
    };
    out.extend([
        connection.duration_seconds() as f64,
        f64::from(protocol),
        f64::from(service),
        f64::from(codes.flags[connection.flag() as usize]),
        connection.originator_bytes() as f64,
        connection.responder_bytes() as f64,
        f64::from(u8::from(connection.is_land())),
        f64::from(connection.wrong_fragments()),
        f64::from(connection.urgent()),
        f64::NAN,
        f64::NAN,
        f64::from(u8::from(is_logged_in(connection, service))),
        // What follows up to the windows needs the payload.
        f64::NAN,
        f64::NAN,
        f64::NAN,
        f64::NAN,
        f64::NAN,
        f64::NAN,
        f64::NAN,
        f64::NAN,
        f64::NAN,
        f64::NAN,
    ]);
}

/// Whether headers say that somebody logged in.
fn is_logged_in(connection: &Connection, service: u8) -> bool {
    let codes = &*CODES;
    let sent = connection.originator_bytes() > 0;
    let answered = connection.responder_bytes() > 0;
    let is_complete = connection.flag() == ConnectionFlag::Sf;
    (service == codes.http && sent)
        || (is_complete && (service == codes.smtp || (service == codes.pop_3 && sent && answered)))
}

/// Places in the vocabularies that every connection asks for.
struct Codes {
    tcp: u8,
    udp: u8,
    icmp: u8,
    http: u8,
    smtp: u8,
    pop_3: u8,
    /// In the order of [`ConnectionFlag::ALL`].
    flags: [u8; ConnectionFlag::ALL.len()],
}

static CODES: LazyLock<Codes> = LazyLock::new(|| Codes {
    tcp: category(PROTOCOL, "tcp"),
    udp: category(PROTOCOL, "udp"),
    icmp: category(PROTOCOL, "icmp"),
    http: category(SERVICE, "http"),
    smtp: category(SERVICE, "smtp"),
    pop_3: category(SERVICE, "pop_3"),
    flags: ConnectionFlag::ALL.map(|flag| category(FLAG, flag.name())),
});

const PROTOCOL: usize = 1;
const SERVICE: usize = 2;
const FLAG: usize = 3;

fn category(feature: usize, name: &str) -> u8 {
    nsl_kdd()
        .category_index(feature)
        .and_then(|vocabulary| vocabulary.find(name.as_bytes()))
        .unwrap_or_default() as u8
}
