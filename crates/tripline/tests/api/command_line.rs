//! The commands that ask a running server, as a person types them.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::{
    harness::{generated, shipped_models, variant},
    server::Server,
};

const TEN: &str = "nsl-kdd-detector-ten-v1";
const ORIGIN: &str = "nsl-kdd-detector-origin-v1";

struct Shell<'a> {
    server: &'a Server,
}

impl Shell<'_> {
    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tripline"))
            .args(line.split_whitespace())
            .env("TRIPLINE_SERVER", format!("http://{}", self.server.address))
            .env("USER", "ana")
            .output()
            .unwrap()
    }

    /// What it prints; it has to succeed.
    fn says(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(
            output.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it complains about; it has to fail.
    fn refuses(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(1), "{line}");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn a_server(folder: &Path) -> Server {
    Server::start(&folder.join("data"), &shipped_models())
}

#[test]
fn a_model_is_uploaded_activated_compared_taken_back_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let server = a_server(folder.path());
    let shell = Shell { server: &server };
    let file = folder.path().join("mine.tripline");
    let bytes = variant(TEN, |bundle| {
        bundle.manifest.threshold.as_mut().unwrap().value = 0.9;
    });
    std::fs::write(&file, bytes).unwrap();
    let file = file.display();

    let list = shell.says("models list");
    assert!(list.starts_with("NAME"), "{list}");
    assert!(list.contains(TEN), "{list}");
    let uploaded: Value = serde_json::from_str(&shell.says(&format!(
        "models upload {file} --role detector --description cautious --json"
    )))
    .unwrap();
    assert_eq!(uploaded["uploaded_by"], "ana");
    assert_eq!(uploaded["description"], "cautious");
    let version = uploaded["version"].as_str().unwrap();
    assert!(
        shell
            .refuses(&format!("models upload {file} --role detector"))
            .contains("409"),
    );

    // By the beginning of its version.
    let short = &version[..6];
    let said = shell.says(&format!("models activate {short} --reason quieter"));
    assert!(said.contains(": active since"), "{said}");
    let shown = shell.says(&format!("models show {TEN}"));
    assert!(
        shown.contains(version),
        "the name is the active version: {shown}"
    );
    let said = shell.says(&format!("models rollback {short} --reason loud"));
    assert!(said.starts_with(TEN) && said.contains(": active"), "{said}");
    let history = shell.says(&format!("models history {version}"));
    for part in ["candidate → active", "ana", "quieter", "loud"] {
        assert!(history.contains(part), "{part}: {history}");
    }
    shell.says(&format!("models stage {version} shadow"));
    let said = shell.says(&format!("models stage {version} canary --share 0.05"));
    assert!(said.contains(": canary since"), "{said}");

    let compared = shell.refuses(&format!("compare {TEN} {ORIGIN} --on nothing"));
    assert!(compared.contains("'data' is expected"), "{compared}");
    let refused = shell.refuses(&format!("models delete {TEN} --yes"));
    assert!(refused.contains("active"), "{refused}");
    let refused = shell.refuses(&format!("models delete {version}"));
    assert!(refused.contains("--yes"), "{refused}");
    shell.says(&format!("models stage {version} retired"));
    shell.says(&format!("models delete {version} --yes"));
    let refused = shell.refuses(&format!("models activate {version}"));
    assert!(!refused.is_empty());
    let refused = shell.refuses("models show nobody");
    assert!(refused.contains("has no model 'nobody'"), "{refused}");
}

#[test]
fn flows_are_labelled_one_by_one_by_filter_and_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = a_server(folder.path());
    let shell = Shell { server: &server };
    let content = generated(20);
    let mut stream = server.begin_upload("", "flows.csv", content.len());
    std::io::Write::write_all(&mut stream, content.as_bytes()).unwrap();
    std::io::Write::write_all(&mut stream, crate::server::form_tail().as_bytes()).unwrap();
    let (status, uploaded) = crate::server::answer(&mut stream);
    assert_eq!(status, 200, "{uploaded}");
    let (_, page) = server.get("/api/v1/verdicts?limit=2");
    let id = |index: usize| page["verdicts"][index]["id"].as_str().unwrap().to_owned();

    shell.says(&format!(
        "labels add {} {} --no-attack --note scanner",
        id(0),
        id(1)
    ));
    shell.says(&format!("labels add {} --attack neptune --by bo", id(0)));
    let disputed = shell.says("labels list --conflicting");
    for part in [&id(0), "neptune", "no attack", "ana", "bo"] {
        assert!(disputed.contains(part), "{part}: {disputed}");
    }
    assert!(!disputed.contains(&id(1)), "{disputed}");
    let by_filter = shell.says(&format!(
        "labels add --batch {} --attack --by eve",
        uploaded["batch_id"].as_str().unwrap()
    ));
    assert_eq!(by_filter.lines().count(), 20, "{by_filter}");
    let said = shell.says("labels review 1 rejected --reason mistaken --by bo");
    assert!(said.contains("label 1 is rejected"), "{said}");
    let exported = shell.says("labels export");
    assert!(
        exported.starts_with("id,verdict_id,is_attack"),
        "{exported}"
    );
    assert_eq!(exported.lines().count(), 24, "{exported}");

    let file = folder.path().join("labels.csv");
    std::fs::write(
        &file,
        format!("verdict_id,is_attack\n{},true\nnobody,false\n", id(1)),
    )
    .unwrap();
    let output = shell.run(&format!("labels import {} --by cy", file.display()));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("row 3, nobody"), "{errors}");
    let refused = shell.refuses("labels review 9999 accepted");
    assert!(refused.contains("404"), "{refused}");
}

