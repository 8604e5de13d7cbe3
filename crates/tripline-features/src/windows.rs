//! The window features of KDD'99: what other connections say about one.
//!
//! Two windows, each with the current record in it: the records of the last two seconds, at most
//! 511 (features 23 to 31), and the last 255 records (features 32 to 41). An element costs the
//! same however full the windows are: sums are kept and changed as records come and go.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::hash::Hash;

/// A record leaves the recent window when it is this old.
const RECENT_MICROS: i64 = 2_000_000;
/// The published counts never exceed it.
const RECENT_RECORDS: usize = 511;
const LAST_RECORDS: usize = 255;

/// How a connection counts in the error rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// S0, S1, S2, S3, SH.
    SynError,
    /// REJ, RSTO, RSTOS0, RSTR.
    RejectError,
    /// Neither.
    Fine,
    /// Not known; while such a record is in a window, its error rates are not known either.
    Unknown,
}

/// What the windows need to know of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen<H> {
    /// When it was complete, in microseconds; an earlier time than that of the record before
    /// counts as the same.
    pub(crate) at_micros: i64,
    /// The responder.
    pub(crate) host: H,
    /// The service, by its place in the vocabulary.
    pub(crate) service: u8,
    /// Port of the originator.
    pub(crate) source_port: u16,
    /// How it went.
    pub(crate) outcome: Outcome,
}

/// Features 23 to 41, in order.
pub(crate) type WindowFeatures = [f64; 19];

/// The two windows.
#[derive(Debug, Clone)]
pub(crate) struct Windows<H> {
    recent: Window<H>,
    last: Window<H>,
    now_micros: i64,
}

impl<H: Copy + Eq + Hash> Default for Windows<H> {
    fn default() -> Self {
        Self {
            recent: Window::default(),
            last: Window::default(),
            now_micros: i64::MIN,
        }
    }
}

impl<H: Copy + Eq + Hash> Windows<H> {
    /// Takes a connection and gives its features.
    pub(crate) fn observe(&mut self, seen: Seen<H>) -> WindowFeatures {
        let seen = self.in_time(seen);
        self.recent.push(seen);
        while self.recent.records.len() > RECENT_RECORDS {
            self.recent.pop();
        }
        self.last.push(seen);
        while self.last.records.len() > LAST_RECORDS {
            self.last.pop();
        }
        self.features(&seen)
    }

    /// What the features of a connection would be if it were complete now.
    pub(crate) fn preview(&mut self, seen: Seen<H>) -> WindowFeatures {
        let seen = self.in_time(seen);
        self.recent.push(seen);
        self.last.push(seen);
        let features = self.features(&seen);
        self.recent.take_back();
        self.last.take_back();
        features
    }

    fn in_time(&mut self, mut seen: Seen<H>) -> Seen<H> {
        self.now_micros = self.now_micros.max(seen.at_micros);
        seen.at_micros = self.now_micros;
        let oldest = self.now_micros.saturating_sub(RECENT_MICROS);
        while self
            .recent
            .records
            .front()
            .is_some_and(|first| first.at_micros <= oldest)
        {
            self.recent.pop();
        }
        seen
    }

    fn features(&self, seen: &Seen<H>) -> WindowFeatures {
        let recent = self.recent.about(seen, RECENT_RECORDS);
        let last = self.last.about(seen, LAST_RECORDS);
        [
            recent.host.records,
            recent.service.records,
            recent.host.syn_errors,
            recent.service.syn_errors,
            recent.host.reject_errors,
            recent.service.reject_errors,
            recent.same_service,
            recent.host.variety,
            recent.service.variety,
            last.host.records,
            last.service.records,
            last.same_service,
            last.host.variety,
            last.same_port,
            last.service.variety,
            last.host.syn_errors,
            last.service.syn_errors,
            last.host.reject_errors,
            last.service.reject_errors,
        ]
    }
}

/// Records in order, with sums over those of one host and those of one service.
#[derive(Debug, Clone)]
struct Window<H> {
    records: VecDeque<Seen<H>>,
    hosts: HashMap<H, Sums>,
    services: HashMap<u8, Sums>,
    pairs: HashMap<(H, u8), u32>,
    ports: HashMap<(H, u16), u32>,
}

