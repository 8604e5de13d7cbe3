use std::collections::VecDeque;

use super::traffic::Connection;

/// Records older than this many seconds leave the recent window.
const RECENT_SECONDS: f64 = 2.0;
const RECENT_RECORDS: usize = 511;
const LAST_RECORDS: usize = 255;

/// The two windows over which features 23 to 41 are counted, the current record included.
#[derive(Debug, Clone, Default)]
pub(super) struct Windows {
    recent: VecDeque<Seen>,
    last: VecDeque<Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: f64,
    destination: u32,
    service: &'static str,
    source_port: u16,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    NeverOpened,
    Refused,
    Other,
}

/// What the definitions need of one window.
#[derive(Debug, Default)]
struct Counts {
    host: Share,
    service: Share,
    both: u32,
    same_port: u32,
    services_of_host: u32,
    hosts_of_service: u32,
}

#[derive(Debug, Default)]
struct Share {
    records: u32,
    never_opened: u32,
    refused: u32,
}

impl Windows {
    pub(super) fn observe(&mut self, connection: &Connection, values: &mut Vec<f64>) {
        let seen = Seen::of(connection);
        self.recent.push_back(seen);
        while self.recent.len() > RECENT_RECORDS
            || self
                .recent
                .front()
                .is_some_and(|oldest| oldest.at <= seen.at - RECENT_SECONDS)
        {
            self.recent.pop_front();
        }
        self.last.push_back(seen);
        if self.last.len() > LAST_RECORDS {
            self.last.pop_front();
        }

        let recent = Counts::of(&self.recent, &seen);
        values.extend([
            f64::from(recent.host.records),
            f64::from(recent.service.records),
            recent.host.share(recent.host.never_opened),
            recent.service.share(recent.service.never_opened),
            recent.host.share(recent.host.refused),
            recent.service.share(recent.service.refused),
            recent.host.share(recent.both),
            recent.host.share(several(recent.services_of_host)),
            recent.service.share(several(recent.hosts_of_service)),
        ]);
        let last = Counts::of(&self.last, &seen);
        values.extend([
            f64::from(last.host.records),
            f64::from(last.service.records),
            last.host.share(last.both),
            last.host.share(several(last.services_of_host)),
            last.host.share(last.same_port),
            last.service.share(several(last.hosts_of_service)),
            last.host.share(last.host.never_opened),
            last.service.share(last.service.never_opened),
            last.host.share(last.host.refused),
            last.service.share(last.service.refused),
        ]);
    }
}

impl Seen {
    fn of(connection: &Connection) -> Self {
        Self {
            at: connection.at,
            destination: connection.destination,
            service: connection.service,
            source_port: connection.source_port,
            outcome: match connection.flag {
                "S0" | "S1" | "S2" | "S3" | "SH" => Outcome::NeverOpened,
                "REJ" | "RSTO" | "RSTOS0" | "RSTR" => Outcome::Refused,
                _ => Outcome::Other,
            },
        }
    }
}

impl Counts {
    fn of(window: &VecDeque<Seen>, current: &Seen) -> Self {
        let mut counts = Self::default();
        let mut services = Vec::new();
        let mut hosts = Vec::new();
        for seen in window {
            let same_host = seen.destination == current.destination;
            let same_service = seen.service == current.service;
            if same_host {
                counts.host.add(seen.outcome);
                counts.same_port += u32::from(seen.source_port == current.source_port);
                if !services.contains(&seen.service) {
                    services.push(seen.service);
                }
            }
            if same_service {
                counts.service.add(seen.outcome);
                if !hosts.contains(&seen.destination) {
                    hosts.push(seen.destination);
                }
            }
            counts.both += u32::from(same_host && same_service);
        }
        counts.services_of_host = services.len() as u32;
        counts.hosts_of_service = hosts.len() as u32;
        counts
    }
}

impl Share {
    fn add(&mut self, outcome: Outcome) {
        self.records += 1;
        self.never_opened += u32::from(outcome == Outcome::NeverOpened);
        self.refused += u32::from(outcome == Outcome::Refused);
    }

    /// Two decimals, as published rates have.
    fn share(&self, part: u32) -> f64 {
        (f64::from(part) / f64::from(self.records) * 100.0).round() / 100.0
    }
}

/// One service or one host is no variety: the definitions say 0 then.
fn several(distinct: u32) -> u32 {
    if distinct == 1 { 0 } else { distinct }
}
