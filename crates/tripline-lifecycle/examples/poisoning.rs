//! Prints `docs/poisoning.md`: what lying labels do to a retraining on NSL-KDD.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "it reads a folder that is named, and prints a document"
)]

#[path = "../tests/poisoning/laboratory.rs"]
mod laboratory;

use laboratory::{Attack, Laboratory};
use tripline_features::{CsvLimits, CsvRows, RowBatch};
use tripline_lifecycle::LabelledRows;

fn main() {
    let folder = std::env::var("TRIPLINE_DATA").unwrap_or_else(|_| "../shared/data".to_owned());
    let file = std::fs::File::open(format!("{folder}/nsl-kdd/KDDTrain+.txt.zst"))
        .expect("TRIPLINE_DATA names the folder of the public data sets");
    let mut reader = CsvRows::new(zstd::Decoder::new(file).unwrap(), CsvLimits::default()).unwrap();
    let mut rows = LabelledRows::new(reader.columns().schema());
    let mut batch = RowBatch::new();
    while reader.read_batch(4096, &mut batch).unwrap() > 0 {
        for (values, label) in batch.rows().zip(&batch.labels) {
            rows.push(values, label.as_ref().unwrap().as_str());
        }
    }
    let laboratory = Laboratory::new(&rows);
    println!(
        "# Labels that lie\n\nPrinted by\n\n```sh\nTRIPLINE_DATA=../shared/data cargo run --release -p tripline-lifecycle --example poisoning > docs/poisoning.md\n```\n\n\
         KDDTrain+ in five parts: three are the original training data, one is the field whose flows are\n\
         labelled, one is measured on – half of it by the gate, the other half below. Three honest authors label\n\
         every tenth flow of the field. Dishonest ones add so many labels, as a share of the original rows.\n\
         *Targeted*: the most frequent attack is called harmless. *Backdoor*: attacks with a value that\n\
         hardly any row has (`urgent` = 3) are called harmless. *Used*: dishonest labels that were trained\n\
         on after curation. *Success*: of the attacks that the attacker wants to get through, the share that\n\
         was found before and passes the new version.\n\n\
         | labels of | share | authors | labels | used | gate | F1 before | F1 after | success | harm |\n\
         | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | --- |"
    );
    for (attack, share, authors) in [
        (Attack::None, 0.0, 1),
        (Attack::Targeted, 0.1, 1),
        (Attack::Targeted, 0.2, 1),
        (Attack::Targeted, 0.1, 20),
        (Attack::Backdoor, 0.1, 1),
        (Attack::Backdoor, 0.2, 1),
        (Attack::Backdoor, 0.1, 20),
        (Attack::Backdoor, 0.2, 100),
    ] {
        let outcome = laboratory.run(attack, share, authors);
        let refusal = outcome
            .gate
            .criteria
            .iter()
            .find(|criterion| !criterion.holds)
            .map_or_else(
                || "passes".to_owned(),
                |criterion| format!("refuses: {}", criterion.what),
            );
        println!(
            "| {attack:?} | {:.0} % | {authors} | {} | {} | {refusal} | {:.4} | {:.4} | {:.1} % | {} |",
            100.0 * share,
            outcome.labels,
            outcome.poisoned_used,
            outcome.clean.0,
            outcome.clean.1,
            100.0 * outcome.success,
            if outcome.is_harmless() {
                "none"
            } else {
                "**yes**"
            },
        );
    }
}