impl<H> Default for Window<H> {
    fn default() -> Self {
        Self {
            records: VecDeque::new(),
            hosts: HashMap::new(),
            services: HashMap::new(),
            pairs: HashMap::new(),
            ports: HashMap::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    records: u32,
    syn_errors: u32,
    reject_errors: u32,
    /// Records whose outcome is not known.
    unknown: u32,
    /// Distinct services of a host, or hosts of a service.
    variety: u32,
}

/// Counts, and shares of them with two decimals, as the published records have.
#[derive(Debug, Default)]
struct Rates {
    records: f64,
    syn_errors: f64,
    reject_errors: f64,
    variety: f64,
}

#[derive(Debug, Default)]
struct About {
    host: Rates,
    service: Rates,
    same_service: f64,
    same_port: f64,
}

impl Sums {
    fn add(&mut self, outcome: Outcome) {
        self.records += 1;
        self.syn_errors += u32::from(outcome == Outcome::SynError);
        self.reject_errors += u32::from(outcome == Outcome::RejectError);
        self.unknown += u32::from(outcome == Outcome::Unknown);
    }

    fn remove(&mut self, outcome: Outcome) {
        self.records -= 1;
        self.syn_errors -= u32::from(outcome == Outcome::SynError);
        self.reject_errors -= u32::from(outcome == Outcome::RejectError);
        self.unknown -= u32::from(outcome == Outcome::Unknown);
    }

    fn error_share(&self, errors: u32) -> f64 {
        if self.unknown > 0 {
            f64::NAN
        } else {
            share(errors, self.records)
        }
    }

    fn rates(&self, limit: usize) -> Rates {
        // One kind is no variety: the definitions say 0 then.
        let variety = if self.variety == 1 { 0 } else { self.variety };
        Rates {
            records: f64::from(self.records.min(limit as u32)),
            syn_errors: self.error_share(self.syn_errors),
            reject_errors: self.error_share(self.reject_errors),
            variety: share(variety, self.records),
        }
    }
}

fn share(part: u32, whole: u32) -> f64 {
    (f64::from(part) / f64::from(whole) * 100.0).round() / 100.0
}

impl<H: Copy + Eq + Hash> Window<H> {
    fn push(&mut self, seen: Seen<H>) {
        self.records.push_back(seen);
        let pair = self.pairs.entry((seen.host, seen.service)).or_default();
        *pair += 1;
        let is_new = u32::from(*pair == 1);
        let host = self.hosts.entry(seen.host).or_default();
        host.add(seen.outcome);
        host.variety += is_new;
        let service = self.services.entry(seen.service).or_default();
        service.add(seen.outcome);
        service.variety += is_new;
        *self.ports.entry((seen.host, seen.source_port)).or_default() += 1;
    }

    fn pop(&mut self) {
        if let Some(seen) = self.records.pop_front() {
            self.forget(seen);
        }
    }

    fn take_back(&mut self) {
        if let Some(seen) = self.records.pop_back() {
            self.forget(seen);
        }
    }

    fn forget(&mut self, seen: Seen<H>) {
        let is_gone = u32::from(decrease(&mut self.pairs, (seen.host, seen.service)));
        decrease(&mut self.ports, (seen.host, seen.source_port));
        let shrink = |sums: &mut Sums| {
            sums.remove(seen.outcome);
            sums.variety -= is_gone;
            sums.records == 0
        };
        if self.hosts.get_mut(&seen.host).is_some_and(shrink) {
            self.hosts.remove(&seen.host);
        }
        if self.services.get_mut(&seen.service).is_some_and(shrink) {
            self.services.remove(&seen.service);
        }
    }

    fn about(&self, seen: &Seen<H>, limit: usize) -> About {
        let host = self.hosts.get(&seen.host).copied().unwrap_or_default();
        let service = self
            .services
            .get(&seen.service)
            .copied()
            .unwrap_or_default();
        let pair = self.pairs.get(&(seen.host, seen.service)).copied();
        let port = self.ports.get(&(seen.host, seen.source_port)).copied();
        About {
            same_service: share(pair.unwrap_or_default(), host.records),
            same_port: share(port.unwrap_or_default(), host.records),
            host: host.rates(limit),
            service: service.rates(limit),
        }
    }
}

/// Lowers a count; true when it is gone.
fn decrease<K: Eq + Hash>(counts: &mut HashMap<K, u32>, key: K) -> bool {
    let Entry::Occupied(mut count) = counts.entry(key) else {
        return false;
    };
    *count.get_mut() -= 1;
    let is_gone = *count.get() == 0;
    if is_gone {
        count.remove();
    }
    is_gone
}

#[cfg(test)]
mod tests;
