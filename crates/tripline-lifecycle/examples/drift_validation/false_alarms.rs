//! How often windows of the same traffic are called drifted.

use tripline_forest::SplitMix64;
use tripline_lifecycle::LabelledRows;

use crate::{
    laboratory::{Laboratory, SEED, Said},
    scenarios::{bursts, without_replacement},
};

/// Windows that are drawn per line.
const DRAWN: usize = 400;

pub(crate) fn print(laboratory: &Laboratory) {
    println!(
        "## False alarms\n\n\
         Windows of KDDTrain+ against the baseline of KDDTrain+. *Effective*: as how many independent rows\n\
         they count. In a burst all rows have one label, that of a random row; a window of 500 rows in\n\
         bursts of 100 holds five, and is not the same traffic any more.\n\n\
         | rows | order | rows a window | windows | called drifted | share | effective |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: |"
    );
    let train_said = laboratory.judge.say(&laboratory.train);
    let field_said = laboratory.judge.say(&laboratory.field);
    let (train, field) = (&laboratory.train, &laboratory.field);
    let sizes = [500, 1000, 5000];
    for (name, rows, said) in [
        ("trained on", train, &train_said),
        ("not trained on", field, &field_said),
    ] {
        for size in sizes {
            let windows = (0..rows.len() / size).map(|at| (at * size..(at + 1) * size).collect());
            line(
                laboratory,
                (name, "as in the file"),
                (rows, said),
                size,
                windows,
            );
        }
    }
    for size in sizes {
        let mut random = SplitMix64::for_part(SEED, size as u64);
        let windows = (0..DRAWN).map(|_| without_replacement(field.len(), &mut random, size));
        line(
            laboratory,
            ("not trained on", "drawn"),
            (field, &field_said),
            size,
            windows,
        );
    }
    for length in [10, 30, 100, 300] {
        for size in sizes {
            let mut random = SplitMix64::for_part(SEED, (length * size) as u64);
            let windows = (0..DRAWN).map(|_| bursts(field, &mut random, size, length));
            let order = format!("in bursts of {length}");
            line(
                laboratory,
                ("not trained on", &order),
                (field, &field_said),
                size,
                windows,
            );
        }
    }
}

fn line(
    laboratory: &Laboratory,
    (name, order): (&str, &str),
    (rows, said): (&LabelledRows, &Said),
    size: usize,
    windows: impl Iterator<Item = Vec<usize>>,
) {
    let (mut count, mut alarms, mut effective) = (0, 0, 0.0);
    for window in windows {
        let said: Said = window.iter().map(|row| said[*row]).collect();
        let report = laboratory.judge.drift(&rows.select(&window), &said);
        count += 1;
        alarms += usize::from(report.has_drifted);
        effective += report.effective_rows;
    }
    println!(
        "| {name} | {order} | {size} | {count} | {alarms} | {:.1} % | {:.0} |",
        100.0 * f64::from(alarms as u32) / f64::from(count),
        effective / f64::from(count),
    );
}
