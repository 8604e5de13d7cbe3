use std::net::TcpStream;

use super::*;

#[test]
fn a_broker_starts_is_killed_and_comes_back_on_its_ports() {
    let options = KafkaOptions {
        sasl: true,
        tls: true,
        ..KafkaOptions::default()
    };
    let mut server = KafkaServer::start(&options).unwrap();
    let address = server.address();
    for address in [
        Some(address.clone()),
        server.sasl_address(),
        server.tls_address(),
        server.sasl_tls_address(),
    ] {
        TcpStream::connect(address.unwrap()).unwrap();
    }
    assert!(server.ca_file().unwrap().is_file());
    let process = Path::new("/proc").join(server.process().unwrap().to_string());
    assert!(process.exists());
    server.kill().unwrap();
    assert!(!process.exists());
    assert!(TcpStream::connect(&address).is_err());
    server.restart().unwrap();
    assert_eq!(server.address(), address);
    TcpStream::connect(&address).unwrap();
    server.stop().unwrap();
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn a_broker_that_cannot_start_says_why() {
    let options = KafkaOptions {
        properties: vec![("log.segment.bytes".to_owned(), "many".to_owned())],
        ..KafkaOptions::default()
    };
    let error = KafkaServer::start(&options).unwrap_err().to_string();
    assert!(error.contains("many"), "{error}");
}
