//! KDD's flag of a TCP connection, from what sensors tell of it.

use tripline_flow::ConnectionFlag;
use tripline_records::ConnState;
use tripline_wire::tcp_flags::{ACK, FIN, RST, SYN};

/// Zeek's states are those that KDD was made with, and two that its records do not have: they
/// become what the packets of such a connection become.
pub(super) fn flag_of_state(state: ConnState) -> ConnectionFlag {
    match state {
        ConnState::S0 => ConnectionFlag::S0,
        ConnState::S1 => ConnectionFlag::S1,
        ConnState::SF => ConnectionFlag::Sf,
        ConnState::REJ => ConnectionFlag::Rej,
        ConnState::S2 => ConnectionFlag::S2,
        ConnState::S3 => ConnectionFlag::S3,
        ConnState::RSTO => ConnectionFlag::Rsto,
        ConnState::RSTR | ConnState::RSTRH => ConnectionFlag::Rstr,
        ConnState::RSTOS0 => ConnectionFlag::Rstos0,
        ConnState::SH => ConnectionFlag::Sh,
        ConnState::SHR | ConnState::OTH => ConnectionFlag::Oth,
    }
}

/// The flag that follows from the flags seen at least once in each direction; `None` where it
/// depends on an order that they do not tell.
///
/// Taken for granted is that a handshake comes first: the SYN, then its answer. Without a SYN of
/// the first side there is no flag: the flow may be the rest of one that was reported before.
pub(super) fn flag_of_unions(
    forward: u8,
    backward: u8,
    packets: [u64; 2],
) -> Option<ConnectionFlag> {
    let has = |union: u8, flag: u8| union & flag != 0;
    if !has(forward, SYN) {
        return None;
    }
    let ends = |union: u8| (has(union, FIN), has(union, RST));
    if packets[1] == 0 {
        return match ends(forward) {
            // A SYN-ACK to begin with is no attempt; a SYN with whatever else is one.
            _ if packets[0] == 1 => (!has(forward, ACK)).then_some(ConnectionFlag::S0),
            (false, false) if !has(forward, ACK) && packets[0] > 0 => Some(ConnectionFlag::S0),
            (false, true) if packets[0] > 1 => Some(ConnectionFlag::Rstos0),
            (true, false) if packets[0] > 1 => Some(ConnectionFlag::Sh),
            _ => None,
        };
    }
    if !has(backward, SYN) {
        return match (ends(forward), ends(backward)) {
            ((false, false), (false, true)) => Some(ConnectionFlag::Rej),
            _ => None,
        };
    }
    match (ends(forward), ends(backward)) {
        ((false, false), (false, false)) => Some(ConnectionFlag::S1),
        ((true, false), (true, false)) => Some(ConnectionFlag::Sf),
        ((true, false), (false, false)) => Some(ConnectionFlag::S2),
        ((false, false), (true, false)) => Some(ConnectionFlag::S3),
        ((_, true), (_, false)) if !(has(forward, FIN) && has(backward, FIN)) => {
            Some(ConnectionFlag::Rsto)
        }
        ((_, false), (_, true)) if !(has(forward, FIN) && has(backward, FIN)) => {
            Some(ConnectionFlag::Rstr)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
