//! Prints `docs/drift.md`: what the drift report finds and does not find, and how far estimates of
//! quality without labels are from the truth, on NSL-KDD.
//!
//! `--training-only` leaves the sealed test set closed, for whoever chooses limits. `--export DIR` writes the
//! windows for other programs, and `--measure DIR` judges what was written (see `benches/drift`).

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "it reads a folder that is named, and prints a document"
)]

mod curves;
mod estimates;
mod export;
mod false_alarms;
mod labelled;
mod laboratory;
mod scenarios;
mod test_set;

use laboratory::{Laboratory, read};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = std::env::var("TRIPLINE_DATA").unwrap_or_else(|_| "../shared/data".to_owned());
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => print(&folder, true),
        ["--training-only"] => print(&folder, false),
        ["--export", into] => export::write(&folder, into.as_ref()),
        ["--measure", from] => export::measure(from.as_ref()),
        _ => panic!("expected nothing, --training-only, --export DIR or --measure DIR"),
    }
}

fn print(folder: &str, with_test: bool) {
    let laboratory = Laboratory::new(&read(folder, "KDDTrain+.txt.zst"));
    println!(
        "# Drift, and quality without labels\n\n\
         Printed by\n\n```sh\nTRIPLINE_DATA=../shared/data cargo run --release -p tripline-lifecycle --example drift_validation > docs/drift.md\n```\n\n\
         KDDTrain+ in five parts, equal rows in one part. The detector that ships (its recipe) is trained on three\n\
         of them ({} rows), whose distributions are its baseline. Windows come from another ({} rows). Both the\n\
         rules of drift and those of the estimate are the usual ones (`DriftPolicy`, `EstimatePolicy`).\n\
         [`benches/DRIFT.md`](../benches/DRIFT.md) has the same windows seen by Evidently and NannyML.\n",
        laboratory.train.len(),
        laboratory.field.len(),
    );
    false_alarms::print(&laboratory);
    let mut looked = estimates::look(&laboratory);
    if with_test {
        let test = read(folder, "KDDTest+.txt.zst");
        let of_test = estimates::look_at_test(&laboratory, &test);
        test_set::print(&laboratory, &test, &of_test);
        looked.push(of_test);
    }
    println!();
    estimates::print_drift(&looked);
    curves::print(&laboratory);
    estimates::print(&looked);
    estimates::print_limits(&looked);
    labelled::print(&laboratory);
}
