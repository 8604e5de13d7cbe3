//! Judges the flows of captures, and those that other sensors recorded.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use serde_json::json;
use tripline_detect::ModelSet;
use tripline_wire::CaptureReader;

use super::capture;
use crate::cli::{FlowFormat, ScanArgs};
use crate::flows::filter::Filter;
use crate::flows::summary::Summary;
use crate::flows::{FlowReport, eve};
use crate::model_files;
use crate::output::{self, TableWriter, Target};
use crate::records::{self, Input, RecordBooks, RecordJudges};
use crate::registry::Serving;
use crate::sensor::{self, Explainer, Judges, SensorCounts};

/// Where judged flows go.
enum Sink {
    /// Nowhere: only the summary is wanted.
    None,
    Table(Box<dyn TableWriter>),
    Eve(std::io::BufWriter<Box<dyn Write + Send>>),
}

impl Sink {
    fn open(args: &ScanArgs, target: &Target) -> anyhow::Result<Self> {
        let wants_rows = args.output.is_some() || args.format.is_some();
        Ok(match args.format {
            _ if !wants_rows => Self::None,
            Some(FlowFormat::Eve) => Self::Eve(std::io::BufWriter::new(target.open()?)),
            format => {
                let format = target.format(format.and_then(FlowFormat::table))?;
                Self::Table(output::writer(format, FlowReport::COLUMNS, target.open()?)?)
            }
        })
    }

    fn write(&mut self, report: &FlowReport<'_>) -> anyhow::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Table(writer) => writer.write(&report.cells()),
            Self::Eve(out) => {
                for event in eve::events(report) {
                    serde_json::to_writer(&mut *out, &event)?;
                    out.write_all(b"\n")?;
                }
                Ok(())
            }
        }
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Table(writer) => writer.finish(),
            Self::Eve(out) => Ok(out.flush()?),
        }
    }
}

/// What scanning a file came to.
enum Counts {
    Packets(SensorCounts),
    Records(RecordBooks),
}

/// A file that was scanned.
struct Scanned {
    file: String,
    summary: Summary,
    counts: Counts,
    seconds: f64,
}

impl Scanned {
    fn json(&self) -> serde_json::Value {
        let mut report = json!({ "file": self.file });
        let rest = match &self.counts {
            Counts::Packets(counts) => self.summary.to_json(counts, self.seconds),
            Counts::Records(books) => self.summary.records_to_json(books, self.seconds),
        };
        if let (Some(all), serde_json::Value::Object(more)) = (report.as_object_mut(), rest) {
            all.extend(more);
        }
        report
    }

    fn text(&self) -> String {
        match &self.counts {
            Counts::Packets(counts) => self.summary.text(counts, self.seconds),
            Counts::Records(books) => self.summary.text_of_records(books, self.seconds),
        }
    }

    /// Records of which none is known to any model.
    fn unknown(&self) -> Option<&RecordBooks> {
        match &self.counts {
            Counts::Records(books) if books.is_unknown() => Some(books),
            _ => None,
        }
    }

    fn has_losses(&self) -> bool {
        matches!(&self.counts, Counts::Records(books) if books.has_losses())
    }
}

/// Where reports on flows go on their way.
struct Receiver<'a> {
    args: &'a ScanArgs,
    filter: Option<Filter>,
    sink: Sink,
}