#[test]
fn drift_and_retraining_say_where_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let server = a_server(folder.path());
    let shell = Shell { server: &server };
    assert_eq!(shell.says("drift"), "no verdicts of it were seen yet\n");
    let known: Value = serde_json::from_str(&shell.says(&format!("drift {TEN} --json"))).unwrap();
    assert_eq!(known["models"], serde_json::json!([]));
    assert_eq!(shell.says("retrain list"), "none runs\n");
    let refused = shell.refuses("retrain cancel");
    assert!(refused.contains("404"), "{refused}");
    // Nothing is trained on data that are not there.
    let refused = shell.refuses(&format!("retrain start {TEN}"));
    assert!(refused.contains("--training-data"), "{refused}");
}

#[test]
fn two_bundles_are_compared_on_a_file_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("flows.csv");
    std::fs::write(&data, generated(500)).unwrap();
    let bundle = |name: &str| shipped_models().join(format!("{name}.tripline"));
    let compare = |a: &str, b: &str, more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_tripline"))
            .arg("compare")
            .args([bundle(a), bundle(b)])
            .arg("--data")
            .arg(&data)
            .args(more)
            .output()
            .unwrap()
    };
    let output = compare(
        "nsl-kdd-detector-full",
        "nsl-kdd-detector-live",
        &["--json"],
    );
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["rows"], 500);
    assert_eq!(answer["a"]["name"], "nsl-kdd-detector-full");
    let agreement = &answer["agreement"];
    let sum: u64 = ["agreed", "only_a_right", "only_b_right"]
        .iter()
        .map(|key| agreement[key].as_u64().unwrap())
        .sum();
    assert_eq!(sum, 500, "{agreement}");
    let output = compare("nsl-kdd-detector-full", "nsl-kdd-detector-full", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("they agree on 500 of 500 rows"), "{text}");
    let output = compare("nsl-kdd-detector-full", "nsl-kdd-classifier-full", &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("answer different questions"), "{text}");
}

#[test]
fn where_no_server_answers_the_address_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(["models", "list", "--server", "http://127.0.0.1:9"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("no server answers at http://127.0.0.1:9/"),
        "{text}"
    );
    let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(["drift", "--server", "localhost"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("expected something like"), "{text}");
}
