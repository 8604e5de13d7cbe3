use std::io::Write as _;

use super::*;
use crate::records::testing;

const ZEEK: &str = "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\t\
proto\tduration\torig_bytes\tresp_bytes\tconn_state\thistory\torig_pkts\tresp_pkts\n\
1000000000.0\t10.0.0.1\t40000\t10.0.0.2\t80\ttcp\t2.5\t300\t5000\tSF\tShADadFf\t6\t8\n\
yesterday\t10.0.0.1\t40000\t10.0.0.2\t80\ttcp\t2.5\t300\t5000\tSF\tShADadFf\t6\t8\n\
1000000000.1\t10.0.0.1\t53\t10.0.0.2\t53\tudp\t-\t-\t-\tS0\tD\t1\t0\n";

const JSON: &str = r#"{"_path":"conn","ts":1521911721.2,"id.orig_h":"10.1.0.1","id.orig_p":39681,"id.resp_h":"10.4.3.1","id.resp_p":3389,"proto":"tcp","duration":0.004266,"orig_bytes":97,"resp_bytes":19,"conn_state":"RSTR","history":"ShADdr","orig_pkts":10,"resp_pkts":6}
"#;

const EVE: &str = r#"{"event_type":"flow","src_ip":"10.0.0.1","src_port":49152,"dest_ip":"10.0.0.2","dest_port":443,"proto":"TCP","flow":{"pkts_toserver":5,"pkts_toclient":4,"bytes_toserver":820,"bytes_toclient":512,"start":"2017-07-24T15:49:41.328342+0000","end":"2017-07-24T15:49:43.328342+0000","state":"closed"},"tcp":{"tcp_flags_ts":"1b","tcp_flags_tc":"13"}}
"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn input(bytes: &[u8]) -> Input {
    recognise(Box::new(Cursor::new(bytes.to_vec()))).unwrap()
}

fn judge(bytes: &[u8]) -> anyhow::Result<RecordBooks> {
    let Input::Records(file) = input(bytes) else {
        anyhow::bail!("taken for a capture");
    };
    let mut judges = RecordJudges::new(&testing::models(), 3)?;
    let mut received = 0;
    let books = file.judge(&mut judges, |_, _| {
        received += 1;
        Ok(())
    })?;
    assert_eq!(received, books.judged + books.not_judged());
    Ok(books)
}

fn sensor(bytes: &[u8]) -> &'static str {
    match input(bytes) {
        Input::Capture(_) => "capture",
        Input::Records(file) => file.sensor(),
    }
}

#[test]
fn a_file_is_recognised_by_its_content() {
    let netflow = testing::netflow5();
    for (bytes, expected) in [
        (ZEEK.as_bytes(), "Zeek"),
        (JSON.as_bytes(), "Zeek"),
        (EVE.as_bytes(), "Suricata"),
        (b"\n {\"event_type\":\"dns\"}", "Suricata"),
        (&netflow, "NetFlow or IPFIX"),
        (&testing::template(256), "NetFlow or IPFIX"),
        (&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0], "capture"),
        (&[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0], "capture"),
        (b"flag,src_bytes\n", "capture"),
        (b"", "capture"),
    ] {
        assert_eq!(sensor(bytes), expected);
        assert_eq!(sensor(&gzip(bytes)), expected);
        assert_eq!(sensor(&zstd::encode_all(bytes, 1).unwrap()), expected);
    }
}

#[test]
fn the_books_of_a_log_balance() {
    for bytes in [ZEEK.as_bytes().to_vec(), gzip(ZEEK.as_bytes())] {
        let books = judge(&bytes).unwrap();
        assert_eq!((books.received(), books.judged), (3, 1));
        assert_eq!((books.not_judged(), books.rejected()), (1, 1));
        assert!(books.has_losses() && !books.is_unknown());
        assert_eq!(
            books.first_rejections,
            [
                "line 4, field ts: expected seconds since 1970 or an ISO 8601 time, found \
              \"yesterday\""
            ]
        );
        assert_eq!(
            books.main_reason(),
            Some("test-detector-conn also needs src_bytes; no detector is loaded for cicflow")
        );
    }
    assert_eq!(judge(JSON.as_bytes()).unwrap().judged, 1);
}

#[test]
fn records_without_the_features_of_a_model_are_not_judged() {
    let eve = judge(EVE.as_bytes()).unwrap();
    assert!(eve.is_unknown() && !eve.has_losses());
    assert!(eve.main_reason().unwrap().contains("src_bytes, dst_bytes"));
    let netflow = judge(&testing::netflow5()).unwrap();
    assert!(netflow.is_unknown());
    assert!(netflow.main_reason().unwrap().contains("service"));
}

#[test]
fn messages_of_several_kinds_follow_each_other() {
    let ports: Vec<u16> = (40_000..40_010).collect();
    let file = [
        testing::template(256),
        testing::data(256, &ports),
        testing::netflow5(),
        testing::data(999, &ports),
    ]
    .concat();
    let books = judge(&file).unwrap();
    assert_eq!(
        (books.datagrams, books.judged, books.not_judged()),
        (4, 10, 1)
    );
    // Nobody knows how many records were in the set without template.
    assert!(books.has_losses());
    assert_eq!(books.to_json()["causes"]["no_template"], 1);

    let cut = judge(&file[..file.len() - 300]).unwrap();
    assert!(cut.received() > 0 && cut.has_losses());
    let damaged = judge(&[&file, b"rubbish".as_slice()].concat()).unwrap();
    assert!(damaged.stopped.unwrap().contains("version 5, 9 or 10"));
}

#[test]
fn hostile_files_end_with_books_or_with_an_error() {
    // A count of 65535 records in 28 bytes; a length of 65535; a set shorter than its header.
    assert!(judge(&[[0, 5, 0xff, 0xff].as_slice(), &[0; 24]].concat()).is_err());
    let huge = judge(&[[0, 10, 0xff, 0xff].as_slice(), &[0; 12]].concat()).unwrap();
    assert_eq!((huge.received(), huge.has_losses()), (0, true));
    let short = [[0, 10, 0, 20].as_slice(), &[0; 12], &[0, 2, 0, 1]].concat();
    assert!(judge(&short).unwrap().has_losses());

    // A flood of templates, each told once and then used.
    let flood: Vec<u8> = (256..20_000).flat_map(testing::template).collect();
    let used = [flood, testing::data(256, &[1]), testing::data(19_999, &[2])].concat();
    let books = judge(&used).unwrap();
    assert_eq!((books.received(), books.datagrams), (1, 19_746));
    assert!(
        books.to_json()["causes"]["template_evicted"]
            .as_u64()
            .unwrap()
            > 19_000
    );

    // Compressed data that is cut off, and a line without end behind it.
    let mut log = ZEEK.as_bytes().to_vec();
    log.extend(std::iter::repeat_n(b'x', 3 << 20));
    let books = judge(&gzip(&log)).unwrap();
    assert_eq!((books.received(), books.rejected()), (4, 2));
    let mut noise = 1_u32;
    let mut lines = String::new();
    for _ in 0..5000 {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        lines += &format!("{noise}\t10.0.0.1\t1\t10.0.0.2\t2\ttcp\t1\t1\t1\tSF\tDd\t1\t1\n");
    }
    let packed = gzip([ZEEK, lines.as_str()].concat().as_bytes());
    let books = judge(&packed[..packed.len() / 2]).unwrap();
    assert!(books.stopped.is_some() && books.judged > 0);
}
