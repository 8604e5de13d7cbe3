//! The numbers that CICFlowMeter writes for a flow.
//!
//! Formulas and the differences between the profiles: Engelen, Rimmer, Joosen, "Troubleshooting
//! an Intrusion Detection Dataset: the CICIDS2017 Case Study", IEEE SPW 2021, and the three
//! programs themselves. Lengths are transport payload in bytes, times microseconds.

use std::sync::LazyLock;

use tripline_flow::{Bulk, Direction, Flow, Moments, Profile};
use tripline_wire::protocol;

use crate::field::{is_whole, read_number};
use crate::schema::{FeatureDef, FeatureSchema, cicflow};

/// Columns of the `cicflow` schema that only the corrected tool writes.
const ONLY_FIXED: [&str; 12] = [
    "Fwd RST Flags",
    "Bwd RST Flags",
    "Bwd Act Data Pkts",
    "Bwd Seg Size Min",
    "ICMP Code",
    "ICMP Type",
    "Fwd TCP Retrans. Count",
    "Bwd TCP Retrans. Count",
    "Total TCP Retrans. Count",
    "Total Connection Flow Time",
    "Src Port",
    "Protocol",
];

/// The tool's name for every column of the schema, in the order of the profile's CSV; addresses,
/// ports and time stand before these and the label behind.
pub fn columns(profile: Profile) -> impl Iterator<Item = (usize, &'static str)> {
    // Ports and protocol belong to the identity in front.
    const IDENTITY: [&str; 3] = ["Src Port", "Dst Port", "Protocol"];
    let schema = cicflow();
    schema
        .features()
        .iter()
        .enumerate()
        .filter(move |(_, feature)| {
            !IDENTITY.contains(&feature.name)
                && (profile == Profile::Fixed || !ONLY_FIXED.contains(&feature.name))
        })
        .map(move |(index, feature)| {
            let name = match profile {
                Profile::Fixed | Profile::V4 => feature.name,
                Profile::Cicids2017 => published_name(feature.name),
            };
            (index, name)
        })
}

