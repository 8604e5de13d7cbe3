use std::sync::Arc;
use std::sync::mpsc::channel;

use super::*;
use crate::records::testing;

fn now() -> Timestamp {
    Timestamp(1_704_067_200_500_000)
}

fn loopback() -> (UdpSocket, UdpSocket) {
    let listening = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sending = UdpSocket::bind("127.0.0.1:0").unwrap();
    sending.connect(listening.local_addr().unwrap()).unwrap();
    (listening, sending)
}

/// Collects what is sent until so many records have come out, and stops then.
fn collected(records: usize, datagrams: &[Vec<u8>]) -> (CollectorBooks, Vec<String>) {
    let (listening, sending) = loopback();
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = channel();
    let collecting = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || {
            let mut judges = RecordJudges::new(&testing::models(), 2).unwrap();
            let config = CollectorConfig::new(1024, now);
            collect(&listening, &stop, &config, &mut judges, |batch, _| {
                for judged in batch {
                    let text = match judged.not_judged_because() {
                        None => format!("{} judged", judged.record.source_port),
                        Some(reason) => reason,
                    };
                    sender.send(text)?;
                }
                Ok(())
            })
            .unwrap()
        })
    };
    for datagram in datagrams {
        sending.send(datagram).unwrap();
    }
    let text = |_| receiver.recv_timeout(Duration::from_secs(30)).unwrap();
    let texts = (0..records).map(text).collect();
    stop.store(true, Ordering::Relaxed);
    (collecting.join().unwrap(), texts)
}

#[test]
fn datagrams_become_verdicts_and_the_books_balance() {
    let datagrams = [
        testing::data(256, &[1]),
        testing::template(256),
        testing::data(256, &[40_000, 40_001]),
        vec![1, 2, 3],
        Vec::new(),
        testing::netflow5(),
    ];
    let (books, texts) = collected(3, &datagrams);
    assert_eq!(texts[..2], ["40000 judged", "40001 judged"]);
    assert!(
        texts[2].contains("also needs duration, service"),
        "{}",
        texts[2]
    );
    assert_eq!(books.queue_dropped, 0);
    let records = &books.records;
    assert_eq!(
        (records.datagrams, records.received(), records.judged),
        (6, 3, 2)
    );
    assert_eq!((records.not_judged(), records.rejected()), (1, 0));
    let json = books.to_json();
    assert_eq!(json["causes"]["no_template"], 1);
    assert_eq!(json["causes"]["unknown_version"], 1);
    assert_eq!(json["causes"]["truncated"], 1);
    // What one exporter floods does not keep the records of others from being judged.
    assert!(records.has_losses() && !records.is_unknown());
}

#[test]
fn a_template_flood_leaves_the_last_ones() {
    // Few datagrams, which the socket's buffer holds whatever the reader does.
    let datagrams = [
        testing::templates(256..500),
        testing::templates(500..800),
        testing::data(799, &[40_000]),
    ];
    let (books, texts) = collected(1, &datagrams);
    assert_eq!(texts, ["40000 judged"]);
    let causes = &books.to_json()["causes"];
    assert!(causes["template_evicted"].as_u64().unwrap() > 100);
}

#[test]
fn a_receiver_that_gives_up_stops_the_collecting() {
    let (listening, sending) = loopback();
    sending.send(&testing::netflow5()).unwrap();
    let stop = AtomicBool::new(false);
    let mut judges = RecordJudges::new(&testing::models(), 2).unwrap();
    let config = CollectorConfig::new(1, now);
    let error = collect(&listening, &stop, &config, &mut judges, |_, _| {
        anyhow::bail!("the pipe is closed")
    });
    assert_eq!(error.unwrap_err().to_string(), "the pipe is closed");
}

#[test]
fn a_full_queue_drops_and_counts() {
    let (listening, sending) = loopback();
    let (sender, queue) = sync_channel(1);
    let (stop, dropped) = (AtomicBool::new(false), AtomicU64::new(0));
    listening.set_read_timeout(Some(PATIENCE)).unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(|| listen(&listening, &stop, now, &sender, &dropped));
        for _ in 0..5 {
            sending.send(&[0]).unwrap();
        }
        while dropped.load(Ordering::Relaxed) < 4 {
            thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        reader.join().unwrap().unwrap();
    });
    assert_eq!(queue.try_iter().count(), 1);
    assert_eq!(dropped.into_inner(), 4);
}

#[test]
fn the_kernel_tells_its_drops() {
    let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
 1234: 0100007F:0807 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 17 2 0 42\n\
 1235: 0100007F:0808 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 18 2 0 0\n";
    assert_eq!(drops_in(table, 2055), Some(42));
    assert_eq!(drops_in(table, 2056), Some(0));
    assert_eq!(drops_in(table, 1), None);
    assert_eq!(drops_in("nonsense\nshort\n", 1), None);
}
