//! File, environment and command line: what holds, what is refused, what is never shown, and what is
//! exchanged while a server runs.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{harness::shipped_models, server::answer};

/// What no output may hold.
const PASSWORD: &str = "hunter2";
const WEBHOOK_SECRET: &str = "0123456789abcdef01234567";

/// A folder with a file of options, in which commands are typed.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn with_file(text: &str) -> Self {
        let place = Self::new();
        place.configure(text);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn configure(&self, text: &str) {
        let models = shipped_models().canonicalize().unwrap();
        let text = format!("{text}\nmodels-dir = '{}'\n", models.display());
        // Tables come last.
        let (top, tables): (Vec<&str>, Vec<&str>) = match text.find("\n[") {
            Some(start) => {
                let end = text.rfind("\nmodels-dir").unwrap();
                (vec![&text[..start], &text[end..]], vec![&text[start..end]])
            }
            None => (vec![&text], vec![]),
        };
        self.write("tripline.toml", &[top.concat(), tables.concat()].concat());
    }

    /// Without the variables of whoever runs the tests.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
        command
            .current_dir(self.folder.path())
            .env_clear()
            .args(words);
        command
    }

    fn run(&self, words: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = self.command(words);
        command.envs(variables.iter().copied()).output().unwrap()
    }

    fn check(&self, words: &[&str], variables: &[(&str, &str)]) -> Checked {
        let words = [
            &["config", "check", "--json", "--config", "tripline.toml"],
            words,
        ]
        .concat();
        let output = self.run(&words, variables);
        let body: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(output.status.success(), body["ok"] == true, "{body}");
        Checked(body)
    }
}

struct Checked(Value);

impl Checked {
    /// The values of an option, and where they come from.
    fn option(&self, name: &str) -> (String, String) {
        let options = self.0["options"].as_array().unwrap();
        let option = options.iter().find(|option| option["name"] == name);
        let option = option.unwrap_or_else(|| panic!("{name}: {}", self.0));
        let place = option["place"].as_str().or(option["from"].as_str());
        (option["values"].to_string(), place.unwrap().to_owned())
    }

    fn problems(&self) -> Vec<&str> {
        let problems = self.0["problems"].as_array().unwrap();
        problems.iter().map(|text| text.as_str().unwrap()).collect()
    }
}

fn check_option(checked: &Checked, name: &str, values: &str, place: &str) {
    assert_eq!(
        checked.option(name),
        (values.to_owned(), place.to_owned()),
        "{name}"
    );
}

