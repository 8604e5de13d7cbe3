//! Live capture, inside network namespaces that the tests make.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    process::Command,
};

use serde_json::Value;

use crate::{
    harness::shipped_models,
    namespace::{Namespace, Watching},
};

const TASK: &str = "TRIPLINE_TEST_TRAFFIC";
/// Another address of the loopback interface than that of the clients: of two equal ones nobody
/// could tell which way a packet goes.
const SERVER: &str = "127.0.0.2";
const TCP_PORT: u16 = 8080;

/// The process that makes traffic inside a namespace; run as a test it has no task and does
/// nothing. A task is a number of connections and one of datagrams, all over the loopback interface.
#[test]
fn sends_traffic_inside() {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no other place for settings"
    )]
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let (connections, datagrams) = task.split_once(' ').unwrap();
    let connections: usize = connections.parse().unwrap();
    let listener = TcpListener::bind((SERVER, TCP_PORT)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..connections {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 3];
                stream.read_exact(&mut request).unwrap();
                stream.write_all(&[b'x'; 5000]).unwrap();
            }
        });
        for _ in 0..connections {
            let mut stream = TcpStream::connect((SERVER, TCP_PORT)).unwrap();
            stream.write_all(b"GET").unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        }
    });
    // Somebody listens, so that nothing answers with an ICMP message.
    let receiver = UdpSocket::bind((SERVER, 0)).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..datagrams.parse().unwrap() {
        sender
            .send_to(b"hello", receiver.local_addr().unwrap())
            .unwrap();
    }
}

/// Makes the traffic of a task in the namespace that the caller is in already.
pub(crate) fn send_here(task: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "live::sends_traffic_inside", "--nocapture"])
        .env(TASK, task)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn send(namespace: &Namespace, task: &str) {
    namespace.run_test("live::sends_traffic_inside", TASK, task);
}

/// The number before a word of the books.
fn number(books: &str, what: &str) -> u64 {
    let line = books
        .lines()
        .find(|line| line.contains(" frames = "))
        .unwrap();
    let before = line.split(what).next().unwrap();
    let digits = before
        .trim_end()
        .rsplit(|letter: char| !letter.is_ascii_digit());
    digits.into_iter().next().unwrap().parse().unwrap()
}

#[test]
fn verdicts_fall_while_packets_come_and_the_books_balance_at_the_end() {
    let Some(namespace) = Namespace::new("live capture") else {
        return;
    };
    let mut watching = Watching::start(&namespace, &["lo", "--early-packets", "5"]);
    send(&namespace, "4 6");
    // Nobody has asked for an end yet: these are verdicts on flows that go on.
    let first = watching.lines.next().unwrap().unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(
        (&first["stage"], &first["end_reason"]),
        (&Value::from("early"), &Value::Null)
    );
    assert!(first["threat_probability"].is_number(), "{first}");
    watching.terminate();
    let (lines, books, code) = watching.end();
    assert_eq!(code, Some(0), "{books}");
    assert!(books.contains("lo: stopped: asked to stop"), "{books}");
    let (frames, packets) = (number(&books, " frames = "), number(&books, " packets + "));
    let (undecoded, shed) = (
        number(&books, " not decoded"),
        number(&books, " dropped by us"),
    );
    assert_eq!(frames, packets + undecoded + shed, "{books}");
    let flows: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["stage"] == "final")
        .collect();
    let of = |flow: &Value, key: &str| flow[key].as_u64().unwrap();
    let counted: u64 = flows
        .iter()
        .map(|flow| of(flow, "packets_forward") + of(flow, "packets_backward"))
        .sum();
    assert_eq!(counted, packets, "{books}");
    assert_eq!(number(&books, " ended;"), flows.len() as u64);
    let to_server: Vec<&Value> = flows
        .iter()
        .filter(|flow| of(flow, "dst_port") == u64::from(TCP_PORT))
        .collect();
    assert_eq!(to_server.len(), 4);
    for flow in to_server {
        assert_eq!(
            (&flow["connection"], of(flow, "bytes_backward")),
            (&Value::from("SF"), 5000)
        );
    }
    assert!(
        flows
            .iter()
            .any(|flow| flow["protocol"] == "udp" && of(flow, "packets_forward") == 6)
    );
}

