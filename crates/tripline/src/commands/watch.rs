//! Judges the flows of a live interface.

use std::{
    io::Write,
    process::ExitCode,
    time::{Duration, Instant},
};

use tokio::signal::unix::{SignalKind, signal};
use tripline_detect::Pipeline;
use tripline_flow::Early;

use super::{capture, serve};
use crate::{
    cli::{Format, WatchArgs, WatchFormat},
    clock,
    flows::{FlowReport, eve, filter::Filter, summary::losses},
    live::{self, Ended, InterfaceConfig, LiveCounts, Stopper, TIMELINE_PACKETS, Watch},
    model_files,
    output::{self, TableWriter},
    registry::Serving,
    sensor::{JudgedFlow, Judges, SensorConfig, Stage},
};

pub(super) fn run(args: &WatchArgs) -> anyhow::Result<ExitCode> {
    let Some(name) = args.interface.clone().filter(|_| !args.list_interfaces) else {
        return list();
    };
    let models = Serving::plain(model_files::model_set(&args.models.models_dir)?);
    let filter = args.filter.as_deref().map(Filter::parse).transpose()?;
    let judges = Judges::new(&models, args.reasons)?;
    let mut output = Output {
        sink: Sink::new(args.format)?,
        filter,
        threats_only: args.threats_only,
        verdicts: [0; 2],
        threats: [0; 2],
    };
    let interface = InterfaceConfig {
        name,
        promiscuous: args.capture.promiscuous,
        snaplen: args.capture.snaplen,
        buffer_mib: args.capture.buffer_mib,
        bpf: args.capture.bpf.clone(),
    };
    let runtime = serve::runtime()?;
    let watch = {
        // Signals are asked for before frames are, so that none ends the process without its books.
        let _inside = runtime.enter();
        let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        let watch = Watch::start(&interface, config(args), judges, args.packets)?;
        let [interrupt, terminate] = signals;
        runtime.spawn(stop_at(interrupt?, terminate?, watch.stopper()));
        watch
    };
    let mut status = Status::new(&interface, args.stats_every);
    status.say(&format!("watching {}", interface.name))?;
    let duration = args.duration.map(Duration::from_secs_f64);
    let (counts, ended) = watch.run(clock::now, duration, |flows, panel, counts| {
        output.write(flows, panel.pipelines())?;
        status.tell(counts, &output)
    });
    let ended = ended?;
    output.sink.flush()?;
    status.say(&format!("stopped: {ended}"))?;
    status.line(&counts, &output)?;
    for loss in losses(&counts.sensor) {
        status.say(&loss)?;
    }
    Ok(match ended {
        Ended::Asked | Ended::Limit => ExitCode::SUCCESS,
        Ended::Failed(_) => ExitCode::FAILURE,
    })
}

fn list() -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    for interface in live::interfaces()? {
        let state = if interface.is_up { "up" } else { "down" };
        let about = interface.description.unwrap_or_default();
        let addresses = interface.addresses.join(" ");
        let line = format!("{:16} {state:4} {addresses} {about}", interface.name);
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn config(args: &WatchArgs) -> SensorConfig {
    let mut config = capture::config(&args.meter);
    config.meter.hash_key = live::hash_key();
    config.meter.timeline = TIMELINE_PACKETS;
    let seconds = args.meter.early_seconds;
    config.meter.early = (!args.no_early).then(|| Early {
        after_packets: args
            .meter
            .early_packets
            .unwrap_or(live::EARLY.after_packets),
        after_micros: seconds.map_or(live::EARLY.after_micros, |seconds| (seconds * 1e6) as i64),
    });
    config
}

async fn stop_at(
    mut interrupt: tokio::signal::unix::Signal,
    mut terminate: tokio::signal::unix::Signal,
    stopper: Stopper,
) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stopper.stop();
}

/// Where verdicts go, line by line.
enum Sink {
    Table(Box<dyn TableWriter>),
    Eve(std::io::BufWriter<std::io::Stdout>),
}

impl Sink {
    fn new(format: WatchFormat) -> anyhow::Result<Self> {
        let table = |format| {
            let out = Box::new(std::io::stdout());
            output::writer(format, FlowReport::COLUMNS, out).map(Self::Table)
        };
        match format {
            WatchFormat::Jsonl => table(Format::Jsonl),
            WatchFormat::Csv => table(Format::Csv),
            WatchFormat::Eve => Ok(Self::Eve(std::io::BufWriter::new(std::io::stdout()))),
        }
    }

    fn write(&mut self, report: &FlowReport<'_>) -> anyhow::Result<()> {
        match self {
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

    fn flush(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Table(writer) => writer.finish(),
            Self::Eve(out) => Ok(out.flush()?),
        }
    }
}

struct Output {
    sink: Sink,
    filter: Option<Filter>,
    threats_only: bool,
    /// Early and final ones, of everything that was judged.
    verdicts: [u64; 2],
    threats: [u64; 2],
}

impl Output {
    fn write(&mut self, flows: &[JudgedFlow], pipelines: &[Pipeline]) -> anyhow::Result<()> {
        for judged in flows {
            let report = FlowReport::new(judged, pipelines);
            let stage = usize::from(judged.stage == Stage::Final);
            self.verdicts[stage] += 1;
            self.threats[stage] += u64::from(report.is_threat());
            let passes = self
                .filter
                .as_ref()
                .is_none_or(|filter| filter.passes(&report));
            if passes && (report.is_threat() || !self.threats_only) {
                self.sink.write(&report)?;
            }
        }
        if flows.is_empty() {
            return Ok(());
        }
        self.sink.flush()
    }
}

/// What is said on standard error.
struct Status<'a> {
    interface: &'a InterfaceConfig,
    every: Option<Duration>,
    last: Instant,
    has_warned: bool,
}

impl<'a> Status<'a> {
    fn new(interface: &'a InterfaceConfig, every: u64) -> Self {
        Self {
            interface,
            every: (every > 0).then(|| Duration::from_secs(every)),
            last: Instant::now(),
            has_warned: false,
        }
    }

    fn tell(&mut self, counts: &LiveCounts, output: &Output) -> anyhow::Result<()> {
        if counts.sensor.cut_short > 0 && !self.has_warned {
            self.has_warned = true;
            self.say(&format!(
                "warning: frames are cut at {} bytes (--snaplen); headers are enough, but a frame \
                 that holds less than its headers is not decoded",
                self.interface.snaplen
            ))?;
        }
        if self.every.is_some_and(|every| self.last.elapsed() >= every) {
            self.last = Instant::now();
            self.line(counts, output)?;
        }
        Ok(())
    }

    fn line(&self, counts: &LiveCounts, output: &Output) -> anyhow::Result<()> {
        let [early, last] = output.verdicts;
        let [early_threats, last_threats] = output.threats;
        self.say(&format!(
            "{}; {early} early verdicts ({early_threats} threats), {last} final ones \
             ({last_threats} threats)",
            counts.line()
        ))
    }

    fn say(&self, text: &str) -> anyhow::Result<()> {
        Ok(writeln!(
            std::io::stderr(),
            "{}: {text}",
            self.interface.name
        )?)
    }
}
