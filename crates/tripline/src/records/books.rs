use std::collections::BTreeMap;

use serde_json::{Value, json};
use tripline_records::{Cause, CollectorCounts, Oddities, ReadCounts, Rejection};

use super::JudgedRecord;

/// Rejections that are shown.
const SHOWN: usize = 5;
/// Reasons that are counted apart; an exporter must not fill the memory with new ones.
const MAX_REASONS: usize = 64;
const OTHER_REASONS: &str = "other reasons";

/// Parts of datagrams that would have been records.
const REJECTED: [Cause; 3] = [Cause::BadRecord, Cause::NoAddress, Cause::NoTime];
/// What loses an unknown number of records.
const LOST: [Cause; 7] = [
    Cause::UnknownVersion,
    Cause::Truncated,
    Cause::TrailingBytes,
    Cause::BadSetLength,
    Cause::NoTemplate,
    Cause::BadTemplate,
    Cause::TemplateTooLarge,
];

/// What became of every record: received = judged + not judged + rejected.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecordBooks {
    /// Whose records.
    pub(crate) sensor: &'static str,
    /// Records that a model was asked about.
    pub(crate) judged: u64,
    /// Records that no model was asked about, by reason.
    pub(crate) not_judged: BTreeMap<String, u64>,
    /// Lines and data records that are no flow, by reason.
    pub(crate) rejected: BTreeMap<&'static str, u64>,
    /// The first of them.
    pub(crate) first_rejections: Vec<String>,
    /// Lines of other logs and other events.
    pub(crate) skipped: u64,
    /// Records with improbable times.
    pub(crate) oddities: Oddities,
    /// Datagrams or messages.
    pub(crate) datagrams: u64,
    /// What else happened to datagrams.
    pub(crate) causes: BTreeMap<Cause, u64>,
    /// Why the reading ended before the end.
    pub(crate) stopped: Option<String>,
}

impl RecordBooks {
    pub(crate) fn new(sensor: &'static str) -> Self {
        Self {
            sensor,
            ..Self::default()
        }
    }

    /// Counts a record.
    pub(crate) fn add(&mut self, judged: &JudgedRecord) {
        match judged.not_judged_because() {
            None => self.judged += 1,
            Some(reason) => {
                let is_full =
                    self.not_judged.len() >= MAX_REASONS && !self.not_judged.contains_key(&reason);
                let reason = if is_full {
                    OTHER_REASONS.to_owned()
                } else {
                    reason
                };
                *self.not_judged.entry(reason).or_default() += 1;
            }
        }
    }

    /// Counts a line that is no record.
    pub(crate) fn reject(&mut self, rejection: &Rejection) {
        *self.rejected.entry("bad_line").or_default() += 1;
        if self.first_rejections.len() < SHOWN {
            self.first_rejections.push(rejection.to_string());
        }
    }

    /// Takes what a reader of lines counted.
    pub(crate) fn set_lines(&mut self, counts: &ReadCounts) {
        self.skipped = counts.skipped;
        self.oddities = counts.oddities;
    }

    /// Takes what a collector of datagrams counted.
    pub(crate) fn set_datagrams(&mut self, counts: &CollectorCounts) {
        self.datagrams = counts.datagrams;
        self.oddities = counts.oddities;
        self.rejected.clear();
        self.causes.clear();
        for (cause, count) in counts.causes.iter() {
            if REJECTED.contains(&cause) {
                self.rejected.insert(cause.name(), count);
            } else {
                self.causes.insert(cause, count);
            }
        }
    }

    /// Records that no model was asked about.
    pub(crate) fn not_judged(&self) -> u64 {
        self.not_judged.values().sum()
    }

    /// Lines and data records that are no flow.
    pub(crate) fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// All records, whatever became of them.
    pub(crate) fn received(&self) -> u64 {
        self.judged + self.not_judged() + self.rejected()
    }

    /// Whether something could not be used.
    pub(crate) fn has_losses(&self) -> bool {
        let is_lost = |cause: &Cause| LOST.contains(cause);
        self.rejected() > 0 || self.stopped.is_some() || self.causes.keys().any(is_lost)
    }

    /// Whether there were records, and no model could be asked about any of them.
    pub(crate) fn is_unknown(&self) -> bool {
        self.judged == 0 && self.not_judged() > 0
    }

    /// The reason that most records were not judged for.
    pub(crate) fn main_reason(&self) -> Option<&str> {
        let most = self.not_judged.iter().max_by_key(|(_, count)| **count);
        most.map(|(reason, _)| reason.as_str())
    }

    /// For people.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(reason) = &self.stopped {
            notes.push(format!("the reading ended early: {reason}"));
        }
        for (reason, count) in &self.not_judged {
            notes.push(format!("{count} not judged: {reason}"));
        }
        for (cause, count) in &self.rejected {
            notes.push(format!("{count} rejected: {cause}"));
        }
        for rejection in &self.first_rejections {
            notes.push(format!("rejected: {rejection}"));
        }
        for (cause, count) in &self.causes {
            notes.push(format!("{count} times: {cause}"));
        }
        if self.skipped > 0 {
            notes.push(format!(
                "{} lines belong to other logs or events",
                self.skipped
            ));
        }
        for (count, what) in [
            (self.oddities.end_before_start, "end before they start"),
            (self.oddities.start_far_off, "start at an improbable time"),
            (
                self.oddities.time_out_of_range,
                "have a time that is out of range",
            ),
        ] {
            if count > 0 {
                notes.push(format!("{count} records {what}"));
            }
        }
        notes
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        let causes = self.causes.iter();
        json!({
            "sensor": self.sensor,
            "datagrams": self.datagrams,
            "received": self.received(),
            "judged": self.judged,
            "not_judged": self.not_judged,
            "rejected": self.rejected,
            "first_rejections": self.first_rejections,
            "skipped_lines": self.skipped,
            "causes": causes.map(|(cause, count)| (cause.name().to_owned(), json!(count)))
                .collect::<serde_json::Map<_, _>>(),
            "oddities": self.oddities,
            "stopped": self.stopped,
        })
    }
}
