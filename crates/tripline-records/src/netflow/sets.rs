//! `NetFlow` v9 and IPFIX: messages of sets, of templates and of data.

use super::bytes::Bytes;
use super::causes::{Cause, Causes};
use super::exporter::{Domain, DomainKey, Exporter, TemplateKey};
use super::template::{Dialect, Purpose, Refused, Template};
use super::values::{Clocks, Values};
use super::{CollectorLimits, Sink, Withdrawals};
use crate::record::RecordSource;

pub(super) const V9: u16 = 9;
pub(super) const IPFIX: u16 = 10;
pub(super) const V9_HEADER_BYTES: usize = 20;
pub(super) const IPFIX_HEADER_BYTES: usize = 16;
pub(super) const SET_HEADER_BYTES: usize = 4;
/// Sets with lower numbers are no data.
pub(super) const FIRST_DATA_SET: u16 = 256;

/// The header of a message.
#[derive(Debug)]
pub(super) struct Header {
    dialect: Dialect,
    clocks: Clocks,
    sequence: u32,
    key: DomainKey,
}

/// What can be told about the records of a set.
enum SetRecords {
    Counted(u32),
    Unknown,
}

impl Header {
    /// Reads what follows the version and leaves the message's sets in the input.
    pub(super) fn read(version: u16, input: &mut Bytes<'_>, causes: &mut Causes) -> Option<Self> {
        if version == V9 {
            Self::read_v9(input)
        } else {
            Self::read_ipfix(input, causes)
        }
    }

    fn read_v9(input: &mut Bytes<'_>) -> Option<Self> {
        // The number of records helps nobody: it tells nothing that the sets do not.
        let _records = input.u16()?;
        let uptime_millis = input.u32()?;
        let export_micros = i64::from(input.u32()?) * 1_000_000;
        let sequence = input.u32()?;
        let domain = input.u32()?;
        Some(Self {
            dialect: Dialect::V9,
            clocks: Clocks {
                source: RecordSource::NetflowV9,
                export_micros,
                uptime_millis: Some(uptime_millis),
                boot_micros: None,
            },
            sequence,
            key: DomainKey {
                version: V9,
                domain,
            },
        })
    }

    fn read_ipfix(input: &mut Bytes<'_>, causes: &mut Causes) -> Option<Self> {
        let length = usize::from(input.u16()?);
        let export_micros = i64::from(input.u32()?) * 1_000_000;
        let sequence = input.u32()?;
        let domain = input.u32()?;
        let sets = length.checked_sub(IPFIX_HEADER_BYTES)?;
        match input.0.split_at_checked(sets) {
            None => causes.count(Cause::Truncated),
            Some((sets, rest)) => {
                *input = Bytes(sets);
                causes.add(Cause::TrailingBytes, u64::from(!rest.is_empty()));
            }
        }
        Some(Self {
            dialect: Dialect::Ipfix,
            clocks: Clocks {
                source: RecordSource::Ipfix,
                export_micros,
                uptime_millis: None,
                boot_micros: None,
            },
            sequence,
            key: DomainKey {
                version: IPFIX,
                domain,
            },
        })
    }
}

/// Reads the sets of a message.
pub(super) fn read(
    header: &Header,
    input: Bytes<'_>,
    limits: &CollectorLimits,
    exporter: &mut Exporter,
    sink: &mut Sink<'_>,
) {
    let (_, evicted) = exporter.domains.get_or_insert(header.key, Domain::default);
    sink.outcome.causes.add(Cause::DomainEvicted, evicted);
    let mut message = Message {
        header,
        limits,
        exporter,
        sink,
    };
    let records = message.sets(input);
    let (counted, unit) = match (header.dialect, records) {
        (Dialect::V9, _) => (Some(1), Cause::LostDatagram),
        (Dialect::Ipfix, SetRecords::Counted(records)) => (Some(records), Cause::LostRecord),
        (Dialect::Ipfix, SetRecords::Unknown) => (None, Cause::LostRecord),
    };
    if let Some(domain) = exporter.domains.get(header.key) {
        let causes = &mut sink.outcome.causes;
        domain
            .sequence
            .follow(header.sequence, counted, unit, causes);
    }
}

struct Message<'m, 's> {
    header: &'m Header,
    limits: &'m CollectorLimits,
    exporter: &'m mut Exporter,
    sink: &'m mut Sink<'s>,
}

impl Message<'_, '_> {
    fn sets(&mut self, mut input: Bytes<'_>) -> SetRecords {
        let mut counted = 0_u32;
        let mut all_known = true;
        while input.len() > 0 {
            let mut rest = input;
            let (Some(id), Some(length)) = (rest.u16(), rest.u16()) else {
                self.sink.cause(Cause::Truncated);
                break;
            };
            let Some(body) = usize::from(length).checked_sub(SET_HEADER_BYTES) else {
                // Some exporters fill a datagram up with zeros.
                let is_padding = input.0.iter().all(|byte| *byte == 0);
                self.sink.cause(if is_padding {
                    Cause::TrailingBytes
                } else {
                    Cause::BadSetLength
                });
                all_known &= is_padding;
                break;
            };
            let Some(body) = rest.take(body) else {
                self.sink.cause(Cause::Truncated);
                all_known = false;
                break;
            };
            match self.set(id, Bytes(body)) {
                SetRecords::Counted(records) => counted = counted.saturating_add(records),
                SetRecords::Unknown => all_known = false,
            }
            input = rest;
        }
        if all_known {
            SetRecords::Counted(counted)
        } else {
            SetRecords::Unknown
        }
    }

