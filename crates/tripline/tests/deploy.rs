//! The files of `deploy/` against the program: each option, variable and path that they name is one
//! that there is, with a value that it takes. Whether a cluster likes them is not seen here.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, what fails in a helper fails the test"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clap::{ArgAction, CommandFactory, Parser};
use serde_json::Value;
use tripline::{api, cli::Cli};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// Every file, with its text.
fn files() -> BTreeMap<PathBuf, String> {
    let (mut folders, mut files) = (vec![deploy()], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("secrets") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                files.insert(path, text);
            }
        }
    }
    files
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

/// Everything of a kind below a value, with what it stands in.
fn find<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                if name == key {
                    found.push(value);
                }
                find(value, key, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| find(value, key, found)),
        _ => {}
    }
}

fn all<'a>(documents: &'a [Value], key: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    for document in documents {
        find(document, key, &mut found);
    }
    found
}

/// The option of `serve` that a variable stands for, as it is typed.
fn typed(variable: &str, value: &str) -> String {
    let command = Cli::command();
    let serve = command.find_subcommand("serve").unwrap();
    let option = serve
        .get_arguments()
        .find(|option| option.get_env().is_some_and(|name| name == variable))
        .unwrap_or_else(|| panic!("serve knows no variable {variable}"));
    let long = option.get_long().unwrap();
    match option.get_action() {
        ArgAction::SetTrue => {
            assert_eq!(value, "true", "{variable}");
            format!("--{long}")
        }
        _ => format!("--{long}={value}"),
    }
}

/// `serve` with these variables, as clap takes it.
fn check_serve(about: &str, variables: &BTreeMap<String, String>) {
    let options = variables.iter().map(|(name, value)| typed(name, value));
    let line = ["tripline".to_owned(), "serve".to_owned()];
    let parsed = Cli::try_parse_from(line.into_iter().chain(options));
    if let Err(error) = parsed {
        panic!("{about}: {error}");
    }
}

/// The variables of a container: those with the program's prefix, without what Compose puts in.
fn of_program<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .filter(|(name, _)| name.starts_with("TRIPLINE_"))
        .map(|(name, value)| {
            // `${NAME:-default}`
            let value = match value
                .strip_prefix("${")
                .and_then(|rest| rest.strip_suffix('}'))
            {
                Some(inner) => inner.split_once(":-").unwrap().1,
                None => value,
            };
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

#[test]
fn yaml_can_be_read_and_every_variable_is_the_programs() {
    let command = Cli::command();
    let serve = command.find_subcommand("serve").unwrap();
    let known: Vec<String> = serve
        .get_arguments()
        .filter_map(|option| Some(option.get_env()?.to_str()?.to_owned()))
        .collect();
    let mut yaml = 0;
    for (path, text) in files() {
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            assert!(!documents(&text).is_empty(), "{}", path.display());
            yaml += 1;
        }
        let is_part = |letter: char| letter.is_ascii_uppercase() || letter == '_';
        for word in text.split(|letter| !is_part(letter)) {
            // Of the build alone.
            if word.starts_with("TRIPLINE_") && word != "TRIPLINE_UI" {
                assert!(
                    known.iter().any(|name| name == word),
                    "{}: {word}",
                    path.display()
                );
            }
        }
    }
    assert!(yaml >= 8, "{yaml} files");
}

#[test]
fn workers_are_started_with_values_that_the_program_takes() {
    let text = &files()[&deploy().join("compose.yaml")];
    let compose = documents(text);
    let environments = all(&compose, "environment");
    let mut workers = 0;
    for environment in environments {
        let pairs = environment.as_object().unwrap().iter();
        let variables =
            of_program(pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap())));
        if !variables.is_empty() {
            check_serve("compose.yaml", &variables);
            workers += 1;
        }
    }
    assert!(workers > 0);

    let all_files = files();
    let settings = &all_files[&deploy().join("kubernetes/tripline.env")];
    let lines = settings.lines().filter(|line| !line.starts_with('#'));
    let settings = of_program(lines.map(|line| line.split_once('=').unwrap()));
    check_serve("tripline.env", &settings);
    let mut pods = 0;
    for name in ["kubernetes/worker.yaml", "kubernetes/capture/sensor.yaml"] {
        let pod = documents(&all_files[&deploy().join(name)]);
        for container in all(&pod, "containers") {
            let container = &container[0];
            assert_eq!(container["args"], serde_json::json!(["serve"]));
            let pairs = container["env"].as_array().unwrap().iter();
            let mut variables = of_program(pairs.map(|one| {
                (
                    one["name"].as_str().unwrap(),
                    one["value"].as_str().unwrap(),
                )
            }));
            if !container["envFrom"].is_null() {
                variables.extend(settings.clone());
            }
            check_serve(name, &variables);
            // Probes ask where it listens.
            let port = variables["TRIPLINE_LISTEN"].rsplit(':').next().unwrap();
            let mut named = vec![Value::from(port.parse::<u64>().unwrap())];
            if container["ports"][0]["containerPort"] == named[0] {
                named.push("http".into());
            }
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                let asked = &container[probe]["httpGet"]["port"];
                assert!(named.contains(asked), "{name}: {probe} asks port {asked}");
            }
            pods += 1;
        }
    }
    assert_eq!(pods, 2);
}

