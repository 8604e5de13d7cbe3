use super::*;
use crate::record::{ConnState, RecordSource, Side};
use crate::rejection::Rejection;
use crate::testing::Random;

const TSV: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n\
#path\tconn\n#open\t2018-03-24-17-15-20\n\
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\t\
orig_bytes\tresp_bytes\tconn_state\tlocal_orig\tmissed_bytes\thistory\torig_pkts\t\
orig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents\n\
#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tbool\t\
count\tstring\tcount\tcount\tcount\tcount\tset[string]\n\
1521911721.255387\tC8Tful1TvM3Zf5x8fl\t10.164.94.120\t39681\t10.47.3.155\t3389\ttcp\t-\t0.004266\t\
97\t19\tRSTR\t-\t0\tShADTdtr\t10\t730\t6\t342\t-\n\
1521911721.411148\tCwpN\tfe80::1\t128\tff02::2\t129\ticmp\t(empty)\t-\t-\t-\tOTH\t-\t0\t-\t1\t56\t0\
\t0\t(empty)\n\
#close\t2018-03-24-17-15-21\n";

fn read(log: &[u8]) -> (Vec<FlowRecord>, Vec<Rejection>, ReadCounts) {
    let mut reader = ZeekReader::new(log).unwrap();
    let (mut records, mut rejections) = (Vec::new(), Vec::new());
    while let Some(item) = reader.next_record().unwrap() {
        match item {
            Ok(record) => records.push(record),
            Err(rejection) => rejections.push(rejection),
        }
    }
    (records, rejections, *reader.counts())
}

fn problems(log: &str) -> Vec<String> {
    let (_, rejections, _) = read(log.as_bytes());
    rejections.iter().map(ToString::to_string).collect()
}

fn small(rest: &str) -> String {
    let columns = "ts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\torig_pkts";
    format!("#separator \\x09\n#fields\t{columns}\n{rest}")
}

#[test]
fn a_tsv_line_becomes_a_record() {
    let (records, rejections, counts) = read(TSV.as_bytes());
    assert_eq!(rejections, []);
    assert_eq!(
        (counts.records, counts.oddities),
        (2, crate::Oddities::default())
    );
    let expected = FlowRecord {
        source: RecordSource::ZeekConn,
        uid: Some("C8Tful1TvM3Zf5x8fl".to_owned()),
        community_id: None,
        start_micros: 1_521_911_721_255_387,
        end_micros: Some(1_521_911_721_259_653),
        source_address: "10.164.94.120".parse().unwrap(),
        destination_address: "10.47.3.155".parse().unwrap(),
        source_port: 39681,
        destination_port: 3389,
        protocol: 6,
        icmp: None,
        forward: Side {
            packets: Some(10),
            payload_bytes: Some(97),
            ip_bytes: Some(730),
            frame_bytes: None,
        },
        backward: Some(Side {
            packets: Some(6),
            payload_bytes: Some(19),
            ip_bytes: Some(342),
            frame_bytes: None,
        }),
        zeek_state: Some(ConnState::RSTR),
        zeek_history: Some("ShADTdtr".to_owned()),
        suricata_state: None,
        service: None,
        tcp_flags: None,
        end_reason: None,
        sampling: None,
    };
    assert_eq!(records[0], expected);
    let icmp = &records[1];
    assert_eq!((icmp.protocol, icmp.icmp), (58, Some((128, 0))));
    assert_eq!((icmp.source_port, icmp.destination_port), (0, 0));
    assert_eq!(
        (icmp.end_micros, &icmp.service, &icmp.zeek_history),
        (None, &None, &None)
    );
    assert_eq!(icmp.forward.payload_bytes, None);
}

#[test]
fn a_json_line_becomes_the_same_record() {
    let json = r#"{"_path":"conn","ts":1521911721.255387,"uid":"C8Tful1TvM3Zf5x8fl","id.orig_h":"10.164.94.120","id.orig_p":39681,"id.resp_h":"10.47.3.155","id.resp_p":3389,"proto":"tcp","duration":0.004266,"orig_bytes":97,"resp_bytes":19,"conn_state":"RSTR","missed_bytes":0,"history":"ShADTdtr","orig_pkts":10,"orig_ip_bytes":730,"resp_pkts":6,"resp_ip_bytes":342,"tunnel_parents":[]}
{"ts":"2018-03-24T17:15:21.255387Z","id.orig_h":"10.164.94.120","id.orig_p":3,"id.resp_h":"10.47.3.155","id.resp_p":1,"proto":"icmp","service":["dns","ssl"],"duration":9.5367431640625e-7,"community_id":"1:abc="}
{"_path":"dns","ts":1}
"#;
    let (records, rejections, counts) = read(json.as_bytes());
    assert_eq!(rejections, []);
    assert_eq!(records[0], read(TSV.as_bytes()).0[0]);
    assert_eq!(records[1].start_micros, records[0].start_micros);
    assert_eq!(records[1].end_micros, Some(records[0].start_micros + 1));
    assert_eq!((records[1].protocol, records[1].icmp), (1, Some((3, 1))));
    assert_eq!(records[1].service.as_deref(), Some("dns,ssl"));
    assert_eq!(records[1].community_id.as_deref(), Some("1:abc="));
    assert_eq!(counts.skipped, 1);
}

