use std::fmt::Write as _;
use std::path::Path;

use tripline_features::live::records::{KnownSet, Records};
use tripline_features::{FeatureSchema, LiveObservability, cicflow, nsl_kdd};
use tripline_records::{ConnState, FlowRecord, RecordSource, Side, TcpFlagUnion};

/// A connection of which the sensor tells all that it can.
fn full(source: RecordSource) -> FlowRecord {
    use RecordSource::{Ipfix, NetflowV5, NetflowV9, SuricataEve, ZeekConn};
    let has_payload = matches!(source, ZeekConn | Ipfix);
    let side = Side {
        packets: Some(5),
        payload_bytes: has_payload.then_some(100),
        ip_bytes: Some(400),
        frame_bytes: Some(500),
    };
    let is_one_way = matches!(source, NetflowV5 | NetflowV9);
    FlowRecord {
        source,
        uid: None,
        community_id: None,
        start_micros: 1_000_000_000_000_001,
        end_micros: Some(1_000_000_001_000_002),
        source_address: [10, 0, 0, 1].into(),
        destination_address: [10, 0, 0, 2].into(),
        source_port: 40_000,
        destination_port: 80,
        protocol: 6,
        icmp: None,
        forward: side,
        backward: (!is_one_way).then_some(side),
        zeek_state: (source == ZeekConn).then_some(ConnState::SF),
        zeek_history: (source == ZeekConn).then(|| "ShADadFf".to_owned()),
        suricata_state: None,
        service: None,
        tcp_flags: matches!(source, SuricataEve | Ipfix).then_some(TcpFlagUnion {
            forward: Some(0x1b),
            backward: Some(0x1b),
        }),
        end_reason: None,
        sampling: None,
    }
}

/// What the sensor writes as it is; the rest of what is known follows from that.
const AS_WRITTEN: [&str; 12] = [
    "protocol_type",
    "flag",
    "src_bytes",
    "dst_bytes",
    "Src Port",
    "Dst Port",
    "Protocol",
    "Flow Duration",
    "Total Fwd Packet",
    "Total Bwd packets",
    "Total Length of Fwd Packet",
    "Total Length of Bwd Packet",
];

fn column(schema: &'static FeatureSchema, source: RecordSource) -> KnownSet {
    let features = Records::new().observe(&full(source), None);
    match schema.name() {
        "cicflow" => features.cicflow.known,
        _ => features.nsl_kdd.unwrap().known,
    }
}

fn table(schema: &'static FeatureSchema, out: &mut String) {
    let sources = [
        RecordSource::ZeekConn,
        RecordSource::SuricataEve,
        RecordSource::Ipfix,
        RecordSource::NetflowV9,
    ];
    let columns = sources.map(|source| column(schema, source));
    writeln!(
        out,
        "\n## `{}`\n\n| Feature | Zeek conn.log | Suricata EVE | IPFIX, both directions | NetFlow \
         v5, v9, IPFIX, one direction |\n| --- | --- | --- | --- | --- |",
        schema.name()
    )
    .unwrap();
    for (feature, definition) in schema.features().iter().enumerate() {
        write!(out, "| {} |", definition.name).unwrap();
        for (source, known) in sources.iter().zip(columns) {
            // Unions of flags are not the flag, they lead to it.
            let is_derived = !AS_WRITTEN.contains(&definition.name)
                || (definition.name == "flag" && *source != RecordSource::ZeekConn);
            let text = match (known.contains(feature), is_derived, definition.live) {
                (true, false, _) => "known",
                (true, true, _) => "derived",
                (false, _, LiveObservability::Unobservable(_)) => "unknown, also from packets",
                (false, ..) => "unknown",
            };
            write!(out, " {text} |").unwrap();
        }
        out.push('\n');
    }
}

const INTRODUCTION: &str = "\
# What flow records know

Made by `TRIPLINE_REWRITE_GOLDENS=1 cargo test -p tripline-features --test records document`. The
tables are about a TCP connection of which the sensor tells all that it can; the rules below say
when a record knows less. *Known* is written by the sensor, *derived* follows from that exactly or
by the rule below. A model is asked about a record only when all of its features are known or
derived; otherwise the answer names those that are missing.

## Rules

- **Whole flows.** A sampled record, one that an active timeout cut, and one of a flow that
  Suricata let bypass it, knows protocol, ports and service alone.
- **Sides.** A record of one direction does not say who began: it has no service, flag, bytes or
  windows. The same holds for a connection that Zeek turned round (`^` in its history). An exporter
  of both directions is taken by its word that the source began.
- **flag.** UDP and ICMP are SF. Zeek's `conn_state` is the flag; RSTRH becomes RSTR, SHR becomes
  OTH, as from packets. Suricata and IPFIX tell the union of flags of each direction: it gives a
  flag where the order does not matter, given that a handshake comes first (for example both sides
  FIN and no RST is SF; both FIN and one RST is not known). Without a SYN of the source there is
  none. Suricata's `tcp.state` says less than the unions and is not used.
- **duration.** Whole seconds, 0 of ICMP and of S0, S1, SH and OTH. Zeek's ends with the last
  packet, that of packets with the last one before the connection was over: they can differ by the
  time of the final ACK.
- **src_bytes, dst_bytes.** Bytes of payload: Zeek's `orig_bytes`, IPFIX `initiatorOctets`; never
  bytes of IP packets or frames. S0, REJ, SH and OTH have 0. KDD counts a byte that is sent again
  once; Zeek does too, an exporter may not. Of a single packet Zeek writes no bytes: those of UDP
  and ICMP are unknown then.
- **ICMP.** KDD has a record for each message. A record of several messages knows no src_bytes and
  no windows, and counts once in the windows of others.
- **Windows (23 to 31).** Over records in the order of the log, each at its end. While a record
  without flag is in a window, the rates of errors around it are unknown. Features 32 to 41 are
  estimates also from packets and are not given.
- **cicflow.** For the packets of the record: where a flow begins and ends is the sensor's affair.
  Nothing of more than 120 seconds, which are several flows there. Of TCP, Zeek's bytes count only
  where the history has no T, G, C or I of that side, because CICFlowMeter counts every packet;
  without a duration, bytes are 0 where the history has no D. Times in whole milliseconds are not
  exact and give no duration. Rates of a flow without duration are −1 in files, which the schema
  reads as missing.
";

#[test]
fn the_document_is_the_recorded_one() {
    let mut now = INTRODUCTION.to_owned();
    table(nsl_kdd(), &mut now);
    table(cicflow(), &mut now);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/flow-records.md");
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no other place for settings"
    )]
    let rewrites = std::env::var("TRIPLINE_REWRITE_GOLDENS").is_ok();
    if rewrites {
        std::fs::write(&path, &now).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        recorded == now,
        "what flow records know has changed: if that is meant, run the test with \
         TRIPLINE_REWRITE_GOLDENS=1 and review the difference of {}",
        path.display()
    );
}
