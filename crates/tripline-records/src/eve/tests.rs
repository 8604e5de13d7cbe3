use super::*;
use crate::testing::Random;

const FLOW_EVENT: &str = r#"{"timestamp":"2017-07-24T15:50:00.000000+0000","flow_id":1921591063512384,"in_iface":"eth0","event_type":"flow","src_ip":"10.0.0.1","src_port":49152,"dest_ip":"10.0.0.2","dest_port":443,"ip_v":4,"proto":"TCP","app_proto":"tls","flow":{"pkts_toserver":5,"pkts_toclient":4,"bytes_toserver":820,"bytes_toclient":512,"start":"2017-07-24T15:49:41.328342+0000","end":"2017-07-24T17:49:42.328342+02:00","age":1,"state":"closed","reason":"timeout","alerted":false},"community_id":"1:LQU9qZlK+B5F3KDmev6m5PMibrg=","tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"13","syn":true,"state":"closed"}}"#;

const ICMP_EVENT: &str = r#"{"event_type":"flow","src_ip":"fe80::1","dest_ip":"fe80::2","proto":"IPv6-ICMP","icmp_type":135,"icmp_code":0,"app_proto":"failed","flow":{"pkts_toserver":1,"start":"2017-07-24T15:49:41.328342+0000"}}"#;

fn read(log: &str) -> (Vec<Item>, ReadCounts) {
    let mut reader = EveReader::new(log.as_bytes()).unwrap();
    let mut items = Vec::new();
    while let Some(item) = reader.next_record().unwrap() {
        items.push(item);
    }
    (items, *reader.counts())
}

#[test]
fn a_flow_event_becomes_a_record() {
    let (items, counts) = read(&format!("{FLOW_EVENT}\n{{\"event_type\":\"dns\"}}\n"));
    assert_eq!((counts.records, counts.skipped), (1, 1));
    let expected = FlowRecord {
        source: RecordSource::SuricataEve,
        uid: Some("1921591063512384".to_owned()),
        community_id: Some("1:LQU9qZlK+B5F3KDmev6m5PMibrg=".to_owned()),
        start_micros: 1_500_911_381_328_342,
        end_micros: Some(1_500_911_382_328_342),
        source_address: "10.0.0.1".parse().unwrap(),
        destination_address: "10.0.0.2".parse().unwrap(),
        source_port: 49152,
        destination_port: 443,
        protocol: 6,
        icmp: None,
        forward: Side {
            packets: Some(5),
            frame_bytes: Some(820),
            ..Side::default()
        },
        backward: Some(Side {
            packets: Some(4),
            frame_bytes: Some(512),
            ..Side::default()
        }),
        zeek_state: None,
        zeek_history: None,
        suricata_state: Some(SuricataState {
            flow: Some("closed".to_owned()),
            tcp: Some("closed".to_owned()),
        }),
        service: Some("tls".to_owned()),
        tcp_flags: Some(TcpFlagUnion {
            forward: Some(0x1b),
            backward: Some(0x13),
        }),
        end_reason: Some("timeout".to_owned()),
        sampling: None,
    };
    assert_eq!(items, [Ok(expected)]);
}

#[test]
fn what_an_event_leaves_out_stays_none() {
    let (items, _) = read(ICMP_EVENT);
    let record = items[0].as_ref().unwrap();
    assert_eq!((record.protocol, record.icmp), (58, Some((135, 0))));
    assert_eq!((record.source_port, record.destination_port), (0, 0));
    assert_eq!(
        (record.end_micros, &record.service, &record.uid),
        (None, &None, &None)
    );
    assert_eq!(record.backward, Some(Side::default()));
    assert_eq!(record.suricata_state, None);
    assert_eq!(record.tcp_flags, None);
    assert_eq!(protocols::number("PROTO:143"), Some(143));
    assert_eq!(protocols::number("gre"), Some(47));
}

#[test]
fn rejections_name_line_field_expectation_and_finding() {
    let bad = [
        FLOW_EVENT.replace("10.0.0.2", "ten"),
        FLOW_EVENT.replace("\"dest_port\":443,", ""),
        FLOW_EVENT.replace("\"TCP\"", "\"telepathy\""),
        FLOW_EVENT.replace("2017-07-24T15:49:41.328342+0000", "today"),
        FLOW_EVENT.replace("\"tcp_flags_ts\":\"1b\"", "\"tcp_flags_ts\":\"xyz\""),
        FLOW_EVENT.replace("820", "-1"),
        r#"{"event_type":"flow","src_ip":"::1","dest_ip":"::1","proto":"GRE"}"#.to_owned(),
        r#"{"event_type":"flow","proto":"GRE","flow":[1]}"#.to_owned(),
        "{}".to_owned(),
        "no JSON".to_owned(),
    ];
    let (items, counts) = read(&format!("{FLOW_EVENT}\n{}", bad.join("\n")));
    let messages: Vec<_> = items
        .iter()
        .filter_map(|item| item.as_ref().err().map(ToString::to_string))
        .collect();
    assert_eq!(
        messages,
        [
            "line 2, field dest_ip: expected an IP address, found \"ten\"",
            "line 3, field dest_port: expected a port from 0 to 65535, found nothing",
            "line 4, field proto: expected the name or number of an IP protocol, found \
             \"telepathy\"",
            "line 5, field flow.start: expected seconds since 1970 or an ISO 8601 time, found \
             \"today\"",
            "line 6, field tcp.tcp_flags_ts: expected two hexadecimal digits, found \"xyz\"",
            "line 7, field flow.bytes_toserver: expected a whole number from 0 to \
             18446744073709551615, found \"-1\"",
            "line 8, field flow: expected a JSON object, found nothing",
            "line 9, field flow: expected a JSON object, found \"[1]\"",
            "line 10, field event_type: expected the type of the event, found nothing",
            "line 11: expected a JSON object, found \"no JSON\" \
             (expected ident at line 1 column 2)",
        ]
    );
    assert_eq!((counts.records, counts.rejected), (1, 10));
}

#[test]
fn another_file_is_refused_and_an_empty_one_is_empty() {
    assert_eq!(
        EveReader::new(&b"#separator \\x09\n"[..])
            .unwrap_err()
            .to_string(),
        "this is no EVE log of Suricata: expected a JSON object with event_type, found \
         \"#separator \\\\x09\""
    );
    assert_eq!(read("").0, []);
}

#[test]
fn mutated_events_never_panic() {
    let original = format!("{FLOW_EVENT}\n{ICMP_EVENT}\n");
    let mut random = Random(3);
    for _ in 0..10_000 {
        let log = random.mutate(original.as_bytes());
        let Ok(mut reader) = EveReader::new(log.as_slice()) else {
            continue;
        };
        let mut items = 0;
        while reader.next_record().unwrap().is_some() {
            items += 1;
        }
        assert!(items <= 10);
    }
}