#[test]
fn probes_ask_paths_that_there_are() {
    let document: Value = serde_json::from_str(&api::openapi_json().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut asked = 0;
    let mut check = |path: &str| {
        assert!(paths.contains_key(path), "{path}");
        asked += 1;
    };
    for (path, text) in files() {
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let documents = documents(&text);
            for probe in all(&documents, "httpGet") {
                check(probe["path"].as_str().unwrap());
            }
            for word in all(&documents, "test")
                .into_iter()
                .flat_map(|test| test.as_array().unwrap())
            {
                if let Some(rest) = word.as_str().and_then(|word| word.strip_prefix("http://")) {
                    check(&rest[rest.find('/').unwrap()..]);
                }
            }
        }
        for line in text.lines() {
            if let Some(uri) = line.trim().strip_prefix("health_uri ") {
                check(uri);
            }
        }
    }
    assert!(asked >= 9, "{asked}");
    // Alive is not ready: only one of them may get a worker restarted.
    for name in ["kubernetes/worker.yaml", "kubernetes/capture/sensor.yaml"] {
        let pod = documents(&files()[&deploy().join(name)]);
        let path_of = |probe: &str| all(&pod, probe)[0]["httpGet"]["path"].clone();
        assert_eq!(
            [
                path_of("startupProbe"),
                path_of("livenessProbe"),
                path_of("readinessProbe")
            ],
            ["/live", "/live", "/ready"]
        );
    }
}

#[test]
fn nothing_runs_with_more_rights_than_it_needs() {
    let all_files = files();
    for (name, adds, uid) in [
        ("kubernetes/worker.yaml", Value::Null, 10001),
        (
            "kubernetes/capture/sensor.yaml",
            serde_json::json!(["NET_RAW"]),
            0,
        ),
    ] {
        let pod = documents(&all_files[&deploy().join(name)]);
        let spec = &all(&pod, "template")[0]["spec"];
        assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
        let container = &spec["containers"][0]["securityContext"];
        assert_eq!(container["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(container["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(
            container["capabilities"]["drop"],
            serde_json::json!(["ALL"]),
            "{name}"
        );
        assert_eq!(container["capabilities"]["add"], adds, "{name}");
        let user = if container["runAsUser"].is_null() {
            &spec["securityContext"]["runAsUser"]
        } else {
            &container["runAsUser"]
        };
        assert_eq!(*user, uid, "{name}");
    }
    let compose = documents(&all_files[&deploy().join("compose.yaml")]);
    let services = compose[0]["services"].as_object().unwrap();
    let worker = &compose[0]["x-worker"];
    assert_eq!(
        (&worker["read_only"], &worker["user"], &worker["cap_drop"]),
        (
            &true.into(),
            &"10001:10001".into(),
            &serde_json::json!(["ALL"])
        )
    );
    // Only the proxy is reached from outside, and only from this machine.
    for (name, service) in services {
        assert_eq!(service.get("ports").is_some(), name == "proxy", "{name}");
    }
    let ports = services["proxy"]["ports"][0].as_str().unwrap();
    assert!(ports.starts_with("${PUBLISH:-127.0.0.1:"), "{ports}");
}
