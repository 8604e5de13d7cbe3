//! Connections against the public extractor of KDD'99 features (AI-IDS/kdd99_feature_extractor).
//!
//! It is right about end points, protocol, service of primary ports, land and urgent packets, and
//! about the duration of connections that were closed. What it derives beyond that is not what the
//! published records have; how many records that touches is in the document.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

use tripline_features::live::nsl_kdd::Connections;
use tripline_features::{FeatureKind, nsl_kdd};
use tripline_flow::{FlowId, Heading, Meter, MeterConfig, What};
use tripline_wire::{CaptureReader, DecodeOptions, Decoder, Fragments};

use crate::document;
use crate::reference::{data, text};

/// Its columns: features 1 to 9, 23 to 41, then end points and time.
const COLUMNS: usize = 33;
const SERVICE: usize = 2;
const FLAG: usize = 3;

/// The record of a connection, ours or theirs.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    protocol: String,
    service: String,
    flag: String,
    duration: f64,
    bytes: [f64; 2],
    /// land, wrong fragments, urgent.
    marks: [f64; 3],
    /// Features 23 to 41.
    windows: Vec<f64>,
    responder_port: u16,
}

/// Records by protocol and end points, originator first.
type Rows = BTreeMap<String, Vec<Row>>;

fn theirs(path: &Path) -> Rows {
    let mut rows = Rows::new();
    for line in text(path).lines() {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), COLUMNS, "{line}");
        let number = |at: usize| cells[at].parse::<f64>().unwrap();
        let row = Row {
            protocol: cells[1].to_owned(),
            service: cells[2].to_owned(),
            flag: cells[3].to_owned(),
            duration: number(0),
            bytes: [number(4), number(5)],
            marks: [number(6), number(7), number(8)],
            windows: (9..28).map(number).collect(),
            responder_port: cells[31].parse().unwrap(),
        };
        rows.entry(format!("{} {}", cells[1], cells[28..32].join(" ")))
            .or_default()
            .push(row);
    }
    rows
}

fn ours(path: &Path) -> Rows {
    let mut rows = Rows::new();
    let Ok(mut capture) = CaptureReader::new(std::fs::File::open(path).unwrap()) else {
        return rows;
    };
    // It puts datagrams together, and knows no tunnels.
    let mut decoder = Decoder::new(DecodeOptions {
        fragments: Fragments::Follow,
        ..DecodeOptions::original()
    });
    let mut packets = Vec::new();
    while let Some(frame) = capture.next_frame().unwrap() {
        if let Ok(packet) = decoder.decode(&frame)
            && packet.version == 4
        {
            packets.push(packet);
        }
    }
    let (mut meter, mut events) = (Meter::new(MeterConfig::default()), Vec::new());
    meter.observe(&packets, &mut events);
    meter.finish(&mut events);
    let mut connections = Connections::new();
    for event in &events {
        let What::Record(record) = &event.what else {
            continue;
        };
        let key = record.key;
        let from_flow = match record.connection.originator() {
            Heading::Forward => key,
            Heading::Backward => key.reversed(),
        };
        // What the windows would say of it is what they say once they have it. Its flow may have
        // been cut before.
        let nobody = FlowId {
            first_packet: u64::MAX,
            earlier: 0,
        };
        let (now, mut values) = (record.at_micros, Vec::new());
        let is_known = connections.write(nobody, &from_flow, &record.connection, now, &mut values);
        connections.observe(record);
        if !is_known {
            continue;
        }
        let name = |feature: usize| match nsl_kdd().features()[feature].kind {
            FeatureKind::Category(names) => names[values[feature] as usize].to_owned(),
            _ => unreachable!(),
        };
        let row = Row {
            protocol: name(1),
            service: name(SERVICE),
            flag: name(FLAG),
            duration: values[0],
            bytes: [values[4], values[5]],
            marks: [values[6], values[7], values[8]],
            windows: values[22..41].to_vec(),
            responder_port: key.destination_port,
        };
        let address = |address| IpAddr::from(address);
        rows.entry(format!(
            "{} {} {} {} {}",
            row.protocol,
            address(key.source),
            key.source_port,
            address(key.destination),
            key.destination_port
        ))
        .or_default()
        .push(row);
    }
    rows
}

