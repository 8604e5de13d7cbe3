//! What a capture comes to: counts by attack and by talker, and the strongest threats.

use std::collections::BTreeMap;
use std::collections::hash_map::{Entry, HashMap};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::FlowReport;
use crate::records::RecordBooks;
use crate::sensor::SensorCounts;

/// Talkers that are counted apart; a flood from a million addresses is summed up.
const MAX_TALKERS: usize = 65_536;

/// Counts over judged flows.
#[derive(Debug)]
pub(crate) struct Summary {
    top: usize,
    flows: u64,
    threats: u64,
    unknown: u64,
    classes: BTreeMap<Arc<str>, ClassCount>,
    talkers: HashMap<IpAddr, Talker>,
    other_talkers: Talker,
    strongest: Vec<(f64, String)>,
}

#[derive(Debug, Default)]
struct ClassCount {
    flows: u64,
    probability: f64,
}

#[derive(Debug, Default, Clone)]
struct Talker {
    flows: u64,
    threats: u64,
    /// By name, in the order of names: a talker has one or two.
    classes: Vec<(Arc<str>, u64)>,
}

impl Talker {
    /// Takes a flow, and the name of its class if it is a threat.
    fn add(&mut self, class: Option<&Arc<str>>) {
        self.flows += 1;
        let Some(class) = class else { return };
        self.threats += 1;
        match self.classes.binary_search_by(|(known, _)| known.cmp(class)) {
            Ok(at) => self.classes[at].1 += 1,
            Err(at) => self.classes.insert(at, (Arc::clone(class), 1)),
        }
    }

    fn main_class(&self) -> &str {
        let most = self.classes.iter().max_by_key(|(_, count)| *count);
        most.map_or("", |(class, _)| &**class)
    }
}