/// The spelling of CICIDS2017 as published, which is the first of the aliases that are longer
/// than the abbreviations of later builds.
fn published_name(name: &'static str) -> &'static str {
    match name {
        "Total Fwd Packet" => "Total Fwd Packets",
        "Total Bwd packets" => "Total Backward Packets",
        "Total Length of Fwd Packet" => "Total Length of Fwd Packets",
        "Total Length of Bwd Packet" => "Total Length of Bwd Packets",
        "Packet Length Min" => "Min Packet Length",
        "Packet Length Max" => "Max Packet Length",
        "CWR Flag Count" => "CWE Flag Count",
        "Fwd Segment Size Avg" => "Avg Fwd Segment Size",
        "Bwd Segment Size Avg" => "Avg Bwd Segment Size",
        "Fwd Bytes/Bulk Avg" => "Fwd Avg Bytes/Bulk",
        "Fwd Packet/Bulk Avg" => "Fwd Avg Packets/Bulk",
        "Fwd Bulk Rate Avg" => "Fwd Avg Bulk Rate",
        "Bwd Bytes/Bulk Avg" => "Bwd Avg Bytes/Bulk",
        "Bwd Packet/Bulk Avg" => "Bwd Avg Packets/Bulk",
        "Bwd Bulk Rate Avg" => "Bwd Avg Bulk Rate",
        "FWD Init Win Bytes" => "Init_Win_bytes_forward",
        "Bwd Init Win Bytes" => "Init_Win_bytes_backward",
        "Fwd Act Data Pkts" => "act_data_pkt_fwd",
        "Fwd Seg Size Min" => "min_seg_size_forward",
        name => name,
    }
}

/// Writes the features of a flow in the order of the schema, as the program of its profile writes
/// them: with −1, infinity and NaN where it does.
pub fn write(flow: &Flow, out: &mut Vec<f64>) {
    let numbers = Numbers { flow };
    out.extend([
        f64::from(flow.key.source_port),
        f64::from(flow.key.destination_port),
        f64::from(flow.key.protocol),
        flow.duration_micros() as f64,
        f64::from(flow.forward.packets()),
        f64::from(flow.backward.packets()),
        flow.forward.bytes() as f64,
        flow.backward.bytes() as f64,
    ]);
    numbers.lengths(out);
    numbers.rates(out);
    numbers.gaps(out);
    numbers.direction_flags(out);
    out.extend([
        flow.forward.header_bytes as f64,
        flow.backward.header_bytes as f64,
        numbers.per_second(f64::from(flow.forward.packets())),
        numbers.per_second(f64::from(flow.backward.packets())),
    ]);
    let lengths = &flow.lengths;
    out.extend([
        lengths.min() as f64,
        lengths.max() as f64,
        lengths.mean(),
        lengths.standard_deviation(),
        lengths.variance(),
    ]);
    numbers.flags(out);
    numbers.averages(out);
    numbers.bulks(out);
    numbers.subflows(out);
    numbers.windows(out);
    for times in [flow.active(), flow.idle()] {
        out.extend([
            times.mean(),
            times.standard_deviation(),
            times.max() as f64,
            times.min() as f64,
        ]);
    }
    let (kind, code) = flow.icmp.map_or((-1.0, -1.0), |(kind, code)| {
        (f64::from(kind), f64::from(code))
    });
    let again = (
        f64::from(flow.forward.retransmissions),
        f64::from(flow.backward.retransmissions),
    );
    out.extend([code, kind, again.0, again.1, again.0 + again.1]);
    // Only TCP and UDP are continued over several flows.
    let is_continued = matches!(flow.key.protocol, protocol::TCP | protocol::UDP);
    out.push(if is_continued {
        flow.connection_micros as f64
    } else {
        0.0
    });
}

/// The vector of a flow for models: the same numbers under the same policy as a CSV row, so that
/// what a model learned from files means the same here.
pub fn vector(flow: &Flow, out: &mut Vec<f64>) {
    let schema: &FeatureSchema = cicflow();
    let start = out.len();
    out.reserve(schema.len());
    write(flow, out);
    let mut notes = Vec::new();
    for (index, (value, plain)) in out[start..].iter_mut().zip(PLAIN.iter()).enumerate() {
        *value = if plain.contains(*value) {
            *value + 0.0
        } else {
            read_number(schema, index, *value, &mut notes).unwrap_or(f64::NAN)
        };
    }
}

/// Values of a feature that the reading policy takes as they are.
struct Plain {
    min: f64,
    max: f64,
    is_whole: bool,
}

static PLAIN: LazyLock<Vec<Plain>> = LazyLock::new(|| {
    let plain = |feature: &FeatureDef| Plain {
        min: feature.bounds.min,
        max: feature.bounds.max,
        is_whole: is_whole(feature),
    };
    cicflow().features().iter().map(plain).collect()
});

impl Plain {
    /// Whether it is one of them; false of some that the policy takes as well.
    fn contains(&self, value: f64) -> bool {
        let is_inside = value >= self.min && value <= self.max;
        is_inside && (!self.is_whole || value as i64 as f64 == value)
    }
}

struct Numbers<'a> {
    flow: &'a Flow,
}

