//! How large a shift has to be to be found.

use tripline_forest::{SplitMix64, gbdt::GbdtParams};
use tripline_lifecycle::{
    LabelledRows, Learner,
    recipe::{DetectorRecipe, FeatureChoice, ThresholdRule},
};

use crate::{
    laboratory::{Judge, Laboratory, SEED, names_all, recipe},
    scenarios::{Change, normal},
};

/// Windows per point.
const WINDOWS: usize = 40;
/// Rows of the windows.
const SIZES: [usize; 3] = [500, 1000, 5000];

pub(crate) fn print(laboratory: &Laboratory) {
    println!(
        "\n## Detection curves\n\n\
         Share of {WINDOWS} windows in which the changed feature is named. First a smooth column: normal numbers,\n\
         to which so many standard deviations are added. A shift of 0.3 standard deviations is a PSI of 0.09;\n\
         the rules ask for 0.1, so that the curve rises there and not where significance begins.\n"
    );
    smooth();
    println!(
        "\nThen columns of KDDTrain+, where many rows share a value: a shift moves them all at once. Values stay\n\
         within the bounds of the feature and whole where it counts something, as the reader asks for, and a\n\
         column that has its largest value in most rows cannot rise.\n"
    );
    let offset = |feature: &'static str| {
        move |deviations: f64| Change::Shift {
            feature,
            deviations,
        }
    };
    let sizes = [-0.5, -0.1, -0.05, -0.02, 0.02, 0.05, 0.1, 0.5];
    for feature in [
        "count",
        "same_srv_rate",
        "dst_host_srv_count",
        "dst_host_same_srv_rate",
    ] {
        curve(
            laboratory,
            &format!("s.d. added to `{feature}`"),
            &sizes,
            offset(feature),
        );
    }
    curve(
        laboratory,
        "share of rows with +1 s.d. on `count`",
        &[0.02, 0.05, 0.1, 0.2, 0.5],
        |rows| Change::Offset {
            deviations: 1.0,
            features: 1,
            rows,
        },
    );
    curve(
        laboratory,
        "share of `count` missing",
        &[0.02, 0.05, 0.1, 0.2, 0.5],
        |share| Change::Missing { share, features: 1 },
    );
    curve(
        laboratory,
        "share of rows with a new `service`",
        &[0.002, 0.005, 0.01, 0.02, 0.05],
        Change::NewCategory,
    );
    curve(
        laboratory,
        "share of attacks (0.465 in training), the model's score named",
        &[0.1, 0.2, 0.3, 0.4, 0.465, 0.5, 0.6, 0.7, 0.8],
        Change::Attacks,
    );
}

fn head(what: &str, sizes: &[f64]) {
    print!("| {what} |");
    for size in sizes {
        print!(" {size} |");
    }
    println!("\n| --- |{}", " ---: |".repeat(sizes.len()));
}

fn curve(laboratory: &Laboratory, what: &str, sizes: &[f64], change: impl Fn(f64) -> Change) {
    head(what, sizes);
    for rows in SIZES {
        print!("| {rows} rows |");
        for (index, size) in sizes.iter().enumerate() {
            let change = change(*size);
            let mut wanted = change.features();
            if wanted.is_empty() {
                wanted.push("score");
            }
            let mut random = SplitMix64::for_part(SEED, (1000 * rows + index) as u64);
            let found = (0..WINDOWS).filter(|_| {
                let window = change.window(laboratory, &mut random, rows);
                let said = laboratory.judge.say(&window);
                names_all(&laboratory.judge.drift(&window, &said), &wanted)
            });
            print!(" {:.0} % |", 100.0 * found.count() as f64 / WINDOWS as f64);
        }
        println!();
    }
    println!();
}

/// Normal numbers in one column.
fn smooth() {
    const COLUMN: &str = "src_bytes";
    let schema = tripline_features::nsl_kdd();
    let column = schema.index_of(COLUMN).unwrap();
    let draw = |random: &mut SplitMix64, rows: usize, shift: f64| {
        let mut drawn = LabelledRows::new(schema);
        for row in 0..rows {
            let mut values = vec![0.0; schema.len()];
            values[column] = (1e6 + 1e5 * (normal(random) + shift)).round();
            drawn.push(&values, if row % 2 == 0 { "normal" } else { "anomaly" });
        }
        drawn
    };
    let recipe = DetectorRecipe {
        features: FeatureChoice::named(&[COLUMN]),
        learner: Learner::Gbdt(GbdtParams {
            rounds: 2,
            ..GbdtParams::default()
        }),
        background: None,
        threshold: ThresholdRule::Score(0.5),
        ..recipe()
    };
    let mut random = SplitMix64::new(SEED);
    let judge = Judge::train_by(&recipe, &draw(&mut random, 50_000, 0.0));
    let sizes = [0.0, 0.05, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 1.0];
    head("s.d. added to a smooth column", &sizes);
    let mut largest = Vec::new();
    for rows in SIZES {
        print!("| {rows} rows |");
        largest.clear();
        for size in sizes {
            let found = (0..WINDOWS).filter(|_| {
                let window = draw(&mut random, rows, size);
                let said = judge.say(&window);
                names_all(&judge.drift(&window, &said), &[COLUMN])
            });
            let share = 100.0 * found.count() as f64 / WINDOWS as f64;
            print!(" {share:.0} % |");
            largest.push(format!("{share:.0}"));
        }
        println!();
    }
    println!(
        "\n```mermaid\nxychart-beta\n    title \"Windows of 5000 rows in which the shift is found\"\n    \
         x-axis \"standard deviations added\" [{}]\n    y-axis \"%\" 0 --> 100\n    line [{}]\n```",
        sizes.map(|size| size.to_string()).join(", "),
        largest.join(", "),
    );
}
