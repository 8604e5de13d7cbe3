//! The window features of KDD'99: what other connections say about one.
//!
//! Two windows, each with the current record in it: the records of the last two seconds, at most
//! 511 (features 23 to 31), and the last 255 records (features 32 to 41). An element costs the
//! same however full the windows are: sums are kept and changed as records come and go.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::hash::{BuildHasherDefault, Hash, Hasher};

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

/// The same in a quarter of the memory: counts, shares in hundredths, and `NOT_KNOWN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WindowCounts([u16; 19]);

/// A share that is not known.
const NOT_KNOWN: u16 = u16::MAX;

/// Which of the features are counts; the others are shares.
const COUNTS: [usize; 4] = [0, 1, 9, 10];

impl WindowCounts {
    /// As features.
    pub(crate) fn features(&self) -> WindowFeatures {
        let mut features = self.0.map(|hundredths| match hundredths {
            NOT_KNOWN => f64::NAN,
            hundredths => f64::from(hundredths) / 100.0,
        });
        for count in COUNTS {
            features[count] = f64::from(self.0[count]);
        }
        features
    }
}

/// The two windows.
#[derive(Debug, Clone)]
pub(crate) struct Windows<H> {
    hosts: Hosts<H>,
    recent: Window,
    last: Window,
    now_micros: i64,
}

impl<H: Copy + Eq + Hash> Default for Windows<H> {
    fn default() -> Self {
        Self {
            hosts: Hosts::default(),
            recent: Window::default(),
            last: Window::default(),
            now_micros: i64::MIN,
        }
    }
}

impl<H: Copy + Eq + Hash> Windows<H> {
    /// Takes a connection and gives its features.
    pub(crate) fn observe(&mut self, seen: Seen<H>) -> WindowFeatures {
        self.count(seen).features()
    }

    /// Takes a connection and gives its features in their small form.
    pub(crate) fn count(&mut self, seen: Seen<H>) -> WindowCounts {
        self.pass_time(seen.at_micros);
        let place = self.hosts.place(seen.host);
        let record = Record {
            at_micros: self.now_micros,
            host: place as u16,
            source_port: seen.source_port,
            service: seen.service,
            outcome: seen.outcome,
        };
        for (window, limit) in [
            (&mut self.recent, RECENT_RECORDS),
            (&mut self.last, LAST_RECORDS),
        ] {
            window.push(record, &mut self.hosts);
            while window.records.len() > limit {
                window.pop(&mut self.hosts);
            }
        }
        self.features(Some(place), &record, 0)
    }

    /// What the features of a connection would be if it were complete now.
    pub(crate) fn preview(&mut self, seen: Seen<H>) -> WindowCounts {
        self.pass_time(seen.at_micros);
        let place = self.hosts.find(seen.host);
        let record = Record {
            at_micros: self.now_micros,
            host: place.unwrap_or_default() as u16,
            source_port: seen.source_port,
            service: seen.service,
            outcome: seen.outcome,
        };
        self.features(place, &record, 1)
    }

    /// Time never goes back; what is too old leaves the recent window.
    fn pass_time(&mut self, now_micros: i64) {
        self.now_micros = self.now_micros.max(now_micros);
        let oldest = self.now_micros.saturating_sub(RECENT_MICROS);
        while self
            .recent
            .records
            .front()
            .is_some_and(|first| first.at_micros <= oldest)
        {
            self.recent.pop(&mut self.hosts);
        }
    }

    /// What the windows say about a record, which comes to what is in them `more` times.
    fn features(&self, place: Option<usize>, record: &Record, more: u32) -> WindowCounts {
        let recent = self.recent.about(place, record, more, RECENT_RECORDS);
        let last = self.last.about(place, record, more, LAST_RECORDS);
        WindowCounts([
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
        ])
    }
}

/// Small numbers for the hosts that are in a window.
#[derive(Debug, Clone)]
struct Hosts<H> {
    places: HashMap<H, u16>,
    known: Vec<H>,
    /// Records of each in both windows.
    uses: Vec<u16>,
    free: Vec<u16>,
}

impl<H> Default for Hosts<H> {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            known: Vec::new(),
            uses: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<H: Copy + Eq + Hash> Hosts<H> {
    fn find(&self, host: H) -> Option<usize> {
        self.places.get(&host).map(|place| usize::from(*place))
    }

    fn place(&mut self, host: H) -> usize {
        match self.places.entry(host) {
            Entry::Occupied(place) => usize::from(*place.get()),
            Entry::Vacant(vacant) => {
                // The windows bound how many there are.
                let place = self.free.pop().unwrap_or(self.known.len() as u16);
                vacant.insert(place);
                let place = usize::from(place);
                if place == self.known.len() {
                    self.known.push(host);
                    self.uses.push(0);
                }
                self.known[place] = host;
                place
            }
        }
    }

    fn release(&mut self, place: u16) {
        let uses = &mut self.uses[usize::from(place)];
        *uses -= 1;
        if *uses == 0 {
            self.places.remove(&self.known[usize::from(place)]);
            self.free.push(place);
        }
    }
}

/// A record in a window.
#[derive(Debug, Clone, Copy)]
struct Record {
    at_micros: i64,
    host: u16,
    source_port: u16,
    service: u8,
    outcome: Outcome,
}

impl Record {
    fn pair(&self) -> u32 {
        u32::from(self.host) << 8 | u32::from(self.service)
    }