impl Summary {
    pub(crate) fn new(top: usize) -> Self {
        Self {
            top,
            flows: 0,
            threats: 0,
            unknown: 0,
            classes: BTreeMap::new(),
            talkers: HashMap::new(),
            other_talkers: Talker::default(),
            strongest: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, report: &FlowReport<'_>) {
        self.flows += 1;
        if report.opinion().is_none() {
            self.unknown += 1;
        }
        let class = report
            .is_threat()
            .then(|| self.name_of(report.class().unwrap_or("threat")));
        let is_full = self.talkers.len() >= MAX_TALKERS;
        match self.talkers.entry(report.source()) {
            Entry::Occupied(talker) => talker.into_mut().add(class.as_ref()),
            Entry::Vacant(vacant) if !is_full => {
                vacant.insert(Talker::default()).add(class.as_ref());
            }
            Entry::Vacant(_) => self.other_talkers.add(class.as_ref()),
        }
        let Some(class) = class else { return };
        self.threats += 1;
        let probability = report.probability().unwrap_or_default();
        let count = self.classes.entry(class).or_default();
        count.flows += 1;
        count.probability += probability;
        self.keep_if_strong(probability, report);
    }

    /// The one copy of a class's name.
    fn name_of(&self, class: &str) -> Arc<str> {
        match self.classes.get_key_value(class) {
            Some((known, _)) => Arc::clone(known),
            None => class.into(),
        }
    }

    fn keep_if_strong(&mut self, probability: f64, report: &FlowReport<'_>) {
        let is_full = self.strongest.len() >= self.top;
        let is_weak = self
            .strongest
            .last()
            .is_some_and(|(weakest, _)| *weakest >= probability);
        if self.top == 0 || (is_full && is_weak) {
            return;
        }
        let place = self
            .strongest
            .partition_point(|(other, _)| *other >= probability);
        self.strongest
            .insert(place, (probability, describe(probability, report)));
        self.strongest.truncate(self.top);
    }

    /// Talkers with threats first, then by flows; equal ones by address.
    fn loudest(&self) -> Vec<(&IpAddr, &Talker)> {
        let mut talkers: Vec<_> = self.talkers.iter().collect();
        talkers.sort_by_key(|(address, talker)| {
            (
                std::cmp::Reverse(talker.threats),
                std::cmp::Reverse(talker.flows),
                **address,
            )
        });
        talkers.truncate(self.top);
        talkers
    }

    /// For people.
    pub(crate) fn text(&self, counts: &SensorCounts, seconds: f64) -> String {
        let head = format!(
            "{} packets in {} flows, {} of them threats ({:.1} %), in {seconds:.2} s\n",
            counts.meter.packets,
            self.flows,
            self.threats,
            percent(self.threats, self.flows)
        );
        self.rest_of_text(head, &losses(counts))
    }

    /// For people, about a log of another sensor.
    pub(crate) fn text_of_records(&self, books: &RecordBooks, seconds: f64) -> String {
        let head = format!(
            "{} records of {}, {} of {} flows threats ({:.1} %), in {seconds:.2} s\n",
            books.received(),
            books.sensor,
            self.threats,
            self.flows,
            percent(self.threats, self.flows)
        );
        self.rest_of_text(head, &books.notes())
    }

    fn rest_of_text(&self, head: String, notes: &[String]) -> String {
        let mut text = head;
        for line in notes {
            text += &format!("note: {line}\n");
        }
        if self.unknown == self.flows && self.flows > 0 {
            text += "note: nothing was judged\n";
        } else if self.unknown > 0 {
            text += &format!("note: no model knows {} of the flows\n", self.unknown);
        }
        if !self.classes.is_empty() {
            text += "\nthreats by attack\n";
            let mut classes: Vec<_> = self.classes.iter().collect();
            classes.sort_by_key(|(_, count)| std::cmp::Reverse(count.flows));
            for (class, count) in classes {
                let mean = count.probability / count.flows as f64;
                let _ = writeln!(
                    text,
                    "  {:>9}  {class}  (mean probability {mean:.3})",
                    count.flows
                );
            }
        }
        if self.top > 0 && self.flows > 0 {
            text += "\ntalkers: threats / flows\n";
            for (address, talker) in self.loudest() {
                let _ = writeln!(
                    text,
                    "  {:>9} / {:<9} {address}  {}",
                    talker.threats,
                    talker.flows,
                    talker.main_class()
                );
            }
            if self.other_talkers.flows > 0 {
                let _ = writeln!(
                    text,
                    "  {:>9} / {:<9} others",
                    self.other_talkers.threats, self.other_talkers.flows
                );
            }
        }
        if !self.strongest.is_empty() {
            text += "\nstrongest threats\n";
            for (_, line) in &self.strongest {
                let _ = writeln!(text, "  {line}");
            }
        }
        text
    }

    /// For programs.
    pub(crate) fn to_json(&self, counts: &SensorCounts, seconds: f64) -> Value {
        json!({
            "frames": counts.frames,
            "packets": counts.meter.packets,
            "flows": self.flows,
            "threats": self.threats,
            "flows_without_model": self.unknown,
            "classes": self.classes_json(),
            "talkers": self.talkers_json(),
            "not_decoded": counts.causes.iter().map(|(cause, count)| (cause.name().to_owned(), json!(count)))
                .collect::<serde_json::Map<_, _>>(),
            "cut_short_frames": counts.cut_short,
            "evicted_flows": counts.meter.ended_by(tripline_flow::EndReason::Evicted),
            "fragments": counts.fragments.fragments,
            "overlapping_fragments": counts.fragments.overlapping,
            "seconds": seconds,
        })
    }

    /// For programs, about a log of another sensor.
    pub(crate) fn records_to_json(&self, books: &RecordBooks, seconds: f64) -> Value {
        let mut report = books.to_json();
        if let Some(report) = report.as_object_mut() {
            report.insert("flows".to_owned(), json!(self.flows));
            report.insert("threats".to_owned(), json!(self.threats));
            report.insert("flows_without_model".to_owned(), json!(self.unknown));
            report.insert("classes".to_owned(), self.classes_json());
            report.insert("talkers".to_owned(), self.talkers_json());
            report.insert("seconds".to_owned(), json!(seconds));
        }
        report
    }

    fn classes_json(&self) -> Value {
        let counts = self.classes.iter();
        counts
            .map(|(class, count)| (class.to_string(), json!(count.flows)))
            .collect()
    }

    fn talkers_json(&self) -> Value {
        let talkers = self.loudest().into_iter();
        talkers
            .map(|(address, talker)| {
                let classes = talker.classes.iter();
                let classes: serde_json::Map<String, Value> = classes
                    .map(|(class, count)| (class.to_string(), json!(count)))
                    .collect();
                json!({
                    "address": address, "flows": talker.flows, "threats": talker.threats,
                    "classes": classes,
                })
            })
            .collect()
    }
}

/// What was not, or not wholly, seen.
pub(crate) fn losses(counts: &SensorCounts) -> Vec<String> {
    let mut lines: Vec<String> = counts
        .causes
        .iter()
        .map(|(cause, count)| format!("{count} not decoded: {cause}"))
        .collect();
    if counts.cut_short > 0 {
        lines.push(format!(
            "{} of {} frames were captured only in part (snaplen); headers are enough, but a frame \
             shorter than its headers is not decoded",
            counts.cut_short, counts.frames
        ));
    }
    let evicted = counts.meter.ended_by(tripline_flow::EndReason::Evicted);
    if evicted > 0 {
        lines.push(format!(
            "{evicted} flows ended early because the flow table was full (--max-memory)"
        ));
    }
    if counts.fragments.overlapping > 0 {
        lines.push(format!(
            "{} of {} IP fragments overlap or end beyond the largest datagram",
            counts.fragments.overlapping, counts.fragments.fragments
        ));
    }
    lines
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64 * 100.0
    }
}

fn describe(probability: f64, report: &FlowReport<'_>) -> String {
    let flow = report.subject();
    let end = |address: IpAddr, port: u16| match (address, port) {
        (address, 0) => address.to_string(),
        (IpAddr::V6(address), port) => format!("[{address}]:{port}"),
        (IpAddr::V4(address), port) => format!("{address}:{port}"),
    };
    let because: Vec<String> = report
        .reasons()
        .iter()
        .take(3)
        .map(|reason| crate::output::reasons_text(std::slice::from_ref(reason)))
        .collect();
    format!(
        "{probability:.3}  {}  {} {} > {}  because {}",
        report.class().unwrap_or("threat"),
        report.protocol(),
        end(report.source(), flow.source_port()),
        end(report.destination(), flow.destination_port()),
        because.join("; ")
    )
}
