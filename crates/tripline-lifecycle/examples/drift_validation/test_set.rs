//! The training data against the sealed test set.

use tripline_lifecycle::LabelledRows;

use crate::{
    estimates::{Looked, listed},
    laboratory::Laboratory,
};

pub(crate) fn print(laboratory: &Laboratory, test: &LabelledRows, looked: &Looked) {
    println!(
        "\n## KDDTrain+ against KDDTest+\n\n\
         KDDTest+ in the order of the file. No limit was chosen on it.\n\n\
         | rows | called drifted | columns named | unseen categories | most changed |\n| ---: | --- | ---: | --- | --- |"
    );
    let whole = laboratory.judge.look(test);
    for seen in looked.seen.iter().chain([&whole]) {
        let unseen: Vec<String> = seen
            .drift
            .columns
            .iter()
            .filter(|column| column.unseen > 0.0)
            .map(|column| format!("`{}` {:.2} %", column.feature, 100.0 * column.unseen))
            .collect();
        println!(
            "| {} | {} | {} | {} | {} |",
            seen.drift.rows,
            if seen.drift.has_drifted { "yes" } else { "no" },
            seen.drift.drifted.len(),
            if unseen.is_empty() {
                "none".to_owned()
            } else {
                unseen.join(", ")
            },
            listed(seen.drift.drifted.iter().take(5)),
        );
    }
    println!("\nThe columns of the whole file, the most changed first:\n");
    println!(
        "| column | PSI beyond chance | KS distance or χ² | adjusted p |\n| --- | ---: | ---: | ---: |"
    );
    let columns = whole.drift.columns.iter().chain(&whole.drift.score);
    for name in &whole.drift.drifted {
        if let Some(column) = columns.clone().find(|column| column.feature == *name) {
            println!(
                "| `{name}` | {:.3} | {:.3} | {} |",
                column.psi_beyond_chance.unwrap_or_default(),
                column.statistic.unwrap_or_default(),
                p_value(column.adjusted_p.unwrap_or_default()),
            );
        }
    }
}

/// What is smaller than the smallest number is not nothing.
fn p_value(p: f64) -> String {
    if p == 0.0 {
        "< 1e-300".to_owned()
    } else {
        format!("{p:.1e}")
    }
}