#[test]
fn what_is_typed_is_stronger_than_a_variable_and_that_than_the_file() {
    let place = Place::with_file(
        "retain-days = 1\nfull_list_rows = 0x10\nmax-upload-bytes = 1_000_000\nwebhook-allow = ['10.1.0.0/16', '10.2.0.0/16']\n\
         allow-host = ['a,b', 'c']\nallow-remote = true\n[kafka]\nsession-timeout = 10\ncompression = 'lz4'",
    );
    let checked = place.check(
        &["--retain-days", "3", "--allow-remote=false"],
        &[
            ("TRIPLINE_RETAIN_DAYS", "2"),
            ("TRIPLINE_FULL_LIST_ROWS", "20"),
            ("TRIPLINE_WEBHOOK_ALLOW", "10.3.0.0/16"),
        ],
    );
    assert_eq!(checked.problems(), <[&str; 0]>::default());
    check_option(&checked, "retain-days", r#"["3"]"#, "command line");
    check_option(&checked, "allow-remote", r#"["false"]"#, "command line");
    check_option(
        &checked,
        "full-list-rows",
        r#"["20"]"#,
        "TRIPLINE_FULL_LIST_ROWS",
    );
    // A list takes the place of another whole.
    check_option(
        &checked,
        "webhook-allow",
        r#"["10.3.0.0/16"]"#,
        "TRIPLINE_WEBHOOK_ALLOW",
    );
    check_option(
        &checked,
        "max-upload-bytes",
        r#"["1000000"]"#,
        "tripline.toml:3",
    );
    check_option(&checked, "allow-host", r#"["a,b","c"]"#, "tripline.toml:5");
    check_option(
        &checked,
        "kafka-session-timeout",
        r#"["10"]"#,
        "tripline.toml:10",
    );
    check_option(&checked, "kafka-group", r#"["tripline"]"#, "default");
    let table = place.run(
        &["config", "check"],
        &[("TRIPLINE_CONFIG", "tripline.toml")],
    );
    assert!(table.status.success(), "{table:?}");
    let table = String::from_utf8(table.stdout).unwrap();
    let line = table.lines().find(|line| line.starts_with("retain-days"));
    assert!(line.unwrap().ends_with("tripline.toml:1"), "{table}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let place = Place::with_file(
        "listn = '127.0.0.1:0'\nlisten = 'nowhere'\nretain-days = '3'\nretain_bytes = -1\nretain-bytes = 5\n\
         allow-remote = 'yes'\nholdout = [[1]]\nconfig = 'other.toml'\n[kafka]\nsession-timeout = 0\nsasl = 'md5'\nca-file = 'ca.pem'",
    );
    let checked = place.check(
        &[],
        &[
            ("TRIPLINE_WORKERS", "many"),
            ("TRIPLINE_LISTN", ""),
            ("TRIPLINE_LOG", "a=b"),
        ],
    );
    let problems = checked.problems();
    for expected in [
        "tripline.toml:1: listn is no option of tripline serve; is listen meant?",
        "tripline.toml:2: listen is 'nowhere': invalid socket address syntax, expected an address with a port, such as 127.0.0.1:8000",
        "tripline.toml:3: retain-days is a text, expected a whole number",
        "tripline.toml:4: retain_bytes is '-1': invalid digit found in string, expected a whole number",
        "tripline.toml:5: retain-bytes is --retain-bytes again, which is said in line 4 already",
        "tripline.toml:6: allow-remote is a text, expected true or false",
        "tripline.toml:7: holdout is a list, expected a text, or a list of such",
        "tripline.toml:8: config: a file cannot name another one",
        "tripline.toml:12: kafka.session-timeout is '0': 0 is not in 1..=1800, expected a whole number",
        "tripline.toml:13: kafka.sasl is 'md5', expected one of plain, scram-sha-256, scram-sha-512",
        "TRIPLINE_WORKERS is 'many': invalid digit found in string, expected a whole number",
        "no option knows the variable TRIPLINE_LISTN; is TRIPLINE_LISTEN meant?",
        "--kafka-ca-file needs --kafka-tls",
        "TRIPLINE_LOG is 'a=b': a level is one of off, error, warn, info, debug and trace",
    ] {
        assert!(problems.contains(&expected), "{expected}\n{problems:#?}");
    }
    assert_eq!(problems.len(), 14, "{problems:#?}");
    let refused = place.run(&["serve", "--config", "tripline.toml"], &[]);
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(
        told.lines()
            .filter(|line| line.starts_with("error: "))
            .count(),
        10,
        "{told}"
    );
    assert!(!place.path("tripline-data").exists());
}

#[test]
fn a_file_that_is_none_is_refused() {
    let place = Place::new();
    let refused = |words: &[&str], expected: &str| {
        let output = place.run(words, &[]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(expected), "{told}");
    };
    refused(
        &["serve", "--config", "nowhere.toml"],
        "--config: cannot read nowhere.toml",
    );
    refused(
        &["config", "check", "--config", "/dev/zero"],
        "more than 1048576 bytes",
    );
    place.write("bad.toml", "listen = \nretain-days == 3\n");
    refused(
        &["serve", "--config", "bad.toml"],
        "bad.toml:1: this is no TOML",
    );
    refused(
        &["demo", "--config", "bad.toml"],
        "bad.toml:2: this is no TOML",
    );
    fs::write(place.path("bytes.toml"), b"listen = '\xff'").unwrap();
    refused(&["serve", "--config", "bytes.toml"], "not UTF-8");
    // A file that nobody named is not read.
    place.write("tripline.toml", "nonsense = 1");
    let models = shipped_models().canonicalize().unwrap();
    let checked = place.run(
        &["config", "check", "--models-dir", models.to_str().unwrap()],
        &[],
    );
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn files_that_options_name_are_checked() {
    let place = Place::with_file(
        "trusted-keys = 'keys.pub'\nunsigned-models = 'refused'\nwebhook = 'https://example.org/hook'\n\
         holdout = ['rows.csv']\ntraining-data = 'nowhere'\nlisten = '0.0.0.0:0'\ndata-dir = 'keys.pub'\n\
         [kafka]\nbrokers = 'a:1'\ntls = true\nca-file = 'keys.pub'\nkey-file = 'keys.pub'\nexternal-topic = 'x'\nsenders = 'nobody'",
    );
    place.write("keys.pub", "no key\n");
    let checked = place.check(&[], &[]);
    let problems = checked.problems();
    for expected in [
        "--trusted-keys: keys.pub",
        "--webhook-secret-file: the secret is missing",
        "--holdout: rows.csv is no file",
        "--training-data: nowhere is no folder",
        "--data-dir: keys.pub is no folder",
        "--listen 0.0.0.0:0: other machines",
        "--kafka-ca-file: keys.pub holds no certificate",
        "--kafka-key-file: keys.pub holds no private key",
        "--kafka-key-file needs --kafka-certificate-file",
        "--kafka-senders: cannot read nobody",
    ] {
        assert!(
            problems.iter().any(|problem| problem.starts_with(expected)),
            "{expected}\n{problems:#?}"
        );
    }
    assert_eq!(problems.len(), 10, "{problems:#?}");
}

#[test]
fn of_two_that_exclude_each_other_the_stronger_level_holds() {
    let place = Place::with_file("database-url = 'postgres://u:hunter2@127.0.0.1/a'");
    place.write("url", "postgres://u:hunter2@127.0.0.1/b");
    let checked = place.check(&[], &[("TRIPLINE_DATABASE_URL_FILE", "url")]);
    assert!(checked.problems().is_empty(), "{:?}", checked.problems());
    check_option(&checked, "database-url", "[]", "default");
    check_option(
        &checked,
        "database-url-file",
        r#"["url"]"#,
        "TRIPLINE_DATABASE_URL_FILE",
    );
    let checked = place.check(
        &["--database-url-file", "url"],
        &[("TRIPLINE_DATABASE_URL", "postgres://u:hunter2@127.0.0.1/c")],
    );
    assert!(checked.problems().is_empty(), "{:?}", checked.problems());
    check_option(&checked, "database-url", "[]", "default");
    let checked = place.check(
        &[],
        &[
            ("TRIPLINE_DATABASE_URL_FILE", "url"),
            ("TRIPLINE_DATABASE_URL", "postgres://u:hunter2@127.0.0.1/c"),
        ],
    );
    assert_eq!(
        checked.problems(),
        [
            "database-url (TRIPLINE_DATABASE_URL) and database-url-file (TRIPLINE_DATABASE_URL_FILE) exclude each other: expected one of them"
        ]
    );
}

#[test]
fn secrets_are_never_shown() {
    let place = Place::new();
    place.write("secret", WEBHOOK_SECRET);
    place.write("password", PASSWORD);
    let url = format!("postgres://u:{PASSWORD}@127.0.0.1:1/a");
    let hook = format!("https://example.org/{PASSWORD}");
    for (text, variables) in [
        (
            format!(
                "database-url = '{url}'\nwebhook = ['{hook}']\nwebhook-secret-file = 'secret'\n\
                 [kafka]\nbrokers = 'a:1'\nsasl = 'plain'\nusername = 'me'\npassword-file = 'password'"
            ),
            vec![],
        ),
        // Wrong in every way there is.
        (
            format!("database-url = ['{url}']\nwebhook = [['{hook}'], 1]"),
            vec![],
        ),
        (format!("database-url = '{PASSWORD}'"), vec![]),
        (format!("databse-url = '{url}'"), vec![]),
        (format!("database-url = '{url}\n"), vec![]),
        (format!("database-url = {url}\n"), vec![]),
        (
            format!("webhook = 'https://u:{PASSWORD}@example.org/'"),
            vec![],
        ),
        (format!("webhook = '{PASSWORD}'"), vec![]),
        (
            String::new(),
            vec![
                ("TRIPLINE_DATABASE_URL", format!("http://{PASSWORD}")),
                ("TRIPLINE_WEBHOOK", format!("ftp://example.org/{PASSWORD}")),
                ("TRIPLINE_KAFKA_PASSWORD", PASSWORD.to_owned()),
                ("TRIPLINE_DATABASE_URI", url.clone()),
            ],
        ),
    ] {
        place.configure(&text);
        let variables: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        for words in [
            &["config", "check"][..],
            &["config", "check", "--json"],
            // Where it could start it would go on.
            &["serve", "--listen", "192.0.2.1:0"],
            &["serve", "--help"],
        ] {
            let words = [words, &["--config", "tripline.toml"]].concat();
            let output = place.run(&words, &variables);
            let told = [output.stdout, output.stderr].concat();
            let told = String::from_utf8(told).unwrap();
            for secret in [PASSWORD, WEBHOOK_SECRET] {
                assert!(!told.contains(secret), "{words:?} with {text}\n{told}");
            }
        }
    }
    place.configure(&format!(
        "database-url = '{url}'\nwebhook = ['{hook}', '{hook}']"
    ));
    let checked = place.check(&[], &[]);
    check_option(&checked, "database-url", r#"["(set)"]"#, "tripline.toml:1");
    check_option(
        &checked,
        "webhook",
        r#"["(set)","(set)"]"#,
        "tripline.toml:2",
    );
    let checked = place.check(&[], &[("TRIPLINE_KAFKA_PASSWORD", PASSWORD)]);
    assert_eq!(
        checked.0["secret_variables"],
        serde_json::json!(["TRIPLINE_KAFKA_PASSWORD"])
    );
}

#[test]
fn the_example_names_every_option_and_is_a_file() {
    let place = Place::new();
    let output = place.run(&["config", "example"], &[]);
    let example = String::from_utf8(output.stdout).unwrap();
    place.configure(&example);
    let checked = place.check(&[], &[]);
    assert_eq!(checked.problems(), <[&str; 0]>::default());
    for option in checked.0["options"].as_array().unwrap() {
        let name = option["name"].as_str().unwrap();
        let key = name.strip_prefix("kafka-").unwrap_or(name);
        assert!(example.contains(&format!("\n#{key} = ")), "{name}");
    }
    assert!(
        example.contains("\n#listen = '127.0.0.1:8000'\n"),
        "{example}"
    );
    assert!(example.contains("\n[kafka]\n"), "{example}");
}

/// A server that was started with the file.
struct Running {
    child: Child,
    address: String,
    /// Its log.
    log: std::thread::JoinHandle<String>,
}

impl Running {
    fn start(place: &Place) -> Self {
        let mut child = place
            .command(&[
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--config",
                "tripline.toml",
            ])
            .env("TRIPLINE_RETAIN_DAY", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            std::io::Read::read_to_string(&mut stderr, &mut log).unwrap();
            log
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap();
        Self {
            address: address.to_owned(),
            child,
            log,
        }
    }

    fn ask(&self, path: &str, host: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        answer(&mut stream)
    }

    fn configuration(&self) -> Value {
        let (_, mut health) = self.ask("/api/v1/health/detailed", "localhost");
        health["checks"]["configuration"].take()
    }

    /// Sends the signal and waits until there is a result, of which `reloads` there are then.
    fn reload(&self, reloads: u64) -> Value {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::HUP).unwrap();
        loop {
            let now = self.configuration();
            let count = |key: &str| now[key].as_u64().unwrap();
            if count("reloads") + count("reloads_refused") == reloads {
                return now;
            }
            std::thread::yield_now();
        }
    }

    /// Ends it and gives its log.
    fn stop(mut self) -> String {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.log.join().unwrap()
    }
}

#[test]
fn a_running_server_takes_what_it_can_and_names_the_rest() {
    let place = Place::with_file(&format!(
        "data-dir = 'data'\nretain-days = 7\nwebhook = 'https://example.org/{PASSWORD}'\n\
         webhook-secret-file = 'secret'"
    ));
    place.write("secret", WEBHOOK_SECRET);
    let server = Running::start(&place);
    let status = |host: &str| server.ask("/health", host).0;
    assert_eq!(status("flows.example"), 403);
    let before = server.configuration();
    assert_eq!(before["last_reload"], Value::Null);
    assert_eq!(before["file"], "tripline.toml");

    // What can be exchanged is; what cannot is named; a file that an option names counts.
    place.write("secret", &WEBHOOK_SECRET.repeat(2));
    let second = format!(
        "data-dir = 'elsewhere'\nlog = 'info,tripline=debug'\nallow-host = ['flows.example']\nfull-list-rows = 5\nretain-days = 7\n\
         webhook = 'https://example.org/{PASSWORD}'\nwebhook-secret-file = 'secret'"
    );
    place.configure(&second);
    let after = server.reload(1);
    let last = &after["last_reload"];
    assert_eq!(last["status"], "ok", "{after}");
    assert_eq!(
        last["changed"],
        serde_json::json!(["log", "allow-host", "full-list-rows", "webhook-secret-file"])
    );
    assert_eq!(after["needs_restart"], serde_json::json!(["data-dir"]));
    assert_eq!(status("flows.example"), 200);
    assert!(!place.path("elsewhere").exists());

    // A faulty file changes nothing.
    place.configure(&format!(
        "allow-host = 'other.example'\nretain-days = 'x'\nwebook = '{PASSWORD}'"
    ));
    let refused = server.reload(2);
    assert_eq!(refused["status"], "stale");
    assert_eq!(refused["last_reload"]["status"], "refused");
    assert_eq!(refused["last_reload"]["problems"], 2);
    assert_eq!(refused["needs_restart"], after["needs_restart"]);
    assert_eq!(
        (status("flows.example"), status("other.example")),
        (200, 403)
    );
    // So does one whose values are right and whose meaning is not.
    place.configure("allow-host = 'other.example'\nunsigned-models = 'refused'");
    let refused = server.reload(3);
    assert_eq!(refused["reloads_refused"], 2);
    assert_eq!(status("other.example"), 403);
    let metrics = metrics(&server);
    for line in [
        "tripline_config_reloads_total{outcome=\"done\"} 1",
        "tripline_config_reloads_total{outcome=\"refused\"} 2",
        "tripline_config_is_stale 1.0",
        "tripline_config_options_awaiting_restart 1.0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }

    // Back to what it was started with.
    place.configure(&second.replace("elsewhere", "data"));
    let back = server.reload(4);
    assert_eq!(back["status"], "healthy");
    assert_eq!(back["last_reload"]["changed"], serde_json::json!([]));
    assert_eq!(back["needs_restart"], serde_json::json!([]));

    let log = server.stop();
    for words in [
        "no option knows the variable TRIPLINE_RETAIN_DAY; is TRIPLINE_RETAIN_DAYS meant?",
        "tripline.toml:2: retain-days is a text, expected a whole number",
        "tripline.toml:3: webook is no option of tripline serve; is webhook meant?",
        "nobody is trusted",
        "need a restart",
    ] {
        assert!(log.contains(words), "{words}\n{log}");
    }
    assert!(
        !log.contains(PASSWORD) && !log.contains(WEBHOOK_SECRET),
        "{log}"
    );
}

fn metrics(server: &Running) -> String {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut stream, &mut text).unwrap();
    text
}

/// The list of trusted keys is read anew although its name stays.
#[test]
fn keys_that_are_trusted_are_exchanged() {
    let place = Place::with_file(
        "data-dir = 'data'\ntrusted-keys = 'keys.pub'\nunsigned-models = 'refused'",
    );
    let key = || {
        let keys = minisign::KeyPair::generate_unencrypted_keypair();
        keys.unwrap().pk.to_base64()
    };
    place.write("keys.pub", &key());
    let server = Running::start(&place);
    place.write("keys.pub", &format!("{}\n{}\n", key(), key()));
    let after = server.reload(1);
    assert_eq!(
        after["last_reload"]["changed"],
        serde_json::json!(["trusted-keys"])
    );
    // An empty list would trust nobody, and is refused.
    place.write("keys.pub", "");
    assert_eq!(server.reload(2)["last_reload"]["status"], "refused");
    server.stop();
}

#[test]
fn a_switch_is_put_off_by_a_stronger_level() {
    let place = Place::with_file("listen = '0.0.0.0:0'\nallow-remote = true");
    assert!(place.check(&[], &[]).problems().is_empty());
    for (words, variables) in [
        (&["--allow-remote=false"][..], &[][..]),
        (&[], &[("TRIPLINE_ALLOW_REMOTE", "no")]),
        (&[], &[("TRIPLINE_ALLOW_REMOTE", "")]),
    ] {
        let checked = place.check(words, variables);
        assert!(
            checked.problems()[0].contains("--allow-remote"),
            "{:?}",
            checked.problems()
        );
    }
    assert!(
        place
            .check(&["--allow-remote"], &[("TRIPLINE_ALLOW_REMOTE", "0")])
            .problems()
            .is_empty()
    );
    let checked = place.check(&[], &[("TRIPLINE_ALLOW_REMOTE", "flase")]);
    assert_eq!(
        checked.problems()[0],
        "TRIPLINE_ALLOW_REMOTE is 'flase': it is neither true nor false, expected true or false"
    );
}
