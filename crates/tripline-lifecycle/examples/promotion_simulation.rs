//! Prints `docs/promotion.md`: what becomes of candidates in simulated traffic.

#![allow(missing_docs, clippy::print_stdout, reason = "it prints a document")]

#[path = "../tests/promotion/simulation.rs"]
mod simulation;

use simulation::{Outcome, World, better_by, f1, impatient, run, usual};

struct Tally {
    promoted: Vec<u64>,
    given_up: Vec<(u64, f64)>,
    undecided: usize,
    runs: usize,
}

fn many(world: &World, share: f64, runs: u64) -> Tally {
    let mut tally = Tally {
        promoted: Vec::new(),
        given_up: Vec::new(),
        undecided: 0,
        runs: runs as usize,
    };
    for seed in 0..runs {
        match run(world, &impatient(), share, seed + 10_000) {
            Outcome::Promoted { labels } => tally.promoted.push(labels),
            Outcome::GivenUp { labels, judged } => tally.given_up.push((labels, judged)),
            Outcome::Undecided => tally.undecided += 1,
        }
    }
    tally.promoted.sort_unstable();
    tally
        .given_up
        .sort_unstable_by(|one, other| one.1.total_cmp(&other.1));
    tally
}

fn quartiles(sorted: &[u64]) -> String {
    match sorted.len() {
        0 => "–".to_owned(),
        length => {
            let at = |share: f64| sorted[((length - 1) as f64 * share).round() as usize];
            format!("{} ({} to {})", at(0.5), at(0.25), at(0.75))
        }
    }
}

fn row(name: &str, world: &World, share: f64, runs: u64) {
    let tally = many(world, share, runs);
    let mut labels: Vec<u64> = tally.given_up.iter().map(|(labels, _)| *labels).collect();
    labels.sort_unstable();
    let judged = |at: usize| tally.given_up.get(at).map_or(0.0, |(_, judged)| *judged);
    let (middle, worst) = (
        judged(tally.given_up.len() / 2),
        judged(tally.given_up.len().saturating_sub(1)),
    );
    let percent = |count: usize| 100.0 * count as f64 / tally.runs as f64;
    println!(
        "| {name} | {:+.1} | {:.1} % | {} | {:.1} % | {} | {:.2} % / {:.2} % | {:.1} % |",
        100.0 * (f1(world.attacks, world.candidate) - f1(world.attacks, world.champion)),
        percent(tally.promoted.len()),
        quartiles(&tally.promoted),
        percent(tally.given_up.len()),
        quartiles(&labels),
        100.0 * middle,
        100.0 * worst,
        percent(tally.undecided),
    );
}

fn main() {
    let base = usual();
    println!(
        "# Candidates in simulated traffic\n\n\
         Printed by\n\n```sh\ncargo run --release -p tripline-lifecycle --example promotion_simulation > docs/promotion.md\n```\n\n\
         A run is {} flows, of which {:.0} % are attacks; the model that judges finds {:.0} % of them and calls\n\
         {:.0} % of the others a threat (F1 {:.3}); the two models share {:.0} % of their luck. Evidence is looked at\n\
         after every label, at `alpha` 0.05, without waiting times. *Labels*: median and quartiles of the\n\
         labels it took. *Judged*: the share of all flows of the run that the candidate had judged when it\n\
         was given up, in the median and in the worst run. In shadow it judges none.\n",
        base.flows,
        100.0 * base.attacks,
        100.0 * base.champion.0,
        100.0 * base.champion.1,
        f1(base.attacks, base.champion),
        100.0 * base.common,
    );
    println!(
        "| candidate | points of F1 | promoted | labels | given up | labels | judged, median / worst | undecided |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    let points = |points: f64, world: World| World {
        candidate: better_by(world.attacks, world.champion, points),
        ..world
    };
    let often = World {
        flows: 50_000,
        labelled: 0.1,
        ..base
    };
    row(
        "equal, 1,000 runs of 50,000 flows, 10 % labelled, in shadow",
        &often,
        0.0,
        1000,
    );
    row("equal, the same as a canary of 5 %", &often, 0.05, 1000);
    let noisier = World {
        common: 0.0,
        ..often
    };
    row("equal, nothing in common", &noisier, 0.0, 1000);
    row(
        "5 points worse, 1 % labelled, in shadow",
        &points(-0.05, base),
        0.0,
        40,
    );
    row(
        "5 points worse, 1 % labelled, canary of 1 %",
        &points(-0.05, base),
        0.01,
        40,
    );
    let many_labels = World {
        labelled: 0.1,
        ..base
    };
    row(
        "5 points worse, 10 % labelled, canary of 5 %",
        &points(-0.05, many_labels),
        0.05,
        40,
    );
    row(
        "2 points worse, 10 % labelled, canary of 1 %",
        &points(-0.02, many_labels),
        0.01,
        40,
    );
    row(
        "2 points better, 10 % labelled, in shadow",
        &points(0.02, many_labels),
        0.0,
        100,
    );
    row(
        "2 points better, 1 % labelled",
        &points(0.02, base),
        0.0,
        40,
    );
    let few = World {
        labelled: 0.001,
        ..base
    };
    row(
        "2 points better, 0.1 % labelled",
        &points(0.02, few),
        0.0,
        40,
    );
    row(
        "1 point better, 10 % labelled",
        &points(0.01, many_labels),
        0.0,
        40,
    );
    let late = World {
        delay: 500,
        ..many_labels
    };
    row(
        "2 points better, labels 500 labels late",
        &points(0.02, late),
        0.0,
        40,
    );
    let rare = World {
        attacks: 0.05,
        ..many_labels
    };
    row("2 points better, 5 % attacks", &points(0.02, rare), 0.0, 40);
    let usual_attacks = World {
        attacks: 0.2,
        ..many_labels
    };
    row(
        "2 points better, 20 % attacks",
        &points(0.02, usual_attacks),
        0.0,
        40,
    );
    println!(
        "\nThe median number of labels after which a model two points better is promoted is the one in the\n\
         line \"2 points better, 10 % labelled, in shadow\". Where labels are rare, a run of this length can\n\
         end undecided: then nothing changes, and a person may decide."
    );
}
