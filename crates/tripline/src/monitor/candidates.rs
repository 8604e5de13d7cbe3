//! Lets a candidate judge what its champion judges.

use std::{sync::Arc, time::Instant};

use tripline_detect::{Model, ModelSet, Role, Scorer, Verdict};
use tripline_lifecycle::{
    class_of_label,
    promotion::{Judged, Policy, Said},
};

use super::{rows::MonitoredRow, state::CandidateWatch};

/// Two models of one role and schema, ready to judge the same rows.
#[derive(Debug)]
pub(super) struct Pair {
    champion: Scorer,
    candidate: Scorer,
    role: Role,
}

impl Pair {
    /// `None` when one of them cannot judge alone, or they are not of one kind.
    pub(super) fn new(champion: &Arc<Model>, candidate: &Arc<Model>) -> Option<Self> {
        let is_alike = champion.role() == candidate.role()
            && champion.schema().name() == candidate.schema().name()
            && champion.role() != Role::Namer;
        if !is_alike {
            return None;
        }
        Some(Self {
            role: champion.role(),
            champion: alone(champion)?,
            candidate: alone(candidate)?,
        })
    }

    /// Compares both on rows that the champion, or the candidate for it, has judged.
    pub(super) fn observe(
        &mut self,
        watch: &mut CandidateWatch,
        rows: &[&MonitoredRow],
        policy: &Policy,
    ) {
        if rows.is_empty() {
            return;
        }
        let (judged, nanos) = self.judge(rows);
        let each = rows.len() as f64;
        watch
            .comparison
            .time(nanos.0 / each, nanos.1 / each, rows.len() as u64);
        for (pair, row) in judged.into_iter().zip(rows) {
            watch
                .comparison
                .observe(&pair, row.micros, policy.max_alert_ratio);
        }
    }

    /// Compares both on a labelled row.
    pub(super) fn label(
        &mut self,
        watch: &mut CandidateWatch,
        row: &MonitoredRow,
        is_attack: bool,
        attack_type: Option<&str>,
        policy: &Policy,
    ) {
        let (mut judged, _) = self.judge(&[row]);
        let Some(mut judged) = judged.pop() else {
            return;
        };
        if self.role == Role::Detector {
            watch.comparison.label(&judged, is_attack, policy.margin);
            return;
        }
        // For a classifier, right is right: its class is the one of the label.
        let Some(class) = attack_type.and_then(|text| class_of_label(row.schema, text)) else {
            return;
        };
        let is_right = |scorer: &Scorer, said: &Said| {
            let classifier = scorer.pipeline().classifier()?;
            let classes = &classifier.manifest().classes;
            Some(classes.get(said.class? as usize)?.name == class)
        };
        judged.champion.is_threat = is_right(&self.champion, &judged.champion) == Some(true);
        judged.candidate.is_threat = is_right(&self.candidate, &judged.candidate) == Some(true);
        watch.comparison.label(&judged, true, policy.margin);
    }

    fn judge(&mut self, rows: &[&MonitoredRow]) -> (Vec<Judged>, (f64, f64)) {
        let values: Vec<f64> = rows
            .iter()
            .flat_map(|row| row.values.iter().copied())
            .collect();
        let started = Instant::now();
        let by_champion = self.champion.judge_rows(&values);
        let between = Instant::now();
        let by_candidate = self.candidate.judge_rows(&values);
        let nanos = (
            (between - started).as_nanos() as f64,
            between.elapsed().as_nanos() as f64,
        );
        let judged = by_champion
            .iter()
            .zip(&by_candidate)
            .zip(rows)
            .map(|((champion, candidate), row)| Judged {
                row: row.hash(),
                champion: said(&self.champion, champion),
                candidate: said(&self.candidate, candidate),
            })
            .collect();
        (judged, nanos)
    }
}

fn alone(model: &Arc<Model>) -> Option<Scorer> {
    let set = ModelSet::new(vec![Arc::clone(model)]).ok()?;
    let manifest = model.manifest();
    let wanted = [(
        manifest.role,
        manifest.name.as_str(),
        manifest.version.as_str(),
    )];
    Some(Scorer::new(set.pipeline_of(model.schema(), &wanted)?, 0))
}

fn said(scorer: &Scorer, verdict: &Verdict) -> Said {
    if let Some(threat) = verdict.threat {
        return Said {
            probability: threat.probability,
            is_threat: threat.is_threat,
            class: None,
        };
    }
    let attack = verdict.attack;
    let is_attack = attack.and_then(|attack| {
        let classifier = scorer.pipeline().classifier()?;
        let class = classifier.manifest().classes.get(attack.class)?;
        Some(!class.benign)
    });
    Said {
        probability: attack.map_or(f64::NAN, |attack| attack.confidence),
        is_threat: is_attack == Some(true),
        class: attack.map(|attack| attack.class as u32),
    }
}
