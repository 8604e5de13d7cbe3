//! Servers that share a real PostgreSQL: what one stores or changes the others see, and the database may
//! go and come back at any moment.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test, what fails in a helper fails the test"
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tripline_servers::postgres::{PostgresOptions, PostgresServer};

/// Nothing is asserted about time; this is when a test gives up.
const LIMIT: Duration = Duration::from_mins(2);
const NEVER_SHOWN: &str = "a-password-nobody-prints";

struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(folder: &Path, database: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tripline"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder)
            .arg("--models-dir")
            .arg(models())
            .env("TRIPLINE_DATABASE_URL", database)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .unwrap()
            .to_owned();
        Self { child, address }
    }

    /// Status and body; status 0 when nobody answers.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut text = String::new();
        let mut asking = || -> std::io::Result<()> {
            let mut stream = TcpStream::connect(&self.address)?;
            write!(
                stream,
                "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                self.address,
                body.len()
            )?;
            stream.read_to_string(&mut text).map(drop)
        };
        if asking().is_err() {
            return (0, Value::Null);
        }
        let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        assert!(!text.contains(NEVER_SHOWN), "{text}");
        (
            status.unwrap_or_default(),
            serde_json::from_str(body).unwrap_or_default(),
        )
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, "")
    }

    fn score(&self, duration: u32) -> (u16, Value) {
        let row = json!({ "service": "http", "flag": "SF", "src_bytes": 181, "dst_bytes": 5450 + duration,
            "count": 8, "same_srv_rate": 1, "diff_srv_rate": 0, "dst_host_srv_count": 9,
            "dst_host_same_srv_rate": 1, "dst_host_same_src_port_rate": 0.11 });
        self.ask("POST", "/api/v1/score", &row.to_string())
    }

    fn total(&self) -> Value {
        self.get("/api/v1/predictions/stats").1["total_predictions"].clone()
    }

    fn model(&self, name: &str) -> Value {
        let (_, list) = self.get("/api/v1/models?include_inactive=true");
        list["models"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|model| model["name"] == name)
            .cloned()
            .unwrap_or_default()
    }
}

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "{what}: still not");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn two_servers_on_one_database_are_one_system() {
    let postgres = PostgresServer::obtain(PostgresOptions::default()).unwrap();
    let database = postgres.database().unwrap();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    // Started together on an empty database, each makes the tables and brings the models.
    let [one, other] = std::thread::scope(|scope| {
        let starting = folders.each_ref().map(|folder| {
            let url = database.url();
            scope.spawn(move || Server::start(folder.path(), &url))
        });
        starting.map(|server| server.join().unwrap())
    });
    for number in 0..5 {
        assert_eq!(one.score(number).0, 200);
        assert_eq!(other.score(100 + number).0, 200);
    }
    assert_eq!(one.total(), 10);
    assert_eq!(other.total(), 10);
    let (_, health) = one.get("/api/v1/health/detailed");
    assert_eq!(
        health["checks"]["database"]["backend"], "postgresql",
        "{health}"
    );
    assert_eq!(health["status"], "healthy", "{health}");

    // An interface that another machine watches is none of this one's.
    database
        .sql(
            "UPDATE tripline.sources SET is_enabled = true; \
             INSERT INTO tripline.sources SELECT 'packet_capture@elsewhere', gen_random_uuid(), true, config, updated_at \
             FROM tripline.sources LIMIT 1",
        )
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let third = Server::start(folder.path(), &database.url());
    let (_, capture) = third.get("/api/v1/config/sources/packet_capture");
    assert_eq!(
        (&capture["is_enabled"], &capture["state"]["status"]),
        (&json!(false), &json!("stopped")),
        "{capture}"
    );
    drop(third);

    // A change of models by one is what both judge by.
    let candidate = one.model("nsl-kdd-detector-origin-v1");
    let (id, version) = (
        candidate["id"].as_str().unwrap(),
        candidate["version"].as_str().unwrap(),
    );
    let change = |server: &Server, what: &str| {
        let (status, answer) = server.ask("POST", &format!("/api/v1/models/{id}/{what}"), "{}");
        assert_eq!(status, 200, "{answer}");
    };
    let judges = |server: &Server| server.score(7).1.to_string().contains(version);
    change(&one, "activate");
    wait_until("the other server judges by the new model", || {
        judges(&other)
    });

    // Also when those who listen have lost their connection, and in the other direction.
    database
        .sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE pid <> pg_backend_pid() AND datname = current_database()",
        )
        .unwrap();
    wait_until("the database is reached again", || other.score(8).0 == 200);
    change(&other, "deactivate");
    wait_until("the first server does not judge by it any more", || {
        let (status, _) = one.score(9);
        status == 200 && !judges(&one)
    });
}

