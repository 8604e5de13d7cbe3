//! What is remembered about one exporter.

use super::CollectorLimits;
use super::lru::Lru;
use super::sequence::Sequence;
use super::template::Template;

/// A template's full name within its exporter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TemplateKey {
    pub(super) domain: DomainKey,
    pub(super) id: u16,
}

/// An observation domain, a source id, or an engine of v5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DomainKey {
    pub(super) version: u16,
    pub(super) domain: u32,
}

#[derive(Debug)]
pub(super) struct Exporter {
    pub(super) templates: Lru<TemplateKey, Template>,
    pub(super) domains: Lru<DomainKey, Domain>,
}

#[derive(Debug, Default)]
pub(super) struct Domain {
    pub(super) sequence: Sequence,
    /// When the exporter booted, as it said in an options record.
    pub(super) boot_micros: Option<i64>,
}

impl Exporter {
    pub(super) fn new(limits: &CollectorLimits) -> Self {
        Self {
            templates: Lru::new(limits.max_templates_per_exporter),
            domains: Lru::new(limits.max_domains_per_exporter),
        }
    }

    pub(super) fn templates(&self) -> usize {
        self.templates.len()
    }
}