/// Counts of what was compared and of what differs.
#[derive(Debug, Default)]
struct Tally {
    captures: u64,
    their_rows: u64,
    our_rows: u64,
    /// End points of which both have one record.
    pairs: u64,
    /// End points that it gives a record for each segment, since it saw no SYN; those records.
    from_middle: [u64; 2],
    /// End points of which both have the same number of records, more than one.
    repeated: u64,
    /// End points of which we have more records: attempts that were made again.
    attempts: u64,
    /// End points with other numbers of records, or that one of us does not have.
    others: u64,
    /// Records of ICMP, theirs and ours.
    icmp: [u64; 2],
    flags: BTreeMap<(String, String), u64>,
    same_flag: u64,
    same_service: u64,
    exchanged: u64,
    aliases: BTreeMap<(u16, String, String), u64>,
    closed: u64,
    longer: u64,
    bytes: u64,
    windows: [u64; 19],
    wrong: Vec<String>,
}

/// Flags that the extractor cannot have or gives later, and what the published records have
/// instead: theirs, ours, why.
const FLAGS: &[(&str, &str, &str)] = &[
    ("S1", "S0", "to it a SYN alone establishes"),
    ("S1", "SH", "to it a SYN alone establishes"),
    (
        "S2",
        "SH",
        "a FIN without a SYN-ACK; to it only the originator has closed",
    ),
    ("S2", "SF", "both FINs are there; it waits for the last ACK"),
    ("S3", "SF", "both FINs are there; it waits for the last ACK"),
    (
        "RSTR",
        "REJ",
        "a SYN answered by RST; to it the SYN established",
    ),
    (
        "RSTO",
        "RSTOS0",
        "no answer was seen; to it the SYN established",
    ),
    ("RSTO", "SF", "a RST after both FINs changes nothing"),
    ("RSTR", "SF", "a RST after both FINs changes nothing"),
    (
        "RSTO",
        "S2",
        "the RST came when nothing was expected any more",
    ),
    (
        "OTH",
        "RSTR",
        "a scan without SYN, answered by RST; it makes each segment a record",
    ),
    (
        "OTH",
        "RSTOS0",
        "seen from the middle; it makes each segment a record",
    ),
    (
        "OTH",
        "SH",
        "seen from the middle; it makes each segment a record",
    ),
];

#[test]
fn connections() {
    let Some(data) = data() else { return };
    let mut tally = Tally::default();
    for folder in ["attack", "benign", "nasty"] {
        let recorded = data.join("captures/reference/kdd99-extractor").join(folder);
        let mut files: Vec<String> = std::fs::read_dir(&recorded)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        for file in files {
            let name = file.strip_suffix(".csv.zst").unwrap();
            let ours = ours(&data.join("captures").join(folder).join(name));
            tally.captures += 1;
            tally.compare(name, &ours, &theirs(&recorded.join(&file)));
        }
    }
    assert!(tally.wrong.is_empty(), "{:#?}", tally.wrong);
    for (theirs, ours, _) in FLAGS {
        let pair = ((*theirs).to_owned(), (*ours).to_owned());
        assert!(
            tally.flags.contains_key(&pair),
            "declared and not found: {pair:?}"
        );
    }
    document::compare("kdd", &tally.page());
}

impl Tally {
    fn compare(&mut self, name: &str, ours: &Rows, theirs: &Rows) {
        let count = |rows: &Rows| rows.values().map(|rows| rows.len() as u64).sum::<u64>();
        self.our_rows += count(ours);
        self.their_rows += count(theirs);
        let ends: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for ends in ends {
            let our = ours.get(ends).map_or(&[][..], Vec::as_slice);
            let their = theirs.get(ends).map_or(&[][..], Vec::as_slice);
            if ends.starts_with("icmp") {
                self.icmp[0] += their.len() as u64;
                self.icmp[1] += our.len() as u64;
                continue;
            }
            match (our, their) {
                ([our], [their]) => self.pair(&format!("{name} {ends}"), our, their),
                (_, [first, ..]) if first.protocol == "tcp" && first.flag == "OTH" => {
                    self.from_middle[0] += 1;
                    self.from_middle[1] += their.len() as u64;
                }
                (our, [_, ..]) if our.len() > their.len() => self.attempts += 1,
                (our, their) if our.len() == their.len() => self.repeated += 1,
                _ => self.others += 1,
            }
        }
    }