impl Receiver<'_> {
    fn take(&mut self, report: &FlowReport<'_>, summary: &mut Summary) -> anyhow::Result<()> {
        let filter = self.filter.as_ref();
        if filter.is_some_and(|filter| !filter.passes(report)) {
            return Ok(());
        }
        // An early verdict is superseded by the final one and would count twice.
        if report.subject().stage() == "final" {
            summary.add(report);
        }
        if self.args.threats_only && !report.is_threat() {
            return Ok(());
        }
        self.sink.write(report)
    }

    fn scan(&mut self, file: &Path, models: Option<&ModelSet>) -> anyhow::Result<Scanned> {
        let started = Instant::now();
        let args = self.args;
        let mut summary = Summary::new(args.top);
        let counts = match records::recognise(capture::open_bytes(file)?)? {
            Input::Capture(bytes) => {
                let capture = CaptureReader::new(bytes).context(
                    "neither a capture nor Zeek's conn.log, Suricata's EVE log, or messages of \
                     NetFlow or IPFIX",
                )?;
                // A summary tells the reasons of the strongest threats alone.
                let is_summary = matches!(self.sink, Sink::None);
                let reasons = if is_summary { 0 } else { args.reasons };
                let judges = match models {
                    Some(models) => Judges::new(&Serving::plain(models.clone()), reasons)?,
                    None => Judges::none(),
                };
                let panel = Arc::clone(judges.panel());
                let explainer = is_summary.then(|| Explainer::new(&panel, args.reasons));
                Counts::Packets(sensor::run(
                    capture,
                    capture::config(&args.meter),
                    judges,
                    |flows, _| {
                        flows.iter().try_for_each(|judged| {
                            let report = FlowReport::new(judged, panel.pipelines());
                            self.take(&report.explained_by(explainer.as_ref()), &mut summary)
                        })
                    },
                )?)
            }
            Input::Records(records) => {
                let models = models.context("--measure-only is for captures")?;
                let mut judges = RecordJudges::new(models, args.reasons)?;
                Counts::Records(records.judge(&mut judges, |judged, judges| {
                    let report = FlowReport::of_record(judged, judges.pipelines());
                    self.take(&report, &mut summary)
                })?)
            }
        };
        Ok(Scanned {
            file: file.display().to_string(),
            summary,
            counts,
            seconds: started.elapsed().as_secs_f64(),
        })
    }
}

pub(super) fn run(args: &ScanArgs) -> anyhow::Result<ExitCode> {
    let models = if args.measure_only {
        None
    } else {
        Some(model_files::model_set(&args.models.models_dir)?)
    };
    let target = Target::new(args.output.as_deref());
    let mut receiver = Receiver {
        args,
        filter: args.filter.as_deref().map(Filter::parse).transpose()?,
        sink: Sink::open(args, &target)?,
    };
    let is_rows_on_stdout = args.output.is_none() && !matches!(receiver.sink, Sink::None);
    let mut reports = Vec::new();
    for file in &args.files {
        let scanned = receiver
            .scan(file, models.as_ref())
            .with_context(|| file.display().to_string())?;
        reports.push(scanned);
    }
    receiver.sink.finish()?;
    target.finish()?;
    let mut out: Box<dyn Write> = if is_rows_on_stdout {
        Box::new(std::io::stderr())
    } else {
        Box::new(std::io::stdout())
    };
    for (index, report) in reports.iter().enumerate() {
        if args.json {
            writeln!(out, "{}", report.json())?;
        } else {
            if args.files.len() > 1 {
                writeln!(out, "{}{}", if index > 0 { "\n" } else { "" }, report.file)?;
            }
            write!(out, "{}", report.text())?;
        }
    }
    outcome(&reports)
}

/// What scripts are told: first that nothing could be judged, then that something was lost.
fn outcome(reports: &[Scanned]) -> anyhow::Result<ExitCode> {
    let mut is_unknown = false;
    for (report, books) in reports
        .iter()
        .filter_map(|report| Some((report, report.unknown()?)))
    {
        is_unknown = true;
        writeln!(
            std::io::stderr(),
            "error: {}: no record has the features of any model: {}",
            report.file,
            books.main_reason().unwrap_or_default()
        )?;
    }
    Ok(if is_unknown {
        ExitCode::from(super::NO_MODEL)
    } else if reports.iter().any(Scanned::has_losses) {
        ExitCode::from(super::SOME_REJECTED)
    } else {
        ExitCode::SUCCESS
    })
}
