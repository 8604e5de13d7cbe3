use tripline_records::{EveReader, RecordSource, Side, TcpFlagUnion, ZeekReader};

use super::*;
use crate::schema::{cicflow, nsl_kdd};
use crate::vector::{FeatureValue, display_value};

const COLUMNS: &str = "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\t\
proto\tduration\torig_bytes\tresp_bytes\tconn_state\thistory\torig_pkts\tresp_pkts\n";

/// Features of the lines of a log with the columns above; columns are separated by spaces.
fn zeek(lines: &str) -> Vec<RecordFeatures> {
    let log = format!("{COLUMNS}{}\n", lines.trim().replace(' ', "\t"));
    let mut reader = ZeekReader::new(log.as_bytes()).unwrap();
    let mut records = Records::new();
    let mut all = Vec::new();
    while let Some(item) = reader.next_record().unwrap() {
        all.push(records.observe(&item.unwrap(), None));
    }
    all
}

fn eve(line: &str) -> RecordFeatures {
    let mut reader = EveReader::new(line.as_bytes()).unwrap();
    let record = reader.next_record().unwrap().unwrap().unwrap();
    Records::new().observe(&record, None)
}

fn only(lines: &str) -> RecordFeatures {
    zeek(lines).remove(0)
}

/// The known values as `name=value`, in order.
fn shown(schema: &'static FeatureSchema, vector: &RecordVector) -> String {
    let known = (0..schema.len()).filter(|feature| vector.known.contains(*feature));
    let text = |feature: usize| {
        let value = match display_value(schema, feature, vector.values[feature]) {
            FeatureValue::Name(name) => name.to_owned(),
            _ => vector.values[feature].to_string(),
        };
        format!("{}={value}", schema.features()[feature].name)
    };
    known.map(text).collect::<Vec<_>>().join(" ")
}

/// The features of `nsl-kdd` up to `land`.
fn nsl(features: &RecordFeatures) -> String {
    let text = shown(nsl_kdd(), features.nsl_kdd.as_ref().unwrap());
    let end = text.find(" count=").unwrap_or(text.len());
    text[..end].to_owned()
}

fn value(vector: &RecordVector, schema: &FeatureSchema, name: &str) -> f64 {
    vector.values[schema.index_of(name).unwrap()]
}

const WEB: &str = "1000000000.0 10.0.0.1 40000 10.0.0.2 80 tcp 2.500000 300 5000 SF ShADadFf 6 8";

#[test]
fn a_whole_connection_of_zeek() {
    let features = only(WEB);
    assert_eq!(
        shown(nsl_kdd(), features.nsl_kdd.as_ref().unwrap()),
        "duration=2 protocol_type=tcp service=http flag=SF src_bytes=300 dst_bytes=5000 land=0 \
         count=1 srv_count=1 serror_rate=0 srv_serror_rate=0 rerror_rate=0 srv_rerror_rate=0 \
         same_srv_rate=1 diff_srv_rate=0 srv_diff_host_rate=0"
    );
    assert_eq!(
        shown(cicflow(), &features.cicflow),
        "Src Port=40000 Dst Port=80 Protocol=6 Flow Duration=2500000 Total Fwd Packet=6 \
         Total Bwd packets=8 Total Length of Fwd Packet=300 Total Length of Bwd Packet=5000 \
         Fwd Packet Length Mean=50 Bwd Packet Length Mean=625 Flow Bytes/s=2120 \
         Flow Packets/s=5.6 Flow IAT Mean=192307.6923076923 Fwd Packets/s=2.4 Bwd Packets/s=3.2 \
         Packet Length Mean=378.57142857142856 Down/Up Ratio=1.3333333333333333 \
         Average Packet Size=378.57142857142856 Fwd Segment Size Avg=50 Bwd Segment Size Avg=625 \
         ICMP Code=NaN ICMP Type=NaN"
    );
}

