//! `NetFlow` v5, `NetFlow` v9 (RFC 3954) and IPFIX (RFC 7011), by datagram or by file.

mod bytes;
mod causes;
mod element;
mod exporter;
mod import;
mod lru;
mod sequence;
mod sets;
mod template;
mod v5;
mod values;

use std::net::IpAddr;

use crate::record::{FlowRecord, Oddities};
use bytes::Bytes;
pub use causes::{Cause, Causes};
use exporter::Exporter;
pub use import::{DatagramFile, import_datagrams};
use lru::Lru;

/// What exporters may make a collector remember.
///
/// The defaults bound the templates to about 35 MB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectorLimits {
    /// Exporters; the one that is silent for longest makes room.
    pub max_exporters: usize,
    /// Observation domains, source ids or engines whose sequence numbers are followed, per
    /// exporter.
    pub max_domains_per_exporter: usize,
    /// Templates of an exporter; the one unused for longest makes room.
    pub max_templates_per_exporter: usize,
    /// Fields of a template; a template with more is refused.
    pub max_fields_per_template: usize,
    /// Bytes of a field of fixed length; a template with a longer one is refused.
    pub max_field_bytes: usize,
    /// What to do with withdrawals of templates.
    pub withdrawals: Withdrawals,
}

/// What to do where an IPFIX exporter withdraws a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Withdrawals {
    /// Forget the template.
    #[default]
    Obey,
    /// Keep the template: over UDP exporters send no withdrawals (RFC 7011, section 8.4), whoever
    /// sends one there is mistaken or forges.
    Ignore,
}

/// What one datagram gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DatagramOutcome {
    /// Records added to the output.
    pub records: usize,
    /// Templates learned, options templates among them.
    pub templates: usize,
    /// Records with improbable times.
    pub oddities: Oddities,
    /// What could not be used.
    pub causes: Causes,
}

/// What all datagrams gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CollectorCounts {
    /// Datagrams.
    pub datagrams: u64,
    /// Records.
    pub records: u64,
    /// Templates learned, repetitions among them.
    pub templates: u64,
    /// Records with improbable times.
    pub oddities: Oddities,
    /// What could not be used.
    pub causes: Causes,
}

/// Decodes the datagrams of any number of exporters.
///
/// A record without addresses or without a start is no flow and is counted as a [`Cause`]. Data
/// before its template is counted and dropped. Of options data only the exporter's boot time is
/// used; a sampling rate announced there is not, because it can belong to one of several samplers.
#[derive(Debug)]
pub struct FlowCollector {
    limits: CollectorLimits,
    exporters: Lru<IpAddr, Exporter>,
    counts: CollectorCounts,
}

impl Default for CollectorLimits {
    fn default() -> Self {
        Self {
            max_exporters: 256,
            max_domains_per_exporter: 256,
            max_templates_per_exporter: 256,
            max_fields_per_template: 128,
            max_field_bytes: 4096,
            withdrawals: Withdrawals::default(),
        }
    }
}

impl FlowCollector {
    /// Takes the limits; a limit of 0 for exporters, domains or templates works as 1.
    pub fn new(limits: CollectorLimits) -> Self {
        Self {
            limits,
            exporters: Lru::new(limits.max_exporters),
            counts: CollectorCounts::default(),
        }
    }

    /// Decodes one datagram and adds its records to `out`.
    ///
    /// `received_micros` is the time of arrival in microseconds since 1970; it is only compared
    /// with, never written into a record. More than a datagram can hold is never added.
    pub fn datagram(
        &mut self,
        exporter: IpAddr,
        bytes: &[u8],
        received_micros: i64,
        out: &mut Vec<FlowRecord>,
    ) -> DatagramOutcome {
        let mut outcome = DatagramOutcome::default();
        let before = out.len();
        self.decode(
            exporter.to_canonical(),
            bytes,
            received_micros,
            out,
            &mut outcome,
        );
        outcome.records = out.len() - before;
        self.counts.datagrams += 1;
        self.counts.records += outcome.records as u64;
        self.counts.templates += outcome.templates as u64;
        self.counts.oddities.merge(&outcome.oddities);
        self.counts.causes.merge(&outcome.causes);
        outcome
    }

    /// What all datagrams gave so far.
    pub fn counts(&self) -> &CollectorCounts {
        &self.counts
    }

    /// Exporters that are remembered.
    pub fn exporters(&self) -> usize {
        self.exporters.len()
    }

    /// Templates that are remembered, options templates among them.
    pub fn templates(&self) -> usize {
        self.exporters.values().map(Exporter::templates).sum()
    }

    fn decode(
        &mut self,
        exporter: IpAddr,
        bytes: &[u8],
        received_micros: i64,
        out: &mut Vec<FlowRecord>,
        outcome: &mut DatagramOutcome,
    ) {
        let mut input = Bytes(bytes);
        let version = match input.u16() {
            Some(version @ (5 | 9 | 10)) => version,
            Some(_) => return outcome.causes.count(Cause::UnknownVersion),
            None => return outcome.causes.count(Cause::Truncated),
        };
        let header = match version {
            5 => v5::Header::read(&mut input).map(Header::V5),
            _ => sets::Header::read(version, &mut input, &mut outcome.causes).map(Header::Sets),
        };
        // Before this an exporter takes no room: whoever sends rubbish pushes nobody out.
        let Some(header) = header else {
            return outcome.causes.count(Cause::Truncated);
        };
        let limits = &self.limits;
        let (state, evicted) = self
            .exporters
            .get_or_insert(exporter, || Exporter::new(limits));
        outcome.causes.add(Cause::ExporterEvicted, evicted);
        let mut sink = Sink {
            received_micros,
            out,
            outcome,
        };
        match header {
            Header::V5(header) => v5::read(&header, input, state, &mut sink),
            Header::Sets(header) => sets::read(&header, input, limits, state, &mut sink),
        }
    }
}

enum Header {
    V5(v5::Header),
    Sets(sets::Header),
}

/// Where records and remarks go.
struct Sink<'a> {
    received_micros: i64,
    out: &'a mut Vec<FlowRecord>,
    outcome: &'a mut DatagramOutcome,
}

impl Sink<'_> {
    fn record(&mut self, record: FlowRecord) {
        self.outcome
            .oddities
            .check_received(&record, self.received_micros);
        self.out.push(record);
    }

    fn cause(&mut self, cause: Cause) {
        self.outcome.causes.count(cause);
    }
}

#[cfg(test)]
mod tests;