#[test]
fn nothing_that_came_before_the_end_is_lost() {
    let Some(namespace) = Namespace::new("the end of a live capture") else {
        return;
    };
    let watching = Watching::start(&namespace, &["lo", "--no-early"]);
    send(&namespace, "3 7");
    watching.terminate();
    let (lines, books, code) = watching.end();
    assert_eq!(code, Some(0), "{books}");
    let mut seen: Vec<(String, i64)> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|flow: Value| {
            let bytes = ["bytes_forward", "bytes_backward"];
            let bytes = bytes.iter().map(|key| flow[key].as_i64().unwrap()).sum();
            (flow["protocol"].as_str().unwrap().to_owned(), bytes)
        })
        .collect();
    seen.sort();
    let tcp = || ("tcp".to_owned(), 5003);
    assert_eq!(
        seen,
        [tcp(), tcp(), tcp(), ("udp".to_owned(), 35)],
        "{books}"
    );
}

#[test]
fn limits_filters_and_short_frames_are_kept_to() {
    let Some(namespace) = Namespace::new("live capture with limits") else {
        return;
    };
    let arguments = [
        "lo",
        "--packets",
        "3",
        "--bpf",
        "udp",
        "--no-early",
        "--format",
        "eve",
    ];
    let watching = Watching::start(&namespace, &[&arguments[..], &["--snaplen", "64"]].concat());
    send(&namespace, "1 5");
    let (lines, books, code) = watching.end();
    assert_eq!(
        (code, number(&books, " frames = ")),
        (Some(0), 3),
        "{books}"
    );
    assert!(books.contains("stopped: the limit is reached"), "{books}");
    let event: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(
        (&event["event_type"], &event["proto"]),
        (&Value::from("flow"), &Value::from("UDP"))
    );

    let arguments = ["lo", "--packets", "9", "--snaplen", "64", "--threats-only"];
    let watching = Watching::start(
        &namespace,
        &[&arguments[..], &["--filter", "dst_port == 1"]].concat(),
    );
    send(&namespace, "1 0");
    let (lines, books, _) = watching.end();
    assert_eq!(lines.len(), 0);
    assert!(
        books.contains("warning: frames are cut at 64 bytes"),
        "{books}"
    );
}

#[test]
fn an_interface_that_goes_down_ends_with_its_reason_and_its_flows() {
    let Some(namespace) = Namespace::new("an interface going down") else {
        return;
    };
    namespace.ip(&["link", "add", "v0", "type", "veth", "peer", "name", "v1"]);
    for link in ["v0", "v1"] {
        namespace.ip(&["link", "set", link, "up"]);
    }
    for (change, reason) in [("down", "interface 'v0' went down"), ("del", "disappeared")] {
        let watching = Watching::start(&namespace, &["v0"]);
        match change {
            "down" => namespace.ip(&["link", "set", "v0", "down"]),
            _ => namespace.ip(&["link", "del", "v0"]),
        }
        let (_, books, code) = watching.end();
        assert_eq!(code, Some(1), "{books}");
        assert!(books.contains(reason), "{books}");
        assert_eq!(
            number(&books, " flows begun"),
            number(&books, " ended;"),
            "{books}"
        );
        if change == "down" {
            namespace.ip(&["link", "set", "v0", "up"]);
        }
    }
}

#[test]
fn what_stands_in_the_way_is_explained() {
    let Some(namespace) = Namespace::new("errors of live capture") else {
        return;
    };
    let check = |mut command: Command, parts: &[&str]| {
        let output = command
            .arg("--models-dir")
            .arg(shipped_models())
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words}");
        for part in parts {
            assert!(words.contains(part), "{part}: {words}");
        }
    };
    let watch = |arguments: &[&str]| {
        let mut command = namespace.command(env!("CARGO_BIN_EXE_tripline"));
        command.arg("watch").args(arguments);
        command
    };
    check(watch(&["nothing0"]), &["no interface 'nothing0'", "lo"]);
    check(
        watch(&["lo", "--bpf", "tcp and potato"]),
        &["'tcp and potato' cannot be used"],
    );
    check(watch(&["any", "--promiscuous"]), &["no promiscuous mode"]);
    namespace.ip(&["link", "add", "v0", "type", "veth", "peer", "name", "v1"]);
    check(watch(&["v0"]), &["'v0' cannot be opened"]);
    // Root without the capability is as good as anybody else.
    let mut without = namespace.command("setpriv");
    without
        .args([
            "--bounding-set=-net_raw,-net_admin",
            "--inh-caps=-net_raw,-net_admin",
        ])
        .arg(env!("CARGO_BIN_EXE_tripline"))
        .args(["watch", "lo"]);
    check(
        without,
        &["CAP_NET_RAW", "setcap cap_net_raw,cap_net_admin=eip"],
    );

    let listed = watch(&["--list-interfaces"]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed
            .lines()
            .any(|line| line.starts_with("lo ") && line.contains(" up ")),
        "{listed}"
    );
}
