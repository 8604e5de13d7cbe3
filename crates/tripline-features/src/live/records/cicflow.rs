//! The numbers of `CICFlowMeter` that a record knows.

use std::sync::LazyLock;

use tripline_flow::FLOW_TIMEOUT_MICROS;
use tripline_records::UNKNOWN_PROTOCOL;
use tripline_wire::protocol;

use super::RecordVector;
use super::facts::{Facts, Transport};
use crate::field::read_number;
use crate::schema::cicflow;

/// Positions of the features that a record may know.
struct Places {
    src_port: usize,
    dst_port: usize,
    protocol: usize,
    duration: usize,
    packets: [usize; 2],
    bytes: [usize; 2],
    length_means: [usize; 2],
    segment_means: [usize; 2],
    packet_rates: [usize; 2],
    bytes_rate: usize,
    packets_rate: usize,
    gap_mean: usize,
    length_mean: usize,
    size_mean: usize,
    ratio: usize,
    icmp_code: usize,
    icmp_type: usize,
}

static PLACES: LazyLock<Places> = LazyLock::new(|| {
    let at = |name: &str| cicflow().index_of(name).unwrap_or(usize::MAX);
    Places {
        src_port: at("Src Port"),
        dst_port: at("Dst Port"),
        protocol: at("Protocol"),
        duration: at("Flow Duration"),
        packets: [at("Total Fwd Packet"), at("Total Bwd packets")],
        bytes: [
            at("Total Length of Fwd Packet"),
            at("Total Length of Bwd Packet"),
        ],
        length_means: [at("Fwd Packet Length Mean"), at("Bwd Packet Length Mean")],
        segment_means: [at("Fwd Segment Size Avg"), at("Bwd Segment Size Avg")],
        packet_rates: [at("Fwd Packets/s"), at("Bwd Packets/s")],
        bytes_rate: at("Flow Bytes/s"),
        packets_rate: at("Flow Packets/s"),
        gap_mean: at("Flow IAT Mean"),
        length_mean: at("Packet Length Mean"),
        size_mean: at("Average Packet Size"),
        ratio: at("Down/Up Ratio"),
        icmp_code: at("ICMP Code"),
        icmp_type: at("ICMP Type"),
    }
});

/// The vector of a record.
pub(super) fn vector(facts: &Facts<'_>) -> RecordVector {
    let mut writer = Writer {
        vector: RecordVector::new(cicflow()),
    };
    writer.identity(facts);
    if facts.transport != Transport::Other
        && let Some(micros) = facts.duration_micros
        && micros <= FLOW_TIMEOUT_MICROS
    {
        writer.numbers(facts, micros);
    }
    writer.vector
}

struct Writer {
    vector: RecordVector,
}

impl Writer {
    /// Sets a value as the tool writes it, read under the same policy as a row of a file.
    fn set(&mut self, feature: usize, value: Option<f64>) {
        let Some(value) = value.filter(|_| feature < cicflow().len()) else {
            return;
        };
        let read = read_number(cicflow(), feature, value, &mut Vec::new());
        self.vector.set(feature, read.unwrap_or(f64::NAN));
    }

    fn identity(&mut self, facts: &Facts<'_>) {
        let places = &*PLACES;
        let record = facts.record;
        let number = match record.protocol {
            UNKNOWN_PROTOCOL => None,
            protocol::TCP
            | protocol::UDP
            | protocol::ICMP
            | protocol::ICMPV6
            | protocol::IGMP
            | protocol::SCTP => Some(f64::from(record.protocol)),
            // The tool tells no others apart.
            _ => Some(0.0),
        };
        self.set(places.protocol, number);
        if facts.is_directed && facts.has_ports && facts.transport != Transport::Other {
            self.set(places.src_port, Some(f64::from(record.source_port)));
            self.set(places.dst_port, Some(f64::from(record.destination_port)));
        }
        match facts.transport {
            Transport::Tcp | Transport::Udp => {
                self.set(places.icmp_type, Some(-1.0));
                self.set(places.icmp_code, Some(-1.0));
            }
            // The first message of the flow is that of the first side.
            Transport::Icmp(Some((kind, code))) | Transport::Icmpv6(Some((kind, code)))
                if facts.is_directed =>
            {
                self.set(places.icmp_type, Some(f64::from(kind)));
                self.set(places.icmp_code, Some(f64::from(code)));
            }
            _ => {}
        }
    }

    fn numbers(&mut self, facts: &Facts<'_>, micros: i64) {
        let places = &*PLACES;
        let seconds = facts.is_precise.then_some(micros as f64 / 1e6);
        self.set(places.duration, facts.is_precise.then_some(micros as f64));
        let packets = facts.packets.map(|count| count.map(|count| count as f64));
        let bytes = facts
            .packet_payload
            .map(|count| count.map(|count| count as f64));
        if facts.is_directed {
            for side in 0..2 {
                let mean = bytes[side].zip(packets[side]).map(mean);
                self.set(places.packets[side], packets[side]);
                self.set(places.bytes[side], bytes[side]);
                self.set(places.length_means[side], mean);
                self.set(places.segment_means[side], mean);
                self.set(
                    places.packet_rates[side],
                    packets[side].zip(seconds).map(|(count, seconds)| {
                        if seconds > 0.0 { count / seconds } else { 0.0 }
                    }),
                );
            }
            self.set(places.ratio, packets[1].zip(packets[0]).map(mean));
        }
        let Some(all_packets) = packets[0].zip(packets[1]).map(|(one, other)| one + other) else {
            return;
        };
        // A flow without packets is none.
        if all_packets < 1.0 {
            return;
        }
        let rate = |count: f64, seconds: f64| if seconds > 0.0 { count / seconds } else { -1.0 };
        self.set(
            places.packets_rate,
            seconds.map(|seconds| rate(all_packets, seconds)),
        );
        // The gaps add up to the duration.
        self.set(
            places.gap_mean,
            facts
                .is_precise
                .then(|| mean((micros as f64, all_packets - 1.0))),
        );
        let all_bytes = bytes[0].zip(bytes[1]).map(|(one, other)| one + other);
        self.set(
            places.bytes_rate,
            all_bytes
                .zip(seconds)
                .map(|(bytes, seconds)| rate(bytes, seconds)),
        );
        let size = all_bytes.map(|bytes| bytes / all_packets);
        self.set(places.length_mean, size);
        self.set(places.size_mean, size);
    }
}

/// A share of nothing is 0, as the tool has it.
fn mean((sum, count): (f64, f64)) -> f64 {
    if count > 0.0 { sum / count } else { 0.0 }
}