impl Numbers<'_> {
    fn is_fixed(&self) -> bool {
        self.flow.profile == Profile::Fixed
    }

    fn lengths(&self, out: &mut Vec<f64>) {
        for direction in [&self.flow.forward, &self.flow.backward] {
            let lengths = &direction.lengths;
            out.extend([
                lengths.max() as f64,
                lengths.min() as f64,
                lengths.mean(),
                lengths.standard_deviation(),
            ]);
        }
    }

    fn rates(&self, out: &mut Vec<f64>) {
        let flow = self.flow;
        let bytes = (flow.forward.bytes() + flow.backward.bytes()) as f64;
        for total in [bytes, flow.packets() as f64] {
            let duration = flow.duration_micros();
            out.push(if duration == 0 && self.is_fixed() {
                -1.0
            } else {
                total / (duration as f64 / 1e6)
            });
        }
    }

    fn gaps(&self, out: &mut Vec<f64>) {
        let moments = |gaps: &Moments| {
            [
                gaps.mean(),
                gaps.standard_deviation(),
                gaps.max() as f64,
                gaps.min() as f64,
            ]
        };
        out.extend(moments(&self.flow.gaps));
        for direction in [&self.flow.forward, &self.flow.backward] {
            out.push(direction.gaps.sum() as f64);
            out.extend(moments(&direction.gaps));
        }
    }

    /// PSH, URG and RST of each direction. The originals look at the first packet only, and only
    /// for the forward direction.
    fn direction_flags(&self, out: &mut Vec<f64>) {
        let flow = self.flow;
        let first = |bit: u8| f64::from(flow.first_flags >> bit & 1);
        let (forward, backward) = (&flow.forward, &flow.backward);
        if self.is_fixed() {
            out.extend([forward.psh, backward.psh, forward.urg, backward.urg].map(f64::from));
        } else {
            out.extend([first(PSH), 0.0, first(URG), 0.0]);
        }
        out.extend([forward.rst, backward.rst].map(f64::from));
    }

    fn per_second(&self, count: f64) -> f64 {
        let duration = self.flow.duration_micros();
        if duration > 0 {
            count / (duration as f64 / 1e6)
        } else {
            0.0
        }
    }

    /// FIN, SYN, RST, PSH, ACK, URG, CWR, ECE. The build that made CICIDS2017 counts the first
    /// packet and writes the counts in the order of a hash table.
    fn flags(&self, out: &mut Vec<f64>) {
        let order = if self.flow.profile == Profile::Cicids2017 {
            [RST, PSH, ECE, SYN, ACK, FIN, URG, CWR]
        } else {
            [FIN, SYN, RST, PSH, ACK, URG, CWR, ECE]
        };
        out.extend(order.map(|bit| f64::from(self.flow.flags[usize::from(bit)])));
    }

    fn averages(&self, out: &mut Vec<f64>) {
        let flow = self.flow;
        let (forward, backward) = (flow.forward.packets(), flow.backward.packets());
        let ratio = match (forward, self.is_fixed()) {
            (0, _) => 0.0,
            (_, true) => f64::from(backward) / f64::from(forward),
            (_, false) => f64::from(backward / forward),
        };
        // The sum has the first length twice where the list of lengths has.
        let size = flow.lengths.sum() as f64 / flow.packets() as f64;
        out.extend([
            ratio,
            size,
            flow.forward.lengths.mean(),
            flow.backward.lengths.mean(),
        ]);
    }

    fn bulks(&self, out: &mut Vec<f64>) {
        for direction in [&self.flow.forward, &self.flow.backward] {
            let Bulk {
                transfers,
                packets,
                bytes,
                micros,
                ..
            } = direction.bulk;
            let mut values = [0.0; 3];
            if transfers > 0 {
                values[0] = bytes as f64 / f64::from(transfers);
                values[1] = f64::from(packets) / f64::from(transfers);
            }
            if micros != 0 {
                values[2] = bytes as f64 / (micros as f64 / 1e6);
            }
            if !self.is_fixed() {
                values = values.map(f64::trunc);
            }
            out.extend(values);
        }
    }

    fn subflows(&self, out: &mut Vec<f64>) {
        let flow = self.flow;
        let totals = [&flow.forward, &flow.backward].map(|direction: &Direction| {
            [f64::from(direction.packets()), direction.bytes() as f64]
        });
        let gaps = f64::from(flow.subflow_gaps);
        for total in totals.into_iter().flatten() {
            out.push(match flow.profile {
                // One subflow, whatever happens.
                Profile::Cicids2017 => total,
                _ if gaps == 0.0 => 0.0,
                Profile::V4 => (total / gaps).trunc(),
                Profile::Fixed => total / gaps,
            });
        }
    }

    fn windows(&self, out: &mut Vec<f64>) {
        let flow = self.flow;
        out.extend([
            f64::from(flow.forward.window),
            f64::from(flow.backward.window),
            f64::from(flow.forward.data_packets),
            f64::from(flow.backward.data_packets),
            f64::from(flow.forward.min_header_bytes),
            f64::from(flow.backward.min_header_bytes),
        ]);
    }
}

/// Bits of the TCP flags.
const FIN: u8 = 0;
const SYN: u8 = 1;
const RST: u8 = 2;
const PSH: u8 = 3;
const ACK: u8 = 4;
const URG: u8 = 5;
const ECE: u8 = 6;
const CWR: u8 = 7;
