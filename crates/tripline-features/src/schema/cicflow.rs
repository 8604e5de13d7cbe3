use super::FeatureKind::{Count, Port, Real};
use super::LiveObservability::Estimated;
use super::NegativeMeaning::{Misordered, NotApplicable, Overflow, Undefined, Zero};
use super::{FeatureDef, Unit};

/// Column names under which labels are published.
pub(super) const LABELS: &[&str] = &[
    "Label",
    "Class",
    "Attack",
    "Attack Type",
    "Outcome",
    "Target",
];

/// Columns that say who, when or which row, never how a flow behaves.
pub(super) const IDENTITY: &[&str] = &[
    "id",
    "Flow ID",
    "Src IP",
    "Source IP",
    "Dst IP",
    "Destination IP",
    "Timestamp",
    "Attempted Category",
];

/// Columns that published files carry twice.
pub(super) const COPIES: &[(&str, &str)] = &[("Fwd Header Length.1", "Fwd Header Length")];

/// Largest integer that a double holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;
const U32: f64 = u32::MAX as f64;

const fn number(
    name: &'static str,
    unit: Unit,
    aliases: &'static [&'static str],
    description: &'static str,
) -> FeatureDef {
    FeatureDef::new(name, Real, unit, EXACT, description).aliases(aliases)
}

const fn whole(
    name: &'static str,
    unit: Unit,
    aliases: &'static [&'static str],
    description: &'static str,
) -> FeatureDef {
    FeatureDef::new(name, Count, unit, EXACT, description).aliases(aliases)
}

const fn packets(
    name: &'static str,
    aliases: &'static [&'static str],
    description: &'static str,
) -> FeatureDef {
    FeatureDef::new(name, Count, Unit::Packets, U32, description).aliases(aliases)
}

const fn length(
    name: &'static str,
    aliases: &'static [&'static str],
    description: &'static str,
) -> FeatureDef {
    number(name, Unit::Bytes, aliases, description)
}

const fn rate(
    name: &'static str,
    unit: Unit,
    aliases: &'static [&'static str],
    description: &'static str,
) -> FeatureDef {
    number(name, unit, aliases, description).negative(Undefined)
}

const fn time(
    name: &'static str,
    aliases: &'static [&'static str],
    description: &'static str,
) -> FeatureDef {
    number(name, Unit::Microseconds, aliases, description).negative(Misordered)
}

const fn header(
    name: &'static str,
    aliases: &'static [&'static str],
    description: &'static str,
) -> FeatureDef {
    whole(name, Unit::Bytes, aliases, description).negative(Overflow)
}

const fn port(
    name: &'static str,
    aliases: &'static [&'static str],
    description: &'static str,
) -> FeatureDef {
    FeatureDef::new(name, Port, Unit::None, 65_535.0, description)
        .aliases(aliases)
        .not_model_input()
}

const fn window(
    name: &'static str,
    aliases: &'static [&'static str],
    description: &'static str,
) -> FeatureDef {
    FeatureDef::new(name, Count, Unit::Bytes, 65_535.0, description)
        .aliases(aliases)
        .negative(Zero)
}

const fn icmp(name: &'static str, description: &'static str) -> FeatureDef {
    FeatureDef::new(name, Count, Unit::None, 255.0, description).negative(NotApplicable)
}

