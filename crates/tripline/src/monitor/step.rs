//! One step: what has come in since the last one, and what follows from it, committed together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tripline_detect::{Model, Role};
use tripline_lifecycle::{
    drift::{Baseline, DriftReport},
    promotion::{Comparison, Decision, Mode, Place, decide},
};
use tripline_store::{
    Backend, Cursor, LabelFilter, LabelId, LabelState, Model as Version, ModelFilter, ModelId,
    ModelStage, Order, Record, StoreError, StoredVerdict, Timestamp, VerdictFilter, Write,
};

use super::{
    ACTOR, DRIFT, ESTIMATE, INTERVAL, KEEP, LEASE, LEASE_NAME, PERFORMANCE, Rules, TASK,
    candidates::Pair,
    rows::MonitoredRow,
    state::{CandidateWatch, ModelWatch, MonitorState},
};
use crate::registry::{Models, RegistryError};

/// Rows read at a time.
const PAGE_ROWS: usize = 1000;
/// Labels read in a step.
const LABELS: usize = 1000;
/// Verdicts younger than this are left for later: another writer may still add older ones.
const LAG: Duration = Duration::from_secs(2);
/// When the watching is so far behind, it goes on with what is new.
const MAX_BEHIND: Duration = Duration::from_mins(10);
/// How often old records are deleted.
const TRIM_EVERY: Duration = Duration::from_hours(1);

/// What watches the models, step by step. Its memory between steps can be lost: everything that has to
/// last is in the store.
#[derive(Debug)]
pub struct Work {
    store: Arc<dyn Backend>,
    models: Arc<Models>,
    clock: fn() -> Timestamp,
    baselines: BTreeMap<ModelId, Option<Arc<Baseline>>>,
    trimmed: Option<Instant>,
    /// Models whose last window has drifted: the log tells when that begins and ends.
    drifted: BTreeSet<ModelId>,
}

/// What a step has found.
struct Found {
    records: Vec<Record>,
    /// Candidates with what becomes of them.
    decided: Vec<(ModelId, Decision)>,
}

impl Work {
    /// Watches the models of a store.
    pub fn new(store: Arc<dyn Backend>, models: Arc<Models>, clock: fn() -> Timestamp) -> Self {
        Self {
            store,
            models,
            clock,
            baselines: BTreeMap::new(),
            trimmed: None,
            drifted: BTreeSet::new(),
        }
    }

    pub(super) fn release(&self, holder: &str) {
        // It ends by itself soon.
        let _ = self.store.release_lease(LEASE_NAME, holder);
    }

    /// One step, if this process is the one that watches.
    pub fn turn(&mut self, holder: &str) -> Result<(), RegistryError> {
        let now = (self.clock)();
        let until = Timestamp(now.0 + LEASE.as_micros() as i64);
        if !self.store.take_lease(LEASE_NAME, holder, now, until)? {
            return Ok(());
        }
        if self
            .trimmed
            .is_none_or(|trimmed| trimmed.elapsed() >= TRIM_EVERY)
        {
            self.trimmed = Some(Instant::now());
            let before = Timestamp(now.0 - KEEP.as_micros() as i64);
            self.store.trim_records(before)?;
        }
        match self.step(now) {
            // Somebody has changed a stage or a rule meanwhile: the next step sees it.
            Err(RegistryError::Store(StoreError::Conflict { .. })) => Ok(()),
            outcome => outcome,
        }
    }

    fn step(&mut self, now: Timestamp) -> Result<(), RegistryError> {
        let rules = Rules::read(&*self.store)?;
        let task = self.store.task(TASK)?;
        let mut state = MonitorState::read(task.as_ref());
        let before = state.clone();
        let mut pairs = self.follow_candidates(&mut state, &rules, now)?;
        let mut found = Found {
            records: Vec::new(),
            decided: Vec::new(),
        };
        self.read_verdicts(&mut state, &mut pairs, &rules, &mut found, now)?;
        self.read_labels(&mut state, &mut pairs, &rules, &mut found, now)?;
        for (id, watch) in &mut state.candidates {
            let decision = decide(&watch.comparison, &rules.promotion, watch.place, now.0);
            let acts = match &decision {
                Decision::Stay { .. } => false,
                Decision::GiveUp { .. } => true,
                Decision::GoOn { .. } => {
                    rules.promotion.mode == Mode::Automatic && !watch.on_probation
                }
            };
            if acts && let Ok(id) = id.parse() {
                found.decided.push((id, decision.clone()));
            }
            watch.recommends = Some(decision);
        }
        state.bound();
        if state == before && found.records.is_empty() && found.decided.is_empty() {
            return Ok(());
        }
        self.commit(&state, task.map(|task| task.revision), &found, now)
    }