#[test]
fn directives_decide_how_lines_are_split() {
    let log = "#separator \\x7c\n#set_separator|;\n#empty_field|nothing\n#unset_field|?\n\
        #fields|proto|id.resp_p|id.resp_h|id.orig_p|id.orig_h|ts|conn_state|service|history|ip_proto\n\
        udp|53|10.0.0.2|1024|10.0.0.1|1.5|?|dns;quic|nothing|?\n\
        #separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\
        \tip_proto\n\
        2.5\t10.0.0.1\t0\t10.0.0.2\t0\tunknown_transport\tOTH\t47\n\
        2.5\t10.0.0.1\t0\t10.0.0.2\t0\tunknown_transport\tOTH\t-\n";
    let (records, rejections, counts) = read(log.as_bytes());
    assert_eq!(rejections, []);
    assert_eq!(records[0].service.as_deref(), Some("dns,quic"));
    assert_eq!(
        (records[0].zeek_state, &records[0].zeek_history),
        (None, &None)
    );
    assert_eq!(records[0].destination_port, 53);
    assert_eq!(
        (records[1].start_micros, records[1].protocol),
        (2_500_000, 47)
    );
    assert_eq!(records[2].protocol, crate::UNKNOWN_PROTOCOL);
    // 1970 is improbable for a log.
    assert_eq!(counts.oddities.start_far_off, 3);
}

#[test]
fn rejections_name_line_field_expectation_and_finding() {
    let log = small(
        "1.0\t10.0.0.1\t1\t10.0.0.2\t2\ttcp\tSF\t3\textra\n\
         yesterday\t10.0.0.1\t1\t10.0.0.2\t2\ttcp\tSF\t3\n\
         1.0\t10.0.0\t1\t10.0.0.2\t2\ttcp\tSF\t3\n\
         1.0\t10.0.0.1\t65536\t10.0.0.2\t2\ttcp\tSF\t3\n\
         1.0\t10.0.0.1\t1\t-\t2\ttcp\tSF\t3\n\
         1.0\t10.0.0.1\t1\t10.0.0.2\t2\tsctp\tSF\t3\n\
         1.0\t10.0.0.1\t1\t10.0.0.2\t2\ttcp\tS9\t3\n\
         1.0\t10.0.0.1\t1\t10.0.0.2\t2\ttcp\tSF\t-3\n\
         1.0\t10.0.0.1\t1\t10.0.0.2\t2\ttcp\tSF\t3\n",
    );
    assert_eq!(
        problems(&log),
        [
            "line 3: expected 8 fields as in the header, found 9",
            "line 4, field ts: expected seconds since 1970 or an ISO 8601 time, found \"yesterday\"",
            "line 5, field id.orig_h: expected an IP address, found \"10.0.0\"",
            "line 6, field id.orig_p: expected a port from 0 to 65535, found \"65536\"",
            "line 7, field id.resp_h: expected an IP address, found nothing",
            "line 8, field proto: expected tcp, udp, icmp or unknown_transport, found \"sctp\"",
            "line 9, field conn_state: expected one of Zeek's thirteen connection states, found \
             \"S9\"",
            "line 10, field orig_pkts: expected a whole number from 0 to 18446744073709551615, \
             found \"-3\"",
        ]
    );
    assert_eq!(read(log.as_bytes()).2.records, 1);
}

#[test]
fn findings_are_cut_to_sixty_characters() {
    let log = small(&format!("{}\ta\tb\tc\td\te\tf\tg\n", "é".repeat(61)));
    assert_eq!(
        problems(&log),
        [format!(
            "line 3, field ts: expected seconds since 1970 or an ISO 8601 time, found \"{}…\"",
            "é".repeat(59)
        )]
    );
}

