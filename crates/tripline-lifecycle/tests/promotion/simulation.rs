//! Traffic that two models judge: attacks at some rate, errors that the two have in common, labels
//! for some of the rows. Everything comes from the seed.

use tripline_lifecycle::promotion::{
    Comparison, Decision, Judged, Place, Policy, Said, decide, goes_to_canary,
};

/// What the traffic and the models are like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    /// Flows of a whole run.
    pub(crate) flows: u64,
    /// Share of attacks.
    pub(crate) attacks: f64,
    /// Share of flows that get a label.
    pub(crate) labelled: f64,
    /// Recall and false positive rate of the model that judges.
    pub(crate) champion: (f64, f64),
    /// Those of the candidate.
    pub(crate) candidate: (f64, f64),
    /// Share of flows on which the candidate does what the champion does, as far as its rates allow.
    pub(crate) common: f64,
    /// Labels come so many flows later.
    pub(crate) delay: usize,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Outcome {
    /// Promoted after so many labels.
    Promoted { labels: u64 },
    /// Given up after so many labels, when the candidate had judged this share of all flows.
    GivenUp { labels: u64, judged: f64 },
    /// Neither by the end.
    Undecided,
}

/// F1 of a model with these rates.
pub(crate) fn f1(attacks: f64, (recall, false_positives): (f64, f64)) -> f64 {
    let found = attacks * recall;
    2.0 * found / (attacks + found + (1.0 - attacks) * false_positives)
}

/// A model like this one whose F1 is so many points better, by its recall.
pub(crate) fn better_by(attacks: f64, model: (f64, f64), points: f64) -> (f64, f64) {
    let wanted = f1(attacks, model) + points;
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if f1(attacks, (middle, model.1)) < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low, model.1)
}

struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((value ^ value >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// One run. It begins with this share of the flows (0: in shadow) and is looked at after each label.
pub(crate) fn run(world: &World, policy: &Policy, share: f64, seed: u64) -> Outcome {
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut comparison = Comparison::default();
    let mut place = Place {
        share,
        since_micros: 0,
        rows_then: 0,
    };
    let (mut judged_by_candidate, mut waiting) = (0_u64, std::collections::VecDeque::new());
    for flow in 0..world.flows {
        let is_attack = random.unit() < world.attacks;
        let rate = |(recall, false_positives): (f64, f64)| {
            if is_attack { recall } else { false_positives }
        };
        // The same draw for both is as much in common as two rates allow.
        let draw = random.unit();
        let champion = draw < rate(world.champion);
        let other = if random.unit() < world.common {
            draw
        } else {
            random.unit()
        };
        let candidate = other < rate(world.candidate);
        let said = |is_threat: bool| Said {
            probability: if is_threat { 0.9 } else { 0.1 },
            is_threat,
            class: None,
        };
        let judged = Judged {
            row: flow,
            champion: said(champion),
            candidate: said(candidate),
        };
        // A second for each flow.
        let now = flow as i64 * 1_000_000;
        if place.share > 0.0 && goes_to_canary(&[9; 16], &flow.to_le_bytes(), place.share) {
            judged_by_candidate += 1;
        }
        // Alerts are compared on some of the flows, as a server with little time does.
        if flow % 8 == 0 {
            comparison.observe(&judged, now, policy.max_alert_ratio);
        }
        if random.unit() < world.labelled {
            waiting.push_back((judged, is_attack));
        }
        if waiting.len() <= world.delay {
            continue;
        }
        let Some((judged, is_attack)) = waiting.pop_front() else {
            continue;
        };
        comparison.label(&judged, is_attack, policy.margin);
        let labels = comparison.labels();
        match decide(&comparison, policy, place, now) {
            Decision::Stay { .. } => {}
            Decision::GiveUp { .. } => {
                let judged = judged_by_candidate as f64 / world.flows as f64;
                return Outcome::GivenUp { labels, judged };
            }
            Decision::GoOn { share, .. } if share >= 1.0 => return Outcome::Promoted { labels },
            Decision::GoOn { share, .. } => {
                place = Place {
                    share,
                    since_micros: now,
                    rows_then: comparison.rows(),
                };
            }
        }
    }
    Outcome::Undecided
}

/// A network with a usual detector.
pub(crate) fn usual() -> World {
    World {
        flows: 1_000_000,
        attacks: 0.1,
        labelled: 0.01,
        champion: (0.90, 0.01),
        candidate: (0.90, 0.01),
        common: 0.8,
        delay: 0,
    }
}

/// A policy without waiting, so that only the evidence decides.
pub(crate) fn impatient() -> Policy {
    Policy {
        min_rows: 0,
        min_micros: 0,
        ..Policy::default()
    }
}