#[test]
fn the_database_goes_and_comes_back() {
    let postgres = PostgresServer::start(PostgresOptions::default()).unwrap();
    let database = postgres.database().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &database.url());
    assert_eq!(server.score(1).0, 200);
    postgres.kill().unwrap();
    assert_eq!(server.score(2).0, 503);
    let (status, health) = server.get("/api/v1/health/detailed");
    assert_eq!(status, 503);
    assert_eq!(health["checks"]["database"]["status"], "error", "{health}");
    assert_eq!(server.get("/live").0, 200);
    assert_eq!(server.get("/ready").0, 503);
    postgres.restart().unwrap();
    wait_until("scores are stored again", || server.score(3).0 == 200);
    wait_until("health is good again", || {
        server.get("/api/v1/health/detailed").1["status"] == "healthy"
    });
    // What was refused is not there, what was acknowledged is.
    let total = server.total().as_u64().unwrap();
    assert!(total >= 2, "{total}");
}

#[test]
fn a_server_is_up_before_its_database_is() {
    let postgres = PostgresServer::start(PostgresOptions::default()).unwrap();
    let database = postgres.database().unwrap();
    postgres.kill().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &database.url());
    assert_eq!(server.get("/live").0, 200);
    let (status, health) = server.get("/health");
    assert_eq!((status, &health["status"]), (200, &json!("degraded")));
    assert!(!health["reason"].as_str().unwrap().is_empty(), "{health}");
    assert_eq!(server.get("/ready").0, 503);
    let (status, refused) = server.score(1);
    assert_eq!(status, 503);
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("waits for its database"),
        "{refused}"
    );
    postgres.restart().unwrap();
    wait_until("the server is ready", || server.get("/ready").0 == 200);
    assert_eq!(server.score(1).0, 200);
    assert_eq!(server.total(), 1);
}

#[test]
fn an_embedded_store_moves_whole() {
    let postgres = PostgresServer::obtain(PostgresOptions::default()).unwrap();
    let database = postgres.database().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = || {
        Command::new(env!("CARGO_BIN_EXE_tripline"))
            .args(["store", "copy", "--data-dir"])
            .arg(folder.path())
            .env("TRIPLINE_DATABASE_URL", database.url())
            .output()
            .unwrap()
    };
    {
        let embedded = Server::start(folder.path(), "");
        for number in 0..3 {
            assert_eq!(embedded.score(number).0, 200);
        }
        let refused = copy();
        assert_eq!(refused.status.code(), Some(1), "while a server has it open");
    }
    let copied = copy();
    let said = String::from_utf8_lossy(&copied.stdout).into_owned();
    assert!(copied.status.success(), "{copied:?}");
    assert!(said.contains("copied 3 verdicts"), "{said}");
    assert_eq!(copy().status.code(), Some(1), "into one that is not empty");
    let shared = Server::start(folder.path(), &database.url());
    assert_eq!(shared.total(), 3);
    assert_eq!(shared.score(9).0, 200);
    assert_eq!(shared.total(), 4);
}

#[test]
fn a_password_is_never_printed() {
    for address in [
        format!("postgres://tripline:{NEVER_SHOWN}@"),
        format!("postgres://tripline:{NEVER_SHOWN}@127.0.0.1:port/x"),
        format!("nonsense {NEVER_SHOWN}"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path())
            .env("TRIPLINE_DATABASE_URL", &address)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("address of the database"), "{said}");
        assert!(!said.contains(NEVER_SHOWN), "{said}");
    }
}