#[test]
fn bad_json_and_long_lines_are_rejections() {
    let start =
        r#"{"ts":1.0,"id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":"#;
    let log = format!(
        "{start}2,\"proto\":\"tcp\"}}\n{start}\n[1]\n{start}[2],\"proto\":\"tcp\"}}\n\
         {start}2,\"proto\":\"tcp\",\"uid\":\"{}\"}}\n{{\"a\":\"{}\"}}\n{start}2,\"proto\":\"tcp\"}}\n",
        "u".repeat(1025),
        "x".repeat(MAX_LINE_BYTES),
    );
    assert_eq!(
        problems(&log),
        [
            "line 2: expected a JSON object, found \
             \"{\\\"ts\\\":1.0,\\\"id.orig_h\\\":\\\"10.0.0.1\\\",\\\"id.orig_p\\\":1,\\\"id.resp_h\\\":…\" \
             (EOF while parsing a value at line 1 column 82)",
            "line 3: expected a JSON object, found \"[1]\" \
             (invalid type: sequence, expected a JSON object at line 1 co…)",
            "line 4, field id.resp_p: expected a string or a number, found \"[2]\"",
            "line 5, field uid: expected at most 1024 bytes, found 1025",
            "line 6: expected a line of at most 1048576 bytes, found a longer one",
        ]
    );
    assert_eq!(read(log.as_bytes()).2.records, 2);
}

#[test]
fn deep_nesting_costs_nothing() {
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    let line = format!(
        "{{\"x\":{deep},\"ts\":1,\"id.orig_h\":\"::1\",\"id.orig_p\":1,\"id.resp_h\":\"::1\",\
         \"id.resp_p\":2,\"proto\":\"udp\"}}\n"
    );
    assert_eq!(read(line.as_bytes()).2.records, 1);
    // Where the depth is inside a member that is used.
    let line = line.replacen("\"x\"", "\"service\"", 1);
    assert_eq!(read(line.as_bytes()).2.rejected, 1);
}

#[test]
fn other_logs_are_refused_or_skipped() {
    let message = |log: &[u8]| match ZeekReader::new(log) {
        Err(error) => error.to_string(),
        Ok(mut reader) => reader.next_record().unwrap_err().to_string(),
    };
    assert_eq!(message(b""), "the input is empty: expected a Zeek log");
    assert_eq!(
        message(b"ts,uid\n1,2\n"),
        "this is no Zeek log: expected a line that starts with #separator or #fields, or a JSON \
         object, found \"ts,uid\""
    );
    assert_eq!(
        message(b"#separator \\x09\n#path\tdns\n#fields\tts\tuid\tid.orig_h\tquery\n1\t2\t3\t4\n"),
        "this is no conn.log: line 3 lacks the column id.orig_p"
    );
    assert!(message(b"#separator \\x09\n1.0\ta\n").starts_with("this is no Zeek log"));
    assert!(message(b"{\"event_type\":\"flow\"}\n").starts_with("this is no Zeek log"));

    let both = format!("{TSV}#separator \\x09\n#fields\tts\tquery\n1\ta\n2\tb\n{TSV}");
    let (records, rejections, counts) = read(both.as_bytes());
    assert_eq!((records.len(), counts.skipped), (4, 2));
    assert_eq!(
        rejections[0].to_string(),
        "line 13: expected the header of a conn.log, found one without the column id.orig_h"
    );
}

#[test]
fn every_state_has_its_name() {
    let mut names: Vec<_> = ConnState::ALL.iter().map(|state| state.name()).collect();
    for (state, name) in ConnState::ALL.iter().zip(&names) {
        assert_eq!(ConnState::from_name(name), Some(*state));
        assert_eq!(format!("{state:?}"), *name);
    }
    names.dedup();
    assert_eq!(names.len(), 13);
}

#[test]
fn mutated_logs_never_panic_and_always_end() {
    let json = br#"{"ts":1521911721.25,"uid":"C8","id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":2,"proto":"tcp","service":"a\u0041","conn_state":"SF","orig_pkts":3}
"#;
    for (seed, original) in [(1, TSV.as_bytes()), (2, json.as_slice())] {
        let mut random = Random(seed);
        for _ in 0..10_000 {
            let log = random.mutate(original);
            let Ok(mut reader) = ZeekReader::new(log.as_slice()) else {
                continue;
            };
            let mut items = 0;
            while let Ok(Some(_)) = reader.next_record() {
                items += 1;
                assert!(items <= log.len());
            }
        }
    }
}
