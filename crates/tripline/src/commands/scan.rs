//! Judges the flows of captures.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use serde_json::json;

use super::capture;
use crate::cli::{FlowFormat, ScanArgs};
use crate::flows::filter::Filter;
use crate::flows::summary::Summary;
use crate::flows::{FlowReport, eve};
use crate::model_files;
use crate::output::{self, TableWriter, Target};
use crate::sensor::{self, JudgedFlow, Judges, Stage};

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

pub(super) fn run(args: &ScanArgs) -> anyhow::Result<ExitCode> {
    let models = if args.measure_only {
        None
    } else {
        Some(model_files::model_set(&args.models.models_dir)?)
    };
    let filter = args.filter.as_deref().map(Filter::parse).transpose()?;
    let target = Target::new(args.output.as_deref());
    let mut sink = Sink::open(args, &target)?;
    let is_rows_on_stdout = args.output.is_none() && !matches!(sink, Sink::None);
    let mut reports = Vec::new();
    for file in &args.files {
        let started = Instant::now();
        let mut summary = Summary::new(args.top);
        let judges = match &models {
            Some(models) => Judges::new(models, args.reasons)?,
            None => Judges::none(),
        };
        let pipelines = judges.pipelines().to_vec();
        let capture = capture::open(file)?;
        let mut receive = |judged: &JudgedFlow| {
            let report = FlowReport::new(judged, &pipelines);
            if filter
                .as_ref()
                .is_some_and(|filter| !filter.passes(&report))
            {
                return Ok(());
            }
            // An early verdict is superseded by the final one and would count twice.
            if judged.stage == Stage::Final {
                summary.add(&report);
            }
            if args.threats_only && !report.is_threat() {
                return Ok(());
            }
            sink.write(&report)
        };
        let counts = sensor::run(capture, capture::config(&args.meter), judges, |flows, _| {
            flows.iter().try_for_each(&mut receive)
        })
        .with_context(|| file.display().to_string())?;
        let seconds = started.elapsed().as_secs_f64();
        reports.push((file.display().to_string(), summary, counts, seconds));
    }
    sink.finish()?;
    target.finish()?;
    let mut out: Box<dyn Write> = if is_rows_on_stdout {
        Box::new(std::io::stderr())
    } else {
        Box::new(std::io::stdout())
    };
    for (index, (file, summary, counts, seconds)) in reports.iter().enumerate() {
        if args.json {
            let mut report = json!({ "file": file });
            if let (Some(all), serde_json::Value::Object(more)) =
                (report.as_object_mut(), summary.to_json(counts, *seconds))
            {
                all.extend(more);
            }
            writeln!(out, "{report}")?;
        } else {
            if args.files.len() > 1 {
                writeln!(out, "{}{file}", if index > 0 { "\n" } else { "" })?;
            }
            write!(out, "{}", summary.text(counts, *seconds))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