    fn pair(&mut self, name: &str, our: &Row, their: &Row) {
        self.pairs += 1;
        let mut wrong = |what: &str| {
            self.wrong.push(format!("{name} {what}: {our:?} {their:?}"));
        };
        if our.protocol != their.protocol {
            wrong("protocol");
        }
        if our.marks[0] != their.marks[0] {
            wrong("land");
        }
        if our.marks[2] != their.marks[2] {
            wrong("urgent");
        }
        let is_unnamed = |row: &Row| matches!(row.service.as_str(), "private" | "other");
        match (is_unnamed(our), is_unnamed(their)) {
            _ if our.service == their.service => self.same_service += 1,
            (true, true) => self.exchanged += 1,
            // Two names for one port.
            (false, false) => wrong("service"),
            _ => {
                let alias = (
                    our.responder_port,
                    their.service.clone(),
                    our.service.clone(),
                );
                *self.aliases.entry(alias).or_default() += 1;
            }
        }
        if our.flag == their.flag {
            self.same_flag += 1;
        } else {
            let flags = (their.flag.as_str(), our.flag.as_str());
            if !FLAGS.iter().any(|known| (known.0, known.1) == flags) {
                wrong("flag");
            }
            *self
                .flags
                .entry((their.flag.clone(), our.flag.clone()))
                .or_default() += 1;
        }
        if our.flag == "SF" && their.flag == "SF" {
            self.closed += 1;
            // Its last ACK may come later than the last FIN.
            if their.duration > our.duration && our.protocol == "tcp" {
                self.longer += 1;
            } else if their.duration != our.duration {
                wrong("duration");
            }
        }
        self.bytes += u64::from(our.bytes != their.bytes);
        for (count, (our, their)) in self
            .windows
            .iter_mut()
            .zip(our.windows.iter().zip(&their.windows))
        {
            // Both print two decimals.
            *count += u64::from((our - their).abs() > 0.0051);
        }
    }

    /// The section of the document.
    fn page(&self) -> String {
        let mut page = format!(
            "{} captures: {} records of theirs, {} of ours; {} end points of TCP and UDP of which \
             both have one.\n\n\
             | of these records | |\n|---|---|\n\
             | same protocol, `land` and `urgent` (must hold) | {} |\n\
             | same service | {} |\n\
             | same flag | {} |\n\
             | both `SF` (every `SF` of theirs is one of ours) | {} |\n\
             | … same duration, or in {} longer by the last ACK (must hold) | {} |\n\n\
             | deliberate difference | records |\n|---|---|\n",
            self.captures,
            self.their_rows,
            self.our_rows,
            self.pairs,
            self.pairs,
            self.same_service,
            self.same_flag,
            self.closed,
            self.longer,
            self.closed,
        );
        let mut line = |what: &str, count: u64| writeln!(page, "| {what} | {count} |").unwrap();
        for (theirs, ours, why) in FLAGS {
            let pair = ((*theirs).to_owned(), (*ours).to_owned());
            let count = self.flags.get(&pair).copied().unwrap_or_default();
            line(
                &format!("flag `{theirs}` there, `{ours}` here: {why}"),
                count,
            );
        }
        line(
            "`private` is a port below 1024 and `other` one above; there `private` begins at 49152",
            self.exchanged,
        );
        for ((port, theirs, ours), count) in &self.aliases {
            let what = format!("service of port {port}: `{theirs}` there, `{ours}` here");
            line(&what, *count);
        }
        line(
            "bytes are payload; there whole frames with their headers",
            self.bytes,
        );
        let features = nsl_kdd().features();
        for (at, count) in self.windows.iter().enumerate() {
            let what = match at {
                0..9 => "two seconds",
                _ => "last records, 255 here and 100 there",
            };
            let name = features[22 + at].name;
            line(&format!("`{name}` (window of {what})"), *count);
        }
        writeln!(
            page,
            "\nWindows differ since here the record itself is part of them, errors are all of S0 to S3 and SH, or\n\
             REJ, RSTO, RSTOS0 and RSTR, variety is distinct services or hosts per record, and records of\n\
             other numbers and flags are counted.\n\n\
             Not one record to one:\n\n\
             | deliberate difference | end points | their records | our records |\n|---|---|---|---|\n\
             | none: the same number of records, which are not told apart here | {} | | |\n\
             | TCP seen without its SYN: there every segment is a record, here they are one connection | {} | {} | |\n\
             | an attempt that is made again after 5 s of silence or a refusal is another record here | {} | | |\n\
             | ICMP: there messages of 30 s are one record, here each is one; and messages that NSL-KDD has no name for are none | | {} | {} |\n\
             | other time-outs, layers that one of us does not read, fuzzed headers | {} | | |",
            self.repeated,
            self.from_middle[0],
            self.from_middle[1],
            self.attempts,
            self.icmp[0],
            self.icmp[1],
            self.others,
        )
        .unwrap();
        page
    }
}