    /// Which versions are compared with which, by their stages now.
    fn follow_candidates(
        &self,
        state: &mut MonitorState,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<BTreeMap<String, Pair>, RegistryError> {
        let versions = self.store.models(&ModelFilter::default())?;
        let mut wanted: BTreeMap<String, (&Version, ModelId, bool)> = BTreeMap::new();
        for version in &versions {
            let on_probation = match version.stage {
                ModelStage::Shadow | ModelStage::Canary => false,
                ModelStage::Active
                    if now.0 - version.stage_changed_at.0 < rules.probation_micros =>
                {
                    true
                }
                _ => continue,
            };
            let champion = if on_probation {
                self.models.predecessor_of(version)?
            } else {
                versions
                    .iter()
                    .find(|other| other.stage == ModelStage::Active && other.competes(version))
                    .map(|other| other.model.id)
            };
            if let Some(champion) = champion {
                wanted.insert(
                    version.model.id.to_string(),
                    (version, champion, on_probation),
                );
            }
        }
        state.candidates.retain(|id, watch| {
            wanted.get(id).is_some_and(|(_, champion, on_probation)| {
                watch.champion == champion.to_string() && watch.on_probation == *on_probation
            })
        });
        let shares = self.models.canary_shares()?;
        let mut pairs = BTreeMap::new();
        for (id, (version, champion, on_probation)) in wanted {
            let share = match version.stage {
                ModelStage::Active => 1.0,
                ModelStage::Canary => shares
                    .iter()
                    .find(|(canary, _)| *canary == version.model.id)
                    .map_or(0.0, |(_, share)| *share),
                _ => 0.0,
            };
            let watch = state
                .candidates
                .entry(id.clone())
                .or_insert_with(|| CandidateWatch {
                    champion: champion.to_string(),
                    on_probation,
                    comparison: Comparison::default(),
                    place: Place {
                        share,
                        since_micros: now.0,
                        rows_then: 0,
                    },
                    recommends: None,
                });
            if (watch.place.share - share).abs() > f64::EPSILON {
                watch.place = Place {
                    share,
                    since_micros: now.0,
                    rows_then: watch.comparison.rows(),
                };
            }
            let candidate = self.models.load(version);
            let champion = self
                .models
                .version(champion)
                .and_then(|version| self.models.load(&version));
            if let (Ok(champion), Ok(candidate)) = (champion, candidate)
                && let Some(pair) = Pair::new(&champion, &candidate)
            {
                pairs.insert(id, pair);
            }
        }
        Ok(pairs)
    }

    fn read_verdicts(
        &mut self,
        state: &mut MonitorState,
        pairs: &mut BTreeMap<String, Pair>,
        rules: &Rules,
        found: &mut Found,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        let budget = INTERVAL.mul_f64(rules.processor_share);
        let started = Instant::now();
        let to = Timestamp(now.0 - LAG.as_micros() as i64);
        let mut filter = VerdictFilter {
            created_to: Some(to),
            order: Order::OldestFirst,
            cursor: state
                .cursor
                .as_ref()
                .and_then(|text| text.parse::<Cursor>().ok()),
            ..VerdictFilter::default()
        };
        self.catch_up(state, &mut filter, now)?;
        while started.elapsed() < budget {
            let page = self.store.list(&filter, PAGE_ROWS)?;
            let Some(last) = page.verdicts.last() else {
                break;
            };
            state.cursor = Some(last.cursor().to_string());
            filter.cursor = Some(last.cursor());
            filter.created_from = None;
            self.take_page(state, pairs, rules, found, &page.verdicts);
            if page.next.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// A watching that is far behind goes on with what is new, and counts what it leaves out.
    fn catch_up(
        &self,
        state: &mut MonitorState,
        filter: &mut VerdictFilter,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        let next = self.store.list(filter, 1)?;
        let Some(first) = next.verdicts.first() else {
            return Ok(());
        };
        let recent = Timestamp(now.0 - MAX_BEHIND.as_micros() as i64);
        // The first time there is nothing to have fallen behind with: what is stored is read.
        if state.cursor.is_none() || first.created_at >= recent {
            return Ok(());
        }
        let skipped = VerdictFilter {
            created_from: Some(first.created_at),
            created_to: Some(recent),
            ..VerdictFilter::default()
        };
        let behind = self.store.count(&VerdictFilter {
            created_from: Some(recent),
            ..VerdictFilter::default()
        })?;
        // Old rows with nothing new behind them are read: there is time for them.
        if behind == 0 {
            return Ok(());
        }
        state.rows_skipped += self.store.count(&skipped)?;
        filter.cursor = None;
        filter.created_from = Some(recent);
        Ok(())
    }

    fn take_page(
        &mut self,
        state: &mut MonitorState,
        pairs: &mut BTreeMap<String, Pair>,
        rules: &Rules,
        found: &mut Found,
        verdicts: &[StoredVerdict],
    ) {
        let mut rows = Vec::with_capacity(verdicts.len());
        for verdict in verdicts {
            state.rows_read += 1;
            match MonitoredRow::of(verdict) {
                Some(row) => rows.push(row),
                None => state.rows_unknown += 1,
            }
        }
        for row in &rows {
            self.take_row(state, rules, found, row);
        }
        for (id, pair) in pairs {
            let Some(watch) = state.candidates.get_mut(id) else {
                continue;
            };
            let its: Vec<&MonitoredRow> = rows
                .iter()
                .filter(|row| row.is_by(&[&watch.champion, id]))
                .collect();
            pair.observe(watch, &its, &rules.promotion);
        }
    }

    fn take_row(
        &mut self,
        state: &mut MonitorState,
        rules: &Rules,
        found: &mut Found,
        row: &MonitoredRow,
    ) {
        // The classifier behind a detector speaks of threats only, and was trained on all rows: its
        // features are watched on all of them, its confidence where it is asked about each.
        let confidence = row.class.as_ref().map(|(_, confidence)| *confidence);
        let said = [
            (row.detector, row.probability),
            (
                row.classifier,
                confidence.filter(|_| row.detector.is_none()),
            ),
        ];
        for (model, probability) in said {
            let Some(model) = model else {
                continue;
            };
            let Some(baseline) = self.baseline(model) else {
                continue;
            };
            let watch = watch_of(state, model, &baseline);
            watch.last_micros = watch.last_micros.max(row.micros);
            watch
                .window
                .observe(&baseline, &row.values, probability, row.micros);
            if row.detector == Some(model)
                && let (Some(probability), Some(is_threat)) = (probability, row.is_threat)
            {
                watch.estimate.observe(probability, is_threat);
            }
            if watch.window.is_full(&rules.drift) {
                let (report, records) = close_window(watch, model, &baseline, rules);
                found.records.extend(records);
                if report.has_drifted && self.drifted.insert(model) {
                    let features = report.drifted.join(", ");
                    tracing::warn!(%model, features, "what a model sees has drifted");
                } else if !report.has_drifted && self.drifted.remove(&model) {
                    tracing::info!(%model, "what a model sees is again as in training");
                }
            }
        }
    }

    fn read_labels(
        &mut self,
        state: &mut MonitorState,
        pairs: &mut BTreeMap<String, Pair>,
        rules: &Rules,
        found: &mut Found,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        let filter = LabelFilter {
            state: Some(LabelState::Accepted),
            after: Some(LabelId(state.labels_after)),
            ..LabelFilter::default()
        };
        let page = self.store.labels(&filter, LABELS)?;
        for label in &page.labels {
            state.labels_after = label.id.0;
            let Some(row) = MonitoredRow::labelled(label) else {
                continue;
            };
            let said = &label.label;
            if let (Some(model), Some(probability), Some(called)) =
                (row.detector, row.probability, row.is_threat)
                && let Some(baseline) = self.baseline(model)
            {
                let watch = watch_of(state, model, &baseline);
                watch
                    .rolling
                    .observe(probability, called, said.is_attack, row.micros);
                let error = f64::from(u8::from(called != said.is_attack));
                if watch.errors.observe(error) {
                    tracing::warn!(model = %model, rate = watch.errors.mean(), "the error rate of a model has changed");
                }
                watch.has_news = true;
            }
            for (id, pair) in &mut *pairs {
                // What models of other rows were told is no evidence for these.
                if let Some(watch) = state.candidates.get_mut(id)
                    && row.is_by(&[&watch.champion, id])
                {
                    pair.label(
                        watch,
                        &row,
                        said.is_attack,
                        said.attack_type.as_deref(),
                        &rules.promotion,
                    );
                }
            }
        }
        for (id, watch) in &mut state.models {
            if std::mem::take(&mut watch.has_news) {
                let value = json!({
                    "measured": watch.rolling.measure(),
                    "error_rate": watch.errors.mean(),
                    "changes": watch.errors.changes(),
                });
                found.records.push(Record {
                    kind: PERFORMANCE.to_owned(),
                    subject: id.clone(),
                    at: now,
                    value: value.to_string(),
                });
            }
        }
        Ok(())
    }

    fn baseline(&mut self, id: ModelId) -> Option<Arc<Baseline>> {
        if let Some(known) = self.baselines.get(&id) {
            return known.clone();
        }
        let model: Option<Arc<Model>> = self
            .models
            .version(id)
            .and_then(|version| self.models.load(&version))
            .ok()
            .filter(|model| model.role() != Role::Namer);
        let baseline = model.map(|model| Arc::new(Baseline::of(&model)));
        self.baselines.insert(id, baseline.clone());
        baseline
    }

    fn commit(
        &self,
        state: &MonitorState,
        expected: Option<u64>,
        found: &Found,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        let text = serde_json::to_string(state).unwrap_or_default();
        let mut writes = vec![Write::Task {
            key: TASK,
            value: Some(&text),
            expected,
        }];
        writes.extend(found.records.iter().map(Write::Record));
        if found.decided.is_empty() {
            return self.models.commit(ACTOR, now, writes);
        }
        self.models
            .carry_out(ACTOR, now, writes, &found.decided, |id| {
                let watch = state.candidates.get(&id.to_string());
                watch.map_or_else(String::new, |watch| figures(watch).to_string())
            })
    }
}

/// What stands in the history beside a decision.
pub(crate) fn figures(watch: &CandidateWatch) -> serde_json::Value {
    let comparison = &watch.comparison;
    let (better, worse, alerts) = comparison.wealth();
    let (champion_alerts, candidate_alerts) = comparison.alerts();
    let (champion_p50, candidate_p50) = comparison.latency_nanos(0.5);
    let (champion_p99, candidate_p99) = comparison.latency_nanos(0.99);
    json!({
        "champion_id": watch.champion,
        "on_probation": watch.on_probation,
        "share": watch.place.share,
        "rows": comparison.rows(),
        "agreement": comparison.agreement(),
        "class_agreement": comparison.class_agreement(),
        "champion_alerts": champion_alerts,
        "candidate_alerts": candidate_alerts,
        "alert_ratio": comparison.alert_ratio(),
        "labels": comparison.labels(),
        "different_labels": comparison.evidence(),
        "champion": comparison.champion(),
        "candidate": comparison.candidate(),
        "f1_difference": comparison.f1_difference(),
        "evidence": { "better": better, "worse": worse, "too_many_alerts": alerts },
        "latency_nanos": {
            "champion_p50": champion_p50, "candidate_p50": candidate_p50,
            "champion_p99": champion_p99, "candidate_p99": candidate_p99,
        },
        "differences": comparison.differences(),
        "recommends": watch.recommends,
    })
}

fn watch_of<'a>(
    state: &'a mut MonitorState,
    model: ModelId,
    baseline: &Baseline,
) -> &'a mut ModelWatch {
    let watch = state
        .models
        .entry(model.to_string())
        .or_insert_with(|| ModelWatch::new(baseline));
    // A state of an earlier version begins anew.
    if watch.window.check(baseline).is_err() {
        *watch = ModelWatch::new(baseline);
    }
    watch
}

/// Evaluates a full window and begins the next one.
fn close_window(
    watch: &mut ModelWatch,
    model: ModelId,
    baseline: &Baseline,
    rules: &Rules,
) -> (DriftReport, Vec<Record>) {
    let report = watch.window.report(baseline, &rules.drift);
    let estimated = watch.estimate.estimate(&report, &rules.estimate);
    let at = Timestamp(report.last_micros.unwrap_or_default());
    let record = |kind: &str, value: String| Record {
        kind: kind.to_owned(),
        subject: model.to_string(),
        at,
        value,
    };
    let mut records = vec![record(
        DRIFT,
        serde_json::to_string(&report).unwrap_or_default(),
    )];
    // Only a detector's probabilities say how often it is right about threats.
    if !watch.estimate.is_empty() {
        records.push(record(
            ESTIMATE,
            serde_json::to_string(&estimated).unwrap_or_default(),
        ));
    }
    watch.window = tripline_lifecycle::drift::Window::new(baseline);
    watch.estimate = tripline_lifecycle::performance::Estimate::default();
    (report, records)
}