    fn port(&self) -> u32 {
        u32::from(self.host) << 16 | u32::from(self.source_port)
    }
}

/// Counts by small numbers. They are at most as many as the window has records, which bounds what
/// numbers that were chosen to collide can cost.
type Counts = HashMap<u32, u32, BuildHasherDefault<Spread>>;

/// Spreads small numbers over 64 bits.
#[derive(Debug, Clone, Copy, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        let product = u128::from(self.0 ^ u64::from(number)) * 0x9E37_79B9_7F4A_7C15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Records in order, with sums over those of one host and those of one service.
#[derive(Debug, Clone, Default)]
struct Window {
    records: VecDeque<Record>,
    hosts: Vec<Sums>,
    services: Vec<Sums>,
    pairs: Counts,
    ports: Counts,
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
    records: u16,
    syn_errors: u16,
    reject_errors: u16,
    variety: u16,
}

#[derive(Debug, Default)]
struct About {
    host: Rates,
    service: Rates,
    same_service: u16,
    same_port: u16,
}

impl Sums {
    fn add(&mut self, outcome: Outcome, times: u32) {
        self.records += times;
        self.syn_errors += u32::from(outcome == Outcome::SynError) * times;
        self.reject_errors += u32::from(outcome == Outcome::RejectError) * times;
        self.unknown += u32::from(outcome == Outcome::Unknown) * times;
    }

    fn remove(&mut self, outcome: Outcome) {
        self.records -= 1;
        self.syn_errors -= u32::from(outcome == Outcome::SynError);
        self.reject_errors -= u32::from(outcome == Outcome::RejectError);
        self.unknown -= u32::from(outcome == Outcome::Unknown);
    }

    fn error_share(&self, errors: u32) -> u16 {
        if self.unknown > 0 {
            NOT_KNOWN
        } else {
            share(errors, self.records)
        }
    }

    fn rates(&self, limit: usize) -> Rates {
        // One kind is no variety: the definitions say 0 then.
        let variety = if self.variety == 1 { 0 } else { self.variety };
        Rates {
            records: self.records.min(limit as u32) as u16,
            syn_errors: self.error_share(self.syn_errors),
            reject_errors: self.error_share(self.reject_errors),
            variety: share(variety, self.records),
        }
    }
}

/// A share in hundredths, rounded as `(part / whole * 100).round()` is.
fn share(part: u32, whole: u32) -> u16 {
    if whole == 0 {
        return NOT_KNOWN;
    }
    if part == 0 {
        return 0;
    }
    if part == whole {
        return 100;
    }
    let hundredths = f64::from(part) / f64::from(whole) * 100.0;
    let floor = hundredths as u16;
    floor + u16::from(hundredths - f64::from(floor) >= 0.5)
}

impl Window {
    fn push<H>(&mut self, record: Record, hosts: &mut Hosts<H>) {
        let (host, service) = (usize::from(record.host), usize::from(record.service));
        hosts.uses[host] += 1;
        if self.hosts.len() <= host {
            self.hosts.resize(host + 1, Sums::default());
        }
        if self.services.len() <= service {
            self.services.resize(service + 1, Sums::default());
        }
        self.records.push_back(record);
        let pair = self.pairs.entry(record.pair()).or_default();
        *pair += 1;
        let is_new = u32::from(*pair == 1);
        for sums in [&mut self.hosts[host], &mut self.services[service]] {
            sums.add(record.outcome, 1);
            sums.variety += is_new;
        }
        *self.ports.entry(record.port()).or_default() += 1;
    }

    fn pop<H: Copy + Eq + Hash>(&mut self, hosts: &mut Hosts<H>) {
        let Some(record) = self.records.pop_front() else {
            return;
        };
        let is_gone = u32::from(decrease(&mut self.pairs, record.pair()));
        decrease(&mut self.ports, record.port());
        let (host, service) = (usize::from(record.host), usize::from(record.service));
        for sums in [&mut self.hosts[host], &mut self.services[service]] {
            sums.remove(record.outcome);
            sums.variety -= is_gone;
        }
        hosts.release(record.host);
    }

    fn about(&self, place: Option<usize>, record: &Record, more: u32, limit: usize) -> About {
        let sums = |sums: &[Sums], place: Option<usize>| {
            place
                .and_then(|place| sums.get(place).copied())
                .unwrap_or_default()
        };
        let count = |counts: &Counts, key: u32| {
            place.map_or(0, |_| counts.get(&key).copied().unwrap_or_default()) + more
        };
        let mut host = sums(&self.hosts, place);
        let mut service = sums(&self.services, Some(usize::from(record.service)));
        let pair = count(&self.pairs, record.pair());
        let port = count(&self.ports, record.port());
        let is_new = u32::from(more > 0 && pair == more);
        for sums in [&mut host, &mut service] {
            sums.add(record.outcome, more);
            sums.variety += is_new;
        }
        About {
            same_service: share(pair, host.records),
            same_port: share(port, host.records),
            host: host.rates(limit),
            service: service.rates(limit),
        }
    }
}

/// Lowers a count; true when it is gone.
fn decrease(counts: &mut Counts, key: u32) -> bool {
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
