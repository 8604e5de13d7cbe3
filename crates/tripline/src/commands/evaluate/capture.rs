//! Judges a labelled capture: the labels are a CSV as `tripline generate --labels` writes it.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tripline_features::label;
use tripline_flow::{Flow, FlowId, FlowKey};
use tripline_lifecycle::class_of_label;

use crate::cli::EvaluateArgs;
use crate::commands::capture;
use crate::flows::FlowReport;
use crate::model_files;
use crate::registry::Serving;
use crate::sensor::{self, JudgedFlow, Judges, Stage};

/// A line of the file of labels.
#[derive(Debug, Deserialize)]
struct Session {
    label: String,
    protocol: u8,
    source: IpAddr,
    source_port: u16,
    destination: IpAddr,
    destination_port: u16,
    first_micros: i64,
    last_micros: i64,
}

/// Sessions by their end points, in the order of time.
#[derive(Debug, Default)]
struct Labels {
    sessions: HashMap<FlowKey, Vec<Session>>,
}

/// What is counted for one label.
#[derive(Debug, Default, Serialize)]
struct Row {
    flows: u64,
    flagged: u64,
    right_class: u64,
    told_early: u64,
    flagged_early: u64,
    flagged_of_told_early: u64,
}

impl Labels {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let mut reader =
            csv::Reader::from_path(path).with_context(|| path.display().to_string())?;
        let mut labels = Self::default();
        for session in reader.deserialize() {
            let session: Session = session.with_context(|| path.display().to_string())?;
            labels
                .sessions
                .entry(session.key())
                .or_default()
                .push(session);
        }
        if labels.sessions.is_empty() {
            bail!("{}: there are no labels", path.display());
        }
        Ok(labels)
    }

    /// The session in which a flow began.
    fn of(&self, flow: &Flow) -> Option<&str> {
        let sessions = self
            .sessions
            .get(&flow.key)
            .or_else(|| self.sessions.get(&flow.key.reversed()))?;
        let began = |session: &&Session| {
            (session.first_micros..=session.last_micros).contains(&flow.start_micros)
        };
        sessions
            .iter()
            .find(began)
            .map(|session| session.label.as_str())
    }
}

impl Session {
    /// The key under which the meter knows it: it tells few protocols without ports apart.
    fn key(&self) -> FlowKey {
        FlowKey {
            source: self.source.into(),
            destination: self.destination.into(),
            source_port: self.source_port,
            destination_port: self.destination_port,
            protocol: match self.protocol {
                known @ (1 | 2 | 6 | 17 | 58 | 132) => known,
                _ => 0,
            },
        }
    }
}

pub(super) fn run(args: &EvaluateArgs, labels: &Path) -> anyhow::Result<ExitCode> {
    let models = Serving::plain(model_files::model_set(&args.models.models_dir)?);
    let labels = Labels::read(labels)?;
    let judges = Judges::new(&models, 0)?;
    let panel = Arc::clone(judges.panel());
    let config = capture::config(&args.meter);
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    // Whether the first early verdict on a flow was an alarm.
    let mut early: HashMap<FlowId, bool> = HashMap::new();
    let mut unlabelled = 0_u64;
    sensor::run(capture::open(&args.file)?, config, judges, |judged, _| {
        for judged in judged.iter() {
            let Some(text) = labels.of(&judged.flow) else {
                unlabelled += u64::from(judged.stage == Stage::Final);
                continue;
            };
            let report = FlowReport::new(judged, panel.pipelines());
            take(&mut rows, &mut early, text, judged, &report);
        }
        Ok(())
    })
    .with_context(|| args.file.display().to_string())?;
    if rows.is_empty() {
        bail!(
            "{}: none of the flows is in the file of labels",
            args.file.display()
        );
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
    } else {
        write!(out, "{}", markdown(&rows))?;
    }
    if unlabelled > 0 {
        writeln!(std::io::stderr(), "{unlabelled} flows have no label")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn take(
    rows: &mut BTreeMap<String, Row>,
    early: &mut HashMap<FlowId, bool>,
    text: &str,
    judged: &JudgedFlow,
    report: &FlowReport<'_>,
) {
    let flow = &judged.flow;
    let is_threat = report.is_threat();
    if judged.stage != Stage::Final {
        early.entry(flow.id).or_insert(is_threat);
        return;
    }
    let row = rows.entry(text.to_owned()).or_default();
    row.flows += 1;
    row.flagged += u64::from(is_threat);
    let is_right = report
        .pipeline()
        .zip(report.class())
        .is_some_and(|(pipeline, class)| class_of_label(pipeline.schema(), text) == Some(class));
    row.right_class += u64::from(is_threat && is_right);
    if let Some(was_threat) = early.remove(&flow.id) {
        row.told_early += 1;
        row.flagged_early += u64::from(was_threat);
        row.flagged_of_told_early += u64::from(is_threat);
    }
}

fn markdown(rows: &BTreeMap<String, Row>) -> String {
    let mut text = "| label | flows | flagged | right class | told early | of these flagged early \
                    | of these flagged at the end |\n\
                    | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    let mut sums = BTreeMap::from([
        ("all attacks", Row::default()),
        ("all ordinary", Row::default()),
    ]);
    for (label, row) in rows {
        let sum = if label::is_benign(label) == Some(true) {
            "all ordinary"
        } else {
            "all attacks"
        };
        if let Some(sum) = sums.get_mut(sum) {
            sum.add(row);
        }
    }
    for (label, row) in rows {
        text += &row.line(label);
    }
    for (name, row) in &sums {
        text += &row.line(&format!("**{name}**"));
    }
    text
}

impl Row {
    fn add(&mut self, other: &Self) {
        self.flows += other.flows;
        self.flagged += other.flagged;
        self.right_class += other.right_class;
        self.told_early += other.told_early;
        self.flagged_early += other.flagged_early;
        self.flagged_of_told_early += other.flagged_of_told_early;
    }

    fn line(&self, label: &str) -> String {
        let share = |part: u64, whole: u64| {
            if whole == 0 {
                "–".to_owned()
            } else {
                format!("{:.1} %", part as f64 / whole as f64 * 100.0)
            }
        };
        format!(
            "| {label} | {} | {} | {} | {} | {} | {} |\n",
            self.flows,
            share(self.flagged, self.flows),
            share(self.right_class, self.flagged),
            self.told_early,
            share(self.flagged_early, self.told_early),
            share(self.flagged_of_told_early, self.told_early),
        )
    }
}