/// Canonical names and order are those of the corrected tool's CSV.
#[rustfmt::skip]
pub(super) const FEATURES: &[FeatureDef] = &[
    port("Src Port", &["Source Port"], "Port of the sender of the first packet."),
    port("Dst Port", &["Destination Port"], "Port of the receiver of the first packet."),
    FeatureDef::new("Protocol", Count, Unit::None, 255.0, "IP protocol number.").not_model_input(),
    time("Flow Duration", &[], "From the first to the last packet."),
    packets("Total Fwd Packet", &["Total Fwd Packets", "Tot Fwd Pkts"], "Packets from source to destination."),
    packets("Total Bwd packets", &["Total Backward Packets", "Tot Bwd Pkts"], "Packets from destination to source."),
    length("Total Length of Fwd Packet", &["Total Length of Fwd Packets", "TotLen Fwd Pkts"], "Forward payload bytes."),
    length("Total Length of Bwd Packet", &["Total Length of Bwd Packets", "TotLen Bwd Pkts"], "Backward payload bytes."),
    length("Fwd Packet Length Max", &["Fwd Pkt Len Max"], "Largest forward payload."),
    length("Fwd Packet Length Min", &["Fwd Pkt Len Min"], "Smallest forward payload."),
    length("Fwd Packet Length Mean", &["Fwd Pkt Len Mean"], "Mean forward payload."),
    length("Fwd Packet Length Std", &["Fwd Pkt Len Std"], "Sample standard deviation of the forward payload."),
    length("Bwd Packet Length Max", &["Bwd Pkt Len Max"], "Largest backward payload."),
    length("Bwd Packet Length Min", &["Bwd Pkt Len Min"], "Smallest backward payload."),
    length("Bwd Packet Length Mean", &["Bwd Pkt Len Mean"], "Mean backward payload."),
    length("Bwd Packet Length Std", &["Bwd Pkt Len Std"], "Sample standard deviation of the backward payload."),
    rate("Flow Bytes/s", Unit::BytesPerSecond, &["Flow Byts/s"], "Payload bytes per second; undefined for a flow without duration."),
    rate("Flow Packets/s", Unit::PacketsPerSecond, &["Flow Pkts/s"], "Packets per second; undefined for a flow without duration."),
    time("Flow IAT Mean", &[], "Mean time between packets."),
    time("Flow IAT Std", &[], "Standard deviation of the time between packets."),
    time("Flow IAT Max", &[], "Longest time between packets."),
    time("Flow IAT Min", &[], "Shortest time between packets."),
    time("Fwd IAT Total", &["Fwd IAT Tot"], "Sum of the times between forward packets."),
    time("Fwd IAT Mean", &[], "Mean time between forward packets."),
    time("Fwd IAT Std", &[], "Standard deviation of the time between forward packets."),
    time("Fwd IAT Max", &[], "Longest time between forward packets."),
    time("Fwd IAT Min", &[], "Shortest time between forward packets."),
    time("Bwd IAT Total", &["Bwd IAT Tot"], "Sum of the times between backward packets."),
    time("Bwd IAT Mean", &[], "Mean time between backward packets."),
    time("Bwd IAT Std", &[], "Standard deviation of the time between backward packets."),
    time("Bwd IAT Max", &[], "Longest time between backward packets."),
    time("Bwd IAT Min", &[], "Shortest time between backward packets."),
    packets("Fwd PSH Flags", &[], "Forward packets with PSH."),
    packets("Bwd PSH Flags", &[], "Backward packets with PSH."),
    packets("Fwd URG Flags", &[], "Forward packets with URG."),
    packets("Bwd URG Flags", &[], "Backward packets with URG."),
    packets("Fwd RST Flags", &[], "Forward packets with RST."),
    packets("Bwd RST Flags", &[], "Backward packets with RST."),
    header("Fwd Header Length", &["Fwd Header Len"], "Forward transport header bytes."),
    header("Bwd Header Length", &["Bwd Header Len"], "Backward transport header bytes."),
    rate("Fwd Packets/s", Unit::PacketsPerSecond, &["Fwd Pkts/s"], "Forward packets per second."),
    rate("Bwd Packets/s", Unit::PacketsPerSecond, &["Bwd Pkts/s"], "Backward packets per second."),
    length("Packet Length Min", &["Min Packet Length", "Pkt Len Min"], "Smallest payload."),
    length("Packet Length Max", &["Max Packet Length", "Pkt Len Max"], "Largest payload."),
    length("Packet Length Mean", &["Pkt Len Mean"], "Mean payload."),
    length("Packet Length Std", &["Pkt Len Std"], "Sample standard deviation of the payload."),
    number("Packet Length Variance", Unit::SquareBytes, &["Pkt Len Var"], "Sample variance of the payload."),
    packets("FIN Flag Count", &["FIN Flag Cnt"], "Packets with FIN."),
    packets("SYN Flag Count", &["SYN Flag Cnt"], "Packets with SYN."),
    packets("RST Flag Count", &["RST Flag Cnt"], "Packets with RST."),
    packets("PSH Flag Count", &["PSH Flag Cnt"], "Packets with PSH."),
    packets("ACK Flag Count", &["ACK Flag Cnt"], "Packets with ACK."),
    packets("URG Flag Count", &["URG Flag Cnt"], "Packets with URG."),
    packets("CWR Flag Count", &["CWE Flag Count", "CWR Flag Cnt", "CWE Flag Cnt"], "Packets with CWR."),
    packets("ECE Flag Count", &["ECE Flag Cnt"], "Packets with ECE."),
    number("Down/Up Ratio", Unit::Ratio, &[], "Backward packets per forward packet."),
    length("Average Packet Size", &["Pkt Size Avg"], "Payload bytes per packet."),
    length("Fwd Segment Size Avg", &["Avg Fwd Segment Size", "Fwd Seg Size Avg"], "Payload bytes per forward packet."),
    length("Bwd Segment Size Avg", &["Avg Bwd Segment Size", "Bwd Seg Size Avg"], "Payload bytes per backward packet."),
    length("Fwd Bytes/Bulk Avg", &["Fwd Avg Bytes/Bulk", "Fwd Byts/b Avg"], "Bytes per forward bulk transfer."),
    number("Fwd Packet/Bulk Avg", Unit::Packets, &["Fwd Avg Packets/Bulk", "Fwd Packets/Bulk Avg", "Fwd Pkts/b Avg"], "Packets per forward bulk transfer."),
    number("Fwd Bulk Rate Avg", Unit::BytesPerSecond, &["Fwd Avg Bulk Rate", "Fwd Blk Rate Avg"], "Bytes per second inside forward bulk transfers.").negative(Undefined),
    length("Bwd Bytes/Bulk Avg", &["Bwd Avg Bytes/Bulk", "Bwd Byts/b Avg"], "Bytes per backward bulk transfer."),
    number("Bwd Packet/Bulk Avg", Unit::Packets, &["Bwd Avg Packets/Bulk", "Bwd Packets/Bulk Avg", "Bwd Pkts/b Avg"], "Packets per backward bulk transfer."),
    number("Bwd Bulk Rate Avg", Unit::BytesPerSecond, &["Bwd Avg Bulk Rate", "Bwd Blk Rate Avg"], "Bytes per second inside backward bulk transfers.").negative(Undefined),
    number("Subflow Fwd Packets", Unit::Packets, &["Subflow Fwd Pkts"], "Forward packets per subflow."),
    length("Subflow Fwd Bytes", &["Subflow Fwd Byts"], "Forward payload bytes per subflow."),
    number("Subflow Bwd Packets", Unit::Packets, &["Subflow Bwd Pkts"], "Backward packets per subflow."),
    length("Subflow Bwd Bytes", &["Subflow Bwd Byts"], "Backward payload bytes per subflow."),
    window("FWD Init Win Bytes", &["Init_Win_bytes_forward", "Init Fwd Win Byts", "Init Win Bytes Fwd"], "TCP window of the first forward packet, unscaled; 0 without one."),
    window("Bwd Init Win Bytes", &["Init_Win_bytes_backward", "Init Bwd Win Byts", "Init Win Bytes Bwd"], "First TCP window of the backward direction, unscaled; 0 without one."),
    packets("Fwd Act Data Pkts", &["act_data_pkt_fwd"], "Forward packets with payload."),
    packets("Bwd Act Data Pkts", &["act_data_pkt_bwd"], "Backward packets with payload.").not_model_input(),
    header("Fwd Seg Size Min", &["min_seg_size_forward", "Min Seg Size Fwd"], "Smallest forward transport header."),
    header("Bwd Seg Size Min", &["min_seg_size_backward", "Min Seg Size Bwd"], "Smallest backward transport header.").not_model_input(),
    time("Active Mean", &[], "Mean time that the flow was active before an idle gap of five seconds."),
    time("Active Std", &[], "Standard deviation of the active times."),
    time("Active Max", &[], "Longest active time."),
    time("Active Min", &[], "Shortest active time."),
    time("Idle Mean", &[], "Mean idle gap of more than five seconds."),
    time("Idle Std", &[], "Standard deviation of the idle gaps."),
    time("Idle Max", &[], "Longest idle gap."),
    time("Idle Min", &[], "Shortest idle gap."),
    icmp("ICMP Code", "ICMP code of the first packet."),
    icmp("ICMP Type", "ICMP type of the first packet."),
    packets("Fwd TCP Retrans. Count", &["Fwd TCP Retransmission Count"], "Forward TCP segments seen again.").not_model_input(),
    packets("Bwd TCP Retrans. Count", &["Bwd TCP Retransmission Count"], "Backward TCP segments seen again.").not_model_input(),
    packets("Total TCP Retrans. Count", &["Total TCP Retransmission Count"], "TCP segments seen again.").not_model_input(),
    time("Total Connection Flow Time", &["Total TCP Flow Time"], "Time of the whole connection when it spans several flows.")
        .live(Estimated("the earlier flows of the connection may not have been seen"))
        .not_model_input(),
];