#[test]
fn the_published_lists_are_what_records_know() {
    let features = only(WEB);
    let names = |list: &[&'static str]| -> Vec<&'static str> { list.to_vec() };
    assert_eq!(
        features.nsl_kdd.as_ref().unwrap().known.names(nsl_kdd()),
        names(&NSL_CONN)
    );
    let mut all = vec!["Src Port", "Dst Port", "Protocol"];
    all.extend(CICFLOW_CONN);
    assert_eq!(features.cicflow.known.names(cicflow()), all);

    let features = eve(EVE);
    assert_eq!(
        features.nsl_kdd.as_ref().unwrap().known.names(nsl_kdd()),
        names(&NSL_EVE)
    );
    let mut all = vec!["Src Port", "Dst Port", "Protocol"];
    all.extend(CICFLOW_EVE);
    assert_eq!(features.cicflow.known.names(cicflow()), all);
    for name in CICFLOW_CONN {
        assert!(cicflow().features()[cicflow().index_of(name).unwrap()].model_input);
    }
}

#[test]
fn bytes_and_duration_follow_the_rules_of_kdd() {
    let start = "1000000000.0 10.0.0.1 40000 10.0.0.2";
    for (rest, expected) in [
        // An attempt has neither, whatever Zeek counted.
        (
            "23 tcp 3.000000 7 0 S0 S 3 0",
            "duration=0 protocol_type=tcp service=telnet flag=S0 src_bytes=0 dst_bytes=0 land=0",
        ),
        (
            "23 tcp - - - REJ Sr 1 1",
            "protocol_type=tcp service=telnet flag=REJ src_bytes=0 dst_bytes=0 land=0",
        ),
        // Established and not closed: bytes, and no duration.
        (
            "22 tcp 9.900000 10 20 S1 ShADad 5 5",
            "duration=0 protocol_type=tcp service=ssh flag=S1 src_bytes=10 dst_bytes=20 land=0",
        ),
        (
            "8080 tcp 9.900000 10 20 OTH DadA 5 5",
            "duration=0 protocol_type=tcp service=other flag=OTH src_bytes=0 dst_bytes=0 land=0",
        ),
        (
            "8080 tcp 1.900000 - - RSTRH hr 0 2",
            "duration=1 protocol_type=tcp service=other flag=RSTR src_bytes=0 dst_bytes=0 land=0",
        ),
        // Answered or not, UDP is SF.
        (
            "53 udp 0.020000 40 120 SF Dd 1 1",
            "duration=0 protocol_type=udp service=domain_u flag=SF src_bytes=40 dst_bytes=120 land=0",
        ),
        (
            "161 udp 5.000000 80 0 S0 D 2 0",
            "duration=5 protocol_type=udp service=private flag=SF src_bytes=80 dst_bytes=0 land=0",
        ),
        // Zeek writes no bytes of a single packet; those of the IP packet are none.
        (
            "161 udp - - - S0 D 1 0",
            "duration=0 protocol_type=udp service=private flag=SF dst_bytes=0 land=0",
        ),
        // Zeek turned it round: who began is not told.
        (
            "80 tcp 1.000000 3 4 OTH ^dA 1 1",
            "protocol_type=tcp land=0",
        ),
        // Without a state there is no flag.
        (
            "80 tcp 1.000000 3 4 - - 1 1",
            "protocol_type=tcp service=http land=0",
        ),
    ] {
        assert_eq!(nsl(&only(&format!("{start} {rest}"))), expected, "{rest}");
    }
}

#[test]
fn a_message_of_icmp_is_a_record_and_several_are_none() {
    let single = only("1000000000.0 10.0.0.1 8 10.0.0.2 0 icmp 0.000001 56 0 OTH - 1 0");
    assert_eq!(
        nsl(&single),
        "duration=0 protocol_type=icmp service=eco_i flag=SF src_bytes=64 dst_bytes=0 land=0"
    );
    let count = nsl_kdd().index_of("count").unwrap();
    assert!(single.nsl_kdd.unwrap().known.contains(count));

    let several = only("1000000000.0 10.0.0.1 8 10.0.0.2 0 icmp 9.000000 560 560 OTH - 10 10");
    assert_eq!(
        nsl(&several),
        "duration=0 protocol_type=icmp service=eco_i flag=SF dst_bytes=0 land=0"
    );
    assert!(!several.nsl_kdd.unwrap().known.contains(count));
    assert_eq!(value(&several.cicflow, cicflow(), "ICMP Type"), 8.0);
    assert_eq!(value(&several.cicflow, cicflow(), "Total Fwd Packet"), 10.0);

    // KDD has no record of timestamps, and none of GRE.
    let none = only("1000000000.0 10.0.0.1 13 10.0.0.2 14 icmp - - - OTH - 1 0");
    assert_eq!(none.nsl_kdd, None);
    let gre = only("1000000000.0 10.0.0.1 0 10.0.0.2 0 unknown_transport - - - OTH - 1 0");
    assert_eq!(
        (gre.nsl_kdd, gre.cicflow.known),
        (None, KnownSet::default())
    );
}

#[test]
fn windows_count_in_the_order_of_the_log() {
    let all = zeek(
        "1000000000.0 10.0.0.1 40000 10.0.0.2 80 tcp 0.100000 1 1 SF ShADadFf 5 5
1000000000.5 10.0.0.1 40001 10.0.0.2 80 tcp - - - S0 S 1 0
1000000001.0 10.0.0.1 40002 10.0.0.2 25 tcp - - - REJ Sr 1 1
1000000001.1 10.0.0.1 40003 10.0.0.3 25 tcp 0.100000 1 1 - ShADadFf 5 5
1000000001.2 10.0.0.1 40004 10.0.0.3 25 tcp 0.100000 1 1 SF ShADadFf 5 5
1000000009.0 10.0.0.1 40005 10.0.0.3 25 tcp 0.100000 1 1 SF ShADadFf 5 5",
    );
    let of = |at: usize, name: &str| value(all[at].nsl_kdd.as_ref().unwrap(), nsl_kdd(), name);
    assert_eq!((of(2, "count"), of(2, "srv_count")), (3.0, 1.0));
    assert_eq!((of(2, "serror_rate"), of(2, "rerror_rate")), (0.33, 0.33));
    assert_eq!(
        (of(2, "same_srv_rate"), of(2, "diff_srv_rate")),
        (0.33, 0.67)
    );
    // The fourth has no flag: counts stand, rates of errors around it do not.
    for at in [3, 4] {
        assert_eq!(of(at, "srv_count"), at as f64 - 1.0);
        assert_eq!(of(at, "srv_diff_host_rate"), [1.0, 0.67][at - 3]);
        assert!(of(at, "serror_rate").is_nan() && of(at, "srv_rerror_rate").is_nan());
    }
    assert_eq!((of(5, "count"), of(5, "serror_rate")), (1.0, 0.0));
}

#[test]
fn numbers_of_cicflow_are_known_only_where_they_are_exact() {
    let start = "1000000000.0 10.0.0.1 40000 10.0.0.2 80 tcp";
    let bytes = [
        cicflow().index_of("Total Length of Fwd Packet").unwrap(),
        cicflow().index_of("Total Length of Bwd Packet").unwrap(),
    ];
    let known = |rest: &str| {
        let vector = only(&format!("{start} {rest}")).cicflow;
        bytes.map(|at| vector.known.contains(at))
    };
    assert_eq!(known("1.0 300 500 SF ShADadFf 6 8"), [true, true]);
    // Sent again, lost, or not told whether.
    assert_eq!(known("1.0 300 500 SF ShADTadFf 6 8"), [false, true]);
    assert_eq!(known("1.0 300 500 SF ShADadgFf 6 8"), [true, false]);
    assert_eq!(known("1.0 300 500 SF - 6 8"), [false, false]);
    // No payload was seen.
    assert_eq!(known("- - - REJ Sr 1 1"), [false, false]);
    assert_eq!(known("0.000100 - - REJ Sr 1 1"), [true, true]);
    // Longer than the tool's flows, or of unknown length.
    assert_eq!(known("120.000000 300 500 SF ShADadFf 6 8"), [true, true]);
    assert_eq!(known("120.000001 300 500 SF ShADadFf 6 8"), [false, false]);

    let lone = only(&format!("{start} - - - S0 S 1 0")).cicflow;
    assert_eq!(
        shown(cicflow(), &lone),
        "Src Port=40000 Dst Port=80 Protocol=6 Flow Duration=0 Total Fwd Packet=1 \
         Total Bwd packets=0 Total Length of Fwd Packet=0 Total Length of Bwd Packet=0 \
         Fwd Packet Length Mean=0 Bwd Packet Length Mean=0 Flow Bytes/s=NaN Flow Packets/s=NaN \
         Flow IAT Mean=0 Fwd Packets/s=0 Bwd Packets/s=0 Packet Length Mean=0 Down/Up Ratio=0 \
         Average Packet Size=0 Fwd Segment Size Avg=0 Bwd Segment Size Avg=0 ICMP Code=NaN \
         ICMP Type=NaN"
    );
}

const EVE: &str = r#"{"event_type":"flow","src_ip":"10.0.0.1","src_port":49152,"dest_ip":"10.0.0.2","dest_port":443,"proto":"TCP","flow":{"pkts_toserver":5,"pkts_toclient":4,"bytes_toserver":820,"bytes_toclient":512,"start":"2017-07-24T15:49:41.328342+0000","end":"2017-07-24T15:49:43.328342+0000","state":"closed","reason":"timeout"},"tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"13","state":"closed"}}"#;

#[test]
fn a_flow_of_suricata_has_no_payload_bytes() {
    let features = eve(EVE);
    assert_eq!(
        nsl(&features),
        "duration=2 protocol_type=tcp service=http_443 flag=SF land=0"
    );
    assert_eq!(
        shown(cicflow(), &features.cicflow),
        "Src Port=49152 Dst Port=443 Protocol=6 Flow Duration=2000000 Total Fwd Packet=5 \
         Total Bwd packets=4 Flow Packets/s=4.5 Flow IAT Mean=250000 Fwd Packets/s=2.5 \
         Bwd Packets/s=2 Down/Up Ratio=0.8 ICMP Code=NaN ICMP Type=NaN"
    );
    // What the sensor let pass it did not count.
    let bypassed = eve(&EVE.replace(
        "\"state\":\"closed\",\"reason\"",
        "\"state\":\"bypassed\",\"reason\"",
    ));
    assert_eq!(nsl(&bypassed), "protocol_type=tcp service=http_443 land=0");
    assert_eq!(
        shown(cicflow(), &bypassed.cicflow),
        "Src Port=49152 Dst Port=443 Protocol=6 ICMP Code=NaN ICMP Type=NaN"
    );
}

fn exported(source: RecordSource) -> FlowRecord {
    let side = |packets, payload_bytes| Side {
        packets: Some(packets),
        payload_bytes: Some(payload_bytes),
        ip_bytes: Some(4000),
        frame_bytes: None,
    };
    FlowRecord {
        source,
        uid: None,
        community_id: None,
        start_micros: 1_000_000_000_000_123,
        end_micros: Some(1_000_000_001_000_123),
        source_address: [10, 0, 0, 1].into(),
        destination_address: [10, 0, 0, 2].into(),
        source_port: 40000,
        destination_port: 21,
        protocol: 6,
        icmp: None,
        forward: side(4, 100),
        backward: Some(side(5, 200)),
        zeek_state: None,
        zeek_history: None,
        suricata_state: None,
        service: None,
        tcp_flags: Some(TcpFlagUnion {
            forward: Some(0x1b),
            backward: Some(0x1b),
        }),
        end_reason: None,
        sampling: None,
    }
}

#[test]
fn a_record_of_both_directions_knows_what_its_exporter_tells() {
    let observe = |record: &FlowRecord| Records::new().observe(record, None);
    let whole = exported(RecordSource::Ipfix);
    let features = observe(&whole);
    assert_eq!(
        nsl(&features),
        "duration=1 protocol_type=tcp service=ftp flag=SF src_bytes=100 dst_bytes=200 land=0"
    );
    let mut all = vec!["Src Port", "Dst Port", "Protocol"];
    all.extend(CICFLOW_CONN);
    assert_eq!(features.cicflow.known.names(cicflow()), all);

    // IP bytes are no payload.
    let mut record = whole.clone();
    record.forward.payload_bytes = None;
    record.backward.as_mut().unwrap().payload_bytes = None;
    assert_eq!(
        nsl(&observe(&record)),
        "duration=1 protocol_type=tcp service=ftp flag=SF land=0"
    );
    // A clock of milliseconds is not exact to the microsecond.
    record.start_micros -= 123;
    record.end_micros = record.end_micros.map(|end| end - 123);
    assert_eq!(
        shown(cicflow(), &observe(&record).cicflow),
        "Src Port=40000 Dst Port=21 Protocol=6 Total Fwd Packet=4 Total Bwd packets=5 \
         Down/Up Ratio=1.25 ICMP Code=NaN ICMP Type=NaN"
    );
    // A sample, a piece, and ports that are not exported.
    for change in [
        (|record| record.sampling = Some(100)) as fn(&mut FlowRecord),
        |record| record.end_reason = Some("active timeout".to_owned()),
    ] {
        let mut record = whole.clone();
        change(&mut record);
        assert_eq!(
            nsl(&observe(&record)),
            "protocol_type=tcp service=ftp land=0"
        );
    }
    let mut record = whole.clone();
    (record.source_port, record.destination_port) = (0, 0);
    assert!(nsl(&observe(&record)).ends_with("flag=SF src_bytes=100 dst_bytes=200"));
    // The end before the start.
    let mut record = whole;
    record.end_micros = Some(0);
    assert!(nsl(&observe(&record)).starts_with("protocol_type=tcp"));
}

#[test]
fn a_record_of_one_direction_does_not_know_who_began() {
    for source in [RecordSource::NetflowV5, RecordSource::NetflowV9] {
        let mut record = exported(source);
        record.backward = None;
        let features = Records::new().observe(&record, None);
        assert_eq!(nsl(&features), "protocol_type=tcp land=0");
        assert_eq!(
            shown(cicflow(), &features.cicflow),
            "Protocol=6 ICMP Code=NaN ICMP Type=NaN"
        );
    }
}

#[test]
fn an_exporter_from_the_future_does_not_stop_time() {
    let mut records = Records::new();
    let mut wrong = exported(RecordSource::Ipfix);
    wrong.end_micros = Some(i64::MAX);
    let arrival = wrong.start_micros + 1_000_000;
    records.observe(&wrong, Some(arrival));
    let mut record = exported(RecordSource::Ipfix);
    record.end_micros = Some(arrival + 3_000_000);
    let features = records.observe(&record, Some(arrival + 3_000_000));
    assert_eq!(value(&features.nsl_kdd.unwrap(), nsl_kdd(), "count"), 1.0);
}