    fn set(&mut self, id: u16, body: Bytes<'_>) -> SetRecords {
        match (self.header.dialect, id) {
            (Dialect::V9, 0) | (Dialect::Ipfix, 2) => self.templates(body, Purpose::Flows),
            (Dialect::V9, 1) | (Dialect::Ipfix, 3) => self.templates(body, Purpose::Options),
            (_, FIRST_DATA_SET..) => return self.data(id, body),
            _ => self.sink.cause(Cause::ReservedSet),
        }
        SetRecords::Counted(0)
    }

    fn templates(&mut self, mut input: Bytes<'_>, purpose: Purpose) {
        while input.len() >= 4 && input.0.iter().any(|byte| *byte != 0) {
            if self.template(&mut input, purpose).is_none() {
                return self.sink.cause(Cause::BadTemplate);
            }
        }
    }

    /// Reads one template; `None` where the next one cannot be found.
    fn template(&mut self, input: &mut Bytes<'_>, purpose: Purpose) -> Option<()> {
        let id = input.u16()?;
        let first = usize::from(input.u16()?);
        if self.header.dialect == Dialect::Ipfix && first == 0 {
            self.withdraw(id, purpose);
            return Some(());
        }
        let (count, scopes) = match (purpose, self.header.dialect) {
            (Purpose::Flows, _) => (first, 0),
            (Purpose::Options, Dialect::Ipfix) => (first, usize::from(input.u16()?)),
            // Lengths in bytes; a field takes four.
            (Purpose::Options, Dialect::V9) => {
                let options = usize::from(input.u16()?);
                ((first + options) / 4, first / 4)
            }
        };
        let dialect = self.header.dialect;
        let template = Template::read(input, dialect, purpose, count, scopes, self.limits);
        match template {
            Err(Refused::Cut) => return None,
            Err(Refused::TooLarge) => self.sink.cause(Cause::TemplateTooLarge),
            Err(Refused::Empty) => self.sink.cause(Cause::BadTemplate),
            Ok(_) if id < FIRST_DATA_SET => self.sink.cause(Cause::BadTemplate),
            Ok(template) => {
                let evicted = self.exporter.templates.insert(self.key(id), template);
                self.sink
                    .outcome
                    .causes
                    .add(Cause::TemplateEvicted, evicted);
                self.sink.outcome.templates += 1;
                return Some(());
            }
        }
        // What the exporter now calls by this number is unknown; the old meaning would be wrong.
        self.exporter.templates.remove(self.key(id));
        Some(())
    }

    /// Forgets one template, or all of a kind where the number is that of their set.
    fn withdraw(&mut self, id: u16, purpose: Purpose) {
        if self.limits.withdrawals == Withdrawals::Ignore {
            return self.sink.cause(Cause::WithdrawalIgnored);
        }
        let domain = self.header.key;
        let gone = match id {
            FIRST_DATA_SET.. => usize::from(self.exporter.templates.remove(self.key(id))),
            2 | 3 => self
                .exporter
                .templates
                .retain(|key, template| key.domain != domain || template.purpose != purpose),
            _ => return self.sink.cause(Cause::BadTemplate),
        };
        let causes = &mut self.sink.outcome.causes;
        causes.add(Cause::TemplateWithdrawn, gone as u64);
    }

    fn data(&mut self, id: u16, mut input: Bytes<'_>) -> SetRecords {
        let key = self.key(id);
        let Some(template) = self.exporter.templates.get(key) else {
            self.sink.cause(Cause::NoTemplate);
            return SetRecords::Unknown;
        };
        let Some(domain) = self.exporter.domains.get(self.header.key) else {
            return SetRecords::Unknown;
        };
        let mut records = 0;
        // What is shorter than any record is padding.
        while input.len() >= template.min_bytes {
            let mut values = Values::default();
            let show = |element, bytes: &[u8]| values.show(element, bytes);
            if template
                .record(&mut input, self.header.dialect, show)
                .is_none()
            {
                self.sink.cause(Cause::BadRecord);
                return SetRecords::Unknown;
            }
            records += 1;
            match template.purpose {
                Purpose::Options => {
                    self.sink.cause(Cause::OptionsRecord);
                    domain.boot_micros = values.boot_micros().or(domain.boot_micros);
                }
                Purpose::Flows => {
                    let clocks = Clocks {
                        boot_micros: domain.boot_micros,
                        ..self.header.clocks
                    };
                    match values.flow(&clocks) {
                        Ok(record) => self.sink.record(record),
                        Err(cause) => self.sink.cause(cause),
                    }
                }
            }
            self.sink.outcome.oddities.time_out_of_range += u64::from(values.out_of_range());
        }
        SetRecords::Counted(records)
    }

    fn key(&self, id: u16) -> TemplateKey {
        TemplateKey {
            domain: self.header.key,
            id,
        }
    }
}
