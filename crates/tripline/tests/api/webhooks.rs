//! Messages about models: signed, sent to whom the operator names, and to nobody else.

use std::{
    ffi::OsStr,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{harness::shipped_models, server::Server};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// One request: its head and its body.
pub(crate) type Request = (String, String);

/// A receiver that answers each request with a head.
pub(crate) fn receiver(answer: &'static str) -> (u16, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = read(&mut stream);
            // The test may have ended.
            let _ = stream.write_all(answer.as_bytes());
            if sender.send(request).is_err() {
                return;
            }
        }
    });
    (port, requests)
}

fn read(stream: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length: usize = header(head, "content-length").parse().unwrap();
            if body.len() >= length {
                return (head.to_owned(), body.to_owned());
            }
        }
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "the request ended early");
        bytes.extend_from_slice(&piece[..read]);
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    found
        .next()
        .unwrap_or_else(|| panic!("no {name}: {head}"))
        .1
}

fn start(data: &std::path::Path, targets: &[String], allow: bool) -> Server {
    let secret = data.join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let mut more: Vec<&OsStr> = vec!["--webhook-secret-file".as_ref(), secret.as_os_str()];
    for target in targets {
        more.extend(["--webhook".as_ref(), OsStr::new(target)]);
    }
    if allow {
        more.extend::<[&OsStr; 2]>(["--webhook-allow".as_ref(), "127.0.0.0/8".as_ref()]);
    }
    Server::start_with(data, &shipped_models(), &more)
}

/// Takes the first active model out of service, which is told.
pub(crate) fn change_a_model(server: &Server) -> Value {
    let (_, list) = server.get("/api/v1/models");
    let models = list["models"].as_array().unwrap();
    let active = models
        .iter()
        .find(|model| model["stage"] == "active")
        .unwrap();
    let path = format!(
        "/api/v1/models/{}/deactivate",
        active["id"].as_str().unwrap()
    );
    let (status, changed) = server.post(&path, &json!({"actor": "ada", "reason": "a test"}));
    assert_eq!(status, 200, "{changed}");
    active.clone()
}

/// The messages once each was tried as often as is asked.
fn messages(server: &Server, is_done: impl Fn(&Value) -> bool) -> Vec<Value> {
    loop {
        let (_, list) = server.get("/api/v1/webhooks/messages");
        let messages = list["messages"].as_array().unwrap().clone();
        if !messages.is_empty() && messages.iter().all(&is_done) {
            return messages;
        }
        thread::yield_now();
    }
}

#[test]
fn a_change_of_stage_is_told_signed_and_redirects_are_not_followed() {
    let (good, heard) = receiver("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    let (elsewhere, lured) = receiver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let redirect: &'static str = Box::leak(
        format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{elsewhere}/secret\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
        .into_boxed_str(),
    );
    let (redirecting, asked) = receiver(redirect);
    let data = tempfile::tempdir().unwrap();
    let targets = [
        format!("http://127.0.0.1:{good}/hook?token=hidden"),
        format!("http://127.0.0.1:{redirecting}/hook"),
    ];
    let server = start(data.path(), &targets, true);
    let model = change_a_model(&server);

    let (head, body) = heard.recv().unwrap();
    assert!(head.starts_with("POST /hook?token=hidden "), "{head}");
    let signed = format!(
        "{}.{}.{body}",
        header(&head, "webhook-id"),
        header(&head, "webhook-timestamp")
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    assert_eq!(
        header(&head, "webhook-signature"),
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    );
    let told: Value = serde_json::from_str(&body).unwrap();
    assert!(body.contains(model["id"].as_str().unwrap()), "{told}");
    assert!(body.contains("ada") && body.contains("a test"), "{told}");

    asked.recv().unwrap();
    let messages = messages(&server, |message| message["attempts"] == 1);
    let state = |part: &str| {
        let of = |message: &&Value| message["target"].as_str().unwrap().contains(part);
        messages.iter().find(of).unwrap()
    };
    let sent = state(&good.to_string());
    assert_eq!(sent["state"], "sent");
    assert!(
        !sent["target"].as_str().unwrap().contains("token"),
        "{sent}"
    );
    let waiting = state(&redirecting.to_string());
    assert_eq!(waiting["state"], "waiting");
    let error = waiting["last_error"].as_str().unwrap();
    assert!(
        error.contains("307") && error.contains("not followed"),
        "{error}"
    );
    assert!(lured.try_recv().is_err());
}

/// Neither by number nor by name, and a receiver that is away is tried again later.
#[test]
fn private_addresses_are_not_spoken_to_unless_the_operator_says_so() {
    let (port, heard) = receiver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let data = tempfile::tempdir().unwrap();
    let targets = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ];
    let server = start(data.path(), &targets, false);
    change_a_model(&server);
    let messages = messages(&server, |message| message["attempts"] == 1);
    assert_eq!(messages.len(), targets.len());
    for message in messages {
        assert_eq!(message["state"], "waiting");
        let error = message["last_error"].as_str().unwrap();
        assert!(error.contains("private network"), "{error}");
    }
    assert!(heard.try_recv().is_err());
}
